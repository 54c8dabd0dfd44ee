//! Rules on a stored graph, round by round until a round finds nothing new.
//!
//! ```text
//! first round: every rule over everything ─▶ what is not there yet ─▶ the new facts, a run for each table
//!        ▲                                                                  │
//!        └── each rule once for each of its patterns that new facts match: ─┘
//!            that pattern over the new facts only, the others over everything (semi-naive evaluation)
//! ```
//!
//! Layer by layer: what a rule denies or aggregates is complete when its layer begins ([`crate::rules`]), so that is decided once. What is
//! computed, compared and denied is decided row by row on what the patterns give ([`rows`]), aggregates group by group ([`groups`]). Of a
//! relation of which the best facts are kept, a round's new facts are those that are better, and replace what was there ([`best`]).
//!
//! A round's joins read runs and write runs, as a program's steps do; what is new is told by one pass over the results and the graph's own
//! tuples beside each other, which passes over the blocks of the graph that no result lies in.
//!
//! Invariants
//! - FX-1: a fact is new in one round only, so rounds come to an end unless rules make ever new terms: those have limits ([`Options`]);
//! - FX-2: whenever all patterns of a rule match, the last of these facts to come was new in some round, and in the round after it the match
//!   was found: so nothing is missed.
//!
//! Deliberately absent: what rules are and whether they can be run ([`crate::rules`]); permits, commits.

use std::collections::{BTreeMap, BTreeSet};

use craton_base::{Error, Kind, Result};

use super::{StoredSpace, bulk, find};
use crate::{
    Bounds, Facts as _, Id, Order, Relation, Table,
    exec::flat::meets,
    join::Query,
    levels,
    load::runs_of,
    manifest::FactsManifest,
    rules::{Checked, Reduce, Rules, wrong},
    run::{Run, Writer},
    snapshot::WithoutHead,
    transform::transform,
    writer::Delta,
};

mod best;
mod evaluate;
mod fresh;
mod groups;
pub(crate) mod live;
mod look;
mod number;
mod prepared;
mod rows;
mod runs;
pub mod why;

use best::Kept;
use fresh::{Fresh, Layer};
use prepared::Prepared;
use rows::Making;
use runs::{Runs, adding, removing, together, without};

/// Why rows gave nothing: so many reasons are told.
const FAILURES_TOLD: usize = 8;

/// Limits of rules that make new terms or numbers, and so might not come to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Rounds of one layer with such rules.
    pub rounds: u64,
    /// How deep terms are nested that rules make.
    pub depth: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 10_000,
            depth: 100,
        }
    }
}

/// What a run of rules did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How often the rules were run over what was new; the last time found nothing.
    pub rounds: u64,
    /// How many facts they added.
    pub added: u64,
    /// How many facts they replaced by better ones.
    pub replaced: u64,
    /// Rows for which an expression had no value.
    pub failed_evaluations: u64,
    /// The first reasons for that.
    pub failures: Vec<String>,
}

/// Rows that gave nothing, and why.
#[derive(Default)]
struct Failures {
    count: u64,
    told: Vec<String>,
}

impl Failures {
    fn add(&mut self, rule: &Checked, why: &str) {
        self.count = self.count.saturating_add(1);
        if self.told.len() < FAILURES_TOLD {
            let told = format!("rule {}: {why}", rule.label.name);
            if !self.told.contains(&told) {
                self.told.push(told);
            }
        }
    }
}

/// What rules found in a round.
#[derive(Default)]
struct Found<'a> {
    facts: Runs,
    /// Rows of aggregates.
    groups: Vec<(&'a Checked, &'a Reduce, Run)>,
    /// Of relations of which the best are kept.
    best: BTreeMap<(Table, Id), Vec<Run>>,
}

/// What is new of that.
#[derive(Default)]
struct New {
    adds: BTreeMap<Table, Run>,
    removes: Runs,
}

/// Runs rules to their least fixpoint over the facts of the space. Blocks.
///
/// # Errors
/// `Invalid`, `BadRule` if a fact with variables matches a pattern, `NotANumber` if what is aggregated is none; `TooLarge`, `RoundLimit`,
/// `DepthLimit`; limits and cancelling; the store's own.
pub fn run(space: &mut StoredSpace, rules: &Rules, options: Options) -> Result<Report> {
    let mut report = Report::default();
    for layer in &rules.layers {
        run_layer(space, layer, options, &mut report)?;
    }
    Ok(report)
}

fn run_layer(
    space: &mut StoredSpace,
    rules: &[Checked],
    options: Options,
    report: &mut Report,
) -> Result<()> {
    let mut fixpoint = Fixpoint::new(space, rules, options)?;
    let control = fixpoint.space.base.blobs().control().clone();
    fixpoint.begin(report)?;
    let mut fresh = None;
    for round in 1u64.. {
        control.check()?;
        fixpoint.check_rounds(round)?;
        report.rounds = report.rounds.saturating_add(1);
        control.at_step(report.rounds);
        let found = fixpoint.round(fresh.as_ref())?;
        let new = fixpoint.only_new(found)?;
        if new.adds.is_empty() {
            break;
        }
        // First, for it may have brought names that patterns have.
        fixpoint.take(&new, report)?;
        fresh = Some(fixpoint.fresh(&new.adds)?);
    }
    report.failed_evaluations = report.failed_evaluations.saturating_add(fixpoint.failures.count);
    report.failures.append(&mut fixpoint.failures.told);
    report.failures.truncate(FAILURES_TOLD);
    fixpoint.end()
}

