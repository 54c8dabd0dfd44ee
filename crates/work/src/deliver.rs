//! Delivering events: from the outbox to their targets, at least once.
//!
//! ```text
//! outbox ─▶ spread ─▶ target, directly, if it is up and nothing waits for it
//!                └──▶ its queue (Kind::Delivery) ─▶ drain, again and again until it is taken
//! ```
//!
//! Invariants
//! - a notice leaves the outbox in the commit that puts what was not taken into the queues: a crash repeats, it
//!   loses nothing;
//! - a target that is slow or down keeps no other waiting, and no write;
//! - a queue has at most [`WAITING_MAX`] entries; what comes then is dropped, counted and logged.
//!
//! Deliberately absent: who is to be told (decided when the write was committed).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Error, Kind as ErrorKind, Random, ResourcePath, Result};
use craton_gate::{
    Ask, Changes, Direction, Kind, Notice, Run, Stored, Told, Value, Worker, Workers, WritePermit,
};
use craton_objects::notification::{event, record, target_name};
use futures::future::join_all;
use prost::Message as _;
use tokio::sync::{Mutex, Notify};

use crate::{
    sink::{Message, Sink},
    target::Settings,
};

/// How many notices are spread in one go.
const BATCH: usize = 256;

/// How many deliveries are tried in one go.
const DRAIN_BATCH: usize = 64;

/// The most deliveries that wait for one target.
pub const WAITING_MAX: u64 = 1_000_000;

/// How long a target may take for a batch.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the outbox is looked at though nobody said that there is something.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long to wait after a first failure, and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_mins(1));

/// A delivery that waits. The tags are on disk (`docs/formats.md`, "Notices").
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Delivery {
    #[prost(string, tag = "1")]
    subject: String,
    #[prost(bytes = "bytes", tag = "2")]
    body: bytes::Bytes,
    #[prost(int64, tag = "3")]
    time_millis: i64,
}

/// A target as it stands.
pub(crate) struct Post {
    name: String,
    sink: Mutex<Sink>,
    /// Whether deliveries wait: then new ones wait behind them.
    waits: AtomicBool,
    waiting: AtomicU64,
    wake: Notify,
}

impl Post {
    pub(crate) fn new(target: &crate::target::Target, random: &Arc<dyn Random>) -> Arc<Self> {
        Arc::new(Self {
            name: target.name.clone(),
            sink: Mutex::new(Sink::new(target.clone(), random.clone())),
            // What waited when the process ended is found by the first look.
            waits: AtomicBool::new(true),
            waiting: AtomicU64::new(0),
            wake: Notify::new(),
        })
    }

    /// Whether nothing more is to be put into its queue now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= WAITING_MAX
    }

    /// Deliveries were put into its queue.
    pub(crate) fn arrived(&self, n: u64) {
        self.waiting.fetch_add(n, Ordering::Relaxed);
        self.waits.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Its deliveries' names begin so. Names of targets have no NUL.
    pub(crate) fn prefix(&self) -> Vec<u8> {
        [b"target/", self.name.as_bytes(), &[0]].concat()
    }

    /// The least name after all of its deliveries'.
    fn end(&self) -> Vec<u8> {
        [b"target/", self.name.as_bytes(), &[1]].concat()
    }
}

/// A message with the name that it would wait under.
type Item = (Vec<u8>, Message);

/// What is for one target.
type Mail = (Arc<Post>, Vec<Item>);

/// Delivers.
pub(crate) struct Delivering {
    workers: Arc<Workers>,
    posts: BTreeMap<String, Arc<Post>>,
}

fn ask() -> Ask {
    Ask::new(
        "DeliverEvents",
        "craton:DeliverEvents",
        ResourcePath::System("outbox".into()),
    )
}

impl Delivering {
    pub(crate) fn new(workers: Arc<Workers>, settings: &Settings, random: &Arc<dyn Random>) -> Self {
        let post = |target: &crate::target::Target| (target.name.clone(), Post::new(target, random));
        Self {
            posts: settings.targets.iter().map(post).collect(),
            workers,
        }
    }

    /// Spreads notices for ever.
    pub(crate) async fn spread_all(self: Arc<Self>) {
        loop {
            let done = self.spread_run().await;
            if let Err(error) = done {
                tracing::error!(%error, "events are not spread; it is tried again");
            }
            tokio::time::sleep(RETRY.0).await;
        }
    }

