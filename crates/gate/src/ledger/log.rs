//! The way of a record out of the process: sealed, then one write to the journal, then a flush that
//! many share.
//!
//! Invariants
//! - LG-1: when [`Log::append`] returns, the record has left the process; when [`Log::synced`] does, it is durable;
//! - LG-2: after a failed append or flush nothing is accepted any more: a record may be half there, and only
//!   a new start finds out;
//! - outcomes wait in memory for the next append, at most [`OUTCOMES_MAX`] of them.
//!
//! Deliberately absent: what happens to records afterwards (`integrate`).

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use craton_base::{Clock, Error, Kind, Result};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::{journal::RecordJournal, parcel};

/// The most outcomes that wait in memory; one more makes them leave.
const OUTCOMES_MAX: usize = 128;
/// The most bytes of records that wait for the integrator; beyond, requests are refused until it has caught up.
const BACKLOG_BYTES_MAX: u64 = 1 << 30;

/// The most bytes of records that are kept in memory for the integrator; it reads the others from the journal.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// What is known to be durable.
#[derive(Clone, Copy, Default)]
struct Durable {
    /// Records before this position.
    end: u64,
    broken: bool,
}

#[derive(Default)]
struct Front {
    outcomes: Vec<Vec<u8>>,
    /// The position after the last record that has left the process.
    end: u64,
    kept: Kept,
}

/// Records that the integrator will want, so that it need not read the journal: neighbours, the first at `first`.
#[derive(Default)]
struct Kept {
    first: u64,
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether a record was left out after the last: then none is kept until those here are taken.
    full: bool,
}

impl Kept {
    fn push(&mut self, position: u64, record: Vec<u8>) {
        self.full |= self.bytes.saturating_add(record.len()) > KEPT_BYTES_MAX;
        if self.full {
            return;
        }
        if self.records.is_empty() {
            self.first = position;
        }
        self.bytes = self.bytes.saturating_add(record.len());
        self.records.push_back(record);
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let record = self.records.pop_front();
        match &record {
            Some(record) => {
                self.first = self.first.saturating_add(1);
                self.bytes = self.bytes.saturating_sub(record.len());
            }
            None => self.full = false,
        }
        record
    }

    /// Takes records from `from` up to `end`, about `bytes` of them; none if `from` is not here.
    fn take(&mut self, from: u64, end: u64, bytes: usize) -> Vec<Vec<u8>> {
        while self.first < from && self.pop().is_some() {}
        let mut out = Vec::new();
        let mut taken = 0usize;
        while self.first == from.saturating_add(out.len() as u64) && self.first < end && taken < bytes {
            let Some(record) = self.pop() else { break };
            taken = taken.saturating_add(record.len());
            out.push(record);
        }
        if self.records.is_empty() {
            self.full = false;
        }
        out
    }
}

/// Wakes the flusher.
#[derive(Default)]
struct Wake {
    work: bool,
    now: bool,
    stop: bool,
}

/// The journal with what waits before it.
pub(super) struct Log {
    journal: Arc<dyn RecordJournal>,
    clock: Arc<dyn Clock>,
    front: Mutex<Front>,
    syncing: Mutex<()>,
    durable: watch::Sender<Durable>,
    broken: AtomicBool,
    /// Bytes of records that wait for the integrator.
    backlog: AtomicU64,
    /// When everything that was logged before is durable, in microseconds since the epoch.
    complete_until: AtomicU64,
    wake: Mutex<Wake>,
    woken: Condvar,
    flusher: AtomicBool,
}

/// What the flusher is to do next.
pub(super) enum Next {
    /// Let the outcomes out, flush, and ask again.
    Flush,
    /// End.
    Stop,
}

