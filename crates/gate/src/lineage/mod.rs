//! Runs and lineage: what each run read and wrote, by version, made from the ledger's records as they enter its tree.
//!
//! ```text
//! records of runs ──▶ summed in memory ──▶ rows, and how far they are made, in one commit
//!       ▲                                        │
//!       └──── after a start: from there on ◀─────┘
//! ```
//!
//! A run is a principal's, and named: by the request (`x-craton-run`), by its session, by the trace that a session's request belongs to, or else it
//! is the session itself. Of a run, a resource and a version there is one edge for each way it was touched, with counts: a million GETs are one edge.
//!
//! Invariants
//! - RN-1: every record of a run is in its rows exactly once: rows and how far they are made are committed together;
//! - RN-2: nothing is done for it while a request runs: a request's only part is its record;
//! - RN-3: memory is bounded: [`follow::EDGES_MAX`] edges are held, then written;
//! - RN-4: nobody is shown an edge of a bucket whose lineage they may not read, unless the run is their own.
//!
//! Deliberately absent: protocols; what resources mean.

mod ask;
mod ask_columns;
mod changed;
mod columns;
mod declared;
mod digests;
mod follow;
mod forget;
mod list;
mod rows;
mod telling;
mod walk;

pub use ask::{Direction, Edge, LINEAGE_EDGES_MAX, LineageAnswer, LineageAsk, RunEdges, RunSummary};
pub use ask_columns::{ColumnAnswer, ColumnsPage, ToldColumn};
pub use changed::{Changed, ChangedPage};
pub(crate) use columns::pending as pending_columns;
pub use columns::{COLUMN_EDGES_MAX, ColumnEdge, ColumnSource, ColumnUse, Derived};
pub use declared::{DECLARED_MAX, Declared, Standing};
pub use digests::Digest;
pub(crate) use follow::Lineage;
pub use list::{EdgesAsk, EdgesPage, EdgesPlace};
pub use rows::Touch;
pub use telling::{Due, Pauses};
