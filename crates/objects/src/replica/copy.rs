//! Making a copy in a bucket of this server: a read by one permit, a write by another.
//!
//! A copy has what its source has: bytes, entity tag, parts, checksum, headers, metadata, tags, owner, the time that it
//! was written, and its lock where the destination has object lock. Its version has a name of its own.
//!
//! Invariants
//! - a copy that was made and is asked for again while it is the newest of its key is not made twice;
//! - a copy's lock is never weakened by what is copied.

use craton_base::{Error as BaseError, ObjectKey, Timestamp};
use craton_gate::{Changes, Extent, Kind, ReadPermit, Standing, Stored, Versioning, WritePermit, tags::Tags};

use super::{Replica, ReplicationRecord};
use crate::{
    Error, Fault, Result,
    body::{self, Claims, PUT_BYTES_MAX},
    checksum::Algorithm,
    condition::WriteConditions,
    copy::body_of,
    delete::{self, Delete},
    encryption::{self, EncryptionRecord, Wanted, WantedKms},
    get::content,
    lock::{LockRecord, LockRequest},
    md5::Md5,
    meta::{MarkerMeta, ObjectMeta},
    put::{Draft, commit_object},
    version::{Located, Target, VersionId, amend},
};

/// How a copy is to differ from its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct As {
    /// Of which version it is a copy.
    pub replica: Replica,
    /// The storage class; `None`: the source's.
    pub storage_class: Option<String>,
    /// The key of the key service, if the source has one.
    pub kms_key: Option<String>,
}

/// Copies an object version. Its name at the destination.
///
/// # Errors
/// `InvalidRequest` if the destination does not keep versions; the gate's own.
pub async fn object(
    source: &ReadPermit,
    located: &Located,
    permit: &WritePermit,
    key: &ObjectKey,
    wanted: &As,
) -> Result<VersionId> {
    check(permit)?;
    let name = key.as_str().as_bytes();
    if let Some(done) = done_before(permit, name, &wanted.replica)? {
        return Ok(done);
    }
    let meta = &located.meta;
    encryption::open(source, meta.encryption.as_ref(), None).await?;
    let asked = encryption_of(permit, meta, wanted)?;
    let encrypted = encryption::seal(permit, key, &asked).await?;
    let algorithm = meta.checksum().map_or(Algorithm::Crc64Nvme, |c| c.algorithm);
    let taken = take(source, located, permit, name, algorithm).await?;
    let draft = draft(permit, meta, taken, (encrypted, wanted))?;
    let written = commit_object(permit, name, &WriteConditions::default(), &draft, Changes::new).await?;
    written
        .version
        .ok_or_else(|| BaseError::internal("a copy has no version").into())
}

/// Copies a delete marker. Its name at the destination.
///
/// # Errors
/// As [`object`].
pub async fn marker(permit: &WritePermit, key: &ObjectKey, replica: &Replica) -> Result<VersionId> {
    check(permit)?;
    if let Some(done) = done_before(permit, key.as_str().as_bytes(), replica)? {
        return Ok(done);
    }
    let wanted = Delete {
        replica: Some(replica.clone()),
        ..Delete::default()
    };
    let done = delete::delete(permit, key, &wanted).await?;
    done.version
        .ok_or_else(|| BaseError::internal("a copied delete marker has no version").into())
}

/// Gives a copy its source's tags.
///
/// # Errors
/// As [`amend`].
pub async fn tags(permit: &WritePermit, key: &ObjectKey, of: VersionId, tags: Option<&Tags>) -> Result<()> {
    let changed = amend(permit, key, Target::Version(of), |meta| {
        meta.tags = tags.cloned().filter(|tags| !tags.is_empty());
        Ok(())
    });
    changed.await.map(drop)
}

/// Gives a copy its source's lock; one that would protect less is left as it is.
///
/// # Errors
/// As [`amend`].
pub async fn lock(
    permit: &WritePermit,
    key: &ObjectKey,
    of: VersionId,
    lock: Option<LockRecord>,
) -> Result<()> {
    if permit.bucket()?.lock.is_none() {
        permit.commit(Changes::new()).await?;
        return Ok(());
    }
    let now = permit.now();
    let next = lock.unwrap_or_default();
    let changed = amend(permit, key, Target::Version(of), |meta| {
        let stands = meta.lock.unwrap_or_default();
        let retention = match stands.check_change(next.retention(), now, false) {
            Ok(()) => next.retention(),
            Err(_) => stands.retention(),
        };
        let held = LockRecord {
            legal_hold: next.legal_hold.or(stands.legal_hold),
            ..stands
        };
        meta.lock = Some(held.with_retention(retention));
        Ok(())
    });
    changed.await.map(drop)
}

fn check(permit: &WritePermit) -> Result<()> {
    match permit.bucket()?.versioning {
        Versioning::Enabled => Ok(()),
        _ => Err(Error::fault(
            Fault::InvalidRequest,
            "Destination bucket must have versioning enabled.",
        )),
    }
}

