//! Group commit: many callers, one flush. A flush costs milliseconds whatever it carries, so while one is under
//! way the next group gathers.
//!
//! Invariants
//! - batches are applied in the order in which they were queued, each atomically, and a caller is answered only
//!   after the flush that covers its batch;
//! - what waits here is bounded by [`QUEUE_BATCHES_MAX`] and [`QUEUE_BYTES_MAX`], the group being flushed
//!   included; callers beyond that wait their turn, first come first served;
//! - after the engine has failed, or [`Committer::close`], every commit is answered `Unavailable`.
//!
//! A caller that stops waiting does not undo its batch once it is queued.
//!
//! Deliberately absent: what batches mean; retries; time (nothing waits in order to gather more).

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use craton_base::{Error, Kind as ErrorKind, Result};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Batch, Committed, Namespace, rules};

#[cfg(test)]
mod tests;

/// The most batches that wait or are being flushed.
pub const QUEUE_BATCHES_MAX: usize = 4096;

/// The most bytes of names and values that wait or are being flushed; a larger batch goes alone.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// A group is closed when it has about this many bytes, so that one flush stays short.
const GROUP_BYTES: usize = 16 << 20;

/// Commits batches to one namespace. See the module.
pub struct Committer(Way);

enum Way {
    Inline(Arc<dyn Namespace>),
    Thread {
        shared: Arc<Shared>,
        thread: Mutex<Option<JoinHandle<()>>>,
    },
}

/// How much was committed since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Flushes.
    pub groups: u64,
    /// Batches in them, refused ones included.
    pub batches: u64,
}

struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    batch_room: Arc<Semaphore>,
    byte_room: Arc<Semaphore>,
    groups: AtomicU64,
    batches: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Open,
    Closed,
    Poisoned,
}

struct Waiting {
    batch: Batch,
    bytes: usize,
    answer: Answer,
}

/// Where a batch's result goes; the room it takes is given back with it.
struct Answer {
    to: oneshot::Sender<Result<Committed>>,
    _batch_room: OwnedSemaphorePermit,
    _byte_room: OwnedSemaphorePermit,
}

