//! Uploads from a browser's form: `POST` of `multipart/form-data` to a bucket.
//!
//! ```text
//! fields ──▶ Gate::identify_form ──▶ the same request as a PUT, file as body ──▶ put_object ──▶ POST's answer
//! ```
//!
//! Invariants
//! - the form's own fields say who sends it; a form in a request that is signed too is refused;
//! - what is put is what the policy was checked against: this bucket, this key, these fields;
//! - only the fields that are named here become headers, so a form asks for nothing but a put;
//! - the bounds of the file's length hold while it streams.
//!
//! Deliberately absent: how a form is read ([`super::form`]), policies and signatures (the gate), what a put
//! does (the same handler as for PUT).

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ObjectKey, Result, xml::element};
use craton_gate::{
    FormTarget, PrincipalKind, Session,
    identify::post_policy::{Fields, Form},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use tokio::time::timeout;

use super::{
    call::{Call, Watched},
    convert::url_encoded,
    form::{self, FIELDS_BYTES_MAX, File, Front, HEAD_BYTES_MAX, Reader},
    ops::{stated::set_aside, tagging::header_of_xml},
    plain,
};
use crate::{http::Response, whole::Rooms};

/// The name of the operation in records and metrics.
pub(super) const OPERATION: &str = "PostObject";

/// How much of a refused form is still read, in bytes.
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// For how long.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

/// Fields that say something about the form itself.
const CONTROL: [&str; 13] = [
    "bucket",
    "file",
    "key",
    "policy",
    "redirect",
    "submit",
    "success_action_redirect",
    "success_action_status",
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-security-token",
    "x-amz-signature",
];

/// Fields that mean the same as a header of a PUT.
const HEADERS: [&str; 32] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-md5",
    "content-type",
    "expires",
    "x-amz-acl",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-expected-bucket-owner",
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write-acp",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];

/// Fields that have another name than their header.
const RENAMED: [(&str, &str); 3] = [
    ("acl", "x-amz-acl"),
    ("tagging", "x-amz-tagging"),
    ("x-amz-checksum-algorithm", "x-amz-sdk-checksum-algorithm"),
];

/// A form that is on its way to be put.
pub(super) struct Posted {
    pub(super) request: Request<s3s::Body>,
    pub(super) answer: Answer,
}

fn invalid(reason: &'static str, message: impl Into<String>) -> Error {
    Error::new(Kind::Invalid, reason, message.into())
}

/// A form's body: of one that is refused the rest can be read, so that its sender comes to read the answer.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Watched>>);

impl Shared {
    pub(super) fn new(body: Watched) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Reads the rest, for a short time.
    pub(super) async fn drain(mut self) {
        let mut left = DRAIN_BYTES_MAX;
        let reading = async {
            while let Some(Ok(frame)) = self.frame().await {
                let read = frame.data_ref().map_or(0, Bytes::len);
                let Some(less) = left.checked_sub(read) else { break };
                left = less;
            }
        };
        // Too long or too slow: the connection ends.
        drop(timeout(DRAIN_TIME_MAX, reading).await);
    }
}

impl Body for Shared {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(cx)
    }
}

/// Whether a request is a form: `s3s` must not see one, because it would check its signature itself.
pub(super) fn is_form(parts: &Parts) -> bool {
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .map(|v| v.as_bytes().trim_ascii_start());
    let is_form = |v: &[u8]| {
        v.get(..19)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"))
    };
    parts.method == Method::POST && content_type.is_some_and(is_form)
}

