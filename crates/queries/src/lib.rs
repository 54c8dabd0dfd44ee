//! Queries people already know, over graphs: SPARQL over triples, openCypher reads over labelled edges.
//!
//! ```text
//! text ─▶ sparql │ cypher ─▶ algebra ─▶ evaluate: the graph's own joins, runs and sorts ─▶ answer
//! ```
//!
//! Both languages become one algebra ([`algebra`]). Every operator reads relations of ids and makes one: sorted, compressed runs in the graph's
//! scratch space. So an answer may be larger than memory, and joins are the engine's.
//!
//! Invariants
//! - what a query reads is known before it runs ([`algebra::Compiled::rules`]), so that it can be decided;
//! - a relation is a set; solutions that may repeat differ in columns that are not shown, so counts are those of bags;
//! - what is not supported is an error that names it.
//!
//! Deliberately absent: permits, HTTP, changes to graphs.

pub mod algebra;
pub mod answer;
pub mod cypher;
pub mod evaluate;
pub mod expression;
mod nesting;
pub mod sparql;
pub mod terms;
pub mod value;

use craton_base::{Error, Kind};

/// The error for what a query asks and is not there.
pub(crate) fn unsupported(what: &str) -> Error {
    Error::new(Kind::Invalid, "NotSupported", format!("{what} is not supported"))
}
