//! Putting an object, and the commit that every way of making one ends in.

use craton_base::{Kind as ErrorKind, ObjectKey, Sequence, Timestamp};
use craton_gate::{
    Acl, BucketInfo, Changes, Committed, Extent, Kind, Stored, Value, Versioning, WritePermit, tags::Tags,
};

use crate::{
    Error, Fault, Result,
    body::{self, Body, Claims, PUT_BYTES_MAX, Received},
    checksum::{Algorithm, Scope},
    condition::WriteConditions,
    encryption::{self, EncryptionRecord},
    lock::{self, LockRequest},
    meta::{Attributes, ChecksumRecord, ObjectMeta},
    notice::{self, Happened},
    replica::{self, Replica, ReplicationRecord},
    version::VersionId,
};

/// How often a commit that lost a race is tried again; each try reads the state anew.
const COMMIT_TRIES_MAX: usize = 32;

/// What is kept with an object besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// What the client says about it.
    pub attributes: Attributes,
    /// Its tags, checked.
    pub tags: Tags,
    /// How it is encrypted besides its sealing: what [`crate::encryption::seal`] answered for the same permit.
    pub encryption: Option<EncryptionRecord>,
    /// The lock that the request states.
    pub lock: LockRequest,
    /// Its access control list, where it has one other than its owner's alone.
    pub acl: Option<Acl>,
    /// Of what it is a copy, if it comes by replication.
    pub replica: Option<Replica>,
}

/// A put.
#[derive(Clone, Debug, Default)]
pub struct Put {
    /// What is kept with the object.
    pub about: About,
    /// What the client states about the bytes.
    pub claims: Claims,
    /// The conditions.
    pub conditions: WriteConditions,
}

/// Puts the object that `permit` is for.
///
/// # Errors
/// The limits' and the conditions' faults, those of [`body::receive`], the gate's own.
pub async fn put(permit: &WritePermit, key: &ObjectKey, put: Put, body: Body) -> Result<Written> {
    put.about.lock.check(permit.bucket()?, permit.now())?;
    put.about.attributes.check()?;
    let name = key.as_str().as_bytes();
    if !put.conditions.is_empty() {
        // Refuse before the body is read what will be refused after it.
        expected(permit, name, &put.conditions)?;
    }
    let algorithm = put
        .claims
        .checksum
        .as_ref()
        .map_or(Algorithm::Crc64Nvme, |(a, _)| *a);
    let received = body::receive(permit, name, body, algorithm, &put.claims, PUT_BYTES_MAX).await?;
    let draft = Draft::new(permit, put.about, algorithm, received);
    commit_object(permit, name, &put.conditions, &draft, Changes::new).await
}

/// An object that is to be committed.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// What is stored about it, but for its lock.
    pub(crate) meta: ObjectMeta,
    /// Its content.
    pub(crate) content: Vec<Extent>,
    /// The lock that the request states.
    pub(crate) lock: LockRequest,
}

/// An object whose content has arrived, for an engine that commits it together with changes of its own.
#[derive(Clone, Debug)]
pub struct Arrived {
    key: ObjectKey,
    draft: Draft,
}

impl Arrived {
    /// Takes in the content of the object `key`, which lies under the permit's path.
    ///
    /// # Errors
    /// Those of [`body::receive`].
    pub async fn take_in(
        permit: &WritePermit,
        key: ObjectKey,
        content_type: &str,
        data: bytes::Bytes,
    ) -> Result<Self> {
        let mut about = About::default();
        about.attributes.headers.content_type = Some(content_type.to_owned());
        let (name, claims) = (key.as_str().as_bytes(), Claims::default());
        let algorithm = Algorithm::Crc64Nvme;
        let received = body::receive(permit, name, Body::of(data), algorithm, &claims, PUT_BYTES_MAX).await?;
        let draft = Draft::new(permit, about, algorithm, received);
        Ok(Self { key, draft })
    }

    /// Adds the object to changes of the bucket. Nobody is told of it, and it is not copied elsewhere.
    ///
    /// # Errors
    /// Those of the bucket's lock.
    pub fn put(&self, bucket: &BucketInfo, changes: Changes) -> Result<Changes> {
        let value = self.draft.value(bucket, None)?;
        Ok(changes.put(Kind::Object, self.key.as_str().as_bytes().to_vec(), value))
    }
}

/// An object that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// What is stored about it.
    pub meta: ObjectMeta,
    /// Its version's name; `None` in a bucket whose versions have none.
    pub version: Option<VersionId>,
    /// The commit that made it.
    pub sequence: Sequence,
}

