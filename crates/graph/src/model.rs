//! A model: facts and names in ordered sets in memory. What tests compare with, and what the language runs on in them.
//!
//! Deliberately absent: speed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use craton_base::{Error, Kind, Result};
use parking_lot::Mutex;

use crate::{
    Bounds, Facts, Form, Id, Names, NewNames, Order, Relation, Statistics, Table, Tuples,
    sink::{Builder, Maker},
    tuples::InMemory,
};

/// A graph in memory. Clones are the same.
#[derive(Clone, Default)]
pub struct Model {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    symbols: Vec<Box<[u8]>>,
    by_text: BTreeMap<Box<[u8]>, Id>,
    expressions: BTreeMap<Id, Vec<Id>>,
    by_items: BTreeMap<Vec<Id>, Id>,
    tables: BTreeMap<Table, BTreeSet<Vec<u64>>>,
}

impl Model {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What parsers push into: facts go into this model.
    #[must_use]
    pub fn builder(&self) -> Builder<Self> {
        Builder::new(self.clone())
    }

    /// Adds a fact. Whether it is new.
    pub fn add(&self, table: Table, tuple: &[u64]) -> bool {
        self.shared
            .lock()
            .tables
            .entry(table)
            .or_default()
            .insert(tuple.to_vec())
    }

    /// Removes a fact. Whether it was there.
    pub fn remove(&self, table: Table, tuple: &[u64]) -> bool {
        let mut state = self.shared.lock();
        state.tables.get_mut(&table).is_some_and(|t| t.remove(tuple))
    }

    /// All facts of a table.
    #[must_use]
    pub fn facts(&self, table: Table) -> Vec<Vec<u64>> {
        let state = self.shared.lock();
        state
            .tables
            .get(&table)
            .map(|t| t.iter().cloned().collect())
            .unwrap_or_default()
    }

    fn rows(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Vec<Vec<u64>> {
        let state = self.shared.lock();
        let mut out: Vec<Vec<u64>> = Vec::new();
        for tuple in state.tables.get(&relation.table).into_iter().flatten() {
            let columns = match (relation.head, tuple.split_first()) {
                (None, _) => tuple.as_slice(),
                (Some(head), Some((first, rest))) if *first == head.0 => rest,
                _ => continue,
            };
            let row: Vec<u64> = order
                .columns()
                .iter()
                .filter_map(|c| columns.get(usize::from(*c)).copied())
                .collect();
            let after = row.get(bounds.prefix.len());
            if row.starts_with(&bounds.prefix)
                && after.is_none_or(|v| (bounds.least..=bounds.most).contains(v))
            {
                out.push(row);
            }
        }
        out.sort_unstable();
        out
    }
}

impl Facts for Model {
    fn tables(&self) -> Vec<Table> {
        let state = self.shared.lock();
        state
            .tables
            .iter()
            .filter(|(_, t)| !t.is_empty())
            .map(|(table, _)| *table)
            .collect()
    }

    fn scan(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Box<dyn Tuples>> {
        let rows = self.rows(relation, order, bounds);
        Ok(Box::new(InMemory::new(relation.width(), Arc::new(rows.concat()))))
    }

    fn statistics(&self, relation: &Relation, order: &Order, bounds: &Bounds) -> Result<Statistics> {
        let rows = self.rows(relation, order, bounds);
        let firsts: BTreeSet<_> = rows.iter().filter_map(|r| r.first()).collect();
        Ok(Statistics {
            rows: rows.len() as u64,
            bytes: (rows.len() as u64)
                .saturating_mul(8)
                .saturating_mul(relation.width() as u64),
            distinct: firsts.len() as u64,
        })
    }

    fn has_order(&self, _: &Relation, _: &Order) -> bool {
        true
    }

    fn split(&self, relation: &Relation, order: &Order, parts: usize) -> Result<Vec<u64>> {
        let rows = self.rows(relation, order, &Bounds::all());
        let firsts: BTreeSet<u64> = rows.iter().filter_map(|r| r.first().copied()).collect();
        let step = firsts.len().div_ceil(parts.max(1)).max(1);
        Ok(firsts.into_iter().step_by(step).skip(1).collect())
    }
}

impl Names for Model {
    fn symbol(&self, text: &[u8]) -> Result<Option<Id>> {
        if let Some(id) = Id::of_text(text) {
            return Ok(Some(id));
        }
        Ok(self.shared.lock().by_text.get(text).copied())
    }

    fn expression(&self, items: &[Id]) -> Result<Option<Id>> {
        Ok(self.shared.lock().by_items.get(items).copied())
    }

    fn text(&self, id: Id, out: &mut Vec<u8>) -> Result<()> {
        match id.form() {
            Some(Form::Integer(value)) => out.extend_from_slice(value.to_string().as_bytes()),
            Some(Form::Symbol(number)) => {
                let state = self.shared.lock();
                let text = usize::try_from(number).ok().and_then(|n| state.symbols.get(n));
                out.extend_from_slice(text.ok_or_else(|| unknown(id))?);
            }
            _ => return Err(Error::invalid(format!("{id:?} is no symbol"))),
        }
        Ok(())
    }

    fn items(&self, id: Id, out: &mut Vec<Id>) -> Result<()> {
        let state = self.shared.lock();
        out.extend_from_slice(state.expressions.get(&id).ok_or_else(|| unknown(id))?);
        Ok(())
    }
}

impl NewNames for Model {
    fn make_symbol(&self, text: &[u8]) -> Result<Id> {
        if let Some(id) = self.symbol(text)? {
            return Ok(id);
        }
        let mut state = self.shared.lock();
        let id = Id::symbol(state.symbols.len() as u64);
        state.symbols.push(text.into());
        state.by_text.insert(text.into(), id);
        Ok(id)
    }

    fn make_expression(&self, items: &[Id]) -> Result<Id> {
        if let Some(id) = self.expression(items)? {
            return Ok(id);
        }
        let mut state = self.shared.lock();
        let open = items.iter().any(|i| i.has_variables());
        let id = Id::expression(items.len(), state.expressions.len() as u64, open);
        let id = id.ok_or_else(|| Error::new(Kind::TooLarge, "TooWide", "an expression is too wide"))?;
        state.expressions.insert(id, items.to_vec());
        state.by_items.insert(items.to_vec(), id);
        let tuple = std::iter::once(id.0).chain(items.iter().map(|i| i.0)).collect();
        let table = Table::expressions(items.len(), open);
        state.tables.entry(table).or_default().insert(tuple);
        Ok(id)
    }
}

impl Maker for Model {
    fn symbol(&mut self, text: &[u8]) -> Result<Id> {
        self.make_symbol(text)
    }

    fn expression(&mut self, items: &[u64]) -> Result<Id> {
        let items: Vec<Id> = items.iter().copied().map(Id).collect();
        self.make_expression(&items)
    }

    fn fact(&mut self, table: Table, tuple: &[u64]) -> Result<()> {
        self.add(table, tuple);
        Ok(())
    }
}

fn unknown(id: Id) -> Error {
    Error::corrupt(format!("the graph has no {id:?}"))
}
