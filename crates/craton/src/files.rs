//! The few files beside the data folder that the program itself reads and writes: settings,
//! certificates, credentials, policies, what the kernel says about this process.
//!
//! Invariant: every read has a limit. Deliberately absent: the data folder, which is the store's;
//! the content that clients upload, which is streamed.
#![expect(
    clippy::disallowed_methods,
    reason = "reads settings and credentials before and beside the store, and never stored data"
)]

use std::{fs, io::Read as _, path::Path};

use craton_base::{Error, Kind, Result};

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// `NotFound`; `TooLarge`; the operating system's own; always with the file's name.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let failed = |e: std::io::Error| {
        let kind = Error::from(std::io::Error::from(e.kind())).kind();
        Error::new(
            kind,
            "Io",
            format!("the file {} can not be read: {e}", path.display()),
        )
        .with_source(e)
    };
    let file = fs::File::open(path).map_err(failed)?;
    let mut out = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut out)
        .map_err(failed)?;
    match out.len() as u64 <= limit {
        true => Ok(out),
        false => {
            let message = format!("the file {} has more than {limit} bytes", path.display());
            Err(Error::new(Kind::TooLarge, "FileTooLarge", message))
        }
    }
}

/// Writes a file, in the place of what was there.
///
/// # Errors
/// The file system's own.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes)?)
}

/// [`read`], as text.
///
/// # Errors
/// As [`read`]; `Invalid` if it is not UTF-8.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|e| Error::invalid(format!("the file {} is not text", path.display())).with_source(e))
}

/// Whether anyone but the owner may read the file.
///
/// # Errors
/// `NotFound`; the operating system's own.
pub(crate) fn others_may_read(path: &Path) -> Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = fs::metadata(path).map_err(|e| {
        let message = format!("the file {} can not be read: {e}", path.display());
        Error::new(Error::from(std::io::Error::from(e.kind())).kind(), "Io", message).with_source(e)
    })?;
    Ok(found.permissions().mode() & 0o077 != 0)
}

/// Which run of the kernel this is: changes when the machine restarts.
///
/// # Errors
/// The operating system's own.
pub(crate) fn kernel_boot_id() -> Result<String> {
    Ok(read_text(Path::new("/proc/sys/kernel/random/boot_id"), 256)?
        .trim()
        .to_owned())
}

/// The most memory that this process ever had in use (`VmHWM`), in bytes; `None` where the kernel does not say.
pub(crate) fn peak_memory_bytes() -> Option<u64> {
    let status = read_text(Path::new("/proc/self/status"), 64 << 10).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

/// Removes a folder and everything in it; for the tour's own temporary one.
///
/// # Errors
/// The operating system's own.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    Ok(fs::remove_dir_all(path)?)
}
