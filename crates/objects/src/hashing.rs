//! Threads that hash what bodies bring, several bodies at once.
//!
//! MD5 is the dearest part of a large put, and a core can hash eight streams in less than four times the time of
//! one ([`crate::md5`]). So batches that wait are taken together: the busier the server, the cheaper each.
//!
//! Invariants: batches of one stream are hashed one after another, in order, because a stream's digests travel with
//! its batch; at most a batch of each upload waits, so the memory is the uploads' own.
//!
//! Deliberately absent: what the digests are compared with.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
    thread,
};

use bytes::Bytes;
use craton_base::{Error as BaseError, Result};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::{
    body::Digests,
    md5::{self, Append, LANES, LANES_WORTH},
};

/// The process's threads: one for each core.
static POOL: LazyLock<Pool> = LazyLock::new(Pool::start);

/// A batch of a stream, and its digests so far.
struct Job {
    digests: Box<Digests>,
    batch: Vec<Bytes>,
    done: oneshot::Sender<Box<Digests>>,
}

#[derive(Default)]
struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    filled: Condvar,
}

struct Pool {
    queue: Arc<Queue>,
    threads: usize,
}

/// A batch that is being hashed.
pub(crate) struct Hashing(oneshot::Receiver<Box<Digests>>);

impl Hashing {
    /// The digests with the batch in them.
    ///
    /// # Errors
    /// `Internal` if its thread ended.
    pub(crate) async fn finish(self) -> Result<Box<Digests>> {
        let lost = |e| BaseError::internal("a body's digest was lost").with_source(e);
        self.0.await.map_err(lost)
    }
}

/// Hashes `batch` into `digests` on another thread.
pub(crate) fn start(digests: Box<Digests>, batch: Vec<Bytes>) -> Hashing {
    let (done, hashing) = oneshot::channel();
    let job = Job { digests, batch, done };
    if POOL.threads == 0 {
        hash(vec![job]);
    } else {
        POOL.queue.jobs.lock().push_back(job);
        POOL.queue.filled.notify_one();
    }
    Hashing(hashing)
}

impl Pool {
    fn start() -> Self {
        let queue = Arc::<Queue>::default();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = (0..cores)
            .map_while(|n| {
                let queue = Arc::clone(&queue);
                let work = move || loop {
                    hash(queue.take());
                };
                thread::Builder::new().name(format!("hash-{n}")).spawn(work).ok()
            })
            .count();
        Self { queue, threads }
    }
}

impl Queue {
    /// What one thread should hash next; waits until there is something.
    fn take(&self) -> Vec<Job> {
        let mut jobs = self.jobs.lock();
        while jobs.is_empty() {
            self.filled.wait(&mut jobs);
        }
        // A few are hashed faster one by one, on as many threads.
        let now = if jobs.len() < LANES_WORTH {
            1
        } else {
            LANES.min(jobs.len())
        };
        jobs.drain(..now).collect()
    }
}

fn hash(mut jobs: Vec<Job>) {
    // Nobody waits for an upload that was given up.
    jobs.retain(|job| !job.done.is_closed());
    md5::update_all(jobs.iter_mut().map(|job| Append {
        md5: &mut job.digests.md5,
        pieces: &job.batch,
    }));
    for Job {
        mut digests,
        batch,
        done,
    } in jobs
    {
        digests.update_checksums(&batch);
        drop(batch);
        // A receiver that has gone needs no digests.
        let _ = done.send(digests);
    }
}

#[cfg(test)]
mod tests;
