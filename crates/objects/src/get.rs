//! Reading an object, or what is stored about it.

use std::ops::Range;

use craton_base::{BucketName, ObjectKey, ResourcePath};
use craton_gate::{Content, Kind, Permit, ReadPermit, Stored};

use crate::{
    Error, Fault, Result,
    condition::ReadConditions,
    encryption::{self, CustomerKey},
    meta::ObjectMeta,
    range::Selection,
};

/// An object, or a part of it, that a read found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is stored about it.
    pub meta: ObjectMeta,
    /// Which bytes were asked for.
    pub range: Range<u64>,
    /// Whether less than the whole object was asked for by name: a range or a part.
    pub partial: bool,
}

/// Finds an object without its bytes. `customer` is the client's own key for it.
///
/// # Errors
/// `NoSuchKey`, or `AccessDenied` for a caller who may not know that; the conditions' faults;
/// `InvalidRange`; `InvalidRequest`, `AccessDenied` for a client's own key that is missing, needless or
/// another's; the gate's own.
pub fn head(
    permit: &Permit,
    key: &ObjectKey,
    conditions: &ReadConditions,
    selection: Selection,
    customer: Option<&CustomerKey>,
) -> Result<Found> {
    let (_, found) = find(permit, key, conditions, selection)?;
    encryption::check(found.meta.encryption.as_ref(), customer)?;
    Ok(found)
}

/// What is stored about an object, for those who do not look at its content.
///
/// # Errors
/// `NoSuchKey`, or `AccessDenied` for a caller who may not know that; the gate's own.
pub fn find_meta(permit: &Permit, key: &ObjectKey) -> Result<ObjectMeta> {
    let (_, found) = find(permit, key, &ReadConditions::default(), Selection::Whole)?;
    Ok(found.meta)
}

/// Reads an object, or the selected part of it.
///
/// # Errors
/// As [`head`]; the key service's own; `Corrupt` in the stream if stored bytes do not verify.
pub async fn get(
    permit: &ReadPermit,
    key: &ObjectKey,
    conditions: &ReadConditions,
    selection: Selection,
    customer: Option<&CustomerKey>,
) -> Result<(Found, Content)> {
    let (stored, found) = find(permit, key, conditions, selection)?;
    encryption::open(permit, found.meta.encryption.as_ref(), customer).await?;
    let content = content(permit, &stored, found.range.clone())?;
    Ok((found, content))
}

pub(crate) fn content(permit: &ReadPermit, stored: &Stored, range: Range<u64>) -> Result<Content> {
    if range.is_empty() {
        return Ok(Content::Whole(bytes::Bytes::new()));
    }
    Ok(permit.content(stored, range)?)
}

pub(crate) fn find(
    permit: &Permit,
    key: &ObjectKey,
    conditions: &ReadConditions,
    selection: Selection,
) -> Result<(Stored, Found)> {
    let stored = permit.entry(Kind::Object, key.as_str().as_bytes())?;
    let Some(stored) = stored else {
        return Err(missing(permit, &permit.bucket()?.name));
    };
    let meta = ObjectMeta::read(&stored.value.meta)?;
    conditions.check(&meta)?;
    let range = selection.within(&meta)?;
    Ok((
        stored,
        Found {
            meta,
            range,
            partial: selection != Selection::Whole,
        },
    ))
}

/// Who may list the bucket may know that a key does not exist; for others it is as if denied.
fn missing(permit: &Permit, bucket: &BucketName) -> Error {
    if permit.also("s3:ListBucket", &ResourcePath::Bucket(bucket.clone())) {
        return Error::no_such_key();
    }
    Error::fault(Fault::AccessDenied, "Access Denied")
}
