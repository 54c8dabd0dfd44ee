//! Blobs through a permit, for engines that work on threads of their own: scratch space, and runs that a commit may name.
//!
//! Invariants: what is reached lies under the permit's path; what moves is counted in its outcome; a handle holds the
//! permit, so the outcome is recorded after the last of the work.
//!
//! Deliberately absent: commits, which only a write permit makes.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use craton_base::{Result, Sequence};
use craton_store::{
    namespace::Kind,
    scratch::{BlobReader, ScratchWriter},
    store::{Content, INLINE_BYTES_MAX},
    value::{Extent, Stored},
};

use super::{Permit, ReadPermit, WritePermit};
use crate::scope;

/// A permit as an engine's threads hold it. It reads, and writes blobs that nothing names; it changes nothing.
#[derive(Clone)]
pub struct Handle(Arc<Permit>, Option<Sequence>);

/// A blob being written. Dropped before [`BlobWriter::finish`], nothing stays.
pub struct BlobWriter {
    writer: ScratchWriter,
    permit: Arc<Permit>,
}

/// A blob that can be read, by several threads.
pub struct Blob {
    reader: BlobReader,
    permit: Arc<Permit>,
}

impl ReadPermit {
    /// For an engine's threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.permit.clone(), None)
    }
}

impl WritePermit {
    /// For an engine's threads.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(self.permit.clone(), None)
    }
}

impl Handle {
    /// The same, reading as of now whatever is committed later: for an engine that reads what it is about to change.
    #[must_use]
    pub fn pinned(&self) -> Self {
        Self(
            self.0.clone(),
            self.1.or_else(|| Some(self.0.gate.store.latest())),
        )
    }

    /// An entry under the permit's path, as of the moment that the handle is pinned to, else as the permit sees it.
    ///
    /// # Errors
    /// As [`Permit::entry`].
    pub fn entry(&self, kind: Kind, name: &[u8]) -> Result<Option<Stored>> {
        match self.1 {
            Some(at) => self
                .0
                .gate
                .store
                .get(&self.0.key(kind, name)?, at.min(self.0.at())),
            None => self.0.entry(kind, name),
        }
    }

    /// Begins a blob for the entry `name`, which need not ever be made. Blocks.
    ///
    /// # Errors
    /// `OutsidePermit`; if no key is to be had.
    pub fn create(&self, kind: Kind, name: &[u8]) -> Result<BlobWriter> {
        let writer = self.0.gate.store.scratch(&self.0.key(kind, name)?)?;
        Ok(BlobWriter {
            writer,
            permit: self.0.clone(),
        })
    }

    /// Opens a blob of the entry `name`. Blocks.
    ///
    /// # Errors
    /// `OutsidePermit`; `Invalid` for inline content; `Corrupt`; the disk's own.
    pub fn open(&self, kind: Kind, name: &[u8], extent: &Extent) -> Result<Blob> {
        let reader = self.0.gate.store.blob_reader(&self.0.key(kind, name)?, extent)?;
        Ok(Blob {
            reader,
            permit: self.0.clone(),
        })
    }

    /// Seals content of the entry `name`: inline if it is small, else as a blob. Blocks.
    ///
    /// # Errors
    /// `OutsidePermit`; the disk's own.
    pub fn seal(&self, kind: Kind, name: &[u8], content: &[u8]) -> Result<Extent> {
        if content.len() <= INLINE_BYTES_MAX {
            self.0.moved(content.len() as u64);
            return self
                .0
                .gate
                .store
                .seal_inline(&self.0.key(kind, name)?, content, None);
        }
        let mut writer = self.create(kind, name)?;
        writer.write(content)?;
        writer.finish()
    }

    /// All content of an entry of one extent, in memory: for what is known to be small. Blocks.
    ///
    /// # Errors
    /// `OutsidePermit`; `Corrupt`; the disk's own.
    pub fn whole(&self, stored: &Stored) -> Result<Bytes> {
        let key = self.0.key(stored.key.kind, &stored.key.name)?;
        if key != stored.key {
            return Err(scope::outside(self.0.resource(), stored.key.kind));
        }
        let Some(extent) = stored.value.content.first() else {
            return Ok(Bytes::new());
        };
        if extent.inline.is_none() {
            let blob = self.open(stored.key.kind, &stored.key.name, extent)?;
            return blob.read(0..extent.len);
        }
        match self
            .0
            .gate
            .store
            .content(&key, &stored.value, 0..stored.value.len(), None)?
        {
            Content::Whole(bytes) => {
                self.0.spend(bytes.len() as u64)?;
                Ok(bytes)
            }
            Content::Stream(_) => Err(craton_base::Error::internal("inline content came as a stream")),
        }
    }

    /// Makes blobs durable, as they must be before a commit names them. Blocks.
    ///
    /// # Errors
    /// The disk's own.
    pub fn make_durable<'a>(&self, extents: impl IntoIterator<Item = &'a Extent>) -> Result<()> {
        self.0.gate.store.make_durable(extents)
    }
}

impl std::ops::Deref for Handle {
    type Target = Permit;

    fn deref(&self) -> &Permit {
        &self.0
    }
}

impl BlobWriter {
    /// The most memory that a writer holds, in bytes.
    pub const MEMORY: u64 = ScratchWriter::MEMORY;

    /// Appends bytes.
    ///
    /// # Errors
    /// The disk's own.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.permit.moved(bytes.len() as u64);
        self.writer.write(bytes)
    }

    /// Ends the blob. It can be read, and is deleted when nothing holds the extent unless a commit names it, before which it
    /// is to be made durable.
    ///
    /// # Errors
    /// The disk's own.
    pub fn finish(self) -> Result<Extent> {
        self.writer.finish()
    }
}

impl Blob {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.reader.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// The bytes of `range`, verified.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob; `Corrupt`; the disk's own.
    pub fn read(&self, range: Range<u64>) -> Result<Bytes> {
        self.permit.spend(range.end.saturating_sub(range.start))?;
        self.reader.read(range)
    }
}
