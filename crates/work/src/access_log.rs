//! Server access logs: who asked for what in a bucket, as objects of another.
//!
//! The lines are made of the ledger, so that they lack nothing that was recorded, also after a crash. What the
//! ledger does not keep (the URI, the browser, the cipher) is `-`.
//!
//! Invariants
//! - a line is written at least once: the place in the ledger moves on after the objects are written;
//! - what is logged about writing logs is left out: else a bucket that logs into itself would never be quiet.
//!
//! Deliberately absent: reading the ledger's format, the form of a line ([`line`]).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{BucketName, Clock, Error, ObjectKey, Random, ResourcePath, Result, Timestamp, random};
use craton_gate::{
    Ask, BucketInfo, Changes, Kind, Run, Subresource, Value, Worker, Workers,
    ledger::{Record, RecordId, RecordKind},
};
use craton_objects::{
    body::Body,
    logging::{self, Logging},
    put::{self, Put},
};

mod line;

/// How many records are read in one go.
const BATCH: usize = 10_000;

/// The most bytes of one object of lines.
const OBJECT_BYTES_MAX: usize = 8 << 20;

/// The most decisions that are remembered, for the addresses in their outcomes' lines.
const DECISIONS_MAX: usize = 100_000;

/// What the worker remembers, by this name.
const CURSOR: &[u8] = b"access-log/index";

/// Writes access logs.
pub(crate) struct Logs {
    pub(crate) workers: Arc<Workers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    /// How often logs are written.
    pub(crate) every: Duration,
}

/// A bucket that is logged.
struct Source {
    info: BucketInfo,
    to: Arc<Logging>,
    lines: String,
    /// The time of its first line.
    since: Timestamp,
}

impl Logs {
    /// For ever.
    pub(crate) async fn write_all(self) {
        let mut addresses = BTreeMap::new();
        loop {
            tokio::time::sleep(self.every).await;
            if let Err(error) = self.write(&mut addresses).await {
                tracing::error!(%error, "access logs could not be written; it is tried again");
            }
        }
    }

    /// One run, if a bucket is logged.
    async fn write(&self, addresses: &mut BTreeMap<RecordId, String>) -> Result<()> {
        let buckets = self.workers.buckets_with(Subresource::Logging)?;
        if buckets.is_empty() {
            return Ok(());
        }
        let run = self.workers.begin(Worker::AccessLog, "ledger").await?;
        let done = async {
            let mut sources = BTreeMap::new();
            for (bucket, _) in buckets {
                if let Some(source) = source(&run, &bucket).await? {
                    sources.insert(bucket.to_string(), source);
                }
            }
            self.read(&run, &mut sources, addresses).await
        }
        .await;
        run.end(&done);
        done
    }

    async fn read(
        &self,
        run: &Run,
        sources: &mut BTreeMap<String, Source>,
        addresses: &mut BTreeMap<RecordId, String>,
    ) -> Result<()> {
        let mut index = self.cursor(run).await?;
        while !run.is_cancelled() {
            let (entries, end) = run.records(index, BATCH).await?;
            for record in entries.iter().filter_map(|entry| entry.record.as_ref()) {
                take(record, sources, addresses);
            }
            let full = sources.values().any(|s| s.lines.len() >= OBJECT_BYTES_MAX);
            let last = end == index || entries.len() < BATCH;
            index = end;
            if full || last {
                for source in sources.values_mut() {
                    self.put(run, source).await?;
                }
                set_cursor(run, index).await?;
            }
            if last {
                break;
            }
        }
        Ok(())
    }

    /// Where the last run ended; at first, the ledger's end: what was before is not logged.
    async fn cursor(&self, run: &Run) -> Result<u64> {
        let permit = run.read(work_ask()).await?;
        match permit.entry(Kind::Work, CURSOR)? {
            Some(stored) => <[u8; 8]>::try_from(&*stored.value.meta)
                .map(u64::from_be_bytes)
                .map_err(|_| Error::corrupt("the place of the access logs is not a number")),
            None => run.records(u64::MAX, 1).await.map(|(_, end)| end),
        }
    }

    /// Writes the lines of a bucket as one object.
    async fn put(&self, run: &Run, source: &mut Source) -> Result<()> {
        if source.lines.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut source.lines);
        let count = lines.lines().count() as u64;
        let unique = u64::from_be_bytes(random::bytes::<8>(&*self.random)?);
        let now = self.clock.now();
        let of = (&source.info.name, &*source.info.region);
        let key = source.to.key(of, source.since, now, unique);
        let key = ObjectKey::new(&key)?;
        let bucket = BucketName::new(&source.to.bucket)?;
        let ask = Ask::new(
            "PutAccessLog",
            "s3:PutObject",
            ResourcePath::Object(bucket, key.clone()),
        );
        let written = async {
            let permit = run.write(ask).await?;
            let put = put::put(&permit, &key, Put::default(), Body::of(Bytes::from(lines)));
            put.await.map(drop).map_err(|e| e.to_base())
        }
        .await;
        match written {
            Ok(()) => run.count("lines", count),
            // A target that is gone takes nothing, for ever: its bucket's lines must not hold up the others'.
            Err(error) if error.kind() == craton_base::Kind::Unavailable => return Err(error),
            Err(error) => {
                run.count("lost", count);
                tracing::warn!(bucket = %source.info.name, %error, "an access log could not be written");
            }
        }
        Ok(())
    }
}

fn work_ask() -> Ask {
    Ask::new(
        "AccessLogPlace",
        "craton:Run",
        ResourcePath::System("work".into()),
    )
}

async fn set_cursor(run: &Run, index: u64) -> Result<()> {
    let permit = run.write(work_ask()).await?;
    let value = Value::of_meta(index.to_be_bytes().to_vec());
    let changes = Changes::new().put(Kind::Work, CURSOR.to_vec(), value);
    permit.commit_system(changes).await.map(drop)
}

async fn source(run: &Run, bucket: &BucketName) -> Result<Option<Source>> {
    let ask = Ask::new(
        "GetBucketLogging",
        "s3:GetBucketLogging",
        ResourcePath::Bucket(bucket.clone()),
    );
    let permit = run.read(ask).await?;
    let Some(found) = permit.configuration(Subresource::Logging)? else {
        return Ok(None);
    };
    let to = found.parsed(|document| logging::parse(document))?;
    Ok(Some(Source {
        info: permit.bucket()?.clone(),
        to,
        lines: String::new(),
        since: Timestamp(0),
    }))
}

/// Adds a record's line to its bucket's.
fn take(record: &Record, sources: &mut BTreeMap<String, Source>, addresses: &mut BTreeMap<RecordId, String>) {
    let Some(source) = sources.get_mut(&record.bucket) else {
        return;
    };
    if record.principal == "system:access-log" {
        return;
    }
    let address = match record.kind() {
        RecordKind::Decision if record.is_ended() => Some(record.source_ip.clone()),
        RecordKind::Decision => {
            // Outcomes follow soon; of the very many that do not, the oldest go.
            if addresses.len() >= DECISIONS_MAX {
                addresses.pop_first();
            }
            addresses.insert(record.id(), record.source_ip.clone());
            return;
        }
        RecordKind::Outcome => record.decision().and_then(|id| addresses.remove(&id)),
        RecordKind::Write | RecordKind::Denial => Some(record.source_ip.clone()),
        _ => return,
    };
    if source.lines.is_empty() {
        source.since = record.time();
    }
    let address = address.unwrap_or_default();
    source
        .lines
        .push_str(&line::of(record, &source.info.owner, &address));
    source.lines.push('\n');
}
