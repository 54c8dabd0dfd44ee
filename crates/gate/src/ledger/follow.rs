//! Following: who makes something of what runs did gets their records as they enter the tree, with the version that each write made.
//!
//! A write is recorded before its commit has a number. So the round that takes its record keeps the number in a row of its own, by the record's
//! place, until the follower has seen it: a follower that was behind, or a process that was killed, finds it there.
//!
//! Invariant: a round is committed before it is followed, and a follower that fails keeps nothing from the ledger.

use std::sync::Weak;

use craton_base::{Result, Sequence};
use craton_store::namespace::{Change, Kind};
use parking_lot::Mutex;

use super::{kinds::Effect, reader::Reader, record::Record, values};

/// What the rows' names begin with.
const PLACE: u8 = b'W';

/// A record of a run.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its place in the tree.
    pub index: u64,
    /// What it says.
    pub record: Record,
    /// The commit that it was in, if it is a write's.
    pub version: Option<Sequence>,
}

/// Who follows.
pub trait Follower: Send + Sync {
    /// Takes the records of runs among those that entered the tree at places from `from` to before `end`.
    fn follow(&self, from: u64, records: Vec<Followed>, end: u64);
}

/// The follower, if there is one.
#[derive(Default)]
pub(super) struct Following(Mutex<Option<Weak<dyn Follower>>>);

impl Following {
    pub(super) fn set(&self, follower: Weak<dyn Follower>) {
        *self.0.lock() = Some(follower);
    }

    pub(super) fn tell(&self, from: u64, records: Vec<Followed>, end: u64) {
        let follower = self.0.lock().as_ref().and_then(Weak::upgrade);
        if let Some(follower) = follower {
            follower.follow(from, records, end);
        }
    }
}

impl Followed {
    /// The row that keeps the version of a write that made or deleted one.
    pub(super) fn place(&self) -> Option<Change> {
        let version = self.version.filter(|_| self.record.effect() != Effect::Nothing)?;
        let value = version.0.to_be_bytes().to_vec();
        Some(Change::Put(place(self.index), value.into()))
    }
}

/// The key of the row that keeps a write's version.
#[must_use]
pub(crate) fn place(index: u64) -> craton_store::namespace::Key {
    let mut name = vec![PLACE];
    name.extend_from_slice(&index.to_be_bytes());
    values::key(Kind::Lineage, &name)
}

impl Reader {
    /// The records of runs from a place in the tree on, among at most `limit` records, and the place after them.
    ///
    /// # Errors
    /// `Corrupt`; the engine's own.
    pub(crate) fn of_runs(&self, from: u64, limit: usize) -> Result<(Vec<Followed>, u64)> {
        let (entries, next) = self.list_from(from, limit)?;
        let mut out = Vec::new();
        for entry in entries {
            let Some(record) = entry.record.filter(|record| record.run_name().is_some()) else {
                continue;
            };
            let version = match record.effect() {
                Effect::Nothing => None,
                _ => self.version_at(entry.index)?,
            };
            out.push(Followed {
                index: entry.index,
                record,
                version,
            });
        }
        Ok((out, next))
    }

    fn version_at(&self, index: u64) -> Result<Option<Sequence>> {
        let found = self.values.namespace.get(&place(index), Sequence::MAX)?;
        let number = found.and_then(|entry| <[u8; 8]>::try_from(entry.value.as_ref()).ok());
        Ok(number.map(|number| Sequence(u64::from_be_bytes(number))))
    }
}
