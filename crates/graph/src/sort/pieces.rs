//! Spilled pieces: what a sorter can not hold, written once in order and read once in order, in a scratch blob.
//!
//! Invariant: what one `write` was given, one `read` gives back. Lengths of pieces are kept in memory, four bytes each.
//!
//! Deliberately absent: what is in a piece; where blobs lie and how they are sealed.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Result};

use crate::{BlobRead, BlobWrite, Storage};

/// A run of pieces being written.
pub(super) struct PieceWriter {
    blob: Box<dyn BlobWrite>,
    lengths: Vec<u32>,
}

impl PieceWriter {
    pub(super) fn new(storage: &dyn Storage) -> Result<Self> {
        Ok(Self {
            blob: storage.create()?,
            lengths: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, piece: &[u8]) -> Result<()> {
        let length =
            u32::try_from(piece.len()).map_err(|_| Error::internal("a spilled piece is too long"))?;
        self.lengths.push(length);
        self.blob.write(piece)
    }

    pub(super) fn finish(self) -> Result<PieceReader> {
        Ok(PieceReader {
            blob: self.blob.finish()?,
            lengths: self.lengths.into_iter(),
            at: 0,
        })
    }
}

/// A run of pieces being read.
pub(super) struct PieceReader {
    blob: Arc<dyn BlobRead>,
    lengths: std::vec::IntoIter<u32>,
    at: u64,
}

impl PieceReader {
    /// The next piece; `None` after the last.
    pub(super) fn read(&mut self) -> Result<Option<Bytes>> {
        let Some(length) = self.lengths.next() else {
            return Ok(None);
        };
        let end = self.at.saturating_add(u64::from(length));
        let piece = self.blob.read(self.at..end)?;
        self.at = end;
        Ok(Some(piece))
    }
}
