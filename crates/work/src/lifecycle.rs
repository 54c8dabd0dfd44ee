//! Doing what lifecycle rules say, bucket by bucket; and keeping content at the tier of its class, where there are tiers.
//!
//! A run walks over a bucket's versions and uploads in order, a page at a time, and does what is due, each by a
//! permit of its own, a few at once, which share a flush. After every few, and after a page, it rests ([`crate::pace`]): who
//! asks for something meanwhile waits for a few actions, not for a page of them.
//!
//! Invariants
//! - what is done was decided for the version that it is done to: a deletion states the version's tag, size and
//!   time, so that an object that was written meanwhile stays;
//! - what a lock keeps, stays: the engine refuses the removal as it would refuse a client's.
//!
//! Deliberately absent: what the rules mean ([`craton_objects::lifecycle`]).

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use craton_base::{BucketName, Clock, Error, Kind as ErrorKind, ObjectKey, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Run, Subresource, Worker, Workers};
use craton_objects::{
    self as objects,
    condition::{DeleteConditions, Tag},
    delete::{self, Delete},
    lifecycle::{self as rules, Action, Calendar, DAY, Lifecycle},
    list::{ListedVersion, PAGE_KEYS_MAX, VersionsListing, What, list_versions},
    multipart::{self, UploadId},
    tiering::{self, Task},
    version::Target,
};
use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

use crate::pace::Pace;

mod walk;

use walk::{Found, Walk};

/// How many actions are under way at once: enough to share a flush, few enough that all together take a millisecond or
/// two.
const AT_ONCE: usize = 16;

/// How often buckets are looked through for rules, in parts of a day.
const LOOKS_A_DAY: u32 = 24;

/// Does what rules say.
pub(crate) struct Expiring {
    pub(crate) workers: Arc<Workers>,
    pub(crate) calendar: Calendar,
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether there are tiers, so that every bucket is looked through.
    pub(crate) has_tiers: bool,
}

/// When a bucket was last done, and by which rules: of a day, and of the commit that set them.
type Done = BTreeMap<BucketName, (u64, u64)>;

impl Expiring {
    /// For ever: all buckets once a day, one that has new rules soon, one that someone asks for at once.
    pub(crate) async fn run_all(self, mut wanted: mpsc::Receiver<String>) {
        let every = (self.calendar.day() / LOOKS_A_DAY).max(Duration::from_millis(500));
        let mut done = Done::new();
        loop {
            let asked = tokio::select! {
                asked = wanted.recv() => asked,
                () = tokio::time::sleep(every) => None,
            };
            let outcome = match asked {
                Some(bucket) => self.one(&bucket).await,
                None => self.look(&mut done).await,
            };
            if let Err(error) = outcome {
                tracing::error!(%error, "lifecycle rules could not be looked at");
            }
        }
    }

    /// Of a bucket, or of what begins with a key of it.
    async fn one(&self, subject: &str) -> Result<()> {
        let (bucket, prefix) = subject.split_once('/').unwrap_or((subject, ""));
        self.bucket(&BucketName::new(bucket)?, prefix).await;
        Ok(())
    }

    async fn look(&self, done: &mut Done) -> Result<()> {
        let day = u64::try_from(self.calendar.day().as_micros())
            .unwrap_or(u64::MAX)
            .max(1);
        let today = self.clock.now().micros() / day;
        let mut buckets = self.workers.buckets_and(Subresource::Lifecycle)?;
        if !self.has_tiers {
            buckets.retain(|(_, rules)| rules.is_some());
        }
        done.retain(|bucket, _| buckets.iter().any(|(name, _)| name == bucket));
        for (bucket, rules) in buckets {
            let key = (today, rules.unwrap_or_default().0);
            // Short days are for tests: then every look is a new day.
            if done.get(&bucket) == Some(&key) && self.calendar.day() == DAY {
                continue;
            }
            self.bucket(&bucket, "").await;
            done.insert(bucket, key);
        }
        Ok(())
    }

    /// One run. What it met is in the run; the next look tries again what is left.
    async fn bucket(&self, bucket: &BucketName, prefix: &str) {
        let run = match self.workers.begin(Worker::Lifecycle, bucket.as_str()).await {
            Ok(run) => run,
            Err(error) => {
                tracing::error!(%error, "a lifecycle run can not begin");
                return;
            }
        };
        let one = OneRun {
            run: &run,
            bucket,
            prefix,
            calendar: self.calendar,
            now: self.clock.now(),
        };
        let done = one.work(Pace::new(self.clock.clone())).await;
        if let Err(error) = &done {
            tracing::warn!(%bucket, %error, "a lifecycle run failed; it is done again");
        }
        run.end(&done);
    }
}

/// What is to be done with a version.
#[derive(Clone, Copy)]
enum Due<'a> {
    /// What a rule says.
    Rule(Action<'a>),
    /// Its content is to lie elsewhere.
    Tier(Task),
}

