//! Rules on a stored graph, round by round until a round finds nothing new.
//!
//! ```text
//! first round: every rule over everything ─▶ what is not there yet ─▶ the new facts, a run for each table
//!        ▲                                                                  │
//!        └── each rule once for each of its patterns that new facts match: ─┘
//!            that pattern over the new facts only, the others over everything (semi-naive evaluation)
//! ```
//!
//! Layer by layer: what a rule denies is complete when its layer begins ([`crate::rules`]), so a condition is decided once, on the rows that
//! the patterns give ([`filter`]).
//!
//! A round's joins read runs and write runs, as a program's steps do; what is new is told by one pass over the results and the graph's own
//! tuples beside each other, which passes over the blocks of the graph that no result lies in.
//!
//! Invariants
//! - FX-1: a fact is new in one round only, so rounds come to an end;
//! - FX-2: whenever all patterns of a rule match, the last of these facts to come was new in some round, and in the round after it the match
//!   was found: so nothing is missed.
//!
//! Deliberately absent: what rules are and whether they can be run ([`crate::rules`]); permits, commits.

use std::collections::{BTreeMap, BTreeSet};

use craton_base::{Error, Kind, Result};

use super::{StoredSpace, bulk, find};
use crate::{
    Block, Bounds, Facts as _, Id, Order, Relation, Shape, Storage, Table, Tuples,
    exec::{
        Rule,
        flat::{Cell, Does, Flat, meets},
    },
    join::{Query, Slot},
    levels,
    load::runs_of,
    manifest::FactsManifest,
    merge::{Input, union},
    rules::{Checked, Rules, wrong},
    run::{Run, Writer},
    snapshot::WithoutHead,
    term::Term,
    transform::transform,
    writer::Delta,
};

mod filter;
mod fresh;

use filter::Filtered;
use fresh::{Fresh, Layer};

/// What a run of rules did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How often the rules were run over what was new; the last time found nothing.
    pub rounds: u64,
    /// How many facts they added.
    pub added: u64,
}

/// Runs of facts by table.
type Runs = BTreeMap<Table, Vec<Run>>;

/// Runs rules to their least fixpoint over the facts of the space. Blocks.
///
/// # Errors
/// `Invalid`, `BadRule` if a fact with variables matches a pattern; limits and cancelling; the store's own.
pub fn run(space: &mut StoredSpace, rules: &Rules) -> Result<Report> {
    let mut report = Report::default();
    for layer in &rules.layers {
        run_layer(space, layer, &mut report)?;
    }
    Ok(report)
}

fn run_layer(space: &mut StoredSpace, rules: &[Checked], report: &mut Report) -> Result<()> {
    let mut fixpoint = Fixpoint::new(space, rules)?;
    let control = fixpoint.space.base.blobs().control().clone();
    let mut fresh = None;
    loop {
        control.check()?;
        report.rounds = report.rounds.saturating_add(1);
        control.at_step(report.rounds);
        let found = fixpoint.round(fresh.as_ref())?;
        let new = fixpoint.only_new(&found)?;
        if new.is_empty() {
            break;
        }
        let rows = new.values().map(Run::rows).sum();
        report.added = report.added.saturating_add(rows);
        // First, for it may have brought names that patterns have.
        fixpoint.take(&new)?;
        fresh = Some(fixpoint.fresh(&new)?);
    }
    fixpoint.end();
    Ok(())
}

struct Fixpoint<'a> {
    space: &'a mut StoredSpace,
    flats: Vec<Filtered>,
    /// The facts before the first round.
    start: FactsManifest,
    /// What was added since.
    derived: Runs,
}

impl<'a> Fixpoint<'a> {
    fn new(space: &'a mut StoredSpace, rules: &[Checked]) -> Result<Self> {
        space.flush()?;
        let (mut flats, mut whole) = (Vec::with_capacity(rules.len()), Vec::with_capacity(rules.len()));
        for rule in rules {
            // What it denies is among the patterns of this one.
            let read = Rule::read(rule.touches.clone())?;
            if meets(&read, &bulk::Open(space))? {
                let what = "a fact with variables matches a pattern, which rules do not look at";
                return Err(wrong(&read.exec, what));
            }
            flats.push(Filtered::of(rule)?);
            // With what its conditions are about.
            whole.extend(Flat::of(&rule.rule));
        }
        bulk::write_constants(space, whole.iter())?;
        let start = space.base.manifest().clone();
        Ok(Self {
            space,
            flats,
            start,
            derived: Runs::new(),
        })
    }

