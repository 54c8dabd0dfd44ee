//! Who can do something: every user and role asked about, in pages.

use craton_base::{BranchId, BucketId, Kind as ErrorKind, ResourcePath, Result};
use craton_store::namespace::{Direction, Kind, Span};

use super::{Answer, Question};
use crate::{
    ask::Ask,
    directory::{ANONYMOUS, EntityRecord, HolderKind},
    gate::{Gate, Inner},
    session::Session,
};

/// What the names of roles begin with, after all users.
const ROLE: &str = "role/";

/// The most principals that one call asks about.
pub const WHO_MAX: usize = 200;

/// Who of a page of principals can.
#[derive(Clone, Debug, Default)]
pub struct WhoCan {
    /// Those who are allowed, with what allows it.
    pub allowed: Vec<(String, Answer)>,
    /// Those whom a statement or a guard policy denies what another would allow, or that are denied by name.
    pub denied: Vec<(String, Answer)>,
    /// How many principals were asked about.
    pub asked: usize,
    /// Where to go on, if there are more.
    pub next: Option<String>,
}

impl Gate {
    /// Who can do `question.action` on `question.resource`, in its context; its principal is not looked at. The first
    /// page begins with everybody: `anonymous`.
    ///
    /// # Errors
    /// `Denied`; `Invalid` for an ARN or a condition key that is not one.
    pub async fn who_can(
        &self,
        session: &Session,
        question: &Question,
        after: Option<&str>,
        limit: usize,
    ) -> Result<WhoCan> {
        let resource = ResourcePath::System("access".into());
        let ask = Ask::new("WhoCan", "craton:ReadAccess", resource);
        let _permit = self.read(session, ask).await?;
        let limit = limit.clamp(1, WHO_MAX);
        let mut names = match after {
            None => vec![ANONYMOUS.to_owned()],
            Some(_) => Vec::new(),
        };
        let (found, more) = self.inner.principals(after, limit.saturating_sub(names.len()))?;
        names.extend(found);
        let mut out = WhoCan {
            next: names.last().filter(|_| more).cloned(),
            ..WhoCan::default()
        };
        for name in names {
            let asked = Question {
                principal: name.clone(),
                acting_for: Vec::new(),
                ..question.clone()
            };
            let answer = match self.inner.answer(&asked) {
                // Deleted since the page was read.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                answer => answer?,
            };
            out.asked = out.asked.saturating_add(1);
            match answer.verdict {
                "allow" => out.allowed.push((name, answer)),
                "explicit-deny" => out.denied.push((name, answer)),
                _ => {}
            }
        }
        Ok(out)
    }
}

impl Inner {
    /// Names of users after one, then of roles, and whether there are more.
    fn principals(&self, after: Option<&str>, limit: usize) -> Result<(Vec<String>, bool)> {
        let after = after.filter(|a| *a != ANONYMOUS).unwrap_or_default();
        if let Some(after) = after.strip_prefix(ROLE) {
            return self.holders(HolderKind::Role, after, limit);
        }
        let (mut names, more) = self.holders(HolderKind::User, after, limit)?;
        if more {
            return Ok((names, true));
        }
        let (roles, more) = self.holders(HolderKind::Role, "", limit.saturating_sub(names.len()))?;
        names.extend(roles);
        Ok((names, more))
    }

    /// Names of users or roles after one, and whether there are more.
    fn holders(&self, kind: HolderKind, after: &str, limit: usize) -> Result<(Vec<String>, bool)> {
        let mut start = after.to_ascii_lowercase().into_bytes();
        if !start.is_empty() {
            start.push(0);
        }
        let (stored_kind, before) = match kind {
            HolderKind::Role => (Kind::Role, ROLE),
            _ => (Kind::User, ""),
        };
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: stored_kind,
            start: start.into(),
            end: None,
        };
        // One more, to know whether there is.
        let most = limit.saturating_add(1);
        let at = self.store.latest();
        let page = self.store.scan(&span, at, Direction::Forward, most)?;
        let name = |stored| EntityRecord::from_stored(stored).map(|r| format!("{before}{}", r.name));
        let names = page.entries.iter().take(limit).map(name).collect::<Result<_>>()?;
        Ok((names, page.entries.len() > limit))
    }
}
