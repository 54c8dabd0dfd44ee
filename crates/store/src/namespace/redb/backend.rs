//! redb's storage on a [`File`], and what happens to it when the disk fails.
//!
//! redb itself refuses every call, reads of cached or healthy pages included, after one failed write.
//! The reads of the last good commit must go on, so after the first failed write, flush or change of length
//! this backend never touches the file again: the rest of the commit that is under way lands in
//! memory, is reported as failed by [`Health::check`], and is thrown away with the backend. The pages of the
//! last good commit are not among them, because redb copies on write and a snapshot holds them.
//!
//! Invariants: nothing is written to the file after a failure; at most the rest of one commit is held.
//! A failed read is told to redb, which then refuses everything.
//!
//! Deliberately absent: pages, commits, the lock on the file (the caller takes it).

use std::{
    collections::HashMap,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use craton_base::{Error, Kind as ErrorKind, Result};
use parking_lot::Mutex;

use crate::disk::File;

/// Whether the disk has taken everything so far.
#[derive(Default)]
pub(super) struct Health {
    failed: AtomicBool,
    cause: Mutex<Option<Error>>,
}

impl Health {
    /// The error to answer a commit with after which the disk has failed; its cause is told once.
    pub(super) fn check(&self) -> Result<()> {
        if !self.failed.load(Ordering::Acquire) {
            return Ok(());
        }
        let error = Error::new(
            ErrorKind::Unavailable,
            "StorePoisoned",
            "the disk failed during a commit; nothing is written until the store is opened again",
        );
        Err(match self.cause.lock().take() {
            Some(cause) => error.with_source(cause),
            None => error,
        })
    }

    fn fail(&self, cause: Error) {
        self.failed.store(true, Ordering::Release);
        self.cause.lock().get_or_insert(cause);
    }

    fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}

/// A file longer than this was not left behind by an unfinished creation, which has redb's first length, 1 to 2 MiB.
const UNFINISHED_BYTES_MAX: u64 = 8 << 20;

/// redb's first page: nothing but the header.
const HEADER_BYTES: u64 = 4096;

/// How redb's header begins once it has been flushed for the first time.
const MAGIC_BYTES: usize = 9;

/// Empties a file that redb was making when the power was cut, which redb itself refuses to open: its length is
/// set, but the header's first bytes, which redb writes after a flush of all else, are zero. So nothing in
/// it was ever acknowledged. To be sure, all of it beyond the header must be zero too.
pub(super) fn empty_unfinished(file: &dyn File) -> Result<()> {
    let len = file.len()?;
    if len == 0 || len > UNFINISHED_BYTES_MAX {
        return Ok(());
    }
    let mut magic = [0; MAGIC_BYTES];
    if len > HEADER_BYTES {
        file.read_at(0, &mut magic)?;
    }
    if magic != [0; MAGIC_BYTES] {
        return Ok(());
    }
    let rest = len.saturating_sub(HEADER_BYTES);
    let mut bytes = vec![0; usize::try_from(rest).unwrap_or(0)];
    file.read_at(HEADER_BYTES.min(len), &mut bytes)?;
    if bytes.iter().all(|byte| *byte == 0) {
        tracing::warn!("the namespace's file was not finished when it was made; it is made again");
        file.set_len(0)?;
    }
    Ok(())
}

/// Where redb's header says how the file was left, and the bits that say: it was not closed, and: the last commit
/// was flushed before the byte was written.
const STATE_OFFSET: usize = MAGIC_BYTES;
const NOT_CLOSED: u8 = 2;
const TWO_FLUSHES: u8 = 4;

/// Files are written again in pieces of so many bytes.
const AGAIN_BYTES: usize = 1 << 20;

/// Writes and flushes again what the last process may have failed to flush. After a failed flush the
/// kernel shows bytes that never reached the disk, and takes the next flush of them for done: a commit that
/// failed would be read, built upon, and lost with all that was built upon it at the next power cut.
///
/// Of a file whose last commit took two flushes only the header can be in doubt: without the byte in it, no
/// page of that commit is in use. Such are the files that are too large to be written again.
pub(super) fn flush_again(file: &dyn File) -> Result<()> {
    let len = file.len()?;
    let mut header = vec![0; usize::try_from(HEADER_BYTES.min(len)).unwrap_or(0)];
    file.read_at(0, &mut header)?;
    let state = header.get(STATE_OFFSET).copied().unwrap_or_default();
    if state & NOT_CLOSED == 0 {
        return Ok(());
    }
    let doubtful = if state & TWO_FLUSHES == 0 {
        len
    } else {
        HEADER_BYTES.min(len)
    };
    let mut piece = vec![0; AGAIN_BYTES];
    let mut offset = 0u64;
    while offset < doubtful {
        let left = usize::try_from(doubtful.saturating_sub(offset)).unwrap_or(usize::MAX);
        let now = piece.get_mut(..left.min(AGAIN_BYTES)).unwrap_or_default();
        file.read_at(offset, now)?;
        file.write_at(offset, now)?;
        offset = offset.saturating_add(now.len() as u64);
    }
    // The length too: it may be one that was not flushed.
    file.set_len(len)?;
    file.sync()
}

/// What a failed commit goes on to write, by offset.
#[derive(Default)]
struct Overlay {
    len: Option<u64>,
    writes: HashMap<u64, Vec<u8>>,
}

pub(super) struct Backend {
    file: Arc<dyn File>,
    health: Arc<Health>,
    overlay: Mutex<Overlay>,
}

impl Backend {
    pub(super) fn new(file: Arc<dyn File>, health: Arc<Health>) -> Self {
        Self {
            file,
            health,
            overlay: Mutex::default(),
        }
    }

    /// Runs `write` on the file unless the disk has failed; a failure is kept, not returned.
    fn attempt(&self, write: impl FnOnce(&dyn File) -> Result<()>) -> bool {
        if self.health.failed() {
            return false;
        }
        write(self.file.as_ref()).map_err(|e| self.health.fail(e)).is_ok()
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}

impl ::redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        if let Some(len) = self.overlay.lock().len {
            return Ok(len);
        }
        self.file.len().map_err(io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.health.failed()
            && let Some(written) = self.overlay.lock().writes.get(&offset)
            && let Some(written) = written.get(..out.len())
        {
            out.copy_from_slice(written);
            return Ok(());
        }
        self.file.read_at(offset, out).map_err(io::Error::other)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if !self.attempt(|file| file.set_len(len)) {
            self.overlay.lock().len = Some(len);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.attempt(|file| file.sync());
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !self.attempt(|file| file.write_at(offset, data)) {
            self.overlay.lock().writes.insert(offset, data.to_vec());
        }
        Ok(())
    }
}
