//! Root keys: the keys under which bucket keys are wrapped, behind a trait, and the file that holds
//! them on one machine.
//!
//! The file's format and the crash argument are in `docs/formats.md`, section "Keyring". Invariants:
//! - KR-1: root keys are random, never derived from anything, never printed or logged, wiped when dropped;
//! - KR-2: after a crash the file is the old one or the new one, whole;
//! - KR-3: a keyring is never made or replaced where one may be missing: only [`LocalKeyring::create`] makes
//!   one, and only where there is none;
//! - KR-4: a file that others than its owner may read is refused.
//!
//! Deliberately absent: which bucket has which key, where wrapped keys are stored, when to rotate.

use std::sync::Arc;

use craton_base::{Clock, Error, Kind, Random, Result, Timestamp};
use craton_crypto::{SealKey, keys};
use parking_lot::RwLock;

use crate::disk::Disk;

mod file;

/// The keyring's path.
pub const PATH: &str = "keyring";

/// Where the new file is written before it takes the old one's name.
const PATH_NEW: &str = "keyring.new";

/// How many root keys a keyring may hold.
pub const KEYS_MAX: usize = 1000;

/// A key under a root key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedKey {
    /// The root key that it is wrapped under; at most 2,048 bytes, as the provider names it.
    pub key_id: String,
    /// The wrapped form.
    pub bytes: Vec<u8>,
}

/// Who keeps the root keys. Calls may block on a disk or a network.
///
/// `context` binds a wrapped key to what it is for: it opens only with the same context.
pub trait KeyProvider: Send + Sync + 'static {
    /// The root key that new keys are wrapped under.
    fn active_id(&self) -> String;

    /// Wraps `key` under the active root key.
    ///
    /// # Errors
    /// The provider's own.
    fn wrap(&self, context: &[u8], key: &SealKey) -> Result<WrappedKey>;

    /// Opens what `wrap` made.
    ///
    /// # Errors
    /// `NotFound` with the reason `NoSuchRootKey`; `Corrupt` if it does not verify or the context is another.
    fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<SealKey>;

    /// Makes a new root key and wraps under it from now on; its id. Keys wrapped before still open:
    /// whoever stores them wraps them again when it likes, and then may [`retire`](Self::retire) the old root key.
    ///
    /// # Errors
    /// The provider's own; then nothing has changed.
    fn rotate(&self) -> Result<String>;

    /// Deletes a root key that is not the active one. What is still wrapped under it is lost.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the active one; the provider's own.
    fn retire(&self, key_id: &str) -> Result<()>;
}

/// One root key.
#[derive(Clone)]
struct RootKey {
    /// 16 hex digits, random.
    id: String,
    created: Timestamp,
    key: SealKey,
}

/// The root keys, the active one first.
#[derive(Clone)]
struct Ring {
    active: RootKey,
    others: Vec<RootKey>,
}

/// Root keys in a file of the data folder.
pub struct LocalKeyring {
    disk: Arc<dyn Disk>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    ring: RwLock<Ring>,
}

impl RootKey {
    fn generate(random: &dyn Random, clock: &dyn Clock) -> Result<Self> {
        let id: [u8; 8] = craton_base::random::bytes(random)?;
        Ok(Self {
            id: hex::encode(id),
            created: clock.now(),
            key: SealKey::generate(random)?,
        })
    }
}

impl Ring {
    fn find(&self, id: &str) -> Option<&RootKey> {
        std::iter::once(&self.active)
            .chain(&self.others)
            .find(|k| k.id == id)
    }
}

impl LocalKeyring {
    /// Makes a keyring with one new root key, durable when it returns. Only for a new data folder: the
    /// caller has made sure that there is no data, because data without its keyring can not be read.
    ///
    /// # Errors
    /// `Exists` if there is a keyring; the disk's and the random source's own.
    pub fn create(disk: Arc<dyn Disk>, random: Arc<dyn Random>, clock: Arc<dyn Clock>) -> Result<Self> {
        if Self::exists(&*disk)? {
            return Err(Error::new(
                Kind::Exists,
                "KeyringExists",
                "the data folder has a keyring already",
            ));
        }
        let ring = Ring {
            active: RootKey::generate(&*random, &*clock)?,
            others: Vec::new(),
        };
        save(&*disk, &ring)?;
        Ok(Self {
            disk,
            random,
            clock,
            ring: RwLock::new(ring),
        })
    }

