//! A space of facts in memory, for programs on small graphs and for the read-eval-print loop.
//!
//! Facts without variables and facts with variables are kept apart: a pattern finds the first by a
//! range of their order and, where only a later column is known, by an index of that column, which is
//! made when it is first needed. Those with variables are few, and found by the prefixes that a
//! variable could stand behind.
//!
//! Invariants: an index of a relation holds all of its facts without variables, or does not exist.
//!
//! Deliberately absent: durability, permissions.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
};

use craton_base::{Error, Kind, Result};

use crate::{
    exec::{FactSpace, Goal, Visit},
    term::{self, Item, Part, Term, VARIABLE_BYTES, read, skip},
};

/// A relation with fewer facts than this is read whole.
const INDEX_FROM: usize = 64;
/// How far [`FactSpace::estimate`] counts.
const ESTIMATE_MAX: usize = 256;

/// Facts in memory.
#[derive(Debug, Default)]
pub struct MemorySpace {
    ground: BTreeSet<Term>,
    open: BTreeSet<Term>,
    indexes: RefCell<HashMap<Box<[u8]>, Relation>>,
    others: BTreeMap<Vec<u8>, MemorySpace>,
}

/// The indexes of the facts that begin with the same arity and head: for each column that has one,
/// the column's bytes followed by the whole fact.
#[derive(Debug, Default)]
struct Relation {
    columns: BTreeMap<usize, BTreeSet<Box<[u8]>>>,
}

impl MemorySpace {
    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The facts of a text, program and all.
    pub fn read(text: &[u8]) -> Result<Self> {
        let mut space = Self::new();
        for fact in crate::parse::facts(text)? {
            space.insert(fact)?;
        }
        Ok(space)
    }

    /// How many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ground.len() + self.open.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this very fact is there.
    #[must_use]
    pub fn contains(&self, fact: &Term) -> bool {
        self.ground.contains(fact) || self.open.contains(fact)
    }

    /// All facts in their order.
    pub fn facts(&self) -> impl Iterator<Item = &Term> {
        let (mut ground, mut open) = (self.ground.iter().peekable(), self.open.iter().peekable());
        std::iter::from_fn(move || match (ground.peek(), open.peek()) {
            (Some(one), Some(other)) if one < other => ground.next(),
            (Some(_), None) => ground.next(),
            _ => open.next(),
        })
    }

    /// Gives a program another set of facts under a name.
    pub fn set_other(&mut self, name: &[u8], facts: Self) {
        self.others.insert(name.to_vec(), facts);
    }

    /// The facts that a program knows under a name.
    #[must_use]
    pub fn get_other(&self, name: &[u8]) -> Option<&Self> {
        self.others.get(name)
    }

    fn ground_candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        if goal.is_ground() {
            return if self.ground.contains(goal.instance) {
                visit(goal.instance)
            } else {
                Ok(())
            };
        }
        if let Some((relation, column)) = self.indexed_column(goal) {
            let indexes = self.indexes.borrow();
            let bytes = column.1.bytes(goal.instance);
            let index = indexes
                .get(relation)
                .and_then(|relation| relation.columns.get(&column.0));
            if let Some(index) = index {
                for entry in with_prefix(index, bytes) {
                    visit(entry.get(bytes.len()..).unwrap_or_default())?;
                }
                return Ok(());
            }
        }
        for fact in with_prefix(&self.ground, goal.prefix()) {
            visit(fact.as_bytes())?;
        }
        Ok(())
    }

    /// The relation's prefix and the column to find facts by, where the order of facts does not help.
    fn indexed_column<'g>(&self, goal: &Goal<'g>) -> Option<(&'g [u8], (usize, Part))> {
        let (relation, first) = relation(goal.instance)?;
        // Only the head is known before the first variable.
        if goal.ground != relation.len() {
            return None;
        }
        let column = ground_columns(goal.instance, first)?;
        self.make_index(relation, column.0).then_some((relation, column))
    }

    /// Makes the index of a column unless it is there; false if the relation is too small for one.
    fn make_index(&self, relation: &[u8], column: usize) -> bool {
        let mut indexes = self.indexes.borrow_mut();
        if indexes
            .get(relation)
            .is_some_and(|known| known.columns.contains_key(&column))
        {
            return true;
        }
        if with_prefix(&self.ground, relation).nth(INDEX_FROM).is_none() {
            return false;
        }
        let facts = with_prefix(&self.ground, relation);
        let index = facts.filter_map(|fact| entry(fact.as_bytes(), column)).collect();
        indexes
            .entry(relation.into())
            .or_default()
            .columns
            .insert(column, index);
        true
    }

    /// Brings the indexes of the fact's relation up to date.
    fn reindex(&mut self, fact: &[u8], added: bool) {
        let indexes = self.indexes.get_mut();
        if indexes.is_empty() {
            return;
        }
        let Some(known) = relation(fact).and_then(|(relation, _)| indexes.get_mut(relation)) else {
            return;
        };
        for (column, index) in &mut known.columns {
            let Some(entry) = entry(fact, *column) else {
                continue;
            };
            if added {
                index.insert(entry);
            } else {
                index.remove(&entry);
            }
        }
    }

    fn open_candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let prefix = goal.prefix();
        // Behind each item of the prefix a variable of the fact could stand for the rest.
        let mut at = 0;
        while at < prefix.len() {
            let known = prefix.get(..at).unwrap_or_default();
            let mut bound = known.to_vec();
            bound.push(*VARIABLE_BYTES.start());
            for fact in self
                .open
                .range::<[u8], _>((Bound::Included(&*bound), Bound::Unbounded))
            {
                let bytes = fact.as_bytes();
                match bytes.strip_prefix(known).and_then(<[u8]>::first) {
                    Some(byte) if VARIABLE_BYTES.contains(byte) => visit(bytes)?,
                    _ => break,
                }
            }
            let Some((_, next)) = read(prefix, at) else { break };
            at = next;
        }
        for fact in with_prefix(&self.open, prefix) {
            visit(fact.as_bytes())?;
        }
        Ok(())
    }
}

