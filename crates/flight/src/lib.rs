//! Arrow Flight SQL: statements and metadata over gRPC, for ADBC, JDBC and ODBC drivers. A leaf: the doors know it as a trait.
//!
//! ```text
//! doors: identify ─▶ [`door`]: gRPC, commands, tickets ─▶ engine of SQL ─▶ Arrow's stream ─▶ [`messages`] of Flight
//!                       ├─▶ [`statement`]: what tickets and prepared statements hold
//!                       └─▶ [`metadata`]: catalogs, schemas and tables, by statements on `system.tables`
//! ```
//!
//! Invariants
//! - nothing is kept between two calls: tickets and prepared statements are what their client sends back, so there is nothing to run full;
//! - batches of rows are cut out of the engine's stream, never decoded;
//! - what a client binds is bounded by [`statement::BOUND_BYTES_MAX`], what is told of tables by [`metadata::ANSWER_BYTES_MAX`].
//!
//! Deliberately absent: SQL (the engine, a trait), who may read what (the gate), who calls, sockets and TLS (the doors and the binary);
//! transactions of several statements, savepoints, Substrait, bulk ingestion.
//!
//! Source: Apache Arrow documentation, "Arrow Flight RPC" and "Arrow Flight SQL".

mod door;
mod messages;
mod metadata;
mod statement;
mod status;

use std::{convert::Infallible, sync::Arc};

use arrow_flight::flight_service_server::FlightServiceServer;
use async_trait::async_trait;
use craton_doors::{flight::FlightService, http::Body, sql::SqlEngine};
use http::{Request, Response};
use tonic::codegen::Service as _;

use door::Door;

/// The longest message of a client, in bytes.
const MESSAGE_BYTES_MAX: usize = 2 << 20;

/// Answers calls with what an engine tells.
#[must_use]
pub fn start(engine: Arc<dyn SqlEngine>) -> Arc<dyn FlightService> {
    let server = FlightServiceServer::new(Door::new(engine));
    Arc::new(Served(server.max_decoding_message_size(MESSAGE_BYTES_MAX)))
}

struct Served(FlightServiceServer<Door>);

#[async_trait]
impl FlightService for Served {
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        match self.0.clone().call(request).await {
            Ok(response) => response.map(Body::http_body_unsync),
            Err(never) => absurd(never),
        }
    }
}

fn absurd(never: Infallible) -> Response<Body> {
    match never {}
}
