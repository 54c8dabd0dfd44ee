//! The store as one thing: the namespace, the blobs, the keys and the budget, kept consistent.
//!
//! Invariants
//! - ST-1: every blob that an entry names has a `BlobOwner` entry, made in the same commit;
//! - ST-2: a blob that loses its entry becomes `Garbage` in the commit that removes the entry, and its
//!   file goes only after that commit is durable;
//! - ST-4: an object's row that says so has a `Detail` row of the same name and version, made, amended and removed in
//!   the same commits; no other has one;
//! - ST-3: a file in the blob folder without a `BlobOwner` entry that this process is not writing is an
//!   orphan of a crash; the sweep removes it.
//!
//! Deliberately absent: what entries mean, who may touch them.

use std::{
    num::NonZeroUsize,
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use craton_base::{BlobId, BucketId, Clock, Error, Kind as ErrorKind, Random, Result, Sequence, random};
use craton_crypto::{keys, seal};
use parking_lot::RwLock;

use crate::{
    blob::{Blobs, Upload as BlobUpload, Writer},
    bucket_keys::BucketKeys,
    budget::Budget,
    collect::Passed,
    content::{ContentStream, Places},
    disk::{Disk, File},
    fresh::{Fresh, FreshBlobs},
    journal::Journal,
    keyring::KeyProvider,
    namespace::{Batch, Change, Committed, Key, Namespace, committer::Committer},
    opened::Opened,
    tier::Tiers,
    transaction::owner_bytes,
    value::{Extent, Stored, Value},
};

mod opening;

pub use crate::transaction::Transaction;

/// Content up to this many bytes sits in the entry itself: one flush and no file. Chosen by
/// measuring (`bench/RESULTS.md`): above it reading gains nothing any more, and what writing still gains is
/// paid with the namespace's cache and file.
pub const INLINE_BYTES_MAX: usize = 32 << 10;

/// What a second key is combined with the bucket's key for.
const EXTENT_WRAPPING: &[u8] = b"craton/extent-wrapping/1";

/// How many keys of blobs are kept, of some 400 bytes each, and how many openers of inline content, of some 1,200.
const OPENED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The parts that a store is made of.
pub struct Parts {
    /// The folder.
    pub disk: Arc<dyn Disk>,
    /// The namespace.
    pub namespace: Arc<dyn Namespace>,
    /// The namespace's group commit.
    pub committer: Arc<Committer>,
    /// The blobs.
    pub blobs: Arc<Blobs>,
    /// The root keys.
    pub keys: Arc<dyn KeyProvider>,
    /// The read journal.
    pub journal: Arc<Journal>,
    /// All memory.
    pub budget: Budget,
    /// Memory for uploads, a share of it.
    pub uploads: Budget,
    /// Memory for downloads, a share of it.
    pub downloads: Budget,
    /// Memory for the graph engine, a share of it.
    pub graph: Budget,
    /// Keeps other processes out while it lives.
    pub lock: Arc<dyn File>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// An open store.
pub struct Store {
    pub(crate) parts: Parts,
    pub(crate) bucket_keys: BucketKeys,
    /// The keys of blobs.
    blob_keys: Opened<keys::SealKey>,
    /// What opens inline content.
    openers: Opened<seal::Opener>,
    pub(crate) fresh: Arc<FreshBlobs>,
    /// Held to write while history is collected: only one collection at a time, and none while somebody has the past held.
    pub(crate) passed: RwLock<Passed>,
    tiers: OnceLock<Arc<Tiers>>,
    no_tiers: Arc<Tiers>,
}

/// A key that content is sealed under besides the bucket's.
pub struct SecondKey {
    /// The key.
    pub key: keys::SealKey,
    /// Whether a client sends it with each request: nothing that it opened is kept then.
    pub is_of_client: bool,
}

/// A bounded piece of a scan.
#[derive(Debug, Default)]
pub struct Page {
    /// What was found, in the scan's direction.
    pub entries: Vec<Stored>,
    /// Whether there may be more.
    pub more: bool,
}

/// Content on its way out; exactly the bytes that were asked for, each verified.
pub enum Content {
    /// All of it, in memory.
    Whole(Bytes),
    /// Piece by piece, with read-ahead within the budget. An error ends it.
    Stream(ContentStream),
}

impl Store {
    /// Puts an open store together.
    ///
    /// # Errors
    /// If the system's own key can not be made or read.
    pub fn new(parts: Parts) -> Result<Self> {
        let bucket_keys = BucketKeys::new(parts.keys.clone(), parts.namespace.clone(), parts.random.clone());
        let fresh = FreshBlobs::new(parts.blobs.clone());
        let store = Self {
            parts,
            bucket_keys,
            blob_keys: Opened::new(OPENED_MAX),
            openers: Opened::new(OPENED_MAX),
            fresh,
            passed: RwLock::default(),
            tiers: OnceLock::new(),
            no_tiers: Arc::default(),
        };
        store.ensure_system_key()?;
        Ok(store)
    }

    fn ensure_system_key(&self) -> Result<()> {
        if self.bucket_keys.exists(BucketId::SYSTEM)? {
            return Ok(());
        }
        let change = self.bucket_keys.make(BucketId::SYSTEM)?;
        self.parts.committer.commit_blocking(Batch {
            preconditions: vec![],
            changes: vec![change],
        })?;
        Ok(())
    }

    /// Content may lie at these tiers from here on. Only the first call counts.
    pub fn use_tiers(&self, tiers: Tiers) {
        self.tiers.get_or_init(|| Arc::new(tiers));
    }

    /// The tiers.
    #[must_use]
    pub fn tiers(&self) -> &Arc<Tiers> {
        self.tiers.get().unwrap_or(&self.no_tiers)
    }

    /// The parts, for those that live beside the entries: the ledger.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// A key for one purpose of the system, derived from the system's own key.
    ///
    /// # Errors
    /// If the system's key can not be opened.
    pub fn system_key(&self, purpose: &str) -> Result<keys::SealKey> {
        keys::derive(&*self.bucket_keys.get(BucketId::SYSTEM)?, purpose.as_bytes())
    }

    /// The newest durable commit.
    #[must_use]
    pub fn latest(&self) -> Sequence {
        self.parts.namespace.latest()
    }

    /// The change that gives a new bucket its key; goes into the commit that makes the bucket.
    ///
    /// # Errors
    /// If no randomness or no root key is to be had.
    pub fn make_bucket_key(&self, id: BucketId) -> Result<Change> {
        self.bucket_keys.make(id)
    }

    /// A new bucket id.
    ///
    /// # Errors
    /// If no randomness is to be had.
    pub fn make_bucket_id(&self) -> Result<BucketId> {
        let raw = u64::from_be_bytes(random::bytes::<8>(&*self.parts.random)?);
        Ok(BucketId(raw.max(1)))
    }

    /// Seals small content for an entry of `owner`, under `second` too if there is one.
    ///
    /// # Errors
    /// `TooLarge` above [`INLINE_BYTES_MAX`]; if no key or randomness is to be had.
    pub fn seal_inline(&self, owner: &Key, content: &[u8], second: Option<&keys::SealKey>) -> Result<Extent> {
        if content.len() > INLINE_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "InlineTooLarge",
                format!("inline content has at most {INLINE_BYTES_MAX} bytes"),
            ));
        }
        let (id, key, wrapped_key, context) = self.new_extent(owner, second)?;
        let sealed = seal::seal(&key, &context, content, &*self.parts.random)?;
        Ok(Extent {
            id,
            len: content.len() as u64,
            wrapped_key,
            inline: Some(sealed.into()),
            tier: None,
            copied: false,
            fresh: None,
            held: None,
        })
    }

    /// Begins a blob for an entry of `owner`, sealed under `second` too if there is one.
    ///
    /// # Errors
    /// The disk's own; if no key or randomness is to be had.
    pub async fn upload(&self, owner: &Key, second: Option<&keys::SealKey>) -> Result<Upload> {
        let (id, key, wrapped_key, context) = self.new_extent(owner, second)?;
        let memory = self.parts.uploads.reserve(BlobUpload::memory(None)).await?;
        let fresh = self.fresh.begin(id);
        let writer = Writer::new(&self.parts.blobs, id, &key, &context, &*self.parts.random)?;
        Ok(Upload {
            blob: BlobUpload::new(writer, memory),
            id,
            wrapped_key,
            fresh,
        })
    }

    pub(crate) fn new_extent(
        &self,
        owner: &Key,
        second: Option<&keys::SealKey>,
    ) -> Result<(BlobId, keys::SealKey, Bytes, Vec<u8>)> {
        let id = BlobId(random::bytes(&*self.parts.random)?);
        let context = extent_context(owner, id);
        let key = keys::generate(&*self.parts.random)?;
        let wrapping = self.wrapping_key(owner.bucket, second)?;
        let wrapped = keys::wrap(&wrapping, &key, &context, &*self.parts.random)?;
        Ok((id, key, wrapped.into(), context))
    }

    /// What extents' keys are wrapped under: the bucket's key, or what only it and `second` together give.
    pub(crate) fn wrapping_key(
        &self,
        bucket: BucketId,
        second: Option<&keys::SealKey>,
    ) -> Result<Arc<keys::SealKey>> {
        with_second(self.bucket_keys.get(bucket)?, second)
    }

    /// The bytes `range` of a value's content; `second` is the key that it was sealed under besides the bucket's.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the content; `Corrupt` if inline content does not verify
    /// (a blob that does not verify ends the stream with that error) or `second` is another.
    pub fn content(
        &self,
        owner: &Key,
        value: &Value,
        range: Range<u64>,
        second: Option<&SecondKey>,
    ) -> Result<Content> {
        if range.start > range.end || range.end > value.len() {
            return Err(Error::invalid("the range is not within the content"));
        }
        let opening = || self.opening(owner, second);
        if let [only] = value.content.as_slice()
            && only.inline.is_some()
        {
            return Ok(Content::Whole(opening()?.inline(only, range)?));
        }
        if range.is_empty() {
            return Ok(Content::Whole(Bytes::new()));
        }
        let opening = opening()?;
        let mut pieces = Vec::new();
        let mut offset = 0u64;
        for extent in &value.content {
            let end = offset.saturating_add(extent.len);
            let from = range.start.max(offset);
            let to = range.end.min(end);
            if from < to {
                let range = from.saturating_sub(offset)..to.saturating_sub(offset);
                pieces.push(opening.piece(extent, range)?);
            }
            offset = end;
        }
        let places = Places {
            blobs: self.parts.blobs.clone(),
            tiers: self.tiers().clone(),
        };
        let budget = self.parts.downloads.clone();
        Ok(Content::Stream(ContentStream::new(places, budget, pieces)))
    }

    /// Commits, durable and visible when it returns. To be polled to its end, in a task of its own: dropped
    /// before, it may be committed or not, and blobs that it names are not protected from the sweep.
    ///
    /// # Errors
    /// `Precondition`; the engine's own.
    pub async fn commit(self: &Arc<Self>, transaction: Transaction) -> Result<Committed> {
        let assembled = transaction.assemble()?;
        let committed = settle(
            &assembled.named,
            self.parts.committer.commit(assembled.batch).await,
        )?;
        drop(assembled.held);
        if !assembled.garbage.is_empty() {
            let store = self.clone();
            tokio::spawn(async move { store.drop_garbage(assembled.garbage).await });
        }
        if assembled.remote_garbage {
            self.tiers().arrived();
        }
        Ok(committed)
    }

    /// [`Store::commit`] for callers that are not async; leaves garbage to the sweep.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn commit_blocking(&self, transaction: Transaction) -> Result<Committed> {
        let assembled = transaction.assemble()?;
        settle(
            &assembled.named,
            self.parts.committer.commit_blocking(assembled.batch),
        )
    }
}

