//! One copy: what the rules say of it now, and how it is made, here or on another machine.
//!
//! Invariant: content is read by a permit of this run's own and goes piece by piece.
//!
//! Deliberately absent: order, trying again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use craton_base::{BucketName, Error, Kind as ErrorKind, ObjectKey, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Kind, ReadPermit, Run, Standing, StoredVersion, WritePermit};
use craton_objects::{
    meta::{MarkerMeta, ObjectMeta},
    replica::{
        self, CopyState, Replica, ReplicationRecord, What, copy,
        settle::{Outcome, Queued},
    },
    replication::{Place, Replication, Rule, Subject},
    version::{Located, VersionId},
};

use super::Replicating;
use crate::remote::bucket::{As, Bucket, Likeness, Source};

/// How long what a bucket of another machine is like counts as known.
const LIKENESS_LASTS: Duration = Duration::from_mins(1);

/// The most buckets of other machines that are known.
const KNOWN_MAX: usize = 1024;

/// What buckets of other machines are like, and since when that is known.
#[derive(Default)]
pub(super) struct Seen(Mutex<BTreeMap<(String, String), (Timestamp, Likeness)>>);

/// A version that is to be copied, as it was found.
enum Found {
    Object(Box<Located>),
    Marker(MarkerMeta),
}

impl Found {
    fn record(&self) -> Option<&ReplicationRecord> {
        match self {
            Self::Object(located) => located.meta.replication.as_ref(),
            Self::Marker(meta) => meta.replication.as_ref(),
        }
    }
}

/// A copy that is to be made: what, by which rule.
struct Task<'a> {
    run: &'a Run,
    queued: &'a Queued,
    permit: ReadPermit,
    found: Found,
    rule: Rule,
}

impl Task<'_> {
    /// The source's version, as this store names it.
    fn source(&self) -> String {
        match &self.found {
            Found::Object(located) => VersionId::of(&located.stored).to_text(),
            Found::Marker(_) => VersionId::Number(self.queued.version).to_text(),
        }
    }

    /// The copy's version at the destination: the one that was made there, or the one that this is a copy of.
    fn there(&self) -> Option<String> {
        let record = self.found.record()?;
        let made = record
            .copy_at(&self.queued.destination)
            .map(|copy| copy.version.clone());
        let name = made.filter(|name| !name.is_empty());
        name.or_else(|| Some(record.source.clone()).filter(|source| record.replica && !source.is_empty()))
    }
}

