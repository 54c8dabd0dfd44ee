//! Joins that begin with few tuples: one after the other, the tuples of the other patterns that go with them are looked up.
//!
//! A join that reads relations as a whole costs what they cost to read. Where one pattern has few tuples, as what changed in a large graph,
//! looking up costs what it finds.
//!
//! Invariant: every pattern after the first has a column whose value is known when it is looked up, so nothing is read as a whole.
//!
//! Deliberately absent: whether to join so.

use std::{cmp::Reverse, collections::HashSet};

use craton_base::Result;

use super::fresh::Layer;
use crate::{
    Block, Bounds, Order, Relation, Shape, Table,
    join::{Query, Slot},
    levels::write_rows,
    run::Run,
    snapshot::Snapshot,
};

/// The most patterns.
const ATOMS_MAX: usize = 64;
/// The most tuples that are looked at before it is given up.
const LOOKED_MAX: u64 = 4 << 20;
/// The most numbers of results that are held.
const CELLS_MAX: usize = 1 << 20;

/// A pattern, and how its tuples are found.
struct Step {
    relation: Relation,
    order: Order,
    /// The slots in this order; so many in front are known.
    slots: Vec<Slot>,
    known: usize,
}

/// How a query is answered, beginning with one of its patterns.
pub(super) struct Looks<'q> {
    query: &'q Query,
    steps: Vec<Step>,
    variables: usize,
}

impl<'q> Looks<'q> {
    /// The way, if there is one: pattern `first` first, then always one of which most is known, and of those the one over the fewest tuples:
    /// that has the fewest for each value.
    pub(super) fn of(query: &'q Query, first: usize, rows: &[u64]) -> Option<Self> {
        let slots = || query.atoms.iter().flat_map(|atom| &atom.slots);
        let numbers = slots().filter_map(|slot| match slot {
            Slot::Variable(variable) => Some(usize::from(*variable).saturating_add(1)),
            Slot::Constant(_) => None,
        });
        let variables = numbers.max().unwrap_or_default();
        let mut left: Vec<usize> = (0..query.atoms.len()).filter(|at| *at != first).collect();
        if !query.ranges.is_empty() || left.len() >= ATOMS_MAX {
            return None;
        }
        let mut known: HashSet<u16> = HashSet::new();
        let mut steps = vec![Step::of(query, first, &known)?];
        learn(query, first, &mut known);
        while !left.is_empty() {
            let best = left
                .iter()
                .enumerate()
                .filter_map(|(place, at)| Some((place, *at, Step::of(query, *at, &known)?)))
                .filter(|(_, _, step)| step.known > 0)
                .max_by_key(|(_, at, step)| {
                    let fewest = Reverse(rows.get(*at).copied().unwrap_or_default());
                    (
                        step.known == step.slots.len(),
                        step.known,
                        fewest,
                        step.order.is_natural(),
                    )
                });
            let (place, _, step) = best?;
            learn(query, left.remove(place), &mut known);
            steps.push(step);
        }
        Some(Self {
            query,
            steps,
            variables,
        })
    }

    /// The orders that are looked up in, but the natural ones and that of the first pattern.
    pub(super) fn orders(&self) -> impl Iterator<Item = (&Relation, &Order)> {
        let others = self.steps.iter().skip(1).filter(|step| !step.order.is_natural());
        others.map(|step| (&step.relation, &step.order))
    }

    /// A run for each output that has tuples; `None` if it came to be too much for looking up.
    pub(super) fn answer(
        &self,
        tables: &[Table],
        layer: &Layer<'_>,
        base: &Snapshot,
    ) -> Result<Option<Vec<(Table, Run)>>> {
        let mut looking = Looking {
            looks: self,
            layer,
            base,
            values: vec![0; self.variables],
            rows: vec![Vec::new(); self.query.outputs.len()],
            looked: 0,
        };
        if !looking.step(0)? {
            return Ok(None);
        }
        let mut out = Vec::new();
        for (table, rows) in tables.iter().zip(looking.rows) {
            let width = table.width().max(1);
            let mut sorted: Vec<&[u64]> = rows.chunks(width).collect();
            sorted.sort_unstable();
            sorted.dedup();
            if !sorted.is_empty() {
                out.push((*table, write_rows(base.blobs(), width, &sorted.concat())?));
            }
        }
        Ok(Some(out))
    }
}