/// The version that an earlier attempt made.
fn done_before(permit: &WritePermit, name: &[u8], replica: &Replica) -> Result<Option<VersionId>> {
    let Some(newest) = permit.newest(Kind::Object, name)? else {
        return Ok(None);
    };
    let record = match newest.standing {
        Standing::Exists => ObjectMeta::read(&newest.stored.value.meta)?.replication,
        Standing::Marked => MarkerMeta::read(&newest.stored.value.meta)?.replication,
        Standing::Deleted => None,
    };
    Ok(record
        .filter(|record| is_of(record, replica))
        .map(|_| VersionId::of(&newest.stored)))
}

fn is_of(record: &ReplicationRecord, replica: &Replica) -> bool {
    record.replica && !record.source.is_empty() && record.source == replica.source
}

/// The key that the rule names where the source has one of the key service, else the bucket's default.
fn encryption_of(permit: &WritePermit, meta: &ObjectMeta, wanted: &As) -> Result<Wanted> {
    let is_kms = meta.encryption.is_some();
    Ok(match wanted.kms_key.clone().filter(|_| is_kms) {
        Some(key) => Wanted::Kms(WantedKms {
            key: Some(key),
            ..WantedKms::default()
        }),
        None => encryption::by_default(&permit.bucket_access()?.encryption()),
    })
}

/// What was taken over: the content, and of each part, or of the whole, the MD5.
struct Taken {
    content: Vec<Extent>,
    md5s: Vec<[u8; 16]>,
}

async fn take(
    source: &ReadPermit,
    located: &Located,
    permit: &WritePermit,
    name: &[u8],
    algorithm: Algorithm,
) -> Result<Taken> {
    let Located { stored, meta, .. } = located;
    let sizes: Vec<u64> = match meta.parts.as_slice() {
        [] => vec![meta.size],
        parts => parts.iter().map(|part| part.size).collect(),
    };
    let mut out = Taken {
        content: Vec::new(),
        md5s: Vec::with_capacity(sizes.len()),
    };
    let mut start = 0u64;
    for size in sizes {
        let end = start.saturating_add(size);
        let received = part(source, stored, permit, name, (start..end, algorithm)).await?;
        out.content.extend(received.content);
        out.md5s.push(received.md5);
        start = end;
    }
    Ok(out)
}

async fn part(
    source: &ReadPermit,
    stored: &Stored,
    permit: &WritePermit,
    name: &[u8],
    (range, algorithm): (std::ops::Range<u64>, Algorithm),
) -> Result<body::Received> {
    let size = range.end.saturating_sub(range.start);
    let body = body_of(content(source, stored, range)?, size);
    body::receive(permit, name, body, algorithm, &Claims::default(), PUT_BYTES_MAX).await
}

fn draft(
    permit: &WritePermit,
    source: &ObjectMeta,
    taken: Taken,
    (encrypted, wanted): (Option<EncryptionRecord>, &As),
) -> Result<Draft> {
    let now = permit.now();
    let mut attributes = source.attributes.clone();
    if let Some(class) = &wanted.storage_class {
        attributes.storage_class.clone_from(class);
    }
    let modified = wanted.replica.modified.unwrap_or_else(|| source.modified());
    let replica = Replica {
        modified: Some(modified),
        ..wanted.replica.clone()
    };
    let meta = ObjectMeta {
        modified_micros: replica.modified(now).micros(),
        md5: tag_of(source, &taken.md5s, encrypted.as_ref()),
        attributes,
        encryption: encrypted,
        restored_until_micros: 0,
        lock: None,
        acl: None,
        replication: Some(replica.record()),
        ..source.clone()
    };
    Ok(Draft {
        meta,
        content: taken.content,
        lock: lock_of(permit, source, now)?,
    })
}

/// The entity tag's bytes: the source's, unless one of the two is encrypted so that it is not made of the bytes.
fn tag_of(source: &ObjectMeta, md5s: &[[u8; 16]], encrypted: Option<&EncryptionRecord>) -> Vec<u8> {
    if source.encryption.is_none() && encrypted.is_none() {
        return source.md5.clone();
    }
    let tags: Vec<[u8; 16]> = md5s.iter().map(|md5| encryption::tag(encrypted, *md5)).collect();
    match (tags.as_slice(), source.parts.is_empty()) {
        ([tag], true) => tag.to_vec(),
        (tags, _) => {
            let mut md5 = Md5::default();
            tags.iter().for_each(|tag| md5.update(tag));
            md5.finish().to_vec()
        }
    }
}

/// The source's lock, as far as it lasts, where the destination has object lock.
fn lock_of(permit: &WritePermit, source: &ObjectMeta, now: Timestamp) -> Result<LockRequest> {
    if permit.bucket()?.lock.is_none() {
        return Ok(LockRequest::default());
    }
    let lock = LockRequest::kept(source.lock.as_ref());
    Ok(LockRequest {
        retention: lock.retention.filter(|retention| retention.until > now),
        ..lock
    })
}
