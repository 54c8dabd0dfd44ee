//! The Flight SQL door: gRPC, at the address of all other doors. Who asks is found out here; what is asked, behind [`FlightService`].
//!
//! ```text
//! Handshake (an access key as name and password) ─▶ a bearer token    every other call (the token, or the key) ─▶ a session ─▶ service
//! ```
//!
//! Invariants
//! - a call is identified by its headers, anew each time, before anything of its body is read;
//! - a call that is refused has left a denial or a failed outcome in the ledger.
//!
//! Deliberately absent: gRPC's messages and Flight's commands (a crate of its own, since it builds long); SQL.
//!
//! Source: gRPC over HTTP/2, "Protocol"; Apache Arrow documentation, "Arrow Flight RPC".

use std::sync::Arc;

use async_trait::async_trait;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use craton_base::{Error, Kind, Result, Secret};
use craton_gate::{ClientGrant, Gate, Origin, PrincipalKind, SESSION_SECONDS_MAX, Session, SessionLimits};
use http::{HeaderMap, HeaderValue, Request, Response, header, request::Parts};

use crate::{errors, http::Body, sql::SqlEngine};

/// What the paths of its calls begin with. No bucket is called so.
pub(crate) const PREFIX: &str = "/arrow.flight.protocol.FlightService/";

/// The header of a call that names the bucket of names that have none.
pub const BUCKET: &str = "x-craton-bucket";

/// The header of a call that names the namespace of names that have none.
pub const NAMESPACE: &str = "x-craton-namespace";

/// Drivers of Go's leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// gRPC's headers of an answer.
const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// The call that is answered with a token.
const HANDSHAKE: &str = "Handshake";

/// Every call: what it is called, for records and metrics too.
pub const CALLS: [&str; 10] = [
    HANDSHAKE,
    "ListFlights",
    "GetFlightInfo",
    "PollFlightInfo",
    "GetSchema",
    "DoGet",
    "DoPut",
    "DoExchange",
    "DoAction",
    "ListActions",
];

/// Who calls, among the extensions of a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Somebody who is known.
    Known(Session),
    /// Somebody who has just proven who it is: the token to tell it.
    New(Arc<Secret>),
}

/// What answers calls.
#[async_trait]
pub trait FlightService: Send + Sync {
    /// Answers one; among its extensions is a [`Caller`].
    async fn call(&self, request: Request<Body>) -> Response<Body>;
}

/// Makes one, of what runs statements.
pub type FlightStart = fn(Arc<dyn SqlEngine>) -> Arc<dyn FlightService>;

/// An answer, and which call it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    pub(crate) operation: &'static str,
}

/// Answers a call.
pub(crate) async fn handle(
    gate: &Gate,
    service: Option<&Arc<dyn FlightService>>,
    request: Request<Body>,
    origin: Origin,
) -> Answered {
    let asked = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let call = CALLS.into_iter().find(|call| *call == asked);
    let request_id = origin.request_id.clone();
    let response = answer((gate, service), request, call, origin).await;
    Answered {
        response: response.unwrap_or_else(|error| {
            if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
                tracing::error!(%error, reason = error.reason(), %request_id, "a call failed");
            }
            refusal(&error)
        }),
        operation: call.unwrap_or("Unknown"),
    }
}

async fn answer(
    (gate, service): (&Gate, Option<&Arc<dyn FlightService>>),
    request: Request<Body>,
    call: Option<&'static str>,
    origin: Origin,
) -> Result<Response<Body>> {
    let none = || Error::new(Kind::Unavailable, "NoSql", "this server does not run SQL");
    let (mut parts, body) = request.into_parts();
    let (caller, session) = if call == Some(HANDSHAKE) {
        (Caller::New(Arc::new(token(gate, &parts, origin).await?)), None)
    } else {
        let session = identify(gate, &parts, origin)?;
        (Caller::Known(session.clone()), Some(session))
    };
    let path = parts.uri.path().to_owned();
    parts.extensions.insert(caller);
    let response = service
        .ok_or_else(none)?
        .call(Request::from_parts(parts, body))
        .await;
    if let Some(session) = session
        && let Some(error) = refused(response.headers())
        && !session.has_asked()
    {
        let key = session.access_key_id();
        gate.refuse(session.origin(), key, call.unwrap_or("Unknown"), &path, &error)?;
    }
    Ok(response)
}

/// Whose a call is.
fn identify(gate: &Gate, parts: &Parts, origin: Origin) -> Result<Session> {
    if let Some((name, password)) = basic(&parts.headers) {
        return gate.identify_password(&name, &password, origin);
    }
    let session = gate.identify_or_bearer(parts, origin)?.session;
    if session.kind() == PrincipalKind::Anonymous {
        let text = "a call says who it is: a bearer token, or an access key as name and password";
        return Err(Error::new(Kind::Denied, "MissingAuthenticationToken", text));
    }
    Ok(session)
}

/// A token for an access key.
async fn token(gate: &Gate, parts: &Parts, origin: Origin) -> Result<Secret> {
    let text = "a handshake says who it is by an access key: its id is the name, its secret the password";
    let wrong = || Error::new(Kind::Denied, "InvalidClient", text);
    let Some((name, password)) = basic(&parts.headers) else {
        let error = wrong();
        gate.refuse(&origin, None, "GrantToken", "/system/sessions", &error)?;
        return Err(error);
    };
    let grant = ClientGrant {
        limits: SessionLimits {
            // Drivers ask once, and never again.
            seconds: Some(SESSION_SECONDS_MAX),
            ..SessionLimits::default()
        },
        ..ClientGrant::default()
    };
    Ok(gate.client_token(&name, &password, grant, origin).await?.token)
}

/// The name and the password of `Authorization: Basic`.
fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let said = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, text) = said.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(text.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.into()))
}

/// What a call was refused with, if its answer begins with that.
fn refused(headers: &HeaderMap) -> Option<Error> {
    let status = headers.get(STATUS).filter(|status| *status != "0")?;
    let status = status.to_str().unwrap_or_default();
    let text = format!("the call was refused with gRPC's status {status}");
    Some(Error::new(Kind::Invalid, "FlightRefused", text))
}

/// An error as gRPC has it: headers that are trailers too.
fn refusal(error: &Error) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(STATUS, HeaderValue::from(u16::from(errors::grpc(error))));
    let text = format!("{}: {}", error.reason(), errors::message(error));
    let text = percent_encoding::utf8_percent_encode(&text, percent_encoding::NON_ALPHANUMERIC).to_string();
    if let Ok(text) = HeaderValue::try_from(text) {
        headers.insert(MESSAGE, text);
    }
    response
}

#[cfg(test)]
mod tests;
