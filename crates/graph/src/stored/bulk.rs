//! Steps of programs as joins: where a rule is flat ([`crate::exec::flat`]) and reads many facts, they are read and written as columns.
//!
//! Patterns that look at `exec` facts are matched first, in memory; what they bind is put into the rule. Results are gathered before
//! anything changes: additions come first, then removals, as in a step that runs match by match.
//!
//! Deliberately absent: steps on few facts, for which writing runs costs more than it saves.

use std::sync::Arc;

use craton_base::{Error, Result};

use super::{StoredSpace, find, reduce};
use crate::{
    Bounds, Facts as _, Order, Relation, Shape, Table,
    exec::{
        FactSpace, Goal, Report, Rule, Source, Visit,
        flat::{Cell, Does, Flat, meets, specialise},
    },
    join::{Query, Resources},
    load::runs_of,
    term::{self, Item, Term, Writer},
    transform::transform,
    writer::Delta,
};

/// Patterns over fewer facts than this are matched one by one.
pub(super) const ROWS_MIN: u64 = 20_000;

/// What a step makes.
#[derive(Default)]
struct Made {
    adds: Vec<Delta>,
    removes: Vec<Delta>,
    once: Vec<(Does, Term)>,
}

/// Runs a step as joins, if it can be; whether it did.
pub(super) fn step(space: &mut StoredSpace, rule: &Rule, report: &mut Report) -> Result<bool> {
    if space.base.rows().saturating_add(space.added.len() as u64) < space.joins_from {
        return Ok(false);
    }
    let Some(flats) = flat(space, rule)? else {
        return Ok(false);
    };
    if flats.iter().map(|f| rows(space, f)).sum::<Result<u64>>()? < space.joins_from {
        return Ok(false);
    }
    space.flush()?;
    write_constants(space, &flats)?;
    let mut made = Made::default();
    for flat in &flats {
        run(space, flat, report, &mut made)?;
        for reduction in &flat.reduces {
            if let Some(delta) = reduce::run(space, flat, reduction)? {
                report.added = report.added.saturating_add(rows_of(&delta));
                made.adds.push(delta);
            }
        }
    }
    space.remove(&rule.exec)?;
    apply(space, made, report)?;
    Ok(true)
}

/// The flat rules that a rule comes to; `None` if it is not flat, or a fact with variables could match.
fn flat(space: &StoredSpace, rule: &Rule) -> Result<Option<Vec<Flat>>> {
    let control = space.base.blobs().control().clone();
    let (mut left, mut out) = (vec![rule.clone()], Vec::new());
    while let Some(rule) = left.pop() {
        if let Some(number) = rule.sources.iter().position(|s| is_about_execs(&rule, s)) {
            left.extend(specialise(&rule, number, &space.added, &control)?);
            continue;
        }
        let Some(flat) = Flat::of(&rule) else {
            return Ok(None);
        };
        let is_plain = |cell: Option<&Cell>| matches!(cell, Some(Cell::Constant(head)) if !is_exec(head));
        let made = flat.outputs.iter().map(|(_, cells)| cells.first());
        let reduced = flat
            .reduces
            .iter()
            .map(|r| r.template.first().and_then(Option::as_ref));
        if !made.chain(reduced).all(is_plain) || meets(&rule, &Open(space))? {
            return Ok(None);
        }
        out.push(flat);
    }
    // The groups of several rules would have to be put together.
    let apart = out.len() > 1 && out.iter().any(|f| !f.reduces.is_empty());
    Ok((!apart).then_some(out))
}

fn is_exec(encoded: &[u8]) -> bool {
    matches!(term::read(encoded, 0), Some((Item::Symbol(b"exec"), _)))
}

fn is_about_execs(rule: &Rule, source: &Source) -> bool {
    let Source::Space(part) = source else { return false };
    let bytes = rule.exec.as_bytes();
    let items = term::parts(bytes, *part).unwrap_or_default();
    items.len() == 4 && items.first().is_some_and(|head| is_exec(head.bytes(bytes)))
}

/// How many facts the patterns read, at most.
fn rows(space: &StoredSpace, flat: &Flat) -> Result<u64> {
    let mut sum = space.added.len() as u64;
    let facts = flat.patterns.iter().filter(|p| p.table.shape == Shape::Fact);
    for pattern in facts {
        if let Some(Cell::Constant(head)) = pattern.cells.first()
            && let Some(head) = find::ground_id(&space.base, head)?
        {
            let relation = Relation::whole(pattern.table);
            let (order, bounds) = (
                Order::natural(pattern.table.width()),
                Bounds::prefix(vec![head.0]),
            );
            sum = sum.saturating_add(space.base.statistics(&relation, &order, &bounds)?.rows);
        }
    }
    Ok(sum)
}

/// Makes sure that every constant of a template has an id: facts that hold them are written, and thrown away.
fn write_constants(space: &mut StoredSpace, flats: &[Flat]) -> Result<()> {
    let outputs = flats.iter().flat_map(|f| &f.outputs).flat_map(|(_, cells)| cells);
    let reduces = flats.iter().flat_map(|f| &f.reduces);
    let mut facts = Vec::new();
    for cell in outputs.chain(reduces.flat_map(|r| r.template.iter().flatten())) {
        if let Cell::Constant(constant) = cell {
            let mut writer = Writer::default();
            writer.expression(1)?;
            writer.ground(constant)?;
            facts.push(writer.finish());
        }
    }
    runs_of(&space.writer, facts.iter())?;
    space.base.refresh(&space.writer)
}

