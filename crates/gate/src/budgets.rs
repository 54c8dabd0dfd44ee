//! Budgets: what a session may use up, on all doors together, and what is left of it.
//!
//! ```text
//! what a session may use     in its entry; its own and that of each session that it was made from count
//! what it has used           in memory, one atomic addition; written down as counts of bytes are ([`crate::guards`])
//! ```
//!
//! Invariants
//! - what is counted is taken before it is given, all or nothing: no order of requests on any doors takes more than there is;
//! - a session's budget is also that of the sessions made from it, so nobody has more by making another;
//! - time is not counted but compared, at each decision: what is under way then goes on.
//!
//! Deliberately absent: what doors say of it (a status, a header).

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result, Sequence, Timestamp};
use craton_store::{namespace::Precondition, store::Transaction};
use prost::Message;

use crate::{
    ask::Ask,
    directory::{SessionRecord, no_session, session_key, stored_value},
    gate::{Gate, Inner, Verdicts},
    guards::Moved,
    session::Session,
};

/// The reason of a refusal because a budget is used up.
pub const BUDGET_EXCEEDED: &str = "BudgetExceeded";

/// The longest text of a budget, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// The actions whose answers have rows.
const ANSWERS: [&str; 2] = ["craton:ReadGraph", "craton:RunStatement"];

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// Bytes of content that were read.
    Bytes,
    /// Rows of answers of SQL and graph queries.
    Rows,
    /// Objects that were asked for, read or written.
    Objects,
    /// Deletions.
    Deletes,
    /// Requests, those that were denied too.
    Requests,
    /// Seconds since the session was made.
    Seconds,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Bytes,
        Self::Rows,
        Self::Objects,
        Self::Deletes,
        Self::Requests,
        Self::Seconds,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Rows => "rows",
            Self::Objects => "objects",
            Self::Deletes => "deletes",
            Self::Requests => "requests",
            Self::Seconds => "seconds",
        }
    }
}

/// What a session may use up; what is not named has no bound. As it is kept in the session's entry (`docs/formats.md`, "Sessions").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct SessionBudget {
    /// Bytes of content read.
    #[prost(uint64, optional, tag = "1")]
    pub bytes: Option<u64>,
    /// Rows of answers.
    #[prost(uint64, optional, tag = "2")]
    pub rows: Option<u64>,
    /// Objects.
    #[prost(uint64, optional, tag = "3")]
    pub objects: Option<u64>,
    /// Deletions.
    #[prost(uint64, optional, tag = "4")]
    pub deletes: Option<u64>,
    /// Requests.
    #[prost(uint64, optional, tag = "5")]
    pub requests: Option<u64>,
    /// Seconds since the session was made.
    #[prost(uint64, optional, tag = "6")]
    pub seconds: Option<u64>,
}

impl SessionBudget {
    /// The bound of a measure.
    #[must_use]
    pub const fn of(&self, measure: Measure) -> Option<u64> {
        match measure {
            Measure::Bytes => self.bytes,
            Measure::Rows => self.rows,
            Measure::Objects => self.objects,
            Measure::Deletes => self.deletes,
            Measure::Requests => self.requests,
            Measure::Seconds => self.seconds,
        }
    }

    /// Sets the bound of a measure.
    pub const fn set(&mut self, measure: Measure, bound: u64) {
        let field = match measure {
            Measure::Bytes => &mut self.bytes,
            Measure::Rows => &mut self.rows,
            Measure::Objects => &mut self.objects,
            Measure::Deletes => &mut self.deletes,
            Measure::Requests => &mut self.requests,
            Measure::Seconds => &mut self.seconds,
        };
        *field = Some(bound);
    }

    /// Whether it bounds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads `bytes=1000000 requests=500`.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            let names = Measure::ALL.map(Measure::as_str).join(", ");
            Error::invalid(format!(
                "a budget is NAME=NUMBER with spaces between them, of {names}"
            ))
        };
        let mut out = Self::default();
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong());
        }
        for word in text.split_ascii_whitespace() {
            let (name, bound) = word.split_once('=').ok_or_else(wrong)?;
            let measure = Measure::ALL
                .into_iter()
                .find(|m| m.as_str() == name)
                .ok_or_else(wrong)?;
            if out.of(measure).is_some() {
                return Err(wrong());
            }
            out.set(measure, bound.parse().map_err(|_| wrong())?);
        }
        Ok(out)
    }
}

