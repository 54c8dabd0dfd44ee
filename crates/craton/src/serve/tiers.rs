//! The file of tiers: addresses and their secrets, so only its owner may read it.

use std::path::Path;

use craton_base::{Error, Kind, Result};
use craton_gate::ClassTier;
use craton_tiers::Settings;

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
    Settings::parse(&text).map_err(|e| Error::invalid(format!("{}, {}", path.display(), e.message())))
}

/// What the gate knows of them.
pub(super) fn classes(settings: &Settings) -> Vec<ClassTier> {
    let tier = |tier: &craton_tiers::settings::OneTier| ClassTier {
        class: tier.class.clone(),
        archive: tier.is_archive(),
    };
    settings.tiers.iter().map(tier).collect()
}
