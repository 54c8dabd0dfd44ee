//! The table of borrows: shards by bucket, turns, waiting and waking.
//!
//! A request counts, when it arrives, the borrows (held or awaited) that it must wait for:
//! its *blockers*. When a borrow goes away, it takes one off each later borrow that counted it; who
//! reaches zero holds. Pairs are counted and taken off symmetrically, because both look through the
//! same index with the same relation, under the same shard's lock, and because turns are given out
//! while the locks of all shards of a set are held: of two requests that meet in a shard, the one
//! that entered it first has the earlier turn.
//!
//! Shard locks are taken in the order of their numbers, are held for microseconds, and nothing is
//! awaited or woken under them. A borrow of the root is entered in every shard, so that the usual
//! request touches one.
//!
//! This file is compiled twice: for the product, and against `shuttle` in its tests.

use std::{
    collections::BTreeMap,
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use craton_base::{BucketName, ResourcePath};

use super::sync::{Arc, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, lock};
use crate::borrow::{
    Busy, Mode, Owner,
    space::{Place, Space, Span},
};

/// Enough that requests on different buckets seldom meet, few enough that a borrow of the root,
/// which takes them all, is cheap.
const SHARDS: usize = 64;

/// The borrows of one process. Cheap to clone; clones are the same table.
#[derive(Clone)]
pub struct Borrows {
    table: Arc<Table>,
}

struct Table {
    shards: Vec<Mutex<Shard>>,
    turns: AtomicU64,
}

/// One request: what it borrows and how many borrows it still waits for.
struct Request {
    owner: Owner,
    turn: u64,
    /// Sorted, each once.
    set: Vec<(ResourcePath, Mode)>,
    blockers: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Default for Borrows {
    fn default() -> Self {
        Self::new()
    }
}

impl Borrows {
    /// A table in which nothing is borrowed.
    #[must_use]
    pub fn new() -> Self {
        Self::with_shards(SHARDS)
    }

    pub(super) fn with_shards(shards: usize) -> Self {
        Self {
            table: Arc::new(Table {
                shards: (0..shards).map(|_| Mutex::new(Shard::default())).collect(),
                turns: AtomicU64::new(1),
            }),
        }
    }

    /// Takes all borrows of a set, waiting for its turn. The turn is taken by this call, not by the
    /// first poll. Dropping the future gives the turn up; dropping the guard gives the borrows back.
    #[must_use = "borrows are given back when this is dropped"]
    pub fn acquire(&self, set: Vec<(ResourcePath, Mode)>, owner: Owner) -> Acquire {
        let set = in_order(set);
        let mut locked = self.table.lock(&set);
        let mut blockers = 0;
        for (path, mode) in &set {
            locked.visit(path, *mode, owner, &mut |_, _| blockers += 1);
        }
        let hold = self.enter(&mut locked, set, owner, blockers);
        Acquire { hold: Some(hold) }
    }

    /// Takes all borrows of a set if that needs no waiting.
    ///
    /// # Errors
    /// [`Busy`] names the first borrow in the way, in path order; nothing is taken then.
    pub fn try_acquire(&self, set: Vec<(ResourcePath, Mode)>, owner: Owner) -> Result<Guard, Box<Busy>> {
        let set = in_order(set);
        let mut locked = self.table.lock(&set);
        for (path, mode) in &set {
            let mut first = None;
            locked.visit(path, *mode, owner, &mut |place, other| {
                if first.is_none() {
                    first = Some(other.busy(path, place));
                }
            });
            if let Some(busy) = first {
                return Err(Box::new(busy));
            }
        }
        let hold = self.enter(&mut locked, set, owner, 0);
        Ok(Guard { _hold: hold })
    }

    /// Enters a request into the index. The caller holds the locks of all its shards.
    fn enter(
        &self,
        locked: &mut Locked<'_>,
        set: Vec<(ResourcePath, Mode)>,
        owner: Owner,
        blockers: usize,
    ) -> Hold {
        let request = Arc::new(Request {
            owner,
            turn: self.table.turns.fetch_add(1, Ordering::Relaxed),
            set,
            blockers: AtomicUsize::new(blockers),
            waker: Mutex::new(None),
        });
        locked.insert(&request);
        Hold {
            table: Arc::clone(&self.table),
            request,
        }
    }
}

fn in_order(mut set: Vec<(ResourcePath, Mode)>) -> Vec<(ResourcePath, Mode)> {
    set.sort_unstable();
    set.dedup();
    set
}

impl Table {
    /// The shards in which a borrow of a path is entered.
    fn shards_of(&self, path: &ResourcePath) -> Range<usize> {
        let shard = match path {
            ResourcePath::Root => return 0..self.shards.len(),
            ResourcePath::System(_) => 0,
            ResourcePath::Bucket(b)
            | ResourcePath::Object(b, _)
            | ResourcePath::Objects(b, _)
            | ResourcePath::Facts(b, _) => {
                let mut hasher = DefaultHasher::new();
                b.hash(&mut hasher);
                let hash = usize::try_from(hasher.finish() >> 32).unwrap_or(0);
                hash.checked_rem(self.shards.len()).unwrap_or(0)
            }
        };
        shard..shard.saturating_add(1)
    }

    /// Locks every shard of a set, in the order of their numbers.
    fn lock(&self, set: &[(ResourcePath, Mode)]) -> Locked<'_> {
        let mut numbers: Vec<usize> = set.iter().flat_map(|(path, _)| self.shards_of(path)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let shards = numbers
            .into_iter()
            .filter_map(|n| Some((n, lock(self.shards.get(n)?))))
            .collect();
        Locked { table: self, shards }
    }
}

/// The locked shards of one set.
struct Locked<'a> {
    table: &'a Table,
    /// Ordered by number.
    shards: Vec<(usize, MutexGuard<'a, Shard>)>,
}

impl Locked<'_> {
    /// The locked shards in which a path is entered.
    fn of(&mut self, path: &ResourcePath) -> impl Iterator<Item = &mut Shard> {
        let range = self.table.shards_of(path);
        self.shards
            .iter_mut()
            .filter(move |(n, _)| range.contains(n))
            .map(|(_, shard)| &mut **shard)
    }

    /// Calls `f` for every borrow of another owner that conflicts with this one.
    fn visit(
        &mut self,
        path: &ResourcePath,
        mode: Mode,
        owner: Owner,
        f: &mut impl FnMut(Place, &Arc<Request>),
    ) {
        for shard in self.of(path) {
            shard.visit(path, mode, &mut |place, other: &Arc<Request>| {
                if other.owner != owner {
                    f(place, other);
                }
            });
        }
    }

    fn insert(&mut self, request: &Arc<Request>) {
        for (path, place) in request.places() {
            for shard in self.of(path) {
                shard.insert(path, place, Arc::clone(request));
            }
        }
    }

    /// Takes a request out of the index and gives the wakers of those who now hold.
    fn remove(&mut self, request: &Request) -> Vec<Waker> {
        let mut wake = Vec::new();
        for (path, place) in request.places() {
            for shard in self.of(path) {
                shard.remove(path, place);
            }
            self.visit(path, place.mode, request.owner, &mut |other, waiting| {
                if other.turn > request.turn {
                    wake.extend(waiting.unblock());
                }
            });
        }
        wake
    }
}

/// The borrows of some of the buckets, and those of the root.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    root: Space<Arc<Request>>,
    /// Only in the first shard.
    system: Space<Arc<Request>>,
    /// None of them empty.
    buckets: BTreeMap<BucketName, Space<Arc<Request>>>,
}

