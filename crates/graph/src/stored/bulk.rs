//! Steps of programs as joins: where a rule is flat ([`crate::exec::flat`]) and reads many facts, they are read and written as columns.
//!
//! Patterns that look at `exec` facts are matched first, in memory; what they bind is put into the rule. Results are gathered before
//! anything changes: additions come first, then removals, as in a step that runs match by match.
//!
//! Rules that follow each other and do not read what those before them write run at once: each sees the graph as it was before the
//! first, which is what it would have seen, and what they made is applied in their order.
//!
//! Deliberately absent: steps on few facts, for which writing runs costs more than it saves.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use craton_base::{Error, Result};

use super::{StoredSpace, find, reduce};
use crate::{
    Bounds, Facts as _, Order, Relation, Shape, Table,
    exec::{
        EXEC_PREFIX, FactSpace, Goal, Report, Rule, Source, Visit,
        borrow::of_rule,
        flat::{Cell, Does, Flat, meets, specialise},
    },
    join::{OutputReport, Query, Resources},
    load::runs_of,
    snapshot::Snapshot,
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
    /// The most that one of its joins found, duplicates counted.
    found: u64,
}

/// The most rules that run at once.
const TOGETHER_MAX: usize = 16;

/// A join that is to be answered.
struct Job {
    query: Query,
    /// The tables of its outputs; none if only matches count.
    tables: Vec<Table>,
    does: Does,
    /// Which of the rules that run at once it is of.
    rule: usize,
    /// What is done once if there is a match.
    once: Vec<(Does, Term)>,
}

/// Runs a step as joins, if it can be, and with it the steps after it that can be too and do not read what the ones before them write;
/// whether it did.
pub(super) fn steps(space: &mut StoredSpace, rule: &Rule, most: u64, report: &mut Report) -> Result<bool> {
    if space.base.rows().saturating_add(space.added.len() as u64) < space.joins_from {
        return Ok(false);
    }
    let Some(flats) = large(space, rule)? else {
        return Ok(false);
    };
    let mut together = vec![(rule.clone(), flats)];
    also(space, &mut together, usize::try_from(most).unwrap_or(usize::MAX))?;
    space.flush()?;
    write_constants(space, together.iter().flat_map(|(_, flats)| flats))?;
    let mut jobs = Vec::new();
    for (number, (_, flats)) in together.iter().enumerate() {
        for flat in flats {
            prepare(space, flat, number, &mut jobs)?;
        }
    }
    let answers = answer_all(space, &jobs)?;
    let mut made: Vec<Made> = together.iter().map(|_| Made::default()).collect();
    for (job, answer) in jobs.iter().zip(answers) {
        if let Some(made) = made.get_mut(job.rule) {
            gather(job, answer, report, made);
        }
    }
    for ((_, flats), made) in together.iter().zip(&mut made) {
        reduce_all(space, flats, report, made)?;
    }
    report.steps = report
        .steps
        .saturating_add(together.len().saturating_sub(1) as u64);
    for ((rule, _), made) in together.iter().zip(made) {
        report.matches = report.matches.saturating_add(made.found);
        space.remove(&rule.exec)?;
        apply(space, made, report)?;
    }
    Ok(true)
}

/// What reducing sinks add.
fn reduce_all(space: &mut StoredSpace, flats: &[Flat], report: &mut Report, made: &mut Made) -> Result<()> {
    for flat in flats {
        for reduction in &flat.reduces {
            let (delta, found) = reduce::run(space, flat, reduction)?;
            made.found = made.found.max(found);
            if let Some(delta) = delta {
                let rows: u64 = delta.adds.iter().map(|(_, run)| run.rows()).sum();
                report.added = report.added.saturating_add(rows);
                made.adds.push(delta);
            }
        }
    }
    Ok(())
}

/// The flat rules that a rule comes to, if it has them and they read much.
fn large(space: &StoredSpace, rule: &Rule) -> Result<Option<Vec<Flat>>> {
    let Some(flats) = flat(space, rule)? else {
        return Ok(None);
    };
    let read = flats.iter().map(|f| rows(space, f)).sum::<Result<u64>>()?;
    Ok((read >= space.joins_from).then_some(flats))
}

