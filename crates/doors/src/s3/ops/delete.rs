//! Deleting objects, one or many.

use craton_base::BucketName;
use craton_gate::Ask;
use craton_objects::{
    condition::{DeleteConditions, Tag},
    delete::{self as engine, DELETE_KEYS_MAX, Delete, Deleted},
};
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, Error,
        ObjectIdentifier,
    },
    s3_error,
};

use super::{lock, replica, settle, target, version_text, with_match, with_version, write};
use crate::s3::{call::Call, convert};

/// How many keys of a multi-delete are in work at once: enough to share flushes.
const DELETES_AT_ONCE: usize = 128;

pub(in crate::s3) async fn delete_object(
    request: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let bucket = convert::bucket(&input.bucket)?;
    let one = One {
        headers: &headers,
        key: &input.key,
        version: input.version_id.as_deref(),
        conditions: DeleteConditions {
            matches: input.if_match.map(convert::tag),
            size: size(input.if_match_size),
            modified: input.if_match_last_modified_time.as_ref().map(convert::seconds),
        },
        bypass: input.bypass_governance_retention,
    };
    let Deleted { version, marker } = delete(&call, &bucket, "DeleteObject", one).await?;
    Ok(DeleteObjectOutput {
        delete_marker: marker.then_some(true),
        request_charged: None,
        version_id: version_text(version),
    })
}

struct One<'a> {
    headers: &'a HeaderMap,
    key: &'a str,
    version: Option<&'a str>,
    conditions: DeleteConditions,
    bypass: Option<bool>,
}

/// A size that no object has matches none.
fn size(stated: Option<i64>) -> Option<u64> {
    stated.map(|size| u64::try_from(size).unwrap_or(u64::MAX))
}

async fn delete(
    call: &Call,
    bucket: &BucketName,
    operation: &'static str,
    one: One<'_>,
) -> S3Result<Deleted> {
    let (path, key) = convert::object(bucket.as_str(), one.key)?;
    let action = if one.version.is_some() {
        "s3:DeleteObjectVersion"
    } else {
        "s3:DeleteObject"
    };
    let ask = with_version(Ask::new(operation, action, path), one.version);
    let ask = lock::with_bypass(ask, one.bypass);
    let ask = replica::with_replica(ask, one.headers, "ReplicateDelete", "s3:ReplicateDelete");
    // It tells whether an object is as stated: only to who may read it, as in S3.
    let permit = write(call, with_match(ask, !one.conditions.is_empty())).await?;
    let request = Delete {
        target: target(&permit, one.version)?,
        conditions: one.conditions,
        bypass: one.bypass == Some(true),
        replica: replica::stated(one.headers),
    };
    settle(&permit, engine::delete(&permit, &key, &request).await)
}

/// Each key is decided on its own; all are committed side by side, so that they share flushes.
pub(in crate::s3) async fn delete_objects(
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let bucket = convert::bucket(&input.bucket)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > DELETE_KEYS_MAX {
        return Err(s3_error!(
            MalformedXML,
            "The list of keys must name 1 to {DELETE_KEYS_MAX} objects."
        ));
    }
    let quiet = input.delete.quiet.unwrap_or_default();
    let bypass = input.bypass_governance_retention;
    let results: Vec<(ObjectIdentifier, S3Result<Deleted>)> = futures::stream::iter(objects)
        .map(|object| delete_listed(&call, (&bucket, &headers), object, bypass))
        .buffered(DELETES_AT_ONCE)
        .collect()
        .await;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (object, result) in results {
        match result {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(listed(object, done)),
            Err(e) if e.code().as_str() == "NoSuchBucket" => return Err(e),
            Err(e) => errors.push(listed_error(object, &e)),
        }
    }
    let some = |list: Vec<_>| (!list.is_empty()).then_some(list);
    Ok(DeleteObjectsOutput {
        deleted: (!deleted.is_empty()).then_some(deleted),
        errors: some(errors),
        request_charged: None,
    })
}

async fn delete_listed(
    call: &Call,
    (bucket, headers): (&BucketName, &HeaderMap),
    object: ObjectIdentifier,
    bypass: Option<bool>,
) -> (ObjectIdentifier, S3Result<Deleted>) {
    let one = One {
        headers,
        key: &object.key,
        version: object.version_id.as_deref(),
        conditions: DeleteConditions {
            matches: object.e_tag.as_ref().map(|tag| named_tag(tag.value())),
            size: size(object.size),
            modified: object.last_modified_time.as_ref().map(convert::seconds),
        },
        bypass,
    };
    let result = delete(call, bucket, "DeleteObjects", one).await;
    (object, result)
}

/// The tag that a list of keys names for one: `*` is any, as in the header.
fn named_tag(text: &str) -> Tag {
    match text {
        "*" => Tag::Any,
        text => Tag::of_list(text),
    }
}

/// A version that was named is told by its name; the marker that a deletion made or removed by its own.
fn listed(object: ObjectIdentifier, done: Deleted) -> DeletedObject {
    let marker = done.marker.then(|| version_text(done.version)).flatten();
    DeletedObject {
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: marker,
        key: Some(object.key),
        version_id: object.version_id,
    }
}

fn listed_error(object: ObjectIdentifier, error: &S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(object.key),
        message: error.message().map(ToOwned::to_owned),
        version_id: object.version_id,
    }
}
