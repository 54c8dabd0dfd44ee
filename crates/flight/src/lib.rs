//! Arrow Flight SQL: statements and metadata over gRPC, for ADBC, JDBC and ODBC drivers. A leaf: the doors know it as a trait.
//!
//! ```text
//! doors: identify ─▶ gRPC ─▶ Flight SQL: commands, tickets ─▶ engine of SQL ─▶ Arrow's stream ─▶ messages of Flight
//! ```
//!
//! Invariants
//! - nothing is kept between two calls: tickets and prepared statements are what their client sends back;
//! - batches of rows are cut out of the engine's stream, never decoded.
//!
//! Deliberately absent: SQL (the engine, a trait), who may read what (the gate), sockets.

pub mod messages;