/// Adds the rules after the first that can run at once with those before them.
fn also(space: &StoredSpace, together: &mut Vec<(Rule, Vec<Flat>)>, most: usize) -> Result<()> {
    let Some((first, _)) = together.first() else {
        return Ok(());
    };
    let (touched, is_about_execs) = of_rule(first);
    if is_about_execs {
        return Ok(());
    }
    let mut written = vec![touched.writes];
    let after = first.exec.clone();
    let is_exec = |f: &&Term| f.as_bytes().starts_with(&EXEC_PREFIX);
    for exec in space.added.facts().filter(is_exec).filter(|f| **f > after) {
        if together.len() >= TOGETHER_MAX.min(most) {
            break;
        }
        // A malformed one is an error once it is its turn.
        let Ok(rule) = Rule::read(exec.clone()) else { break };
        let (touched, is_about_execs) = of_rule(&rule);
        if is_about_execs || written.iter().any(|w| w.meet(&touched.reads)) {
            break;
        }
        let Some(flats) = large(space, &rule)? else { break };
        written.push(touched.writes);
        together.push((rule, flats));
    }
    Ok(())
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
        let is_plain =
            |cells: &Vec<Cell>| matches!(cells.first(), Some(Cell::Constant(head)) if !is_exec(head));
        if !flat.outputs.iter().all(|(_, cells)| is_plain(cells)) || meets(&rule, &Open(space))? {
            return Ok(None);
        }
        out.push(flat);
    }
    Ok(Some(out))
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
pub(super) fn write_constants<'a>(
    space: &mut StoredSpace,
    flats: impl Iterator<Item = &'a Flat>,
) -> Result<()> {
    let cells = |flat: &'a Flat| {
        let outputs = flat.outputs.iter().flat_map(|(_, cells)| cells);
        let reduces = flat.reduces.iter().flat_map(|r| r.template.iter().flatten());
        outputs.chain(reduces)
    };
    let mut facts = Vec::new();
    for cell in flats.flat_map(cells) {
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

/// The joins that one flat rule comes to.
fn prepare(space: &StoredSpace, flat: &Flat, rule: usize, jobs: &mut Vec<Job>) -> Result<()> {
    let Some(query) = query(space, flat)? else {
        return Ok(());
    };
    if flat.outputs.is_empty() && (flat.reduces.is_empty() || !flat.once.is_empty()) {
        jobs.push(Job {
            query,
            tables: Vec::new(),
            does: Does::Add,
            rule,
            once: flat.once.clone(),
        });
        return Ok(());
    }
    for does in [Does::Add, Does::Remove] {
        let outputs = query.outputs.iter().zip(&flat.outputs);
        let outputs: Vec<_> = outputs
            .filter(|(_, (d, _))| *d == does)
            .map(|(o, _)| o.clone())
            .collect();
        if !outputs.is_empty() {
            jobs.push(Job {
                tables: outputs.iter().map(|o| Table::facts(o.len())).collect(),
                query: Query {
                    outputs,
                    ..query.clone()
                },
                does,
                rule,
                once: flat.once.clone(),
            });
        }
    }
    Ok(())
}

pub(super) type Runs = Vec<(Table, crate::run::Run)>;

/// What a join made.
pub(super) struct Answer {
    pub(super) runs: Runs,
    /// Tuples in the runs.
    pub(super) rows: u64,
    /// Tuples before duplicates were dropped, of the output that had the most.
    pub(super) found: u64,
}

/// What `workers` joins at once may use, each.
pub(super) fn resources(space: &StoredSpace, workers: usize) -> Resources {
    let workers = workers.max(1);
    Resources {
        memory: space.memory / workers as u64,
        threads: (cores() / workers).max(1),
        storage: Arc::new(space.base.blobs().clone()),
        control: space.base.blobs().control().clone(),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The answer to a query.
pub(super) fn answer(space: &StoredSpace, query: &Query, tables: &[Table]) -> Result<Answer> {
    answered(&space.base, query, tables, &resources(space, 1))
}

fn answered(base: &Snapshot, query: &Query, tables: &[Table], resources: &Resources) -> Result<Answer> {
    let made = transform(query, tables, base, resources)?;
    let rows: u64 = made.runs.iter().map(|(_, run)| run.rows()).sum();
    resources.control.made_facts(rows)?;
    let outputs = made.report.outputs.iter();
    Ok(Answer {
        runs: made.runs,
        rows,
        found: outputs.map(OutputReport::taken).max().unwrap_or(0),
    })
}

/// The answer of each job: side by side where there are several jobs and cores.
fn answer_all(space: &StoredSpace, jobs: &[Job]) -> Result<Vec<Answer>> {
    let workers = cores().min(jobs.len()).max(1);
    let resources = resources(space, workers);
    let (base, next) = (&space.base, AtomicUsize::new(0));
    let work = || -> Result<Vec<(usize, Answer)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else {
                return Ok(done);
            };
            done.push((number, answer_job(base, job, &resources)?));
        }
    };
    let mut done = std::thread::scope(|scope| -> Result<Vec<_>> {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            let its = other
                .join()
                .unwrap_or_else(|_| Err(Error::internal("a join's thread ended abruptly")));
            // All are waited for, whichever failed.
            done = done.and_then(|mut all| {
                all.extend(its?);
                Ok(all)
            });
        }
        done
    })?;
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, answer)| answer).collect())
}

fn answer_job(base: &Snapshot, job: &Job, resources: &Resources) -> Result<Answer> {
    let only_matches = [Table::atoms(false)];
    let tables = match job.tables.is_empty() {
        true => only_matches.as_slice(),
        false => &job.tables,
    };
    answered(base, &job.query, tables, resources)
}

/// What a job's answer does.
fn gather(job: &Job, answer: Answer, report: &mut Report, made: &mut Made) {
    let Answer { runs, rows, found } = answer;
    made.found = made.found.max(found);
    if rows > 0 {
        let new = job.once.iter().filter(|once| !made.once.contains(once));
        let new: Vec<_> = new.cloned().collect();
        made.once.extend(new);
    }
    if job.tables.is_empty() {
        return;
    }
    match job.does {
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
pub(super) struct Open<'a>(pub(super) &'a StoredSpace);

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