/// The elements that begin with `prefix`.
fn with_prefix<'a, T>(set: &'a BTreeSet<T>, prefix: &'a [u8]) -> impl Iterator<Item = &'a T>
where
    T: Ord + std::borrow::Borrow<[u8]>,
{
    set.range::<[u8], _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |element| (*element).borrow().starts_with(prefix))
}

/// The bytes of arity and head of a fact that is an expression with a head without variables, and
/// where its second item begins.
fn relation(fact: &[u8]) -> Option<(&[u8], usize)> {
    let (Item::Expression(1..), head) = read(fact, 0)? else {
        return None;
    };
    let end = skip(fact, head)?;
    term::is_ground(fact.get(head..end)?).then_some((fact.get(..end)?, end))
}

/// The first column without a variable at or after `at`, by its number.
fn ground_columns(instance: &[u8], mut at: usize) -> Option<(usize, Part)> {
    let mut number = 1;
    while at < instance.len() {
        let end = skip(instance, at)?;
        if term::is_ground(instance.get(at..end)?) {
            let part = Part {
                start: u32::try_from(at).ok()?,
                end: u32::try_from(end).ok()?,
                seen: 0,
            };
            return Some((number, part));
        }
        at = end;
        number += 1;
    }
    None
}

/// A fact's entry in the index of a column.
fn entry(fact: &[u8], column: usize) -> Option<Box<[u8]>> {
    let (Item::Expression(_), mut at) = read(fact, 0)? else {
        return None;
    };
    for _ in 0..column {
        at = skip(fact, at)?;
    }
    let end = skip(fact, at)?;
    let mut entry = fact.get(at..end)?.to_vec();
    entry.extend_from_slice(fact);
    Some(entry.into())
}

impl FactSpace for MemorySpace {
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        self.ground_candidates(goal, visit)?;
        self.open_candidates(goal, visit)
    }

    fn estimate(&self, goal: &Goal<'_>) -> u64 {
        let ground = with_prefix(&self.ground, goal.prefix())
            .take(ESTIMATE_MAX)
            .count();
        ground as u64 + self.open.len().min(ESTIMATE_MAX) as u64 / 8
    }

    fn first(&self, prefix: &[u8]) -> Result<Option<Term>> {
        let ground = with_prefix(&self.ground, prefix).next();
        let open = with_prefix(&self.open, prefix).next();
        Ok(match (ground, open) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
        .cloned())
    }

    fn insert(&mut self, fact: Term) -> Result<bool> {
        if !fact.is_ground() {
            return Ok(self.open.insert(fact));
        }
        if self.ground.contains(&fact) {
            return Ok(false);
        }
        self.reindex(fact.as_bytes(), true);
        Ok(self.ground.insert(fact))
    }

    fn remove(&mut self, fact: &Term) -> Result<bool> {
        if self.open.remove(fact) {
            return Ok(true);
        }
        let there = self.ground.remove(fact);
        if there {
            self.reindex(fact.as_bytes(), false);
        }
        Ok(there)
    }

    fn other(&self, name: &[u8]) -> Result<&dyn FactSpace> {
        match self.others.get(name) {
            Some(other) => Ok(other),
            None => Err(Error::new(
                Kind::NotFound,
                "NoSuchGraph",
                format!(
                    "the program names the graph {}, which is not at hand",
                    String::from_utf8_lossy(name)
                ),
            )),
        }
    }

    fn write_other(&mut self, name: &[u8], facts: Vec<Term>) -> Result<()> {
        let mut other = Self::new();
        for fact in facts {
            other.insert(fact)?;
        }
        self.others.insert(name.to_vec(), other);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
