//! Moving records into the tree: rounds, each one commit.
//!
//! A round flushes the journal, takes records after the journal position of the last round and pending entries
//! of writes, orders them by time (then by id), appends their leaves, and commits together: what
//! changed of tiles and bundles, the signed checkpoint, the new state with the new journal position, the
//! removal of the pending entries, and new subjects' keys.
//!
//! Invariants
//! - LG-3: a record is in the tree exactly once: its place in the journal is passed, or its pending entry is
//!   removed, by the commit that adds its leaf;
//! - LG-4: the tree only grows, and every committed state has the checkpoint that signs its root;
//! - only flushed records are integrated, so the journal is never shorter than the position in the state;
//! - a round that fails stops the ledger: the next start begins from what is committed.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Result, Sequence};
use craton_crypto::note::checkpoint::Checkpoint;
use craton_store::namespace::{Batch, Change, Direction, Key, Kind, Precondition, Span};

use super::{
    Core,
    follow::Followed,
    parcel::{self, Parcel},
    record::{Record, RecordId},
    subjects::Definition,
    tree::{Tree, Written},
    values::{self, CHECKPOINT, STATE, State},
};
use crate::switches::left_out;

/// The most pending entries of a round.
const PENDING_MAX: usize = 4096;
/// About the most bytes that a round takes from the journal, and about the most from pending entries.
const ROUND_BYTES: usize = 2 << 20;

/// What the integrator goes on from; behind a lock, one round at a time.
pub(super) struct Progress {
    pub(super) tree: Tree,
    pub(super) state: State,
    /// The commit that wrote `state`; zero before the first.
    pub(super) at: Sequence,
    /// Whether what is integrated was left by an earlier start.
    pub(super) recovering: bool,
}

/// What a call of [`super::Ledger::integrate`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Integrated {
    /// Records added.
    pub records: u64,
    /// Leaves in the tree now.
    pub size: u64,
}

#[derive(Default)]
struct Round {
    parcels: Vec<Parcel>,
    pending: Vec<Key>,
    /// The commits that the pending entries were in.
    versions: HashMap<RecordId, Sequence>,
    /// The records of runs.
    of_runs: HashMap<RecordId, Record>,
    journal: u64,
    /// When the last record from the journal was logged: all that were logged before it are here.
    logged_micros: u64,
    /// Bytes taken from the journal.
    bytes: u64,
    more: bool,
}

impl Core {
    /// Runs rounds until everything is integrated that was there at the call.
    pub(super) fn integrate_all(&self, progress: &mut Progress) -> Result<Integrated> {
        let before = progress.tree.size;
        self.log.sync()?;
        let end = self.log.durable();
        loop {
            let round = self
                .take(&progress.state)
                .map_err(|e| self.log.break_down("records do not come back", e))?;
            let more = round.more || round.journal < end;
            if !round.parcels.is_empty() {
                self.finish_round(progress, round)?;
            }
            if !more {
                break;
            }
        }
        let size = progress.tree.size;
        Ok(Integrated {
            records: size.saturating_sub(before),
            size,
        })
    }

    /// The records of a round, ordered.
    fn take(&self, state: &State) -> Result<Round> {
        let mut round = Round::default();
        let Round {
            parcels,
            bytes,
            logged_micros,
            ..
        } = &mut round;
        let journal = self.log.take(state.journal, ROUND_BYTES, &mut |record| {
            let parcel = parcel::read(record)?;
            *logged_micros = parcel.logged_micros;
            *bytes = bytes.saturating_add(record.len() as u64);
            parcels.push(parcel);
            Ok(())
        })?;
        round.journal = journal;
        self.take_pending(&mut round)?;
        // Every record opens before it gets a leaf: what changed on its way is found now.
        for parcel in &round.parcels {
            let record = self.reader.verify_parcel(parcel)?;
            let is_followed = |record: &Record| record.run_name().is_some() && !left_out("lineage");
            if let Some(record) = record.filter(is_followed) {
                round.of_runs.insert(parcel.header.id(), record);
            }
        }
        round
            .parcels
            .sort_by_key(|parcel| (parcel.header.time_micros, parcel.header.id()));
        Ok(round)
    }

