//! Deleting an object, or a version of it. Deleting what does not exist succeeds, as in S3.
//!
//! Without a version: in an unversioned bucket the object is gone; in a versioned one a *delete marker* becomes the
//! current version, and what was current stays. With one: that version goes for good, if no lock keeps it.
//!
//! Invariant: a version that a lock keeps is not removed, whatever races with the removal: the commit expects the row
//! whose lock was checked.

use craton_base::{Kind as ErrorKind, ObjectKey, Sequence};
use craton_gate::{
    BucketInfo, Changes, Committed, Kind, Standing, StoredVersion, Value, Versioning, WritePermit,
};
use prost::Message as _;

use crate::{
    Error, Result,
    condition::{DeleteConditions, Expected},
    meta::{MarkerMeta, ObjectMeta},
    notice::{self, Happened},
    put::conflict,
    replica::{self, Replica, ReplicationRecord},
    version::{Target, VersionId, nulls, row},
};

/// How often a delete that lost a race is tried again.
const COMMIT_TRIES_MAX: usize = 32;

/// The most keys in one multi-delete.
pub const DELETE_KEYS_MAX: usize = 1000;

/// A deletion.
#[derive(Clone, Debug, Default)]
pub struct Delete {
    /// Which version; `Current`: the object.
    pub target: Target,
    /// The conditions.
    pub conditions: DeleteConditions,
    /// Whether a retention in governance mode does not count.
    pub bypass: bool,
    /// Of what the delete marker is a copy, if it comes by replication.
    pub replica: Option<Replica>,
}

/// What a deletion did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deleted {
    /// The version that was deleted, or the marker that was made; `None` in a bucket whose versions have no names.
    pub version: Option<VersionId>,
    /// Whether that version is, or was, a delete marker.
    pub marker: bool,
}

/// Deletes the object that `permit` is for, or a version of it.
///
/// # Errors
/// The conditions' faults; `AccessDenied` for a version that a lock keeps; the gate's own.
pub async fn delete(permit: &WritePermit, key: &ObjectKey, delete: &Delete) -> Result<Deleted> {
    let name = key.as_str().as_bytes();
    for _ in 0..COMMIT_TRIES_MAX {
        let done = match delete.target {
            Target::Current => delete_current(permit, name, delete).await,
            Target::Version(id) => delete_version(permit, name, id, delete).await,
        };
        match done {
            Err(e) if e.kind() == ErrorKind::Precondition && e.is_of_commit() => {}
            done => return done,
        }
    }
    Err(conflict())
}

async fn delete_current(permit: &WritePermit, name: &[u8], delete: &Delete) -> Result<Deleted> {
    let conditions = &delete.conditions;
    let build = |bucket: &BucketInfo| -> Result<Changes> {
        let current = permit.entry(Kind::Object, name)?;
        let meta = current
            .as_ref()
            .map(|stored| ObjectMeta::read(&stored.value.meta))
            .transpose()?;
        conditions.check(meta.as_ref())?;
        let changes = match (bucket.versioning, &current) {
            // Nothing to change; the commit carries the record that it was asked and allowed.
            (Versioning::Unversioned, None) => return Ok(Changes::new()),
            (Versioning::Unversioned, Some(_)) => Changes::new().delete(Kind::Object, name.to_vec()),
            (versioning, _) => {
                let planned = replica::plan_marker(permit, bucket, name, delete.replica.as_ref());
                let marker = marker(permit, versioning, planned.record.clone());
                planned.apply(Changes::new().mark(Kind::Object, name.to_vec(), marker))
            }
        };
        let expected = match current {
            Some(stored) if !conditions.is_empty() => Expected::Version(stored.sequence),
            _ => Expected::Anything,
        };
        let happened = Happened {
            event: notice::deleted(permit, bucket.versioning != Versioning::Unversioned),
            name,
            meta: None,
            version: None,
            versioned: bucket.versioning == Versioning::Enabled,
        };
        Ok(notice::note(permit, expected.apply(changes, name), &happened))
    };
    let (Committed { sequence, .. }, bucket) = permit.commit_with(build).await?;
    let version = VersionId::made(bucket.versioning, sequence);
    Ok(Deleted {
        version,
        marker: version.is_some(),
    })
}

