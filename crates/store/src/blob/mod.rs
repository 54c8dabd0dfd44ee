//! Blobs: immutable sealed files, each named by a random id that is never used again.
//!
//! The byte map and the crash argument are in `docs/formats.md`, section "Blobs". Invariants:
//! - BL-1: a blob that [`Writer::finish`] returned is durable: its bytes and its name are flushed;
//! - BL-2: a blob never changes after that;
//! - BL-3: every byte that a [`Reader`] hands out was authenticated under the blob's key and context, and
//!   anything else is [`Kind::Corrupt`] and names the blob;
//! - BL-4: a blob that this process is writing, or has written and not yet let go of, is [`Blobs::in_progress`]:
//!   no sweeper may delete it.
//!
//! Memory is bounded: [`Upload::memory`] and [`Download::memory`] say by how much, and both take a
//! [`Reservation`](crate::budget::Reservation) for it.
//!
//! Deliberately absent: who owns a blob, which keys and contexts there are, when to sweep.

use std::{
    collections::{BTreeSet, HashSet},
    num::NonZeroUsize,
    str::FromStr,
    sync::{Arc, atomic::AtomicUsize},
};

use craton_base::{BlobId, Error, Kind, Result};
use lru::LruCache;
use parking_lot::Mutex;

use crate::disk::{Disk, File};

mod download;
mod flush;
mod raw;
mod reader;
mod upload;
mod writer;
mod young;

pub use download::Download;
pub(crate) use raw::RawWriter;
pub use reader::Reader;
pub use upload::Upload;
pub use writer::{Finished, Writer};

use flush::SharedFlush;
use young::YoungBlobs;

/// The plain bytes that are sealed, opened, and moved between threads at once: a whole number of chunks.
pub const PIECE_BYTES: usize = 32 * craton_crypto::seal::CHUNK;

/// The folder of all blobs.
const FOLDER: &str = "blobs";

/// Subfolders, named by an id's first byte in hex: a folder stays small, and flushes of it are spread.
const FOLDERS: usize = 256;

/// Open files are kept in so many separate caches, so that threads rarely wait for each other …
const CACHES: usize = 16;

/// … of so many files each; at most 512 in all.
const FILES_PER_CACHE: NonZeroUsize = match NonZeroUsize::new(32) {
    Some(n) => n,
    None => NonZeroUsize::MIN,
};

/// The blobs of one disk. Clones are the same.
#[derive(Clone)]
pub struct Blobs {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Arc<dyn Disk>,
    caches: Vec<Mutex<LruCache<BlobId, Arc<dyn File>>>>,
    flushes: Vec<SharedFlush>,
    in_progress: Mutex<HashSet<BlobId>>,
    young: YoungBlobs,
    /// How many downloads are under way.
    downloads: Arc<AtomicUsize>,
}

/// While it lives its blob is [`Blobs::in_progress`].
pub struct InProgress {
    shared: Arc<Shared>,
    id: BlobId,
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.shared.in_progress.lock().remove(&self.id);
    }
}

/// So many files are open at once to be made durable.
const SYNCED_AT_ONCE: usize = 64;

/// The reason of the error that there is no such blob.
pub(crate) const MISSING: &str = "BlobMissing";

fn folder_path(folder: u8) -> String {
    format!("{FOLDER}/{folder:02x}")
}

fn first_byte(id: BlobId) -> u8 {
    let [first, ..] = id.0;
    first
}

fn path(id: BlobId) -> String {
    format!("{FOLDER}/{:02x}/{id}", first_byte(id))
}

/// An error about a blob's content, with the blob's name. Others pass as they are.
fn name_damage(id: BlobId, e: Error) -> Error {
    match e.kind() {
        Kind::Corrupt => Error::new(
            Kind::Corrupt,
            "BlobCorrupt",
            format!("blob {id} does not verify: {}", e.message()),
        )
        .with_source(e),
        Kind::NotFound => Error::new(Kind::Corrupt, MISSING, format!("blob {id} is missing")).with_source(e),
        _ => e,
    }
}

