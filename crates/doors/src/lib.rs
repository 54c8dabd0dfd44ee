//! The doors: one module for each protocol, and the router that tells them apart.
//!
//! Invariants
//! - a door reaches data only through a permit of the gate: the store is not among its dependencies;
//! - a request is authenticated before anything it says is acted on;
//! - every answer carries a request id, and the same id is in the ledger.
//!
//! Deliberately absent: sockets, TLS and time-outs, which are the binary's; what objects mean.

pub mod api;
pub mod errors;
pub mod flight;
pub mod graph;
pub mod http;
pub mod iceberg;
pub mod mcp;
pub mod metrics;
pub mod oauth;
pub mod pg;
pub mod query;
mod request_ids;
pub mod route;
pub mod s3;
mod settle;
pub mod sql;
mod whole;

/// What the binary's log filter must contain: `s3s` logs whole requests and malformed bodies itself, while
/// errors are logged here, where they are handled.
pub const LOG_DIRECTIVE: &str = "s3s=off";
