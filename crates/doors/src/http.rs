//! The router: one address for all doors.
//!
//! ```text
//! /_health/live   /_health/ready   /_metrics        answered here, without identity
//! /.well-known/authzen-configuration                answered here, without identity
//! /_api/v1/…   /_openlineage/…   POST /access/v1/…    crate::api
//! /_graph/v1/…                                      crate::graph
//! /_iceberg/v1/…                                    crate::iceberg
//! /_api/v1/oauth/…   /_iceberg/v1/oauth/tokens      crate::oauth: tokens, before who asks is known
//! /arrow.flight.protocol.FlightService/…            crate::flight: gRPC
//! /_mcp   /.well-known/oauth-…                      crate::mcp: the door for agents, by requests to the others
//! POST / with a form                                crate::query: IAM and STS
//! everything else                                   crate::s3
//! ```
//!
//! Invariants
//! - names that are not S3's begin with `/_` or `/.`, which no bucket's name does, but for AuthZEN's own two;
//! - the address of a caller is the peer's, unless the peer is a proxy that the administrator named.
//!
//! Deliberately absent: sockets, TLS, limits on headers and idle connections (the binary's).

use std::{net::IpAddr, sync::Arc, time::Duration};

use craton_base::{Clock, Error, Random, Result};
pub use craton_gate::policy::Network;
use craton_gate::{Gate, Origin, Purse, Within, watch};
use craton_graph::engine::Graphs;
use craton_tables::Tables;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use http_body::Body as _;

use crate::{
    errors,
    flight::{self, FlightService, FlightStart},
    metrics::{Done, Gauges, Metrics},
    pg::PgDoor,
    request_ids::RequestIds,
    s3::{self, S3Door},
    sql::{SqlEngine, SqlStart},
    whole::Rooms,
};

mod agents;
mod engines;
mod named;

pub(crate) use agents::base_of;

/// A body, either way.
pub type Body = s3s::Body;

/// An answer.
pub type Response = http::Response<Body>;

/// The longest `User-Agent` that is kept, in bytes.
const USER_AGENT_BYTES_MAX: usize = 256;

/// The longest `Referer` that is kept, in bytes.
const REFERER_BYTES_MAX: usize = 1024;

/// The most addresses of an `X-Forwarded-For` that are looked at.
const FORWARDED_MAX: usize = 32;

/// What the parts below tell the router.
pub trait Below: Gauges {
    /// Whether requests can be served and recorded.
    ///
    /// # Errors
    /// What is in the way.
    fn ready(&self) -> Result<()>;
}

/// What an administrator sets.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The S3 door's.
    pub s3: s3::Settings,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Where clients reach the server, as answers say it: `https://data.example.org`.
    pub public_url: Option<String>,
}

/// What the doors are made from.
pub struct Parts {
    /// What they lead to.
    pub gate: Gate,
    /// What an administrator sets.
    pub settings: Settings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For request ids.
    pub random: Arc<dyn Random>,
    /// What the parts below tell.
    pub below: Arc<dyn Below>,
    /// Makes what runs SQL.
    pub sql: Option<SqlStart>,
    /// Makes what answers calls of Flight SQL, if there is SQL.
    pub flight: Option<FlightStart>,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// The version of TLS that the connection is, as `s3:TlsVersion` has it: `1.2`, `1.3`.
    pub tls: Option<&'static str>,
}

/// All doors. Cheap to clone.
#[derive(Clone)]
pub struct Doors {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    graphs: Graphs,
    tables: Tables,
    s3: S3Door,
    rooms: Rooms,
    metrics: Metrics,
    proxies: Vec<Network>,
    public_url: Option<String>,
    clock: Arc<dyn Clock>,
    request_ids: RequestIds,
    below: Arc<dyn Below>,
    sql: Option<Arc<dyn SqlEngine>>,
    flight: Option<Arc<dyn FlightService>>,
}

/// Lets the metrics read the gauges of what is below.
struct BelowGauges(Arc<dyn Below>);

impl Gauges for BelowGauges {
    fn gauges(&self) -> Vec<crate::metrics::Gauge> {
        self.0.gauges()
    }
}

struct Answered {
    response: Response,
    door: &'static str,
    operation: &'static str,
}

