//! Resync: what was there before the rules, or failed, is queued to be copied; as a run of its own, which goes on where
//! it was after a restart.
//!
//! Invariants
//! - versions of one key are queued oldest first, and if newer ones are at the destination already, the newest again
//!   at last: so that what is current here ends up current there;
//! - what is at a destination, or on its way, is not queued again.
//!
//! Deliberately absent: copying.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use craton_base::{BucketName, Kind as ErrorKind, ObjectKey, ResourcePath, Result};
use craton_gate::{Ask, Changes, Direction, Kind, Run, Subresource, Value, Worker};
use craton_objects::{
    list::{After, ListedVersion, PAGE_KEYS_MAX, VersionsAfter, VersionsListing, What, list_versions},
    replica::{self, CopyState, settle::requeue},
    replication::Replication,
    version::VersionId,
};
use futures::StreamExt as _;

use super::Replicating;
use crate::pace::Pace;

/// How many keys are queued at once: enough to share flushes.
const AT_ONCE: usize = 16;

/// The most versions of one key that are queued.
const VERSIONS_MAX: usize = 100_000;

/// How often it is looked for rules about what was there before.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What the worker remembers of a resync that goes on: the key that it is after.
const GOING: &str = "replication/resync/";

/// What it remembers of one that rules asked for: the commit that set them.
const EXISTING: &str = "replication/existing/";

/// A version and what is to be done about it.
struct Version {
    id: VersionId,
    /// Where it is to be copied and is not.
    due: Vec<String>,
    /// Where it is.
    done: Vec<String>,
}

/// The versions of one key, newest first.
struct OfKey {
    key: String,
    versions: Vec<Version>,
}

fn work_ask() -> Ask {
    Ask::new(
        "ReplicationPlace",
        "craton:Run",
        ResourcePath::System("work".into()),
    )
}

