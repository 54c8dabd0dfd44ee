//! Stand-ins: an identity and a request that nobody made, to be asked about.
//!
//! Invariant: what a stand-in may is what its principals hold now; a session's is what that session holds.

use std::sync::Arc;

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Timestamp};

use crate::{
    ask::Fact,
    directory::{
        ACCOUNT, ANONYMOUS, Actor, HolderKind, Identity, ROOT, SESSION_PREFIX, SessionFacts, no_such,
    },
    gate::Inner,
    session::{Origin, PrincipalKind, Session},
};

/// The characters of a session's id.
const SESSION_ID_LENGTH: usize = 20;

/// What a question says of the request.
pub(super) struct Said {
    pub(super) origin: Origin,
    pub(super) facts: Vec<Fact>,
    run: Option<Arc<str>>,
    purpose: Option<Arc<str>>,
}

impl Said {
    /// Of a context's keys, those that tell where a request comes from and what its session is for, and the rest.
    pub(super) fn of(now: Timestamp, context: &[(String, String)]) -> Result<Self> {
        let mut said = Self::at(now);
        for (key, value) in context {
            let wrong = || Error::invalid(format!("{value:?} can not be {key}"));
            match key.to_ascii_lowercase().as_str() {
                "aws:sourceip" => said.origin.source_ip = value.parse().map_err(|_| wrong())?,
                "aws:securetransport" => said.origin.tls = tls_if(value.parse().map_err(|_| wrong())?),
                "aws:currenttime" => said.origin.time = time_of(value).ok_or_else(wrong)?,
                "aws:useragent" => said.origin.user_agent = Some(value.as_str().into()),
                "aws:referer" => said.origin.referer = Some(value.as_str().into()),
                "craton:run" => said.run = Some(value.as_str().into()),
                "craton:purpose" => said.purpose = Some(value.as_str().into()),
                _ => said.facts.push((key.clone().into(), value.clone())),
            }
        }
        Ok(said)
    }

    /// A recorded request.
    pub(super) fn from_there(origin: Origin) -> Self {
        Self {
            origin,
            ..Self::at(Timestamp(0))
        }
    }

    /// Nothing but a time: from this machine, over TLS, by the S3 door.
    fn at(time: Timestamp) -> Self {
        Self {
            origin: Origin {
                door: "s3",
                source_ip: std::net::IpAddr::from([127, 0, 0, 1]),
                tls: Some("1.3"),
                request_id: Arc::from("question"),
                lease: None,
                run: None,
                trace: None,
                purse: Default::default(),
                user_agent: None,
                referer: None,
                time,
            },
            facts: Vec::new(),
            run: None,
            purpose: None,
        }
    }
}

/// The newest TLS, or none.
pub(super) fn tls_if(secure: bool) -> Option<&'static str> {
    secure.then_some("1.3")
}

/// `2026-01-31T00:00:00Z`.
fn time_of(text: &str) -> Option<Timestamp> {
    let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    let micros = time.unix_timestamp_nanos().checked_div(1000)?;
    Some(Timestamp(u64::try_from(micros).ok()?))
}

/// A principal by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Named<'a> {
    Anonymous,
    Session(&'a str),
    Holder(HolderKind, &'a str),
}

/// Takes a principal's name apart: a user's, `role/<name>`, one of their ARNs, `root`, `anonymous`, a session's id.
fn named(text: &str) -> Named<'_> {
    let is_session = text.starts_with(SESSION_PREFIX)
        && text.len() == SESSION_ID_LENGTH
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if is_session {
        return Named::Session(text);
    }
    let of_arn = text
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.strip_prefix(ACCOUNT)?.strip_prefix(':'));
    match of_arn {
        Some(ROOT) => Named::Holder(HolderKind::User, ROOT),
        Some(rest) => match rest.split_once('/') {
            Some(("role", path)) => Named::Holder(HolderKind::Role, last(path)),
            Some((_, path)) => Named::Holder(HolderKind::User, last(path)),
            None => Named::Holder(HolderKind::User, text),
        },
        None if text == ANONYMOUS => Named::Anonymous,
        None => match text.strip_prefix("role/") {
            Some(role) => Named::Holder(HolderKind::Role, role),
            None => Named::Holder(HolderKind::User, text),
        },
    }
}

/// The name at the end of a path.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// What is asked about before a principal's rights are told.
pub(super) fn path(principal: &str) -> ResourcePath {
    ResourcePath::System(match named(principal) {
        Named::Anonymous => format!("users/{ANONYMOUS}"),
        Named::Session(id) => format!("sessions/{id}"),
        Named::Holder(HolderKind::Role, name) => format!("roles/{name}"),
        Named::Holder(_, name) => format!("users/{name}"),
    })
}

impl Inner {
    /// A session of a principal and those for whom it acts that nobody signed for.
    pub(super) fn stand_in(&self, principal: &str, acting_for: &[String], said: &Said) -> Result<Session> {
        let known = match named(principal) {
            Named::Anonymous => Some(self.directory.anonymous()),
            Named::Session(id) => Some(self.session_now(id)?),
            Named::Holder(..) => None,
        };
        let identity = match known {
            Some(_) if !acting_for.is_empty() => {
                let text = format!("{principal:?} acts for nobody, or for whom its session says");
                return Err(Error::invalid(text));
            }
            Some(identity) => identity,
            None => Arc::new(self.made_up(principal, acting_for, said)?),
        };
        Ok(Session::without_key(identity, said.origin.clone()))
    }

    /// A session as it is now.
    fn session_now(&self, id: &str) -> Result<Arc<Identity>> {
        let found = self.directory.credential(&self.store, id)?;
        let live = found.filter(|c| self.clock.now() < c.expires);
        live.map(|c| c.identity).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "NoSuchEntity",
                format!("there is no session {id:?}, or it is over"),
            )
        })
    }

    fn made_up(&self, principal: &str, acting_for: &[String], said: &Said) -> Result<Identity> {
        let actor = self.actor(principal)?;
        let chain: Vec<Actor> = acting_for.iter().map(|p| self.actor(p)).collect::<Result<_>>()?;
        if chain.iter().any(|a| a.principal.kind == PrincipalKind::Root) {
            return Err(Error::invalid("nobody acts for root"));
        }
        let is_session = actor.principal.kind == PrincipalKind::Role
            || !chain.is_empty()
            || said.run.is_some()
            || said.purpose.is_some();
        let facts = || SessionFacts {
            id: Arc::from("question"),
            issued: said.origin.time,
            expires: Timestamp(u64::MAX),
            transitive_tags: Vec::new(),
            source_identity: None,
            run: said.run.clone(),
            purpose: said.purpose.clone(),
            provider: None,
            subject: None,
            made_from: Vec::new(),
            without_iam: false,
            files: None,
            labels: Vec::new(),
            budgets: Vec::new(),
        };
        Ok(Identity {
            actor,
            chain,
            session: is_session.then(facts),
            credential: None,
            generation: 0,
        })
    }

    fn actor(&self, principal: &str) -> Result<Actor> {
        let Named::Holder(kind, name) = named(principal) else {
            return Err(Error::invalid(format!("nobody acts for {principal:?}")));
        };
        let found = self.directory.principal(&self.store, kind, name)?;
        found.map(Actor::plain).ok_or_else(|| no_such(kind, name))
    }
}

#[cfg(test)]
mod tests;