/// The bucket's key, or what only it and `second` together give.
fn with_second(bucket_key: Arc<keys::SealKey>, second: Option<&keys::SealKey>) -> Result<Arc<keys::SealKey>> {
    match second {
        None => Ok(bucket_key),
        Some(second) => keys::combine(&bucket_key, second, EXTENT_WRAPPING).map(Arc::new),
    }
}

pub(crate) fn extent_key(wrapping: &keys::SealKey, extent: &Extent, context: &[u8]) -> Result<keys::SealKey> {
    keys::unwrap(wrapping, &extent.wrapped_key, context)
        .map_err(|e| Error::corrupt(format!("the key of blob {} does not open", extent.id)).with_source(e))
}

/// A blob being written. Dropped without [`Upload::finish`], it is removed.
pub struct Upload {
    blob: BlobUpload,
    id: BlobId,
    wrapped_key: Bytes,
    fresh: Arc<Fresh>,
}

impl Upload {
    /// Adds content; waits while the budget or the disk is behind.
    ///
    /// # Errors
    /// The disk's own.
    pub async fn write(&mut self, content: Bytes) -> Result<()> {
        self.blob.write(content).await
    }

    /// Makes the blob durable. It exists for others once a commit names the extent.
    ///
    /// # Errors
    /// The disk's own.
    pub async fn finish(self) -> Result<Extent> {
        let finished = self.blob.finish().await?;
        self.fresh.set_durable();
        let len = finished.plain_len();
        Ok(Extent {
            id: self.id,
            len,
            wrapped_key: self.wrapped_key,
            inline: None,
            tier: None,
            copied: false,
            fresh: Some(self.fresh),
            held: None,
        })
    }
}

/// After a commit: blobs that it certainly did not name are free to be deleted.
fn settle(named: &[Arc<Fresh>], result: Result<Committed>) -> Result<Committed> {
    if let Err(e) = &result
        && matches!(
            e.kind(),
            ErrorKind::Precondition | ErrorKind::Invalid | ErrorKind::TooLarge
        )
    {
        named.iter().for_each(|fresh| fresh.set_maybe_named(false));
    }
    result
}

/// What an extent's key is bound to: the entry it belongs to and its own id.
pub(crate) fn extent_context(owner: &Key, id: BlobId) -> Vec<u8> {
    let order = owner_bytes(owner);
    let mut out = Vec::with_capacity(order.len() + 32);
    out.extend_from_slice(b"craton/extent/1\0");
    out.extend_from_slice(&id.0);
    out.extend_from_slice(&order);
    out
}
