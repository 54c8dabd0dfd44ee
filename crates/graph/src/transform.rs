//! Transforms: a join whose outputs become runs of facts, written by every thread as they are found.
//!
//! Invariants: the runs are sorted, each tuple is in one run of its output only; nothing is visible before they are committed
//! ([`crate::writer::Delta`]), and runs that are not disappear.
//!
//! Deliberately absent: patterns' and templates' syntax, commits.

use craton_base::{Error, Result};

use crate::{
    Block, Facts, Storage, Table,
    join::{self, Query, Report, Resources, Sink},
    run::{Run, Writer},
};

/// What a transform made.
pub struct Made {
    /// The runs of each output that has tuples.
    pub runs: Vec<(Table, Run)>,
    /// What it took.
    pub report: Report,
}

/// One worker's runs under way.
struct Runs<'a> {
    storage: &'a dyn Storage,
    tables: &'a [Table],
    writers: Vec<Option<Writer<'a>>>,
}

impl Sink for Runs<'_> {
    fn push(&mut self, output: usize, block: &Block) -> Result<()> {
        let (Some(table), Some(writer)) = (self.tables.get(output), self.writers.get_mut(output)) else {
            return Err(Error::internal("a join pushes to an output that is not there"));
        };
        writer
            .get_or_insert_with(|| Writer::new(self.storage, table.width()))
            .push(block)
    }
}

/// Answers `query` and writes output `n` as tuples of table `n`.
///
/// # Errors
/// `Invalid` if an output does not have its table's columns; as [`join::join`].
pub fn transform(query: &Query, tables: &[Table], facts: &dyn Facts, resources: &Resources) -> Result<Made> {
    let shapes = query.outputs.iter().map(Vec::len);
    if !shapes.eq(tables.iter().map(Table::width)) {
        return Err(Error::invalid(
            "an output does not have as many columns as its table",
        ));
    }
    let storage = &*resources.storage;
    let make = || {
        Ok(Runs {
            storage,
            tables,
            writers: tables.iter().map(|_| None).collect(),
        })
    };
    let (sinks, report) = join::join(query, facts, resources, make)?;
    let mut runs = Vec::new();
    for sink in sinks {
        for (table, writer) in tables.iter().zip(sink.writers) {
            if let Some(writer) = writer {
                runs.push((*table, writer.finish()?));
            }
        }
    }
    Ok(Made { runs, report })
}

#[cfg(test)]
mod tests;