    /// One run: until it is cancelled or fails.
    async fn spread_run(&self) -> Result<()> {
        let run = self.workers.begin(Worker::Events, "outbox").await?;
        let done = async {
            while !run.is_cancelled() {
                while self.workers.is_any(Kind::Outbox, b"")? && !run.is_cancelled() {
                    self.spread(&run).await?;
                }
                tokio::select! {
                    () = self.workers.notices_arrived() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                    () = run.cancelled() => {}
                }
            }
            Ok(())
        }
        .await;
        run.end(&done);
        done
    }

    /// Spreads one batch.
    async fn spread(&self, run: &Run) -> Result<()> {
        let permit = run.write(ask()).await?;
        let page = permit.scan(Kind::Outbox, b"", None, Direction::Forward, BATCH)?;
        let mut mail: BTreeMap<String, Mail> = BTreeMap::new();
        let mut changes = Changes::new();
        for stored in &page.entries {
            let told = told(stored)?;
            if told.notice.event != event::TEST {
                self.workers.tell(&told);
            }
            for (post, item) in self.addressed(run, stored, &told) {
                let mail = mail
                    .entry(post.name.clone())
                    .or_insert_with(|| (post, Vec::new()));
                mail.1.push(item);
            }
            changes = changes.delete(Kind::Outbox, stored.key.name.clone());
        }
        let sent = join_all(mail.into_values().map(|mail| post(run, mail))).await;
        let mut behind = Vec::new();
        for (post, rest) in sent {
            behind.push((post, rest.len() as u64));
            for (name, message) in rest {
                changes = changes.put(Kind::Delivery, name, queued(message));
            }
        }
        permit.commit_system(changes).await?;
        run.count("events", page.entries.len() as u64);
        for (post, waiting) in behind.iter().filter(|(_, waiting)| *waiting > 0) {
            post.waiting.fetch_add(*waiting, Ordering::Relaxed);
            post.wake.notify_one();
        }
        Ok(())
    }

    /// What is to be sent about one notice.
    fn addressed(&self, run: &Run, stored: &Stored, told: &Told) -> Vec<(Arc<Post>, Item)> {
        let mut out = Vec::new();
        for (n, recipient) in told.notice.recipients.iter().enumerate() {
            let post = target_name(&recipient.address).and_then(|name| self.posts.get(name));
            let Some(post) = post else {
                run.count("unknown-targets", 1);
                tracing::warn!(
                    arn = recipient.address,
                    bucket = told.notice.bucket,
                    "no such target"
                );
                continue;
            };
            let n = u16::try_from(n).unwrap_or(u16::MAX);
            let name = [
                &*post.prefix(),
                &told.sequence.0.to_be_bytes(),
                &stored.key.name,
                &n.to_be_bytes(),
            ]
            .concat();
            out.push((post.clone(), (name, message(told, &recipient.rule))));
        }
        out
    }

    /// Drains one target's queue for ever.
    pub(crate) async fn drain_all(self: Arc<Self>, post: Arc<Post>) {
        let mut pause = RETRY.0;
        loop {
            match self.drain_run(&post).await {
                Ok(()) => {
                    pause = RETRY.0;
                    post.wake.notified().await;
                }
                Err(error) => {
                    tracing::debug!(target = post.name, %error, "events wait for a target");
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(RETRY.1);
                }
            }
        }
    }

    /// The targets.
    pub(crate) fn posts(&self) -> Vec<Arc<Post>> {
        self.posts.values().cloned().collect()
    }

    /// One run: until nothing waits, it is cancelled or the target fails.
    async fn drain_run(&self, post: &Post) -> Result<()> {
        let prefix = post.prefix();
        if !self.workers.is_any(Kind::Delivery, &prefix)? {
            post.waits.store(false, Ordering::Relaxed);
            post.waiting.store(0, Ordering::Relaxed);
            return Ok(());
        }
        let run = self
            .workers
            .begin(Worker::Events, &format!("target/{}", post.name))
            .await?;
        let done = async {
            let mut sink = post.sink.lock().await;
            while self.workers.is_any(Kind::Delivery, &prefix)? {
                if run.is_cancelled() {
                    return Err(Error::new(ErrorKind::Busy, "Cancelled", "the run was cancelled"));
                }
                self.drain(&run, post, &mut sink).await?;
            }
            post.waits.store(false, Ordering::Relaxed);
            post.waiting.store(0, Ordering::Relaxed);
            Ok(())
        }
        .await;
        run.end(&done);
        done
    }

