//! A bucket's tags.

use std::collections::BTreeSet;

use craton_base::ResourcePath;
use craton_gate::{ConfigurationChange, Permit, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketTaggingInput, DeleteBucketTaggingOutput, GetBucketTaggingInput, GetBucketTaggingOutput,
        PutBucketTaggingInput, PutBucketTaggingOutput, Tag, Tagging,
    },
};

use super::{absent, changing, configure, decode, document, encode, reading, refused};

/// The most tags of a bucket.
const TAGS_MAX: usize = 50;

const ROOT: &str = "Tagging";

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketTaggingInput>,
) -> S3Result<GetBucketTaggingOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(&request, bucket, "GetBucketTagging", "s3:GetBucketTagging").await?;
    let found = document(&permit, Subresource::Tagging)?;
    let found = found.ok_or_else(|| absent("NoSuchTagSet", "The TagSet does not exist"))?;
    let tagging: Tagging = decode(ROOT, &found)?;
    Ok(GetBucketTaggingOutput {
        tag_set: tagging.tag_set,
    })
}

/// The tags of the bucket that a permit's path lies in, if the permit's session may read those.
pub(in crate::s3) fn of_bucket(permit: &Permit) -> craton_base::Result<Option<Vec<(String, String)>>> {
    let bucket = permit.bucket()?.name.clone();
    if !permit.also("s3:GetBucketTagging", &ResourcePath::Bucket(bucket)) {
        return Ok(None);
    }
    let Some(found) = permit.configuration(Subresource::Tagging)? else {
        return Ok(Some(Vec::new()));
    };
    let tagging: Tagging = decode(ROOT, found.document())
        .map_err(|_| craton_base::Error::corrupt("the tags of a bucket do not parse"))?;
    let pair = |tag: Tag| Some((tag.key?, tag.value?));
    Ok(Some(tagging.tag_set.into_iter().filter_map(pair).collect()))
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketTaggingInput>,
) -> S3Result<PutBucketTaggingOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "PutBucketTagging", "s3:PutBucketTagging").await?;
    let tagging = &request.input.tagging;
    check(&tagging.tag_set)?;
    let change = ConfigurationChange::set(Subresource::Tagging, encode(ROOT, tagging)?);
    configure(&permit, &[change]).await?;
    Ok(PutBucketTaggingOutput {})
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<DeleteBucketTaggingOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "DeleteBucketTagging", "s3:PutBucketTagging").await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Tagging)]).await?;
    Ok(DeleteBucketTaggingOutput {})
}

fn check(tags: &[Tag]) -> S3Result<()> {
    if tags.len() > TAGS_MAX {
        let message = format!("Bucket tag count cannot be greater than {TAGS_MAX}");
        return Err(refused("BadRequest", message));
    }
    let mut seen = BTreeSet::new();
    for tag in tags {
        let (key, value) = (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref());
        let value = value.unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || !key.chars().all(is_tag_character) {
            return Err(refused("InvalidTag", "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 || !value.chars().all(is_tag_character) {
            return Err(refused("InvalidTag", "The TagValue you have provided is invalid"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(refused(
                "InvalidTag",
                "System tags cannot be added/updated by requester",
            ));
        }
        if !seen.insert(key) {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(refused("InvalidTag", message));
        }
    }
    Ok(())
}

/// Letters, digits and spaces of any script, and `_.:/=+-@`.
fn is_tag_character(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests;
