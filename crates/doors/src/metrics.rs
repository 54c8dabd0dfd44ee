//! Counts and times of requests, and gauges of the parts below, as Prometheus text.
//!
//! Invariant: every label's value comes from a fixed set, so that no client can make series.

use std::sync::Arc;

use craton_base::{Error, Result};
use prometheus::{
    Encoder as _, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry, TextEncoder,
};

/// A gauge of a part below, read when metrics are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Its name: `craton_budget_used_bytes`.
    pub name: &'static str,
    /// What it measures.
    pub help: &'static str,
    /// Its value now.
    pub value: f64,
}

/// What the parts below tell: the ledger, the memory budget.
pub trait Gauges: Send + Sync + 'static {
    /// The gauges as they are now, always the same names.
    fn gauges(&self) -> Vec<Gauge>;
}

/// The metrics of all doors.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    seconds: HistogramVec,
    bytes: IntCounterVec,
    active: IntGauge,
    gauges: Arc<dyn Gauges>,
}

impl Metrics {
    /// No requests yet.
    ///
    /// # Errors
    /// `Internal` if the registry refuses a metric: a fault of ours.
    pub fn new(gauges: Arc<dyn Gauges>) -> Result<Self> {
        let registry = Registry::new();
        let labels = ["door", "operation"];
        let requests = IntCounterVec::new(
            Opts::new("craton_requests_total", "Requests answered, by status class."),
            &["door", "operation", "status"],
        );
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "craton_request_seconds",
                "Time from a request's head to its answer's head.",
            )
            .buckets(vec![
                0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
            ]),
            &labels,
        );
        let bytes = IntCounterVec::new(
            Opts::new(
                "craton_content_bytes_total",
                "Content announced in requests and answers.",
            ),
            &["door", "direction"],
        );
        let active = IntGauge::new(
            "craton_requests_active",
            "Requests whose answer's head is not made yet.",
        );
        let (requests, seconds) = (requests.map_err(internal)?, seconds.map_err(internal)?);
        let (bytes, active) = (bytes.map_err(internal)?, active.map_err(internal)?);
        registry.register(Box::new(requests.clone())).map_err(internal)?;
        registry.register(Box::new(seconds.clone())).map_err(internal)?;
        registry.register(Box::new(bytes.clone())).map_err(internal)?;
        registry.register(Box::new(active.clone())).map_err(internal)?;
        Ok(Self {
            registry,
            requests,
            seconds,
            bytes,
            active,
            gauges,
        })
    }

    /// A request has come.
    pub(crate) fn begin(&self) {
        self.active.inc();
    }

    /// A request was answered.
    pub(crate) fn end(&self, done: &Done) {
        self.active.dec();
        let class = match done.status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests
            .with_label_values(&[done.door, done.operation, class])
            .inc();
        self.seconds
            .with_label_values(&[done.door, done.operation])
            .observe(done.seconds);
        self.bytes
            .with_label_values(&[done.door, "in"])
            .inc_by(done.bytes_in);
        self.bytes
            .with_label_values(&[done.door, "out"])
            .inc_by(done.bytes_out);
    }

    /// Everything, as Prometheus text.
    ///
    /// # Errors
    /// `Internal` if it can not be written.
    pub fn render(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut out)
            .map_err(internal)?;
        for gauge in self.gauges.gauges() {
            let Gauge { name, help, value } = gauge;
            out.extend_from_slice(
                format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n").as_bytes(),
            );
        }
        Ok(out)
    }
}

/// An answered request.
pub(crate) struct Done {
    pub(crate) door: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) seconds: f64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
}

fn internal(e: prometheus::Error) -> Error {
    Error::internal("a metric can not be made").with_source(e)
}

#[cfg(test)]
mod tests;
