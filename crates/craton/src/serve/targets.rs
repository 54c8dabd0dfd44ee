//! The file of targets: addresses and their secrets, so only its owner may read it.

use std::path::Path;

use craton_base::{Error, Kind, Result};
use craton_work::target::Settings;

use crate::files;

/// The most bytes of the file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the file.
///
/// # Errors
/// `Denied` if others may read it; `Invalid`, naming what is wrong; the operating system's own.
pub(super) fn read(path: &Path) -> Result<Settings> {
    if files::others_may_read(path)? {
        let message = format!("others may read {}: it holds secrets (chmod 600)", path.display());
        return Err(Error::new(Kind::Denied, "FileNotPrivate", message));
    }
    let text = files::read_text(path, FILE_BYTES_MAX)?;
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
