//! What leads to the door for agents: its requests within, the address that it tells clients, and tokens, which may be for it.
//!
//! Invariant: a request within goes through the same router as the one around it.
//!
//! Deliberately absent: the door (`mcp`), tokens (`oauth`).

use std::sync::Arc;

use craton_gate::{Origin, Within};
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Uri, header};

use super::{About, Answered, Body, Inner, Peer, Response};
use crate::mcp::{self, metadata};

/// The door's name in records, of requests within too.
const AGENTS: &str = "mcp";

/// The other doors, for requests within one.
struct Others<'a> {
    doors: &'a Inner,
    peer: &'a Peer,
    about: &'a About,
}

impl mcp::Inside for Others<'_> {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Response> {
        Box::pin(async { self.doors.route(request, self.peer, self.about).await.response })
    }
}

impl Inner {
    /// The address that the client used itself, or the one that the administrator says.
    fn base(&self, request: &Request<Body>, peer: &Peer) -> Option<String> {
        let said = self.public_url.as_ref();
        let said = said.map(|url| url.trim_end_matches('/').to_owned());
        said.or_else(|| base_of(request.headers(), request.uri(), peer.tls.is_some()))
    }

    pub(super) async fn oauth(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let origin = self.origin("oauth", &request, peer, about);
        let base = self.base(&request, peer);
        let behind = (&self.gate, &self.rooms, base.as_deref());
        let done = Box::pin(crate::oauth::handle(behind, request, origin)).await;
        Answered {
            response: done.response.map(Body::http_body),
            door: "oauth",
            operation: done.operation,
        }
    }

    pub(super) async fn mcp(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let base = self.base(&request, peer);
        if let Some(operation) = metadata::asked(request.uri().path()) {
            let response = metadata::answer(operation, request.method(), base.as_deref());
            return Answered {
                response: response.map(Body::http_body),
                door: "open",
                operation,
            };
        }
        let origin = self.origin(AGENTS, &request, peer, about);
        let inside = Others {
            doors: self,
            peer,
            about,
        };
        let behind = (&self.gate, &self.rooms, &inside as &dyn mcp::Inside);
        let done = Box::pin(mcp::handle(behind, base.as_deref(), request, origin)).await;
        Answered {
            response: done.response.map(Body::http_body),
            door: AGENTS,
            operation: done.operation,
        }
    }
}

/// Where a request within comes from: where the one around it does, under the lease that it names itself, if it does.
pub(super) fn origin(within: &Within, lease: Option<Arc<str>>) -> Origin {
    let around = within.origin().clone();
    let lease = lease.or_else(|| around.lease.clone());
    Origin { lease, ..around }
}

/// The address that the client used itself, for what it alone is told. What proxies say of it is not looked at.
pub(crate) fn base_of(headers: &HeaderMap, uri: &Uri, secure: bool) -> Option<String> {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let scheme = if secure { "https" } else { "http" };
    host.chars().all(plain).then(|| format!("{scheme}://{host}"))
}
