//! Versions that are to be copied to other buckets: the queue that keeps them until they have been, and how each
//! destination stands.
//!
//! A write that is to be copied puts an entry of [`Kind::Replication`] into its own commit, so the entry exists exactly
//! if the write happened. Its sequence is that of the write. Whoever copies removes it in the commit that says of the
//! version that it was copied: at least once.
//!
//! Invariants
//! - RE-1: an entry is in the commit of the change that it is about, and goes in the commit of its outcome;
//! - RE-2: entries of one destination lie together, about in order of time;
//! - RE-3: no destination, slow or broken, makes a write wait.
//!
//! Deliberately absent: which versions are copied where (the engine says), copying.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use craton_base::{BucketName, Error, Random, ResourcePath, Result, Timestamp, random};
use craton_crypto::hash::sha256;
use craton_store::{
    namespace::Kind,
    value::{Stored, Value},
};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::Notify;

use crate::{ask::Ask, gate::Gate, permit::ReadPermit, scope::successor, session::Session, worker::Workers};

/// The most destinations whose standing is remembered.
const STANDINGS_MAX: usize = 4096;

/// How many bytes of a name say for which destination an entry is.
pub const PLACE_BYTES: usize = 16;

/// The kind of entries that are copies to be made.
pub(crate) const KIND: Kind = Kind::Replication;

/// A place of another machine's, by the name that the administrator gave it, and the buckets there that may be
/// copied to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteBuckets {
    /// Its name.
    pub name: String,
    /// The buckets; `*` stands for every one.
    pub buckets: Vec<String>,
}

/// A copy that is to be made. The tags are on disk (`docs/formats.md`, "Replication").
#[derive(Clone, PartialEq, Eq, Message)]
pub struct QueuedCopy {
    /// The source's bucket.
    #[prost(string, tag = "1")]
    pub bucket: String,
    /// The object's key.
    #[prost(string, tag = "2")]
    pub key: String,
    /// What is to be copied, in the engine's numbers.
    #[prost(uint32, tag = "3")]
    pub what: u32,
    /// The version, if not the one that this commit made.
    #[prost(uint64, tag = "4")]
    pub version: u64,
    /// The destination, in the engine's words.
    #[prost(string, tag = "5")]
    pub destination: String,
    /// When it was queued, in microseconds since the epoch. Set by the gate.
    #[prost(uint64, tag = "6")]
    pub time_micros: u64,
}

impl QueuedCopy {
    /// Reads a stored entry.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn from_stored(stored: &Stored) -> Result<Self> {
        Self::decode(stored.value.meta.clone())
            .map_err(|e| Error::corrupt("an entry of the replication queue does not parse").with_source(e))
    }

    /// As it is stored.
    pub(crate) fn to_value(&self) -> Value {
        Value::of_meta(self.encode_to_vec())
    }

    /// Its name: the destination's place, the time, and what no other has.
    pub(crate) fn name(&self, random: &dyn Random) -> Result<Vec<u8>> {
        let mut out = place(&self.bucket, &self.destination).to_vec();
        out.extend_from_slice(&self.time_micros.to_be_bytes());
        out.extend_from_slice(&random::bytes::<8>(random)?);
        Ok(out)
    }
}

/// What the names of a destination's entries begin with.
#[must_use]
pub fn place(bucket: &str, destination: &str) -> [u8; PLACE_BYTES] {
    let digest = sha256(&[bucket.as_bytes(), &[0], destination.as_bytes()].concat());
    let mut out = [0; PLACE_BYTES];
    out.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    out
}

/// A destination that versions of a bucket wait to be copied to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueuedPlace {
    /// What the names of its entries begin with.
    pub prefix: Vec<u8>,
    /// The bucket.
    pub bucket: String,
    /// The destination, in the engine's words.
    pub destination: String,
}

impl QueuedPlace {
    /// The place of an entry.
    pub(crate) fn of(stored: &Stored) -> Result<Self> {
        let copy = QueuedCopy::from_stored(stored)?;
        Ok(Self {
            prefix: stored.key.name.iter().copied().take(PLACE_BYTES).collect(),
            bucket: copy.bucket,
            destination: copy.destination,
        })
    }

    /// The least name after its entries'.
    #[must_use]
    pub fn end(&self) -> Option<Bytes> {
        successor(&self.prefix)
    }
}

