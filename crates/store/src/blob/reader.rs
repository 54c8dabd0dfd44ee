//! Reading a blob: any range, every byte verified before it is handed out.

use std::{
    ops::Range,
    sync::{Arc, atomic::AtomicUsize},
};

use bytes::Bytes;
use craton_base::{BlobId, Error, Result};
use craton_crypto::{
    SealKey,
    seal::{self, CHUNK, HEADER, Opener, Run, TAG},
};

use super::{Blobs, PIECE_BYTES, name_damage};
use crate::disk::File;

/// A blob of at most so many sealed bytes is read with one system call, when it is opened.
pub(super) const SMALL_BYTES: u64 = 64 << 10;

/// The first piece is short, so that its bytes are soon there.
const FIRST_BYTES: usize = PIECE_BYTES / 4;

/// A blob that can be read. Blocking. Threads may share it.
pub struct Reader {
    id: BlobId,
    plain_len: u64,
    opener: Opener,
    source: Source,
    downloads: Arc<AtomicUsize>,
}

enum Source {
    /// The sealed bytes of a small blob.
    Memory(Vec<u8>),
    File(Arc<dyn File>),
}

impl Reader {
    /// Opens a blob of `plain_len` plain bytes, as its owner wrote down, with its key and context.
    ///
    /// # Errors
    /// `Corrupt`, naming the blob, if it is missing, has another length, or was sealed with another key or context; the disk's own.
    pub fn open(blobs: &Blobs, id: BlobId, key: &SealKey, context: &[u8], plain_len: u64) -> Result<Self> {
        Self::of_file(blobs, blobs.file(id), id, (key, context), plain_len)
    }

    /// As [`Reader::open`], from a file that is wherever it is.
    pub(crate) fn of_file(
        blobs: &Blobs,
        file: Result<Arc<dyn File>>,
        id: BlobId,
        secret: (&SealKey, &[u8]),
        plain_len: u64,
    ) -> Result<Self> {
        file.and_then(|file| Self::open_unnamed(blobs, file, id, secret, plain_len))
            .map_err(|e| name_damage(id, e))
    }

    fn open_unnamed(
        blobs: &Blobs,
        file: Arc<dyn File>,
        id: BlobId,
        (key, context): (&SealKey, &[u8]),
        plain_len: u64,
    ) -> Result<Self> {
        let (len, expected) = (file.len()?, seal::sealed_len(plain_len));
        if len != expected {
            return Err(Error::corrupt(format!(
                "it has {len} bytes instead of {expected}"
            )));
        }
        let small = len <= SMALL_BYTES;
        let mut start = vec![
            0;
            if small {
                usize::try_from(len).unwrap_or(HEADER)
            } else {
                HEADER
            }
        ];
        file.read_at(0, &mut start)?;
        let opener = Opener::new(key, start.get(..HEADER).unwrap_or_default(), context)?;
        let source = if small {
            Source::Memory(start)
        } else {
            Source::File(file)
        };
        Ok(Self {
            id,
            plain_len,
            opener,
            source,
            downloads: blobs.shared.downloads.clone(),
        })
    }

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

    /// Whether all of it is in memory, so that reading does not block.
    pub(super) fn in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// How many downloads are under way.
    pub(super) fn downloads(&self) -> &AtomicUsize {
        &self.downloads
    }

    /// The plain bytes of `range`, in memory as a whole: for more than a piece use [`Reader::pieces`].
    /// `scratch` holds sealed bytes and can be used again.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob; `Corrupt`, naming the blob; the disk's own.
    pub fn read(&self, range: Range<u64>, scratch: &mut Vec<u8>) -> Result<Bytes> {
        let run = whole_run(self.plain_len, &range)?;
        self.sealed(run, scratch)
            .and_then(|sealed| self.open_run(run, &range, sealed))
            .map_err(|e| name_damage(self.id, e))
    }

