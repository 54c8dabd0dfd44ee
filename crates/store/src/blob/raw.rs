//! Writing a blob that is sealed already: the bytes of a blob that was elsewhere, as they are.

use std::sync::Arc;

use craton_base::{BlobId, Result};

use super::{Blobs, InProgress, path};
use crate::disk::File;

/// A blob that is being copied here. Blocking. Dropped before [`RawWriter::finish`], it removes what it wrote.
pub(crate) struct RawWriter {
    blobs: Blobs,
    id: BlobId,
    file: Option<Arc<dyn File>>,
    offset: u64,
    _guard: InProgress,
}

impl RawWriter {
    /// Begins; there must be no such blob here.
    pub(crate) fn new(blobs: &Blobs, id: BlobId) -> Result<Self> {
        let guard = blobs.begin(id)?;
        Ok(Self {
            blobs: blobs.clone(),
            id,
            file: Some(blobs.shared.disk.create(&path(id))?),
            offset: 0,
            _guard: guard,
        })
    }

    /// Appends sealed bytes.
    pub(crate) fn write(&mut self, sealed: &[u8]) -> Result<()> {
        if let Some(file) = &self.file {
            file.write_at(self.offset, sealed)?;
            self.offset = self.offset.saturating_add(sealed.len() as u64);
        }
        Ok(())
    }

    /// Ends the blob; it is durable when this returns.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(file) = &self.file {
            file.sync()?;
        }
        self.blobs.flush_folder(self.id)?;
        self.file = None;
        Ok(())
    }
}

impl Drop for RawWriter {
    fn drop(&mut self) {
        if self.file.take().is_some()
            && let Err(e) = self.blobs.delete(self.id)
        {
            tracing::warn!(blob = %self.id, error = %e, "an unfinished copy is left to the sweeper");
        }
    }
}
