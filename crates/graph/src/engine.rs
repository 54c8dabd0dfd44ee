//! The engine: what graphs share in one process. Snapshots and writers come from here.
//!
//! Deliberately absent: permits (the gate's), protocols.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Clock, Random, ResourcePath, Result, random};
use craton_gate::{Budget, ReadPermit, Reservation, WritePermit};
use parking_lot::Mutex;

use crate::{Control, Limits, merging::INPUT_BYTES, snapshot::Snapshot, threads, writer::GraphWriter};

/// How long the background waits for memory or for work to end at a time, and how often, before it leaves the merging to the next commit.
const MISSED: Duration = Duration::from_millis(100);
const MISSES_MAX: u32 = 600;

/// Fewer new facts than this are looked up with, one after the other: about what reading a relation of some million facts costs.
const LOOKS_BELOW: u64 = 20_000;

/// So many readers work at once.
const READER_PARTS: u64 = 4;

/// What those who change a graph take in turn, for as long as it takes to put another manifest in the place of one.
#[derive(Default)]
pub(crate) struct Turns {
    /// For new names.
    pub(crate) names: Mutex<()>,
    /// For facts: two commits over one manifest would make the later one do all of its work again.
    pub(crate) facts: Mutex<()>,
}

/// Turns by the text of a graph's path.
type AllTurns = HashMap<String, Weak<Turns>>;

/// The graph engine of a process. Clones are the same.
#[derive(Clone)]
pub struct Graphs {
    shared: Arc<Shared>,
}

struct Shared {
    /// For loads and programs, which may take long …
    work: Budget,
    /// … and for queries, which so never wait for them.
    readers: Budget,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    turns: Mutex<AllTurns>,
    /// The graphs whose levels are being merged in the background; `None` if commits merge themselves.
    merging: Mutex<Option<HashSet<String>>>,
    /// With fewer new facts than this live programs look up what goes with them.
    looks_below: AtomicU64,
}

impl Graphs {
    /// An engine that works in `memory`, a quarter of which is for readers.
    #[must_use]
    pub fn new(memory: Budget, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        let quarter = memory.total() / 4;
        // Somebody else may have taken of it already; then all share what there is.
        let share = |name, bytes| memory.share(name, bytes).unwrap_or_else(|_| memory.clone());
        let readers = share("graph-readers", quarter);
        let work = share("graph-work", memory.total().saturating_sub(quarter));
        Self {
            shared: Arc::new(Shared {
                work,
                readers,
                clock,
                random,
                turns: Mutex::default(),
                merging: Mutex::new(Some(HashSet::new())),
                looks_below: AtomicU64::new(LOOKS_BELOW),
            }),
        }
    }

    /// The memory that loads and programs share.
    #[must_use]
    pub fn memory(&self) -> &Budget {
        &self.shared.work
    }

    /// Memory for one piece of work; waits for it.
    ///
    /// # Errors
    /// The budget's own.
    pub async fn reserve(&self, share: Share) -> Result<Reservation> {
        let (budget, parts) = match share {
            Share::Work => (&self.shared.work, 2),
            Share::Reader => (&self.shared.readers, READER_PARTS),
        };
        budget.reserve(budget.total() / parts).await
    }