impl Committer {
    /// A committer with a thread of its own.
    ///
    /// # Errors
    /// `Unavailable` if the operating system gives no thread.
    pub fn start(namespace: Arc<dyn Namespace>) -> Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            work: Condvar::new(),
            batch_room: Arc::new(Semaphore::new(QUEUE_BATCHES_MAX)),
            byte_room: Arc::new(Semaphore::new(QUEUE_BYTES_MAX)),
            groups: AtomicU64::new(0),
            batches: AtomicU64::new(0),
        });
        let worker = Worker(shared.clone());
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || worker.run(namespace.as_ref()))
            .map_err(|e| {
                Error::new(ErrorKind::Unavailable, "NoThread", "no thread to commit on").with_source(e)
            })?;
        Ok(Self(Way::Thread {
            shared,
            thread: Mutex::new(Some(thread)),
        }))
    }

    /// A committer that commits in the caller, one batch a flush: for simulation.
    #[must_use]
    pub fn inline(namespace: Arc<dyn Namespace>) -> Self {
        Self(Way::Inline(namespace))
    }

    /// Commits a batch; it is durable and visible when this returns.
    ///
    /// # Errors
    /// `Precondition`, `Invalid`, `TooLarge` as [`Namespace::commit`]; `Unavailable` if the engine has failed
    /// (whether this batch is applied is known only after the store is opened again) or this is closed.
    pub async fn commit(&self, batch: Batch) -> Result<Committed> {
        match &self.0 {
            Way::Inline(namespace) => namespace.commit(&[batch])?.pop().unwrap_or_else(|| Err(lost())),
            Way::Thread { shared, .. } => {
                let answer = shared.enqueue(batch).await?;
                // The sender is dropped unanswered only if the thread panicked.
                answer.await.unwrap_or_else(|_| Err(rules::poisoned()))
            }
        }
    }

    /// As [`Committer::commit`], for a thread that may block. Not on an async thread.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub fn commit_blocking(&self, batch: Batch) -> Result<Committed> {
        futures::executor::block_on(self.commit(batch))
    }

    /// Commits what is queued, and ends. Waits for it: a flush or two. Later commits are refused.
    pub fn close(&self) {
        if let Way::Thread { shared, thread } = &self.0 {
            shared.end(State::Closed);
            let thread = thread.lock().take();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!("the committer panicked");
            }
        }
    }

    /// How much was committed since the start; nothing is counted inline.
    #[must_use]
    pub fn stats(&self) -> Stats {
        match &self.0 {
            Way::Inline(_) => Stats::default(),
            Way::Thread { shared, .. } => Stats {
                groups: shared.groups.load(Ordering::Relaxed),
                batches: shared.batches.load(Ordering::Relaxed),
            },
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    async fn enqueue(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Committed>>> {
        rules::check(&batch)?;
        let bytes = batch.bytes();
        let permits = u32::try_from(bytes.min(QUEUE_BYTES_MAX)).unwrap_or(u32::MAX);
        // Always in this order, so that no two callers hold what the other needs.
        let batch_room = self.batch_room.clone().acquire_owned().await;
        let byte_room = self.byte_room.clone().acquire_many_owned(permits).await;
        let (Ok(batch_room), Ok(byte_room)) = (batch_room, byte_room) else {
            return Err(self.queue.lock().state.refusal());
        };
        let (to, from) = oneshot::channel();
        let answer = Answer {
            to,
            _batch_room: batch_room,
            _byte_room: byte_room,
        };
        let mut queue = self.queue.lock();
        if queue.state != State::Open {
            return Err(queue.state.refusal());
        }
        queue.waiting.push_back(Waiting { batch, bytes, answer });
        drop(queue);
        self.work.notify_one();
        Ok(from)
    }

    /// Refuses what comes from now on.
    fn end(&self, state: State) {
        let mut queue = self.queue.lock();
        if queue.state == State::Open || state == State::Poisoned {
            queue.state = state;
        }
        drop(queue);
        self.batch_room.close();
        self.byte_room.close();
        self.work.notify_all();
    }

    /// The next group, or `None` when there will be none.
    fn gather(&self) -> Option<(Vec<Batch>, Vec<Answer>)> {
        let mut queue = self.queue.lock();
        while queue.waiting.is_empty() {
            if queue.state != State::Open {
                return None;
            }
            self.work.wait(&mut queue);
        }
        let (mut batches, mut answers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while bytes < GROUP_BYTES
            && let Some(waiting) = queue.waiting.pop_front()
        {
            bytes += waiting.bytes;
            batches.push(waiting.batch);
            answers.push(waiting.answer);
        }
        Some((batches, answers))
    }
}

impl State {
    fn refusal(self) -> Error {
        match self {
            Self::Poisoned => rules::poisoned(),
            Self::Open | Self::Closed => {
                Error::new(ErrorKind::Unavailable, "StoreClosed", "the store is being closed")
            }
        }
    }
}

/// The thread's side. Dropping it, by return or panic, answers everyone.
struct Worker(Arc<Shared>);

impl Worker {
    fn run(&self, namespace: &dyn Namespace) {
        while let Some((batches, answers)) = self.0.gather() {
            self.0.groups.fetch_add(1, Ordering::Relaxed);
            self.0.batches.fetch_add(batches.len() as u64, Ordering::Relaxed);
            match namespace.commit(&batches) {
                Ok(results) => send(answers, results),
                Err(error) => {
                    tracing::error!(error = ?error, batches = batches.len(), "a commit failed; nothing is written until the store is opened again");
                    self.0.end(State::Poisoned);
                    let failed = || {
                        Err(Error::new(
                            ErrorKind::Unavailable,
                            "StorePoisoned",
                            "the commit failed",
                        ))
                    };
                    let results = answers.iter().map(|_| failed()).collect();
                    send(answers, results);
                    return;
                }
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // After a normal end the queue is empty and closed, and this changes nothing for anybody.
        let mut queue = self.0.queue.lock();
        let left = std::mem::take(&mut queue.waiting);
        if queue.state == State::Open {
            queue.state = State::Poisoned;
        }
        let state = queue.state;
        drop(queue);
        self.0.end(state);
        for waiting in left {
            // Nobody listens if the caller stopped waiting.
            drop(waiting.answer.to.send(Err(state.refusal())));
        }
    }
}

fn send(answers: Vec<Answer>, results: Vec<Result<Committed>>) {
    for (answer, result) in answers.into_iter().zip(results) {
        // Nobody listens if the caller stopped waiting.
        drop(answer.to.send(result));
    }
}

fn lost() -> Error {
    Error::internal("the namespace did not answer a batch")
}
