//! A set of facts as joins and programs see it: a snapshot of a graph, a program's own changes over one, or a
//! model in memory.
//!
//! Deliberately absent: who may read (whoever makes a `Facts` has a permit), names.

use craton_base::Result;

use crate::{Bounds, Order, Relation, Table, Tuples};

/// What is known about a relation without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// How many tuples there are, at most: deletions and doubles that are not merged yet count too.
    pub rows: u64,
    /// Bytes of the blocks that hold them.
    pub bytes: u64,
    /// About how many different values the first column has, where the runs say it; else 0.
    pub distinct: u64,
}

/// Tables of sorted tuples, as of one moment.
pub trait Facts: Send + Sync {
    /// The tables that have a tuple.
    fn tables(&self) -> Vec<Table>;

    /// The tuples of `relation` within `bounds`, their columns in `order` and sorted so.
    ///
    /// The natural order is always there. Another is built when it is first asked for, and kept.
    ///
    /// # Errors
    /// The storage's own.
    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>>;

    /// About how many tuples [`Facts::scan`] would give; reads no tuples, builds no order.
    ///
    /// # Errors
    /// The storage's own.
    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics>;

    /// Whether `order` is there already, so that a scan builds nothing.
    fn has_order(&self, relation: &Relation, order: &Order) -> bool;

    /// Values of the first column in `order` that cut the relation into at most `parts` parts of about one size: the first
    /// value of each part but the first, ascending. For sharing work out to threads.
    ///
    /// # Errors
    /// The storage's own.
    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>>;
}