fn learn(query: &Query, at: usize, known: &mut HashSet<u16>) {
    for slot in query.atoms.get(at).into_iter().flat_map(|atom| &atom.slots) {
        if let Slot::Variable(variable) = slot {
            known.insert(*variable);
        }
    }
}

impl Step {
    fn of(query: &Query, at: usize, known: &HashSet<u16>) -> Option<Self> {
        let atom = query.atoms.get(at)?;
        let is_known = |slot: &Slot| match slot {
            Slot::Constant(_) => true,
            Slot::Variable(variable) => known.contains(variable),
        };
        let numbered = || (0u16..).zip(&atom.slots);
        let mut columns: Vec<u16> = numbered().filter(|(_, s)| is_known(s)).map(|(n, _)| n).collect();
        let count = columns.len();
        columns.extend(numbered().filter(|(_, s)| !is_known(s)).map(|(n, _)| n));
        let slots: Option<Vec<Slot>> = columns
            .iter()
            .map(|column| atom.slots.get(usize::from(*column)).copied())
            .collect();
        let order = Order::new(columns).ok()?;
        // Orders of nested expressions are kept with names, and not made for looking.
        let is_kept = order.is_natural() || atom.relation.table.shape != Shape::Expression;
        is_kept.then_some(Self {
            relation: atom.relation,
            order,
            slots: slots?,
            known: count,
        })
    }
}

/// An answer under way.
struct Looking<'a> {
    looks: &'a Looks<'a>,
    layer: &'a Layer<'a>,
    base: &'a Snapshot,
    /// Of variables, where they are known.
    values: Vec<u64>,
    rows: Vec<Vec<u64>>,
    looked: u64,
}

impl Looking<'_> {
    fn value(&self, slot: &Slot) -> u64 {
        match slot {
            Slot::Constant(id) => id.0,
            Slot::Variable(variable) => self
                .values
                .get(usize::from(*variable))
                .copied()
                .unwrap_or_default(),
        }
    }

    /// Finds what goes with what is known, from a step on; `false` if it is too much.
    fn step(&mut self, number: usize) -> Result<bool> {
        let looks = self.looks;
        let Some(step) = looks.steps.get(number) else {
            return Ok(self.found());
        };
        self.base.blobs().control().check()?;
        let (front, rest) = step.slots.split_at(step.known.min(step.slots.len()));
        let bounds = Bounds::prefix(front.iter().map(|slot| self.value(slot)).collect());
        let mut tuples = self.layer.look(&step.relation, &step.order, &bounds)?;
        let mut block = Block::new(step.slots.len());
        while tuples.next(&mut block)? {
            self.looked = self.looked.saturating_add(block.rows() as u64);
            if self.looked > LOOKED_MAX {
                return Ok(false);
            }
            for row in 0..block.rows() {
                if self.take(rest, (&block, front.len(), row)) && !self.step(number.saturating_add(1))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Gives variables the values of a tuple; whether it goes with itself where one variable stands twice.
    fn take(&mut self, slots: &[Slot], (block, from, row): (&Block, usize, usize)) -> bool {
        for (place, slot) in slots.iter().enumerate() {
            let column = block.column(from.saturating_add(place));
            let value = column.get(row).copied().unwrap_or_default();
            let before = slots.get(..place).unwrap_or_default();
            match slot {
                Slot::Variable(_) if before.contains(slot) => {
                    if self.value(slot) != value {
                        return false;
                    }
                }
                Slot::Variable(variable) => {
                    if let Some(known) = self.values.get_mut(usize::from(*variable)) {
                        *known = value;
                    }
                }
                Slot::Constant(_) => {}
            }
        }
        true
    }

    /// Takes a match; `false` if there are too many.
    fn found(&mut self) -> bool {
        for (number, output) in self.looks.query.outputs.iter().enumerate() {
            let row: Vec<u64> = output.iter().map(|slot| self.value(slot)).collect();
            if let Some(rows) = self.rows.get_mut(number) {
                rows.extend(row);
            }
        }
        self.rows.iter().map(Vec::len).sum::<usize>() <= CELLS_MAX
    }
}
