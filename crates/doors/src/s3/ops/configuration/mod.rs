//! The sub-resources of a bucket: what S3 calls its configuration. Each is put, read back and deleted; what is
//! not configured is answered as S3 answers it, which differs from one to the next.
//!
//! Invariants
//! - a document is stored only after it was found to be what S3 accepts;
//! - what is read back is what was put, in S3's order of elements.
//!
//! Deliberately absent: what the documents do, which is the gate's (who may) and the engine's (the rest).

use bytes::Bytes;
use craton_base::{Error, Kind, ResourcePath};
use craton_gate::{Ask, ConfigurationChange, Permit, ReadPermit, Subresource, WritePermit};
use s3s::{
    S3Error, S3Request, S3Result,
    xml::{DeserializeContent, Deserializer, SerializeContent, Serializer},
};

use super::{read, settle, write};
use crate::s3::{answer::fail_base, call::Call, convert};

pub(in crate::s3) mod access;
pub(in crate::s3) mod acl;
pub(in crate::s3) mod cors;
pub(in crate::s3) mod encryption;
pub(in crate::s3) mod lifecycle;
pub(in crate::s3) mod logging;
pub(in crate::s3) mod named;
pub(in crate::s3) mod notification;
pub(in crate::s3) mod replication;
pub(in crate::s3) mod simple;
pub(in crate::s3) mod tagging;

/// A permit to read what is configured of a bucket that exists.
async fn reading<T>(
    request: &S3Request<T>,
    bucket: &str,
    operation: &'static str,
    action: &'static str,
) -> S3Result<ReadPermit> {
    let call = Call::of(request)?;
    let path = ResourcePath::Bucket(convert::bucket(bucket)?);
    let permit = read(&call, Ask::new(operation, action, path)).await?;
    settle(&permit, exists(&permit))?;
    Ok(permit)
}

/// A permit to configure a bucket that exists.
async fn changing<T>(
    request: &S3Request<T>,
    bucket: &str,
    operation: &'static str,
    action: &'static str,
) -> S3Result<WritePermit> {
    let path = ResourcePath::Bucket(convert::bucket(bucket)?);
    changing_by(&Call::of(request)?, Ask::new(operation, action, path)).await
}

async fn changing_by(call: &Call, ask: Ask) -> S3Result<WritePermit> {
    let permit = write(call, ask).await?;
    settle(&permit, exists(&permit))?;
    Ok(permit)
}

fn exists(permit: &Permit) -> craton_objects::Result<()> {
    Ok(permit.bucket().map(drop)?)
}

/// Makes changes through the permit.
async fn configure(permit: &WritePermit, changes: &[ConfigurationChange]) -> S3Result<()> {
    settle(permit, permit.configure(changes).await.map_err(Into::into))
}

/// The document that a bucket has of this kind.
fn document(permit: &Permit, subresource: Subresource) -> S3Result<Option<Bytes>> {
    let found = permit.configuration(subresource);
    let found = settle(permit, found.map_err(Into::into))?;
    Ok(found.map(|configuration| configuration.document().clone()))
}

/// S3's answer where nothing is configured.
fn absent(code: &'static str, message: &'static str) -> S3Error {
    fail_base(&Error::new(Kind::NotFound, code, message))
}

/// S3's answer to a document that is not one.
fn refused(code: &'static str, message: impl Into<String>) -> S3Error {
    fail_base(&Error::new(Kind::Invalid, code, message.into()))
}

fn malformed_xml() -> S3Error {
    refused(
        "MalformedXML",
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// A document as it is stored.
fn encode<T: SerializeContent>(root: &str, value: &T) -> S3Result<Bytes> {
    let mut out = Vec::new();
    Serializer::new(&mut out)
        .content(root, value)
        .map_err(|e| fail_base(&Error::internal("a configuration can not be written").with_source(e)))?;
    Ok(out.into())
}

/// A stored document.
fn decode<T: for<'xml> DeserializeContent<'xml>>(root: &str, document: &Bytes) -> S3Result<T> {
    Deserializer::new(document)
        .named_element(root, T::deserialize_content)
        .map_err(|e| fail_base(&Error::corrupt("a configuration does not parse").with_source(e)))
}

/// Whether a text is one to `max` characters.
fn is_short(text: &str, max: usize) -> bool {
    !text.is_empty() && text.chars().count() <= max
}

/// Gives each of `ids` that is missing a new one, and refuses one that is too long or there twice.
fn complete_ids<'a>(ids: impl Iterator<Item = &'a mut Option<String>>, request: &str) -> S3Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for (at, id) in ids.enumerate() {
        // As unique as the request's own id, which also makes it known where it came from.
        let id = id.get_or_insert_with(|| format!("{request}-{at}"));
        if id.chars().count() > 255 {
            return Err(refused(
                "InvalidArgument",
                "ID length should not exceed allowed limit of 255",
            ));
        }
        if !seen.insert(id.clone()) {
            return Err(refused(
                "InvalidArgument",
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
    }
    Ok(())
}