struct OneRun<'a> {
    run: &'a Run,
    bucket: &'a BucketName,
    /// Only keys that begin with it; then rules wait for the next whole run.
    prefix: &'a str,
    calendar: Calendar,
    now: Timestamp,
}

impl OneRun<'_> {
    async fn work(&self, mut pace: Pace) -> Result<()> {
        let rules = self.rules().await?.unwrap_or_default();
        let has_tiers = self.run.gate().has_tiers();
        if rules.is_about_versions() || has_tiers {
            self.versions(&rules, &mut pace).await?;
        }
        if rules.is_about_uploads() && self.prefix.is_empty() {
            self.uploads(&rules, &mut pace).await?;
        }
        Ok(())
    }

    async fn rules(&self) -> Result<Option<Arc<Lifecycle>>> {
        let path = ResourcePath::Bucket(self.bucket.clone());
        let ask = Ask::new(
            "GetBucketLifecycleConfiguration",
            "s3:GetLifecycleConfiguration",
            path,
        );
        let permit = self.run.read(ask).await?;
        permit
            .configuration(Subresource::Lifecycle)?
            .map(|found| found.parsed(|document| rules::parse(document)))
            .transpose()
    }

    async fn versions(&self, rules: &Lifecycle, pace: &mut Pace) -> Result<()> {
        let mut walk = Walk::default();
        let mut listing = VersionsListing {
            limit: PAGE_KEYS_MAX,
            prefix: self.prefix.to_owned(),
            ..VersionsListing::default()
        };
        while !self.run.is_cancelled() {
            let path = ResourcePath::Objects(self.bucket.clone(), self.prefix.to_owned());
            let ask = Ask::new("ListObjectVersions", "s3:ListBucketVersions", path);
            let permit = self.run.read(ask).await?;
            let page = list_versions(&permit, &listing).await.map_err(|e| e.to_base())?;
            self.run.count("seen", page.versions.len() as u64);
            let of = |listed: &ListedVersion| match &listed.what {
                What::Object(meta) => tiering::task(&permit, meta, self.now),
                What::Marker(_) => None,
            };
            let versions = page.versions.into_iter();
            let mut found: Vec<Found> = versions
                .filter_map(|listed| {
                    let task = of(&listed);
                    walk.take(listed, task)
                })
                .collect();
            drop(permit);
            listing.after = page.next;
            if listing.after.is_none() {
                found.extend(walk.end());
            }
            let due = found.iter().filter_map(|found| self.due(rules, found));
            self.act(due.collect(), pace).await?;
            pace.rest().await;
            if listing.after.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn due<'r, 'f: 'r>(&self, rules: &'r Lifecycle, found: &'f Found) -> Option<(&'f Found, Due<'r>)> {
        let due = rules.decide(&found.facts(), self.now, self.calendar);
        // What a rule says comes first: it may remove what would be moved.
        let rule = due
            .filter(|_| self.prefix.is_empty())
            .map(|due| Due::Rule(due.action));
        Some((found, rule.or(found.task.map(Due::Tier))?))
    }

    async fn act(&self, due: Vec<(&Found, Due<'_>)>, pace: &mut Pace) -> Result<()> {
        for few in due.chunks(AT_ONCE) {
            let mut doing: FuturesUnordered<BoxFuture<'_, Result<()>>> = FuturesUnordered::new();
            for (found, due) in few {
                doing.push(Box::pin(self.act_on(found, *due)));
            }
            while let Some(done) = doing.next().await {
                done?;
            }
            pace.rest().await;
        }
        Ok(())
    }

    async fn act_on(&self, found: &Found, due: Due<'_>) -> Result<()> {
        if self.run.is_cancelled() {
            return Ok(());
        }
        let done = match due {
            Due::Rule(action) => self.do_one(found, action).await,
            Due::Tier(task) => self.tier(found, task).await,
        };
        self.settle(what(due), done)
    }

    /// Content on its way takes as long as it takes: it is given up where it is when the run is cancelled.
    async fn unless_cancelled(&self, work: impl Future<Output = objects::Result<()>>) -> Result<()> {
        tokio::select! {
            done = work => done.map_err(|e| e.to_base()),
            () = self.run.cancelled() => Ok(()),
        }
    }

    async fn tier(&self, found: &Found, task: Task) -> Result<()> {
        let key = ObjectKey::new(&found.key)?;
        let path = ResourcePath::Object(self.bucket.clone(), key.clone());
        let target = Target::Version(found.id);
        let (operation, action) = match task {
            Task::Send => ("LifecycleMove", "s3:PutObject"),
            Task::Restore => ("LifecycleRestore", "s3:RestoreObject"),
            Task::LetGo => ("LifecycleRestoreOver", "s3:RestoreObject"),
        };
        let permit = self.run.write(Ask::new(operation, action, path)).await?;
        let done = match task {
            Task::Send => {
                self.unless_cancelled(tiering::move_to(&permit, &key, target, &found.class))
                    .await
            }
            Task::Restore => {
                self.unless_cancelled(tiering::restore(&permit, &key, target, self.calendar))
                    .await
            }
            Task::LetGo => tiering::let_go(&permit, &key, target)
                .await
                .map_err(|e| e.to_base()),
        };
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done
    }

    /// Counts what was done. What can not be done now, because someone holds it or it has changed, is left for the
    /// next run; only what says that nothing can be done ends this one.
    fn settle(&self, what: &'static str, done: Result<()>) -> Result<()> {
        match done {
            Ok(()) => self.run.count(what, 1),
            Err(e) if e.kind() == ErrorKind::Unavailable && !is_of_tier(&e) => return Err(e),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::Precondition) => {
                self.run.count("changed", 1);
            }
            Err(e) if matches!(e.kind(), ErrorKind::Denied | ErrorKind::Busy) => self.run.count("kept", 1),
            Err(error) => {
                self.run.count("failed", 1);
                tracing::warn!(bucket = %self.bucket, %error, "a lifecycle action failed");
            }
        }
        Ok(())
    }

    async fn do_one(&self, found: &Found, action: Action<'_>) -> Result<()> {
        let key = ObjectKey::new(&found.key)?;
        let path = ResourcePath::Object(self.bucket.clone(), key.clone());
        match action {
            Action::Expire => {
                let ask = Ask::new("LifecycleExpiration", "s3:DeleteObject", path);
                self.delete(&key, Target::Current, found, ask).await
            }
            Action::Remove => {
                let ask = Ask::new("LifecycleExpiration", "s3:DeleteObjectVersion", path);
                self.delete(&key, Target::Version(found.id), found, ask).await
            }
            Action::Move(class) => {
                let ask = Ask::new("LifecycleTransition", "s3:PutObject", path);
                let permit = self.run.write(ask).await?;
                let target = Target::Version(found.id);
                let done = self
                    .unless_cancelled(tiering::move_to(&permit, &key, target, class))
                    .await;
                if let Err(error) = &done {
                    permit.failed(error.kind(), error.reason());
                }
                done
            }
        }
    }

    async fn delete(&self, key: &ObjectKey, target: Target, found: &Found, ask: Ask) -> Result<()> {
        let permit = self.run.write(ask).await?;
        let delete = Delete {
            target,
            conditions: found.conditions(),
            ..Delete::default()
        };
        let done = delete::delete(&permit, key, &delete)
            .await
            .map_err(|e| e.to_base());
        if let Err(error) = &done {
            permit.failed(error.kind(), error.reason());
        }
        done.map(drop)
    }

    async fn uploads(&self, rules: &Lifecycle, pace: &mut Pace) -> Result<()> {
        let mut listing = multipart::UploadsListing {
            limit: PAGE_KEYS_MAX,
            ..multipart::UploadsListing::default()
        };
        while !self.run.is_cancelled() {
            let path = ResourcePath::Objects(self.bucket.clone(), String::new());
            let ask = Ask::new("ListMultipartUploads", "s3:ListBucketMultipartUploads", path);
            let permit = self.run.read(ask).await?;
            let page = multipart::list_uploads(&permit, &listing)
                .await
                .map_err(|e| e.to_base())?;
            drop(permit);
            for upload in &page.uploads {
                let begun = Timestamp(upload.meta.initiated_micros);
                let due = rules.aborts(&upload.key, begun, self.calendar);
                if due.is_some_and(|(at, _)| at <= self.now) {
                    self.settle("aborted", self.abort(&upload.key, upload.id).await)?;
                }
            }
            pace.rest().await;
            let Some(next) = page.next else { break };
            listing.after = Some(next);
        }
        Ok(())
    }

    async fn abort(&self, key: &str, id: UploadId) -> Result<()> {
        let key = ObjectKey::new(key)?;
        let path = ResourcePath::Object(self.bucket.clone(), key.clone());
        let ask = Ask::new("LifecycleAbort", "s3:AbortMultipartUpload", path);
        let permit = self.run.write(ask).await?;
        multipart::abort(&permit, &key, id).await.map_err(|e| e.to_base())
    }
}

impl Found {
    /// That it is what was looked at. A delete marker has none of these; it is named by its version.
    fn conditions(&self) -> DeleteConditions {
        if self.marker {
            return DeleteConditions::default();
        }
        DeleteConditions {
            matches: Some(Tag::Is(self.etag.clone())),
            size: Some(self.size),
            modified: i64::try_from(self.modified.seconds()).ok(),
        }
    }
}

const fn what(due: Due<'_>) -> &'static str {
    match due {
        Due::Rule(Action::Expire) => "expired",
        Due::Rule(Action::Remove) => "removed",
        Due::Rule(Action::Move(_)) | Due::Tier(Task::Send) => "moved",
        Due::Tier(Task::Restore) => "restored",
        Due::Tier(Task::LetGo) => "let go",
    }
}

/// Whether it is a tier that does not work: other work goes on.
fn is_of_tier(error: &Error) -> bool {
    matches!(
        error.reason(),
        "TierUnavailable" | "TierAltersContent" | "NoSuchTier"
    )
}
