//! Tags of objects.
//!
//! Deliberately absent: the limits (the gate's), and how tags are kept (the engine).

use craton_base::{Error, Kind, Result};
use craton_gate::{
    Ask,
    tags::{OBJECT_TAGS_MAX, Tag, Tags},
};
use craton_objects::version::{Located, amend, locate};
use s3s::{
    S3Request, S3Result,
    dto::{
        self, DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput,
        GetObjectTaggingOutput, PutObjectTaggingInput, PutObjectTaggingOutput,
    },
    xml::{Deserialize as _, Deserializer},
};

use super::{read, replica::with_replica, settle, target, version_text, with_version, write};
use crate::s3::{call::Call, convert};

pub(in crate::s3) async fn get_object_tagging(
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<GetObjectTaggingOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let action = match &input.version_id {
        Some(_) => "s3:GetObjectVersionTagging",
        None => "s3:GetObjectTagging",
    };
    let ask = Ask::new("GetObjectTagging", action, path);
    let permit = read(&call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let Located { meta, version, .. } = settle(&permit, locate(&permit, &key, target))?;
    Ok(GetObjectTaggingOutput {
        tag_set: shown(meta.tags.unwrap_or_default()),
        version_id: version_text(version),
    })
}

pub(in crate::s3) async fn put_object_tagging(
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<PutObjectTaggingOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let action = match &input.version_id {
        Some(_) => "s3:PutObjectVersionTagging",
        None => "s3:PutObjectTagging",
    };
    let ask = with_version(
        Ask::new("PutObjectTagging", action, path),
        input.version_id.as_deref(),
    );
    let ask = with_replica(ask, &headers, "ReplicateTags", "s3:ReplicateTags");
    // What is wrong with them is said once the request is allowed.
    let tags = stated(input.tagging.tag_set, OBJECT_TAGS_MAX);
    let ask = match &tags {
        Ok(tags) => ask.with_tags(tags),
        Err(_) => ask,
    };
    let permit = write(&call, ask).await?;
    let tags = settle(&permit, tags.map_err(Into::into))?;
    let target = target(&permit, input.version_id.as_deref())?;
    let changed = amend(&permit, &key, target, |meta| {
        meta.tags = Some(tags.clone()).filter(|t| !t.is_empty());
        Ok(())
    })
    .await;
    Ok(PutObjectTaggingOutput {
        version_id: version_text(settle(&permit, changed)?.version),
    })
}

pub(in crate::s3) async fn delete_object_tagging(
    request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<DeleteObjectTaggingOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let action = match &input.version_id {
        Some(_) => "s3:DeleteObjectVersionTagging",
        None => "s3:DeleteObjectTagging",
    };
    let ask = Ask::new("DeleteObjectTagging", action, path);
    let ask = with_replica(ask, &headers, "ReplicateTags", "s3:ReplicateTags");
    let permit = write(&call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let changed = amend(&permit, &key, target, |meta| {
        meta.tags = None;
        Ok(())
    })
    .await;
    Ok(DeleteObjectTaggingOutput {
        version_id: version_text(settle(&permit, changed)?.version),
    })
}

/// Tags, as `s3s` sends them.
pub(in crate::s3) fn shown(tags: Tags) -> dto::TagSet {
    let tag = |t: Tag| dto::Tag {
        key: Some(t.key),
        value: Some(t.value),
    };
    tags.list.into_iter().map(tag).collect()
}

/// Tags that a request's XML says, checked against the limits.
pub(in crate::s3) fn stated(set: dto::TagSet, most: usize) -> Result<Tags> {
    let tag = |t: dto::Tag| match (t.key, t.value) {
        (Some(key), Some(value)) => Ok(Tag { key, value }),
        _ => Err(malformed("A tag needs a Key and a Value.")),
    };
    let tags = Tags::new(set.into_iter().map(tag).collect::<Result<_>>()?);
    tags.check(most)?;
    Ok(tags)
}

/// The value of a form's field `tagging`, which is XML, as the header's.
pub(in crate::s3) fn header_of_xml(xml: &str) -> Result<String> {
    let mut reader = Deserializer::new(xml.as_bytes());
    let tagging = dto::Tagging::deserialize(&mut reader)
        .map_err(|_| malformed("The field tagging holds no XML of tags."))?;
    let encoded = |text: &str| convert::url_encoded(text.to_owned(), true);
    let pairs = stated(tagging.tag_set, OBJECT_TAGS_MAX)?
        .list
        .iter()
        .map(|t| format!("{}={}", encoded(&t.key), encoded(&t.value)))
        .collect::<Vec<_>>();
    Ok(pairs.join("&"))
}

fn malformed(message: &'static str) -> Error {
    Error::new(Kind::Invalid, "MalformedXML", message)
}

#[cfg(test)]
mod tests;
