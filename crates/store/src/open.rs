//! Opening a store: the files of a data folder, in the order that makes a crash at any point harmless.
//!
//! ```text
//! craton.lock      one process at a time
//! keyring          root keys; made only where there is no namespace yet
//! namespace.redb   the namespace
//! journal/         records of reads that are not in the ledger yet
//! blobs/xx/        sealed content
//! ```
//!
//! The one number of memory is divided here and nowhere else: [`Memory::divide`].
//!
//! Deliberately absent: where the folder is, who may open it.

use std::sync::Arc;

use craton_base::{ByteSize, Clock, Error, Kind as ErrorKind, Random, Result};

use crate::{
    blob::Blobs,
    budget::Budget,
    disk::{Disk, File},
    journal::Journal,
    keyring::LocalKeyring,
    namespace::{Namespace, committer::Committer, redb::RedbNamespace},
    store::{Parts, Store},
};

/// The namespace's file.
const NAMESPACE_PATH: &str = "namespace.redb";

/// The lock file.
const LOCK_PATH: &str = "craton.lock";

/// The least memory that a store works with.
pub const MEMORY_MIN: ByteSize = ByteSize::mib(64);

/// How the memory is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Pages of the namespace, half of which one commit may use.
    pub namespace: u64,
    /// Content on its way in.
    pub uploads: u64,
    /// Content on its way out.
    pub downloads: u64,
    /// What the graph engine sorts, joins and loads in.
    pub graph: u64,
    /// What is left: request heads, queues, ledger, engines to come.
    pub rest: u64,
}

impl Memory {
    /// A quarter for graphs; of the others a quarter each for the namespace's pages, uploads, downloads, and everything else.
    #[must_use]
    pub const fn divide(total: ByteSize) -> Self {
        let graph = total.bytes() / 4;
        let part = (total.bytes() - graph) / 4;
        Self {
            namespace: part,
            uploads: part,
            downloads: part,
            graph,
            rest: total.bytes() - graph - 3 * part,
        }
    }
}

/// What a store is opened with.
pub struct Options {
    /// The data folder.
    pub disk: Arc<dyn Disk>,
    /// All memory there is.
    pub memory: ByteSize,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Commit in the caller instead of on a thread: for simulation.
    pub inline_commits: bool,
}

impl Store {
    /// Opens the store of a data folder, or makes one in an empty folder.
    ///
    /// # Errors
    /// `Busy`, `StoreInUse` if another process has it; `Corrupt`; `NotFound`, `NoKeyring` if there is data
    /// and its keyring is missing; the disk's own.
    pub fn open(options: Options) -> Result<Self> {
        let Options {
            disk,
            memory,
            clock,
            random,
            inline_commits,
        } = options;
        if memory < MEMORY_MIN {
            return Err(Error::invalid(format!(
                "a store needs at least {MEMORY_MIN} of memory, not {memory}"
            )));
        }
        let lock = take_lock(&*disk)?;
        let keys = open_keyring(&disk, &random, &clock)?;
        let division = Memory::divide(memory);
        let budget = Budget::new("memory", memory.bytes());
        let file = open_or_create(&*disk, NAMESPACE_PATH)?;
        let cache = usize::try_from(division.namespace).unwrap_or(usize::MAX);
        let namespace: Arc<dyn Namespace> = Arc::new(RedbNamespace::open(file, cache, clock.clone())?);
        let committer = match inline_commits {
            true => Committer::inline(namespace.clone()),
            false => Committer::start(namespace.clone())?,
        };
        Self::new(Parts {
            blobs: Arc::new(Blobs::open(disk.clone())?),
            journal: Arc::new(Journal::open(disk.clone())?),
            uploads: budget.share("uploads", division.uploads)?,
            downloads: budget.share("downloads", division.downloads)?,
            graph: budget.share("graph", division.graph)?,
            budget,
            committer: Arc::new(committer),
            keys: Arc::new(keys),
            namespace,
            lock,
            disk,
            clock,
            random,
        })
    }
}

fn take_lock(disk: &dyn Disk) -> Result<Arc<dyn File>> {
    let lock = open_or_create(disk, LOCK_PATH)?;
    if lock.try_lock()? {
        return Ok(lock);
    }
    Err(Error::new(
        ErrorKind::Busy,
        "StoreInUse",
        "another process has this data folder open",
    ))
}

fn open_or_create(disk: &dyn Disk, path: &str) -> Result<Arc<dyn File>> {
    let file = match disk.open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => disk.create(path)?,
        other => other?,
    };
    // Also where it was there: a process that was killed may have made it without flushing its name.
    disk.sync_dir("")?;
    Ok(file)
}

/// The keyring, made only where no namespace is: data without its keys must be noticed, not papered over.
fn open_keyring(
    disk: &Arc<dyn Disk>,
    random: &Arc<dyn Random>,
    clock: &Arc<dyn Clock>,
) -> Result<LocalKeyring> {
    if LocalKeyring::exists(&**disk)? {
        return LocalKeyring::open(disk.clone(), random.clone(), clock.clone());
    }
    // The namespace's file is made after the keyring is durable; an empty one is a creation that a crash cut.
    match disk.open(NAMESPACE_PATH).and_then(|file| file.len()) {
        Ok(len) if len > 0 => Err(Error::new(
            ErrorKind::NotFound,
            "NoKeyring",
            "the data folder holds data but no keyring: put the keyring back, without it nothing can be read",
        )),
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => LocalKeyring::create(disk.clone(), random.clone(), clock.clone()),
    }
}
