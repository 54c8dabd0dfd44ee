//! A disk in memory that loses what was not flushed.
//!
//! # Fault model
//!
//! There are two copies of everything: the *cache*, which every operation sees, and the *platter*,
//! which is what a power cut leaves. A flush moves one to the other; nothing else does for certain.
//!
//! - *Writes.* A write is known by the 512-byte sectors it touches. At a power cut each sector that was
//!   written since the file's last `sync` holds the platter's content, or that of any one of the writes
//!   since (the latest [`IMAGES_MAX`] of them): so writes are lost, kept, reordered and torn, all at sector borders.
//!   A sector itself is never torn.
//! - *Length.* At a power cut the length is the flushed one or any that the file had since. Sectors
//!   within the length that did not survive are zero, or what the platter had.
//! - *Names.* Of the creations, removals and renames in a directory since its last `sync_dir`, any
//!   subset has happened, in order. A rename is atomic. A file whose name did not survive is gone, flushed or not;
//!   a directory whose name did not survive takes everything in it along.
//! - *Failures.* [`SimDisk::fail_after`] lets one later operation fail; [`SimDisk::stop_after`] also all that
//!   follow, as if the power went in the middle of it; [`SimDisk::kill_after`] as if the process was killed in
//!   the middle of it: it has flushed nothing and lost nothing, and after [`SimDisk::heal`] the next process
//!   sees all that was written. A failing write has written any prefix.
//!   A failing `sync` has flushed nothing, and what it should have flushed is not flushed by later ones either (as on
//!   Linux, where pages are marked clean after an error). A failing directory operation has done nothing.
//! - *Rot.* [`SimDisk::flip_bit`] turns a bit in cache and platter.
//! - *Locks* end with their handle or with the power.
//!
//! Not modelled: torn sectors, writes that go to a wrong place, a full disk, failing reads that heal.
//!
//! Everything is repeatable: the same calls and the same seed leave the same disk.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use craton_base::{Error, Kind, Result};
use craton_store::disk::{Disk, File};
use parking_lot::Mutex;

use crate::random::SplitMix;

mod content;
mod tree;

pub use content::{IMAGES_MAX, SECTOR};

use content::Inode;
use tree::Tree;

/// A simulated disk. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk {
    shared: Arc<Mutex<State>>,
}

struct State {
    tree: Tree,
    /// The operations until the failing one, itself included.
    failing_in: Option<u64>,
    /// Whether everything after the failing operation fails too.
    stops: bool,
    /// Whether it is the process that ends, and not the disk that fails.
    killed: bool,
    /// No operation works any more.
    dead: bool,
    operations: Operations,
}

/// How many operations a disk has seen, the failed ones included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// All that can fail.
    pub total: u64,
    /// Reads.
    pub reads: u64,
    /// Writes and changes of a length.
    pub writes: u64,
    /// Flushes of a file.
    pub syncs: u64,
    /// Flushes of a directory.
    pub dir_syncs: u64,
    /// Creations, openings, renames, removals and lists.
    pub names: u64,
}

/// What an operation is, for the counters.
#[derive(Clone, Copy)]
enum Op {
    Read,
    Write,
    Sync,
    DirSync,
    Name,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Tree::new())
    }

    fn with(tree: Tree) -> Self {
        Self {
            shared: Arc::new(Mutex::new(State {
                tree,
                failing_in: None,
                stops: false,
                killed: false,
                dead: false,
                operations: Operations::default(),
            })),
        }
    }

    /// Cuts the power: this disk and all handles of it are dead, and what survived is the result.
    /// Works on a disk that has stopped or is dead already, too.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        self.shared.lock().dead = true;
        self.after_cut(seed)
    }

    /// The disk that a power cut now would leave; this one goes on. It costs in proportion to the
    /// number of 4 KiB pages, not their content, so that many outcomes of one moment can be looked at.
    #[must_use]
    pub fn after_cut(&self, seed: u64) -> Self {
        Self::with(self.shared.lock().tree.after_cut(seed))
    }

    /// The `n`th operation from now fails (1: the next one).
    pub fn fail_after(&self, n: u64) {
        let mut state = self.shared.lock();
        state.failing_in = Some(n.max(1));
        state.stops = false;
        state.killed = false;
    }

    /// The `n`th operation from now fails (1: the next one), and so do all after it.
    pub fn stop_after(&self, n: u64) {
        let mut state = self.shared.lock();
        state.failing_in = Some(n.max(1));
        state.stops = true;
        state.killed = false;
    }

    /// The process is killed in the middle of the `n`th operation from now (1: the next one; 0: before it).
    pub fn kill_after(&self, n: u64) {
        let mut state = self.shared.lock();
        state.failing_in = Some(n);
        state.stops = true;
        state.killed = true;
    }

    /// Takes back a failure that has not happened yet, and lets a stopped disk work again.
    pub fn heal(&self) {
        let mut state = self.shared.lock();
        state.failing_in = None;
        state.stops = false;
        state.killed = false;
    }

    /// Turns one bit of a file; bit 0 is the lowest of its first byte.
    ///
    /// # Errors
    /// `NotFound` if there is no such file or it is shorter.
    pub fn flip_bit(&self, path: &str, bit: u64) -> Result<()> {
        let inode = self.shared.lock().tree.file(path)?;
        let done = inode.data.lock().flip(bit);
        done.then_some(())
            .ok_or_else(|| Error::new(Kind::NotFound, "NoSuchBit", format!("{path} has no bit {bit}")))
    }

    /// The counters.
    #[must_use]
    pub fn operations(&self) -> Operations {
        self.shared.lock().operations
    }

    /// The paths of all files, in order.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        self.shared.lock().tree.files()
    }

    /// A file's length; does not count as an operation.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn file_len(&self, path: &str) -> Result<u64> {
        let inode = self.shared.lock().tree.file(path)?;
        Ok(inode.data.lock().len())
    }

    /// Says what `is_private` answers for this file.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn set_private(&self, path: &str, private: bool) -> Result<()> {
        let inode = self.shared.lock().tree.file(path)?;
        inode.public.store(!private, Ordering::SeqCst);
        Ok(())
    }
}