/// The query of a flat rule; `None` if nothing matches.
pub(super) fn query(space: &StoredSpace, flat: &Flat) -> Result<Option<Query>> {
    for fact in &flat.present {
        let stored = || Ok::<_, Error>(!space.removed.contains(fact) && space.in_base(fact)?);
        if !space.added.contains(fact) && !stored()? {
            return Ok(None);
        }
    }
    let names = &space.base;
    flat.query(&mut |term| find::ground_id(names, term), &mut |term| {
        made_id(space, term)
    })
}

/// The id of a constant that was written.
pub(super) fn made_id(space: &StoredSpace, term: &[u8]) -> Result<crate::Id> {
    find::ground_id(&space.base, term)?
        .ok_or_else(|| Error::internal("a constant that was written has no id"))
}

/// Tuples that a delta adds.
fn rows_of(delta: &Delta) -> u64 {
    delta.adds.iter().map(|(_, run)| run.rows()).sum()
}

/// Answers one flat rule.
fn run(space: &StoredSpace, flat: &Flat, report: &mut Report, made: &mut Made) -> Result<()> {
    let Some(query) = query(space, flat)? else {
        return Ok(());
    };
    let mut matched = 0u64;
    if flat.outputs.is_empty() && (flat.reduces.is_empty() || !flat.once.is_empty()) {
        matched = answer(space, &query, &[Table::atoms(false)])?.1;
    }
    for does in [Does::Add, Does::Remove] {
        let outputs = query.outputs.iter().zip(&flat.outputs);
        let outputs: Vec<_> = outputs
            .filter(|(_, (d, _))| *d == does)
            .map(|(o, _)| o.clone())
            .collect();
        if outputs.is_empty() {
            continue;
        }
        let tables: Vec<Table> = outputs.iter().map(|o| Table::facts(o.len())).collect();
        let query = Query {
            outputs,
            ..query.clone()
        };
        let (runs, rows) = answer(space, &query, &tables)?;
        matched = matched.saturating_add(rows);
        match does {
            Does::Add => {
                report.added = report.added.saturating_add(rows);
                made.adds.push(Delta {
                    adds: runs,
                    removes: Vec::new(),
                });
            }
            Does::Remove => {
                report.removed = report.removed.saturating_add(rows);
                made.removes.push(Delta {
                    adds: Vec::new(),
                    removes: runs,
                });
            }
        }
    }
    if matched > 0 {
        made.once.extend(flat.once.iter().cloned());
    }
    Ok(())
}

pub(super) type Runs = Vec<(Table, crate::run::Run)>;

pub(super) fn answer(space: &StoredSpace, query: &Query, tables: &[Table]) -> Result<(Runs, u64)> {
    let resources = Resources {
        memory: space.memory,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        storage: Arc::new(space.base.blobs().clone()),
        control: space.base.blobs().control().clone(),
    };
    let made = transform(query, tables, &space.base, &resources)?;
    let rows: u64 = made.runs.iter().map(|(_, run)| run.rows()).sum();
    resources.control.made_facts(rows)?;
    Ok((made.runs, rows))
}

/// Makes the changes: additions, then removals.
fn apply(space: &mut StoredSpace, made: Made, report: &mut Report) -> Result<()> {
    made.adds.into_iter().try_for_each(|delta| space.take(delta))?;
    let (adds, removes): (Vec<_>, Vec<_>) = made.once.into_iter().partition(|(does, _)| *does == Does::Add);
    for (_, fact) in adds {
        report.added = report.added.saturating_add(u64::from(space.insert(fact)?));
    }
    if !made.removes.is_empty() {
        // What is removed may be in memory since a moment ago.
        space.flush()?;
    }
    made.removes.into_iter().try_for_each(|delta| space.take(delta))?;
    for (_, fact) in removes {
        report.removed = report.removed.saturating_add(u64::from(space.remove(&fact)?));
    }
    Ok(())
}

/// The facts with variables of a space, but for `exec` facts: those are matched on their own.
struct Open<'a>(&'a StoredSpace);

impl FactSpace for Open<'_> {
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        let space = self.0;
        let tables = space.base.tables().into_iter();
        for table in tables.filter(|t| t.open && t.shape != Shape::Expression) {
            find::whole(
                &space.base,
                table,
                &mut |fact| match space.removed.contains(fact) {
                    true => Ok(()),
                    false => visit(fact),
                },
            )?;
        }
        space
            .added
            .candidates(goal, &mut |fact| match term::is_ground(fact) {
                true => Ok(()),
                false => visit(fact),
            })
    }

    fn estimate(&self, _: &Goal<'_>) -> u64 {
        0
    }

    fn first(&self, _: &[u8]) -> Result<Option<Term>> {
        Ok(None)
    }

    fn insert(&mut self, _: Term) -> Result<bool> {
        Err(Error::internal("this space is only read"))
    }

    fn remove(&mut self, _: &Term) -> Result<bool> {
        Err(Error::internal("this space is only read"))
    }
}
