//! OAuth 2: bearer tokens for an access key (RFC 6749, 4.4), and tokens for tokens (RFC 8693).
//!
//! A bearer token is a session that signs nothing. Given for an access key, it is the user's. Given for a token of
//! somebody (`subject_token`) and one of who acts (`actor_token`), the new session is the actor's and acts for the
//! subject, with no right that either lacks. Without an actor it is the subject's own, to be narrowed.
//!
//! Invariants: a token is never wider or longer than those that it was made from; who fails to authenticate learns
//! nothing but that.
//!
//! Deliberately absent: the HTTP of it (the door).

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Secret, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    assume::{Limits, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN},
    issue::{CHAIN_MAX, actor_record, made_from},
};
use crate::{
    ask::Ask,
    budgets::SessionBudget,
    directory::{ActorRecord, Credential, Identity, LayerRecord, SESSION_PREFIX, SessionRecord},
    gate::{Gate, Verdicts},
    identify::Service,
    session::{Origin, PrincipalKind, Proof, Session},
};

/// How long a token is good for if nobody says, in seconds.
const TOKEN_SECONDS_DEFAULT: u32 = 3600;
/// For which doors a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Audience {
    /// All but that for agents.
    #[default]
    Server,
    /// The door for agents (MCP) alone: what such a token is given to can use it nowhere else.
    Mcp,
}

impl Audience {
    /// As tokens say it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "craton",
            Self::Mcp => "craton/_mcp",
        }
    }
}

/// The issuer that every token of ours names.
const ISSUER: &str = "craton";
/// The longest run or purpose, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What limits a token, and what it is for.
#[derive(Clone, Debug, Default)]
pub struct ClientGrant {
    /// What limits it.
    pub limits: Limits,
    /// The run that it is for.
    pub run: Option<String>,
    /// What it is for.
    pub purpose: Option<String>,
    /// What it may use up.
    pub budget: Option<SessionBudget>,
    /// Where it is taken.
    pub audience: Audience,
}

/// Tokens for which another is wanted.
#[derive(Debug)]
pub struct Exchange {
    /// For whom the new one is.
    pub subject: Secret,
    /// Who acts.
    pub actor: Option<Secret>,
    /// What limits it.
    pub grant: ClientGrant,
}

/// A bearer token. The only time that it is shown.
#[derive(Debug)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// How long it is good for, in seconds.
    pub seconds: u64,
    /// Its session's id.
    pub session: String,
}

/// What is wrong with a request for a token, in OAuth's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenFault {
    /// Who asks did not say who it is.
    Client,
    /// The tokens are not good.
    Grant,
    /// The request is not one.
    Request,
}

impl TokenFault {
    /// As answers name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "invalid_client",
            Self::Grant => "invalid_grant",
            Self::Request => "invalid_request",
        }
    }

    /// The fault that an error of this module stands for.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.reason() {
            "InvalidClient" => Self::Client,
            "InvalidGrant" => Self::Grant,
            _ => Self::Request,
        }
    }
}

fn invalid_client() -> Error {
    Error::new(
        ErrorKind::Denied,
        "InvalidClient",
        "the client id and its secret do not go together",
    )
}

fn invalid_grant() -> Error {
    Error::new(
        ErrorKind::Denied,
        "InvalidGrant",
        "a token is not one of this server, or is over",
    )
}

impl Gate {
    /// A bearer token for an access key of a user.
    ///
    /// # Errors
    /// `Denied`, `InvalidClient`; `Invalid`; `Busy`, `Throttling` after too many that failed. What fails is in the ledger.
    pub async fn client_token(
        &self,
        id: &str,
        secret: &Secret,
        grant: ClientGrant,
        origin: Origin,
    ) -> Result<Granted> {
        self.check_attempts(&origin, Some(id), ("GrantToken", "/system/sessions"))?;
        let found = self.client(id, secret)?.ok_or_else(invalid_client);
        self.count_attempt(&origin, Some(id), &found);
        let session = match found {
            Ok(identity) => bearer_session(identity, id, origin),
            Err(error) => {
                self.refuse(&origin, Some(id), "GrantToken", "/system/sessions", &error)?;
                return Err(error);
            }
        };
        self.grant_token(&session, session.identity(), None, grant).await
    }

    /// A bearer token for tokens.
    ///
    /// # Errors
    /// `Denied`, `InvalidGrant`; `Invalid`; `Busy`, `Throttling` after too many that failed. What fails is in the ledger.
    pub async fn exchange_token(&self, exchange: Exchange, origin: Origin) -> Result<Granted> {
        self.check_attempts(&origin, None, ("ExchangeToken", "/system/sessions"))?;
        let subject = self.bearer_identity(&exchange.subject, Audience::Server)?;
        let actor = match &exchange.actor {
            Some(token) => Some(self.bearer_identity(token, Audience::Server)?),
            None => None,
        };
        let good = match (subject, actor) {
            (Some(subject), None) => Some((subject, None)),
            (Some(subject), Some(Some(actor))) => Some((actor, Some(subject))),
            _ => None,
        };
        let good = good.ok_or_else(invalid_grant);
        self.count_attempt(&origin, None, &good);
        let (actor, subject) = match good {
            Ok(good) => good,
            Err(error) => {
                self.refuse(&origin, None, "ExchangeToken", "/system/sessions", &error)?;
                return Err(error);
            }
        };
        let id = actor.credential.as_deref().unwrap_or_default().to_owned();
        let session = bearer_session(actor, &id, origin);
        self.grant_token(&session, session.identity(), subject.as_deref(), exchange.grant)
            .await
    }

