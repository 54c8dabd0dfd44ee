//! The file of targets: addresses and their secrets, so only its owner may read it. And where runs are told of.

use std::path::{Path, PathBuf};

use craton_base::{Error, Kind, Result, Secret};
use craton_work::{OpenLineage, target::Settings};

use crate::files;

/// The most bytes of the file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The most bytes of an API key.
const KEY_BYTES_MAX: u64 = 4096;

/// The text of a file that only its owner may read.
fn private(path: &Path, bytes_max: u64) -> Result<String> {
    if files::others_may_read(path)? {
        let message = format!("others may read {}: it holds secrets (chmod 600)", path.display());
        return Err(Error::new(Kind::Denied, "FileNotPrivate", message));
    }
    files::read_text(path, bytes_max)
}

/// Where runs are told of, if they are.
///
/// # Errors
/// `Denied` if others may read the key; `Invalid`; the operating system's own.
pub(super) fn openlineage(settings: &crate::config::Settings) -> Result<Option<OpenLineage>> {
    let Some(url) = settings.openlineage_url.clone() else {
        return Ok(None);
    };
    let read = |path: &PathBuf| private(path, KEY_BYTES_MAX);
    let key = settings.openlineage_key.as_ref().map(read).transpose()?;
    let found = OpenLineage {
        url,
        key: key.map(|key| Secret::from(key.trim().to_owned())),
        idle: settings.openlineage_idle,
    };
    found.check()?;
    Ok(Some(found))
}

/// Reads the file.
///
/// # Errors
/// `Denied` if others may read it; `Invalid`, naming what is wrong; the operating system's own.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let text = private(path, FILE_BYTES_MAX)?;
    // Not the parser's own words: they show the line, which may hold a secret.
    let wrong = |e: toml::de::Error| {
        let line = e.span().map_or(0, |span| {
            text.get(..span.start).map_or(0, |before| before.lines().count())
        });
        let message = format!("{}, at line {}: {}", path.display(), line.max(1), e.message());
        Error::invalid(message)
    };
    let settings: Settings = toml::from_str(&text).map_err(wrong)?;
    settings.check()?;
    Ok(settings)
}
