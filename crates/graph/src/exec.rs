//! MM2 programs: `exec` facts, run one after the other in the order of facts.
//!
//! ```text
//! least (exec …) ─▶ rule ─▶ search: patterns over the space as it is ─▶ sinks collect
//!       ▲                                                                    │
//!       └────────── exec removed, additions, then the other sinks in order ◀─┘
//! ```
//!
//! What a program means is written in docs/graph/mm2.md. All of it works on a [`FactSpace`], so that
//! the same code runs on facts in memory and on a stored graph.
//!
//! Invariants: a step reads the space as it was when it began, the `exec` itself included; a malformed
//! `exec` is an error that names it; every collection here counts against the limits.
//!
//! Deliberately absent: who may read and write, commits.

pub mod borrow;
mod collect;
pub mod flat;
mod reduce;
mod rule;
mod run;
mod search;
mod space;

pub use rule::{EXEC_PREFIX, Reduction, Rule, Sink, Source};
pub use run::{Options, Report, Told, run};
pub(crate) use search::each_variable;
pub use search::{Emit, for_each_match, query};
pub(crate) use space::no_other;
pub use space::{FactSpace, Goal, Visit};

#[cfg(test)]
mod tests;
