//! Writing a blob: plain bytes in, sealed bytes to a file, durable at the end.

use std::sync::Arc;

use craton_base::{BlobId, Error, Random, Result, random};
use craton_crypto::{
    SealKey,
    seal::{SEALED_CHUNK, Sealer},
};

use super::{Blobs, InProgress, PIECE_BYTES, path};
use crate::disk::File;

/// Sealed bytes are written to the file when there are so many: about 1 MiB.
const WRITE_BYTES: usize = 64 * SEALED_CHUNK;

/// The most that the buffer of sealed bytes holds: one piece more.
const BUFFER_BYTES: usize = WRITE_BYTES + (PIECE_BYTES / craton_crypto::seal::CHUNK + 2) * SEALED_CHUNK;

/// A blob that is being written, sealed as it comes. Blocking. Dropped before [`Writer::finish`],
/// it removes what it wrote.
///
/// The file is made with the first bytes that go to the disk, so that a small body which breaks off touches no disk.
pub struct Writer {
    blobs: Blobs,
    id: BlobId,
    guard: Option<InProgress>,
    sealer: Option<Sealer>,
    file: Option<Arc<dyn File>>,
    buffer: Vec<u8>,
    /// Sealed bytes in the file.
    offset: u64,
    plain_len: u64,
}

/// A blob that is whole and durable. It stays [`Blobs::in_progress`] until this is dropped, so keep
/// it until the commit that names the blob has returned.
#[must_use = "the sweeper may take the blob once this is dropped"]
pub struct Finished {
    id: BlobId,
    plain_len: u64,
    _guard: Option<InProgress>,
}

impl Finished {
    /// The blob's id.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Its plain length in bytes.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }
}

impl Writer {
    /// The most memory that a writer holds, in bytes.
    pub const MEMORY: u64 = BUFFER_BYTES as u64;

    /// Begins the blob `id`, which must be new and random. `context` binds it to its place: it opens only with the same.
    ///
    /// # Errors
    /// The random source's own; `Internal` if the id is in use.
    pub fn new(
        blobs: &Blobs,
        id: BlobId,
        key: &SealKey,
        context: &[u8],
        random: &dyn Random,
    ) -> Result<Self> {
        let sealer = Sealer::new(key, random::bytes(random)?, context)?;
        Ok(Self {
            blobs: blobs.clone(),
            id,
            guard: Some(blobs.begin(id)?),
            buffer: sealer.header().to_vec(),
            sealer: Some(sealer),
            file: None,
            offset: 0,
            plain_len: 0,
        })
    }

    /// The blob's id.
    #[must_use]
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Plain bytes so far.
    #[must_use]
    pub fn plain_len(&self) -> u64 {
        self.plain_len
    }

    /// Seals and appends plain bytes.
    ///
    /// # Errors
    /// `TooLarge` beyond the format's limit; the disk's own. After an error the blob can not be finished.
    pub fn write(&mut self, plain: &[u8]) -> Result<()> {
        for piece in plain.chunks(PIECE_BYTES) {
            let mut sealer = self.sealer.take().ok_or_else(broken)?;
            if self.buffer.capacity() < BUFFER_BYTES
                && self.buffer.len().saturating_add(piece.len()) > 64 << 10
            {
                self.buffer
                    .reserve_exact(BUFFER_BYTES.saturating_sub(self.buffer.len()));
            }
            sealer.update(piece, &mut self.buffer)?;
            self.plain_len = self.plain_len.saturating_add(piece.len() as u64);
            if self.buffer.len() >= WRITE_BYTES {
                self.write_out()?;
            }
            self.sealer = Some(sealer);
        }
        Ok(())
    }

    fn write_out(&mut self) -> Result<()> {
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(self.blobs.shared.disk.create(&path(self.id))?),
        };
        file.write_at(self.offset, &self.buffer)?;
        self.offset = self.offset.saturating_add(self.buffer.len() as u64);
        self.buffer.clear();
        Ok(())
    }

    /// Ends the blob; it is durable when this returns (BL-1).
    ///
    /// # Errors
    /// The disk's own; then the blob is gone, or an orphan.
    pub fn finish(mut self) -> Result<Finished> {
        self.seal()?;
        self.write_out()?;
        let file = self.file.as_ref().ok_or_else(broken)?;
        file.sync()?;
        self.blobs.flush_folder(self.id)?;
        Ok(self.finished())
    }

    /// Ends the blob, which is not durable before [`Blobs::sync`]: for what may never be named. A small one has no file before that.
    ///
    /// # Errors
    /// The disk's own; then the blob is gone, or an orphan.
    pub fn finish_unsynced(mut self) -> Result<Finished> {
        self.seal()?;
        if self.file.is_none() {
            let sealed = std::mem::take(&mut self.buffer);
            match self.blobs.shared.young.keep(self.id, sealed) {
                Ok(()) => return Ok(self.finished()),
                Err(sealed) => self.buffer = sealed,
            }
        }
        self.write_out()?;
        Ok(self.finished())
    }

    fn seal(&mut self) -> Result<()> {
        let sealer = self.sealer.take().ok_or_else(broken)?;
        sealer.finish(&mut self.buffer)
    }

    fn finished(&mut self) -> Finished {
        self.file = None;
        Finished {
            id: self.id,
            plain_len: self.plain_len,
            _guard: self.guard.take(),
        }
    }
}

fn broken() -> Error {
    Error::internal("a blob's writer was used after it failed")
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Only a file that this writer made and did not finish. What can not be removed now is an orphan.
        if self.file.take().is_some()
            && let Err(e) = self.blobs.delete(self.id)
        {
            tracing::warn!(blob = %self.id, error = %e, "an unfinished blob is left to the sweeper");
        }
    }
}
