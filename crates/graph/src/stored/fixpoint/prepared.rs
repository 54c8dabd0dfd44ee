//! A rule as its rounds run it: its patterns in their flat form, and what of it is a join alone.
//!
//! Deliberately absent: rounds.

use std::collections::BTreeSet;

use craton_base::{Error, Result};

use super::{Failures, Found, rows, rows::Making};
use crate::{
    Id, Shape, Table,
    exec::flat::{Cell, Does, Flat},
    join::{Query, Slot},
    load::runs_of,
    rules::{Best, Build, Checked, Head, Step, wrong},
    run::Run,
    snapshot::Snapshot,
    stored::{StoredSpace, bulk, find},
    term::{Term, Writer},
};

/// A rule to be run.
pub(super) struct Prepared<'a> {
    pub(super) rule: &'a Checked,
    /// Its patterns; and its templates, if it is direct.
    pub(super) flat: Flat,
    /// Templates that are facts as they stand.
    pub(super) once: Vec<Term>,
    /// The others.
    pub(super) heads: Vec<&'a Head>,
    /// Whether the rows of the join are the facts.
    pub(super) direct: bool,
    /// Facts that must not be there for any match.
    absent: Vec<Term>,
}

/// The fact of items without variables.
fn fact(items: &[Build]) -> Result<Option<Term>> {
    let mut writer = Writer::default();
    writer.expression(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
    for item in items {
        match item {
            Build::Constant(bytes) => writer.ground(bytes)?,
            _ => return Ok(None),
        }
    }
    Ok(Some(writer.finish()))
}

/// The columns of a template, if they are constants and variables of the patterns.
fn cells(head: &Head, flat: &Flat) -> Option<Vec<Cell>> {
    let Head::Add(items) = head else { return None };
    let cell = |item: &Build| match item {
        Build::Constant(term) => Some(Cell::Constant(term.clone())),
        Build::Variable(variable) if flat.binds(u32::from(*variable)) => Some(Cell::Variable(*variable)),
        _ => None,
    };
    items.iter().map(cell).collect()
}

impl<'a> Prepared<'a> {
    /// Takes a rule apart.
    pub(super) fn of(rule: &'a Checked) -> Result<Self> {
        let flat = Flat::patterns(&rule.patterns);
        let mut flat = flat.ok_or_else(|| wrong(&rule.label, "its patterns have no flat form"))?;
        let (mut once, mut heads, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for head in &rule.heads {
            match head {
                Head::Add(items) => match fact(items)? {
                    Some(fact) => once.push(fact),
                    None => heads.push(head),
                },
                _ => heads.push(head),
            }
        }
        for step in rule.steps.iter().filter(|step| !rows::is_of_rows(step)) {
            if let Step::Absent(items) = step {
                absent.extend(fact(items)?);
            }
        }
        let outputs: Option<Vec<Vec<Cell>>> = heads.iter().map(|head| cells(head, &flat)).collect();
        let outputs = outputs.filter(|_| rows::steps(rule).next().is_none());
        let direct = outputs.is_some();
        flat.outputs = outputs
            .unwrap_or_default()
            .into_iter()
            .map(|cells| (Does::Add, cells))
            .collect();
        Ok(Self {
            rule,
            flat,
            once,
            heads,
            direct,
            absent,
        })
    }

    /// Whether no fact is there that must not be for any match.
    pub(super) fn may_hold(&self, base: &Snapshot) -> Result<bool> {
        for fact in &self.absent {
            if let Some((table, tuple)) = find::tuple_of(base, fact.as_bytes())?
                && base.contains(table, &tuple)?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The query for what of the matches is needed, and the tables of its outputs.
    pub(super) fn wanting(&self, query: Query) -> (Query, Vec<Table>) {
        let only_matches = vec![Table::atoms(false)];
        if self.direct {
            let facts = self
                .flat
                .outputs
                .iter()
                .map(|(_, cells)| Table::facts(cells.len()));
            return match self.heads.is_empty() {
                true => (query, only_matches),
                false => (query, facts.collect()),
            };
        }
        let variables = rows::variables(self.rule);
        if variables.is_empty() {
            return (query, only_matches);
        }
        let width = variables.len();
        let outputs = vec![variables.into_iter().map(Slot::Variable).collect()];
        (Query { outputs, ..query }, vec![Table::facts(width)])
    }

    /// Decides row by row, and adds what the heads make of those that pass; whether any does.
    pub(super) fn pass(
        &self,
        making: &Making<'_>,
        runs: &[(Table, Run)],
        space: &StoredSpace,
        (found, failures): (&mut Found<'a>, &mut Failures),
    ) -> Result<bool> {
        let (made, holds) = rows::pass(making, self.rule, &self.heads, runs, failures)?;
        for (head, run) in self.heads.iter().zip(made) {
            match head {
                Head::Add(items) => found
                    .facts
                    .entry(Table::facts(items.len()))
                    .or_default()
                    .push(run),
                Head::Keep(_, items) => {
                    let Some(Build::Constant(head)) = items.first() else {
                        return Err(Error::internal("a template of a rule has no head"));
                    };
                    let key = (Table::facts(items.len()), bulk::made_id(space, head)?);
                    found.best.entry(key).or_default().push(run);
                }
                Head::Reduce(reduce) => found.groups.push((self.rule, reduce, run)),
            }
        }
        Ok(holds)
    }

    /// The relations of which it makes the best facts: tables, encoded heads, and which are kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = (Table, &[u8], Best)> {
        self.heads.iter().filter_map(|head| match head {
            Head::Keep(best, items) => match items.first() {
                Some(Build::Constant(first)) => Some((Table::facts(items.len()), first.as_ref(), *best)),
                _ => None,
            },
            _ => None,
        })
    }

    /// Adds the relations that its patterns read.
    pub(super) fn reads(&self, names: &Snapshot, out: &mut BTreeSet<(Table, Id)>) -> Result<()> {
        let facts = self.flat.patterns.iter().filter(|p| p.table.shape == Shape::Fact);
        for pattern in facts {
            if let Some(Cell::Constant(head)) = pattern.cells.first()
                && let Some(head) = find::ground_id(names, head)?
            {
                out.insert((pattern.table, head));
            }
        }
        for fact in &self.flat.present {
            if let Some((table, tuple)) = find::tuple_of(names, fact.as_bytes())?
                && let Some(head) = tuple.first()
                && table.width() > 1
            {
                out.insert((table, Id(*head)));
            }
        }
        Ok(())
    }
}

/// Makes sure that every constant of a template has an id: facts that hold them are written, and thrown away.
pub(super) fn write_constants(space: &mut StoredSpace, rules: &[Checked]) -> Result<()> {
    let mut facts = Vec::new();
    let heads = rules.iter().flat_map(|rule| &rule.heads);
    for build in heads.flat_map(Head::built) {
        constants(build, &mut facts)?;
    }
    runs_of(&space.writer, facts.iter())?;
    space.base.refresh(&space.writer)
}

fn constants(build: &Build, facts: &mut Vec<Term>) -> Result<()> {
    match build {
        Build::Constant(constant) => {
            let mut writer = Writer::default();
            writer.expression(1)?;
            writer.ground(constant)?;
            facts.push(writer.finish());
        }
        Build::Expression(items) => items.iter().try_for_each(|item| constants(item, facts))?,
        Build::Variable(_) | Build::Value(_) => {}
    }
    Ok(())
}
