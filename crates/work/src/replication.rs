//! Replication: versions that rules name, and what changes of them, copied to other buckets.
//!
//! ```text
//! a write's commit ─▶ queue (Kind::Replication) ─▶ one drain for each destination ─▶ a bucket here or there
//!                                └──────── the outcome, in the commit that takes the entry away ◀──┘
//! ```
//!
//! Invariants
//! - versions of one key arrive in the order of their commits; keys are copied side by side;
//! - a destination that is slow or down keeps no other waiting, and no write: what waits, waits in the namespace;
//! - what the other side refuses is tried [`TRIES_MAX`] times and then said to have failed; what it is not there for is
//!   tried for ever, less and less often;
//! - the rules count as they are when something is copied: what no rule names any more is dropped.
//!
//! Deliberately absent: which versions are queued (decided in the write's commit), how a copy is made ([`copying`]).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use craton_base::{BucketName, Clock, Error, Kind as ErrorKind, ObjectKey, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Changes, Direction, Kind, QueuedPlace, RemoteBuckets, Run, Worker, Workers};
use craton_objects::replica::settle::{Outcome, Queued, settle};
use futures::StreamExt as _;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};

use crate::{remote::Client, target::Settings};

mod copying;
mod resync;

use copying::Seen;

/// How many entries are done in one go.
const BATCH: usize = 256;

/// How many more are read, to put them in the order of their commits: names are in the order of time only about.
const LOOKAHEAD: usize = 256;

/// How many keys are copied at once.
const AT_ONCE: usize = 16;

/// How often what the other side refuses is tried.
const TRIES_MAX: u32 = 5;

/// How often the queue is looked at though nobody said that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long a drain with nothing to do stays.
const IDLE: Duration = Duration::from_secs(30);

/// How long to wait after a first failure, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// The longest error that is told of a destination, in characters.
const ERROR_CHARACTERS_MAX: usize = 300;

/// Copies.
pub(crate) struct Replicating {
    workers: Arc<Workers>,
    remotes: BTreeMap<String, Client>,
    places: Vec<RemoteBuckets>,
    clock: Arc<dyn Clock>,
    seen: Seen,
    /// When the process began: what was queued before may have been sent.
    begun: Timestamp,
    tries: Tries,
}

/// How often each entry was tried, by its name.
type Tries = Mutex<BTreeMap<Bytes, u32>>;

fn queue_ask() -> Ask {
    let path = ResourcePath::System("replication".into());
    Ask::new("ReplicationQueue", "craton:Replicate", path)
}

impl Replicating {
    pub(crate) fn new(workers: Arc<Workers>, settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        let remotes = settings.remotes.iter().map(|remote| {
            let client = Client::new(remote, clock.clone())?;
            Ok((remote.name.clone(), client))
        });
        Ok(Self {
            remotes: remotes.collect::<Result<_>>()?,
            places: settings.remote_buckets(),
            workers,
            begun: clock.now(),
            clock,
            seen: Seen::default(),
            tries: Tries::default(),
        })
    }

    /// For ever: a drain for each destination that something waits for, and a resync where someone asks for it.
    pub(crate) async fn run_all(self: Arc<Self>, mut wanted: mpsc::Receiver<String>) {
        let mut drains: BTreeMap<QueuedPlace, Arc<Notify>> = BTreeMap::new();
        let mut tasks: JoinSet<QueuedPlace> = JoinSet::new();
        let mut resyncs: JoinSet<()> = JoinSet::new();
        resyncs.spawn(self.clone().resume_all());
        loop {
            match self.workers.queued_places() {
                Ok(places) => {
                    for place in places {
                        let wake = drains.entry(place.clone()).or_insert_with(|| {
                            let wake = Arc::new(Notify::new());
                            tasks.spawn(self.clone().drain(place, wake.clone()));
                            wake
                        });
                        wake.notify_one();
                    }
                }
                Err(error) => tracing::error!(%error, "the replication queue can not be looked at"),
            }
            tokio::select! {
                () = self.workers.copies_arrived() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                Some(bucket) = wanted.recv() => { resyncs.spawn(self.clone().resync_asked(bucket)); }
                Some(_) = resyncs.join_next() => {}
                Some(Ok(ended)) = tasks.join_next() => { drains.remove(&ended); }
            }
        }
    }

    /// One destination, until nothing waits for it for a while.
    async fn drain(self: Arc<Self>, place: QueuedPlace, wake: Arc<Notify>) -> QueuedPlace {
        let mut pause = RETRY.0;
        loop {
            match self.drain_run(&place, &wake).await {
                Ok(()) => return place,
                Err(error) => {
                    tracing::debug!(bucket = place.bucket, to = place.destination, %error, "copies wait");
                    self.note_error(&place, &error);
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(RETRY.1);
                }
            }
        }
    }