impl Draft {
    /// A draft of content that arrived whole.
    pub(crate) fn new(permit: &WritePermit, about: About, algorithm: Algorithm, received: Received) -> Self {
        let meta = ObjectMeta {
            size: received.size,
            modified_micros: modified(permit, about.replica.as_ref()).micros(),
            replication: about.replica.as_ref().map(Replica::record),
            md5: encryption::tag(about.encryption.as_ref(), received.md5).to_vec(),
            attributes: about.attributes,
            tags: (!about.tags.is_empty()).then_some(about.tags),
            encryption: about.encryption,
            acl: about.acl,
            checksum: Some(ChecksumRecord::new(
                algorithm,
                Scope::FullObject,
                received.checksum,
            )),
            owner: permit.session().principal().to_owned(),
            ..ObjectMeta::default()
        };
        Self {
            meta,
            content: received.content,
            lock: about.lock,
        }
    }

    /// What is stored about it in this bucket.
    fn meta(&self, bucket: &BucketInfo) -> ObjectMeta {
        ObjectMeta {
            lock: self.lock.of(bucket, self.meta.modified()),
            ..self.meta.clone()
        }
    }

    fn value(&self, bucket: &BucketInfo, replication: Option<ReplicationRecord>) -> Result<Value> {
        // Not that its time is to come: that was so when the request came.
        if !self.lock.is_empty() {
            lock::enabled(bucket)?;
        }
        let meta = ObjectMeta {
            replication,
            ..self.meta(bucket)
        };
        let kept = bucket.versioning == Versioning::Enabled;
        Ok(meta.to_value(self.content.clone(), kept))
    }
}

/// Commits an object under its conditions, together with `others`. Exactly one of concurrent
/// conditional commits wins: the others read the winner and fail, or find their condition still true
/// and try again.
pub(crate) async fn commit_object(
    permit: &WritePermit,
    name: &[u8],
    conditions: &WriteConditions,
    draft: &Draft,
    others: impl Fn() -> Changes,
) -> Result<Written> {
    for _ in 0..COMMIT_TRIES_MAX {
        let build = |bucket: &BucketInfo| -> Result<Changes> {
            let expected = expected(permit, name, conditions)?;
            let planned = replica::plan_object(permit, bucket, name, &draft.meta);
            let value = draft.value(bucket, planned.record.clone())?;
            let put = planned.apply(others().put(Kind::Object, name.to_vec(), value));
            let happened = Happened {
                event: notice::written(permit),
                name,
                meta: Some(&draft.meta),
                version: None,
                versioned: bucket.versioning == Versioning::Enabled,
            };
            Ok(notice::note(permit, expected.apply(put, name), &happened))
        };
        match permit.commit_with(build).await {
            Ok((Committed { sequence, .. }, bucket)) => {
                return Ok(Written {
                    meta: draft.meta(&bucket),
                    version: VersionId::made(bucket.versioning, sequence),
                    sequence,
                });
            }
            Err(e) if e.kind() == ErrorKind::Precondition && e.is_of_commit() && !conditions.is_empty() => {}
            Err(e) if e.kind() == ErrorKind::Precondition && e.is_of_commit() => return Err(conflict()),
            Err(e) => return Err(e),
        }
    }
    Err(conflict())
}

/// Commits an object over what is the newest of its name, and nothing later.
pub(crate) async fn commit_over(
    permit: &WritePermit,
    name: &[u8],
    newest: Sequence,
    draft: &Draft,
) -> Result<Sequence> {
    let build = |bucket: &BucketInfo| -> Result<Changes> {
        let planned = replica::plan_object(permit, bucket, name, &draft.meta);
        let value = draft.value(bucket, planned.record.clone())?;
        let put = Changes::new()
            .expect_unchanged_since(Kind::Object, name.to_vec(), newest)
            .put(Kind::Object, name.to_vec(), value);
        let happened = Happened {
            event: notice::written(permit),
            name,
            meta: Some(&draft.meta),
            version: None,
            versioned: bucket.versioning == Versioning::Enabled,
        };
        Ok(notice::note(permit, planned.apply(put), &happened))
    };
    let (committed, _) = permit.commit_with(build).await?;
    Ok(committed.sequence)
}

/// When an object counts as written.
pub(crate) fn modified(permit: &WritePermit, replica: Option<&Replica>) -> Timestamp {
    let now = permit.now();
    replica.map_or(now, |replica| replica.modified(now))
}

pub(crate) fn conflict() -> Error {
    Error::fault(
        Fault::ConditionalRequestConflict,
        "A conflicting conditional operation is currently in progress against this resource. Try again.",
    )
}

/// Decides the conditions against the newest version.
pub(crate) fn expected(
    permit: &WritePermit,
    name: &[u8],
    conditions: &WriteConditions,
) -> Result<crate::condition::Expected> {
    if conditions.is_empty() {
        return conditions.decide(None);
    }
    let current = current(permit, name)?;
    conditions.decide(
        current
            .as_ref()
            .map(|(etag, sequence)| (etag.as_str(), *sequence)),
    )
}

fn current(permit: &WritePermit, name: &[u8]) -> Result<Option<(String, Sequence)>> {
    let stored: Option<Stored> = permit.entry(Kind::Object, name)?;
    stored
        .map(|s| Ok((ObjectMeta::read(&s.value.meta)?.etag(), s.sequence)))
        .transpose()
}
