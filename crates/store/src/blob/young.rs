//! Small blobs that are whole and not yet durable: they stay in memory, and become files when they are made durable.
//!
//! Most of what an engine writes in between is given up before a commit names it. A file for each costs more than its bytes: making
//! and removing it, and on some file systems a look at every inode that was freed lately.
//!
//! Invariants
//! - YB-1: together they take at most [`BYTES_MAX`], and each at most [`BLOB_BYTES_MAX`]; what finds no room becomes a file at once;
//! - YB-2: a blob leaves only once its file is whole and durable, or when it is deleted. So whoever looks here first and for the file
//!   second finds it.
//!
//! Deliberately absent: sealing; files.

use std::{collections::HashMap, sync::Arc};

use craton_base::{BlobId, Error, Result};
use parking_lot::Mutex;

use crate::disk::File;

/// The most bytes of one, sealed.
pub(super) const BLOB_BYTES_MAX: usize = 64 << 10;

/// The most bytes of all.
const BYTES_MAX: usize = 4 << 20;

/// Blobs in memory.
#[derive(Default)]
pub(super) struct YoungBlobs {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    blobs: HashMap<BlobId, Arc<YoungBlob>>,
    bytes: usize,
}

/// The sealed bytes of one, as the file that they may become.
pub(super) struct YoungBlob {
    sealed: Vec<u8>,
}

impl YoungBlobs {
    /// Keeps the sealed bytes of a blob, or gives them back.
    pub(super) fn keep(&self, id: BlobId, mut sealed: Vec<u8>) -> std::result::Result<(), Vec<u8>> {
        let mut kept = self.kept.lock();
        if sealed.len() > BLOB_BYTES_MAX || kept.bytes.saturating_add(sealed.len()) > BYTES_MAX {
            return Err(sealed);
        }
        sealed.shrink_to_fit();
        kept.bytes = kept.bytes.saturating_add(sealed.len());
        kept.blobs.insert(id, Arc::new(YoungBlob { sealed }));
        Ok(())
    }

    pub(super) fn get(&self, id: BlobId) -> Option<Arc<YoungBlob>> {
        self.kept.lock().blobs.get(&id).cloned()
    }

    pub(super) fn remove(&self, id: BlobId) {
        let mut kept = self.kept.lock();
        if let Some(gone) = kept.blobs.remove(&id) {
            kept.bytes = kept.bytes.saturating_sub(gone.sealed.len());
        }
    }
}

impl YoungBlob {
    pub(super) fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    fn part(&self, offset: u64, len: usize) -> Option<&[u8]> {
        let from = usize::try_from(offset).ok()?;
        self.sealed.get(from..from.checked_add(len)?)
    }
}

impl File for YoungBlob {
    fn len(&self) -> Result<u64> {
        Ok(self.sealed.len() as u64)
    }

    fn set_len(&self, _: u64) -> Result<()> {
        Err(is_whole())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let part = self.part(offset, out.len());
        out.copy_from_slice(part.ok_or_else(|| Error::corrupt("a blob in memory ends before what is read"))?);
        Ok(())
    }

    fn read_cached(&self, offset: u64, out: &mut [u8]) -> bool {
        self.read_at(offset, out).is_ok()
    }

    fn write_at(&self, _: u64, _: &[u8]) -> Result<()> {
        Err(is_whole())
    }

    fn sync(&self) -> Result<()> {
        Err(is_whole())
    }

    fn try_lock(&self) -> Result<bool> {
        Err(is_whole())
    }
}

fn is_whole() -> Error {
    Error::internal("a blob that is whole was written to")
}

#[cfg(test)]
mod tests;