impl fmt::Display for SessionBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bounds = Measure::ALL.into_iter().filter_map(|m| Some((m, self.of(m)?)));
        for (n, (measure, bound)) in bounds.enumerate() {
            let space = if n > 0 { " " } else { "" };
            write!(f, "{space}{}={bound}", measure.as_str())?;
        }
        Ok(())
    }
}

/// The budget of one of the sessions that count for a session.
#[derive(Clone)]
pub(crate) struct BudgetOf {
    pub(crate) id: Arc<str>,
    pub(crate) since: Timestamp,
    pub(crate) limits: SessionBudget,
}

/// A budget and what was used of it.
struct Meter {
    limits: SessionBudget,
    since: Timestamp,
    used: Moved,
}

impl Meter {
    fn used(&self, measure: Measure, now: Timestamp) -> u64 {
        match measure {
            Measure::Seconds => now.since(self.since).as_secs(),
            counted => self.used.spent(counted),
        }
    }

    fn is_over_time(&self, now: Timestamp) -> bool {
        let end = self.limits.seconds.map(Duration::from_secs);
        end.is_some_and(|seconds| now >= self.since.plus(seconds))
    }
}

/// What a request of a session with a budget can use up, once it was asked about; and which operation of it waits for an approval.
#[derive(Clone, Default)]
pub struct Purse(Arc<Slots>);

#[derive(Default)]
struct Slots {
    meters: OnceLock<Vec<Meter>>,
    pending: OnceLock<Box<str>>,
}

impl fmt::Debug for Purse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Purse").finish_non_exhaustive()
    }
}

impl Purse {
    /// What is left, the least of all budgets that count; `None` without any.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Option<SessionBudget> {
        let meters = self.0.meters.get();
        meters
            .filter(|meters| !meters.is_empty())
            .map(|meters| left(meters, now))
    }

    /// The id of the operation that waits, if one does; the first, if several do.
    #[must_use]
    pub fn pending(&self) -> Option<&str> {
        self.0.pending.get().map(|id| &**id)
    }

    pub(crate) fn note_pending(&self, id: &str) {
        self.0.pending.get_or_init(|| id.into());
    }
}

fn left(meters: &[Meter], now: Timestamp) -> SessionBudget {
    let mut out = SessionBudget::default();
    for measure in Measure::ALL {
        let of = |meter: &Meter| Some(meter.limits.of(measure)?.saturating_sub(meter.used(measure, now)));
        if let Some(least) = meters.iter().filter_map(of).min() {
            out.set(measure, least);
        }
    }
    out
}

/// How a session's budget stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetState {
    /// Its own bounds.
    pub limits: SessionBudget,
    /// What it and those made from it have used.
    pub used: SessionBudget,
    /// What is left to it, also by the budgets of those that it was made from.
    pub left: SessionBudget,
}

fn exceeded(measure: Measure, limit: u64) -> Error {
    let text = format!("the session's budget of {limit} {} is used up", measure.as_str());
    Error::new(ErrorKind::Busy, BUDGET_EXCEEDED, text)
}