fn injected() -> Error {
    Error::new(
        Kind::Unavailable,
        "InjectedFault",
        "the simulated disk failed, as it was told to",
    )
}

/// What becomes of an operation.
enum Step {
    /// It works.
    Works,
    /// It is the one that fails.
    Fails,
    /// The power is off.
    Off,
}

impl State {
    /// Counts an operation and says what becomes of it.
    fn step(&mut self, op: Op) -> Step {
        let counters = &mut self.operations;
        counters.total += 1;
        *match op {
            Op::Read => &mut counters.reads,
            Op::Write => &mut counters.writes,
            Op::Sync => &mut counters.syncs,
            Op::DirSync => &mut counters.dir_syncs,
            Op::Name => &mut counters.names,
        } += 1;
        match self.failing_in {
            _ if self.dead => Step::Off,
            None => Step::Works,
            Some(0) => Step::Off,
            Some(1) => {
                self.failing_in = self.stops.then_some(0);
                Step::Fails
            }
            Some(n) => {
                self.failing_in = Some(n - 1);
                Step::Works
            }
        }
    }

    /// As `step`, for an operation that does nothing when it fails.
    fn try_step(&mut self, op: Op) -> Result<()> {
        match self.step(op) {
            Step::Works => Ok(()),
            Step::Fails | Step::Off => Err(injected()),
        }
    }
}

impl SimDisk {
    fn handle(&self, inode: Arc<Inode>) -> Arc<dyn File> {
        Arc::new(SimFile {
            shared: Arc::clone(&self.shared),
            inode,
            holds_lock: AtomicBool::new(false),
        })
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> Result<Arc<dyn File>> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        let inode = Arc::new(Inode::default());
        state.tree.create(path, &inode)?;
        drop(state);
        Ok(self.handle(inode))
    }

    fn open(&self, path: &str) -> Result<Arc<dyn File>> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        let inode = state.tree.file(path)?;
        drop(state);
        Ok(self.handle(inode))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        state.tree.rename(from, to)
    }

    fn remove(&self, path: &str) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        state.tree.remove(path)
    }

    fn create_dir(&self, path: &str) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        state.tree.create_dir(path)
    }

    fn list(&self, path: &str, each: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        let names = state.tree.list(path)?;
        drop(state);
        names.iter().try_for_each(|name| each(name))
    }

    fn sync_dir(&self, path: &str) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::DirSync)?;
        state.tree.sync_dir(path)
    }

    fn is_private(&self, path: &str) -> Result<bool> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        Ok(!state.tree.file(path)?.public.load(Ordering::SeqCst))
    }
}

/// A handle of a simulated file.
struct SimFile {
    shared: Arc<Mutex<State>>,
    inode: Arc<Inode>,
    holds_lock: AtomicBool,
}

impl File for SimFile {
    fn len(&self) -> Result<u64> {
        let state = self.shared.lock();
        if state.dead {
            return Err(injected());
        }
        Ok(self.inode.data.lock().len())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Write)?;
        self.inode.data.lock().set_len(len);
        Ok(())
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let mut state = self.shared.lock();
        state.try_step(Op::Read)?;
        let data = self.inode.data.lock();
        if data.read(offset, out) {
            return Ok(());
        }
        Err(Error::corrupt(format!(
            "a file ends before byte {}",
            offset + out.len() as u64
        )))
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut state = self.shared.lock();
        match state.step(Op::Write) {
            Step::Works => {
                self.inode.data.lock().write(offset, data);
                Ok(())
            }
            Step::Fails => {
                // Any prefix; which one depends on what came before.
                let mut random = SplitMix::new(state.operations.total ^ offset);
                let cut = usize::try_from(random.below(data.len() as u64 + 1)).unwrap_or(0);
                let prefix = data.get(..cut).unwrap_or_default();
                self.inode.data.lock().write(offset, prefix);
                Err(injected())
            }
            Step::Off => Err(injected()),
        }
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.shared.lock();
        let mut data = self.inode.data.lock();
        match state.step(Op::Sync) {
            Step::Works => {
                data.sync();
                Ok(())
            }
            Step::Fails => {
                if !state.killed {
                    data.fail_sync();
                }
                Err(injected())
            }
            Step::Off => Err(injected()),
        }
    }

    fn try_lock(&self) -> Result<bool> {
        let mut state = self.shared.lock();
        state.try_step(Op::Name)?;
        if self.holds_lock.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let free = !self.inode.locked.swap(true, Ordering::SeqCst);
        self.holds_lock.store(free, Ordering::SeqCst);
        Ok(free)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.holds_lock.load(Ordering::SeqCst) {
            self.inode.locked.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests;
