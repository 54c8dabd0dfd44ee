//! What is said of an object in the headers and documents of S3.
//!
//! Deliberately absent: sending.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use craton_base::{Error, Result, Timestamp, xml::element};
use craton_gate::{identify::sign::encode_query, tags::Tags};
use craton_objects::{
    checksum::{Algorithm, Scope},
    lock::{LockRecord, Retention},
    meta::ObjectMeta,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use md5::{Digest as _, Md5};
use time::format_description::well_known::Rfc3339;

/// How a copy is to differ from its source, and what it is a copy of.
#[derive(Clone, Debug, Default)]
pub(crate) struct As {
    /// The source's version, as its store names it.
    pub(crate) source: String,
    /// The storage class; `None`: the source's.
    pub(crate) storage_class: Option<String>,
    /// The key of the key service.
    pub(crate) kms_key: Option<String>,
    /// Whether the destination has object lock.
    pub(crate) locks: bool,
}

/// Says that a request comes by replication, for stores that know: of which version, and when that was written.
pub(super) fn replica(source: &str, modified: Timestamp) -> Result<HeaderMap> {
    let mut out = HeaderMap::new();
    set(&mut out, "x-amz-replication-status", "REPLICA")?;
    set(&mut out, "x-craton-source-version-id", source)?;
    set(
        &mut out,
        "x-craton-source-modified",
        &modified.micros().to_string(),
    )?;
    Ok(out)
}

/// The headers of an object that is written as a copy.
pub(super) fn object(meta: &ObjectMeta, wanted: &As, now: Timestamp) -> Result<HeaderMap> {
    let mut out = replica(&wanted.source, meta.modified())?;
    let kept = &meta.attributes.headers;
    let texts = [
        ("content-type", &kept.content_type),
        ("content-encoding", &kept.content_encoding),
        ("content-disposition", &kept.content_disposition),
        ("content-language", &kept.content_language),
        ("cache-control", &kept.cache_control),
        ("expires", &kept.expires),
        ("x-amz-website-redirect-location", &kept.website_redirect),
        ("x-amz-storage-class", &wanted.storage_class),
        ("x-amz-server-side-encryption-aws-kms-key-id", &wanted.kms_key),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            set(&mut out, name, value)?;
        }
    }
    if wanted.kms_key.is_some() {
        set(&mut out, "x-amz-server-side-encryption", "aws:kms")?;
    }
    if wanted.storage_class.is_none() && !meta.attributes.storage_class.is_empty() {
        set(&mut out, "x-amz-storage-class", &meta.attributes.storage_class)?;
    }
    for (name, value) in &meta.attributes.user {
        set(&mut out, &format!("x-amz-meta-{name}"), value)?;
    }
    if let Some(tags) = meta.tags.as_ref().filter(|tags| !tags.is_empty()) {
        set(&mut out, "x-amz-tagging", &tag_query(tags))?;
    }
    if wanted.locks {
        lock(&mut out, meta.lock.unwrap_or_default(), now)?;
    }
    Ok(out)
}

/// The header with a checksum that is known beforehand.
pub(super) fn checksum(out: &mut HeaderMap, algorithm: Algorithm, value: &[u8]) -> Result<()> {
    set(out, algorithm.header(), &BASE64.encode(value))
}

/// The headers with the checksum that an upload in parts is to have.
pub(super) fn checksum_kind(out: &mut HeaderMap, algorithm: Algorithm, scope: Scope) {
    let name = HeaderValue::from_static(algorithm.name());
    out.insert(HeaderName::from_static("x-amz-checksum-algorithm"), name);
    let kind = HeaderValue::from_static(scope.name());
    out.insert(HeaderName::from_static("x-amz-checksum-type"), kind);
}

/// What is known of the bytes of an object that was put whole: its MD5 and its checksum.
pub(super) fn digests(out: &mut HeaderMap, meta: &ObjectMeta) -> Result<()> {
    if meta.encryption.is_none() && meta.upload_id.is_empty() {
        set(out, "content-md5", &BASE64.encode(&meta.md5))?;
    }
    match meta.checksum().filter(|sum| sum.scope == Scope::FullObject) {
        Some(sum) => checksum(out, sum.algorithm, &sum.value),
        None => Ok(()),
    }
}

fn lock(out: &mut HeaderMap, lock: LockRecord, now: Timestamp) -> Result<()> {
    if let Some(retention) = lock.retention().filter(|retention| retention.until > now) {
        set(out, "x-amz-object-lock-mode", retention.mode.name())?;
        set(out, "x-amz-object-lock-retain-until-date", &iso(retention.until))?;
    }
    if lock.legal_hold == Some(true) {
        set(out, "x-amz-object-lock-legal-hold", "ON")?;
    }
    Ok(())
}

fn iso(at: Timestamp) -> String {
    at.to_utc().format(&Rfc3339).unwrap_or_default()
}

fn set(out: &mut HeaderMap, name: &str, value: &str) -> Result<()> {
    let unsayable = || Error::invalid(format!("the header {name:?} can not be sent to a remote"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|e| unsayable().with_source(e))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|e| unsayable().with_source(e))?;
    out.insert(name, value);
    Ok(())
}

fn tag_query(tags: &Tags) -> String {
    let pairs: Vec<String> = tags
        .list
        .iter()
        .map(|tag| format!("{}={}", encode_query(&tag.key), encode_query(&tag.value)))
        .collect();
    pairs.join("&")
}

/// The document of an object's tags.
pub(super) fn tagging(tags: &Tags) -> String {
    let mut out = String::from("<Tagging><TagSet>");
    for tag in &tags.list {
        out.push_str("<Tag>");
        element(&mut out, "Key", &tag.key);
        element(&mut out, "Value", &tag.value);
        out.push_str("</Tag>");
    }
    out.push_str("</TagSet></Tagging>");
    out
}

/// The document of a retention.
pub(super) fn retention(retention: Retention) -> String {
    format!(
        "<Retention><Mode>{}</Mode><RetainUntilDate>{}</RetainUntilDate></Retention>",
        retention.mode.name(),
        iso(retention.until)
    )
}

/// The document of a legal hold.
pub(super) fn legal_hold(held: bool) -> String {
    let status = if held { "ON" } else { "OFF" };
    format!("<LegalHold><Status>{status}</Status></LegalHold>")
}

/// A part as a completion names it: its number, its tag, and its checksum if the upload has one.
pub(super) fn part(number: usize, tag: &str, checksum: Option<(Algorithm, &[u8])>) -> String {
    let mut out = format!("<Part><PartNumber>{number}</PartNumber>");
    element(&mut out, "ETag", tag);
    if let Some((algorithm, value)) = checksum {
        let name = format!("Checksum{}", algorithm.name());
        element(&mut out, &name, &BASE64.encode(value));
    }
    out.push_str("</Part>");
    out
}

/// `Content-MD5` of a document, which some operations want.
pub(super) fn content_md5(out: &mut HeaderMap, document: &str) -> Result<()> {
    set(
        out,
        "content-md5",
        &BASE64.encode(Md5::digest(document.as_bytes())),
    )
}

#[cfg(test)]
mod tests;