    fn take_pending(&self, round: &mut Round) -> Result<()> {
        let page = self.reader.values.namespace.scan(
            &pending_span(),
            Sequence::MAX,
            Direction::Forward,
            PENDING_MAX,
        )?;
        round.more |= page.more;
        let mut bytes = 0usize;
        for (key, entry) in page.entries {
            if bytes > ROUND_BYTES {
                round.more = true;
                break;
            }
            bytes = bytes.saturating_add(entry.value.len());
            let parcel = parcel::read_pending(&key.name, &entry.value)?;
            round.versions.insert(parcel.header.id(), entry.sequence);
            round.parcels.push(parcel);
            round.pending.push(key);
        }
        Ok(())
    }

    /// Appends the leaves of a round and commits it.
    fn finish_round(&self, progress: &mut Progress, mut round: Round) -> Result<()> {
        let from = progress.tree.size;
        let followed = round.followed(from);
        let mut state = progress.state.clone();
        state.journal = round.journal;
        // Before this start's own flushes, only the journal tells how far it is whole.
        let durable_until = match progress.recovering {
            true => round.logged_micros,
            false => self.log.complete_until(),
        };
        state.complete_until_micros = state.complete_until_micros.max(durable_until);
        let definitions = definitions(&round.parcels);
        let mut changes: Vec<Change> = round.pending.into_iter().map(Change::Delete).collect();
        for new in &definitions {
            changes.extend(self.reader.keys.define(new, &*self.random)?);
        }
        changes.extend(followed.iter().filter_map(Followed::place));
        let envelopes = round.parcels.iter().map(|parcel| parcel.envelope.as_slice());
        self.commit(progress, state, envelopes, changes)?;
        self.following.tell(from, followed, progress.tree.size);
        self.subjects.committed(&definitions);
        self.log.integrated(round.bytes);
        self.log
            .journal()
            .release(round.journal)
            .map_err(|e| self.log.break_down("old records are not released", e))
    }

    /// Commits a state together with new leaves. Any failure stops the ledger.
    pub(super) fn commit<'a>(
        &self,
        progress: &mut Progress,
        mut state: State,
        envelopes: impl Iterator<Item = &'a [u8]>,
        mut changes: Vec<Change>,
    ) -> Result<()> {
        let broken = |e| self.log.break_down("a round does not commit", e);
        let before = progress.tree.size;
        let mut written: Vec<Written> = Vec::new();
        for envelope in envelopes {
            progress.tree.append(envelope, &mut written).map_err(broken)?;
        }
        progress.tree.partial(before, &mut written);
        state.size = progress.tree.size;
        self.put_all(&progress.tree, &state, written, &mut changes)
            .map_err(broken)?;
        let state_key = values::key(Kind::Ledger, STATE.as_bytes());
        let precondition = match progress.at {
            Sequence(0) => Precondition::Absent(state_key),
            at => Precondition::At(state_key, at),
        };
        let batch = Batch {
            preconditions: vec![precondition],
            changes,
        };
        let committed = self.committer.commit_blocking(batch).map_err(broken)?;
        progress.at = committed.sequence;
        progress.state = state;
        Ok(())
    }

    fn put_all(
        &self,
        tree: &Tree,
        state: &State,
        written: Vec<Written>,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let (values, random) = (&self.reader.values, &*self.random);
        for (name, value) in written {
            changes.push(values.put(Kind::Ledger, name.as_bytes(), &value, random)?);
        }
        let checkpoint = Checkpoint {
            origin: self.reader.origin.clone(),
            size: tree.size,
            root: tree.root(),
            extensions: vec![],
        };
        let note = checkpoint.sign(&self.signer)?;
        changes.push(values.put(Kind::Ledger, CHECKPOINT.as_bytes(), note.as_bytes(), random)?);
        changes.push(values.put_state(state, random)?);
        Ok(())
    }
}

impl Round {
    /// The records of runs in the order of the tree, the first of whose new leaves is `from`.
    fn followed(&mut self, from: u64) -> Vec<Followed> {
        let mut out = Vec::with_capacity(self.of_runs.len());
        for (index, parcel) in (from..).zip(&self.parcels) {
            let id = parcel.header.id();
            out.extend(self.of_runs.remove(&id).map(|record| Followed {
                index,
                record,
                version: self.versions.get(&id).copied(),
            }));
        }
        out
    }
}

/// The new subjects of a round, each once.
pub(super) fn definitions(parcels: &[Parcel]) -> Vec<Definition> {
    let mut seen = BTreeSet::new();
    parcels
        .iter()
        .filter_map(|parcel| parcel.definition.as_ref())
        .filter(|new| seen.insert(new.id))
        .cloned()
        .collect()
}

/// All pending entries.
pub(super) fn pending_span() -> Span {
    Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::LedgerPending,
        start: Bytes::new(),
        end: None,
    }
}