    /// Authenticates a client of a door that asks for a name and a password: an access key and its secret, or a bearer token in
    /// place of the secret, whatever the name.
    ///
    /// # Errors
    /// `Denied`, `InvalidClient`; `Busy`, `Throttling` after too many that failed. What fails is in the ledger.
    pub fn identify_password(&self, name: &str, password: &Secret, origin: Origin) -> Result<Session> {
        if let Some(identity) = self.bearer_identity(password, Audience::Server)? {
            let id = identity.credential.as_deref().unwrap_or_default().to_owned();
            return Ok(Session::of_bearer(identity, &id, origin, Proof::Bearer));
        }
        self.check_attempts(&origin, Some(name), ("Connect", "/system/sessions"))?;
        let found = self.client(name, password)?.ok_or_else(invalid_client);
        self.count_attempt(&origin, Some(name), &found);
        match found {
            Ok(identity) => Ok(bearer_session(identity, name, origin)),
            Err(error) => {
                self.refuse(&origin, Some(name), "Connect", "/system/sessions", &error)?;
                Err(error)
            }
        }
    }

    /// Whose an access key is, if its secret is this. A session's and root's do not count.
    fn client(&self, id: &str, secret: &Secret) -> Result<Option<std::sync::Arc<Identity>>> {
        let inner = &self.inner;
        let known = !id.starts_with(SESSION_PREFIX) && id.len() <= 128;
        let found: Option<Credential> = if known {
            inner.directory.credential(&inner.store, id)?
        } else {
            None
        };
        let nobody = Secret::from("nobody's");
        // As long for a key that does not exist.
        let own = found.as_ref().and_then(|c| c.secret.as_ref()).unwrap_or(&nobody);
        let same = own == secret;
        let good = |c: &Credential| c.active && c.identity.actor.principal.kind == PrincipalKind::User;
        let found = found.filter(|c| same && good(c));
        Ok(found.map(|c| {
            c.used.note(inner.clock.now(), Service::Sts);
            c.identity
        }))
    }

    /// Whose a bearer token is; `None` if it is not good now.
    pub(crate) fn bearer_identity(
        &self,
        token: &Secret,
        audience: Audience,
    ) -> Result<Option<std::sync::Arc<Identity>>> {
        let inner = &self.inner;
        let claims = std::str::from_utf8(token.expose())
            .ok()
            .and_then(|text| inner.tokens.claims(text));
        let Some(claims) = claims else { return Ok(None) };
        let text = |name: &str| claims.get(name).and_then(Json::as_str);
        let now = inner.clock.now();
        let in_time = claims
            .get("exp")
            .and_then(Json::as_u64)
            .is_some_and(|exp| now < Timestamp::from_seconds(exp));
        let ours = text("iss") == Some(ISSUER) && text("aud") == Some(audience.as_str()) && in_time;
        let Some(id) = text("jti").filter(|id| ours && id.starts_with(SESSION_PREFIX)) else {
            return Ok(None);
        };
        let found = inner.directory.credential(&inner.store, id)?;
        // A session with a secret is one that signs: its access key is no bearer token.
        Ok(found
            .filter(|c| c.active && c.secret.is_none() && now < c.expires)
            .map(|c| c.identity))
    }

