//! The door for agents, `POST /_mcp`: the Model Context Protocol, its revision 2026-07-28 and the two before it, as tools.
//!
//! ```text
//! a token for this door alone ──▶ body, whole ──▶ message ──▶ tool ──▶ requests within, to the other doors
//! ```
//!
//! Invariants
//! - a request is authenticated before its body is read, by a token whose audience is this door; no token goes on from here;
//! - a tool reaches nothing but by requests to the other doors, as the session of the call: each is decided, limited and recorded as
//!   any other request there is, under the id of this one; a call that comes to none of them leaves a denial;
//! - results are bounded; what comes from stored data stands under `data`, apart from what this server says.
//!
//! Deliberately absent: sessions of the protocol, streams, prompts, resources, notifications: every request stands for itself.
//!
//! Source: <https://modelcontextprotocol.io/specification/2026-07-28>, <https://modelcontextprotocol.io/specification/2025-11-25>.

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_gate::{Gate, Origin, Session, identify::body::VerifiedBody};
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    errors,
    http::Body,
    whole::{Rooms, verified},
};

mod change;
mod find;
mod inside;
mod look;
mod message;
pub(crate) mod metadata;
mod rows;
mod tools;

use inside::Call;
use message::{Fault, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, Message, Method as Asked};

/// Where it is.
pub(crate) const PATH: &str = "/_mcp";

/// The longest message, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The routes: method, path and operation.
pub const ROUTES: &[(&str, &str, &str)] = &[("POST", PATH, CALL)];

/// The operation, for records and metrics.
const CALL: &str = "CallTool";

/// Sends a request to the other doors, within one that is authenticated.
pub(crate) trait Inside: Send + Sync {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Response<Body>>;
}

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) operation: &'static str,
}

/// Whether a path is the door's, or where clients ask for the way to its tokens.
pub(crate) fn is_for_us(path: &str) -> bool {
    path == PATH || metadata::asked(path).is_some()
}

/// Answers a request. `base` is the address that the client used.
pub(crate) async fn handle(
    (gate, rooms, inside): (&Gate, &Rooms, &dyn Inside),
    base: Option<&str>,
    request: Request<Body>,
    origin: Origin,
) -> Answered {
    let (parts, body) = request.into_parts();
    let response = match answer((gate, rooms, inside), base, (&parts, body), origin).await {
        Ok(response) => response,
        Err(error) => refusal(&error, base),
    };
    Answered {
        response,
        operation: CALL,
    }
}

async fn answer(
    (gate, rooms, inside): (&Gate, &Rooms, &dyn Inside),
    base: Option<&str>,
    (parts, body): (&Parts, Body),
    origin: Origin,
) -> Result<Response<Full<Bytes>>> {
    let admitted = gate.identify_agent(parts, origin)?;
    let session = &admitted.session;
    let body = VerifiedBody::new(body, admitted.payload);
    let refused = |error: Error| {
        gate.refuse(
            session.origin(),
            session.access_key_id(),
            CALL,
            parts.uri.path(),
            &error,
        )?;
        Err(error)
    };
    if let Err(error) = check(parts, base) {
        return refused(error);
    }
    let size = body.size_hint();
    let read = rooms
        .read(session, &size, BODY_BYTES_MAX, verified(body, BODY_BYTES_MAX))
        .await;
    let (body, _room) = match read {
        Ok(read) => read,
        Err(error) => return refused(error),
    };
    let message = match Message::read(&parts.headers, &body) {
        Ok(message) => message,
        Err(wrong) => {
            let error = Error::invalid(wrong.error.message.clone());
            gate.refuse(session.origin(), session.access_key_id(), CALL, PATH, &error)?;
            return Ok(said(wrong.status, wrong.id, Err(wrong.error)));
        }
    };
    let Some(id) = message.id else {
        // A notification: there is nothing that one could change here.
        return Ok(empty(StatusCode::ACCEPTED));
    };
    let answer = match message.method {
        Asked::Initialize(version) => Ok(message::initialized(version)),
        Asked::Discover => Ok(message::discovered()),
        Asked::Ping => Ok(json!({})),
        Asked::ListTools => Ok(tools::listed(message.is_modern)),
        Asked::CallTool { name, arguments } => {
            let call = Call::new(inside, session, parts, arguments);
            call_tool(gate, &name, call, message.is_modern).await?
        }
        Asked::Unknown => Err(Fault::new(METHOD_NOT_FOUND, "there is no such method here")),
    };
    let status = match &answer {
        Err(error) if message.is_modern => message::status(error.code),
        _ => StatusCode::OK,
    };
    Ok(said(status, Some(id), answer))
}