    /// As [`Reader::read`], if that needs no waiting for the disk; `None` if it does.
    pub(super) fn read_cached(&self, range: Range<u64>, scratch: &mut Vec<u8>) -> Option<Result<Bytes>> {
        let run = match whole_run(self.plain_len, &range) {
            Ok(run) => run,
            Err(e) => return Some(Err(e)),
        };
        if let Source::File(file) = &self.source {
            scratch.resize(usize::try_from(run.sealed_len).unwrap_or(usize::MAX), 0);
            if !file.read_cached(run.sealed_offset, scratch) {
                return None;
            }
            let opened = self.open_run(run, &range, scratch);
            return Some(opened.map_err(|e| name_damage(self.id, e)));
        }
        Some(self.read(range, scratch))
    }

    fn open_run(&self, run: Run, range: &Range<u64>, sealed: &[u8]) -> Result<Bytes> {
        let mut plain = Vec::new();
        self.opener
            .open_chunks(run.first_chunk, sealed, run.ends_message, &mut plain)?;
        let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        let end = run.skip.saturating_add(len);
        if end > plain.len() {
            return Err(Error::internal("a run of chunks does not hold its range"));
        }
        Ok(Bytes::from(plain).slice(run.skip..end))
    }

    fn sealed<'a>(&'a self, run: Run, scratch: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        let len = usize::try_from(run.sealed_len).unwrap_or(usize::MAX);
        match &self.source {
            Source::Memory(all) => {
                let from = usize::try_from(run.sealed_offset).unwrap_or(usize::MAX);
                all.get(from..from.saturating_add(len))
                    .ok_or_else(|| Error::corrupt("it is shorter than it was"))
            }
            Source::File(file) => {
                // No zeroing where the scratch buffer was as long before: all of it is overwritten.
                scratch.resize(len, 0);
                file.read_at(run.sealed_offset, scratch)?;
                Ok(scratch)
            }
        }
    }

    /// The plain bytes of `range`, piece by piece.
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob.
    pub fn pieces(&self, range: Range<u64>) -> Result<impl Iterator<Item = Result<Bytes>> + '_> {
        let mut plan = Plan::new(self.plain_len, range)?;
        let mut scratch = Vec::new();
        Ok(std::iter::from_fn(move || {
            Some(self.read(plan.next()?, &mut scratch))
        }))
    }
}

/// The chunks of a range. Where it ends with the message, the message's empty last chunk is among them, so that
/// reading to the end verifies the end.
fn whole_run(plain_len: u64, range: &Range<u64>) -> Result<Run> {
    let mut run = seal::run(plain_len, range.clone())?;
    if !run.ends_message && range.end == plain_len {
        run.ends_message = true;
        run.sealed_len = run.sealed_len.saturating_add(TAG as u64);
    }
    Ok(run)
}

/// How a range is cut into pieces, at chunk borders.
pub(super) struct Plan {
    next: u64,
    end: u64,
    /// An empty range still has one piece, so that reading nothing verifies something.
    first: bool,
}

impl Plan {
    pub(super) fn new(plain_len: u64, range: Range<u64>) -> Result<Self> {
        // Checks the range.
        seal::run(plain_len, range.clone())?;
        Ok(Self {
            next: range.start,
            end: range.end,
            first: true,
        })
    }
}

impl Plan {
    /// The next piece, of at most `len` bytes.
    pub(super) fn piece(&mut self, len: usize) -> Option<Range<u64>> {
        if self.next >= self.end && !self.first {
            return None;
        }
        let len = if self.first { FIRST_BYTES.min(len) } else { len };
        self.first = false;
        let start = self.next;
        let aligned = start.saturating_sub(start % CHUNK as u64);
        self.next = self.end.min(aligned.saturating_add(len as u64));
        Some(start..self.next)
    }

    /// Takes back a piece that was not read: the last one that was taken.
    pub(super) fn give_back(&mut self, piece: &Range<u64>) {
        self.next = piece.start;
        self.first = piece.is_empty();
    }
}

impl Iterator for Plan {
    type Item = Range<u64>;

    fn next(&mut self) -> Option<Range<u64>> {
        self.piece(PIECE_BYTES)
    }
}
