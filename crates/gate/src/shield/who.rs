//! Who is an agent, and who may approve what whom asked for.
//!
//! An *agent* is whoever acts for somebody else (by an exchange of tokens, or by the tag `craton:acting-for` of `AssumeRole`), whoever carries the tag
//! [`super::AGENT_TAG`] as a user, a role or a session, and whoever has a session that was made with a credential of such a one: nobody
//! stops to be an agent by taking a role. A session's tags can say it and can not take it back. Who sends no credentials counts as one:
//! nobody knows who that is. The system's own workers never do.
//!
//! An operation is *asked for* by the principal of the session and by everybody whose credentials it was made with, less those whom it
//! acts for: a person may approve what an agent asked for in her name, but not what she, or a role that she took, asked for.

use std::collections::BTreeSet;

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};

use super::AGENT_TAG;
use crate::{
    directory::{
        AccessKeyRecord, Actor, HolderKind, Principal, SESSION_PREFIX, SessionRecord, TagRecord,
        access_key_key, session_key,
    },
    gate::Inner,
    session::{PrincipalKind, Session},
};

/// Whoever's credential a session was made with.
struct Stem {
    label: String,
    is_agent: bool,
}

impl Inner {
    /// Whether a session is an agent's.
    pub(super) fn is_agent(&self, session: &Session) -> Result<bool> {
        match session.kind() {
            PrincipalKind::System => return Ok(false),
            PrincipalKind::Anonymous => return Ok(true),
            _ => {}
        }
        let identity = session.identity();
        if !identity.chain.is_empty() || identity.actors().any(is_tagged) {
            return Ok(true);
        }
        Ok(self.stems(session)?.iter().any(|stem| stem.is_agent))
    }

    /// Everybody who asks by a session, but for whom it acts.
    pub(super) fn askers(&self, session: &Session) -> Result<BTreeSet<String>> {
        let mut out: BTreeSet<String> = self.stems(session)?.into_iter().map(|stem| stem.label).collect();
        for of in session.chain() {
            out.remove(of);
        }
        out.insert(session.principal().to_owned());
        Ok(out)
    }

    /// Refuses whoever may not answer for what these asked for.
    pub(super) fn check_answers(&self, session: &Session, askers: &[String]) -> Result<()> {
        let denied = |reason, text: &'static str| Err(Error::new(ErrorKind::Denied, reason, text));
        if self.is_agent(session)? {
            return denied("AgentsDoNotApprove", "an agent approves and rejects nothing");
        }
        let own = self.askers(session)?;
        match askers.iter().any(|asker| own.contains(asker)) {
            true => denied("OwnOperation", "nobody approves or rejects what they asked for"),
            false => Ok(()),
        }
    }

    fn stems(&self, session: &Session) -> Result<Vec<Stem>> {
        let ids: &[String] = session.facts().map_or(&[], |facts| &facts.made_from);
        ids.iter().map(|id| self.stem(id)).collect()
    }

    fn stem(&self, id: &str) -> Result<Stem> {
        let (kind, name, told) = match id.starts_with(SESSION_PREFIX) {
            true => self.of_session(id)?,
            false => {
                let found = self
                    .store
                    .get(&access_key_key(id), Sequence::MAX)?
                    .ok_or_else(gone)?;
                (
                    HolderKind::User,
                    AccessKeyRecord::from_stored(&found)?.user,
                    false,
                )
            }
        };
        let principal = self
            .directory
            .principal(&self.store, kind, &name)?
            .ok_or_else(gone)?;
        Ok(Stem {
            label: principal.label.to_string(),
            is_agent: told || is_principal_tagged(&principal),
        })
    }

    /// Whose a session is, and whether it says itself that it is an agent's.
    fn of_session(&self, id: &str) -> Result<(HolderKind, String, bool)> {
        let found = self
            .store
            .get(&session_key(id), Sequence::MAX)?
            .ok_or_else(gone)?;
        let record = SessionRecord::from_stored(&found)?;
        let actor = record.actor.ok_or_else(gone)?;
        let kind = match actor.kind {
            2 => HolderKind::Role,
            _ => HolderKind::User,
        };
        let tagged = |tag: &TagRecord| says_agent(&tag.key, &tag.value);
        let told = !record.chain.is_empty() || actor.tags.iter().any(tagged);
        Ok((kind, actor.name, told))
    }
}

fn says_agent(key: &str, value: &str) -> bool {
    key.eq_ignore_ascii_case(AGENT_TAG) && !value.eq_ignore_ascii_case("false")
}

fn is_tagged(actor: &Actor) -> bool {
    is_principal_tagged(&actor.principal) || actor.tags.iter().any(|(key, value)| says_agent(key, value))
}

fn is_principal_tagged(principal: &Principal) -> bool {
    principal.tags.iter().any(|(key, value)| says_agent(key, value))
}

/// A session is over when what it was made with is no more.
fn gone() -> Error {
    let text = "the session was made with a credential that is no more";
    Error::new(ErrorKind::Denied, "AccessDenied", text)
}
