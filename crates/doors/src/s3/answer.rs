//! The shape of answers: S3's error document, and what every answer carries.
//!
//! Deliberately absent: the headers that every door sends (request id, `Server`), which the router sets.

use bytes::Bytes;
use craton_base::{Error, Timestamp, xml::element};
use craton_objects::{error::Details, version::VersionId};
use http::{HeaderValue, StatusCode, header};
use s3s::{Body, S3Error, S3ErrorCode};

use super::subject::Subject;
use crate::{errors, http::Response};

/// What an error document says besides the error.
pub(super) struct ErrorXml<'a> {
    /// The path of the request.
    pub(super) path: &'a str,
    /// The request's id.
    pub(super) request_id: &'a str,
    /// What the request is about, as far as it was read.
    pub(super) subject: &'a Subject,
}

impl ErrorXml<'_> {
    fn document(&self, code: &str, message: &str, details: &Details) -> Bytes {
        let mut out = String::with_capacity(320);
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        element(&mut out, "Code", code);
        element(&mut out, "Message", message);
        self.tail(&mut out, code, details);
        out.push_str("</Error>");
        out.into()
    }

    fn tail(&self, out: &mut String, code: &str, details: &Details) {
        let named = self.subject.details(code);
        let unsaid = named
            .iter()
            .filter(|(name, _)| details.iter().all(|(n, _)| n != name));
        for (name, text) in details.iter().chain(unsaid) {
            element(out, name, text);
        }
        element(out, "Resource", self.path);
        element(out, "RequestId", self.request_id);
        element(out, "HostId", self.request_id);
    }

    /// Adds what `s3s` does not know to the document it made.
    fn complete(&self, document: &[u8], details: &Details) -> Option<Bytes> {
        let text = std::str::from_utf8(document).ok()?;
        let (front, _) = text.rsplit_once("</Error>")?;
        if front.contains("<RequestId>") {
            return None;
        }
        let code = front
            .split_once("<Code>")
            .and_then(|(_, rest)| rest.split_once('<'));
        let code = code.map_or("", |(code, _)| code);
        let mut out = String::with_capacity(front.len() + 160);
        out.push_str(front);
        if !front.contains("<Message>") {
            element(&mut out, "Message", words(code).unwrap_or(code));
        }
        self.tail(&mut out, code, details);
        out.push_str("</Error>");
        Some(out.into())
    }
}

/// What an error's document says besides, on its way through `s3s`, which does not know it.
#[derive(Debug)]
struct Told(Details);

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what the document says besides")
    }
}

impl std::error::Error for Told {}

/// What an error was given to say besides.
pub(super) fn told(error: &S3Error) -> Option<&Details> {
    error
        .source()?
        .downcast_ref::<Told>()
        .map(|Told(details)| details)
}

/// An error that says more than code and message.
pub(super) fn telling(mut error: S3Error, details: Details) -> S3Error {
    if !details.is_empty() {
        error.set_source(Box::new(Told(details)));
    }
    error
}

/// `InvalidArgument`, of this argument.
pub(super) fn argument(name: &str, value: impl Into<String>, message: impl Into<String>) -> S3Error {
    fail(craton_objects::Error::argument(name, value, message.into()))
}

/// The answer to a request that came to no handler.
pub(super) fn refusal(error: &Error, xml: &ErrorXml<'_>, head: bool) -> Response {
    refusal_telling(error, &Details::new(), xml, head)
}