impl Inner {
    /// The budgets that count for a session; none for most.
    fn meters<'s>(&self, session: &'s Session) -> &'s [Meter] {
        let Some(facts) = session.facts().filter(|facts| !facts.budgets.is_empty()) else {
            return &[];
        };
        session
            .origin()
            .purse
            .0
            .meters
            .get_or_init(|| self.meters_of(&facts.budgets))
    }

    fn meters_of(&self, budgets: &[BudgetOf]) -> Vec<Meter> {
        let meter = |of: &BudgetOf| Meter {
            limits: of.limits,
            since: of.since,
            used: self.guards.tally.of_session(&self.store, &of.id),
        };
        budgets.iter().map(meter).collect()
    }

    /// Takes so much of every budget that counts for a session, or of none.
    ///
    /// # Errors
    /// `Busy`, [`BUDGET_EXCEEDED`].
    pub(crate) fn spend(&self, session: &Session, measure: Measure, amount: u64) -> Result<()> {
        let meters = self.meters(session);
        for (n, meter) in meters.iter().enumerate() {
            let limit = meter.limits.of(measure).unwrap_or(u64::MAX);
            if !meter.used.spend(measure, amount, limit) {
                meters
                    .iter()
                    .take(n)
                    .for_each(|before| before.used.give_back(measure, amount));
                return Err(exceeded(measure, limit));
            }
        }
        Ok(())
    }

    /// Takes what a request takes by being one, the first time that it asks.
    pub(crate) fn spend_request(&self, session: &Session, is_first: bool) -> Result<()> {
        let now = self.clock.now();
        for meter in self.meters(session) {
            if meter.is_over_time(now) {
                return Err(exceeded(
                    Measure::Seconds,
                    meter.limits.seconds.unwrap_or_default(),
                ));
            }
        }
        self.spend(session, Measure::Requests, u64::from(is_first))
    }

    /// Takes what an ask that was allowed takes: an object, a deletion. And is there anything left to read?
    pub(crate) fn spend_ask(&self, session: &Session, ask: &Ask) -> Result<()> {
        let meters = self.meters(session);
        if meters.is_empty() {
            return Ok(());
        }
        if ask.actions.iter().any(|action| ANSWERS.contains(action)) {
            // Said before the answer begins, and not in its midst.
            let used_up = |meter: &Meter| {
                Some(meter.used.spent(Measure::Rows)) >= meter.limits.rows && meter.limits.rows.is_some()
            };
            if let Some(meter) = meters.iter().find(|meter| used_up(meter)) {
                return Err(exceeded(Measure::Rows, meter.limits.rows.unwrap_or_default()));
            }
        }
        let deletes = |action: &&str| {
            action
                .split_once(':')
                .is_some_and(|(_, name)| name.starts_with("Delete"))
        };
        if ask.actions.iter().any(deletes) {
            return self.spend(session, Measure::Deletes, 1);
        }
        if !matches!(ask.resource, ResourcePath::Object(..)) {
            return Ok(());
        }
        self.spend(session, Measure::Objects, 1)
    }
}

impl Gate {
    /// Takes rows of an answer from what is left of a session's budgets, before they are given out.
    ///
    /// # Errors
    /// `Busy`, [`BUDGET_EXCEEDED`].
    pub fn spend_rows(&self, session: &Session, rows: u64) -> Result<()> {
        self.inner.spend(session, Measure::Rows, rows)
    }

    /// How the budget of a session stands: one's own, or any with `craton:ListSessions`.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn session_budget(&self, session: &Session, id: &str) -> Result<BudgetState> {
        let ask = Ask::new("GetSessionBudget", "craton:ListSessions", path(id));
        let _permit = match session.session_id() == Some(id) {
            true => self.read_decided(session, ask, Verdicts::always())?,
            false => self.read(session, ask).await?,
        };
        self.inner.budget_state(id)?.ok_or_else(|| no_session(id))
    }

    /// Sets the budget of a session; what it has used so far counts.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchEntity`; `Denied`.
    pub async fn set_session_budget(&self, session: &Session, id: &str, budget: SessionBudget) -> Result<()> {
        let ask = Ask::new("SetSessionBudget", "craton:SetSessionBudget", path(id));
        let permit = self.write(session, ask).await?;
        let key = session_key(id);
        let stored = self.inner.store.get(&key, Sequence::MAX)?;
        let stored = stored.ok_or_else(|| no_session(id))?;
        let record = SessionRecord {
            budget: Some(budget).filter(|budget| !budget.is_empty()),
            ..SessionRecord::from_stored(&stored)?
        };
        let mut transaction = Transaction::default();
        transaction.preconditions.push(Precondition::Present(key.clone()));
        transaction.puts.push((key, stored_value(&record)));
        permit.commit_transaction(transaction).await.map(drop)
    }
}

impl Inner {
    /// How the budget of a session stands; `None` if there is no such session.
    pub(crate) fn budget_state(&self, id: &str) -> Result<Option<BudgetState>> {
        let Some(found) = self.directory.credential(&self.store, id)? else {
            return Ok(None);
        };
        let Some(facts) = &found.identity.session else {
            return Ok(None);
        };
        let now = self.clock.now();
        let meters = self.meters_of(&facts.budgets);
        let own = facts.budgets.iter().zip(&meters).find(|(of, _)| *of.id == *id);
        let mut used = SessionBudget::default();
        if let Some((_, meter)) = own {
            Measure::ALL
                .into_iter()
                .for_each(|m| used.set(m, meter.used(m, now)));
        }
        Ok(Some(BudgetState {
            limits: own.map(|(of, _)| of.limits).unwrap_or_default(),
            used,
            left: left(&meters, now),
        }))
    }
}

fn path(id: &str) -> ResourcePath {
    ResourcePath::System(format!("sessions/{id}"))
}

#[cfg(test)]
mod tests;