impl Replicating {
    /// Makes one copy.
    pub(super) async fn copy(&self, run: &Run, queued: &Queued) -> Result<Outcome> {
        let Some(task) = self.task(run, queued).await? else {
            return Ok(Outcome::Dropped);
        };
        let is_done = task
            .found
            .record()
            .is_some_and(|record| record.is_at(&queued.destination, CopyState::Completed));
        // A change may have come after what the copy was made of was read.
        if is_done && matches!(queued.what, What::Object | What::Marker) {
            return Ok(Outcome::Completed(None));
        }
        let place = Place::of(&queued.destination, &self.places).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "NoSuchDestination",
                format!("{:?} is no bucket here nor of a remote", queued.destination),
            )
        })?;
        let version = match place {
            Place::Here(bucket) => self.here(&task, &bucket).await?,
            Place::There { remote, bucket } => self.there(&task, &remote, &bucket).await?,
        };
        let size = match (&task.found, queued.what) {
            (Found::Object(located), What::Object) => located.meta.size,
            _ => 0,
        };
        self.note_copied(run, queued, size);
        Ok(Outcome::Completed(version))
    }

    fn note_copied(&self, run: &Run, queued: &Queued, size: u64) {
        let now = self.clock.now();
        self.workers
            .note_standing(&queued.bucket, &queued.destination, |s| {
                s.copied = s.copied.saturating_add(1);
                s.copied_bytes = s.copied_bytes.saturating_add(size);
                s.last_copied = Some(now);
                s.error = None;
            });
        run.count("copied", 1);
        run.count("bytes", size);
    }

    /// What an entry asks for, if there still is such a version and a rule that says so.
    async fn task<'a>(&self, run: &'a Run, queued: &'a Queued) -> Result<Option<Task<'a>>> {
        let bucket = BucketName::new(&queued.bucket)?;
        let path = ResourcePath::Object(bucket, queued.key.clone());
        let name = VersionId::Number(queued.version).to_text();
        let ask = Ask::new(
            "GetObjectVersionForReplication",
            "s3:GetObjectVersionForReplication",
            path,
        );
        let permit = match run.read(ask.with("s3:VersionId", name)).await {
            Ok(permit) => permit,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(rules) = replica::rules(&permit)? else {
            return Ok(None);
        };
        let name = queued.key.as_str().as_bytes();
        let Some(version) = permit.version(Kind::Object, name, queued.version)? else {
            return Ok(None);
        };
        let Some(found) = found(version)? else {
            return Ok(None);
        };
        let Some(rule) = rule_of(&rules, queued, &found).cloned() else {
            return Ok(None);
        };
        Ok(Some(Task {
            run,
            queued,
            permit,
            found,
            rule,
        }))
    }

    async fn here(&self, task: &Task<'_>, bucket: &BucketName) -> Result<Option<String>> {
        let key = &task.queued.key;
        let to = ResourcePath::Object(bucket.clone(), key.clone());
        let replica = Replica {
            source: task.source(),
            modified: None,
        };
        let made = match (&task.found, task.queued.what) {
            (Found::Marker(_), _) => {
                let ask = Ask::new("ReplicateDelete", "s3:ReplicateDelete", to);
                let permit = task.run.write(ask).await?;
                settled(&permit, copy::marker(&permit, key, &replica).await)?
            }
            (Found::Object(located), What::Object | What::Marker) => {
                let mut ask = Ask::new("ReplicateObject", "s3:ReplicateObject", to);
                if located.meta.tag_count() > 0 {
                    ask = ask.and_action("s3:ReplicateTags");
                }
                let permit = task.run.write(ask).await?;
                let wanted = copy::As {
                    replica,
                    storage_class: task.rule.storage_class.clone(),
                    kms_key: task.rule.kms_key.clone(),
                };
                let made = copy::object(&task.permit, located, &permit, key, &wanted).await;
                settled(&permit, made)?
            }
            (Found::Object(located), What::Tags | What::Lock) => {
                return change_here(task, located, to).await.map(|()| None);
            }
        };
        Ok(Some(made.to_text()))
    }

    async fn there(&self, task: &Task<'_>, remote: &str, bucket: &str) -> Result<Option<String>> {
        let client = self.remotes.get(remote).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "NoSuchDestination",
                format!("there is no remote {remote:?}"),
            )
        })?;
        let to = Bucket { client, name: bucket };
        let likeness = self.likeness(&to, remote).await?;
        let (key, now) = (&task.queued.key, self.clock.now());
        match (&task.found, task.queued.what) {
            (Found::Marker(meta), _) => {
                if self.may_have_been_sent(task) && to.has_marker(key).await? {
                    return Ok(None);
                }
                to.mark(key, &task.source(), Timestamp(meta.modified_micros))
                    .await
            }
            (Found::Object(located), What::Object | What::Marker) => {
                self.send(task, located, &to, likeness).await
            }
            (Found::Object(located), What::Tags) => {
                let of = named(task)?;
                to.tag(key, &of, located.meta.tags.as_ref()).await.map(|()| None)
            }
            (Found::Object(located), What::Lock) if likeness.locks => {
                let of = named(task)?;
                let lock = located.meta.lock.unwrap_or_default();
                to.lock(key, &of, lock, now).await.map(|()| None)
            }
            (Found::Object(_), What::Lock) => Ok(None),
        }
    }

    async fn send(
        &self,
        task: &Task<'_>,
        located: &Located,
        to: &Bucket<'_>,
        likeness: Likeness,
    ) -> Result<Option<String>> {
        let key: &ObjectKey = &task.queued.key;
        if self.may_have_been_sent(task)
            && let Some(version) = to.has(key, &task.source(), &located.meta).await?
        {
            return Ok(version);
        }
        let encryption = located.meta.encryption.as_ref();
        craton_objects::encryption::open(&task.permit, encryption, None)
            .await
            .map_err(|e| e.to_base())?;
        let wanted = As {
            source: task.source(),
            storage_class: task.rule.storage_class.clone(),
            kms_key: task.rule.kms_key.clone().filter(|_| encryption.is_some()),
            locks: likeness.locks,
        };
        let source = Source {
            permit: &task.permit,
            stored: &located.stored,
            meta: &located.meta,
        };
        to.put(key, &source, &wanted, self.clock.now()).await
    }

    /// Whether an earlier attempt may have come through: then it is looked first.
    fn may_have_been_sent(&self, task: &Task<'_>) -> bool {
        task.queued.since <= self.begun || self.tries().contains_key(&task.queued.entry.key.name)
    }

    async fn likeness(&self, to: &Bucket<'_>, remote: &str) -> Result<Likeness> {
        let place = (remote.to_owned(), to.name.to_owned());
        let now = self.clock.now();
        let known = self
            .seen
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&place)
            .copied();
        let fresh = known.filter(|(at, _)| now.since(*at) < LIKENESS_LASTS);
        let likeness = match fresh {
            Some((_, likeness)) => likeness,
            None => to.likeness().await?,
        };
        if !likeness.keeps_versions {
            return Err(Error::invalid("Destination bucket must have versioning enabled."));
        }
        let mut seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= KNOWN_MAX {
            seen.clear();
        }
        if fresh.is_none() {
            seen.insert(place, (now, likeness));
        }
        Ok(likeness)
    }
}