struct Fixpoint<'a> {
    space: &'a mut StoredSpace,
    rules: Vec<Prepared<'a>>,
    options: Options,
    /// The facts before the first round.
    start: FactsManifest,
    /// What was added since, and what of that and of what was there before was replaced: never again added.
    derived: Runs,
    replaced: Runs,
    failures: Failures,
}

impl<'a> Fixpoint<'a> {
    fn new(space: &'a mut StoredSpace, rules: &'a [Checked], options: Options) -> Result<Self> {
        space.flush()?;
        let mut all = Vec::with_capacity(rules.len());
        for rule in rules {
            // What it denies is among the patterns of this one.
            let read = crate::exec::Rule::read(rule.touches.clone())?;
            if meets(&read, &bulk::Open(space))? {
                let what = "a fact with variables matches a pattern, which rules do not look at";
                return Err(wrong(&rule.label, what));
            }
            all.push(Prepared::of(rule)?);
        }
        prepared::write_constants(space, rules)?;
        let start = space.base.manifest().clone();
        Ok(Self {
            space,
            rules: all,
            options,
            start,
            derived: Runs::new(),
            replaced: Runs::new(),
            failures: Failures::default(),
        })
    }

    fn making(&self) -> Making<'_> {
        Making {
            base: &self.space.base,
            writer: &self.space.writer,
            depth_max: self.options.depth,
        }
    }

    /// Makes relations of which the best are kept so, if they are not yet.
    fn begin(&mut self, report: &mut Report) -> Result<()> {
        let mut found = Found::default();
        for Kept { table, head, .. } in self.kept()? {
            let bounds = Bounds::prefix(vec![head.0]);
            let order = Order::natural(table.width());
            let mut rows = self.space.base.scan(&Relation::whole(table), &order, &bounds)?;
            let mut writer = Writer::new(self.space.base.blobs(), table.width());
            writer.push_all(&mut *rows)?;
            found.best.insert((table, head), vec![writer.finish()?]);
        }
        if found.best.is_empty() {
            return Ok(());
        }
        let new = self.only_new(found)?;
        match new.adds.is_empty() && new.removes.is_empty() {
            true => Ok(()),
            false => self.take(&new, report),
        }
    }

    /// The relations of which the best facts are kept.
    fn kept(&self) -> Result<Vec<Kept<'a>>> {
        let mut out: Vec<Kept<'a>> = Vec::new();
        for prepared in &self.rules {
            for (table, head, best) in prepared.kept() {
                let head = bulk::made_id(self.space, head)?;
                if !out.iter().any(|known| (known.table, known.head) == (table, head)) {
                    out.push(Kept {
                        table,
                        head,
                        best,
                        rule: prepared.rule,
                    });
                }
            }
        }
        Ok(out)
    }

    /// Fails if rules that make new terms go on and on.
    fn check_rounds(&self, round: u64) -> Result<()> {
        let most = self.options.rounds;
        let makers = self.rules.iter().filter(|prepared| prepared.rule.invents());
        let names: Vec<&str> = makers
            .map(|prepared| prepared.rule.label.name.as_str())
            .take(4)
            .collect();
        if round <= most || names.is_empty() {
            return Ok(());
        }
        let message = format!(
            "stopped at its limit: after {most} rounds rules still find new facts (of those that make new terms or numbers: rule {}); if they come to an end, allow more (rounds)",
            names.join(", rule ")
        );
        Err(Error::new(Kind::TooLarge, "RoundLimit", message))
    }

    /// What the rules find: from all facts, or only what is found by new ones.
    fn round(&mut self, fresh: Option<&Fresh>) -> Result<Found<'a>> {
        let mut failures = std::mem::take(&mut self.failures);
        let mut found = Found::default();
        for rule in &self.rules {
            let Some(query) = bulk::query(self.space, &rule.flat)? else {
                continue;
            };
            if !rule.may_hold(&self.space.base)? {
                continue;
            }
            for query in self.variants(rule, query, fresh)? {
                self.answer(rule, query, fresh, (&mut found, &mut failures))?;
            }
        }
        self.failures = failures;
        Ok(found)
    }

    /// The query, or those with one of its patterns over new facts.
    fn variants(&self, rule: &Prepared<'_>, query: Query, fresh: Option<&Fresh>) -> Result<Vec<Query>> {
        let Some(fresh) = fresh else {
            return Ok(vec![query]);
        };
        for fact in &rule.flat.present {
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

    fn answer(
        &self,
        rule: &Prepared<'a>,
        query: Query,
        fresh: Option<&Fresh>,
        (found, failures): (&mut Found<'a>, &mut Failures),
    ) -> Result<()> {
        let resources = bulk::resources(self.space, 1);
        let layer = Layer::new(&self.space.base, fresh);
        let (query, tables) = rule.wanting(query);
        let runs = transform(&query, &tables, &layer, &resources)?.runs;
        let rows: u64 = runs.iter().map(|(_, run)| run.rows()).sum();
        resources.control.made_facts(rows)?;
        if rows == 0 {
            return Ok(());
        }
        let holds = match rule.direct {
            true => {
                let facts = runs.into_iter().filter(|_| !rule.heads.is_empty());
                facts.for_each(|(table, run)| found.facts.entry(table).or_default().push(run));
                true
            }
            false => rule.pass(&self.making(), &runs, self.space, (found, failures))?,
        };
        if holds && !rule.once.is_empty() {
            for (table, run) in runs_of(&self.space.writer, rule.once.iter())? {
                found.facts.entry(table).or_default().push(run);
            }
        }
        Ok(())
    }

    /// What of the results is not there yet.
    fn only_new(&mut self, mut found: Found<'_>) -> Result<New> {
        let mut new = New::default();
        if !found.groups.is_empty() || !found.best.is_empty() {
            // Values have names since a moment ago.
            self.space.base.refresh(&self.space.writer)?;
        }
        for (rule, reduce, rows) in &found.groups {
            let facts = groups::reduce(&self.making(), rule, reduce, rows)?;
            self.space.base.blobs().control().made_facts(facts.rows())?;
            let table = Table::facts(reduce.template.len());
            found.facts.entry(table).or_default().push(facts);
        }
        for (table, runs) in &found.facts {
            let width = table.width();
            let order = Order::natural(width);
            let relation = Relation::whole(*table);
            let mut known = self.space.base.scan(&relation, &order, &Bounds::all())?;
            let run = without(&mut *together(width, runs), &mut *known, self.space.base.blobs())?;
            if run.rows() > 0 {
                new.adds.insert(*table, run);
            }
        }
        for kept in self.kept()? {
            let table = kept.table;
            let Some(runs) = found.best.get(&(table, kept.head)) else {
                continue;
            };
            let found = &mut *together(table.width(), runs);
            let change = best::improve(&self.making(), &kept, found)?;
            if change.removes.rows() > 0 {
                new.removes.entry(table).or_default().push(change.removes);
            }
            if change.adds.rows() > 0 {
                let run = match new.adds.remove(&table) {
                    None => change.adds,
                    Some(others) => levels::merge_runs(&[others, change.adds], self.space.base.blobs())?,
                };
                new.adds.insert(table, run);
            }
        }
        Ok(new)
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
        let mut out = BTreeSet::new();
        for prepared in &self.rules {
            prepared.reads(&self.space.base, &mut out)?;
        }
        Ok(out)
    }

    /// Lets the space have new facts; their runs are merged as they become many.
    fn take(&mut self, new: &New, report: &mut Report) -> Result<()> {
        let storage = self.space.base.blobs();
        for (table, run) in &new.adds {
            report.added = report.added.saturating_add(run.rows());
            let runs = self.derived.entry(*table).or_default();
            runs.push(run.clone());
            levels::tidy_runs(runs, storage)?;
        }
        for (table, its) in &new.removes {
            let runs = self.replaced.entry(*table).or_default();
            for run in its {
                report.replaced = report.replaced.saturating_add(run.rows());
                runs.push(run.clone());
            }
            levels::tidy_runs(runs, storage)?;
        }
        let changes = [adding(&self.derived), removing(&self.replaced)];
        self.space.base.rebase(&self.start, &changes, &self.space.writer)
    }

    /// Leaves what was added and replaced to the space's commit.
    fn end(self) -> Result<()> {
        let storage = self.space.base.blobs();
        let mut adds = Runs::new();
        let mut removes = Runs::new();
        for (table, runs) in self.derived {
            let Some(gone) = self.replaced.get(&table) else {
                adds.insert(table, runs);
                continue;
            };
            let width = table.width();
            let stay = without(&mut *together(width, &runs), &mut *together(width, gone), storage)?;
            // What was there before the first round.
            let old = without(&mut *together(width, gone), &mut *together(width, &runs), storage)?;
            adds.insert(table, vec![stay]);
            removes.insert(table, vec![old]);
        }
        for (table, gone) in &self.replaced {
            removes.entry(*table).or_insert_with(|| gone.clone());
        }
        if !removes.is_empty() {
            let changes = [removing(&removes), adding(&adds)];
            self.space
                .base
                .rebase(&self.start, &changes, &self.space.writer)?;
        }
        let changes = [removing(&removes), adding(&adds)];
        let some = |delta: &Delta| !delta.adds.is_empty() || !delta.removes.is_empty();
        self.space.deltas.extend(changes.into_iter().filter(some));
        Ok(())
    }
}

/// The error for a program that has nothing to run.
pub(super) fn no_rules() -> Error {
    Error::new(Kind::Invalid, "NoRules", "there is no rule to run")
}