impl Doors {
    /// Opens the doors.
    ///
    /// # Errors
    /// `Internal` if the metrics can not be made.
    pub fn new(parts: Parts) -> Result<Self> {
        let rooms = Rooms::new();
        let memory = parts.gate.graph_memory();
        let graphs = Graphs::new(memory, parts.clock.clone(), parts.random.clone());
        let tables = Tables::new(parts.random.clone());
        let sql = parts
            .sql
            .map(|start| start(tables.clone(), graphs.memory().clone()));
        let sql = sql.transpose()?;
        let inner = Inner {
            s3: S3Door::new(parts.gate.clone(), &parts.settings.s3, rooms.clone()),
            rooms,
            graphs,
            tables,
            flight: parts.flight.zip(sql.clone()).map(|(start, sql)| start(sql)),
            sql,
            metrics: Metrics::new(Arc::new(BelowGauges(parts.below.clone())))?,
            gate: parts.gate,
            proxies: parts.settings.trusted_proxies,
            public_url: parts.settings.public_url,
            request_ids: RequestIds::new(&*parts.random, &*parts.clock),
            clock: parts.clock,
            below: parts.below,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The door for PostgreSQL's protocol, if there is SQL.
    #[must_use]
    pub fn pg(&self, random: Arc<dyn Random>) -> Option<PgDoor> {
        let inner = &self.inner;
        let engine = inner.sql.clone()?;
        Some(PgDoor::new(
            inner.gate.clone(),
            engine,
            inner.clock.clone(),
            random,
        ))
    }

    /// Answers a request.
    pub async fn handle(&self, request: Request<Body>, peer: &Peer) -> Response {
        let inner = &*self.inner;
        let start = inner.clock.monotonic();
        let bytes_in = request.body().size_hint().lower();
        let about = About {
            request_id: inner.request_ids.draw(),
            purse: Purse::default(),
        };
        let expects = Expects::of(&request);
        inner.metrics.begin();
        let mut answered = inner.route(request, peer, &about).await;
        sign(answered.response.headers_mut(), &about.request_id);
        if let Some(left) = about.purse.left(inner.clock.now()) {
            named::tell_left(answered.response.headers_mut(), &left);
        }
        if let Some(id) = about.purse.pending() {
            named::tell_pending(answered.response.headers_mut(), id);
        }
        if expects.must_close(answered.response.status()) {
            answered
                .response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        watch::note(|seen| {
            seen.door = Some(answered.door);
            seen.operation = Some(answered.operation);
        });
        inner.metrics.end(&Done {
            door: answered.door,
            operation: answered.operation,
            status: answered.response.status().as_u16(),
            seconds: seconds(inner.clock.monotonic().saturating_sub(start)),
            bytes_in,
            bytes_out: content_length(&answered.response),
        });
        answered.response
    }
}

/// What a request is known by, and what it can use up.
struct About {
    request_id: Arc<str>,
    purse: Purse,
}

impl Inner {
    fn engines(&self) -> crate::api::Engines<'_> {
        crate::api::Engines {
            graphs: &self.graphs,
            tables: &self.tables,
        }
    }

    async fn route(&self, request: Request<Body>, peer: &Peer, about: &About) -> Answered {
        let path = request.uri().path();
        if let Some(operation) = open_path(path) {
            let response = self.open(operation, request.method());
            return Answered {
                response,
                door: "open",
                operation,
            };
        }
        if crate::oauth::is_for_us(path) {
            return self.oauth(request, peer, about).await;
        }
        if crate::mcp::is_for_us(path) {
            return self.mcp(request, peer, about).await;
        }
        if path == AUTHZEN_CONFIGURATION && matches!(*request.method(), Method::GET | Method::HEAD) {
            return Answered {
                response: authzen_configuration(&request, peer.tls.is_some()),
                door: "open",
                operation: "AuthZenConfiguration",
            };
        }
        if path == crate::sql::PATH {
            return self.sql(request, peer, about).await;
        }
        if path.starts_with(flight::PREFIX) {
            return self.flight(request, peer, about).await;
        }
        if ["/_api/", "/_openlineage/"]
            .iter()
            .any(|start| path.starts_with(start))
            || path == "/_api"
            || is_authzen(&request)
        {
            let origin = self.origin("api", &request, peer, about);
            let engines = self.engines();
            let done = crate::api::handle(&self.gate, (&self.rooms, engines), request, origin).await;
            return Answered {
                response: done.response.map(Body::http_body),
                door: "api",
                operation: done.operation,
            };
        }
        if path == "/_graph" || path.starts_with("/_graph/") {
            let origin = self.origin("graph", &request, peer, about);
            let done = crate::graph::handle(&self.gate, &self.graphs, request, origin).await;
            return Answered {
                response: done.response,
                door: "graph",
                operation: done.operation,
            };
        }
        if path == "/_iceberg" || path.starts_with("/_iceberg/") {
            return self.iceberg(request, peer, about).await;
        }
        if crate::query::is_for_us(&request) {
            return self.query(request, peer, about).await;
        }
        let origin = self.origin("s3", &request, peer, about);
        let done = self.s3.handle(request, origin).await;
        Answered {
            response: done.response,
            door: "s3",
            operation: done.operation,
        }
    }

    /// What anyone may ask: it tells nothing about data or people.
    fn open(&self, operation: &'static str, method: &Method) -> Response {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
        }
        match operation {
            "Live" => text(StatusCode::OK, "live\n".into()),
            "Ready" => match self.below.ready() {
                Ok(()) => text(StatusCode::OK, "ready\n".into()),
                Err(error) => text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("not ready: {}\n", error.reason()).into(),
                ),
            },
            _ => match self.metrics.render() {
                Ok(metrics) => text(StatusCode::OK, metrics.into()),
                Err(error) => failed(&error),
            },
        }
    }

