//! Groups, order, bounds, failure and end of the committer, on namespaces that a test holds up.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Result, Sequence};
use parking_lot::{Condvar, Mutex};

use super::{Committer, QUEUE_BATCHES_MAX, Way};
use crate::namespace::{
    Batch, Change, Committed, Direction, Entry, Key, Kind, Namespace, Page, Precondition, Span, Version,
    View, Visitor, memory::MemoryNamespace, tests::TestClock,
};

/// The model, with a gate before each commit, and an engine that can fail or panic.
struct Gated {
    inner: MemoryNamespace,
    open: Mutex<bool>,
    opened: Condvar,
    entered: AtomicUsize,
    fail: AtomicBool,
    panic: AtomicBool,
}

impl Gated {
    fn new(open: bool) -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryNamespace::new(Arc::new(TestClock::default())),
            open: Mutex::new(open),
            opened: Condvar::new(),
            entered: AtomicUsize::new(0),
            fail: AtomicBool::new(false),
            panic: AtomicBool::new(false),
        })
    }

    fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }
}

impl Namespace for Gated {
    fn latest(&self) -> Sequence {
        self.inner.latest()
    }

    fn get(&self, key: &Key, at: Sequence) -> Result<Option<Entry>> {
        self.inner.get(key, at)
    }

    fn scan(&self, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Result<Page> {
        self.inner.scan(span, at, direction, limit)
    }

    fn history(&self, span: &Span, after: Option<(&[u8], Sequence)>, limit: usize) -> Result<Vec<Version>> {
        self.inner.history(span, after, limit)
    }

    fn visit(&self, span: &Span, view: View<'_>, visitor: &mut Visitor<'_>) -> Result<()> {
        self.inner.visit(span, view, visitor)
    }

    fn commit(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>> {
        self.entered.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock();
        while !*open {
            self.opened.wait(&mut open);
        }
        assert!(!self.panic.load(Ordering::SeqCst), "the engine panics");
        if self.fail.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "StoreIo", "the engine fails"));
        }
        self.inner.commit(batches)
    }
}

fn key(name: &str) -> Key {
    Key {
        bucket: BucketId(1),
        branch: BranchId::MAIN,
        kind: Kind::Object,
        name: Bytes::copy_from_slice(name.as_bytes()),
    }
}

fn put(name: &str) -> Batch {
    Batch {
        preconditions: vec![],
        changes: vec![Change::Put(key(name), Bytes::from_static(b"v"))],
    }
}

/// Waits until `ready`, which is only a matter of the other threads being scheduled.
async fn until(ready: impl Fn() -> bool) {
    while !ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn queued(committer: &Committer) -> usize {
    match &committer.0 {
        Way::Thread { shared, .. } => shared.queue.lock().waiting.len(),
        Way::Inline(_) => 0,
    }
}

#[tokio::test]
async fn what_comes_during_a_flush_is_one_group() {
    let namespace = Gated::new(false);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let spawn = |i: usize| {
        let committer = committer.clone();
        tokio::spawn(async move { committer.commit(put(&i.to_string())).await })
    };
    let first = spawn(0);
    until(|| namespace.entered.load(Ordering::SeqCst) == 1).await;
    let rest: Vec<_> = (1..=100).map(spawn).collect();
    until(|| queued(&committer) == 100).await;
    namespace.open();
    assert_eq!(first.await.unwrap().unwrap().sequence, Sequence(1));
    let mut sequences = vec![];
    for task in rest {
        sequences.push(task.await.unwrap().unwrap().sequence.0);
    }
    assert_eq!(sequences, (2..=101).collect::<Vec<_>>());
    let stats = committer.stats();
    assert_eq!((stats.groups, stats.batches), (2, 101));
}

#[tokio::test]
async fn a_refused_batch_is_its_callers_alone() {
    let committer = Committer::start(Gated::new(true)).unwrap();
    committer.commit(put("a")).await.unwrap();
    let only_new = Batch {
        preconditions: vec![Precondition::Absent(key("a"))],
        ..put("a")
    };
    let error = committer.commit(only_new).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Precondition);
    assert_eq!(committer.commit(put("b")).await.unwrap().sequence, Sequence(2));
}

