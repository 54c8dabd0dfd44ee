//! Start and end of the ledger.
//!
//! ```text
//! the last start …                     what may be missing          what is recorded
//! ended with `close`                   nothing                      start
//! did not, same kernel run             nothing that was answered,   start
//!                                      outcomes of 20 ms
//! did not, another kernel run          reads since the last flush   gap, start
//! its journal is torn or shorter       reads since the last flush   gap, start
//!   than what is integrated
//! ```
//!
//! Invariant LG-5: before a start takes its first record, everything that earlier starts left is integrated, and one
//! commit has counted the start and recorded what may be missing.
//!
//! A torn journal is one whose end is cut, as a power cut leaves it; one that is damaged in its middle is
//! not, and the ledger does not open.

use std::sync::{Arc, atomic::AtomicU64};

use craton_base::{Error, Result, Sequence, random};
use parking_lot::Mutex;

use super::{
    Core, Ledger, LedgerParts, NOTE_EVERY, Salts,
    envelope::Boot,
    follow::Following,
    integrate::{Progress, definitions},
    kinds::{RecordKind, Verdict},
    log::Log,
    make_root, parcel,
    reader::Reader,
    record::Record,
    signer_of,
    subjects::Subjects,
    tree::Tree,
    values::{State, Values},
};

/// The principal of the records about the system itself. It is not a user's name: those have no spaces.
pub(super) const SYSTEM: &str = "the system";

/// How the last start ended.
struct Before {
    first: bool,
    clean: bool,
    same_kernel: bool,
    torn: bool,
    journal_lost: bool,
}

impl Ledger {
    /// Opens the ledger of a namespace, or makes it, and integrates what the last start left.
    ///
    /// # Errors
    /// `Corrupt` if what is stored does not verify; the engine's and the disk's own.
    pub fn open(parts: LedgerParts) -> Result<Self> {
        let values = Values::new(Arc::clone(&parts.namespace), &parts.key)?;
        let found = values.state()?;
        let root = match (values.root()?, &found) {
            (Some(root), Some(_)) => root,
            (None, None) => make_root(&*parts.random)?,
            _ => return Err(Error::corrupt("the ledger's root or its state is missing")),
        };
        let (state, at) = found.unwrap_or_default();
        let tree = Tree::load(&values, state.size)?;
        let reader = Reader::new(values, &parts.key, &root)?;
        if at != Sequence(0) {
            check_edge(&reader, &tree)?;
        }
        let boot = Boot {
            number: state.boot.saturating_add(1),
            tag: random::bytes(&*parts.random)?,
        };
        let before = Before {
            first: at == Sequence(0),
            clean: state.clean,
            same_kernel: !state.kernel_boot_id.is_empty() && state.kernel_boot_id == parts.kernel_boot_id,
            torn: parts.journal.torn(),
            journal_lost: parts.journal.end() < state.journal,
        };
        let subjects = Subjects::new(reader.keys.clone(), Arc::clone(&parts.random), boot);
        let core = Core {
            subjects,
            log: Log::new(parts.journal, Arc::clone(&parts.clock)),
            committer: parts.committer,
            signer: signer_of(&root)?,
            clock: parts.clock,
            random: parts.random,
            boot,
            counter: AtomicU64::new(0),
            salts: Mutex::new(Salts::new()),
            progress: Mutex::new(Progress {
                tree,
                state,
                at,
                recovering: true,
            }),
            following: Following::default(),
            reader,
        };
        core.begin(&before, &root, parts.kernel_boot_id)?;
        Ok(Self(Arc::new(core)))
    }

    /// Ends the ledger: takes no more records, integrates what there is, and notes that nothing is missing.
    ///
    /// # Errors
    /// `Unavailable`, `LedgerUnavailable`: then the next start finds an unclean end.
    pub fn close(&self) -> Result<()> {
        let core = &*self.0;
        let mut progress = core.progress.lock();
        let mut record = core.system_record("Stop", String::new());
        core.log.append(core.seal(&mut record)?)?;
        core.integrate_all(&mut progress)?;
        core.log.close();
        let mut state = progress.state.clone();
        state.clean = true;
        core.commit(&mut progress, state, std::iter::empty(), vec![])
    }
}

