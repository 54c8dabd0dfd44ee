//! Notices: what happened to objects, kept in the namespace until those who are to be told have been.
//!
//! A write that someone is to be told of puts an entry of [`Kind::Outbox`] into its own commit, so the notice
//! exists exactly if the write happened. The entry's sequence is that of the write. Whoever tells removes it
//! afterwards: told at least once.
//!
//! Invariants
//! - NO-1: a notice is in the commit of the change that it is about;
//! - NO-2: nobody who is to be told, slow or broken, makes a write wait.
//!
//! Deliberately absent: what an event is called, who is to be told (the engine says), telling.

use std::sync::atomic::{AtomicUsize, Ordering};

use craton_base::{BucketName, Error, Random, Result, Sequence, Timestamp, random};
use craton_store::{
    namespace::Kind,
    value::{Stored, Value},
};
use parking_lot::Mutex;
use prost::Message;
use tokio::sync::{Notify, broadcast};

/// How many notices wait for a listener that is slow; it misses the oldest then.
const LISTENER_NOTICES_MAX: usize = 1024;

/// The most listeners at once.
pub const LISTENERS_MAX: usize = 256;

/// What happened to an object. The tags are on disk (`docs/formats.md`, "Notices").
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Notice {
    /// The event's name in the engine's words.
    #[prost(string, tag = "1")]
    pub event: String,
    /// The object's key.
    #[prost(string, tag = "2")]
    pub key: String,
    /// Its size, in bytes.
    #[prost(uint64, tag = "3")]
    pub size: u64,
    /// Its entity tag, without quotes.
    #[prost(string, tag = "4")]
    pub etag: String,
    /// The version that it is about, if not the one that this commit made.
    #[prost(uint64, tag = "5")]
    pub version: u64,
    /// Whether the version has an id of its own.
    #[prost(bool, tag = "6")]
    pub versioned: bool,
    /// Who is to be told.
    #[prost(message, repeated, tag = "7")]
    pub recipients: Vec<Recipient>,
    /// The bucket's name. Set by the gate, as all that follows.
    #[prost(string, tag = "16")]
    pub bucket: String,
    /// Who owns the bucket.
    #[prost(string, tag = "17")]
    pub bucket_owner: String,
    /// Who did it.
    #[prost(string, tag = "18")]
    pub principal: String,
    /// From which address.
    #[prost(string, tag = "19")]
    pub source_ip: String,
    /// In which request.
    #[prost(string, tag = "20")]
    pub request_id: String,
    /// By which operation.
    #[prost(string, tag = "21")]
    pub operation: String,
    /// When, in microseconds since the epoch.
    #[prost(uint64, tag = "22")]
    pub time_micros: u64,
    /// The region of the bucket.
    #[prost(string, tag = "23")]
    pub region: String,
}

/// Who is to be told, and by which rule.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Recipient {
    /// The rule's name.
    #[prost(string, tag = "1")]
    pub rule: String,
    /// The recipient's address in the engine's words.
    #[prost(string, tag = "2")]
    pub address: String,
}

impl Notice {
    /// Reads a stored notice.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn from_stored(stored: &Stored) -> Result<Self> {
        Self::decode(stored.value.meta.clone())
            .map_err(|e| Error::corrupt("a notice does not parse").with_source(e))
    }

    /// As it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::of_meta(self.encode_to_vec())
    }
}

/// A notice's name in the outbox: about in order of time, and no other's.
pub(crate) fn name(time: Timestamp, random: &dyn Random) -> Result<Vec<u8>> {
    let mut out = time.micros().to_be_bytes().to_vec();
    out.extend_from_slice(&random::bytes::<8>(random)?);
    Ok(out)
}

/// The kind of entries that are notices.
pub(crate) const KIND: Kind = Kind::Outbox;

/// Who waits for notices in this process.
pub(crate) struct Notices {
    arrived: Notify,
    live: broadcast::Sender<Told>,
    /// The buckets that are listened to, one entry for each listener.
    listened: Mutex<Vec<BucketName>>,
    listeners: AtomicUsize,
}

/// A notice with the write's sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What happened.
    pub notice: Notice,
    /// The commit that it happened in.
    pub sequence: Sequence,
}

impl Default for Notices {
    fn default() -> Self {
        Self {
            arrived: Notify::new(),
            live: broadcast::Sender::new(LISTENER_NOTICES_MAX),
            listened: Mutex::default(),
            listeners: AtomicUsize::new(0),
        }
    }
}

impl Notices {
    /// Whether someone listens to the bucket now.
    pub(crate) fn is_listened(&self, bucket: &BucketName) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0 && self.listened.lock().contains(bucket)
    }

    /// A commit with notices is done.
    pub(crate) fn arrived(&self) {
        self.arrived.notify_one();
    }

    /// Ready when notices may have arrived.
    pub(crate) async fn wait(&self) {
        self.arrived.notified().await;
    }

    /// Tells those who listen; that nobody does is no error.
    pub(crate) fn tell(&self, told: &Told) {
        if self.live.receiver_count() > 0 {
            drop(self.live.send(told.clone()));
        }
    }

    fn forget(&self, bucket: &BucketName) {
        let mut listened = self.listened.lock();
        if let Some(at) = listened.iter().position(|b| b == bucket) {
            listened.swap_remove(at);
        }
        self.listeners.store(listened.len(), Ordering::Relaxed);
    }

    fn remember(&self, bucket: &BucketName) -> bool {
        let mut listened = self.listened.lock();
        if listened.len() >= LISTENERS_MAX {
            return false;
        }
        listened.push(bucket.clone());
        self.listeners.store(listened.len(), Ordering::Relaxed);
        true
    }
}

/// Hears what happens in a bucket while it lives.
pub struct Listener {
    bucket: BucketName,
    inner: std::sync::Arc<crate::gate::Inner>,
    receiver: broadcast::Receiver<Told>,
}

impl Listener {
    pub(crate) fn new(inner: &std::sync::Arc<crate::gate::Inner>, bucket: &BucketName) -> Result<Self> {
        if !inner.notices.remember(bucket) {
            return Err(Error::new(
                craton_base::Kind::Busy,
                "TooManyListeners",
                format!("{LISTENERS_MAX} clients listen already"),
            ));
        }
        Ok(Self {
            bucket: bucket.clone(),
            receiver: inner.notices.live.subscribe(),
            inner: inner.clone(),
        })
    }

    /// The next notice about the bucket; `None` when there will be no more. A listener that is too slow misses some.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            match self.receiver.recv().await {
                Ok(told) if told.notice.bucket == self.bucket.as_str() => return Some(told),
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(missed)) => {
                    tracing::warn!(missed, "a listener is too slow and misses notices");
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.inner.notices.forget(&self.bucket);
    }
}