    /// Randomness.
    #[must_use]
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.shared.random
    }

    /// A piece of work that begins now.
    #[must_use]
    pub fn control(&self, limits: Limits) -> Control {
        Control::new(limits, Arc::clone(&self.shared.clock))
    }

    /// The graph that a permit is for, as of the permit's moment. Blocks.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn snapshot(&self, permit: &ReadPermit, control: Control) -> Result<Snapshot> {
        let random = Arc::clone(&self.shared.random);
        Snapshot::open(&permit.handle(), random, control, self.caches())
    }

    /// How many bytes the caches of a snapshot may have: half of what a reader reserves, or as many as are of use.
    #[must_use]
    pub fn caches(&self) -> u64 {
        let share = self.shared.readers.total() / READER_PARTS;
        (share / 2).min(Snapshot::CACHES_MAX)
    }

    /// What changes the graph that a permit is for. To be called on a thread of an async runtime, and used on threads that may
    /// block.
    ///
    /// # Errors
    /// `Internal` if the permit is for no graph or there is no runtime.
    pub fn writer(&self, permit: WritePermit, control: Control) -> Result<GraphWriter> {
        let turns = self.turns(&permit.resource().to_string());
        GraphWriter::new(self.clone(), permit, control, turns)
    }

    /// A seed for tables of hashes.
    ///
    /// # Errors
    /// If no randomness is to be had.
    pub fn seed(&self) -> Result<[u64; 2]> {
        let raw: [u8; 16] = random::bytes(&*self.shared.random)?;
        let mut words = raw.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w));
        Ok([words.next().unwrap_or(1), words.next().unwrap_or(2)])
    }

    /// Whether levels are merged in the background, as they are unless this says otherwise, or by the commits themselves.
    pub fn merge_in_background(&self, background: bool) {
        *self.shared.merging.lock() = background.then(HashSet::new);
    }

    /// Live programs look up what goes with new facts if they are fewer than this, and join relations as a whole if not.
    pub fn look_below(&self, facts: u64) {
        self.shared.looks_below.store(facts, Ordering::Relaxed);
    }

    pub(crate) fn looks_below(&self) -> u64 {
        self.shared.looks_below.load(Ordering::Relaxed)
    }

    /// Whether a load or a program runs: it has memory for work.
    fn are_working(&self) -> bool {
        self.shared.work.gauges().used > 0
    }

    /// Calls `merge` with the number of inputs that it may have, until it says that nothing is due: in the background, one graph at a
    /// time each, or here and now. In the background it waits while there is other work, unless it `is_urgent`.
    pub(crate) fn merge_later(
        &self,
        path: &ResourcePath,
        now: bool,
        is_urgent: impl Fn() -> bool + Send + 'static,
        merge: impl Fn(usize) -> bool + Send + 'static,
    ) {
        let budget = self.shared.readers.total() / 4;
        let inputs = usize::try_from(budget / INPUT_BYTES).unwrap_or(4).clamp(4, 32);
        let key = graph_of(&path.to_string());
        match self.shared.merging.lock().as_mut() {
            Some(merging) if !now => {
                if !merging.insert(key.clone()) {
                    return;
                }
            }
            _ => {
                while merge(inputs) {}
                return;
            }
        }
        let (graphs, its) = (self.clone(), key.clone());
        let thread = threads::patient("graph-merge", move || {
            // What readers have, so that work which has all of the rest does not keep it waiting.
            let mut misses = 0;
            while misses < MISSES_MAX {
                if graphs.are_working() && !is_urgent() {
                    misses += 1;
                    std::thread::sleep(MISSED);
                    continue;
                }
                match graphs.shared.readers.try_reserve(budget) {
                    Some(_held) if !merge(inputs) => break,
                    Some(_) => {}
                    None => {
                        misses += 1;
                        std::thread::sleep(MISSED);
                    }
                }
            }
            graphs.merged(&its);
        });
        if let Err(error) = thread {
            tracing::warn!(%error, "a graph's levels are not merged: there is no thread for it");
            self.merged(&key);
        }
    }

    fn merged(&self, key: &str) {
        if let Some(merging) = self.shared.merging.lock().as_mut() {
            merging.remove(key);
        }
    }

    /// The turns of the graph of this path.
    fn turns(&self, path: &str) -> Arc<Turns> {
        let key = graph_of(path);
        let mut all = self.shared.turns.lock();
        if let Some(turns) = all.get(&key).and_then(Weak::upgrade) {
            return turns;
        }
        all.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Turns::default());
        all.insert(key, Arc::downgrade(&turns));
        turns
    }
}

/// The bucket and the graph of a path's text, without a prefix of facts.
fn graph_of(path: &str) -> String {
    let key: Vec<&str> = path.splitn(5, '/').take(4).collect();
    key.join("/")
}

/// How much of the memory for graphs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// For loads and programs: half of what is theirs.
    Work,
    /// For queries: a quarter of what is theirs.
    Reader,
}
