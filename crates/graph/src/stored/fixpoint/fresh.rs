//! New facts beside a snapshot: what the patterns of a round read that are over new facts only.
//!
//! A relation of new facts has an id in the place of its head that stands for no name of any graph, so one query can read the same relation
//! in both ways.
//!
//! Deliberately absent: which facts are new.

use std::collections::HashMap;

use craton_base::Result;
use parking_lot::Mutex;

use crate::{
    Block, Bounds, Facts, Id, Order, Relation, Statistics, Table, Tuples,
    run::{Run, Writer},
    snapshot::Snapshot,
    sort::Sorter,
};

/// Bytes that sorting into another order may hold.
const SORT_BYTES: u64 = 16 << 20;

/// New facts by relation, without their heads.
#[derive(Default)]
pub(super) struct Fresh {
    stand_ins: HashMap<(Table, Id), Id>,
    runs: HashMap<Id, Run>,
    /// In other orders, as they were asked for.
    sorted: Mutex<HashMap<(Id, Order), Run>>,
}

impl Fresh {
    /// Adds a relation's new facts, if there are any.
    pub(super) fn insert(&mut self, table: Table, head: Id, run: Run) {
        if run.rows() > 0 {
            let stand_in = Id::fresh(self.runs.len() as u64, false);
            self.stand_ins.insert((table, head), stand_in);
            self.runs.insert(stand_in, run);
        }
    }

    /// Whether a relation is one of new facts.
    pub(super) fn is_stand_in(&self, relation: &Relation) -> bool {
        relation.head.is_some_and(|head| self.runs.contains_key(&head))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many there are.
    pub(super) fn rows(&self) -> u64 {
        self.runs.values().map(Run::rows).fold(0, u64::saturating_add)
    }

    /// What stands for a head where only new facts are read; nothing if there are none.
    pub(super) fn stand_in(&self, table: Table, head: Id) -> Option<Id> {
        self.stand_ins.get(&(table, head)).copied()
    }
}

/// A snapshot and new facts.
pub(super) struct Layer<'a> {
    base: &'a Snapshot,
    fresh: Option<&'a Fresh>,
}

impl<'a> Layer<'a> {
    pub(super) fn new(base: &'a Snapshot, fresh: Option<&'a Fresh>) -> Self {
        Self { base, fresh }
    }

    /// The new facts that a relation is of, if it is of new facts.
    fn of(&self, relation: &Relation) -> Option<(&'a Fresh, Id, &'a Run)> {
        let (fresh, head) = (self.fresh?, relation.head?);
        Some((fresh, head, fresh.runs.get(&head)?))
    }

    /// As [`Facts::scan`], for few tuples at a time.
    pub(super) fn look(
        &self,
        relation: &Relation,
        order: &Order,
        bounds: &Bounds,
    ) -> Result<Box<dyn Tuples>> {
        match self.of(relation) {
            None => self.base.look(relation, order, bounds),
            Some(its) => Ok(Box::new(self.in_order(its, order)?.scan(bounds))),
        }
    }

    fn in_order(&self, (fresh, head, run): (&Fresh, Id, &Run), order: &Order) -> Result<Run> {
        if order.is_natural() {
            return Ok(run.clone());
        }
        let key = (head, order.clone());
        if let Some(found) = fresh.sorted.lock().get(&key) {
            return Ok(found.clone());
        }
        let storage = self.base.blobs();
        let mut sorter = Sorter::new(run.width(), SORT_BYTES, std::sync::Arc::new(storage.clone()))?;
        let mut tuples = run.scan(&Bounds::all());
        let mut block = Block::new(run.width());
        while tuples.next(&mut block)? {
            storage.control().check()?;
            let columns = order.columns().iter().map(|c| block.column(usize::from(*c)));
            sorter.push(&columns.collect::<Vec<_>>())?;
        }
        let (mut sorted, _) = sorter.finish()?;
        let mut writer = Writer::new(storage, run.width());
        writer.push_all(&mut sorted)?;
        let sorted = writer.finish()?;
        fresh.sorted.lock().insert(key, sorted.clone());
        Ok(sorted)
    }
}

impl Facts for Layer<'_> {
    fn tables(&self) -> Vec<Table> {
        self.base.tables()
    }

    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        match self.of(relation) {
            None => self.base.scan(relation, order, bounds),
            Some(its) => Ok(Box::new(self.in_order(its, order)?.scan(bounds))),
        }
    }

    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics> {
        let Some((_, _, run)) = self.of(relation) else {
            return self.base.statistics(relation, order, bounds);
        };
        let all = Bounds::all();
        let measure = run.measure(if order.is_natural() { bounds } else { &all })?;
        Ok(Statistics {
            rows: measure.rows,
            bytes: measure.bytes,
            distinct: 0,
        })
    }

    fn has_order(&self, relation: &Relation, order: &Order) -> bool {
        match self.of(relation) {
            None => self.base.has_order(relation, order),
            Some((fresh, head, _)) => {
                order.is_natural() || fresh.sorted.lock().contains_key(&(head, order.clone()))
            }
        }
    }

    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>> {
        match self.of(relation) {
            None => self.base.split(relation, order, parts),
            Some(its) => self.in_order(its, order)?.split(&[], parts),
        }
    }
}