/// The same, with what its document says besides.
pub(super) fn refusal_telling(error: &Error, details: &Details, xml: &ErrorXml<'_>, head: bool) -> Response {
    log(error);
    let answer = errors::s3(error.kind(), error.reason());
    let body = if head {
        Body::empty()
    } else {
        Body::from(xml.document(answer.code, &message(error), details))
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Faults of ours are logged here, where they are handled; a client's are in the ledger and the metrics.
pub(super) fn log(error: &Error) {
    if errors::http_status(error.kind()).is_server_error() {
        let source = std::error::Error::source(error).map(ToString::to_string);
        tracing::error!(
            kind = error.kind().as_str(),
            reason = error.reason(),
            source,
            "{error}"
        );
    }
}

/// Completes an answer that `s3s` made.
pub(super) fn finish(mut response: Response, details: &Details, xml: &ErrorXml<'_>, head: bool) -> Response {
    let status = response.status();
    if status == StatusCode::NOT_MODIFIED {
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        return response;
    }
    if !(status.is_client_error() || status.is_server_error()) {
        if head && response.headers().contains_key(header::CONTENT_RANGE) {
            // s3s answers every HEAD with 200.
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        return response;
    }
    response
        .headers_mut()
        .entry(header::CONTENT_TYPE)
        .or_insert_with(|| HeaderValue::from_static("application/xml"));
    if head {
        *response.body_mut() = Body::empty();
    } else if let Some(body) = response
        .body()
        .bytes()
        .and_then(|document| xml.complete(&document, details))
    {
        *response.body_mut() = Body::from(body);
    }
    response
}

/// An engine's error, as `s3s` takes it.
pub(super) fn fail(error: craton_objects::Error) -> S3Error {
    use craton_objects::Error as E;
    match error {
        E::Gate(error) => fail_base(&error),
        E::Fault(fault, message, details) => telling(
            error_of(fault.kind(), fault.code(), message.into_owned()),
            details,
        ),
        E::NotModified { etag, modified } => {
            let mut out = error_of(
                craton_base::Kind::Precondition,
                "NotModified",
                "Not Modified".to_owned(),
            );
            let mut headers = http::HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&format!("\"{etag}\"")) {
                headers.insert(header::ETAG, value);
            }
            if let Some(value) = super::convert::http_date(modified) {
                headers.insert(header::LAST_MODIFIED, value);
            }
            out.set_headers(headers);
            out
        }
        E::DeleteMarker {
            version,
            named,
            modified,
        } => {
            let mut out = error_of(error.kind(), error.code(), error.to_string());
            out.set_headers(marker_headers(version, named, modified));
            let details = if named {
                vec![("ResourceType", "DeleteMarker".to_owned())]
            } else {
                Details::new()
            };
            telling(out, details)
        }
        E::RangeNotSatisfiable { size } => {
            let message = "The requested range is not satisfiable".to_owned();
            let mut out = error_of(craton_base::Kind::Invalid, "InvalidRange", message);
            let mut headers = http::HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                headers.insert(header::CONTENT_RANGE, value);
            }
            out.set_headers(headers);
            telling(out, vec![("ActualObjectSize", size.to_string())])
        }
    }
}

/// What is told of a delete marker that a read came upon.
fn marker_headers(version: VersionId, named: bool, modified: Timestamp) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-amz-delete-marker", HeaderValue::from_static("true"));
    if let Ok(id) = HeaderValue::from_str(&version.to_text()) {
        headers.insert("x-amz-version-id", id);
    }
    if named {
        headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
        if let Some(value) = super::convert::http_date(modified) {
            headers.insert(header::LAST_MODIFIED, value);
        }
    }
    headers
}

/// A gate's error, as `s3s` takes it.
pub(super) fn fail_base(error: &Error) -> S3Error {
    log(error);
    error_of(error.kind(), error.reason(), message(error))
}

/// The text of an error of the crates below, in S3's words where tools look for them.
fn message(error: &Error) -> String {
    match error.reason() {
        // These say more than S3 does.
        "InvalidURI" | "MalformedXML" => errors::message(error),
        reason => words(reason).map_or_else(|| errors::message(error), ToOwned::to_owned),
    }
}

/// S3's words for a code, where they are always the same.
fn words(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "NoSuchBucket" => "The specified bucket does not exist",
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the current time is too large."
        }
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method."
        }
        _ => return None,
    })
}

fn error_of(kind: craton_base::Kind, reason: &str, message: String) -> S3Error {
    let answer = errors::s3(kind, reason);
    let code = answer
        .code
        .parse::<S3ErrorCode>()
        .unwrap_or(S3ErrorCode::InternalError);
    let mut out = S3Error::with_message(code, message);
    out.set_status_code(answer.status);
    out
}

#[cfg(test)]
mod tests;
