//! Steps of programs as joins: where patterns and templates are flat, many facts are read and written as columns.
//!
//! A pattern is flat if it is an expression with a symbol in front and no fact with variables could match it; nested expressions in it
//! become patterns over the tables of expressions. A template is flat if its items are variables of the patterns or without variables.
//!
//! Deliberately absent: steps on few facts, for which writing runs costs more than it saves.

use std::sync::Arc;

use craton_base::Result;

use super::{StoredSpace, find};
use crate::{
    Bounds, Facts, Id, Order, Relation, Table,
    exec::{EXEC_PREFIX, FactSpace as _, Report, Rule, Sink, Source},
    join::{Atom, Query, Resources, Slot},
    load::runs_of,
    term::{self, Item, Part, Term},
    transform::transform,
    writer::Delta,
};

/// Patterns over fewer facts than this are matched one by one.
const ROWS_MIN: u64 = 20_000;

/// Runs a step as joins, if it can be; whether it did.
pub(super) fn step(space: &mut StoredSpace, rule: &Rule, report: &mut Report) -> Result<bool> {
    let bytes = rule.exec.as_bytes();
    let Some((patterns, sinks)) = parts_of(rule) else {
        return Ok(false);
    };
    if space.base.rows().saturating_add(space.added.len() as u64) < ROWS_MIN {
        return Ok(false);
    }
    if !patterns.iter().all(|p| is_flat(space, bytes, *p)) || rows(space, bytes, &patterns)? < ROWS_MIN {
        return Ok(false);
    }
    // Constants of templates get their ids as facts would: by being written.
    let constants: Vec<Term> = sinks
        .iter()
        .flat_map(|(_, part)| constants(bytes, *part))
        .collect();
    space.flush()?;
    runs_of(&space.writer, constants.iter())?;
    space.base.refresh(&space.writer)?;
    let mut compiled = Compiled::default();
    for pattern in &patterns {
        if !compiled.pattern(space, bytes, *pattern)? {
            // A name of it is in no fact: nothing matches.
            space.remove(&rule.exec)?;
            return Ok(true);
        }
    }
    let mut deltas = Vec::new();
    for removes in [false, true] {
        let (mut query, mut tables) = (compiled.query.clone(), Vec::new());
        for (_, part) in sinks.iter().filter(|(r, _)| *r == removes) {
            let Some(output) = compiled.output(space, bytes, *part)? else {
                return Ok(false);
            };
            tables.push(Table::facts(output.len()));
            query.outputs.push(output);
        }
        if tables.is_empty() {
            continue;
        }
        let made = transform(&query, &tables, &space.base, &resources(space))?;
        let rows: u64 = made.runs.iter().map(|(_, run)| run.rows()).sum();
        space.base.blobs().control().made_facts(rows)?;
        let delta = match removes {
            true => {
                report.removed = report.removed.saturating_add(rows);
                Delta {
                    adds: Vec::new(),
                    removes: made.runs,
                }
            }
            false => {
                report.added = report.added.saturating_add(rows);
                Delta {
                    adds: made.runs,
                    removes: Vec::new(),
                }
            }
        };
        deltas.push(delta);
    }
    space.remove(&rule.exec)?;
    deltas.into_iter().try_for_each(|delta| space.take(delta))?;
    Ok(true)
}

fn resources(space: &StoredSpace) -> Resources {
    Resources {
        memory: space.memory,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        storage: Arc::new(space.base.blobs().clone()),
        control: space.base.blobs().control().clone(),
    }
}

/// The patterns, and the templates with whether they remove; `None` if there is more to the rule.
fn parts_of(rule: &Rule) -> Option<(Vec<Part>, Vec<(bool, Part)>)> {
    let patterns = rule.sources.iter().map(|source| match source {
        Source::Space(part) => Some(*part),
        _ => None,
    });
    let sinks = rule.sinks.iter().map(|sink| match sink {
        Sink::Add(part) => Some((false, *part)),
        Sink::Remove(part) => Some((true, *part)),
        _ => None,
    });
    let (patterns, sinks): (Vec<_>, Vec<_>) =
        (patterns.collect::<Option<_>>()?, sinks.collect::<Option<_>>()?);
    let flat = sinks.iter().all(|(_, part)| {
        let bytes = rule.exec.as_bytes();
        let items = term::parts(bytes, *part).unwrap_or_default();
        let is_exec = part.bytes(bytes).starts_with(&EXEC_PREFIX);
        !items.is_empty() && !is_exec && items.iter().all(|i| slot_or_ground(bytes, *i))
    });
    (flat && !patterns.is_empty() && !sinks.is_empty()).then_some((patterns, sinks))
}

fn slot_or_ground(bytes: &[u8], part: Part) -> bool {
    let its = part.bytes(bytes);
    term::is_ground(its)
        || matches!(
            term::read(its, 0),
            Some((Item::NewVariable | Item::Reference(_), _))
        )
}

