//! A snapshot and beside it the relations that a query made: what its joins read.
//!
//! A relation that was made has an id in the place of its head that stands for no name of any graph.
//!
//! Deliberately absent: making them.

use std::{collections::HashMap, sync::Arc};

use craton_base::Result;
use craton_graph::{
    Block, Bounds, Facts, Form, Id, Order, Relation, Sorter, Statistics, Storage, Table, Tuples,
    join::Atom,
    merge::{Input, union},
    run::{Run, Writer},
    snapshot::Snapshot,
};

use super::rows::Rows;

/// Bytes that sorting into another order may hold.
const SORT_BYTES: u64 = 16 << 20;

/// A snapshot and relations that were made.
pub(super) struct Overlay<'a> {
    base: &'a Snapshot,
    storage: Arc<dyn Storage>,
    made: Vec<&'a Rows>,
    sorted: std::sync::Mutex<HashMap<(usize, Order), Run>>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(base: &'a Snapshot, storage: &Arc<dyn Storage>) -> Self {
        Self {
            base,
            storage: Arc::clone(storage),
            made: Vec::new(),
            sorted: std::sync::Mutex::default(),
        }
    }

    /// Adds a relation; the pattern that gives its rows.
    pub(super) fn add(&mut self, rows: &'a Rows) -> Atom {
        let head = Id::fresh(self.made.len() as u64, false);
        self.made.push(rows);
        Atom {
            relation: Relation::with_head(head, rows.variables.len()),
            slots: rows
                .variables
                .iter()
                .map(|v| craton_graph::join::Slot::Variable(*v))
                .collect(),
        }
    }

    fn of(&self, relation: &Relation) -> Option<(usize, &'a Rows)> {
        match relation.head?.form() {
            Some(Form::Fresh(place)) => {
                let place = usize::try_from(place).ok()?;
                Some((place, *self.made.get(place)?))
            }
            _ => None,
        }
    }

    fn in_order(&self, (place, rows): (usize, &Rows), order: &Order) -> Result<Run> {
        let key = (place, order.clone());
        let lock = || {
            self.sorted
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        if let Some(found) = lock().get(&key) {
            return Ok(found.clone());
        }
        let width = rows.variables.len();
        let mut sorter = Sorter::new(width, SORT_BYTES, Arc::clone(&self.storage))?;
        let (mut tuples, mut block) = (rows.scan(), Block::new(width));
        while tuples.next(&mut block)? {
            self.base.blobs().control().check()?;
            let columns = order.columns().iter().map(|c| block.column(usize::from(*c)));
            sorter.push(&columns.collect::<Vec<_>>())?;
        }
        let (mut sorted, _) = sorter.finish()?;
        let mut writer = Writer::new(&*self.storage, width);
        writer.push_all(&mut sorted)?;
        let run = writer.finish()?;
        lock().insert(key, run.clone());
        Ok(run)
    }
}

impl Facts for Overlay<'_> {
    fn tables(&self) -> Vec<Table> {
        self.base.tables()
    }

    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        match self.of(relation) {
            None => self.base.scan(relation, order, bounds),
            Some((_, rows)) if order.is_natural() => {
                let inputs = rows
                    .runs
                    .iter()
                    .map(|run| Input::adds(Box::new(run.scan(bounds))));
                Ok(union(relation.width(), inputs.collect()))
            }
            Some(its) => Ok(Box::new(self.in_order(its, order)?.scan(bounds))),
        }
    }

    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics> {
        let Some((_, rows)) = self.of(relation) else {
            return self.base.statistics(relation, order, bounds);
        };
        let all = Bounds::all();
        let mut out = Statistics::default();
        for run in &rows.runs {
            let measure = run.measure(if order.is_natural() { bounds } else { &all })?;
            out.rows = out.rows.saturating_add(measure.rows);
            out.bytes = out.bytes.saturating_add(measure.bytes);
        }
        Ok(out)
    }

    fn has_order(&self, relation: &Relation, order: &Order) -> bool {
        match self.of(relation) {
            None => self.base.has_order(relation, order),
            Some(_) => order.is_natural(),
        }
    }

    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>> {
        match self.of(relation) {
            None => self.base.split(relation, order, parts),
            Some((_, rows)) if order.is_natural() => match rows.runs.first() {
                Some(run) => run.split(&[], parts),
                None => Ok(Vec::new()),
            },
            Some(its) => self.in_order(its, order)?.split(&[], parts),
        }
    }
}
