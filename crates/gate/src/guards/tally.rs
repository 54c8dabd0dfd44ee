//! How many bytes each session has moved so far, for guard policies that set a bound to it.
//!
//! Counted is every byte of content that a permit hands out or takes in, as it moves; so a request that is still
//! running counts too. Who has no session is counted by the access key, and who has no key by the principal.
//!
//! Invariants
//! - memory is bounded: of [`COUNTED_MAX`] the one that was idle longest leaves first, and is found again where it was written down;
//! - counts are written down every [`WRITE_EVERY`] while a policy in force looks at them, and when the gate closes: a process that is
//!   killed forgets what moved since, and nothing more (`docs/decisions/0028-bytes-are-written-now-and-then.md`).

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Result, Sequence};
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
    store::Transaction,
};
use lru::LruCache;
use parking_lot::Mutex;
use prost::Message;

use crate::{
    budgets::Measure,
    directory::{SESSION_PREFIX, access_key_key, decode, session_key, stored_value},
    gate::Inner,
    session::Session,
};

/// Sessions and keys that are counted at once, at most.
const COUNTED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// How often counts are written down while a policy looks at them.
pub(crate) const WRITE_EVERY: Duration = Duration::from_secs(10);

/// Rows of one commit.
const ROWS_MAX: usize = 1000;

/// What a count is taken for that can not be read: more than any bound, and far from overflow.
const UNKNOWN: u64 = u64::MAX / 2;

/// A count as it is written down (`Kind::Moved`, by session, key or principal).
#[derive(Clone, PartialEq, Message)]
struct MovedRecord {
    #[prost(uint64, tag = "1")]
    bytes: u64,
    /// What was used of a budget, in the order of [`Measure::ALL`].
    #[prost(uint64, repeated, tag = "2")]
    spent: Vec<u64>,
}

#[derive(Debug, Default)]
struct Count {
    bytes: AtomicU64,
    spent: [AtomicU64; Measure::ALL.len()],
    /// The sum of all counts that is written down.
    written: AtomicU64,
}

/// Bytes moved by one session, shared by its permits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved(Arc<Count>);

impl Moved {
    /// One that goes on from what was written down.
    fn from(record: &MovedRecord) -> Self {
        let count = Count {
            bytes: record.bytes.into(),
            ..Count::default()
        };
        for (to, from) in count.spent.iter().zip(&record.spent) {
            to.store(*from, Ordering::Relaxed);
        }
        count.written.store(count.sum(), Ordering::Relaxed);
        Self(Arc::new(count))
    }

    /// Counts more of a measure if that stays within a bound.
    pub(crate) fn spend(&self, measure: Measure, amount: u64, limit: u64) -> bool {
        let within = |used: u64| used.checked_add(amount).filter(|sum| *sum <= limit);
        let count = self.0.spent.get(measure as usize);
        count.is_some_and(|c| {
            c.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
                .is_ok()
        })
    }

    /// Takes back what was counted and not given.
    pub(crate) fn give_back(&self, measure: Measure, amount: u64) {
        if let Some(count) = self.0.spent.get(measure as usize) {
            count.fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// How much of a measure was used so far.
    pub(crate) fn spent(&self, measure: Measure) -> u64 {
        let count = self.0.spent.get(measure as usize);
        count.map_or(u64::MAX, |count| count.load(Ordering::Relaxed))
    }

    /// Counts more of them.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many there are so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// What there is, if it is not written down yet; it counts as written from here on.
    fn take_news(&self) -> Option<MovedRecord> {
        let sum = self.0.sum();
        (self.0.written.swap(sum, Ordering::Relaxed) != sum).then(|| MovedRecord {
            bytes: self.bytes(),
            spent: self.0.spent.iter().map(|n| n.load(Ordering::Relaxed)).collect(),
        })
    }
}

impl Count {
    fn sum(&self) -> u64 {
        let all = self.spent.iter().chain([&self.bytes]);
        all.fold(0, |sum: u64, n| sum.wrapping_add(n.load(Ordering::Relaxed)))
    }
}

/// All counts.
pub(crate) struct Tally {
    counts: Mutex<LruCache<Box<str>, Moved>>,
    /// Whether a session with a budget was counted.
    is_bound: AtomicBool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            counts: Mutex::new(LruCache::new(COUNTED_MAX)),
            is_bound: AtomicBool::new(false),
        }
    }
}