    /// One run: until nothing waits, it is cancelled, or something fails.
    async fn drain_run(&self, place: &QueuedPlace, wake: &Notify) -> Result<()> {
        if !self.workers.is_any(Kind::Replication, &place.prefix)? {
            return Ok(());
        }
        let subject = format!("{} to {}", place.bucket, place.destination);
        let run = self.workers.begin(Worker::Replication, &subject).await?;
        let done = async {
            loop {
                if run.is_cancelled() {
                    return Err(Error::new(ErrorKind::Busy, "Cancelled", "the run was cancelled"));
                }
                if self.workers.is_any(Kind::Replication, &place.prefix)? {
                    self.batch(&run, place).await?;
                    continue;
                }
                let woken = async {
                    tokio::select! {
                        () = wake.notified() => {}
                        () = run.cancelled() => {}
                    }
                };
                if tokio::time::timeout(IDLE, woken).await.is_err() {
                    return Ok(());
                }
            }
        }
        .await;
        run.end(&done);
        done
    }

    async fn batch(&self, run: &Run, place: &QueuedPlace) -> Result<()> {
        let permit = run.read(queue_ask()).await?;
        let end = place.end();
        let limit = BATCH.saturating_add(LOOKAHEAD);
        let page = permit.scan(
            Kind::Replication,
            &place.prefix,
            end.as_deref(),
            Direction::Forward,
            limit,
        )?;
        drop(permit);
        let mut entries = page
            .entries
            .into_iter()
            .map(Queued::read)
            .collect::<Result<Vec<_>>>()?;
        entries.sort_by_key(|queued| queued.entry.sequence);
        entries.truncate(BATCH);
        let mut keys: BTreeMap<ObjectKey, Vec<Queued>> = BTreeMap::new();
        for queued in entries {
            keys.entry(queued.key.clone()).or_default().push(queued);
        }
        let mut doing = futures::stream::iter(keys.into_values())
            .map(|of_key| self.chain(run, of_key))
            .buffer_unordered(AT_ONCE);
        let mut outcome = Ok(());
        while let Some(done) = doing.next().await {
            outcome = outcome.and(done);
        }
        outcome
    }

    /// What waits of one key, in order: what can not be done now keeps what follows waiting.
    async fn chain(&self, run: &Run, of_key: Vec<Queued>) -> Result<()> {
        for queued in of_key {
            if run.is_cancelled() {
                return Ok(());
            }
            self.one(run, &queued).await?;
        }
        Ok(())
    }

    async fn one(&self, run: &Run, queued: &Queued) -> Result<()> {
        let outcome = match self.copy(run, queued).await {
            Ok(outcome) => outcome,
            Err(error) if self.tried(queued) < TRIES_MAX || is_passing(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(bucket = queued.bucket, to = queued.destination, %error, "a version is not copied");
                self.workers
                    .note_standing(&queued.bucket, &queued.destination, |s| {
                        s.failed = s.failed.saturating_add(1);
                        s.error = Some(shown(&error));
                    });
                run.count("failed", 1);
                Outcome::Failed
            }
        };
        self.settle(run, queued, &outcome).await?;
        self.tries().remove(&queued.entry.key.name);
        Ok(())
    }

    fn tries(&self) -> MutexGuard<'_, BTreeMap<Bytes, u32>> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an attempt.
    fn tried(&self, queued: &Queued) -> u32 {
        let mut tries = self.tries();
        let count = tries.entry(queued.entry.key.name.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    async fn settle(&self, run: &Run, queued: &Queued, outcome: &Outcome) -> Result<()> {
        let bucket = BucketName::new(&queued.bucket)?;
        let path = ResourcePath::Object(bucket, queued.key.clone());
        let ask = Ask::new("ReplicationOutcome", "s3:GetObjectVersionForReplication", path);
        match run.write(ask).await {
            Ok(permit) => settle(&permit, queued, outcome).await.map_err(|e| e.to_base()),
            // The bucket is gone, and with it what could be said of its versions.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let permit = run.write(queue_ask()).await?;
                let changes = Changes::new().settle(queued.entry.clone());
                permit.commit_system(changes).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    fn note_error(&self, place: &QueuedPlace, error: &Error) {
        let text = shown(error);
        self.workers
            .note_standing(&place.bucket, &place.destination, |s| s.error = Some(text));
    }
}

/// What passes by itself: then it is tried for ever.
fn is_passing(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Busy)
}

fn shown(error: &Error) -> String {
    error.message().chars().take(ERROR_CHARACTERS_MAX).collect()
}
