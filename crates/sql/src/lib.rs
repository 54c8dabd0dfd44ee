//! SQL over Iceberg tables: DataFusion, by permits. A leaf: nothing but the binary depends on it, so that everything else is built without.
//!
//! ```text
//! statement ─▶ [`engine`] ─▶ [`names`] ─▶ [`catalog`] ─▶ [`iceberg`] ─▶ plan ─▶ [`files`] ─▶ gate ─▶ bytes ─▶ rows ─▶ [`answers`]
//!                                                  └▶ [`write`] ─▶ rows and files ─▶ gate ─▶ catalog
//! ```
//!
//! Invariants
//! - no data without a permit: a table is resolved by one, each of its files is read or written by one ([`files`], [`write`]);
//! - rows are never wrong: what is not done yet is an error that says so;
//! - a statement has limits of time, memory, length and depth; what it does wrong ends itself alone ([`engine`]).
//!
//! Deliberately absent: protocols (the doors), policies (the gate), the store.

mod answers;
mod catalog;
mod context;
mod engine;
mod error;
mod files;
mod functions;
mod iceberg;
pub mod maintain;
mod memory;
mod names;
pub mod parameters;
pub mod postgres;
mod raw;
mod system;
mod write;
mod yielding;

pub use answers::{Form, Written};
pub use engine::{Engine, Rows, Settings, Shape, Statement, TIME_MAX, is_ours};
pub use names::STATEMENT_BYTES_MAX;

/// What the binary's log filter must contain: these log statements and what is in them, down to each token.
pub const LOG_DIRECTIVE: &str = "datafusion=off,sqlparser=off";

/// The address of the files there are, as DataFusion wants one.
const STORE: &str = "craton://files";
