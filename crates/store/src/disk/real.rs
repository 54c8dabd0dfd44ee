//! The machine's file system: the one place in the product that calls `std::fs`.
//!
//! Invariants: every file is made with mode 0600 and every directory with 0700; a path that could
//! leave the root (absolute, `..`, empty parts) is refused; nothing is ever followed outside.
//!
//! Durability: [`File::sync`] is `fdatasync`. On Linux it flushes a file's bytes and the metadata
//! needed to read them back, its length included; it leaves out only times. Directory entries are
//! flushed by [`Disk::sync_dir`], an `fsync` of the directory.
//!
//! Deliberately absent: what the files hold, retries, caching beyond the kernel's.
#![expect(
    clippy::disallowed_methods,
    reason = "this module is the one place that touches the machine's disk"
)]

use std::{
    fs::{self, DirBuilder, OpenOptions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use craton_base::{Error, Kind, Result};

use super::{Disk, File};

/// So many flushes of files run at once.
const FLUSHES_MAX: usize = 8;

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;

/// A directory tree of the machine, rooted at one folder.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// The tree under `root`, which is made (mode 0700) if it does not exist.
    ///
    /// # Errors
    /// The operating system's own.
    pub fn open(root: &Path) -> Result<Self> {
        let new = !root.exists();
        DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(root)
            .map_err(|e| io_error("make the folder", &root.to_string_lossy(), e))?;
        let root = root
            .canonicalize()
            .map_err(|e| io_error("find the folder", &root.to_string_lossy(), e))?;
        if let (true, Some(parent)) = (new, root.parent()) {
            sync_folder(parent)?;
        }
        Ok(Self { root })
    }

    /// The folder that this tree is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn resolve(&self, path: &str) -> Result<PathBuf> {
        if path.is_empty() {
            return Ok(self.root.clone());
        }
        let sane = path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
        if !sane {
            return Err(Error::internal(format!(
                "{path:?} is not a path within the store"
            )));
        }
        Ok(self.root.join(path))
    }

    fn open_with(&self, path: &str, options: &OpenOptions) -> Result<Arc<dyn File>> {
        let file = options
            .open(self.resolve(path)?)
            .map_err(|e| io_error("open", path, e))?;
        Ok(Arc::new(RealFile {
            file,
            path: path.into(),
        }))
    }
}

impl Disk for RealDisk {
    fn create(&self, path: &str) -> Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(FILE_MODE);
        self.open_with(path, &options)
    }

    fn open(&self, path: &str) -> Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        self.open_with(path, &options)
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.resolve(from)?, self.resolve(to)?).map_err(|e| io_error("rename", from, e))
    }

    fn remove(&self, path: &str) -> Result<()> {
        fs::remove_file(self.resolve(path)?).map_err(|e| io_error("remove", path, e))
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(self.resolve(path)?)
            .map_err(|e| io_error("make the directory", path, e))
    }

    fn list(&self, path: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let entries = fs::read_dir(self.resolve(path)?).map_err(|e| io_error("list", path, e))?;
        for entry in entries {
            let name = entry.map_err(|e| io_error("list", path, e))?.file_name();
            // The store makes only ASCII names; another one is not the store's.
            if let Some(name) = name.to_str() {
                each(name)?;
            }
        }
        Ok(())
    }

    fn sync_files(&self, files: &[Arc<dyn File>]) -> Result<()> {
        let part = files.len().div_ceil(FLUSHES_MAX).max(1);
        let sync = |part: &[Arc<dyn File>]| part.iter().try_for_each(|file| file.sync());
        let mut parts = files.chunks(part);
        let Some(mine) = parts.next() else { return Ok(()) };
        thread::scope(|scope| {
            let start = |part| {
                thread::Builder::new()
                    .name("flush".into())
                    .spawn_scoped(scope, move || sync(part))
            };
            let others: Vec<_> = parts.map(|part| (part, start(part))).collect();
            let mut done = sync(mine);
            for (part, other) in others {
                // Without a thread for it, or if that ended early, it is done here.
                let its = other.ok().and_then(|thread| thread.join().ok());
                done = done.and(its.unwrap_or_else(|| sync(part)));
            }
            done
        })
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        sync_folder(&self.resolve(path)?)
    }

    fn is_private(&self, path: &str) -> Result<bool> {
        let meta = fs::metadata(self.resolve(path)?).map_err(|e| io_error("look at", path, e))?;
        Ok(meta.permissions().mode() & 0o077 == 0)
    }
}

/// An open file of the machine.
struct RealFile {
    file: fs::File,
    path: Box<str>,
}

impl RealFile {
    fn failed(&self, what: &str, e: io::Error) -> Error {
        io_error(what, &self.path, e)
    }
}

impl File for RealFile {
    fn len(&self) -> Result<u64> {
        let meta = self.file.metadata().map_err(|e| self.failed("look at", e))?;
        Ok(meta.len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.file
            .set_len(len)
            .map_err(|e| self.failed("set the length of", e))
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(out, offset).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Error::corrupt(format!(
                "{} ends before byte {}",
                self.path,
                offset.saturating_add(out.len() as u64)
            )),
            _ => self.failed("read", e),
        })
    }

    #[cfg(target_os = "linux")]
    fn read_cached(&self, offset: u64, out: &mut [u8]) -> bool {
        use rustix::io::{ReadWriteFlags, preadv2};
        let len = out.len();
        let mut into = [io::IoSliceMut::new(out)];
        matches!(preadv2(&self.file, &mut into, offset, ReadWriteFlags::NOWAIT), Ok(n) if n == len)
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.file
            .write_all_at(data, offset)
            .map_err(|e| self.failed("write", e))
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|e| self.failed("flush", e))
    }

    fn try_lock(&self) -> Result<bool> {
        match self.file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(e)) => Err(self.failed("lock", e)),
        }
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    fs::File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(|e| io_error("flush the directory", &folder.to_string_lossy(), e))
}

/// The kinds that the [`Disk`] contract names; a full disk is `Unavailable` with its own reason.
fn io_error(what: &str, path: &str, e: io::Error) -> Error {
    let (kind, reason) = match e.kind() {
        io::ErrorKind::NotFound => (Kind::NotFound, "NoSuchFile"),
        io::ErrorKind::AlreadyExists => (Kind::Exists, "FileExists"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (Kind::Unavailable, "DiskFull"),
        _ => (Kind::Internal, "Io"),
    };
    Error::new(kind, reason, format!("cannot {what} {path:?}: {e}")).with_source(e)
}

#[cfg(test)]
mod tests;
