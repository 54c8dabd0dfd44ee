//! Deleting objects, one or many.

use craton_base::BucketName;
use craton_gate::Ask;
use craton_objects::{
    condition::WriteConditions,
    delete::{self as engine, DELETE_KEYS_MAX},
};
use futures::StreamExt as _;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag,
        ETagCondition, Error, ObjectIdentifier,
    },
    s3_error,
};

use super::{check_version, refuse_if, settle, with, write, write_conditions};
use crate::s3::{call::Call, convert};

/// How many keys of a multi-delete are in work at once: enough to share flushes.
const DELETES_AT_ONCE: usize = 128;

pub(in crate::s3) async fn delete_object(
    request: S3Request<DeleteObjectInput>,
) -> S3Result<DeleteObjectOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let bucket = convert::bucket(&input.bucket)?;
    let timed = input.if_match_last_modified_time.is_some() || input.if_match_size.is_some();
    let one = One {
        key: &input.key,
        version: input.version_id.as_deref(),
        if_match: input.if_match,
        timed,
    };
    delete(&call, &bucket, "DeleteObject", one).await?;
    Ok(DeleteObjectOutput::default())
}

struct One<'a> {
    key: &'a str,
    version: Option<&'a str>,
    if_match: Option<ETagCondition>,
    /// Whether it has conditions that only directory buckets have.
    timed: bool,
}

async fn delete(call: &Call, bucket: &BucketName, operation: &'static str, one: One<'_>) -> S3Result<()> {
    let (path, key) = convert::object(bucket.as_str(), one.key)?;
    let action = if one.version.is_some() {
        "s3:DeleteObjectVersion"
    } else {
        "s3:DeleteObject"
    };
    let ask = with(Ask::new(operation, action, path), "s3:VersionId", one.version);
    let permit = write(call, ask).await?;
    check_version(one.version)?;
    refuse_if(one.timed, "A conditional delete by time or size")?;
    let conditions: WriteConditions = write_conditions(one.if_match, None)?;
    settle(&permit, engine::delete(&permit, &key, &conditions).await)
}

/// Each key is decided on its own; all are committed side by side, so that they share flushes.
pub(in crate::s3) async fn delete_objects(
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<DeleteObjectsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let bucket = convert::bucket(&input.bucket)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > DELETE_KEYS_MAX {
        return Err(s3_error!(
            MalformedXML,
            "The list of keys must name 1 to {DELETE_KEYS_MAX} objects."
        ));
    }
    let quiet = input.delete.quiet.unwrap_or_default();
    let results: Vec<(ObjectIdentifier, S3Result<()>)> = futures::stream::iter(objects)
        .map(|object| delete_listed(&call, &bucket, object))
        .buffered(DELETES_AT_ONCE)
        .collect()
        .await;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for (object, result) in results {
        match result {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject {
                key: Some(object.key),
                ..DeletedObject::default()
            }),
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
    bucket: &BucketName,
    object: ObjectIdentifier,
) -> (ObjectIdentifier, S3Result<()>) {
    let one = One {
        key: &object.key,
        version: object.version_id.as_deref(),
        if_match: object.e_tag.clone().map(|tag: ETag| ETagCondition::ETag(tag)),
        timed: object.last_modified_time.is_some() || object.size.is_some(),
    };
    let result = delete(call, bucket, "DeleteObjects", one).await;
    (object, result)
}

fn listed_error(object: ObjectIdentifier, error: &S3Error) -> Error {
    Error {
        code: Some(error.code().as_str().to_owned()),
        key: Some(object.key),
        message: error.message().map(ToOwned::to_owned),
        version_id: object.version_id,
    }
}
