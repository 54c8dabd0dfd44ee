//! Entries of the replication queue: what one is about, and its outcome, which goes into the version that it is about
//! in the commit that takes the entry away.

use craton_base::{Error as BaseError, Kind as ErrorKind, ObjectKey, Sequence, Timestamp};
use craton_gate::{Changes, Kind, QueuedCopy, Standing, Stored, StoredVersion, Value, WritePermit};
use prost::Message as _;

use super::{CopyState, What, queued};
use crate::{
    Result,
    meta::{MarkerMeta, ObjectMeta},
    notice::{self, Happened},
    notification::event,
    put::conflict,
    version::{VersionId, row},
};

/// How often an outcome that lost a race is said again.
const TRIES_MAX: usize = 32;

/// An entry of the queue.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The entry.
    pub entry: Stored,
    /// The source's bucket.
    pub bucket: String,
    /// The object's key.
    pub key: ObjectKey,
    /// What is to be copied.
    pub what: What,
    /// The version's commit.
    pub version: Sequence,
    /// The destination's ARN.
    pub destination: String,
    /// When it was queued.
    pub since: Timestamp,
}

impl Queued {
    /// Reads an entry.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn read(entry: Stored) -> Result<Self, BaseError> {
        let copy = QueuedCopy::from_stored(&entry)?;
        let corrupt = || BaseError::corrupt("an entry of the replication queue makes no sense");
        Ok(Self {
            bucket: copy.bucket,
            key: ObjectKey::new(&copy.key).map_err(|e| corrupt().with_source(e))?,
            what: What::from_number(copy.what).ok_or_else(corrupt)?,
            version: match copy.version {
                0 => entry.sequence,
                version => Sequence(version),
            },
            destination: copy.destination,
            since: Timestamp(copy.time_micros),
            entry,
        })
    }
}

/// How a copy went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there, by this name if it has one.
    Completed(Option<String>),
    /// It can not be made.
    Failed,
    /// It is not to be made any more.
    Dropped,
}

/// Says how a copy went, and takes its entry away. For a permit on the source object.
///
/// # Errors
/// The gate's own.
pub async fn settle(permit: &WritePermit, queued: &Queued, outcome: &Outcome) -> Result<()> {
    for _ in 0..TRIES_MAX {
        let changes = said(permit, queued, outcome)?.settle(queued.entry.clone());
        match permit.commit(changes).await {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}

fn said(permit: &WritePermit, queued: &Queued, outcome: &Outcome) -> Result<Changes> {
    let name = queued.key.as_str().as_bytes();
    let found = permit.version(Kind::Object, name, queued.version)?;
    let Some(StoredVersion { stored, standing }) = found else {
        return Ok(Changes::new());
    };
    match standing {
        Standing::Deleted => Ok(Changes::new()),
        Standing::Marked => {
            let mut meta = MarkerMeta::read(&stored.value.meta)?;
            let record = meta.replication.get_or_insert_default();
            apply(record, queued, outcome);
            let value = of_marker(&stored, &meta);
            Ok(Changes::new().amend(stored, value))
        }
        Standing::Exists => {
            let mut meta = ObjectMeta::of(&stored.value)?;
            let record = meta.replication.get_or_insert_default();
            apply(record, queued, outcome);
            let is_empty = !record.replica && record.copies.is_empty();
            if is_empty {
                meta.replication = None;
            }
            let (sequence, versioned) = (stored.sequence, stored.value.kept);
            let value = of_object(&stored, &meta);
            let changes = Changes::new().amend(stored, value);
            if *outcome != Outcome::Failed {
                return Ok(changes);
            }
            let happened = Happened {
                event: event::REPLICATION_FAILED,
                name,
                meta: Some(&meta),
                version: Some(sequence),
                versioned,
            };
            Ok(notice::note(permit, changes, &happened))
        }
    }
}

fn apply(record: &mut super::ReplicationRecord, queued: &Queued, outcome: &Outcome) {
    let to = &queued.destination;
    match outcome {
        Outcome::Completed(version) => record.set(to, CopyState::Completed, version.as_deref()),
        Outcome::Failed => record.set(to, CopyState::Failed, None),
        Outcome::Dropped => record.copies.retain(|copy| copy.destination != *to),
    }
}

fn of_object(stored: &Stored, meta: &ObjectMeta) -> Value {
    meta.to_value(stored.value.content.clone(), stored.value.kept)
}

fn of_marker(stored: &Stored, meta: &MarkerMeta) -> Value {
    Value {
        kept: stored.value.kept,
        ..Value::of_meta(meta.encode_to_vec())
    }
}

/// Queues a version that was there before, if it is not at the destination already or on its way, or `again`; whether
/// it was queued. For a permit on the source object.
///
/// # Errors
/// The gate's own.
pub async fn requeue(
    permit: &WritePermit,
    key: &ObjectKey,
    id: VersionId,
    destination: &str,
    again: bool,
) -> Result<bool> {
    let name = key.as_str().as_bytes();
    for _ in 0..TRIES_MAX {
        let found = row(permit, name, id)?;
        let wanted = found.as_ref().map(|found| wanted(found, destination, again));
        let (Some(StoredVersion { stored, .. }), Some((value, what))) =
            (found, wanted.transpose()?.flatten())
        else {
            permit.commit(Changes::new()).await?;
            return Ok(false);
        };
        let copy = queued(key.as_str(), what, Some(stored.sequence), destination.to_owned());
        match permit
            .commit(Changes::new().amend(stored, value).copy(copy))
            .await
        {
            Ok(_) => return Ok(true),
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}

/// What is said of a version once it is queued; `None` if it is no version to be queued.
fn wanted(found: &StoredVersion, destination: &str, again: bool) -> Result<Option<(Value, What)>> {
    let stored = &found.stored;
    Ok(match found.standing {
        Standing::Deleted => None,
        Standing::Marked => {
            let mut meta = MarkerMeta::read(&stored.value.meta)?;
            let due = set_pending(meta.replication.get_or_insert_default(), destination, again);
            due.then(|| (of_marker(stored, &meta), What::Marker))
        }
        Standing::Exists => {
            let mut meta = ObjectMeta::of(&stored.value)?;
            let due = set_pending(meta.replication.get_or_insert_default(), destination, again);
            due.then(|| (of_object(stored, &meta), What::Object))
        }
    })
}

/// Says of a copy that it is to be made, if it is not there, nor on its way, nor a copy of a copy.
fn set_pending(record: &mut super::ReplicationRecord, destination: &str, again: bool) -> bool {
    let known = [CopyState::Completed, CopyState::Pending];
    let is_known = known.iter().any(|state| record.is_at(destination, *state));
    let is_due = !record.replica && (again || !is_known);
    if is_due {
        record.set(destination, CopyState::Pending, None);
    }
    is_due
}
