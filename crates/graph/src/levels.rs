//! Levels: which of them to merge, and merging them.
//!
//! New runs are small and old ones large. A tail of levels is merged once it has some of them that are not much smaller than
//! what would be added to them: so each tuple is written again a logarithmic number of times, and there are few levels.
//!
//! Invariant: only levels that follow each other are merged, so that what was removed later stays removed.
//!
//! Deliberately absent: commits.

use craton_base::Result;

use crate::{
    Block, Bounds, Relation, Storage, Table,
    manifest::Level,
    merge::{Input, union},
    run::{Run, Writer},
};

/// How many levels make a tail that is merged, of names: each look-up goes through all of them.
const TAIL_OF_NAMES: usize = 4;
/// The same of facts, which are merged beside the work of others: half as often, and most reads are of one level whatever their number.
pub const TAIL_OF_FACTS: usize = 8;

/// What each input of a merge reads at once, in bytes.
const MERGE_AHEAD: u64 = 128 << 10;

/// A level is merged with a tail that has at least a third of its tuples.
const GROWTH: u64 = 3;

/// Where the tail begins that should be merged, of levels with so many tuples, the oldest first; it has at least `least` levels.
#[must_use]
pub fn tail(rows: &[u64], least: usize) -> Option<usize> {
    let mut sum = 0u64;
    let mut start = rows.len();
    for (at, rows) in rows.iter().enumerate().rev() {
        if sum > 0 && *rows > sum.saturating_mul(GROWTH) {
            break;
        }
        sum = sum.saturating_add(*rows);
        start = at;
    }
    (rows.len().saturating_sub(start) >= least).then_some(start)
}

/// A run of sorted, distinct rows in memory.
///
/// # Errors
/// The storage's own.
pub fn write_rows(storage: &dyn Storage, width: usize, rows: &[u64]) -> Result<Run> {
    let mut writer = Writer::new(storage, width);
    let mut block = Block::new(width);
    let most = Block::rows_max(width);
    for chunk in rows.chunks(most.saturating_mul(width).max(1)) {
        block.reset(width);
        block.fill(|columns| {
            for (n, column) in columns.iter_mut().enumerate() {
                column.extend(chunk.iter().skip(n).step_by(width));
            }
        });
        writer.push(&block)?;
    }
    writer.finish()
}

/// One run of several that only add.
///
/// # Errors
/// The storage's own.
pub fn merge_runs(runs: &[Run], storage: &dyn Storage) -> Result<Run> {
    let width = runs.first().map_or(0, Run::width);
    let inputs = runs
        .iter()
        .rev()
        .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()).with_read_ahead(MERGE_AHEAD))));
    let mut merged = union(width, inputs.collect());
    let mut writer = Writer::new(storage, width);
    writer.push_all(&mut *merged)?;
    writer.finish()
}

/// Merges the tail of runs that only add, if it is time.
///
/// # Errors
/// The storage's own.
pub fn tidy_runs(runs: &mut Vec<Run>, storage: &dyn Storage) -> Result<()> {
    let rows: Vec<u64> = runs.iter().map(Run::rows).collect();
    if let Some(start) = tail(&rows, TAIL_OF_NAMES) {
        let last = runs.split_off(start);
        runs.push(merge_runs(&last, storage)?);
    }
    Ok(())
}

/// Merges the tail of a table of expressions, if it is time.
///
/// # Errors
/// The storage's own.
pub fn tidy_names(levels: &mut Vec<Level>, table: Table, storage: &dyn Storage) -> Result<()> {
    let relation = Relation::whole(table);
    let is_its = |l: &Level| l.relation == relation && l.order.is_natural();
    let mut runs: Vec<Run> = levels
        .iter()
        .filter(|l| is_its(l))
        .map(|l| l.run.clone())
        .collect();
    let before = runs.len();
    tidy_runs(&mut runs, storage)?;
    if runs.len() < before {
        let Some(like) = levels.iter().find(|l| is_its(l)).cloned() else {
            return Ok(());
        };
        levels.retain(|l| !is_its(l));
        levels.extend(runs.into_iter().map(|run| Level { run, ..like.clone() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
