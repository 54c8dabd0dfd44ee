//! Blobs for engines that work on threads which may block: written without waiting for the disk, read in any order, made
//! durable when a commit is to name them.
//!
//! Invariants
//! - SC-1: a blob of this module is sealed like any other, under a key of its own that only its extent holds;
//! - SC-2: an extent that no commit names is deleted when its last holder lets go, and is an orphan after a crash;
//! - SC-3: a commit that names one before [`Store::make_durable`] is refused.
//!
//! Memory: a writer holds [`ScratchWriter::MEMORY`], a reader twice what it is asked for; whoever works so has reserved it.
//!
//! Deliberately absent: what the bytes are, limits on scratch space.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use craton_base::{BlobId, Error, Result};

use crate::{
    blob::{Reader, Writer},
    fresh::Fresh,
    namespace::Key,
    store::{Store, extent_context, extent_key},
    value::Extent,
};

/// A blob being written. Dropped before [`ScratchWriter::finish`], nothing stays.
pub struct ScratchWriter {
    writer: Writer,
    id: BlobId,
    wrapped_key: Bytes,
    fresh: Arc<Fresh>,
}

impl ScratchWriter {
    /// The most memory that it holds, in bytes.
    pub const MEMORY: u64 = Writer::MEMORY;

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk's own.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes)
    }

    /// Ends the blob, which can be read from now on; not durable yet.
    ///
    /// # Errors
    /// The disk's own.
    pub fn finish(self) -> Result<Extent> {
        let finished = self.writer.finish_unsynced()?;
        Ok(Extent {
            id: self.id,
            len: finished.plain_len(),
            wrapped_key: self.wrapped_key,
            inline: None,
            tier: None,
            copied: false,
            fresh: Some(self.fresh),
            held: None,
        })
    }
}

/// A blob that can be read, in any order; threads may share it.
pub struct BlobReader {
    reader: Reader,
    /// Keeps a blob that no commit names from being deleted while it is read.
    _fresh: Option<Arc<Fresh>>,
}

impl BlobReader {
    /// Its length in bytes, not sealed.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.reader.plain_len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of `range`, verified.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob; `Corrupt`; the disk's own.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.reader.read(range, &mut Vec::new())
    }
}

impl Store {
    /// Begins a blob for an entry `owner`, or for none.
    ///
    /// # Errors
    /// If no key or randomness is to be had.
    pub fn scratch(&self, owner: &Key) -> Result<ScratchWriter> {
        let (id, key, wrapped_key, context) = self.new_extent(owner, None)?;
        let fresh = self.fresh.begin(id);
        let writer = Writer::new(&self.parts().blobs, id, &key, &context, &*self.parts().random)?;
        Ok(ScratchWriter {
            writer,
            id,
            wrapped_key,
            fresh,
        })
    }

    /// Opens a blob of `owner` for reading.
    ///
    /// # Errors
    /// `Invalid` for an inline extent; `Corrupt`; the disk's own.
    pub fn blob_reader(&self, owner: &Key, extent: &Extent) -> Result<BlobReader> {
        if extent.inline.is_some() {
            return Err(Error::invalid("inline content is no blob"));
        }
        let context = extent_context(owner, extent.id);
        let key = extent_key(&*self.wrapping_key(owner.bucket, None)?, extent, &context)?;
        Ok(BlobReader {
            reader: Reader::open(&self.parts().blobs, extent.id, &key, &context, extent.len)?,
            _fresh: extent.fresh.clone(),
        })
    }

    /// Makes blobs durable, bytes and names.
    ///
    /// # Errors
    /// The disk's own: then they must not be named.
    pub fn make_durable<'a>(&self, extents: impl IntoIterator<Item = &'a Extent>) -> Result<()> {
        let is_durable = |e: &Extent| e.inline.is_some() || e.fresh.as_ref().is_some_and(|f| f.is_durable());
        let fresh: Vec<&Extent> = extents.into_iter().filter(|e| !is_durable(e)).collect();
        let ids = fresh.iter().map(|extent| extent.id).collect();
        self.parts().blobs.sync(&ids)?;
        let marks = fresh.iter().filter_map(|extent| extent.fresh.as_ref());
        marks.for_each(|fresh| fresh.set_durable());
        Ok(())
    }
}
