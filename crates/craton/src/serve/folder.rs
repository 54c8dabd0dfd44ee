//! The data folder: opening it, or making it at first start, and closing it. Its files are the
//! store's, but for one:
//!
//! ```text
//! root-credentials   the first access key, 0600; made at first start, yours to move away
//! ```

use std::{path::Path, sync::Arc};

use craton_base::{ByteSize, Clock, Error, Kind, Random, Result, clock::SystemClock};
use craton_crypto::random::SystemRandom;
use craton_gate::{Gate, NewAccessKey};
use craton_store::{
    Options, Store,
    budget::Budget,
    disk::{Disk, real::RealDisk},
    tier::Tiers,
};

use crate::files;

/// The file with the first access key.
pub(crate) const ROOT_CREDENTIALS: &str = "root-credentials";

/// An open data folder.
pub(crate) struct Folder {
    /// The only way to its data.
    pub(crate) gate: Gate,
    /// Whether this start made the root credentials.
    pub(crate) is_new: bool,
    /// The budgets of uploads and of downloads, for metrics.
    pub(super) budgets: [Budget; 2],
}

impl Folder {
    /// Opens the folder at `path`, or makes it.
    ///
    /// # Errors
    /// `Busy`, `StoreInUse`; `NotFound`, `NoKeyring`; `Corrupt`; the disk's own.
    pub(crate) fn open(path: &Path, memory: ByteSize, settings: craton_gate::Settings) -> Result<Self> {
        Self::open_with(path, memory, settings, Tiers::default())
    }

    /// [`Folder::open`], with the tiers where content may lie.
    ///
    /// # Errors
    /// As [`Folder::open`].
    pub(crate) fn open_with(
        path: &Path,
        memory: ByteSize,
        settings: craton_gate::Settings,
        tiers: Tiers,
    ) -> Result<Self> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk::open(path)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let store = Store::open(Options {
            disk: disk.clone(),
            memory,
            clock,
            random,
            inline_commits: false,
        })?;
        store.use_tiers(tiers);
        let budgets = [store.parts().uploads.clone(), store.parts().downloads.clone()];
        let gate = Gate::open(store, settings, &files::kernel_boot_id()?)?;
        let is_new = gate.ensure_root(|key| write_credentials(&*disk, key))?.is_some();
        Ok(Self {
            gate,
            is_new,
            budgets,
        })
    }

    /// [`Folder::open`] for a folder that a server has made before; never makes one.
    ///
    /// # Errors
    /// As [`Folder::open`]; `NotFound`, `NoDataFolder`.
    pub(crate) fn open_existing(
        path: &Path,
        memory: ByteSize,
        settings: craton_gate::Settings,
    ) -> Result<Self> {
        if !path.join(craton_store::keyring::PATH).exists() {
            let message = format!("{} is not a data folder", path.display());
            return Err(Error::new(Kind::NotFound, "NoDataFolder", message));
        }
        Self::open(path, memory, settings)
    }
}

/// In the form of an AWS credentials file, so that every S3 client can read it. A file that is there is of a
/// first start that was cut before its key existed.
fn write_credentials(disk: &dyn Disk, key: &NewAccessKey) -> Result<()> {
    let secret = std::str::from_utf8(key.secret.expose())
        .map_err(|e| Error::internal("a new secret is not text").with_source(e))?;
    let text = format!(
        "# Craton's root access key. Keep it secret, or move it away.\n[default]\naws_access_key_id = {}\n\
         aws_secret_access_key = {secret}\n",
        key.id
    );
    match disk.remove(ROOT_CREDENTIALS) {
        Err(e) if e.kind() != Kind::NotFound => return Err(e),
        _ => {}
    }
    let file = disk.create(ROOT_CREDENTIALS)?;
    file.write_at(0, text.as_bytes())?;
    file.sync()?;
    disk.sync_dir("")
}