impl Blobs {
    /// The blobs of `disk`; makes their folders where they are missing.
    ///
    /// # Errors
    /// The disk's own.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Self> {
        disk.create_dir(FOLDER)?;
        let mut there = HashSet::new();
        disk.list(FOLDER, &mut |name| {
            there.extend(u8::from_str_radix(name, 16));
            Ok(())
        })?;
        for folder in (0..=u8::MAX).filter(|f| !there.contains(f)) {
            disk.create_dir(&folder_path(folder))?;
        }
        // Also what a process that was killed had made and not flushed: this one builds on it.
        disk.sync_dir(FOLDER)?;
        disk.sync_dir("")?;
        Ok(Self {
            shared: Arc::new(Shared {
                disk,
                caches: (0..CACHES)
                    .map(|_| Mutex::new(LruCache::new(FILES_PER_CACHE)))
                    .collect(),
                flushes: (0..FOLDERS).map(|_| SharedFlush::default()).collect(),
                in_progress: Mutex::default(),
                young: YoungBlobs::default(),
                downloads: Arc::default(),
            }),
        })
    }

    /// Whether this process is writing the blob, or has written it and not yet let go of it.
    ///
    /// A sweeper asks this first and the namespace second: once the answer is "no", the commit that
    /// might name the blob has succeeded or failed already.
    #[must_use]
    pub fn in_progress(&self, id: BlobId) -> bool {
        self.shared.in_progress.lock().contains(&id)
    }

    /// Makes finished blobs durable: their bytes and their names. The flushes run at once.
    ///
    /// # Errors
    /// The disk's own; then the blobs are to be given up.
    pub fn sync(&self, ids: &BTreeSet<BlobId>) -> Result<()> {
        let ids: Vec<BlobId> = ids.iter().copied().collect();
        for some in ids.chunks(SYNCED_AT_ONCE) {
            let files: Vec<_> = some.iter().map(|id| self.written(*id)).collect::<Result<_>>()?;
            self.shared.disk.sync_files(&files)?;
            for id in some {
                self.flush_folder(*id)?;
                self.shared.young.remove(*id);
            }
        }
        Ok(())
    }

    /// The blob's file, with all of its bytes.
    fn written(&self, id: BlobId) -> Result<Arc<dyn File>> {
        let Some(young) = self.shared.young.get(id) else {
            return self.file(id);
        };
        let file = self.shared.disk.create(&path(id))?;
        file.write_at(0, young.sealed())?;
        Ok(file)
    }

    /// Removes the blob; no error if it is gone. Reads that have begun go on. After a power cut
    /// it may be there again, as an orphan.
    ///
    /// # Errors
    /// The disk's own.
    pub fn delete(&self, id: BlobId) -> Result<()> {
        self.shared.young.remove(id);
        let removed = self.shared.disk.remove(&path(id));
        // After the removal: whoever opened it before has put it into the cache by now.
        if let Some(cache) = self.cache(id) {
            cache.lock().pop(&id);
        }
        match removed {
            Err(e) if e.kind() != Kind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Calls `each` with the id of every blob, unordered, those in progress included. Blobs that are made or
    /// deleted meanwhile may be among them or not, and those that have no file yet are not. Files with other names are passed over.
    ///
    /// # Errors
    /// The disk's own; what `each` returns.
    pub fn list(&self, each: &mut dyn FnMut(BlobId) -> Result<()>) -> Result<()> {
        (0..=u8::MAX).try_for_each(|folder| self.list_folder(folder, each))
    }

    /// As [`Blobs::list`], of the blobs whose ids begin with this byte: for sweeping in steps.
    ///
    /// # Errors
    /// As [`Blobs::list`].
    pub fn list_folder(&self, folder: u8, each: &mut dyn FnMut(BlobId) -> Result<()>) -> Result<()> {
        self.shared
            .disk
            .list(&folder_path(folder), &mut |name| match BlobId::from_str(name) {
                Ok(id) if first_byte(id) == folder => each(id),
                _ => Ok(()),
            })
    }

    fn begin(&self, id: BlobId) -> Result<InProgress> {
        if !self.shared.in_progress.lock().insert(id) {
            return Err(Error::internal(format!("blob {id} is being written already")));
        }
        Ok(InProgress {
            shared: Arc::clone(&self.shared),
            id,
        })
    }

    fn cache(&self, id: BlobId) -> Option<&Mutex<LruCache<BlobId, Arc<dyn File>>>> {
        let [_, second, ..] = id.0;
        self.shared.caches.get(usize::from(second) % CACHES)
    }

    /// The blob's file, from the cache of open files if it is there; or what may become it.
    pub(crate) fn file(&self, id: BlobId) -> Result<Arc<dyn File>> {
        let open = || self.shared.disk.open(&path(id));
        let Some(cache) = self.cache(id) else {
            return self.shared.young.get(id).map_or_else(open, |young| Ok(young));
        };
        // Held while opening, so that a deletion comes wholly before or after.
        let mut cache = cache.lock();
        if let Some(file) = cache.get(&id) {
            return Ok(Arc::clone(file));
        }
        if let Some(young) = self.shared.young.get(id) {
            return Ok(young);
        }
        let file = open()?;
        cache.put(id, Arc::clone(&file));
        Ok(file)
    }

    /// Makes the names in the blob's folder durable, together with whoever else wants that now.
    fn flush_folder(&self, id: BlobId) -> Result<()> {
        let folder = first_byte(id);
        let flush = || self.shared.disk.sync_dir(&folder_path(folder));
        match self.shared.flushes.get(usize::from(folder)) {
            Some(shared) => shared.flush(flush),
            None => flush(),
        }
    }
}
