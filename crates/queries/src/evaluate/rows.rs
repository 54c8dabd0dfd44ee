//! Relations of ids that a query makes, as runs in scratch space, and how they are made row by row.
//!
//! Invariant: the tuples of a relation's runs are sorted in each run, and no tuple is in two.
//!
//! Deliberately absent: joins.

use std::sync::Arc;

use craton_base::{Error, Kind, Result};
use craton_graph::{
    Block, Bounds, Control, Sorter, Storage, Tuples,
    merge::{Input, union},
    run::{Run, Writer},
};

use crate::{algebra::Variable, terms::UNBOUND};

/// The most columns of a relation: what a sort can hold.
pub(super) const COLUMNS_MAX: usize = 60;

/// A relation: one column for each variable.
#[derive(Clone)]
pub(super) struct Rows {
    pub(super) variables: Vec<Variable>,
    /// Whether a column may be [`UNBOUND`].
    pub(super) maybe: Vec<bool>,
    pub(super) runs: Vec<Run>,
}

impl Rows {
    /// No rows.
    pub(super) fn none(variables: Vec<Variable>) -> Self {
        let maybe = vec![false; variables.len()];
        Self {
            variables,
            maybe,
            runs: Vec::new(),
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.runs.iter().map(Run::rows).fold(0, u64::saturating_add)
    }

    /// The column of a variable.
    pub(super) fn column(&self, variable: Variable) -> Option<usize> {
        self.variables.iter().position(|v| *v == variable)
    }

    /// Whether a variable has a value in each row.
    pub(super) fn is_certain(&self, variable: Variable) -> bool {
        let column = self.column(variable).and_then(|at| self.maybe.get(at));
        column.is_some_and(|maybe| !maybe)
    }

    pub(super) fn scan(&self) -> Box<dyn Tuples> {
        let inputs = self
            .runs
            .iter()
            .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))));
        union(self.variables.len(), inputs.collect())
    }

    /// Calls `each` with every row, in their order, until it returns `false`.
    pub(super) fn each(&self, control: &Control, mut each: impl FnMut(&[u64]) -> Result<bool>) -> Result<()> {
        let mut tuples = self.scan();
        let (mut block, mut row) = (Block::new(self.variables.len()), Vec::new());
        while tuples.next(&mut block)? {
            control.check()?;
            for at in 0..block.rows() {
                row.clear();
                block.row(at, &mut row);
                if !each(&row)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The value of a column of a row.
pub(super) fn at(row: &[u64], column: usize) -> u64 {
    row.get(column).copied().unwrap_or(UNBOUND)
}

/// Takes rows in any order and makes a relation of them.
pub(super) struct Gather {
    sorter: Sorter,
    block: Block,
    width: usize,
}

impl Gather {
    /// Of rows of so many columns, with so many bytes of memory.
    pub(super) fn new(width: usize, memory: u64, storage: &Arc<dyn Storage>) -> Result<Self> {
        if width > COLUMNS_MAX {
            let message = format!(
                "a part of the query has more than {COLUMNS_MAX} variables, those that it needs itself among them"
            );
            return Err(Error::new(Kind::TooLarge, "TooManyVariables", message));
        }
        Ok(Self {
            sorter: Sorter::new(width, memory, Arc::clone(storage))?,
            block: Block::new(width),
            width,
        })
    }

    pub(super) fn push(&mut self, row: &[u64]) -> Result<()> {
        self.block.push(row);
        match self.block.rows() >= Block::rows_max(self.width) {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let columns: Vec<&[u64]> = self.block.columns().iter().map(Vec::as_slice).collect();
        self.sorter.push(&columns)?;
        self.block.reset(self.width);
        Ok(())
    }

    /// The rows as one run; none if there are none.
    pub(super) fn finish(mut self, storage: &dyn Storage) -> Result<Vec<Run>> {
        if !self.block.is_empty() {
            self.flush()?;
        }
        let (mut sorted, _) = self.sorter.finish()?;
        let mut writer = Writer::new(storage, self.width);
        writer.push_all(&mut sorted)?;
        let run = writer.finish()?;
        Ok(if run.rows() > 0 { vec![run] } else { Vec::new() })
    }
}
