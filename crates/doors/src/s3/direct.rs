//! The read of one object without conditions, which data loaders make by the million: it does not go through `s3s`.
//!
//! Invariant: the answer is the one that `s3s` makes of the same output, header by header; what may change it besides a
//! range and the wish for a checksum goes the usual way.
//!
//! Deliberately absent: reading itself ([`super::ops::get`]), versions, conditions, answers with other headers.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use craton_base::{BucketName, Error, Result, name::OBJECT_KEY_BYTES_MAX};
use craton_gate::identify::body::VerifiedBody;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body::Body as _;
use s3s::{
    Body, S3Error, S3Result,
    dto::{ChecksumMode, ETag, GetObjectInput, GetObjectOutput, Metadata, Range, Timestamp, TimestampFormat},
    s3_error,
};

use super::{
    answer::{self, ErrorXml},
    call::{Call, Watched},
    ops::get::read_object,
    plain,
};
use crate::http::Response;

const CHECKSUM_MODE: HeaderName = HeaderName::from_static("x-amz-checksum-mode");

/// Headers of S3's that change nothing once they were checked.
const CHECKED: [&str; 2] = ["x-amz-expected-bucket-owner", "x-amz-user-agent"];

/// The longest encoded word, in bytes of what it encodes (RFC 2047, section 2: 75 characters in all).
const WORD_BYTES_MAX: usize = 45;

/// Whether a plain request is one.
pub(super) fn is_direct(parts: &Parts, body: &VerifiedBody<Body>) -> bool {
    let asks = parts
        .uri
        .query()
        .is_some_and(|query| !matches!(query, "" | "x-id=GetObject"));
    parts.method == Method::GET
        && !asks
        && body.size_hint().upper() == Some(0)
        && place(parts).is_some()
        && parts.headers.keys().all(changes_nothing)
}

fn changes_nothing(name: &HeaderName) -> bool {
    let text = name.as_str();
    if text.starts_with("x-amz-") {
        return *name == CHECKSUM_MODE || CHECKED.contains(&text);
    }
    !text.starts_with("if-")
}

/// The bucket and the key, where both are in the path as they are.
fn place(parts: &Parts) -> Option<(&str, &str)> {
    let (bucket, key) = parts.uri.path().strip_prefix('/')?.split_once('/')?;
    let as_they_are = !key.is_empty() && key.len() <= OBJECT_KEY_BYTES_MAX && !key.contains('%');
    (as_they_are && BucketName::new(bucket).is_ok()).then_some((bucket, key))
}

/// Reads the object, or says why not.
///
/// # Errors
/// What the body is refused for.
pub(super) async fn get(parts: &Parts, body: Watched, call: &Call, xml: &ErrorXml<'_>) -> Result<Response> {
    // It has none, and that may have been signed.
    plain::collect(parts, body, call).await?;
    let done = match input(parts) {
        Ok(input) => read_object(call, &parts.headers, input).await,
        Err(error) => Err(error),
    };
    let shown = call.ended(done).and_then(|done| {
        let mut response = response(done.output)?;
        response.headers_mut().extend(done.headers);
        Ok(response)
    });
    let refused = |error: S3Error| {
        let response = error.to_http_response();
        let response = response.map_err(|_| Error::internal("an error could not be written"))?;
        Ok(answer::finish(response, &call.told(), xml, false))
    };
    shown.or_else(refused)
}

fn input(parts: &Parts) -> S3Result<GetObjectInput> {
    let (bucket, key) = place(parts).ok_or_else(|| s3_error!(InvalidURI))?;
    let text = |name: &HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let range = text(&header::RANGE).map(Range::parse).transpose();
    Ok(GetObjectInput {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        range: range.map_err(|_| s3_error!(InvalidArgument, "The range is not one."))?,
        checksum_mode: text(&CHECKSUM_MODE).map(|mode| ChecksumMode::from(mode.to_owned())),
        ..GetObjectInput::default()
    })
}

/// The headers of an answer on their way.
struct Headers(HeaderMap);

impl Headers {
    fn put(&mut self, name: impl Into<HeaderName>, text: Option<impl Into<String>>) -> S3Result<()> {
        let Some(text) = text else { return Ok(()) };
        let value = HeaderValue::try_from(text.into()).map_err(|_| s3_error!(InternalError))?;
        self.0.insert(name.into(), value);
        Ok(())
    }

    fn named(&mut self, name: &'static str, text: Option<impl Into<String>>) -> S3Result<()> {
        match text {
            Some(text) => self.put(HeaderName::from_static(name), Some(text)),
            None => Ok(()),
        }
    }