/// A change of what is said of a version, in a bucket here.
async fn change_here(task: &Task<'_>, located: &Located, to: ResourcePath) -> Result<()> {
    let name = named(task)?;
    let of = VersionId::parse(&name).map_err(|e| e.to_base())?;
    let (key, meta): (&ObjectKey, &ObjectMeta) = (&task.queued.key, &located.meta);
    let is_lock = task.queued.what == What::Lock;
    let ask = match is_lock {
        true => Ask::new("ReplicateLock", "s3:ReplicateObject", to),
        false => Ask::new("ReplicateTags", "s3:ReplicateTags", to),
    };
    let permit = task.run.write(ask.with("s3:VersionId", name)).await?;
    let done = match is_lock {
        true => copy::lock(&permit, key, of, meta.lock).await,
        false => copy::tags(&permit, key, of, meta.tags.as_ref()).await,
    };
    settled(&permit, done)
}

/// The copy's version at the destination, which a change of it must name.
fn named(task: &Task<'_>) -> Result<String> {
    task.there()
        .ok_or_else(|| Error::invalid("it is not known which version is the copy"))
}

fn settled<T>(permit: &WritePermit, done: craton_objects::Result<T>) -> Result<T> {
    done.map_err(|error| {
        permit.failed(error.kind(), error.code());
        error.to_base()
    })
}

fn found(version: StoredVersion) -> Result<Option<Found>> {
    let StoredVersion { stored, standing } = version;
    Ok(match standing {
        Standing::Deleted => None,
        Standing::Marked => {
            let meta = MarkerMeta::read(&stored.value.meta).map_err(|e| e.to_base())?;
            Some(Found::Marker(meta))
        }
        Standing::Exists => {
            let meta = ObjectMeta::of(&stored.value).map_err(|e| e.to_base())?;
            let version = Some(VersionId::of(&stored));
            Some(Found::Object(Box::new(Located {
                stored,
                meta,
                version,
            })))
        }
    })
}

/// The rule that counts now: by its tags as long as there is one, else by its key.
fn rule_of<'r>(rules: &'r Replication, queued: &Queued, found: &Found) -> Option<&'r Rule> {
    let (to, key) = (&queued.destination, queued.key.as_str());
    let is_to = |rule: &&Rule| rule.destination == *to;
    let exactly = match found {
        Found::Marker(_) => return rules.of_marker(key).into_iter().find(is_to),
        Found::Object(located) => {
            let tags = located.meta.tag_pairs();
            let subject = Subject {
                key,
                tags: &tags,
                kms: located.meta.encryption.is_some(),
            };
            rules.of_object(&subject).into_iter().find(is_to)
        }
    };
    exactly.or_else(|| rules.of_change(to, key))
}