impl Tally {
    /// The count of a session's bytes.
    pub(crate) fn of(&self, store: &Store, session: &Session) -> Moved {
        let name = session.session_id().or_else(|| session.access_key_id());
        self.named(name.unwrap_or_else(|| session.principal()), |name| {
            written(store, name)
        })
    }

    /// The counts of a session with a budget.
    pub(crate) fn of_session(&self, store: &Store, id: &str) -> Moved {
        self.is_bound.store(true, Ordering::Relaxed);
        self.named(id, |name| written(store, name))
    }

    fn named(&self, name: &str, written: impl FnOnce(&str) -> MovedRecord) -> Moved {
        if let Some(moved) = self.counts.lock().get(name) {
            return moved.clone();
        }
        let moved = Moved::from(&written(name));
        let mut counts = self.counts.lock();
        // Another request may have been first: there is one count.
        if let Some(first) = counts.get(name) {
            return first.clone();
        }
        counts.put(name.into(), moved.clone());
        moved
    }

    /// Those that have moved more than is written down.
    fn take_news(&self) -> Vec<(Box<str>, MovedRecord)> {
        let counts = self.counts.lock();
        let news = counts.iter();
        news.filter_map(|(name, moved)| Some((name.clone(), moved.take_news()?)))
            .collect()
    }
}

impl Inner {
    /// Writes counts down, if a policy in force looks at them or a budget does.
    pub(crate) fn write_moved_if_asked(&self) -> Result<()> {
        let is_bound = self.guards.tally.is_bound.load(Ordering::Relaxed);
        match is_bound || self.guards.looks_at("bytes") {
            true => self.write_moved(),
            false => Ok(()),
        }
    }

    /// Writes counts down.
    pub(crate) fn write_moved(&self) -> Result<()> {
        for some in self.guards.tally.take_news().chunks(ROWS_MAX) {
            let row = |(name, record): &(Box<str>, MovedRecord)| (key(name), stored_value(record));
            let transaction = Transaction {
                puts: some.iter().map(row).collect(),
                ..Transaction::default()
            };
            self.store.commit_blocking(transaction)?;
        }
        Ok(())
    }

    /// Removes the counts of sessions and keys that are no more.
    pub(crate) fn collect_moved(&self) -> Result<()> {
        let mut start = Bytes::new();
        loop {
            let span = Span { start, ..span() };
            let page = self
                .store
                .scan(&span, Sequence::MAX, Direction::Forward, ROWS_MAX)?;
            let mut transaction = Transaction::default();
            for stored in &page.entries {
                let name = std::str::from_utf8(&stored.key.name);
                let name =
                    name.map_err(|e| Error::corrupt("the name of a count is no text").with_source(e))?;
                let owner = match name.starts_with(SESSION_PREFIX) {
                    true => session_key(name),
                    false => access_key_key(name),
                };
                let is_key = name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
                if is_key && self.store.get(&owner, Sequence::MAX)?.is_none() {
                    transaction.deletes.push(stored.key.clone());
                }
            }
            if !transaction.deletes.is_empty() {
                self.store.commit_blocking(transaction)?;
            }
            match page.entries.last().filter(|_| page.more) {
                Some(last) => start = [&last.key.name, &[0][..]].concat().into(),
                None => return Ok(()),
            }
        }
    }
}

fn span() -> Span {
    Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Moved,
        start: Bytes::new(),
        end: None,
    }
}

fn key(name: &str) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Moved,
        name: Bytes::copy_from_slice(name.as_bytes()),
    }
}

/// What is written down of a session, a key or a principal.
fn read(store: &Store, name: &str) -> Result<MovedRecord> {
    let found = store.get(&key(name), Sequence::MAX)?;
    let record = found.map(|stored| decode::<MovedRecord>(&stored, "a count of bytes"));
    Ok(record.transpose()?.unwrap_or_default())
}

/// The same; what can not be read counts as beyond every bound.
fn written(store: &Store, name: &str) -> MovedRecord {
    read(store, name).unwrap_or_else(|error| {
        tracing::error!(%error, "what a session has moved can not be read: it counts as beyond every bound");
        MovedRecord {
            bytes: UNKNOWN,
            spent: vec![UNKNOWN; Measure::ALL.len()],
        }
    })
}

#[cfg(test)]
mod tests;
