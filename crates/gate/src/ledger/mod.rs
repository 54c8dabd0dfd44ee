//! The ledger: what was asked, what was decided, how it ended.
//!
//! ```text
//! reads, denials, outcomes ──▶ journal ──┐                      ┌─▶ bundles of sealed records
//! writes ──▶ pending entry, in the       ├─▶ round, one commit ─┼─▶ tiles of hashes
//!            write's own commit ─────────┘                      └─▶ signed checkpoint
//! ```
//!
//! An RFC 6962 Merkle log in C2SP tlog-tiles form. What it holds against whom is in `docs/ledger.md`, its bytes and
//! the crash argument in `docs/formats.md`.
//!
//! Invariants: LG-1 and LG-2 in [`log`], LG-3 and LG-4 in [`integrate`], LG-5 in [`start`]; the ledger that can not
//! write refuses everything with `Unavailable`, `LedgerUnavailable`; memory is bounded by constants.
//!
//! Deliberately absent: who decides what, and what a request is.

mod envelope;
mod follow;
mod integrate;
mod journal;
mod kinds;
mod list;
mod log;
mod opener;
mod parcel;
mod reader;
mod receipt;
mod record;
mod start;
mod subjects;
mod tree;
mod values;
mod verify;
mod workers;

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Clock, Error, Random, Result, random};
use craton_crypto::{
    SealKey,
    note::{
        Signer,
        envelope::{self as statements, Signature},
    },
};
use craton_store::namespace::{Batch, Change, Kind, Namespace, committer::Committer};
use parking_lot::Mutex;

pub(crate) use follow::place;
pub use follow::{Followed, Follower};
pub use integrate::Integrated;
pub use journal::RecordJournal;
pub use kinds::{Effect, RecordKind, Verdict};
pub use list::{Filter, LIST_MAX, Listing};
pub use reader::{Entry, Reader};
pub use receipt::{Receipt, verify_receipt};
pub use record::{
    ANONYMOUS, CHAIN_MAX, RECORD_BYTES_MAX, RESOURCE_BYTES_MAX, Record, RecordId, RecordedFact,
    STATEMENTS_MAX, TEXT_BYTES_MAX,
};
pub use verify::{Verified, VerifyOptions};
pub use workers::Workers;

use crate::switches;

use envelope::Boot;
use follow::Following;
use integrate::Progress;
use log::Log;
use subjects::Subjects;

/// How long outcomes wait for company before they leave the process.
const OUTCOME_WAIT: Duration = Duration::from_millis(20);
/// How long records wait for company before they are flushed.
const FLUSH_WAIT: Duration = Duration::from_millis(40);
/// How often the integrator runs.
const INTEGRATE_EVERY: Duration = Duration::from_millis(100);
/// How often an idle ledger notes that nothing is missing so far: what a power cut makes it doubt is not longer.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// What a ledger is made of.
pub struct LedgerParts {
    /// Where the tree, the keys of subjects and pending records are.
    pub namespace: Arc<dyn Namespace>,
    /// The namespace's group commit.
    pub committer: Arc<Committer>,
    /// Where records of reads go first.
    pub journal: Arc<dyn RecordJournal>,
    /// The ledger's key; everything of the ledger is sealed under keys derived from it.
    pub key: SealKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Which run of the operating system's kernel this is: tells a killed process from a power cut. Empty if it is not
    /// known: then every unclean end counts as a power cut.
    pub kernel_boot_id: String,
}

/// The ledger. Clones are the same one.
#[derive(Clone)]
pub struct Ledger(Arc<Core>);

struct Core {
    reader: Reader,
    subjects: Subjects,
    log: Log,
    committer: Arc<Committer>,
    signer: Signer,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    boot: Boot,
    counter: AtomicU64,
    salts: Mutex<Salts>,
    progress: Mutex<Progress>,
    following: Following,
}

impl Ledger {
    /// Signs a statement with the key that signs checkpoints.
    ///
    /// # Errors
    /// `Internal`.
    pub fn sign(&self, kind: &str, statement: &[u8]) -> Result<Signature> {
        statements::sign(&self.0.signer, kind, statement)
    }

    /// Records a read that was allowed. When it returns, the record has left the process. Sets the record's id
    /// and time.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`; `TooLarge`, `RecordTooLarge`; `Busy` if the ledger is far behind.
    pub fn append_decision(&self, record: &mut Record) -> Result<RecordId> {
        if switches::left_out("ledger") {
            return Ok(record.id());
        }
        let parcel = self.0.seal(record)?;
        self.0.log.append(parcel)?;
        Ok(record.id())
    }

    /// Records a denial; as [`Ledger::append_decision`].
    ///
    /// # Errors
    /// As [`Ledger::append_decision`].
    pub fn append_denial(&self, record: &mut Record) -> Result<RecordId> {
        self.append_decision(record)
    }

    /// Records how a request ended. The record leaves the process with the next append, or within 20 ms.
    ///
    /// # Errors
    /// As [`Ledger::append_decision`].
    pub fn append_outcome(&self, record: &mut Record) -> Result<RecordId> {
        if switches::left_out("ledger") {
            return Ok(record.id());
        }
        let parcel = self.0.seal(record)?;
        self.0.log.defer(parcel)?;
        Ok(record.id())
    }