/// Makes a put of a form. `path` is the request's own, before the host's bucket was put in. `call` becomes
/// that of the form's sender as soon as it is known.
pub(super) async fn prepare(
    parts: &Parts,
    body: Shared,
    call: &mut Call,
    rooms: &Rooms,
    path: &str,
) -> Result<Posted> {
    if call.session().kind() != PrincipalKind::Anonymous {
        let message = "A form is signed by its fields; the request around it must not be.";
        return Err(invalid("CredentialsNotSupported", message));
    }
    call.begin(OPERATION);
    let bucket = target(parts)?;
    plain::require_length(parts)?;
    let content_type = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok());
    let mut reader = Reader::new(body, form::boundary(content_type.unwrap_or_default())?);
    // Nobody knows yet who sends it: what is held of it comes from the room for such.
    let size = SizeHint::with_exact((FIELDS_BYTES_MAX + HEAD_BYTES_MAX) as u64);
    let reading = reader.front();
    let (front, _room) = rooms
        .read(call.session(), &size, FIELDS_BYTES_MAX + HEAD_BYTES_MAX, reading)
        .await?;

    let admitted = identify(&front, &bucket, call, path)?;
    let mut headers = headers(&front.fields, admitted.is_some())?;
    plain::check_owner(&headers)?;
    if front.fields.get("bucket").is_some_and(|b| b != bucket.as_str()) {
        return Err(invalid(
            "InvalidArgument",
            "The form's bucket is not the one it is sent to.",
        ));
    }
    let key = match &admitted {
        Some(form) => form.key.clone(),
        None => front.fields.key(front.filename.as_deref().unwrap_or_default())?,
    };
    let key = ObjectKey::new(&key)?;
    let upload = Upload {
        file: front.filename.is_some().then(|| reader.file()),
        form: admitted,
        bytes: 0,
        call: call.clone(),
    };
    let mut request = Request::new(s3s::Body::http_body_unsync(upload));
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = put_uri(&bucket, &key)?;
    set_aside(&mut headers, request.extensions_mut());
    *request.headers_mut() = headers;
    request.extensions_mut().insert(call.clone());
    let answer = Answer::new(parts, path, &front.fields, bucket, key, call.session());
    Ok(Posted { request, answer })
}

/// The bucket that a form is sent to.
fn target(parts: &Parts) -> Result<BucketName> {
    let path = percent_encoding::percent_decode_str(parts.uri.path())
        .decode_utf8()
        .map_err(|_| invalid("InvalidURI", "Couldn't parse the specified URI."))?;
    let bucket = path.strip_prefix('/').unwrap_or(&path);
    let bucket = bucket.strip_suffix('/').unwrap_or(bucket);
    if bucket.is_empty() || bucket.contains('/') || parts.uri.query().is_some_and(|q| !q.is_empty()) {
        let message =
            "The specified method is not allowed against this resource: a form is sent to a bucket.";
        return Err(invalid("MethodNotAllowed", message));
    }
    BucketName::new(bucket)
}

/// Who sends it, by its fields; nobody, if they say nothing.
fn identify(front: &Front, bucket: &BucketName, call: &mut Call, path: &str) -> Result<Option<Form<()>>> {
    let anonymous = call.session().clone();
    if !front.fields.is_signed() {
        *call = call.of_form(anonymous, OPERATION);
        return Ok(None);
    }
    let target = FormTarget {
        bucket: bucket.as_str(),
        filename: front.filename.as_deref().unwrap_or_default(),
        path,
    };
    let admitted = call
        .gate()
        .identify_form(&front.fields, target, anonymous.origin().clone())
        .inspect_err(|_| call.recorded())?;
    *call = call.of_form(admitted.session, OPERATION);
    Ok(Some(admitted.form))
}

/// The headers of the put. A field that is signed for and unknown says nothing here, as with AWS, unless its
/// name is one of S3's.
fn headers(fields: &Fields, signed: bool) -> Result<HeaderMap> {
    let mut out = HeaderMap::new();
    for (name, value) in fields.iter() {
        if CONTROL.contains(&name) || name.starts_with("x-ignore-") {
            continue;
        }
        let renamed = RENAMED
            .iter()
            .find(|(from, _)| *from == name)
            .map_or(name, |(_, to)| to);
        if !HEADERS.contains(&renamed) && !renamed.starts_with("x-amz-meta-") {
            if signed && !name.starts_with("x-amz-") {
                continue;
            }
            return Err(invalid(
                "InvalidArgument",
                format!("The form has a field that is not known: {name:?}."),
            ));
        }
        let bad = || {
            invalid(
                "InvalidArgument",
                format!("The form's field {name:?} is not valid."),
            )
        };
        let header = HeaderName::from_bytes(renamed.as_bytes()).map_err(|_| bad())?;
        // The one field that is XML where the header is a query.
        let value = match name {
            "tagging" => HeaderValue::from_str(&header_of_xml(value)?).map_err(|_| bad())?,
            _ => HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad())?,
        };
        if out.insert(header, value).is_some() {
            return Err(invalid(
                "InvalidArgument",
                format!("The form says {renamed:?} twice."),
            ));
        }
    }
    Ok(out)
}