    /// What the rules find: from all facts, or only what is found by new ones.
    fn round(&self, fresh: Option<&Fresh>) -> Result<Runs> {
        let mut found = Runs::new();
        for rule in &self.flats {
            let Some(query) = bulk::query(self.space, &rule.flat)? else {
                continue;
            };
            if !rule.may_hold(&self.space.base)? {
                continue;
            }
            for query in self.variants(&rule.flat, query, fresh)? {
                self.answer(rule, query, fresh, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The query, or those with one of its patterns over new facts.
    fn variants(&self, flat: &Flat, query: Query, fresh: Option<&Fresh>) -> Result<Vec<Query>> {
        let Some(fresh) = fresh else {
            return Ok(vec![query]);
        };
        for fact in &flat.present {
            // A fact that has to be there may be the one that came last.
            let tuple = find::tuple_of(&self.space.base, fact.as_bytes())?;
            let head = tuple.and_then(|(table, tuple)| Some((table, Id(*tuple.first()?))));
            if head.is_some_and(|(table, head)| fresh.stand_in(table, head).is_some()) {
                return Ok(vec![query]);
            }
        }
        let mut out = Vec::new();
        for at in 0..query.atoms.len() {
            let mut variant = query.clone();
            if let Some(atom) = variant.atoms.get_mut(at)
                && let Some(head) = atom.relation.head
                && let Some(stand_in) = fresh.stand_in(atom.relation.table, head)
            {
                atom.relation.head = Some(stand_in);
                out.push(variant);
            }
        }
        Ok(out)
    }

    fn answer(&self, rule: &Filtered, query: Query, fresh: Option<&Fresh>, found: &mut Runs) -> Result<()> {
        let flat = &rule.flat;
        let resources = bulk::resources(self.space, 1);
        let layer = Layer::new(&self.space.base, fresh);
        let facts = flat.outputs.iter().map(|(_, cells)| Table::facts(cells.len()));
        let (query, tables): (Query, Vec<Table>) = match (rule.variables(), flat.outputs.is_empty()) {
            (Some(variables), _) => (wanting(query, variables), vec![Table::facts(variables.len())]),
            (None, true) => (query, vec![Table::atoms(false)]),
            (None, false) => (query, facts.collect()),
        };
        let mut runs = transform(&query, &tables, &layer, &resources)?.runs;
        let rows: u64 = runs.iter().map(|(_, run)| run.rows()).sum();
        resources.control.made_facts(rows)?;
        let mut holds = rows > 0;
        if rule.variables().is_some() {
            (runs, holds) = rule.pass(&self.space.base, &runs)?;
        }
        if !holds {
            return Ok(());
        }
        let adds = flat.once.iter().filter(|(does, _)| *does == Does::Add);
        let once: Vec<&Term> = adds.map(|(_, fact)| fact).collect();
        let once = match once.is_empty() {
            true => Vec::new(),
            false => runs_of(&self.space.writer, once.into_iter())?,
        };
        let kept = runs.into_iter().filter(|_| !flat.outputs.is_empty());
        for (table, run) in kept.chain(once) {
            found.entry(table).or_default().push(run);
        }
        Ok(())
    }

    /// What of the results is not there yet.
    fn only_new(&self, found: &Runs) -> Result<BTreeMap<Table, Run>> {
        let storage = self.space.base.blobs();
        let mut out = BTreeMap::new();
        for (table, runs) in found {
            let width = table.width();
            let inputs = runs
                .iter()
                .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))));
            let mut found = union(width, inputs.collect());
            let order = Order::natural(width);
            let mut known = self
                .space
                .base
                .scan(&Relation::whole(*table), &order, &Bounds::all())?;
            let run = without(&mut *found, &mut *known, storage)?;
            if run.rows() > 0 {
                out.insert(*table, run);
            }
        }
        Ok(out)
    }

    /// New facts as the patterns of the next round read them.
    fn fresh(&self, new: &BTreeMap<Table, Run>) -> Result<Fresh> {
        let storage = self.space.base.blobs();
        let mut fresh = Fresh::default();
        for (table, head) in self.heads()? {
            let Some(run) = new.get(&table) else { continue };
            let its = run.scan(&Bounds::prefix(vec![head.0]));
            let mut its = WithoutHead::new(Box::new(its), head);
            let mut writer = Writer::new(storage, table.width().saturating_sub(1));
            writer.push_all(&mut its)?;
            fresh.insert(table, head, writer.finish()?);
        }
        Ok(fresh)
    }

    /// The relations that patterns read: tables and heads. Ground ones are among them, which only have to be there.
    fn heads(&self) -> Result<BTreeSet<(Table, Id)>> {
        let names = &self.space.base;
        let mut out = BTreeSet::new();
        for Filtered { flat, .. } in &self.flats {
            let facts = flat.patterns.iter().filter(|p| p.table.shape == Shape::Fact);
            for pattern in facts {
                if let Some(Cell::Constant(head)) = pattern.cells.first()
                    && let Some(head) = find::ground_id(names, head)?
                {
                    out.insert((pattern.table, head));
                }
            }
            for fact in &flat.present {
                if let Some((table, tuple)) = find::tuple_of(names, fact.as_bytes())?
                    && let Some(head) = tuple.first()
                    && table.width() > 1
                {
                    out.insert((table, Id(*head)));
                }
            }
        }
        Ok(out)
    }

    /// Lets the space have new facts; their runs are merged as they become many.
    fn take(&mut self, new: &BTreeMap<Table, Run>) -> Result<()> {
        for (table, run) in new {
            let runs = self.derived.entry(*table).or_default();
            runs.push(run.clone());
            levels::tidy_runs(runs, self.space.base.blobs())?;
        }
        let delta = self.delta();
        self.space.base.rebase(&self.start, &delta, &self.space.writer)
    }

    fn delta(&self) -> Delta {
        let of = |(table, runs): (&Table, &Vec<Run>)| -> Vec<(Table, Run)> {
            runs.iter().map(|run| (*table, run.clone())).collect()
        };
        Delta {
            adds: self.derived.iter().flat_map(of).collect(),
            removes: Vec::new(),
        }
    }

    /// Leaves what was added to the space's commit.
    fn end(self) {
        let delta = self.delta();
        self.space.deltas.push(delta);
    }
}

/// The same patterns, and of their matches these variables.
fn wanting(query: Query, variables: &[u16]) -> Query {
    Query {
        outputs: vec![variables.iter().map(|v| Slot::Variable(*v)).collect()],
        ..query
    }
}

/// The tuples of `found` that are not among `known`.
fn without(found: &mut dyn Tuples, known: &mut dyn Tuples, storage: &dyn Storage) -> Result<Run> {
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

/// The error for a program that has nothing to run.
pub(super) fn no_rules() -> Error {
    Error::new(Kind::Invalid, "NoRules", "there is no rule to run")
}