const EVERYTHING: Span<'_> = Span::Prefix(b"");

impl Shard {
    fn insert(&mut self, path: &ResourcePath, place: Place, entry: Arc<Request>) {
        match path {
            ResourcePath::Root => self.root.insert(EVERYTHING, place, entry),
            ResourcePath::System(part) => {
                self.system.insert(Span::Prefix(&system_span(part)), place, entry);
            }
            ResourcePath::Bucket(b)
            | ResourcePath::Object(b, _)
            | ResourcePath::Objects(b, _)
            | ResourcePath::Facts(b, _) => match self.buckets.get_mut(b) {
                Some(space) => space.insert(span(path), place, entry),
                None => {
                    let space = self.buckets.entry(b.clone()).or_default();
                    space.insert(span(path), place, entry);
                }
            },
        }
    }

    fn remove(&mut self, path: &ResourcePath, place: Place) {
        match path {
            ResourcePath::Root => self.root.remove(EVERYTHING, place),
            ResourcePath::System(part) => self.system.remove(Span::Prefix(&system_span(part)), place),
            ResourcePath::Bucket(b)
            | ResourcePath::Object(b, _)
            | ResourcePath::Objects(b, _)
            | ResourcePath::Facts(b, _) => {
                let Some(space) = self.buckets.get_mut(b) else {
                    return;
                };
                space.remove(span(path), place);
                if space.is_empty() {
                    self.buckets.remove(b);
                }
            }
        }
    }