/// Deletes what is the newest of a name, as a deletion without a version does, and nothing later.
pub(crate) async fn delete_over(permit: &WritePermit, name: &[u8], newest: Sequence) -> Result<Sequence> {
    let build = |bucket: &BucketInfo| -> Result<Changes> {
        let changes = match bucket.versioning {
            Versioning::Unversioned => Changes::new().delete(Kind::Object, name.to_vec()),
            versioning => {
                let planned = replica::plan_marker(permit, bucket, name, None);
                let marker = marker(permit, versioning, planned.record.clone());
                planned.apply(Changes::new().mark(Kind::Object, name.to_vec(), marker))
            }
        };
        let changes = changes.expect_unchanged_since(Kind::Object, name.to_vec(), newest);
        let happened = Happened {
            event: notice::deleted(permit, bucket.versioning != Versioning::Unversioned),
            name,
            meta: None,
            version: None,
            versioned: bucket.versioning == Versioning::Enabled,
        };
        Ok(notice::note(permit, changes, &happened))
    };
    let (committed, _) = permit.commit_with(build).await?;
    Ok(committed.sequence)
}

fn marker(permit: &WritePermit, versioning: Versioning, replication: Option<ReplicationRecord>) -> Value {
    let meta = MarkerMeta {
        replication,
        modified_micros: permit.now().micros(),
        owner: permit.session().principal().to_owned(),
    };
    Value {
        kept: versioning == Versioning::Enabled,
        ..Value::of_meta(meta.encode_to_vec())
    }
}

async fn delete_version(
    permit: &WritePermit,
    name: &[u8],
    id: VersionId,
    delete: &Delete,
) -> Result<Deleted> {
    let versioning = permit.bucket()?.versioning;
    if versioning == Versioning::Unversioned && id == VersionId::Null {
        // The null version is all there is: what is deleted can be brought back within the undo window.
        let done = delete_current(permit, name, delete).await?;
        return Ok(Deleted {
            version: done.version.or(Some(id)),
            ..done
        });
    }
    let found = row(permit, name, id)?.filter(|version| version.standing != Standing::Deleted);
    let Some(StoredVersion { stored, standing }) = found else {
        delete.conditions.check(None)?;
        permit.commit(Changes::new()).await?;
        return Ok(Deleted {
            version: Some(id),
            marker: false,
        });
    };
    if standing == Standing::Exists {
        let meta = ObjectMeta::read(&stored.value.meta)?;
        delete.conditions.check(Some(&meta))?;
        let lock = meta.lock.unwrap_or_default();
        lock.check_removal(permit.now(), delete.bypass)?;
    } else {
        delete.conditions.check(None)?;
    }
    let changes = Changes::new().expect_unamended(&stored).remove(stored.clone());
    if !stored.value.kept {
        permit.pass_ahead(&changes).await?;
        forget_superseded(permit, name, &stored).await?;
    }
    let happened = Happened {
        event: notice::deleted(permit, false),
        name,
        meta: None,
        version: Some(stored.sequence),
        versioned: stored.value.kept,
    };
    permit.commit(notice::note(permit, changes, &happened)).await?;
    Ok(Deleted {
        version: Some(id),
        marker: standing == Standing::Marked,
    })
}

/// Removes what the null version `newest` superseded and the undo window still keeps: without it, that would be the
/// null version.
async fn forget_superseded(permit: &WritePermit, name: &[u8], newest: &craton_gate::Stored) -> Result<()> {
    let mut after = newest.sequence;
    loop {
        let rows = nulls(permit, name, Some(after))?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.stored.sequence;
        let changes = Changes::new().expect_unamended(newest);
        let changes = rows
            .into_iter()
            .fold(changes, |changes, row| changes.remove(row.stored));
        permit.commit(changes).await.map_err(Error::from)?;
    }
}