fn put_uri(bucket: &BucketName, key: &ObjectKey) -> Result<Uri> {
    let key = percent_encoding::utf8_percent_encode(key.as_str(), percent_encoding::NON_ALPHANUMERIC);
    format!("/{bucket}/{key}")
        .parse()
        .map_err(|e| Error::internal("a form's key makes no path").with_source(e))
}

/// The file on its way into the put, within the policy's bounds.
struct Upload {
    file: Option<File<Shared>>,
    form: Option<Form<()>>,
    bytes: u64,
    call: Call,
}

impl Upload {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        let Some(file) = &mut self.file else {
            // Said only now, so that whoever may not put learns no more than that.
            let message = "POST requires exactly one file upload per request.";
            return Poll::Ready(Err(invalid("IncorrectNumberOfFilesInPostRequest", message)));
        };
        let frame = ready!(Pin::new(file).poll_frame(cx)).transpose()?;
        let piece = frame.and_then(|f| f.into_data().ok());
        self.bytes = self
            .bytes
            .saturating_add(piece.as_ref().map_or(0, Bytes::len) as u64);
        Poll::Ready(self.check(piece.is_none()).map(|()| piece))
    }

    fn check(&self, ended: bool) -> Result<()> {
        match &self.form {
            Some(form) if ended => form.check_length(self.bytes),
            Some(form) => form.check_not_over(self.bytes),
            None => Ok(()),
        }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let polled = ready!(this.poll(cx));
        if let Err(error) = &polled {
            this.call.note(error);
        }
        Poll::Ready(polled.transpose().map(|data| data.map(Frame::data)))
    }
}

/// How a form's success is answered.
pub(super) struct Answer {
    status: StatusCode,
    redirect: Option<String>,
    location: String,
    bucket: BucketName,
    key: ObjectKey,
}

impl Answer {
    fn new(
        parts: &Parts,
        path: &str,
        fields: &Fields,
        bucket: BucketName,
        key: ObjectKey,
        session: &Session,
    ) -> Self {
        let scheme = if session.origin().is_secure() {
            "https"
        } else {
            "http"
        };
        let host = plain::host(parts).unwrap_or_default();
        let key_text = url_encoded(key.as_str().to_owned(), true);
        let redirect = fields
            .get("success_action_redirect")
            .or_else(|| fields.get("redirect"));
        Self {
            status: match fields.get("success_action_status") {
                Some("200") => StatusCode::OK,
                Some("201") => StatusCode::CREATED,
                _ => StatusCode::NO_CONTENT,
            },
            redirect: redirect.and_then(web_address),
            location: format!("{scheme}://{host}{}/{key_text}", path.trim_end_matches('/')),
            bucket,
            key,
        }
    }

    /// Makes the answer to the form of the answer to the put.
    pub(super) fn of(self, put: Response) -> Response {
        let (parts, _) = put.into_parts();
        let etag = parts
            .headers
            .get(header::ETAG)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut response = Response::new(s3s::Body::empty());
        *response.headers_mut() = parts.headers;
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().remove(header::CONTENT_TYPE);
        let (status, location) = match &self.redirect {
            Some(address) => (StatusCode::SEE_OTHER, self.redirected(address, &etag)),
            None => (self.status, self.location.clone()),
        };
        *response.status_mut() = status;
        if let Ok(location) = HeaderValue::from_str(&location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        if status == StatusCode::CREATED {
            let xml = HeaderValue::from_static("application/xml");
            response.headers_mut().insert(header::CONTENT_TYPE, xml);
            *response.body_mut() = s3s::Body::from(self.document(&etag));
        }
        response
    }

    fn redirected(&self, address: &str, etag: &str) -> String {
        let joint = if address.contains('?') { '&' } else { '?' };
        let encoded = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
        };
        let (key, etag) = (encoded(self.key.as_str()), encoded(etag));
        format!("{address}{joint}bucket={}&key={key}&etag={etag}", self.bucket)
    }

    fn document(&self, etag: &str) -> Bytes {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse>");
        element(&mut out, "Location", &self.location);
        element(&mut out, "Bucket", self.bucket.as_str());
        element(&mut out, "Key", self.key.as_str());
        element(&mut out, "ETag", etag);
        out.push_str("</PostResponse>");
        out.into()
    }
}

/// An address that a browser may be sent to; another is as if there were none.
fn web_address(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?;
    (matches!(scheme, "http" | "https") && uri.authority().is_some()).then(|| uri.to_string())
}

#[cfg(test)]
mod tests;