/// Whether only facts without variables, and none in memory only, can match the pattern.
fn is_flat(space: &StoredSpace, bytes: &[u8], pattern: Part) -> bool {
    let Some(items) = term::parts(bytes, pattern) else {
        return false;
    };
    let head = items.first().map(|h| h.bytes(bytes)).unwrap_or_default();
    let named = matches!(term::read(head, 0), Some((Item::Symbol(text), _)) if text != b"exec");
    let tables = space.base.tables();
    let open = tables.contains(&Table::open_facts(items.len())) || tables.contains(&Table::atoms(true));
    let open_in_memory = space
        .added
        .facts()
        .any(|f| !f.is_ground() && !f.as_bytes().starts_with(&EXEC_PREFIX));
    // The graph's own `exec` facts are open facts of four items: then such patterns are matched one by one.
    named && !open && !open_in_memory
}

/// How many facts the patterns read, at most.
fn rows(space: &StoredSpace, bytes: &[u8], patterns: &[Part]) -> Result<u64> {
    let mut sum = space.added.len() as u64;
    for pattern in patterns {
        let items = term::parts(bytes, *pattern).unwrap_or_default();
        let head = items.first().map(|h| h.bytes(bytes)).unwrap_or_default();
        if let Some(head) = find::ground_id(&space.base, head)? {
            let relation = Relation::whole(Table::facts(items.len()));
            let bounds = Bounds::prefix(vec![head.0]);
            let order = Order::natural(items.len());
            sum = sum.saturating_add(space.base.statistics(&relation, &order, &bounds)?.rows);
        }
    }
    Ok(sum)
}

/// The ground parts of a template, as facts of their own.
fn constants(bytes: &[u8], template: Part) -> Vec<Term> {
    let items = term::parts(bytes, template).unwrap_or_default().into_iter();
    let ground = items.filter(|i| term::is_ground(i.bytes(bytes)));
    ground
        .filter_map(|i| Term::from_bytes(i.bytes(bytes)).ok())
        .collect()
}

/// Patterns as a query.
#[derive(Default)]
struct Compiled {
    query: Query,
    /// The exec's variables, by their number there, as the query's.
    variables: Vec<(u32, u16)>,
    next: u16,
}

impl Compiled {
    fn variable(&mut self, number: u32) -> u16 {
        if let Some((_, known)) = self.variables.iter().find(|(n, _)| *n == number) {
            return *known;
        }
        let new = self.fresh();
        self.variables.push((number, new));
        new
    }

    fn fresh(&mut self) -> u16 {
        let new = self.next;
        self.next = new.saturating_add(1);
        new
    }

    /// Adds a pattern; `false` if the graph lacks a name of it.
    fn pattern(&mut self, space: &StoredSpace, bytes: &[u8], pattern: Part) -> Result<bool> {
        let items = term::parts(bytes, pattern).unwrap_or_default();
        let Some(head) = items.first() else {
            return Ok(false);
        };
        let Some(head) = find::ground_id(&space.base, head.bytes(bytes))? else {
            return Ok(false);
        };
        let relation = Relation::with_head(head, items.len().saturating_sub(1));
        let mut nested = Vec::new();
        let Some(slots) = self.slots(space, bytes, items.get(1..).unwrap_or_default(), &mut nested)? else {
            return Ok(false);
        };
        self.query.atoms.push(Atom { relation, slots });
        while let Some((variable, part)) = nested.pop() {
            let items = term::parts(bytes, part).unwrap_or_default();
            let table = Table::expressions(items.len(), false);
            let Some(inner) = self.slots(space, bytes, &items, &mut nested)? else {
                return Ok(false);
            };
            let mut slots = vec![Slot::Variable(variable)];
            slots.extend(inner);
            self.query.atoms.push(Atom {
                relation: Relation::whole(table),
                slots,
            });
        }
        Ok(true)
    }

    fn slots(
        &mut self,
        space: &StoredSpace,
        bytes: &[u8],
        items: &[Part],
        nested: &mut Vec<(u16, Part)>,
    ) -> Result<Option<Vec<Slot>>> {
        let mut out = Vec::with_capacity(items.len());
        for item in items {
            let its = item.bytes(bytes);
            out.push(match term::read(its, 0) {
                _ if term::is_ground(its) => match find::ground_id(&space.base, its)? {
                    Some(id) => Slot::Constant(id),
                    None => return Ok(None),
                },
                Some((Item::NewVariable, _)) => Slot::Variable(self.variable(item.seen)),
                Some((Item::Reference(number), _)) => Slot::Variable(self.variable(number)),
                _ => {
                    let variable = self.fresh();
                    nested.push((variable, *item));
                    Slot::Variable(variable)
                }
            });
        }
        Ok(Some(out))
    }

    /// A template as an output; `None` if a variable of it is in no pattern.
    fn output(&self, space: &StoredSpace, bytes: &[u8], template: Part) -> Result<Option<Vec<Slot>>> {
        let mut out = Vec::new();
        for item in term::parts(bytes, template).unwrap_or_default() {
            let its = item.bytes(bytes);
            let number = match term::read(its, 0) {
                _ if term::is_ground(its) => {
                    let id: Option<Id> = find::ground_id(&space.base, its)?;
                    match id {
                        Some(id) => out.push(Slot::Constant(id)),
                        None => return Ok(None),
                    }
                    continue;
                }
                Some((Item::Reference(number), _)) => number,
                _ => item.seen,
            };
            match self.variables.iter().find(|(n, _)| *n == number) {
                Some((_, variable)) => out.push(Slot::Variable(*variable)),
                None => return Ok(None),
            }
        }
        Ok(Some(out))
    }
}
