//! How an access ended, and how that comes into the ledger.
//!
//! A read's decision is recorded before its permit exists, and the outcome when the permit is dropped. A permit of
//! [`crate::Gate::read_once`] is made with nothing recorded: the decision is written when content begins to move, and if all of the
//! content is in memory then, one record says what was decided and how it ended.
//!
//! Invariant: a permit's decision has left the process before a byte of content is handed out, and before the permit is gone.
//! What a door says of an entry without its content (that there is none, its headers) waits for [`Ending::tell`].
//!
//! Deliberately absent: how records leave the process ([`crate::ledger`]).

use std::sync::Arc;

use craton_base::{Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_store::namespace::Kind;

use super::{Mode, Permit};
use crate::{
    budgets::Measure,
    ledger::{Record, RecordId, RecordKind},
    tables::id_of,
};

/// What the ledger has been told about an access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// Nothing, and it must be before anything is answered.
    Nothing,
    /// Nothing: the write's own commit tells.
    ByCommit,
    /// What was decided.
    Decision(RecordId),
    /// What was decided and how it ended.
    Whole(RecordId),
}

/// How the access went so far.
pub(crate) struct Outcome {
    /// As it stood when the decision was made; what is recorded later is made from it.
    pub(crate) record: Record,
    told: Told,
    version: u64,
    /// Of work: the version of the whole that it read.
    pub(crate) read_version: u64,
    bytes: u64,
    failed: Option<(ErrorKind, &'static str)>,
    closed: bool,
}

impl Outcome {
    pub(super) const fn new(told: Told, record: Record) -> Self {
        Self {
            record,
            told,
            version: 0,
            read_version: 0,
            bytes: 0,
            failed: None,
            closed: false,
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The record says how it ended: nothing more is to be told.
    pub(super) const fn close(&mut self) {
        self.closed = true;
    }

    fn fail(&mut self, kind: ErrorKind, reason: &'static str) {
        self.failed = Some((kind, reason));
        if matches!(self.told, Told::Whole(_)) {
            // It was said to have ended well.
            self.closed = false;
        }
    }
}

/// Says how an access ended after its engine has let go of the permit: a door's own refusal is an outcome too.
pub struct Ending(Arc<Permit>);

impl Ending {
    pub(super) const fn of(permit: Arc<Permit>) -> Self {
        Self(permit)
    }

    /// Notes a failure, if none was noted before.
    pub fn failed(&self, kind: ErrorKind, reason: &'static str) {
        let mut outcome = self.0.outcome.lock();
        if outcome.failed.is_none() {
            outcome.fail(kind, reason);
        }
    }

    /// Records what was decided and how it ended, if nothing is recorded yet: to be called before the answer goes out.
    ///
    /// # Errors
    /// `Unavailable` if it can not be recorded.
    pub fn tell(&self) -> Result<()> {
        self.0
            .tell()
            .inspect_err(|error| self.failed(error.kind(), error.reason()))
    }
}

impl Permit {
    /// Notes how the access ended, for the record: an engine's error is the outcome.
    pub fn failed(&self, kind: ErrorKind, reason: &'static str) {
        self.outcome.lock().fail(kind, reason);
    }

    /// Notes which version is read: of a table its row, and of a graph its facts, which every commit to it makes anew; not of the files and
    /// names that are read beside them.
    pub(super) fn found(&self, kind: Kind, version: Sequence) {
        let counts = match &self.resource {
            ResourcePath::Objects(..) if id_of(&self.resource).is_some() => kind == Kind::Table,
            ResourcePath::Facts(..) => kind == Kind::Graph,
            _ => true,
        };
        if counts {
            self.reads(version);
        }
    }

    /// Notes which version is read, where the engine knows it from another permit.
    pub fn reads(&self, version: Sequence) {
        self.outcome.lock().version = version.0;
    }

    /// Takes rows of an answer from what is left of the session's budgets, before they are given out.
    ///
    /// # Errors
    /// `Busy`, [`crate::BUDGET_EXCEEDED`].
    pub fn spend_rows(&self, rows: u64) -> Result<()> {
        self.gate.spend(&self.session, Measure::Rows, rows)
    }

    /// Counts bytes that are about to be handed out, as far as the budgets of the session go.
    pub(super) fn spend(&self, bytes: u64) -> Result<()> {
        self.gate.spend(&self.session, Measure::Bytes, bytes)?;
        self.moved(bytes);
        Ok(())
    }

    pub(super) fn moved(&self, bytes: u64) {
        self.moved_so_far.add(bytes);
        let mut outcome = self.outcome.lock();
        outcome.bytes = outcome.bytes.saturating_add(bytes);
    }

    /// Records what was decided, if that is not recorded yet; the outcome will follow.
    pub(super) fn tell_decision(&self) -> Result<()> {
        let mut outcome = self.outcome.lock();
        if outcome.told == Told::Nothing {
            outcome.told = Told::Decision(self.gate.ledger.append_decision(&mut outcome.record)?);
        }
        Ok(())
    }

    /// Records what was decided and how it ended, in one record, if nothing is recorded yet.
    pub(super) fn tell(&self) -> Result<()> {
        let mut outcome = self.outcome.lock();
        if outcome.told != Told::Nothing {
            return Ok(());
        }
        let Outcome {
            record,
            version,
            bytes,
            failed,
            ..
        } = &mut *outcome;
        (record.version, record.bytes) = (*version, *bytes);
        self.end(record, *failed);
        outcome.told = Told::Whole(self.gate.ledger.append_decision(record)?);
        outcome.closed = true;
        Ok(())
    }

    /// The outcome's record, of a permit that is going; `None` if it was made already.
    fn close(&self) -> Option<Record> {
        let mut outcome = self.outcome.lock();
        if std::mem::replace(&mut outcome.closed, true) {
            return None;
        }
        let mut record = std::mem::take(&mut outcome.record);
        record.kind = RecordKind::Outcome.into();
        record.version = outcome.version;
        record.bytes = outcome.bytes;
        let (failed, told) = (outcome.failed, outcome.told);
        drop(outcome);
        self.describe(&mut record);
        self.end(&mut record, failed);
        if let Told::Decision(decision) | Told::Whole(decision) = told {
            record.refer_to(decision);
            // The decision says these already.
            record.statements.clear();
            record.action.clear();
            if matches!(told, Told::Decision(_)) {
                record.source_ip.clear();
            }
        }
        Some(record)
    }

    pub(crate) fn end(&self, record: &mut Record, failed: Option<(ErrorKind, &'static str)>) {
        let (result, reason) = failed.map_or(("ok", ""), |(kind, reason)| (kind.as_str(), reason));
        record.result = result.to_owned();
        record.reason = reason.to_owned();
        let took = self.now().since(self.session.origin().time).as_micros();
        record.duration_micros = u64::try_from(took).unwrap_or(u64::MAX);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let outcome = self.outcome.get_mut();
        if self.mode == Mode::Write && outcome.failed.is_none() && !outcome.closed {
            // A write that was given up: the client went away, or an engine returned early.
            outcome.failed = Some((ErrorKind::Invalid, "Abandoned"));
        }
        if let Err(error) = self.tell() {
            tracing::error!(reason = error.reason(), %error, "a read could not be recorded");
        }
        if let Some(record) = self.close() {
            self.gate.record_outcome(record);
        }
    }
}