    /// Waits until everything that left the process before is durable: for buckets that are `strict`.
    /// Many wait for one flush.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`.
    pub async fn sync(&self) -> Result<()> {
        self.0.log.check()?;
        self.0.log.synced(self.0.log.newest()).await
    }

    /// The change that puts a write's record into the write's own commit. Sets the record's id and time.
    ///
    /// # Errors
    /// As [`Ledger::append_decision`].
    pub fn write_change(&self, record: &mut Record) -> Result<Change> {
        self.0.log.check()?;
        let mut parcel = self.0.seal(record)?;
        parcel::stamp(&mut parcel, record.time_micros);
        let key = values::key(Kind::LedgerPending, &record.id().to_bytes());
        Ok(Change::Put(key, parcel.into()))
    }

    /// Whether the ledger takes records.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`.
    pub fn check(&self) -> Result<()> {
        self.0.log.check()
    }

    /// Makes durable what was accepted so far, outcomes included; for callers that are not async.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`.
    pub fn flush(&self) -> Result<()> {
        self.0.log.sync()
    }

    /// Moves into the tree what was recorded so far. Blocks on the disk.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`.
    pub fn integrate(&self) -> Result<Integrated> {
        self.0.integrate_all(&mut self.0.progress.lock())
    }

    /// Gives the records of runs to `follower` from here on, as they enter the tree.
    pub(crate) fn follow(&self, follower: Weak<dyn Follower>) {
        self.0.following.set(follower);
    }

    /// What can be read of the ledger. It does not see records that are not integrated.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// The record with an id, newest records included; `None` if its subject was erased.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`; `Corrupt`.
    pub fn explain_id(&self, id: RecordId) -> Result<Option<Record>> {
        self.integrate()?;
        Ok(self.0.reader.find(id)?.record)
    }

    /// Forgets a principal: deletes the key of its records. The ledger still verifies, and says that a
    /// subject was erased, not which. A principal of that name that acts later is a new subject. Gives how many
    /// subjects were erased: none if nothing was ever recorded about the principal.
    ///
    /// # Errors
    /// `Unavailable`; `Corrupt`.
    pub fn erase_subject(&self, principal: &str) -> Result<usize> {
        let mut progress = self.0.progress.lock();
        self.0.integrate_all(&mut progress)?;
        let mut erasing = self.0.subjects.erasing();
        let (ids, changes) = erasing.of(principal)?;
        if !ids.is_empty() {
            let batch = Batch {
                preconditions: vec![],
                changes,
            };
            self.0.committer.commit_blocking(batch)?;
        }
        erasing.done(principal);
        drop(progress);
        for id in &ids {
            self.0.reader.opener.forget(id);
            let mut record = Record::of(RecordKind::System);
            record.principal = start::SYSTEM.to_owned();
            record.operation = "EraseSubject".to_owned();
            record.detail = hex::encode(id);
            self.append_decision(&mut record)?;
        }
        Ok(ids.len())
    }
}

impl Core {
    /// Gives a record its id and time, and seals it.
    fn seal(&self, record: &mut Record) -> Result<Vec<u8>> {
        let subject = self.subjects.of(record.subject())?;
        record.boot = self.boot.number;
        record.counter = self.counter.fetch_add(1, Ordering::Relaxed);
        record.time_micros = self.clock.now().micros();
        let salt = self.salts.lock().take(&*self.random)?;
        let mut parcel = parcel::begin(subject.definition.as_ref());
        envelope::seal(record, subject.id, self.boot.tag, &subject.key, salt, &mut parcel)?;
        Ok(parcel)
    }
}

/// Random salts, drawn many at a time.
struct Salts {
    drawn: [[u8; envelope::SALT]; 64],
    left: usize,
}

impl Salts {
    const fn new() -> Self {
        Self {
            drawn: [[0; envelope::SALT]; 64],
            left: 0,
        }
    }

    fn take(&mut self, random: &dyn Random) -> Result<[u8; envelope::SALT]> {
        if self.left == 0 {
            random.fill(self.drawn.as_flattened_mut())?;
            self.left = self.drawn.len();
        }
        self.left -= 1;
        // Taken out: a salt that is used stays nowhere in memory.
        let salt = self
            .drawn
            .get_mut(self.left)
            .ok_or_else(|| Error::internal("no salt is left"))?;
        Ok(std::mem::take(salt))
    }
}

/// The key that signs checkpoints.
fn signer_of(root: &values::Root) -> Result<Signer> {
    let seed =
        SealKey::from_slice(&root.seed).map_err(|_| Error::corrupt("the ledger's signing key is cut"))?;
    Signer::new(&format!("craton/{}", root.instance), &seed)
}

/// A new root.
fn make_root(random: &dyn Random) -> Result<values::Root> {
    let instance = hex::encode(random::bytes::<16>(random)?);
    Ok(values::Root {
        instance,
        seed: SealKey::generate(random)?.expose().to_vec(),
    })
}

#[cfg(test)]
mod tests;