    fn date(&mut self, name: HeaderName, at: Option<&Timestamp>, format: TimestampFormat) -> S3Result<()> {
        let Some(at) = at else { return Ok(()) };
        let mut out = Vec::with_capacity(29);
        at.format(format, &mut out)
            .map_err(|_| s3_error!(InternalError))?;
        let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(out));
        self.0.insert(name, value.map_err(|_| s3_error!(InternalError))?);
        Ok(())
    }

    /// User metadata.
    fn user(&mut self, metadata: Option<&Metadata>) -> S3Result<()> {
        for (key, text) in metadata.into_iter().flatten() {
            let name = HeaderName::from_bytes(format!("x-amz-meta-{key}").as_bytes());
            self.put(name.map_err(|_| s3_error!(InternalError))?, Some(encoded(text)))?;
        }
        Ok(())
    }
}

/// A header's value as it is, or in encoded words if it is not ASCII that can be seen (RFC 2047).
fn encoded(text: &str) -> String {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.floor_char_boundary(WORD_BYTES_MAX));
        words.push(format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(word)));
        rest = after;
    }
    words.join(" ")
}

fn response(output: GetObjectOutput) -> S3Result<Response> {
    let mut headers = Headers(HeaderMap::with_capacity(16));
    of_content(&mut headers, &output)?;
    of_version(&mut headers, &output)?;
    of_keeping(&mut headers, &output)?;
    let partial = output.content_range.is_some();
    let mut response = Response::new(output.body.map(Body::from).unwrap_or_default());
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    *response.headers_mut() = headers.0;
    Ok(response)
}

/// What the bytes are.
fn of_content(headers: &mut Headers, output: &GetObjectOutput) -> S3Result<()> {
    headers
        .0
        .insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(length) = output.content_length {
        headers
            .0
            .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    let texts = [
        (header::CACHE_CONTROL, &output.cache_control),
        (header::CONTENT_DISPOSITION, &output.content_disposition),
        (header::CONTENT_ENCODING, &output.content_encoding),
        (header::CONTENT_LANGUAGE, &output.content_language),
        (header::CONTENT_RANGE, &output.content_range),
        (header::CONTENT_TYPE, &output.content_type),
    ];
    for (name, text) in texts {
        headers.put(name, text.as_deref())?;
    }
    let sums = [
        ("x-amz-checksum-crc32", &output.checksum_crc32),
        ("x-amz-checksum-crc32c", &output.checksum_crc32c),
        ("x-amz-checksum-crc64nvme", &output.checksum_crc64nvme),
        ("x-amz-checksum-sha1", &output.checksum_sha1),
        ("x-amz-checksum-sha256", &output.checksum_sha256),
    ];
    for (name, text) in sums {
        headers.named(name, text.as_deref())?;
    }
    headers.named(
        "x-amz-checksum-type",
        output.checksum_type.as_ref().map(|t| t.as_str()),
    )
}

/// Which version it is, and what is said of it.
fn of_version(headers: &mut Headers, output: &GetObjectOutput) -> S3Result<()> {
    let etag = output.e_tag.as_ref().and_then(ETag::as_strong);
    headers.put(header::ETAG, etag.map(|tag| format!("\"{tag}\"")))?;
    headers.date(
        header::LAST_MODIFIED,
        output.last_modified.as_ref(),
        TimestampFormat::HttpDate,
    )?;
    headers.user(output.metadata.as_ref())?;
    headers.named("x-amz-version-id", output.version_id.as_deref())?;
    headers.named("x-amz-expiration", output.expiration.as_deref())?;
    headers.named("x-amz-restore", output.restore.as_deref())?;
    headers.named("x-amz-tagging-count", output.tag_count.map(|n| n.to_string()))?;
    headers.named(
        "x-amz-website-redirect-location",
        output.website_redirect_location.as_deref(),
    )
}

/// How it is kept.
fn of_keeping(headers: &mut Headers, output: &GetObjectOutput) -> S3Result<()> {
    let sealed = output.server_side_encryption.as_ref().map(|s| s.as_str());
    headers.named("x-amz-server-side-encryption", sealed)?;
    headers.named(
        "x-amz-server-side-encryption-aws-kms-key-id",
        output.ssekms_key_id.as_deref(),
    )?;
    let bucket_key = output.bucket_key_enabled.map(|on| on.to_string());
    headers.named("x-amz-server-side-encryption-bucket-key-enabled", bucket_key)?;
    let hold = output.object_lock_legal_hold_status.as_ref().map(|s| s.as_str());
    headers.named("x-amz-object-lock-legal-hold", hold)?;
    headers.named(
        "x-amz-object-lock-mode",
        output.object_lock_mode.as_ref().map(|s| s.as_str()),
    )?;
    let until = HeaderName::from_static("x-amz-object-lock-retain-until-date");
    headers.date(
        until,
        output.object_lock_retain_until_date.as_ref(),
        TimestampFormat::DateTime,
    )?;
    let copied = output.replication_status.as_ref().map(|s| s.as_str());
    headers.named("x-amz-replication-status", copied)?;
    headers.named(
        "x-amz-storage-class",
        output.storage_class.as_ref().map(|s| s.as_str()),
    )
}

#[cfg(test)]
mod tests;
