//! Iceberg tables as DataFusion sees them: one snapshot, its files, what is deleted of them.
//!
//! ```text
//! metadata ──▶ snapshot ──▶ manifest list ──▶ manifests ──▶ files, pruned by their bounds ──▶ DataFusion's Parquet source
//!                                                  └──▶ deletes ──▶ what of each file is read ─┘
//! ```
//!
//! Invariants
//! - a table is resolved by a permit for it, and its manifests are read by another that names the snapshot; each file of data or deletes
//!   has a permit of its own ([`crate::files`]);
//! - rows that are deleted are never seen, and what is not understood is an error ([`types::not_yet`]);
//! - the gate is told which columns a scan reads, and what it leaves of rows and columns is applied before anything else sees them
//!   ([`restricted`]);
//! - pruning leaves out only what can hold no row that is wanted.
//!
//! Deliberately absent: who may read what (the gate), what is written ([`crate::write`]), how Parquet is read (DataFusion).

mod columns;
mod deletes;
pub(crate) mod manifest;
mod mask;
pub(crate) mod metadata;
mod prune;
mod restricted;
mod table;
pub(crate) mod types;
pub(crate) mod vector;

pub(crate) use craton_tables::avro;
pub(crate) use table::{Table, positions};
