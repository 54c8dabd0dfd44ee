//! Putting an object, and the commit that every way of making one ends in.

use bytes::Bytes;
use craton_base::{Kind as ErrorKind, ObjectKey, Sequence};
use craton_gate::{Changes, Kind, Stored, Value, WritePermit, tags::Tags};
use prost::Message as _;

use crate::{
    Error, Fault, Result,
    body::{self, Body, Claims, PUT_BYTES_MAX, Received},
    checksum::{Algorithm, Scope},
    condition::WriteConditions,
    encryption::{self, EncryptionRecord},
    meta::{Attributes, ChecksumRecord, ObjectMeta},
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
pub async fn put(permit: &WritePermit, key: &ObjectKey, put: Put, body: Body) -> Result<ObjectMeta> {
    permit.bucket()?;
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
    store(permit, name, &put.conditions, put.about, algorithm, received).await
}

/// Makes the object of content that arrived whole, with what is kept about it, and commits it.
pub(crate) async fn store(
    permit: &WritePermit,
    name: &[u8],
    conditions: &WriteConditions,
    about: About,
    algorithm: Algorithm,
    received: Received,
) -> Result<ObjectMeta> {
    let meta = ObjectMeta {
        size: received.size,
        modified_micros: permit.now().micros(),
        md5: encryption::tag(about.encryption.as_ref(), received.md5).to_vec(),
        attributes: about.attributes,
        tags: (!about.tags.is_empty()).then_some(about.tags),
        encryption: about.encryption,
        checksum: Some(ChecksumRecord::new(
            algorithm,
            Scope::FullObject,
            received.checksum,
        )),
        owner: permit.session().principal().to_owned(),
        ..ObjectMeta::default()
    };
    let value = Value {
        meta: Bytes::from(meta.encode_to_vec()),
        content: received.content,
    };
    commit_object(permit, name, conditions, value, Changes::new).await?;
    Ok(meta)
}

/// Commits an object under its conditions, together with `others`. Exactly one of concurrent
/// conditional commits wins: the others read the winner and fail, or find their condition still true
/// and try again.
pub(crate) async fn commit_object(
    permit: &WritePermit,
    name: &[u8],
    conditions: &WriteConditions,
    value: Value,
    others: impl Fn() -> Changes,
) -> Result<()> {
    for _ in 0..COMMIT_TRIES_MAX {
        let expected = expected(permit, name, conditions)?;
        let changes = expected.apply(others().put(Kind::Object, name.to_vec(), value.clone()), name);
        match permit.commit(changes).await {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Precondition && !conditions.is_empty() => {}
            Err(e) if e.kind() == ErrorKind::Precondition => return Err(conflict()),
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
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