#[tokio::test]
async fn a_failed_engine_poisons() {
    let namespace = Gated::new(false);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let tasks: Vec<_> = (0..3)
        .map(|i| {
            let committer = committer.clone();
            tokio::spawn(async move { committer.commit(put(&i.to_string())).await })
        })
        .collect();
    until(|| namespace.entered.load(Ordering::SeqCst) == 1).await;
    namespace.fail.store(true, Ordering::SeqCst);
    namespace.open();
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.reason()),
            (ErrorKind::Unavailable, "StorePoisoned")
        );
    }
    namespace.fail.store(false, Ordering::SeqCst);
    let error = committer.commit(put("later")).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Unavailable, "StorePoisoned")
    );
    assert_eq!(namespace.latest(), Sequence(0));
}

#[tokio::test]
async fn a_panic_of_the_engine_answers_everyone() {
    let namespace = Gated::new(false);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let tasks: Vec<_> = (0..3)
        .map(|i| {
            let committer = committer.clone();
            tokio::spawn(async move { committer.commit(put(&i.to_string())).await })
        })
        .collect();
    until(|| namespace.entered.load(Ordering::SeqCst) == 1).await;
    namespace.panic.store(true, Ordering::SeqCst);
    namespace.open();
    for task in tasks {
        assert_eq!(task.await.unwrap().unwrap_err().reason(), "StorePoisoned");
    }
    assert_eq!(
        committer.commit(put("later")).await.unwrap_err().reason(),
        "StorePoisoned"
    );
}

#[tokio::test]
async fn a_full_queue_makes_callers_wait_and_loses_nobody() {
    let namespace = Gated::new(false);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let count = QUEUE_BATCHES_MAX + 500;
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..count)
        .map(|i| {
            let (committer, done) = (committer.clone(), done.clone());
            tokio::spawn(async move {
                committer.commit(put(&i.to_string())).await.unwrap();
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    until(|| namespace.entered.load(Ordering::SeqCst) == 1).await;
    assert_eq!(done.load(Ordering::SeqCst), 0);
    namespace.open();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(namespace.latest(), Sequence(count as u64));
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_undo() {
    let namespace = Gated::new(false);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let task = {
        let committer = committer.clone();
        tokio::spawn(async move { committer.commit(put("a")).await })
    };
    until(|| namespace.entered.load(Ordering::SeqCst) == 1).await;
    task.abort();
    namespace.open();
    committer.commit(put("b")).await.unwrap();
    assert!(namespace.get(&key("a"), Sequence::MAX).unwrap().is_some());
}

#[test]
fn closing_commits_what_is_queued_and_refuses_the_rest() {
    let namespace = Gated::new(true);
    let committer = Arc::new(Committer::start(namespace.clone()).unwrap());
    let threads: Vec<_> = (0..8)
        .map(|t| {
            let committer = committer.clone();
            std::thread::spawn(move || {
                (0..50)
                    .filter(|i| committer.commit_blocking(put(&format!("{t}-{i}"))).is_ok())
                    .count()
            })
        })
        .collect();
    committer.commit_blocking(put("one")).unwrap();
    committer.close();
    let error = committer.commit_blocking(put("late")).unwrap_err();
    assert_eq!(
        (error.kind(), error.reason()),
        (ErrorKind::Unavailable, "StoreClosed")
    );
    let applied: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(
        namespace.latest(),
        Sequence(applied as u64 + 1),
        "what was answered is what was applied"
    );
    committer.close();
}

#[test]
fn inline_commits_in_the_caller() {
    let namespace = Gated::new(true);
    let committer = Committer::inline(namespace.clone());
    assert_eq!(committer.commit_blocking(put("a")).unwrap().sequence, Sequence(1));
    assert_eq!(namespace.latest(), Sequence(1));
    committer.close();
}
