//! Tiers: other places for sealed blobs. What stands there is the blob's file, byte by byte, under the blob's id: a
//! tier never sees a key or a plain byte.
//!
//! Invariants
//! - TR-1: a tier is given a blob only after a commit has listed the pair as [`Kind::RemoteGarbage`]; the commit that
//!   names it there takes the pair from the list, and the one that lets it go puts it back. So whatever a crash
//!   leaves at a tier is listed;
//! - TR-2: a commit names a blob at a tier only after the tier has said that it is kept, and what it gives back is
//!   what it was given;
//! - TR-3: who sends a blob to a tier and who deletes it there hold the same mark ([`Held`]) meanwhile, so that neither
//!   undoes the other's work.
//!
//! Deliberately absent: which tiers there are and how they are spoken to; which objects go there, and when.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
};

use bytes::Bytes;
use craton_base::{BlobId, BranchId, BucketId, Error, Kind as ErrorKind, Result};
use futures::stream::BoxStream;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Notify};

use crate::{
    disk::File,
    namespace::{Key, Kind},
};

mod collect;
mod transfer;

/// The pieces of a blob that is sent to a tier have at most so many bytes.
pub const PIECE_BYTES: usize = 1 << 20;

/// So many bytes of a blob are read when it is opened.
const HEAD_BYTES: u64 = 64 << 10;

/// Separates a tier's name from a blob's id. Names of tiers hold no NUL.
const SEPARATOR: u8 = 0;

/// The longest name of a tier, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// A place for sealed blobs.
#[async_trait::async_trait]
pub trait Tier: Send + Sync + 'static {
    /// Takes a blob of `len` bytes, in pieces of at most [`PIECE_BYTES`]; kept for good when it returns. What is there
    /// under this id is replaced.
    ///
    /// # Errors
    /// `Unavailable` and the place's own; then it may be there, wholly or in part.
    async fn put(&self, id: BlobId, len: u64, content: BoxStream<'static, Result<Bytes>>) -> Result<()>;

    /// The bytes `range` of a blob, all of them.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`; the place's own.
    async fn read(&self, id: BlobId, range: Range<u64>) -> Result<Bytes>;

    /// Removes a blob; no error if it is gone.
    ///
    /// # Errors
    /// `Unavailable`; the place's own.
    async fn delete(&self, id: BlobId) -> Result<()>;

    /// The most memory that [`Tier::put`] holds besides a piece, in bytes.
    fn put_memory(&self) -> u64;
}

/// The tiers of a store, by name.
#[derive(Default)]
pub struct Tiers {
    by_name: BTreeMap<Arc<str>, Arc<dyn Tier>>,
    held: Arc<Mutex<BTreeSet<BlobId>>>,
    /// Told when something is to be deleted at a tier.
    garbage: Notify,
}

/// While it lives, nobody else moves or deletes the blob at a tier.
pub(crate) struct Held {
    all: Arc<Mutex<BTreeSet<BlobId>>>,
    id: BlobId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Held({})", self.id)
    }
}

