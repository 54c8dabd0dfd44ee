//! Traces: one OpenTelemetry span for each request, sent in batches to a collector (OTLP over HTTP,
//! protobuf).
//!
//! The span is made when the request has been answered, of what was noted on its way
//! ([`craton_gate::watch`]); it ends with the head of the answer, as the metrics' time does. It goes to a
//! bounded queue, which a thread of the SDK empties; what does not fit is dropped. A request whose client
//! leaves before the answer has no span.
//!
//! Invariants
//! - no collector, slow, broken or absent, makes a request wait or fail;
//! - a span has no keys of objects, no queries, no addresses and no secrets.
//!
//! Deliberately absent: spans of the parts below, `tracestate` (a caller could fill the queue's memory with
//! it), and a layer under the log's `tracing`, which would make spans of what is only logged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use craton_base::{Clock as _, Error, Result, Timestamp, clock::SystemClock};
use craton_gate::watch::{Seen, watch};
use http::{HeaderMap, Request, Response};
use opentelemetry::{
    Context, KeyValue,
    trace::{
        Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
        TraceState, Tracer as _, TracerProvider as _,
    },
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;

/// Where a collector takes traces, below its address.
const PATH: &str = "/v1/traces";

/// How long a collector may take for a batch.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the end of the server may wait for the last batch.
const FLUSH: Duration = Duration::from_secs(2);

/// The longest answer of a collector, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Makes spans, and sends them.
pub(super) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    clock: SystemClock,
}

impl Traces {
    /// Starts sending to the collector at `endpoint`, which need not be there yet. To be called on the
    /// runtime, which does the sending.
    ///
    /// # Errors
    /// `Invalid` if the endpoint or the environment's settings of the SDK will not do.
    pub(super) fn start(endpoint: &str) -> Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
            .with_timeout(TIMEOUT)
            .with_http_client(Collector::new(endpoint)?)
            .build()
            .map_err(|e| {
                Error::invalid(format!("traces can not be sent to {endpoint}: {e}")).with_source(e)
            })?;
        let resource = Resource::builder()
            .with_service_name("craton")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self {
            tracer: provider.tracer("craton"),
            provider,
            clock: SystemClock::new(),
        })
    }

    /// Answers a request, and makes its span.
    pub(super) async fn request<B>(
        &self,
        parent: Option<SpanContext>,
        request: impl Future<Output = Response<B>>,
    ) -> Response<B> {
        let (start, since) = (system_time(self.clock.now()), self.clock.monotonic());
        let (response, seen) = watch(request).await;
        let end = start + self.clock.monotonic().saturating_sub(since);
        let context = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let builder = self
            .tracer
            .span_builder(seen.operation.unwrap_or("Unknown"))
            .with_kind(SpanKind::Server)
            .with_start_time(start)
            .with_attributes(attributes(seen, &response));
        let mut span = self.tracer.build_with_context(builder, &context);
        if response.status().is_server_error() {
            span.set_status(Status::error(""));
        }
        span.end_with_timestamp(end);
        response
    }

    /// Sends what is left, for a short time.
    pub(super) async fn end(&self) {
        let provider = self.provider.clone();
        let flush = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if !matches!(flush.await, Ok(Ok(()))) {
            tracing::warn!("the last traces were not sent in time");
        }
    }
}

fn attributes<B>(seen: Seen, response: &Response<B>) -> Vec<KeyValue> {
    let status = i64::from(response.status().as_u16());
    let id = response.headers().get("x-amz-request-id");
    let id = id.and_then(|v| v.to_str().ok()).map(str::to_owned);
    let mut out = vec![KeyValue::new("http.response.status_code", status)];
    out.extend(seen.door.map(|v| KeyValue::new("craton.door", v)));
    out.extend(seen.operation.map(|v| KeyValue::new("craton.operation", v)));
    out.extend(id.map(|v| KeyValue::new("craton.request_id", v)));
    out.extend(seen.principal.map(|v| KeyValue::new("craton.principal", v)));
    out.extend(seen.bucket.map(|v| KeyValue::new("craton.bucket", v.to_string())));
    out
}

/// The caller's span, from the header `traceparent` of W3C's Trace Context; none if it is not well-formed.
pub(super) fn parent(headers: &HeaderMap) -> Option<SpanContext> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let (mut version, mut trace, mut span, mut flags) = ([0; 1], [0; 16], [0; 8], [0; 1]);
    let mut fields = text.split('-');
    for field in [&mut version[..], &mut trace, &mut span, &mut flags] {
        hex::decode_to_slice(fields.next()?, field).ok()?;
    }
    // Version 0 has nothing more; later ones may; 255 is no version.
    if version == [0xff] || (version == [0] && fields.next().is_some()) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_be_bytes(flags)) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_bytes(trace), SpanId::from_bytes(span));
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

fn system_time(t: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(t.micros())
}

/// The way to the collector. The SDK sends from a thread of its own, outside the runtime that the HTTP
/// client needs.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    /// Whether the last batch failed: the log says when that changes, not each time.
    failing: Arc<AtomicBool>,
}

impl Collector {
    fn new(endpoint: &str) -> Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Settings come from one place, not from the environment's proxies.
            .no_proxy()
            // Without TLS the machine's certificates need not be read.
            .tls_built_in_root_certs(endpoint.starts_with("https:"))
            .build()
            .map_err(|e| Error::invalid(format!("no HTTP client for {endpoint}")).with_source(e))?;
        Ok(Self {
            client,
            runtime: Handle::current(),
            failing: Arc::default(),
        })
    }

    fn note(&self, sent: &std::result::Result<Response<Bytes>, HttpError>) {
        let problem = match sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(root(&**error).to_string()),
        };
        let failed_before = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !failed_before => {
                tracing::warn!(%problem, "traces do not reach their collector and are dropped");
            }
            None if failed_before => tracing::info!("traces reach their collector again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> std::result::Result<Response<Bytes>, HttpError> {
        // A runtime that ends takes this with it: what then fails is no news.
        let sent = self.runtime.spawn(send(self.client.clone(), request)).await?;
        self.note(&sent);
        sent
    }
}

async fn send(
    client: reqwest::Client,
    request: Request<Bytes>,
) -> std::result::Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await?;
    let mut body = BytesMut::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
            return Err("the collector's answer is too long".into());
        }
        body.extend_from_slice(&piece);
    }
    let mut out = Response::new(body.freeze());
    *out.status_mut() = answer.status();
    *out.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(out)
}

/// The first cause.
fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |e| e.source())
        .last()
        .unwrap_or(error)
}

#[cfg(test)]
mod tests;