    fn origin(&self, door: &'static str, request: &Request<Body>, peer: &Peer, about: &About) -> Origin {
        let headers = request.headers();
        if let Some(within) = request.extensions().get::<Within>() {
            return agents::origin(within, named::lease(headers));
        }
        Origin {
            door,
            source_ip: source_ip(headers, peer.ip, &self.proxies),
            tls: peer.tls,
            request_id: about.request_id.clone(),
            purse: about.purse.clone(),
            run: named::run(headers),
            trace: named::trace(headers),
            lease: named::lease(headers),
            user_agent: kept(headers, &header::USER_AGENT, USER_AGENT_BYTES_MAX),
            referer: kept(headers, &header::REFERER, REFERER_BYTES_MAX),
            time: self.clock.now(),
        }
    }
}

/// Whether an HTTP/1.1 request waits for `100 Continue`. None is sent for an empty body or for a request
/// that is refused by its head alone; botocore then reads the next answer on the same connection wrongly
/// (it keeps the status line it has read instead of the 100), so such a connection ends.
#[derive(Clone, Copy)]
struct Expects {
    waits: bool,
    empty: bool,
}

impl Expects {
    fn of(request: &Request<Body>) -> Self {
        let waits =
            request.version() == http::Version::HTTP_11 && request.headers().contains_key(header::EXPECT);
        Self {
            waits,
            empty: request.body().is_end_stream(),
        }
    }

    fn must_close(self, status: StatusCode) -> bool {
        self.waits && (self.empty || !status.is_success())
    }
}

/// Where AuthZEN's clients look first. No bucket's name begins with a dot.
const AUTHZEN_CONFIGURATION: &str = "/.well-known/authzen-configuration";

/// Where questions are put, at the address that the client used itself. It is told to nobody else: no cache keeps it.
fn authzen_configuration(request: &Request<Body>, secure: bool) -> Response {
    let Some(base) = base_of(request.headers(), request.uri(), secure) else {
        return text(StatusCode::BAD_REQUEST, "the request names no host\n".into());
    };
    let [evaluation, evaluations] = crate::api::AUTHZEN;
    let told = serde_json::json!({
        "policy_decision_point": base,
        "access_evaluation_endpoint": format!("{base}{evaluation}"),
        "access_evaluations_endpoint": format!("{base}{evaluations}"),
    });
    let mut response = text(StatusCode::OK, told.to_string().into());
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    let keep = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, keep);
    response
}

fn is_authzen(request: &Request<Body>) -> bool {
    let uri = request.uri();
    *request.method() == Method::POST && uri.query().is_none() && crate::api::AUTHZEN.contains(&uri.path())
}

fn open_path(path: &str) -> Option<&'static str> {
    match path {
        "/_health/live" => Some("Live"),
        "/_health/ready" => Some("Ready"),
        "/_metrics" => Some("Metrics"),
        _ => None,
    }
}

fn text(status: StatusCode, body: bytes::Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn failed(error: &Error) -> Response {
    tracing::error!(reason = error.reason(), %error, "metrics could not be shown");
    text(errors::http_status(error.kind()), errors::INTERNAL_MESSAGE.into())
}

/// The headers that every answer has; the server adds `Date`.
fn sign(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-amz-request-id"), id.clone());
        headers.insert(HeaderName::from_static("x-amz-id-2"), id);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("Craton"));
}

fn kept(headers: &HeaderMap, name: &HeaderName, bytes_max: usize) -> Option<Arc<str>> {
    let text = headers.get(name)?.to_str().ok()?;
    text.get(..text.floor_char_boundary(bytes_max)).map(Arc::from)
}

/// The caller's address: the last of the forwarded addresses that is not a trusted proxy, read only if the
/// peer itself is one.
fn source_ip(headers: &HeaderMap, peer: IpAddr, proxies: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    if !is_proxy(peer) {
        return peer;
    }
    let lines: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .collect();
    let forwarded = lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(','))
        .take(FORWARDED_MAX);
    let mut nearest = peer;
    for text in forwarded {
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            return nearest;
        };
        nearest = address.to_canonical();
        if !is_proxy(nearest) {
            return nearest;
        }
    }
    nearest
}

fn content_length(response: &Response) -> u64 {
    let stated = response
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    stated.unwrap_or_else(|| response.body().size_hint().lower())
}

fn seconds(d: Duration) -> f64 {
    d.as_secs_f64()
}

#[cfg(test)]
mod tests;