    /// One batch.
    async fn drain(&self, run: &Run, post: &Post, sink: &mut Sink) -> Result<()> {
        let permit = run.write(ask()).await?;
        let (start, end) = (post.prefix(), post.end());
        let page = permit.scan(
            Kind::Delivery,
            &start,
            Some(&end),
            Direction::Forward,
            DRAIN_BATCH,
        )?;
        let messages = page.entries.iter().map(from_stored).collect::<Result<Vec<_>>>()?;
        let (taken, sent) = send(sink, &messages).await;
        run.count("delivered", taken as u64);
        settle(&permit, page.entries.iter().take(taken)).await?;
        post.waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| {
                Some(n.saturating_sub(taken as u64))
            })
            .ok();
        sent
    }
}

/// Sends directly what can be; the rest is to wait.
async fn post(run: &Run, (post, items): Mail) -> Mail {
    let taken = send_now(run, &post, &items).await;
    let mut rest: Vec<_> = items.into_iter().skip(taken).collect();
    let room = WAITING_MAX.saturating_sub(post.waiting.load(Ordering::Relaxed));
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if rest.len() > room {
        let dropped = rest.len().saturating_sub(room);
        run.count("dropped", dropped as u64);
        tracing::error!(target = post.name, dropped, "too many events wait for a target");
        rest.truncate(room);
    }
    if !rest.is_empty() {
        post.waits.store(true, Ordering::Relaxed);
    }
    (post, rest)
}

/// How many were taken. None if others wait already, or someone is sending to the target.
async fn send_now(run: &Run, post: &Post, items: &[Item]) -> usize {
    if post.waits.load(Ordering::Relaxed) {
        return 0;
    }
    let Ok(mut sink) = post.sink.try_lock() else {
        return 0;
    };
    let messages: Vec<Message> = items.iter().map(|(_, m)| m.clone()).collect();
    let (taken, sent) = send(&mut sink, &messages).await;
    run.count("delivered", taken as u64);
    if let Err(error) = sent {
        tracing::warn!(target = post.name, %error, "a target does not take events; they wait");
    }
    taken
}

/// What was taken goes.
async fn settle(permit: &WritePermit, taken: impl Iterator<Item = &Stored>) -> Result<()> {
    let mut changes = Changes::new();
    let mut any = false;
    for stored in taken {
        changes = changes.delete(Kind::Delivery, stored.key.name.clone());
        any = true;
    }
    if !any {
        permit.failed(ErrorKind::Unavailable, "TargetUnavailable");
        return Ok(());
    }
    permit.commit_system(changes).await.map(drop)
}

/// Sends within the time, and says how many were taken.
async fn send(sink: &mut Sink, messages: &[Message]) -> (usize, Result<()>) {
    let mut taken = 0;
    let sent = tokio::time::timeout(SEND_TIMEOUT, sink.send(messages, &mut taken)).await;
    let sent = sent.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Unavailable,
            "TargetUnavailable",
            "the target takes too long",
        ))
    });
    (taken.min(messages.len()), sent)
}

fn told(stored: &Stored) -> Result<Told> {
    Ok(Told {
        notice: Notice::from_stored(stored)?,
        sequence: stored.sequence,
    })
}

fn message(told: &Told, rule: &str) -> Message {
    let notice = &told.notice;
    Message {
        subject: format!("{}/{}", notice.bucket, notice.key),
        time_millis: i64::try_from(notice.time_micros / 1000).unwrap_or(i64::MAX),
        body: record::message(told, rule),
    }
}

pub(crate) fn queued(message: Message) -> Value {
    let delivery = Delivery {
        subject: message.subject,
        body: message.body,
        time_millis: message.time_millis,
    };
    Value::of_meta(delivery.encode_to_vec())
}

fn from_stored(stored: &Stored) -> Result<Message> {
    let delivery = Delivery::decode(stored.value.meta.clone())
        .map_err(|e| Error::corrupt("a delivery does not parse").with_source(e))?;
    Ok(Message {
        subject: delivery.subject,
        body: delivery.body,
        time_millis: delivery.time_millis,
    })
}