impl Log {
    pub(super) fn new(journal: Arc<dyn RecordJournal>, clock: Arc<dyn Clock>) -> Self {
        let end = journal.end();
        Self {
            journal,
            clock,
            front: Mutex::new(Front {
                end,
                ..Front::default()
            }),
            syncing: Mutex::default(),
            // What an earlier start left was found in the journal; it may not be durable yet.
            durable: watch::Sender::new(Durable::default()),
            broken: AtomicBool::new(false),
            backlog: AtomicU64::new(0),
            complete_until: AtomicU64::new(0),
            wake: Mutex::default(),
            woken: Condvar::new(),
            flusher: AtomicBool::new(false),
        }
    }

    pub(super) fn journal(&self) -> &dyn RecordJournal {
        &*self.journal
    }

    /// Fails if something failed before.
    pub(super) fn check(&self) -> Result<()> {
        match self.broken.load(Ordering::Acquire) {
            true => Err(unavailable()),
            false => Ok(()),
        }
    }

    /// Refuses everything from now on, and says why in the log of the process.
    pub(super) fn break_down(&self, what: &str, error: Error) -> Error {
        if !self.broken.swap(true, Ordering::AcqRel) {
            tracing::error!(%error, reason = error.reason(), "the ledger stops: {what}");
        }
        self.durable.send_modify(|durable| durable.broken = true);
        unavailable().with_source(error)
    }

    /// Refuses everything from now on, because the ledger is being closed.
    pub(super) fn close(&self) {
        self.broken.store(true, Ordering::Release);
        self.durable.send_modify(|durable| durable.broken = true);
    }

    /// Says that the integrator has taken some bytes of records.
    pub(super) fn integrated(&self, bytes: u64) {
        let less = |backlog: u64| Some(backlog.saturating_sub(bytes));
        // The closure never refuses.
        let _ = self
            .backlog
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }

    fn accept(&self, front: &mut Front, mut parcel: Vec<u8>) -> Result<()> {
        // Looked at under the lock: nothing follows a failed append.
        self.check()?;
        let before = self.backlog.fetch_add(parcel.len() as u64, Ordering::AcqRel);
        if before > BACKLOG_BYTES_MAX {
            self.integrated(parcel.len() as u64);
            return Err(Error::new(
                Kind::Busy,
                "LedgerBehind",
                "too many records wait for the ledger's tree",
            ));
        }
        parcel::stamp(&mut parcel, self.clock.now().micros());
        front.outcomes.push(parcel);
        Ok(())
    }

    /// The position after the newest record that has left the process, for [`Log::synced`].
    pub(super) fn newest(&self) -> u64 {
        self.front.lock().end
    }

