//! The disk as a trait: what the store needs of a file system, and nothing else.
//!
//! [`real::RealDisk`] is the one place in the product that calls `std::fs`. `craton-sim` has another
//! implementation that loses, reorders and tears what was not synced.
//!
//! The contract that the store relies on, and that the simulation enforces:
//! - bytes written to a file are durable after `sync` of that file returned;
//! - a file's existence under its name is durable after `sync_dir` of its directory returned;
//! - without them, after a power cut, any subset of 512-byte sectors of unsynced writes may be there,
//!   and any subset of unsynced creations, renames and removals.

use std::sync::Arc;

use craton_base::Result;

pub mod real;

/// A directory tree. Paths are relative, `/`-separated, made only by the store itself. The empty path is the root.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new empty file for reading and writing, private to the owner (mode 0600).
    ///
    /// # Errors
    /// `Exists` if there is one; the operating system's own.
    fn create(&self, path: &str) -> Result<Arc<dyn File>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`; the operating system's own.
    fn open(&self, path: &str) -> Result<Arc<dyn File>>;

    /// Renames a file, replacing the target atomically.
    ///
    /// # Errors
    /// The operating system's own.
    fn rename(&self, from: &str, to: &str) -> Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`; the operating system's own.
    fn remove(&self, path: &str) -> Result<()>;

    /// Makes a directory (mode 0700) and its parents; no error if it exists.
    ///
    /// # Errors
    /// The operating system's own.
    fn create_dir(&self, path: &str) -> Result<()>;

    /// The names in a directory, unordered, in pieces: `each` is called for every name.
    ///
    /// # Errors
    /// `NotFound`; the operating system's own; what `each` returns.
    fn list(&self, path: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()>;

    /// Makes the bytes and lengths of several files durable: the flushes that this takes may run at once, so that it lasts about as
    /// long as one.
    ///
    /// # Errors
    /// As [`File::sync`], of any of them.
    fn sync_files(&self, files: &[Arc<dyn File>]) -> Result<()> {
        files.iter().try_for_each(|file| file.sync())
    }

    /// Makes the directory's own changes durable.
    ///
    /// # Errors
    /// The operating system's own.
    fn sync_dir(&self, path: &str) -> Result<()>;

    /// Whether nobody but the file's owner can read or write it.
    ///
    /// # Errors
    /// `NotFound`; the operating system's own.
    fn is_private(&self, path: &str) -> Result<bool>;
}

/// An open file. Reads and writes are at offsets, so that threads may share one.
#[expect(clippy::len_without_is_empty, reason = "a file, not a collection")]
pub trait File: Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The operating system's own.
    fn len(&self) -> Result<u64>;

    /// Sets the length; new bytes are zero.
    ///
    /// # Errors
    /// The operating system's own.
    fn set_len(&self, len: u64) -> Result<()>;

    /// Fills `out` from `offset`.
    ///
    /// # Errors
    /// `Corrupt` if the file ends before; the operating system's own.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()>;

    /// Fills `out` from `offset` if the bytes are in memory already, and says whether it did. Never waits for
    /// the disk, so async code may call it. `false` says nothing about the bytes: [`File::read_at`] does.
    fn read_cached(&self, _offset: u64, _out: &mut [u8]) -> bool {
        false
    }

    /// Writes all of `data` at `offset`. When it returns, the bytes have left the process.
    ///
    /// # Errors
    /// The operating system's own; some of the bytes may have been written.
    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// The operating system's own. After an error the unsynced bytes must be taken as lost.
    fn sync(&self) -> Result<()>;

    /// Takes the operating system's exclusive lock; `false` if another process holds it.
    ///
    /// # Errors
    /// The operating system's own.
    fn try_lock(&self) -> Result<bool>;
}
