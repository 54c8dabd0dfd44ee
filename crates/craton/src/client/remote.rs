//! What a server, or the way to it, says went wrong, as our own errors.

use bytes::{Bytes, BytesMut};
use craton_base::{Error, Kind};
use http::StatusCode;
use http_body_util::BodyExt as _;
use object_store::client::{HttpError, HttpResponseBody};
use serde_json::Value;

/// The reason of errors whose reason the server named: it is in the message.
const REMOTE: &str = "Remote";

/// An error that the API answered.
pub(super) fn api_error(status: StatusCode, answer: Option<&Value>) -> Error {
    let field = |name: &str| answer.and_then(|a| a.get("error")?.get(name)?.as_str());
    let kind = field("kind").and_then(|k| Kind::ALL.into_iter().find(|kind| kind.as_str() == k));
    match (kind, field("message"), field("reason")) {
        (Some(kind), Some(message), Some(reason)) => {
            Error::new(kind, REMOTE, format!("{message} ({reason})"))
        }
        _ => Error::new(kind_of(status), REMOTE, format!("the server answers {status}")),
    }
}

/// An error that the Iceberg door answered.
pub(super) fn iceberg_error(status: StatusCode, answer: Option<&Value>) -> Error {
    let field = |name: &str| answer.and_then(|a| a.get("error")?.get(name)?.as_str());
    match (field("message"), field("type")) {
        (Some(message), Some(kind)) => Error::new(kind_of(status), REMOTE, format!("{message} ({kind})")),
        _ => Error::new(kind_of(status), REMOTE, format!("the server answers {status}")),
    }
}

/// An error that the S3 door answered.
pub(super) fn s3_error(status: StatusCode, xml: &[u8]) -> Error {
    let message = s3_message(&String::from_utf8_lossy(xml));
    let message = message.unwrap_or_else(|| format!("the server answers {status}"));
    Error::new(kind_of(status), REMOTE, message)
}

/// The message and the code of an error's XML, wherever in `text` it stands.
fn s3_message(text: &str) -> Option<String> {
    let element = |name: &str| {
        let rest = text.split_once(&format!("<{name}>"))?.1;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    };
    let code = element("Code")?;
    Some(element("Message").map_or_else(|| code.to_owned(), |message| format!("{message} ({code})")))
}

fn kind_of(status: StatusCode) -> Kind {
    match status.as_u16() {
        401 | 403 => Kind::Denied,
        404 => Kind::NotFound,
        409 => Kind::Exists,
        412 => Kind::Precondition,
        413 => Kind::TooLarge,
        400..=499 => Kind::Invalid,
        503 => Kind::Unavailable,
        _ => Kind::Internal,
    }
}

/// The server could not be asked.
pub(crate) fn unreachable(
    endpoint: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::new(
        Kind::Unavailable,
        "Unreachable",
        format!("the server at {endpoint} does not answer"),
    )
    .with_source(error)
}

/// An error of the stock client.
pub(crate) fn object_error(error: object_store::Error) -> Error {
    use object_store::Error as E;
    let (kind, what) = match &error {
        E::NotFound { .. } => (Kind::NotFound, "not found"),
        E::AlreadyExists { .. } => (Kind::Exists, "exists already"),
        E::Precondition { .. } | E::NotModified { .. } => (Kind::Precondition, "a condition does not hold"),
        E::PermissionDenied { .. } | E::Unauthenticated { .. } => (Kind::Denied, "denied"),
        E::InvalidPath { .. } | E::UnknownConfigurationKey { .. } => (Kind::Invalid, "not valid"),
        other if is_transport(other) => (Kind::Unavailable, "the server does not answer"),
        _ => (Kind::Invalid, "refused"),
    };
    match s3_message(&error.to_string()) {
        // The stock client's own text repeats all of the answer around it.
        Some(message) => Error::new(kind, REMOTE, message),
        None => Error::new(kind, REMOTE, what).with_source(error),
    }
}

/// Whether the way to the server failed, rather than the server.
fn is_transport(error: &object_store::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        if next.is::<HttpError>() {
            return true;
        }
        cause = next.source();
    }
    false
}

/// A whole answer of at most `limit` bytes.
pub(crate) async fn collect(
    mut body: HttpResponseBody,
    limit: usize,
) -> Result<Bytes, Box<dyn std::error::Error + Send + Sync>> {
    let mut out = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if out.len().saturating_add(data.len()) > limit {
            return Err(format!("the answer has more than {limit} bytes").into());
        }
        out.extend_from_slice(&data);
    }
    Ok(out.freeze())
}