    /// Makes the session and its token.
    async fn grant_token(
        &self,
        session: &Session,
        actor: &Identity,
        subject: Option<&Identity>,
        grant: ClientGrant,
    ) -> Result<Granted> {
        let (run, purpose, audience) = (short(grant.run)?, short(grant.purpose)?, grant.audience);
        let layers = self.session_layers(&grant.limits)?;
        let seconds = grant.limits.seconds.unwrap_or(TOKEN_SECONDS_DEFAULT);
        if !(SESSION_SECONDS_MIN..=SESSION_SECONDS_MAX).contains(&seconds) {
            return Err(Error::invalid("a token is good for 900 to 43200 seconds"));
        }
        let path = ResourcePath::System("sessions".into());
        let ask = Ask::new("GrantToken", "craton:GrantToken", path);
        let permit = self.write_decided(session, ask, Verdicts::always())?;
        let mut record = self.session_until(seconds);
        let ends = [Some(actor), subject]
            .into_iter()
            .flatten()
            .filter_map(|i| i.session.as_ref());
        let first_end = ends.map(|s| s.expires.micros()).min().unwrap_or(u64::MAX);
        record.expires_micros = record.expires_micros.min(first_end);
        let inherited = |of: fn(&crate::directory::SessionFacts) -> Option<&std::sync::Arc<str>>| {
            let both = [subject, Some(actor)].into_iter().flatten();
            both.filter_map(|i| i.session.as_ref().and_then(of))
                .map(|s| s.to_string())
                .next()
        };
        let id = self.new_session_id()?;
        let record = SessionRecord {
            budget: grant.budget.filter(|budget| !budget.is_empty()),
            actor: actor_record(actor, 0).map(|a| limited(a, layers)),
            chain: chain(actor, subject),
            run: run.or_else(|| inherited(|s| s.run.as_ref())).unwrap_or_default(),
            purpose: purpose
                .or_else(|| inherited(|s| s.purpose.as_ref()))
                .unwrap_or_default(),
            source_identity: inherited(|s| s.source_identity.as_ref()).unwrap_or_default(),
            made_from: rests_on(actor, subject),
            without_iam: actor.without_iam() || subject.is_some_and(Identity::without_iam),
            ..record
        };
        let token = self.inner.tokens.bearer(&claims(&id, &record, audience))?;
        self.store_session(&permit, &id, &record).await?;
        let left = record.expires_micros.saturating_sub(record.issued_micros);
        Ok(Granted {
            token: token.into(),
            seconds: left / 1_000_000,
            session: id,
        })
    }

    /// Ends the session of a bearer token, by who holds it. A token that is not good is none to end.
    ///
    /// # Errors
    /// `Unavailable` if it can not be recorded; the store's own.
    pub async fn revoke_token(&self, token: &Secret, origin: Origin) -> Result<()> {
        let of_server = self.bearer_identity(token, Audience::Server)?;
        let found = match of_server {
            None => self.bearer_identity(token, Audience::Mcp)?,
            found => found,
        };
        let Some(identity) = found else {
            return self.refuse(&origin, None, "RevokeToken", "/system/sessions", &invalid_grant());
        };
        let id = identity.credential.as_deref().unwrap_or_default().to_owned();
        let session = bearer_session(identity, &id, origin);
        self.revoke_session(&session, &id).await
    }

    /// The public keys that verify our bearer tokens.
    #[must_use]
    pub fn token_keys(&self) -> Json {
        self.inner.tokens.key_set()
    }
}

fn bearer_session(identity: std::sync::Arc<Identity>, id: &str, origin: Origin) -> Session {
    Session::of_bearer(identity, id, origin, Proof::Bearer)
}

fn short(text: Option<String>) -> Result<Option<String>> {
    match text {
        Some(text) if text.len() > TEXT_BYTES_MAX => Err(Error::invalid(format!(
            "a run and a purpose have at most {TEXT_BYTES_MAX} bytes"
        ))),
        text => Ok(text),
    }
}

fn limited(mut actor: ActorRecord, layers: Vec<LayerRecord>) -> ActorRecord {
    actor.layers.extend(layers);
    actor
}

/// For whom the actor acts: for whom it did, the subject, and for whom that does.
fn chain(actor: &Identity, subject: Option<&Identity>) -> Vec<ActorRecord> {
    let own = (1..CHAIN_MAX).filter_map(|n| actor_record(actor, n));
    let of_subject = subject
        .into_iter()
        .flat_map(|s| (0..CHAIN_MAX).filter_map(|n| actor_record(s, n)));
    own.chain(of_subject).take(CHAIN_MAX).collect()
}

fn rests_on(actor: &Identity, subject: Option<&Identity>) -> Vec<String> {
    let mut out = made_from(actor);
    for id in subject.map(made_from).unwrap_or_default() {
        if !out.contains(&id) {
            out.push(id);
        }
    }
    out
}

/// What a token says: who it is about first, then who acts for them, nested (RFC 8693, 4.1).
fn claims(id: &str, record: &SessionRecord, audience: Audience) -> Json {
    let name = |a: &ActorRecord| match a.kind {
        2 => format!("role/{}", a.name),
        _ => a.name.clone(),
    };
    // The last of the chain is the one for whom all of this is.
    let everyone: Vec<String> = record.actor.iter().chain(&record.chain).map(name).collect();
    let mut act: Option<Json> = None;
    // The outermost is who acts now.
    for who in everyone.iter().rev().skip(1) {
        act = Some(match act {
            None => json!({ "sub": who }),
            Some(inner) => json!({ "sub": who, "act": inner }),
        });
    }
    let mut out = json!({
        "iss": ISSUER,
        "aud": audience.as_str(),
        "sub": everyone.last(),
        "jti": id,
        "iat": record.issued_micros / 1_000_000,
        "exp": record.expires_micros / 1_000_000,
    });
    if let (Some(out), Some(act)) = (out.as_object_mut(), act) {
        out.insert("act".to_owned(), act);
    }
    out
}