/// What is refused by the head alone, of who is known.
fn check(parts: &Parts, base: Option<&str>) -> Result<()> {
    if parts.method != Method::POST {
        return Err(Error::new(
            Kind::Invalid,
            "MethodNotAllowed",
            "messages are sent with POST",
        ));
    }
    // A page of another place that a browser was led here by has no business with this door.
    let page = parts.headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    match page.is_none_or(|page| Some(page) == base.map(str::as_bytes)) {
        true => Ok(()),
        false => Err(Error::new(
            Kind::Denied,
            "AccessDenied",
            "this door answers no page of another origin",
        )),
    }
}

async fn call_tool(
    gate: &Gate,
    name: &str,
    call: Call<'_>,
    is_modern: bool,
) -> Result<std::result::Result<Value, Fault>> {
    let Some(tool) = tools::Name::of(name) else {
        let error = Error::new(Kind::NotFound, "NoSuchTool", format!("there is no tool {name:?}"));
        refuse(gate, call.session(), &error)?;
        return Ok(Err(Fault::new(INVALID_PARAMS, error.message())));
    };
    let done = Box::pin(tools::run(tool, &call)).await;
    if let (Err(refused), false) = (&done, call.has_asked()) {
        refuse(gate, call.session(), &Error::invalid(refused.message.clone()))?;
    }
    let (is_error, told) = match done {
        Ok(told) => (false, told.into_value()),
        Err(refused) => (true, refused.into_value()),
    };
    let mut result = json!({
        "content": [{ "type": "text", "text": told.to_string() }],
        "structuredContent": told,
        "isError": is_error,
        "_meta": call.meta(),
    });
    if is_modern {
        message::complete(&mut result);
    }
    Ok(Ok(result))
}

fn refuse(gate: &Gate, session: &Session, error: &Error) -> Result<()> {
    gate.refuse(session.origin(), session.access_key_id(), CALL, PATH, error)
}

/// A message's answer.
fn said(
    status: StatusCode,
    id: Option<Value>,
    answer: std::result::Result<Value, Fault>,
) -> Response<Full<Bytes>> {
    let told = match answer {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.into_value() }),
    };
    let mut response = Response::new(Full::new(Bytes::from(told.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// What is refused before there is a message to answer.
fn refusal(error: &Error, base: Option<&str>) -> Response<Full<Bytes>> {
    if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
        tracing::error!(%error, reason = error.reason(), "a message could not be answered");
    }
    let status = match error.reason() {
        "MissingAuthenticationToken" | "InvalidToken" => StatusCode::UNAUTHORIZED,
        "MethodNotAllowed" => StatusCode::METHOD_NOT_ALLOWED,
        "RequestTimeout" => StatusCode::REQUEST_TIMEOUT,
        _ => errors::http_status(error.kind()),
    };
    let told = json!({ "reason": error.reason() });
    let told = Fault::new(INVALID_REQUEST, errors::message(error)).with(told);
    let mut response = said(status, None, Err(told));
    let headers = response.headers_mut();
    // The message may be unread: then the connection ends, and the client is told so.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if status == StatusCode::UNAUTHORIZED {
        let scheme = metadata::challenge(base, error.reason() == "InvalidToken");
        headers.insert(header::WWW_AUTHENTICATE, scheme);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

#[cfg(test)]
mod tests;