/// How a destination of a bucket stands, since the process started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many copies were made.
    pub copied: u64,
    /// Their content, in bytes.
    pub copied_bytes: u64,
    /// How many could not be made for good.
    pub failed: u64,
    /// When the last one was made.
    pub last_copied: Option<Timestamp>,
    /// What the last attempt that did not succeed met; `None` since one did.
    pub error: Option<String>,
}

/// A destination of a bucket and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStanding {
    /// The destination, in the engine's words.
    pub destination: String,
    /// How it stands.
    pub standing: Standing,
    /// How many copies wait for it; counted up to [`WAITING_COUNTED_MAX`].
    pub waiting: u64,
}

/// How many waiting copies are counted for one destination.
pub const WAITING_COUNTED_MAX: u64 = 100_000;

/// What this process knows of the queue.
#[derive(Default)]
pub(crate) struct Copies {
    arrived: Notify,
    failed: AtomicU64,
    copied: AtomicU64,
    standings: Mutex<BTreeMap<(String, String), Standing>>,
}

impl Copies {
    /// A commit with copies to be made is done.
    pub(crate) fn arrived(&self) {
        self.arrived.notify_one();
    }
}

impl Workers {
    /// Ready when copies to be made may have arrived since the last time.
    pub async fn copies_arrived(&self) {
        self.gate.inner.copies.arrived.notified().await;
    }

    /// Notes how a destination of a bucket stands now.
    pub fn note_standing(&self, bucket: &str, destination: &str, note: impl FnOnce(&mut Standing)) {
        let copies = &self.gate.inner.copies;
        let mut standings = copies.standings.lock();
        let place = (bucket.to_owned(), destination.to_owned());
        if standings.len() >= STANDINGS_MAX && !standings.contains_key(&place) {
            return;
        }
        let standing = standings.entry(place).or_default();
        let before = (standing.copied, standing.failed);
        note(standing);
        let more = |now: u64, was: u64| now.saturating_sub(was);
        copies
            .copied
            .fetch_add(more(standing.copied, before.0), Ordering::Relaxed);
        copies
            .failed
            .fetch_add(more(standing.failed, before.1), Ordering::Relaxed);
    }
}

impl Gate {
    /// How many copies were made, and how many failed for good, since the process started.
    #[must_use]
    pub fn copies_made(&self) -> (u64, u64) {
        let copies = &self.inner.copies;
        (
            copies.copied.load(Ordering::Relaxed),
            copies.failed.load(Ordering::Relaxed),
        )
    }

    /// How many copies wait, of all buckets; counted up to [`WAITING_COUNTED_MAX`].
    ///
    /// # Errors
    /// The store's own.
    pub fn copies_waiting(&self) -> Result<u64> {
        self.inner.count_queued(&[])
    }

    /// How the destinations of a bucket stand: those that `configured` tells and those that were copied to.
    ///
    /// # Errors
    /// `Denied`; `NoSuchBucket`; what `configured` says; the store's own.
    pub async fn replication_status(
        &self,
        session: &Session,
        bucket: &BucketName,
        configured: impl FnOnce(&ReadPermit) -> Result<Vec<String>>,
    ) -> Result<Vec<DestinationStanding>> {
        let path = ResourcePath::Bucket(bucket.clone());
        let permit = self.read(session, status_ask(path)).await?;
        let destinations = configured(&permit)?;
        let standings = self.inner.copies.standings.lock().clone();
        let of_bucket = standings.keys().filter(|(b, _)| b == bucket.as_str());
        let mut names: Vec<String> = of_bucket.map(|(_, d)| d.clone()).collect();
        names.extend(destinations);
        names.sort();
        names.dedup();
        let describe = |destination: String| {
            let waiting = self.inner.count_queued(&place(bucket.as_str(), &destination))?;
            let known = standings.get(&(bucket.to_string(), destination.clone()));
            Ok(DestinationStanding {
                standing: known.cloned().unwrap_or_default(),
                destination,
                waiting,
            })
        };
        names.into_iter().map(describe).collect()
    }
}

/// Asks to see how replication of a bucket stands.
fn status_ask(path: ResourcePath) -> Ask {
    Ask::new("ReplicationStatus", "craton:ReadReplication", path)
}

#[cfg(test)]
mod tests;
