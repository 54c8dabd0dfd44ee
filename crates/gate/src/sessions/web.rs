//! `AssumeRoleWithWebIdentity`: a role's session for somebody whom a registered identity provider vouches for.
//!
//! Invariants: the provider is looked up by what the token says of its issuer, and then everything in the token is
//! verified by that provider's keys before anything of it is used; the trust policy decides with what was verified.
//!
//! Deliberately absent: keys and checks of tokens ([`super::issuers`]).

use craton_base::{Error, Result};
use serde_json::Value as Json;

use super::{
    assume::{Limits, Role, check_seconds, check_session_name},
    issue::Issued,
    issuers::{Provider, Vouched, bad_token},
    jwk::Token,
};
use crate::{
    ask::Ask,
    directory::{ActorRecord, ProviderRecord, SessionRecord},
    facts::OfRequest,
    gate::{Gate, Verdicts},
    identities::{address_of, provider_arn},
    policy::{Asker, Context, Facts, Request},
    session::{Origin, Session},
};

/// Asks to become a role by the word of an identity provider.
#[derive(Clone, Debug, Default)]
pub struct WebIdentity {
    /// The role's ARN.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// The provider's token.
    pub token: String,
    /// What limits the session.
    pub limits: Limits,
}

/// A session by a provider's word, and what it said.
#[derive(Debug)]
pub struct WebSession {
    /// The session.
    pub issued: Issued,
    /// Whom the provider vouched for.
    pub subject: String,
    /// For which audience.
    pub audience: String,
    /// The provider's ARN.
    pub provider: String,
}

impl Gate {
    /// A session of a role by the word of an identity provider.
    ///
    /// # Errors
    /// `Denied`, `AccessDenied`; `Invalid`, `InvalidIdentityToken` and `ExpiredTokenException`; `Unavailable`,
    /// `IDPCommunicationError`; `Busy`, `Throttling` after too many that failed. What fails is in the ledger.
    pub async fn assume_role_with_web_identity(
        &self,
        wanted: WebIdentity,
        origin: Origin,
    ) -> Result<WebSession> {
        let operation = ("AssumeRoleWithWebIdentity", &*wanted.role_arn);
        self.check_attempts(&origin, None, operation)?;
        let session = Session::without_key(self.inner.directory.anonymous(), origin);
        let done = self.try_web_identity(&session, &wanted).await;
        self.count_attempt(session.origin(), None, &done);
        if let Err(error) = &done
            && !session.has_asked()
        {
            self.refuse(
                session.origin(),
                None,
                "AssumeRoleWithWebIdentity",
                &wanted.role_arn,
                error,
            )?;
        }
        done
    }

    async fn try_web_identity(&self, session: &Session, wanted: &WebIdentity) -> Result<WebSession> {
        check_session_name("roleSessionName", &wanted.session_name)?;
        let layers = self.session_layers(&wanted.limits)?;
        let (provider, vouched) = self.vouched(&wanted.token).await?;
        let address = address_of(&provider.url);
        let arn = provider_arn(address);
        let role = self.role(&wanted.role_arn)?;
        let decided = match &role {
            Some(role) => trusts(role, session, (address, &arn), &vouched, &wanted.session_name)?,
            None => Verdicts::nobody(),
        };
        let path = role
            .as_ref()
            .map_or_else(|| craton_base::ResourcePath::System("roles/".into()), Role::path);
        let ask = Ask::new("AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity", path);
        let permit = self.write_decided(session, ask, decided).map_err(|e| {
            Error::new(
                e.kind(),
                e.reason(),
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            )
        })?;
        let role = role.ok_or_else(|| Error::internal("a role that is not there was assumed"))?;
        let seconds = wanted.limits.seconds.unwrap_or(3600);
        check_seconds(seconds, role.record.session_seconds_max.max(3600))?;
        let record = SessionRecord {
            actor: Some(ActorRecord {
                kind: 2,
                name: role.record.name.clone(),
                id: role.record.id.clone(),
                session_name: wanted.session_name.clone(),
                layers,
                tags: Vec::new(),
            }),
            provider: address.to_owned(),
            provider_id: provider.id.clone(),
            subject: vouched.subject.clone(),
            ..self.session_until(seconds)
        };
        let issued = self
            .issue(&permit, record, role.names(&wanted.session_name))
            .await?;
        Ok(WebSession {
            issued,
            subject: vouched.subject,
            audience: vouched.audience,
            provider: arn,
        })
    }

    /// The provider that has issued a token, and what it says, verified.
    async fn vouched(&self, token: &str) -> Result<(ProviderRecord, Vouched)> {
        let unknown = || bad_token("No OpenIDConnect provider found in your account for the token's issuer");
        let parsed =
            Token::parse(token).ok_or_else(|| bad_token("The token is not one that can be verified."))?;
        let address = parsed.issuer().map(address_of).ok_or_else(unknown)?.to_owned();
        let (_, provider) = self.provider_record(&address)?.ok_or_else(unknown)?;
        let known = Provider {
            url: &provider.url,
            clients: &provider.clients,
        };
        let vouched = self
            .inner
            .issuers
            .verify(&known, token, self.inner.clock.now())
            .await?;
        Ok((provider, vouched))
    }
}

/// Whether the role trusts the provider for whom it vouches.
fn trusts(
    role: &Role,
    session: &Session,
    (address, arn): (&str, &str),
    vouched: &Vouched,
    session_name: &str,
) -> Result<Verdicts> {
    let mut context = Context::new();
    context.set("aws:FederatedProvider", arn)?;
    context.set("sts:RoleSessionName", session_name)?;
    context.set(format!("{address}:sub"), vouched.subject.as_str())?;
    context.set(format!("{address}:aud"), vouched.audience.as_str())?;
    for name in ["azp", "email", "name", "preferred_username", "hd", "acr"] {
        if let Some(text) = vouched.claims.get(name).and_then(Json::as_str) {
            context.set(format!("{address}:{name}"), text)?;
        }
    }
    for name in ["amr", "groups", "roles"] {
        if let Some(list) = vouched.claims.get(name).and_then(Json::as_array) {
            let texts = list.iter().filter_map(Json::as_str).map(str::to_owned);
            context.set_list(format!("{address}:{name}"), texts.take(256).collect())?;
        }
    }
    let request = Request {
        action: "sts:AssumeRoleWithWebIdentity",
        resource: &role.arn(),
        context: &[&context as &dyn Facts, &OfRequest(session)],
    };
    Ok(Verdicts::of(&role.trust.decide(Asker::Federated(arn), &request)))
}
