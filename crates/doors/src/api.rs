//! The API, `/_api/v1`: users, keys, policies, explanations, the ledger, and what an administrator
//! sets. JSON in and out. [`handle`] is the whole way of a request:
//!
//! ```text
//! identify (as the S3 door: a stock signer works) ──▶ verified body ──▶ route ──▶ operation ──▶ gate
//! ```
//!
//! Invariants
//! - a request is authenticated before its route is looked at;
//! - every operation is decided by the gate, and recorded; there is no route beside [`ROUTES`];
//! - a secret is answered once, by the call that made it, and never logged.
//!
//! Deliberately absent: the objects themselves, which are the S3 door's; who may do what.

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_gate::{Gate, Origin, PrincipalKind, Session, identify::body::VerifiedBody};
use craton_graph::engine::Graphs;
use craton_tables::Tables;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body::Body;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::{
    errors,
    settle::settle,
    whole::{Room, Rooms, verified},
};

mod access;
mod authzen;
mod guard;
mod identities;
mod kms;
mod leases;
mod ledger;
mod maintenance;
mod manifest;
mod openlineage;
pub(crate) mod query;
mod routes;
mod runs;
mod sessions;
mod shield;
mod system;
mod undo;
mod work;

use query::Query;
pub(crate) use routes::AUTHZEN;
pub use routes::{Operation, ROUTES, Route};

/// The largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// The operation of a request that has no route.
const UNKNOWN: &str = "Unknown";

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Full<Bytes>>,
    pub(crate) operation: &'static str,
}

/// The engines that some operations read with.
#[derive(Clone, Copy)]
pub(crate) struct Engines<'a> {
    pub(crate) graphs: &'a Graphs,
    pub(crate) tables: &'a Tables,
}

/// What an operation is given.
pub(crate) struct Call<'a> {
    gate: &'a Gate,
    engines: Engines<'a>,
    session: &'a Session,
    /// What varied in the path, in order.
    parts: Vec<String>,
    query: Query,
    body: Bytes,
}

impl Call<'_> {
    /// The `n`th varying part of the path.
    fn part(&self, n: usize) -> Result<&str> {
        self.parts
            .get(n)
            .map(String::as_str)
            .ok_or_else(|| Error::internal("a route has too few parts"))
    }

    /// The body as JSON.
    fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| {
            Error::new(
                Kind::Invalid,
                "MalformedBody",
                format!("the body is not what is expected: {e}"),
            )
        })
    }

    /// Fails if there is a query: this operation takes none.
    fn no_query(&mut self) -> Result<()> {
        std::mem::replace(&mut self.query, Query::parse(None)?).end()
    }
}

/// Answers a request.
pub(crate) async fn handle<B>(
    gate: &Gate,
    (rooms, engines): (&Rooms, Engines<'_>),
    request: Request<B>,
    origin: Origin,
) -> Answered
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let request_id = origin.request_id.clone();
    let mut operation = UNKNOWN;
    let done = match answer(gate, (rooms, engines), (&parts, body), origin, &mut operation).await {
        Ok(value) => respond(StatusCode::OK, &value),
        Err(error) => {
            if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
                tracing::error!(%error, reason = error.reason(), operation, %request_id, "a request failed");
            }
            let body = json!({ "error": {
                "kind": error.kind().as_str(),
                "reason": error.reason(),
                "message": errors::message(&error),
                "request_id": &*request_id,
            } });
            respond(status(&error), &body)
        }
    };
    Answered {
        response: done,
        operation,
    }
}

async fn answer<B>(
    gate: &Gate,
    (rooms, engines): (&Rooms, Engines<'_>),
    (parts, body): (&Parts, B),
    origin: Origin,
    operation: &mut &'static str,
) -> Result<Value>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let admitted = gate.identify_or_bearer(parts, origin.clone())?;
    let session = &admitted.session;
    let body = VerifiedBody::new(body, admitted.payload);
    let prepared = prepare(rooms, parts, session, body, operation).await;
    let (found, mut call, _room) = match prepared {
        Ok((found, (varied, query, body), room)) => {
            let call = Call {
                gate,
                engines,
                session,
                parts: varied,
                query,
                body,
            };
            (found, call, room)
        }
        Err(error) => {
            let named = if *operation == UNKNOWN {
                parts.method.as_str()
            } else {
                operation
            };
            gate.refuse(&origin, session.access_key_id(), named, parts.uri.path(), &error)?;
            return Err(error);
        }
    };
    let done = routes::run(found, &mut call).await;
    settle(gate, session, operation, parts.uri.path(), done)
}

/// Everything that comes before the gate is asked: the route, who may ask at all, the body, the query.
async fn prepare<B>(
    rooms: &Rooms,
    parts: &Parts,
    session: &Session,
    body: VerifiedBody<B>,
    operation: &mut &'static str,
) -> Result<(Operation, (Vec<String>, Query, Bytes), Room)>
where
    B: Body<Data = Bytes> + Unpin + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (found, varied) = routes::find(&parts.method, parts.uri.path())?;
    *operation = found.name();
    if session.kind() == PrincipalKind::Anonymous {
        // Nobody grants these actions to everybody, so an unsigned body is not worth reading.
        let message = "the API answers signed requests only";
        return Err(Error::new(Kind::Denied, "AccessDenied", message));
    }
    let size = body.size_hint();
    let (body, room) = rooms
        .read(session, &size, BODY_BYTES_MAX, verified(body, BODY_BYTES_MAX))
        .await?;
    let query = Query::parse(parts.uri.query())?;
    Ok((found, (varied, query, body), room))
}

fn status(error: &Error) -> StatusCode {
    match error.reason() {
        "MethodNotAllowed" => StatusCode::METHOD_NOT_ALLOWED,
        "RequestTimeout" => StatusCode::REQUEST_TIMEOUT,
        _ => errors::http_status_of(error),
    }
}

fn respond(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Answers hold secrets and records.
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
