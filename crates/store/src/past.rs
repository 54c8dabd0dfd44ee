//! The past that can be had back: from when on history is collected in each bucket, and which commit was the newest at a time.
//!
//! Superseded versions of a bucket stay until its undo window has passed over the commit that superseded them ([`crate::collect`]). Reading at
//! the sequence of a moment is exact from [`Store::whole_since`] on: no version that was the newest then has been erased.
//!
//! Invariant: before a collection erases anything, the moments up to which it may are durable; they never go back. So a window that was
//! made longer is not taken to reach where history is gone already, whatever the process did in between.
//!
//! Deliberately absent: who sets windows; versions that are kept, which go only by their name.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use parking_lot::RwLockReadGuard;
use prost::Message;

use crate::{
    collect::Passed,
    namespace::{Batch, Change, Direction, Key, Kind, Span, change},
    store::Store,
};

/// The name of the setting that says how far history was collected.
const NAME: &[u8] = b"history-collected";

/// How long one waits for a collection.
const PATIENCE: Duration = Duration::from_secs(30);

/// When the undo windows of buckets begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    default: Timestamp,
    of: BTreeMap<BucketId, Timestamp>,
}

/// Up to when history may have been erased. The tags are on disk.
#[derive(Clone, PartialEq, Message)]
struct CollectedRecord {
    /// In buckets that are not listed.
    #[prost(uint64, tag = "1")]
    default_micros: u64,
    /// In others.
    #[prost(btree_map = "uint64, uint64", tag = "2")]
    buckets: BTreeMap<u64, u64>,
}

impl CollectedRecord {
    fn of(&self, bucket: BucketId) -> u64 {
        self.buckets
            .get(&bucket.0)
            .copied()
            .unwrap_or(self.default_micros)
    }
}

impl From<Timestamp> for Windows {
    /// The same for every bucket.
    fn from(default: Timestamp) -> Self {
        Self {
            default,
            of: BTreeMap::new(),
        }
    }
}

impl Windows {
    /// The same with another beginning for one bucket.
    #[must_use]
    pub fn with(mut self, bucket: BucketId, before: Timestamp) -> Self {
        self.of.insert(bucket, before);
        self
    }

    /// When the window of a bucket begins.
    #[must_use]
    pub fn before(&self, bucket: BucketId) -> Timestamp {
        self.of.get(&bucket).copied().unwrap_or(self.default)
    }

    pub(crate) fn moments(&self) -> impl Iterator<Item = Timestamp> + '_ {
        self.of.values().copied().chain([self.default])
    }

    /// The latest moment at which one begins.
    pub(crate) fn latest(&self) -> Timestamp {
        self.moments().max().unwrap_or(self.default)
    }

    /// Which buckets have their windows begin together, as numbers: the latest is 0. The system's own stands for all that have no window of
    /// their own.
    pub(crate) fn groups(&self) -> BTreeMap<BucketId, usize> {
        let mut moments: Vec<Timestamp> = self.moments().collect();
        moments.sort_unstable_by(|a, b| b.cmp(a));
        moments.dedup();
        let place = |at: &Timestamp| moments.iter().position(|m| m == at).unwrap_or_default();
        let own = self.of.iter().map(|(bucket, at)| (*bucket, place(at)));
        own.chain([(BucketId::SYSTEM, place(&self.default))]).collect()
    }
}

/// While it lives no history is collected.
pub struct HeldPast<'a>(#[expect(dead_code, reason = "it is held, not read")] RwLockReadGuard<'a, Passed>);

impl Store {
    /// Keeps history from being collected, for as long as one commit takes that makes use of it; waits for a collection to end, for a while.
    /// Blocks.
    ///
    /// # Errors
    /// `Busy`, `Collecting`.
    pub fn hold_past(&self) -> Result<HeldPast<'_>> {
        let held = self.passed.try_read_for(PATIENCE).map(HeldPast);
        held.ok_or_else(|| {
            let text = "what is no longer needed is being collected; try again";
            Error::new(ErrorKind::Busy, "Collecting", text)
        })
    }

    /// From when on a bucket's history is whole: nothing was erased that was superseded at or after it.
    ///
    /// # Errors
    /// The engine's own; `Corrupt`.
    pub fn whole_since(&self, bucket: BucketId) -> Result<Timestamp> {
        Ok(Timestamp(self.collected()?.of(bucket)))
    }

    /// The newest commit at or before a time, as far as commits are in the change feed, which is for as long as the longest undo window; of an
    /// earlier time, the one before the feed's first.
    ///
    /// # Errors
    /// The engine's own; `Corrupt`.
    pub fn sequence_at(&self, time: Timestamp) -> Result<Sequence> {
        let (mut low, mut high) = (0_u64, self.latest().0.saturating_add(1));
        // The least number from which on the feed's first entry is later than the time, or there is none.
        while low < high {
            let middle = low.midpoint(high);
            match self.feed_from(middle)? {
                Some((sequence, at)) if at <= time => low = sequence.0.saturating_add(1),
                _ => high = middle,
            }
        }
        let later = self.feed_from(low)?;
        Ok(later.map_or_else(
            || self.latest(),
            |(sequence, _)| Sequence(sequence.0.saturating_sub(1)),
        ))
    }

    /// The feed's first entry from a number on: its commit, and when that was.
    fn feed_from(&self, number: u64) -> Result<Option<(Sequence, Timestamp)>> {
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::Change,
            start: Bytes::copy_from_slice(&number.to_be_bytes()),
            end: None,
        };
        let page = self
            .parts()
            .namespace
            .scan(&span, Sequence::MAX, Direction::Forward, 1)?;
        let first = page.entries.first().map(|(key, entry)| {
            let at = Timestamp(change::Changes::parse(&entry.value)?.time_micros);
            Ok((change::sequence_of(key)?, at))
        });
        first.transpose()
    }

    fn collected(&self) -> Result<CollectedRecord> {
        let found = self.parts().namespace.get(&key(), Sequence::MAX)?;
        let record = found.map(|entry| {
            CollectedRecord::decode(entry.value)
                .map_err(|e| Error::corrupt("how far history was collected does not parse").with_source(e))
        });
        Ok(record.transpose()?.unwrap_or_default())
    }

    /// Writes down how far history is about to be collected.
    pub(crate) fn note_collected(&self, windows: &Windows) -> Result<()> {
        let old = self.collected()?;
        let default_micros = old.default_micros.max(windows.default.micros());
        let mut buckets = BTreeMap::new();
        for bucket in old
            .buckets
            .keys()
            .copied()
            .chain(windows.of.keys().map(|id| id.0))
        {
            let id = BucketId(bucket);
            let micros = old.of(id).max(windows.before(id).micros());
            // One whose window is like the others' again, and reaches as far, need not be told apart.
            if windows.of.contains_key(&id) || micros > default_micros {
                buckets.insert(bucket, micros);
            }
        }
        let new = CollectedRecord {
            default_micros,
            buckets,
        };
        if new == old {
            return Ok(());
        }
        self.parts().committer.commit_blocking(Batch {
            preconditions: vec![],
            changes: vec![Change::Put(key(), new.encode_to_vec().into())],
        })?;
        Ok(())
    }
}

fn key() -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Setting,
        name: Bytes::from_static(NAME),
    }
}