    /// Opens the keyring.
    ///
    /// # Errors
    /// `NotFound` with the reason `NoKeyring`; `Denied` with the reason `KeyringNotPrivate` if others than its owner may read
    /// or write it; `Corrupt` if it does not verify; the disk's own.
    pub fn open(disk: Arc<dyn Disk>, random: Arc<dyn Random>, clock: Arc<dyn Clock>) -> Result<Self> {
        if !Self::exists(&*disk)? {
            return Err(Error::new(
                Kind::NotFound,
                "NoKeyring",
                "the data folder has no keyring; without it the data can not be read: restore the file \"keyring\" from your backup",
            ));
        }
        if !disk.is_private(PATH)? {
            return Err(Error::new(
                Kind::Denied,
                "KeyringNotPrivate",
                "others than its owner may read the keyring; take that right away with: chmod 600 keyring",
            ));
        }
        let ring = file::read(&*disk, PATH)?;
        // A process that was killed may have renamed it and not flushed that: keys are used from here on.
        disk.sync_dir("")?;
        Ok(Self {
            disk,
            random,
            clock,
            ring: RwLock::new(ring),
        })
    }

    /// Whether there is a keyring in this data folder.
    ///
    /// # Errors
    /// The disk's own.
    pub fn exists(disk: &dyn Disk) -> Result<bool> {
        match disk.is_private(PATH) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == Kind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The ids and ages of all root keys, the active one first.
    #[must_use]
    pub fn list(&self) -> Vec<(String, Timestamp)> {
        let ring = self.ring.read();
        let all = std::iter::once(&ring.active).chain(&ring.others);
        all.map(|k| (k.id.clone(), k.created)).collect()
    }
}

impl KeyProvider for LocalKeyring {
    fn active_id(&self) -> String {
        self.ring.read().active.id.clone()
    }

    fn wrap(&self, context: &[u8], key: &SealKey) -> Result<WrappedKey> {
        let ring = self.ring.read();
        let root = &ring.active;
        Ok(WrappedKey {
            key_id: root.id.clone(),
            bytes: keys::wrap(&root.key, key, context, &*self.random)?,
        })
    }

    fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<SealKey> {
        let ring = self.ring.read();
        let root = ring
            .find(&wrapped.key_id)
            .ok_or_else(|| no_such_key(&wrapped.key_id))?;
        keys::unwrap(&root.key, &wrapped.bytes, context)
    }

    fn rotate(&self) -> Result<String> {
        let mut ring = self.ring.write();
        if ring.others.len().saturating_add(1) >= KEYS_MAX {
            return Err(Error::new(
                Kind::TooLarge,
                "KeyringFull",
                format!("the keyring has {KEYS_MAX} keys; retire some"),
            ));
        }
        let mut changed = ring.clone();
        let fresh = RootKey::generate(&*self.random, &*self.clock)?;
        let id = fresh.id.clone();
        let before = std::mem::replace(&mut changed.active, fresh);
        changed.others.insert(0, before);
        save(&*self.disk, &changed)?;
        *ring = changed;
        Ok(id)
    }

    fn retire(&self, key_id: &str) -> Result<()> {
        let mut ring = self.ring.write();
        if ring.active.id == key_id {
            return Err(Error::invalid(
                "the active root key can not be retired; rotate first",
            ));
        }
        let mut changed = ring.clone();
        changed.others.retain(|k| k.id != key_id);
        if changed.others.len() == ring.others.len() {
            return Err(no_such_key(key_id));
        }
        save(&*self.disk, &changed)?;
        *ring = changed;
        Ok(())
    }
}

/// Key ids are not secret, but one from outside may hold anything: it is shown escaped and short.
fn no_such_key(id: &str) -> Error {
    let shown: String = id.chars().take(64).collect();
    Error::new(
        Kind::NotFound,
        "NoSuchRootKey",
        format!("the keyring has no root key {shown:?}"),
    )
}

/// KR-2: the new file is whole and flushed before it takes the name.
fn save(disk: &dyn Disk, ring: &Ring) -> Result<()> {
    let text = file::encode(ring);
    match disk.remove(PATH_NEW) {
        Ok(()) => {}
        Err(e) if e.kind() == Kind::NotFound => {}
        Err(e) => return Err(e),
    }
    let new = disk.create(PATH_NEW)?;
    new.write_at(0, text.as_bytes())?;
    new.sync()?;
    // Read back before the old keys can go: this file is the one thing that nothing else can replace.
    file::read(disk, PATH_NEW)?;
    disk.rename(PATH_NEW, PATH)?;
    disk.sync_dir("")
}