impl Tiers {
    /// These tiers.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty, too long or holds a NUL.
    pub fn new(tiers: impl IntoIterator<Item = (String, Arc<dyn Tier>)>) -> Result<Self> {
        let mut out = Self::default();
        for (name, tier) in tiers {
            if name.is_empty() || name.len() > NAME_BYTES_MAX || name.bytes().any(|b| b == SEPARATOR) {
                return Err(Error::invalid(format!("{name:?} is no name of a tier")));
            }
            out.by_name.insert(name.into(), tier);
        }
        Ok(out)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Result<(Arc<str>, Arc<dyn Tier>)> {
        let found = self.by_name.get_key_value(name);
        found
            .map(|(name, tier)| (name.clone(), tier.clone()))
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Unavailable,
                    "NoSuchTier",
                    format!("content lies at the tier {name:?}, which is not configured"),
                )
            })
    }

    pub(crate) fn hold(&self, id: BlobId) -> Result<Arc<Held>> {
        if !self.held.lock().insert(id) {
            return Err(Error::new(
                ErrorKind::Busy,
                "BlobMoves",
                format!("blob {id} is being moved or deleted"),
            ));
        }
        Ok(Arc::new(Held {
            all: self.held.clone(),
            id,
        }))
    }

    pub(crate) fn arrived(&self) {
        self.garbage.notify_one();
    }

    /// Ready when something may be to be deleted at a tier.
    pub async fn garbage(&self) {
        self.garbage.notified().await;
    }

    /// A blob as a file, at the tier where it is said to be, or else at the one where it is: it may have moved since
    /// its place was read. Blocks; to be called on a thread that may.
    pub(crate) fn open(&self, name: Option<&str>, id: BlobId, len: u64) -> Result<Arc<dyn File>> {
        let named = name.map(|name| self.get(name)).transpose()?;
        let others = self
            .by_name
            .iter()
            .filter(|(other, _)| Some(&***other) != name)
            .map(|(name, tier)| (name.clone(), tier.clone()));
        for (_, tier) in named.into_iter().chain(others) {
            match RemoteFile::open(tier, id, len) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                found => return found.map(|file| Arc::new(file) as Arc<dyn File>),
            }
        }
        Err(Error::new(
            ErrorKind::NotFound,
            "BlobMissing",
            format!("blob {id} is at no tier"),
        ))
    }
}

/// That a blob is to be deleted at a tier, unless an entry names it there.
pub(crate) fn garbage_key(tier: &str, id: BlobId) -> Key {
    let mut name = Vec::with_capacity(tier.len().saturating_add(17));
    name.extend_from_slice(tier.as_bytes());
    name.push(SEPARATOR);
    name.extend_from_slice(&id.0);
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::RemoteGarbage,
        name: name.into(),
    }
}

/// The tier's name and the blob of a key that [`garbage_key`] made.
fn parse_garbage(name: &[u8]) -> Result<(&str, BlobId)> {
    let corrupt = || Error::corrupt("an entry of blobs to be deleted at a tier does not parse");
    let (rest, id) = name.split_last_chunk::<16>().ok_or_else(corrupt)?;
    let tier = rest.strip_suffix(&[SEPARATOR]).ok_or_else(corrupt)?;
    let tier = std::str::from_utf8(tier).map_err(|e| corrupt().with_source(e))?;
    Ok((tier, BlobId(*id)))
}

/// A blob at a tier, as a file that is only read. Its calls block until the tier has answered.
struct RemoteFile {
    tier: Arc<dyn Tier>,
    id: BlobId,
    len: u64,
    /// Its first bytes: all of a small one.
    head: Bytes,
}

impl RemoteFile {
    fn open(tier: Arc<dyn Tier>, id: BlobId, len: u64) -> Result<Self> {
        let mut file = Self {
            tier,
            id,
            len,
            head: Bytes::new(),
        };
        file.head = file.read(0..len.min(HEAD_BYTES))?;
        Ok(file)
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let runtime = Handle::try_current()
            .map_err(|e| Error::internal("a tier was read outside of a runtime").with_source(e))?;
        let wanted = range.end.saturating_sub(range.start);
        let bytes = runtime.block_on(self.tier.read(self.id, range))?;
        if bytes.len() as u64 == wanted {
            return Ok(bytes);
        }
        let message = format!("a tier gave {} of {wanted} bytes", bytes.len());
        Err(Error::corrupt(message))
    }
}

impl File for RemoteFile {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn set_len(&self, _len: u64) -> Result<()> {
        Err(read_only())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let end = offset.saturating_add(out.len() as u64);
        let (from, to) = (usize::try_from(offset), usize::try_from(end));
        let head = from
            .ok()
            .zip(to.ok())
            .and_then(|(from, to)| self.head.get(from..to));
        match head {
            Some(head) => out.copy_from_slice(head),
            None => out.copy_from_slice(&self.read(offset..end)?),
        }
        Ok(())
    }

    fn write_at(&self, _offset: u64, _data: &[u8]) -> Result<()> {
        Err(read_only())
    }

    fn sync(&self) -> Result<()> {
        Err(read_only())
    }

    fn try_lock(&self) -> Result<bool> {
        Err(read_only())
    }
}

fn read_only() -> Error {
    Error::internal("a blob at a tier is only read")
}
