//! Bytes that runs are kept in: written once from front to end, then read in any order. Sealed blobs behind a permit in
//! the product; vectors in tests.
//!
//! Calls block; they are made on threads that may.
//!
//! Deliberately absent: what the bytes are.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use craton_base::{Error, Result};
use craton_gate::Extent;

/// Where new blobs come from. Scratch: what is not committed disappears when its last holder lets go, and at the latest
/// when the store is opened again.
pub trait Storage: Send + Sync {
    /// Begins a blob.
    ///
    /// # Errors
    /// The disk's own; `TooLarge` if the limit of scratch bytes is reached.
    fn create(&self) -> Result<Box<dyn BlobWrite>>;
}

/// A blob being written.
pub trait BlobWrite: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// The disk's own.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Ends the blob, which can then be read.
    ///
    /// # Errors
    /// The disk's own.
    fn finish(self: Box<Self>) -> Result<Arc<dyn BlobRead>>;
}

/// A blob that can be read.
pub trait BlobRead: Send + Sync {
    /// Its length in bytes.
    fn len(&self) -> u64;

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob; `Corrupt` if it does not verify; the disk's own.
    fn read(&self, range: Range<u64>) -> Result<Bytes>;

    /// What a commit names it by; `None` for a blob that is not in a store.
    fn reference(&self) -> Option<Reference> {
        None
    }
}

/// A blob of a store, for a manifest.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The run's id.
    pub id: [u8; 16],
    /// Where it is; `None` if an earlier commit names it already.
    pub extent: Option<Extent>,
}

/// Blobs in memory, for tests and for what is known to be small.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory;

struct MemoryWrite(Vec<u8>);

struct MemoryRead(Bytes);

impl Storage for Memory {
    fn create(&self) -> Result<Box<dyn BlobWrite>> {
        Ok(Box::new(MemoryWrite(Vec::new())))
    }
}

impl BlobWrite for MemoryWrite {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Arc<dyn BlobRead>> {
        Ok(Arc::new(MemoryRead(self.0.into())))
    }
}

impl BlobRead for MemoryRead {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let outside = |_| Error::invalid("the range is not within the blob");
        let start = usize::try_from(range.start).map_err(outside)?;
        let end = usize::try_from(range.end).map_err(outside)?;
        if start > end || end > self.0.len() {
            return Err(Error::invalid("the range is not within the blob"));
        }
        Ok(self.0.slice(start..end))
    }
}
