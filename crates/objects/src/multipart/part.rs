//! Uploading a part, from a body or from an object that exists.

use std::ops::Range;

use craton_base::{Kind as ErrorKind, ObjectKey, Timestamp};
use craton_gate::{Changes, Kind, ReadPermit, Value, WritePermit};
use prost::Message as _;

use super::{UploadId, open};
use crate::{
    Error, Fault, Result,
    body::{self, Body, Claims, PUT_BYTES_MAX, Received},
    checksum::Algorithm,
    condition::ReadConditions,
    copy::{body_of, find_source, source_too_large},
    encryption::{self, CustomerKey, EncryptionRecord, Method},
    get::content,
    meta::{PartMeta, UploadMeta},
    put::conflict,
    range::ByteRange,
    version::{Target, VersionId},
};

/// How often a commit that lost a race with another upload of the same part is tried again.
const COMMIT_TRIES_MAX: usize = 32;

/// A part that was uploaded.
#[derive(Clone, Debug)]
pub struct UploadedPart {
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its checksum: the algorithm and the value.
    pub checksum: (Algorithm, Vec<u8>),
    /// When it was committed.
    pub modified: Timestamp,
    /// How it is encrypted: as the upload.
    pub encryption: Option<EncryptionRecord>,
}

/// Where a copied part comes from.
#[derive(Clone, Debug)]
pub struct PartSource {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version of it.
    pub target: Target,
    /// The conditions on the object.
    pub conditions: ReadConditions,
    /// Which bytes of it; `None`: all.
    pub range: Option<ByteRange>,
    /// The client's own key for it.
    pub key_of_source: Option<CustomerKey>,
}

/// Uploads part `number`.
///
/// # Errors
/// `NoSuchUpload`; `InvalidRequest` for a checksum of another algorithm than the upload's; those of
/// [`body::receive`]; the gate's own.
pub async fn upload_part(
    permit: &WritePermit,
    key: &ObjectKey,
    id: UploadId,
    number: u16,
    claims: &Claims,
    body: Body,
    customer: Option<&CustomerKey>,
) -> Result<UploadedPart> {
    let (_, upload) = open(permit, key, id)?;
    let (algorithm, _) = upload.checksum()?;
    check_algorithm(&upload, algorithm, claims)?;
    prepare(permit, &upload, customer).await?;
    let received = body::receive(
        permit,
        key.as_str().as_bytes(),
        body,
        algorithm,
        claims,
        PUT_BYTES_MAX,
    )
    .await?;
    commit_part(
        permit,
        key,
        (id, number),
        algorithm,
        (received, upload.encryption),
    )
    .await
}

/// Binds the permit to the upload's key, which a part needs like the object.
async fn prepare(permit: &WritePermit, upload: &UploadMeta, customer: Option<&CustomerKey>) -> Result<()> {
    let record = upload.encryption.as_ref();
    let needs_key = record.is_some_and(|r| r.method == Method::Customer as u32);
    if needs_key && customer.is_none() {
        return Err(Error::fault(
            Fault::InvalidRequest,
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate \
             encryption parameters.",
        ));
    }
    if !needs_key && customer.is_some() {
        return Err(Error::fault(
            Fault::InvalidRequest,
            "The multipart upload initiate did not request encryption with this customer key. Part requests must not \
             include encryption parameters.",
        ));
    }
    encryption::open(permit, record, customer).await
}

fn check_algorithm(upload: &UploadMeta, expected: Algorithm, claims: &Claims) -> Result<()> {
    match &claims.checksum {
        Some((stated, _)) if upload.chosen && *stated != expected => Err(Error::fault(
            Fault::InvalidRequest,
            format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                expected.name().to_ascii_lowercase(),
                stated.name().to_ascii_lowercase()
            ),
        )),
        _ => Ok(()),
    }
}

/// Uploads part `number` from an object that exists; says which version of it that was, if versions have names.
///
/// # Errors
/// As [`upload_part`]; `NoSuchKey`, `PreconditionFailed` and `InvalidArgument` for the source.
pub async fn upload_part_copy(
    source: &ReadPermit,
    from: &PartSource,
    permit: &WritePermit,
    key: &ObjectKey,
    (id, number): (UploadId, u16),
    customer: Option<&CustomerKey>,
) -> Result<(UploadedPart, Option<VersionId>)> {
    let (_, upload) = open(permit, key, id)?;
    let (algorithm, _) = upload.checksum()?;
    prepare(permit, &upload, customer).await?;
    let (stored, found) = find_source(source, &from.key, from.target)?;
    from.conditions.check_source(&found.meta)?;
    let range = source_range(from.range, found.meta.size)?;
    let len = range.end.saturating_sub(range.start);
    if len > PUT_BYTES_MAX {
        return Err(source_too_large());
    }
    encryption::open(
        source,
        found.meta.encryption.as_ref(),
        from.key_of_source.as_ref(),
    )
    .await?;
    let body = body_of(content(source, &stored, range)?, len);
    let name = key.as_str().as_bytes();
    let received = body::receive(permit, name, body, algorithm, &Claims::default(), PUT_BYTES_MAX).await?;
    let part = commit_part(
        permit,
        key,
        (id, number),
        algorithm,
        (received, upload.encryption),
    )
    .await?;
    Ok((part, found.version))
}

/// A copied range must lie within the source: S3 does not cut it.
pub(super) fn source_range(range: Option<ByteRange>, size: u64) -> Result<Range<u64>> {
    let outside = || {
        let message = format!("Range specified is not valid for source object of size: {size}");
        Error::fault(Fault::InvalidArgument, message)
    };
    match range {
        None => Ok(0..size),
        Some(ByteRange::From(first, Some(last))) if first <= last && last < size => {
            Ok(first..last.saturating_add(1))
        }
        Some(_) => Err(outside()),
    }
}

async fn commit_part(
    permit: &WritePermit,
    key: &ObjectKey,
    (id, number): (UploadId, u16),
    algorithm: Algorithm,
    (received, encrypted): (Received, Option<EncryptionRecord>),
) -> Result<UploadedPart> {
    let modified = permit.now();
    let tag = encryption::tag(encrypted.as_ref(), received.md5);
    let meta = PartMeta {
        size: received.size,
        modified_micros: modified.micros(),
        md5: tag.to_vec(),
        checksum: received.checksum.clone(),
    };
    let value = Value {
        meta: meta.encode_to_vec().into(),
        content: received.content,
        ..Value::default()
    };
    let (upload_name, name) = (id.name(key), id.part_name(key, number));
    for _ in 0..COMMIT_TRIES_MAX {
        let (upload, _) = open(permit, key, id)?;
        // Written again, unchanged: whoever closes the upload learns that it has not seen this part.
        let changes = Changes::new()
            .expect_present(Kind::Upload, upload_name.clone())
            .put(Kind::Upload, upload_name.clone(), upload.value);
        let changes = match permit.entry(Kind::Part, &name)? {
            Some(old) => changes
                .expect_at(Kind::Part, name.clone(), old.sequence)
                .remove(old),
            None => changes.expect_absent(Kind::Part, name.clone()),
        };
        match permit
            .commit(changes.put(Kind::Part, name.clone(), value.clone()))
            .await
        {
            Ok(_) => {
                let etag = hex::encode(tag);
                return Ok(UploadedPart {
                    etag,
                    checksum: (algorithm, received.checksum),
                    modified,
                    encryption: encrypted,
                });
            }
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}
