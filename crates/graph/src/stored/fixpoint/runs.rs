//! Runs of facts: put together, compared, as changes of a graph.
//!
//! Deliberately absent: where they come from.

use std::collections::BTreeMap;

use craton_base::Result;

use crate::{
    Block, Bounds, Storage, Table, Tuples,
    merge::{Input, union},
    run::{Run, Writer},
    writer::Delta,
};

/// Runs of facts by table.
pub(super) type Runs = BTreeMap<Table, Vec<Run>>;

fn listed(runs: &Runs) -> Vec<(Table, Run)> {
    let of = |(table, runs): (&Table, &Vec<Run>)| -> Vec<(Table, Run)> {
        runs.iter().map(|run| (*table, run.clone())).collect()
    };
    runs.iter().flat_map(of).collect()
}

/// A change that adds them.
pub(super) fn adding(runs: &Runs) -> Delta {
    Delta {
        adds: listed(runs),
        removes: Vec::new(),
    }
}

/// A change that removes them.
pub(super) fn removing(runs: &Runs) -> Delta {
    Delta {
        adds: Vec::new(),
        removes: listed(runs),
    }
}

/// The tuples of runs.
pub(super) fn together(width: usize, runs: &[Run]) -> Box<dyn Tuples> {
    let inputs = runs
        .iter()
        .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))));
    union(width, inputs.collect())
}

/// The tuples of runs that begin so.
pub(super) fn within(width: usize, runs: &[Run], bounds: &Bounds) -> Box<dyn Tuples> {
    let inputs = runs.iter().map(|run| Input::adds(Box::new(run.scan(bounds))));
    union(width, inputs.collect())
}

/// How many tuples runs have, at most.
pub(super) fn rows(runs: &Runs) -> u64 {
    let all = runs.values().flatten();
    all.map(Run::rows).fold(0, u64::saturating_add)
}

/// The tuples of `found` that are not among `known`.
pub(super) fn without(found: &mut dyn Tuples, known: &mut dyn Tuples, storage: &dyn Storage) -> Result<Run> {
    let width = found.width();
    let mut writer = Writer::new(storage, width);
    let (mut block, mut there, mut new) = (Block::new(width), Block::new(width), Block::new(width));
    let (mut at, mut ended) = (0, false);
    let mut tuple = Vec::with_capacity(width);
    while found.next(&mut block)? {
        new.reset(width);
        for row in 0..block.rows() {
            tuple.clear();
            block.row(row, &mut tuple);
            at = there.lower_bound(at.min(there.rows()), &tuple);
            while at >= there.rows() && !ended {
                known.seek(&tuple)?;
                ended = !known.next(&mut there)?;
                at = there.lower_bound(0, &tuple);
            }
            if at >= there.rows() || !there.compare(at, &tuple).is_eq() {
                new.push(&tuple);
            }
        }
        writer.push(&new)?;
    }
    writer.finish()
}