impl Replicating {
    /// What was interrupted goes on; then, for ever, what new rules say of what was there before them.
    pub(super) async fn resume_all(self: Arc<Self>) {
        let mut known = BTreeMap::new();
        if let Err(error) = self.resume().await {
            tracing::error!(%error, "resyncs that were interrupted do not go on");
        }
        loop {
            if let Err(error) = self.look(&mut known).await {
                tracing::warn!(%error, "a resync that rules ask for does not begin; it is tried again");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn resume(&self) -> Result<()> {
        if !self.workers.is_any(Kind::Work, GOING.as_bytes())? {
            return Ok(());
        }
        let run = self.workers.begin(Worker::Replication, "resume").await?;
        let mut found = Vec::new();
        let done = async {
            found = remembered(&run, GOING).await?;
            Ok(())
        }
        .await;
        run.end(&done);
        done?;
        for (bucket, after) in found {
            let after = String::from_utf8_lossy(&after).into_owned();
            self.resync(&bucket, Some(after)).await;
        }
        Ok(())
    }

    /// Rules that were not looked at yet, and are about what was there before them, begin a resync.
    async fn look(&self, known: &mut BTreeMap<BucketName, u64>) -> Result<()> {
        let configured = self.workers.buckets_with(Subresource::Replication)?;
        known.retain(|bucket, _| configured.iter().any(|(name, _)| name == bucket));
        for (bucket, set) in configured {
            if known.get(&bucket) == Some(&set.0) {
                continue;
            }
            let run = self.workers.begin(Worker::Replication, bucket.as_str()).await?;
            let mut wanted = false;
            let done = async {
                wanted = is_wanted(&run, &bucket, set.0).await?;
                Ok(())
            }
            .await;
            run.end(&done);
            done?;
            if wanted {
                self.resync(&bucket, None).await;
                let run = self.workers.begin(Worker::Replication, bucket.as_str()).await?;
                let name = format!("{EXISTING}{bucket}");
                let done = remember(&run, &name, Some(set.0.to_be_bytes().to_vec())).await;
                run.end(&done);
                done?;
            }
            known.insert(bucket, set.0);
        }
        Ok(())
    }

    /// A resync that someone asked for.
    pub(super) async fn resync_asked(self: Arc<Self>, bucket: String) {
        match BucketName::new(&bucket) {
            Ok(bucket) => self.resync(&bucket, None).await,
            Err(error) => tracing::warn!(%error, "a resync of no bucket was asked for"),
        }
    }

    /// One run; what it met is in the run.
    async fn resync(&self, bucket: &BucketName, after: Option<String>) {
        let run = match self.workers.begin(Worker::Replication, bucket.as_str()).await {
            Ok(run) => run,
            Err(error) => {
                tracing::error!(%error, "a resync can not begin");
                return;
            }
        };
        let done = async {
            self.walk(&run, bucket, after).await?;
            remember(&run, &format!("{GOING}{bucket}"), None).await
        }
        .await;
        if let Err(error) = &done {
            tracing::warn!(%bucket, %error, "a resync failed; it goes on at the next start");
        }
        run.end(&done);
    }

    async fn walk(&self, run: &Run, bucket: &BucketName, after: Option<String>) -> Result<()> {
        let Some(rules) = rules(run, bucket).await? else {
            return Ok(());
        };
        let mut pace = Pace::new(self.clock.clone());
        let mut listing = VersionsListing {
            limit: PAGE_KEYS_MAX,
            after: after.map(|key| VersionsAfter::Name(After::Key(key))),
            ..VersionsListing::default()
        };
        let mut open: Option<OfKey> = None;
        while !run.is_cancelled() {
            let path = ResourcePath::Objects(bucket.clone(), String::new());
            let ask = Ask::new("ListObjectVersions", "s3:ListBucketVersions", path);
            let permit = run.read(ask).await?;
            let page = list_versions(&permit, &listing).await.map_err(|e| e.to_base())?;
            drop(permit);
            run.count("seen", page.versions.len() as u64);
            let mut whole = Vec::new();
            for version in page.versions {
                whole.extend(take(&mut open, &rules, version));
            }
            let last = page.next.is_none();
            if last {
                whole.extend(open.take());
            }
            let reached = whole.last().map(|of_key| of_key.key.clone());
            self.queue(run, bucket, whole).await?;
            if last {
                return Ok(());
            }
            if let Some(key) = reached {
                remember(run, &format!("{GOING}{bucket}"), Some(key.into_bytes())).await?;
            }
            listing.after = page.next;
            pace.rest().await;
        }
        Ok(())
    }

    async fn queue(&self, run: &Run, bucket: &BucketName, keys: Vec<OfKey>) -> Result<()> {
        let mut doing = futures::stream::iter(keys)
            .map(|of_key| queue_key(run, bucket, of_key))
            .buffer_unordered(AT_ONCE);
        while let Some(done) = doing.next().await {
            done?;
        }
        Ok(())
    }
}

/// What is remembered under names that begin so.
async fn remembered(run: &Run, prefix: &str) -> Result<Vec<(BucketName, Vec<u8>)>> {
    let permit = run.read(work_ask()).await?;
    let end = [prefix.trim_end_matches('/').as_bytes(), b"0"].concat();
    let start = prefix.as_bytes();
    let page = permit.scan(Kind::Work, start, Some(&end), Direction::Forward, PAGE_KEYS_MAX)?;
    let one = |stored: &craton_gate::Stored| {
        let name = stored.key.name.get(prefix.len()..)?;
        let bucket = BucketName::new(std::str::from_utf8(name).ok()?).ok()?;
        Some((bucket, stored.value.meta.to_vec()))
    };
    Ok(page.entries.iter().filter_map(one).collect())
}

/// Whether rules are about what was there before them, and that was not seen to yet.
async fn is_wanted(run: &Run, bucket: &BucketName, set: u64) -> Result<bool> {
    let rules = rules(run, bucket).await?;
    if rules.is_none_or(|rules| !rules.is_about_existing()) {
        return Ok(false);
    }
    let permit = run.read(work_ask()).await?;
    let done = permit.entry(Kind::Work, format!("{EXISTING}{bucket}").as_bytes())?;
    Ok(done.is_none_or(|stored| *stored.value.meta != set.to_be_bytes()))
}

async fn rules(run: &Run, bucket: &BucketName) -> Result<Option<Arc<Replication>>> {
    let path = ResourcePath::Bucket(bucket.clone());
    let ask = Ask::new("GetBucketReplication", "s3:GetReplicationConfiguration", path);
    match run.read(ask).await {
        Ok(permit) => replica::rules(&permit),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Remembers something by this name, or forgets it.
async fn remember(run: &Run, name: &str, what: Option<Vec<u8>>) -> Result<()> {
    let permit = run.write(work_ask()).await?;
    let name = name.as_bytes().to_vec();
    let changes = match what {
        Some(what) => Changes::new().put(Kind::Work, name, Value::of_meta(what)),
        None => Changes::new().delete(Kind::Work, name),
    };
    permit.commit_system(changes).await.map(drop)
}

/// Takes the next version of a listing; gives the key before it, when that is whole.
fn take(open: &mut Option<OfKey>, rules: &Replication, listed: ListedVersion) -> Option<OfKey> {
    let version = judged(rules, &listed);
    match open {
        Some(of_key) if of_key.key == listed.key => {
            if of_key.versions.len() < VERSIONS_MAX {
                of_key.versions.push(version);
            }
            None
        }
        _ => open.replace(OfKey {
            key: listed.key,
            versions: vec![version],
        }),
    }
}

/// Where a version is to be copied and is not, and where it is.
fn judged(rules: &Replication, listed: &ListedVersion) -> Version {
    let (wanted, record) = match &listed.what {
        What::Object(meta) => (
            replica::destinations_of(rules, &listed.key, meta),
            meta.replication.as_ref(),
        ),
        What::Marker(meta) => {
            let to = rules.of_marker(&listed.key);
            (
                to.iter().map(|rule| rule.destination.clone()).collect(),
                meta.replication.as_ref(),
            )
        }
    };
    let is_replica = record.is_some_and(|record| record.replica);
    let is_at = |to: &String, state| record.is_some_and(|record| record.is_at(to, state));
    let (done, rest): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|to| is_at(to, CopyState::Completed));
    let due = rest
        .into_iter()
        .filter(|to| !is_replica && !is_at(to, CopyState::Pending));
    Version {
        id: listed.id,
        due: due.collect(),
        done,
    }
}

async fn queue_key(run: &Run, bucket: &BucketName, of_key: OfKey) -> Result<()> {
    let OfKey { key, versions } = of_key;
    let key = ObjectKey::new(&key)?;
    for version in versions.iter().rev() {
        for to in &version.due {
            queue_one(run, bucket, &key, (version.id, to, false)).await?;
        }
    }
    let Some((newest, older)) = versions.split_first() else {
        return Ok(());
    };
    for to in &newest.done {
        if older.iter().any(|version| version.due.contains(to)) {
            queue_one(run, bucket, &key, (newest.id, to, true)).await?;
        }
    }
    Ok(())
}

async fn queue_one(
    run: &Run,
    bucket: &BucketName,
    key: &ObjectKey,
    (id, to, again): (VersionId, &str, bool),
) -> Result<()> {
    if run.is_cancelled() {
        return Ok(());
    }
    let path = ResourcePath::Object(bucket.clone(), key.clone());
    let ask = Ask::new("ReplicationResync", "s3:GetObjectVersionForReplication", path);
    let permit = run.write(ask).await?;
    let queued = requeue(&permit, key, id, to, again)
        .await
        .map_err(|e| e.to_base())?;
    run.count(if queued { "queued" } else { "changed" }, 1);
    Ok(())
}

#[cfg(test)]
mod tests;
