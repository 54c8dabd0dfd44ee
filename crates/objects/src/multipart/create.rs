//! Beginning an upload.

use craton_base::ObjectKey;
use craton_gate::{Changes, Kind, Value, WritePermit};
use prost::Message as _;

use super::UploadId;
use crate::{
    Error, Fault, Result,
    checksum::{Algorithm, Scope},
    meta::UploadMeta,
    put::About,
    replica::Replica,
};

/// A new upload.
#[derive(Clone, Debug, Default)]
pub struct Create {
    /// What is kept with the object.
    pub about: About,
    /// The checksum algorithm, if the client chooses one.
    pub algorithm: Option<Algorithm>,
    /// The checksum's scope, if the client chooses one.
    pub scope: Option<Scope>,
}

/// Begins an upload of the object that `permit` is for.
///
/// # Errors
/// The limits' faults; `InvalidRequest` for an algorithm and a scope that do not go together; the gate's own.
pub async fn create(permit: &WritePermit, key: &ObjectKey, create: Create) -> Result<UploadId> {
    create.about.lock.check(permit.bucket()?, permit.now())?;
    create.about.attributes.check()?;
    let (algorithm, scope) = choose(create.algorithm, create.scope)?;
    let now = permit.now();
    let id = new_id(permit, key, now.micros())?;
    let meta = UploadMeta {
        initiated_micros: now.micros(),
        initiator: permit.session().principal().to_owned(),
        attributes: create.about.attributes,
        tags: Some(create.about.tags).filter(|t| !t.is_empty()),
        encryption: create.about.encryption,
        acl: create.about.acl,
        algorithm: algorithm.number(),
        scope: scope.number(),
        chosen: create.algorithm.is_some(),
        lock: create.about.lock.stated(),
        source_modified_micros: create.about.replica.as_ref().map_or(0, |replica| {
            replica.modified.map_or(0, craton_base::Timestamp::micros)
        }),
        replication: create.about.replica.as_ref().map(Replica::record),
    };
    let name = id.name(key);
    let value = Value::of_meta(meta.encode_to_vec());
    permit
        .commit(
            Changes::new()
                .expect_absent(Kind::Upload, name.clone())
                .put(Kind::Upload, name, value),
        )
        .await?;
    Ok(id)
}

pub(super) fn choose(algorithm: Option<Algorithm>, scope: Option<Scope>) -> Result<(Algorithm, Scope)> {
    let invalid = |message: String| Error::fault(Fault::InvalidRequest, message);
    if algorithm.is_none() && scope == Some(Scope::Composite) {
        return Err(invalid(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
                .into(),
        ));
    }
    let algorithm = algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let scope = scope.unwrap_or_else(|| algorithm.default_scope());
    if algorithm.allows(scope) {
        return Ok((algorithm, scope));
    }
    Err(invalid(format!(
        "The {} checksum type cannot be used with the {} checksum algorithm.",
        scope.name(),
        algorithm.name()
    )))
}

/// The random half comes from the identity of a fresh, empty extent: the permit's one source of randomness.
fn new_id(permit: &WritePermit, key: &ObjectKey, micros: u64) -> Result<UploadId> {
    let fresh = permit.inline(key.as_str().as_bytes(), b"")?;
    let mut id = fresh.id.0;
    for (byte, time) in id.iter_mut().zip(micros.to_be_bytes()) {
        *byte = time;
    }
    Ok(UploadId(id))
}