impl Core {
    fn begin(&self, before: &Before, root: &super::values::Root, kernel_boot_id: String) -> Result<()> {
        let mut progress = self.progress.lock();
        if before.journal_lost {
            progress.state.journal = self.log.journal().end();
        }
        if !before.first {
            self.integrate_all(&mut progress)?;
        }
        progress.recovering = false;
        let now = self.clock.now().micros();
        let mut state = progress.state.clone();
        let mut records = Vec::new();
        if before.may_miss_reads() {
            let mut gap = self.system_record("Gap", before.in_words());
            gap.kind = RecordKind::Gap.into();
            gap.gap_since_micros = state.complete_until_micros;
            gap.gap_until_micros = now;
            records.push(gap);
        }
        records.push(self.system_record("Start", before.in_words()));
        let parcels: Vec<_> = records
            .iter_mut()
            .map(|record| self.seal(record).and_then(|bytes| parcel::read(&bytes)))
            .collect::<Result<_>>()?;
        let definitions = definitions(&parcels);
        let mut changes = Vec::new();
        for new in &definitions {
            changes.extend(self.reader.keys.define(new, &*self.random)?);
        }
        if before.first {
            changes.push(self.reader.values.put_root(root, &*self.random)?);
            state.journal = self.log.journal().end();
        }
        state.boot = self.boot.number;
        state.boot_tag = u64::from_be_bytes(self.boot.tag);
        state.clean = false;
        state.kernel_boot_id = kernel_boot_id;
        state.complete_until_micros = now;
        let envelopes = parcels.iter().map(|parcel| parcel.envelope.as_slice());
        self.commit(&mut progress, state, envelopes, changes)?;
        self.subjects.committed(&definitions);
        Ok(())
    }

    fn system_record(&self, operation: &str, detail: String) -> Record {
        let mut record = Record::of(RecordKind::System);
        record.principal = SYSTEM.to_owned();
        record.operation = operation.to_owned();
        record.verdict = Verdict::None.into();
        record.detail = detail;
        record
    }

    /// Notes now and then that everything up to now is durable, so that a power cut after a long quiet time
    /// does not make the whole quiet time doubtful.
    pub(super) fn note_whole(&self, progress: &mut Progress) -> Result<()> {
        let until = self.log.complete_until();
        let noted = progress.state.complete_until_micros;
        if u128::from(until.saturating_sub(noted)) < NOTE_EVERY.as_micros() {
            return Ok(());
        }
        let mut state: State = progress.state.clone();
        state.complete_until_micros = until;
        self.commit(progress, state, std::iter::empty(), vec![])
    }
}

impl Before {
    fn may_miss_reads(&self) -> bool {
        let power_cut = !self.first && !self.clean && !self.same_kernel;
        power_cut || self.torn || self.journal_lost
    }

    fn in_words(&self) -> String {
        let mut out = match (self.first, self.clean, self.same_kernel) {
            (true, ..) => "the first start",
            (_, true, _) => "after a clean stop",
            (_, _, true) => "after the process was killed: outcomes of the last 20 ms before may be missing",
            _ => "after a power cut or a restart of the machine: records of reads may be missing",
        }
        .to_owned();
        if self.torn {
            out.push_str("; the end of the journal is torn");
        }
        if self.journal_lost {
            out.push_str("; the journal is shorter than what was integrated from it");
        }
        out
    }
}

/// The checkpoint that was signed is of the tree whose right edge was read.
fn check_edge(reader: &Reader, tree: &Tree) -> Result<()> {
    let (_, checkpoint) = reader.checkpoint()?;
    match checkpoint.size == tree.size && checkpoint.root == tree.root() {
        true => Ok(()),
        false => Err(Error::corrupt("the ledger's checkpoint is not of its tree")),
    }
}