    fn visit(&self, path: &ResourcePath, mode: Mode, f: &mut impl FnMut(Place, &Arc<Request>)) {
        self.root.visit(EVERYTHING, mode, f);
        match path {
            ResourcePath::Root => {
                self.system.visit(EVERYTHING, mode, f);
                self.buckets
                    .values()
                    .for_each(|space| space.visit(EVERYTHING, mode, f));
            }
            ResourcePath::System(part) => self.system.visit(Span::Prefix(&system_span(part)), mode, f),
            ResourcePath::Bucket(b)
            | ResourcePath::Object(b, _)
            | ResourcePath::Objects(b, _)
            | ResourcePath::Facts(b, _) => {
                if let Some(space) = self.buckets.get(b) {
                    space.visit(span(path), mode, f);
                }
            }
        }
    }
}

/// What a path covers within its bucket. A bucket and all its objects are the same span, so a lease over all objects is
/// in the way of writes to the bucket's graphs too.
fn span(path: &ResourcePath) -> Span<'_> {
    match path {
        ResourcePath::Object(_, key) => Span::Key(key.as_str().as_bytes()),
        ResourcePath::Objects(_, prefix) => Span::Prefix(prefix.as_bytes()),
        ResourcePath::Facts(_, path) => Span::Prefix(path.as_key().as_bytes()),
        ResourcePath::Root | ResourcePath::Bucket(_) | ResourcePath::System(_) => EVERYTHING,
    }
}

/// A part of the system covers what continues it after a `/`.
fn system_span(part: &str) -> Vec<u8> {
    [part.as_bytes(), b"/"].concat()
}

impl Request {
    /// What the request borrows, with its place in the index.
    fn places(&self) -> impl Iterator<Item = (&ResourcePath, Place)> {
        self.set.iter().enumerate().map(|(index, (path, mode))| {
            let (mode, turn) = (*mode, self.turn);
            (path, Place { mode, turn, index })
        })
    }

    /// What to tell somebody whom this request keeps from a path.
    fn busy(&self, wanted: &ResourcePath, place: Place) -> Busy {
        let held = self.set.get(place.index).map_or(wanted, |(path, _)| path);
        Busy {
            path: wanted.clone(),
            held: held.clone(),
            mode: place.mode,
            holder: self.owner,
            waiting: !self.holds(),
        }
    }

    fn holds(&self) -> bool {
        self.blockers.load(Ordering::Acquire) == 0
    }

    /// One borrow less to wait for; gives the waker if that was the last.
    fn unblock(&self) -> Option<Waker> {
        if self.blockers.fetch_sub(1, Ordering::AcqRel) == 1 {
            lock(&self.waker).take()
        } else {
            None
        }
    }

    /// Whether the request holds; if not, the waker will be called when it does. The waker is left
    /// before the second look, so that a grant between the two is not missed.
    fn poll(&self, cx: &Context<'_>) -> bool {
        if self.holds() {
            return true;
        }
        lock(&self.waker).replace(cx.waker().clone());
        self.holds()
    }
}

/// A request in the table, waiting or holding. Leaves it when dropped.
struct Hold {
    table: Arc<Table>,
    request: Arc<Request>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let wake = self.table.lock(&self.request.set).remove(&self.request);
        wake.into_iter().for_each(Waker::wake);
    }
}

/// The borrows of a set, held until this is dropped.
#[must_use = "borrows are given back when this is dropped"]
pub struct Guard {
    _hold: Hold,
}

/// A turn in the queue; resolves to the [`Guard`].
#[must_use = "a turn is given up when this is dropped"]
pub struct Acquire {
    /// Gone once the guard has been given out.
    hold: Option<Hold>,
}

impl Future for Acquire {
    type Output = Guard;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Guard> {
        match self.hold.take() {
            Some(hold) if hold.request.poll(cx) => Poll::Ready(Guard { _hold: hold }),
            waiting => {
                self.hold = waiting;
                Poll::Pending
            }
        }
    }
}
