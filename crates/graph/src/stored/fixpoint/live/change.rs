//! What changed in relations, as runs of facts.
//!
//! Deliberately absent: rules.

use std::collections::BTreeSet;

use craton_base::Result;

use super::super::{
    fresh::Fresh,
    runs::{Runs, rows, together, within, without},
};
use crate::{
    Block, Bounds, Facts as _, Id, Order, Relation, Storage, Table, Tuples, levels,
    rules::{Build, Checked, Step},
    run::{Run, Writer},
    snapshot::{Snapshot, WithoutHead},
    stored::find,
};

/// A relation: its table and its head.
pub(crate) type Named = (Table, Id);

/// What changed in relations: facts by table.
#[derive(Clone, Default)]
pub(super) struct Change {
    pub(super) plus: Runs,
    pub(super) minus: Runs,
}

impl Change {
    pub(super) fn extend(&mut self, other: Self) {
        for (mine, its) in [(&mut self.plus, other.plus), (&mut self.minus, other.minus)] {
            for (table, runs) in its {
                mine.entry(table).or_default().extend(runs);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        rows(&self.plus) == 0 && rows(&self.minus) == 0
    }

    /// Whether one of the relations changed.
    pub(super) fn is_in(&self, relations: &BTreeSet<Named>) -> Result<bool> {
        for (table, head) in relations {
            for runs in [&self.plus, &self.minus] {
                let its = runs.get(table).map(Vec::as_slice).unwrap_or_default();
                let bounds = Bounds::prefix(vec![head.0]);
                if !its.is_empty() && !is_empty(&mut *within(table.width(), its, &bounds))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

pub(super) fn is_empty(tuples: &mut dyn Tuples) -> Result<bool> {
    let mut block = Block::new(tuples.width());
    Ok(!tuples.next(&mut block)?)
}

/// The relations that a rule denies.
pub(super) fn denied(rule: &Checked, names: &Snapshot) -> Result<Vec<Named>> {
    let mut out = Vec::new();
    for step in &rule.steps {
        if let Step::Absent(items) = step
            && let Some(Build::Constant(head)) = items.first()
            && let Some(head) = find::ground_id(names, head)?
        {
            out.push((Table::facts(items.len()), head));
        }
    }
    Ok(out)
}

/// All facts of a relation.
pub(crate) fn all_of(facts: &Snapshot, (table, head): Named) -> Result<Run> {
    let order = Order::natural(table.width());
    let mut all = facts.scan(&Relation::whole(table), &order, &Bounds::prefix(vec![head.0]))?;
    let mut writer = Writer::new(facts.blobs(), table.width());
    writer.push_all(&mut *all)?;
    writer.finish()
}

/// What came and what is gone between two sets of facts of a table.
pub(super) fn difference(
    table: Table,
    new: impl Into<Vec<Run>>,
    old: impl Into<Vec<Run>>,
    storage: &dyn Storage,
) -> Result<Change> {
    let (width, new, old) = (table.width(), new.into(), old.into());
    let mut out = Change::default();
    let of = |one: &[Run], other: &[Run]| {
        without(&mut *together(width, one), &mut *together(width, other), storage)
    };
    add(&mut out.plus, table, of(&new, &old)?);
    add(&mut out.minus, table, of(&old, &new)?);
    Ok(out)
}

pub(super) fn add(runs: &mut Runs, table: Table, run: Run) {
    if run.rows() > 0 {
        runs.entry(table).or_default().push(run);
    }
}

/// Adds runs to runs, which are merged as they become many.
pub(super) fn put(runs: &mut Runs, more: &Runs, storage: &dyn Storage) -> Result<()> {
    for (table, its) in more {
        let runs = runs.entry(*table).or_default();
        runs.extend(its.iter().cloned());
        levels::tidy_runs(runs, storage)?;
    }
    Ok(())
}

/// Facts of relations as patterns read them that are over these only.
pub(super) fn fresh(runs: &Runs, relations: &BTreeSet<Named>, storage: &dyn Storage) -> Result<Fresh> {
    let mut out = Fresh::default();
    for (table, head) in relations {
        let Some(its) = runs.get(table) else { continue };
        let width = table.width();
        let its = within(width, its, &Bounds::prefix(vec![head.0]));
        let mut its = WithoutHead::new(its, *head);
        let mut writer = Writer::new(storage, width.saturating_sub(1));
        writer.push_all(&mut its)?;
        out.insert(*table, *head, writer.finish()?);
    }
    Ok(out)
}