    /// The position up to which records are durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.borrow().end
    }

    /// Gives `each` the durable records from position `from` on, about `bytes` of them. Returns the position after
    /// the last.
    pub(super) fn take(
        &self,
        from: u64,
        bytes: usize,
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        let end = self.durable();
        let kept = self.front.lock().kept.take(from, end, bytes);
        if !kept.is_empty() {
            kept.iter().try_for_each(|record| each(record))?;
            return Ok(from.saturating_add(kept.len() as u64));
        }
        match from < end {
            true => self.journal.read(from, end, bytes, each),
            false => Ok(from),
        }
    }

    /// Sends a parcel, and the outcomes that wait before it, out of the process.
    pub(super) fn append(&self, parcel: Vec<u8>) -> Result<()> {
        let mut front = self.front.lock();
        self.accept(&mut front, parcel)?;
        self.let_out(&mut front)?;
        drop(front);
        self.wake(false);
        Ok(())
    }

    /// Keeps a parcel for the next append or flush.
    pub(super) fn defer(&self, parcel: Vec<u8>) -> Result<()> {
        let mut front = self.front.lock();
        self.accept(&mut front, parcel)?;
        if front.outcomes.len() >= OUTCOMES_MAX {
            self.let_out(&mut front)?;
        }
        drop(front);
        self.wake(false);
        Ok(())
    }

    /// Gives the position after the last record that has left.
    fn let_out(&self, front: &mut Front) -> Result<u64> {
        if front.outcomes.is_empty() {
            return Ok(front.end);
        }
        let records: Vec<&[u8]> = front.outcomes.iter().map(Vec::as_slice).collect();
        let first = self
            .journal
            .append(&records)
            .map_err(|e| self.break_down("the journal takes no more records", e))?;
        drop(records);
        let Front { outcomes, end, kept } = front;
        for (position, record) in (first..).zip(outcomes.drain(..)) {
            kept.push(position, record);
            *end = position.saturating_add(1);
        }
        Ok(*end)
    }

    /// Makes everything durable that was accepted before.
    pub(super) fn sync(&self) -> Result<()> {
        let _one = self.syncing.lock();
        let (end, until) = {
            let mut front = self.front.lock();
            self.check()?;
            (self.let_out(&mut front)?, self.clock.now().micros())
        };
        if self.durable() != end {
            self.journal
                .sync()
                .map_err(|e| self.break_down("the journal does not flush", e))?;
            self.durable.send_modify(|durable| durable.end = end);
        }
        self.complete_until.fetch_max(until, Ordering::AcqRel);
        Ok(())
    }

    /// Every record logged up to here is durable, in microseconds since the epoch; 0 if nothing is known.
    pub(super) fn complete_until(&self) -> u64 {
        self.complete_until.load(Ordering::Acquire)
    }

    /// Waits until the records before a position are durable; many wait for one flush.
    pub(super) async fn synced(&self, end: u64) -> Result<()> {
        if !self.flusher.load(Ordering::Acquire) {
            return self.sync();
        }
        let mut durable = self.durable.subscribe();
        self.wake(true);
        let reached = durable
            .wait_for(|durable| durable.broken || durable.end >= end)
            .await;
        match reached {
            Ok(durable) if durable.end >= end => Ok(()),
            _ => Err(unavailable()),
        }
    }

    fn wake(&self, now: bool) {
        let mut wake = self.wake.lock();
        if !wake.work || (now && !wake.now) {
            wake.work = true;
            wake.now |= now;
            self.woken.notify_all();
        }
    }

    /// Says that a flusher works, or no longer does.
    pub(super) fn set_flusher(&self, works: bool) {
        self.flusher.store(works, Ordering::Release);
    }

    /// For the flusher: waits until there is work, and then for more to join it, until it is urgent.
    pub(super) fn wait_for_work(&self) -> Next {
        let mut wake = self.wake.lock();
        while !wake.work && !wake.stop {
            self.woken.wait(&mut wake);
        }
        if !wake.now && !wake.stop {
            drop(wake);
            wake = self.gather();
        }
        let stop = wake.stop;
        wake.work = false;
        wake.now = false;
        drop(wake);
        match stop {
            true => Next::Stop,
            false => Next::Flush,
        }
    }

    /// Lets outcomes out after one step, and ends after the second.
    fn gather(&self) -> parking_lot::MutexGuard<'_, Wake> {
        let mut wake = self.wake.lock();
        self.woken
            .wait_while_for(&mut wake, |w| !w.now && !w.stop, super::OUTCOME_WAIT);
        if !wake.now && !wake.stop {
            drop(wake);
            let mut front = self.front.lock();
            // A failure has been noted; the flush that follows meets it.
            let _ = self.check().and_then(|()| self.let_out(&mut front));
            drop(front);
            wake = self.wake.lock();
            self.woken.wait_while_for(
                &mut wake,
                |w| !w.now && !w.stop,
                super::FLUSH_WAIT - super::OUTCOME_WAIT,
            );
        }
        wake
    }

    /// Ends the flusher.
    pub(super) fn stop_flusher(&self) {
        self.wake.lock().stop = true;
        self.woken.notify_all();
    }
}

fn unavailable() -> Error {
    Error::new(
        Kind::Unavailable,
        "LedgerUnavailable",
        "the ledger can not be written, so nothing is served; see the log of the server",
    )
}
