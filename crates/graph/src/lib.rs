//! The graph engine: facts as sorted tuples of ids in sealed runs, joins over them, programs.
//!
//! ```text
//! text ─▶ parse ─▶ names (text and structure ⇄ id) ─▶ tuples ─▶ runs ─▶ manifest in the namespace
//! program ─▶ patterns over tables ─▶ plan ─▶ join ─▶ templates ─▶ sort ─▶ runs ─▶ one commit
//! ```
//!
//! Invariants
//! - a table is a set: its tuples are sorted, and each is there once;
//! - two facts are the same if and only if their ids are: every symbol and every nested expression has one id;
//! - a reader sees one snapshot and waits for nobody; a writer commits one manifest or nothing;
//! - memory comes from a budget; what does not fit goes to sealed scratch blobs.
//!
//! Deliberately absent: HTTP, the disk (a permit is the only way to it), SQL.

pub mod blobs;
pub mod block;
pub mod control;
pub mod dictionary;
pub mod engine;
pub mod exec;
pub mod export;
pub mod facts;
pub mod id;
pub mod interner;
pub mod join;
pub mod levels;
pub mod load;
pub mod manifest;
pub mod memory;
pub mod merge;
pub(crate) mod merging;
pub mod model;
pub mod names;
pub mod parse;
pub mod past;
pub(crate) mod plan;
pub mod prefix;
pub mod print;
pub mod pure;
pub mod read;
pub mod rules;
pub mod run;
pub mod sink;
pub mod snapshot;
pub(crate) mod sort;
pub mod storage;
pub mod stored;
pub mod table;
pub mod term;
pub mod texts;
pub mod threads;
pub mod transform;
pub mod tuples;
pub mod unify;
pub mod writer;

pub use block::Block;
pub use control::{Control, Limits};
pub use facts::{Facts, Statistics};
pub use id::{Form, Id};
pub use names::{Names, NewNames};
pub use sort::{SortCost, SortedTuples, Sorter};
pub use storage::{BlobRead, BlobWrite, Storage};
pub use table::{Bounds, COLUMNS_MAX, Order, Relation, Shape, Table};
pub use tuples::Tuples;

#[cfg(test)]
mod reference;
