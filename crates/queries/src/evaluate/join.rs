//! Joins: patterns of facts and relations at once, by the graph's own join; and what is made of joins: optional parts, differences, existence.
//!
//! A variable that may have no value agrees with any. It takes no part in the join; what the rows have of it is compared afterwards.
//!
//! Deliberately absent: how a join is planned.

use std::sync::Arc;

use craton_base::{Error, Kind, Result};
use craton_graph::{
    Block, Id, Relation, Sorter, Storage, Table,
    join::{self, Atom, Query, Sink, Slot as JoinSlot},
    run::{Run, Writer},
    snapshot::Snapshot,
    transform::transform,
};
use parking_lot::Mutex;

use super::{
    Evaluator, integer,
    overlay::Overlay,
    rows::{COLUMNS_MAX, Gather, Rows, at},
};
use crate::{
    algebra::{Closure, Expression, Pattern, Plan, Slot, Variable, of_slots},
    terms::UNBOUND,
    value::Value,
};

/// The reason of the error that ends a join which has found enough.
const ENOUGH: &str = "Enough";

/// What is joined.
#[derive(Default)]
struct Operands<'p> {
    patterns: Vec<&'p Pattern>,
    closures: Vec<&'p Closure>,
    rows: Vec<Rows>,
}

impl<'a> Evaluator<'a> {
    /// The join of a plan's operands.
    pub(super) fn join(&mut self, plan: &Plan, enough: Option<u64>) -> Result<Rows> {
        let mut operands = Operands::default();
        self.operands(plan, &mut operands)?;
        self.join_all(operands, enough)
    }

    /// The join of rows and a plan.
    pub(super) fn join_with(&mut self, rows: Rows, plan: &Plan) -> Result<Rows> {
        let mut operands = Operands {
            rows: vec![rows],
            ..Operands::default()
        };
        self.operands(plan, &mut operands)?;
        self.join_all(operands, None)
    }

    fn operands<'p>(&mut self, plan: &'p Plan, out: &mut Operands<'p>) -> Result<()> {
        match plan {
            Plan::Join(all) => all.iter().try_for_each(|plan| self.operands(plan, out)),
            Plan::Facts(pattern) => {
                out.patterns.push(pattern);
                Ok(())
            }
            Plan::Closure(closure) => {
                out.closures.push(closure);
                Ok(())
            }
            other => {
                let rows = self.evaluate(other, None)?;
                out.rows.push(rows);
                Ok(())
            }
        }
    }

    fn join_all(&mut self, operands: Operands<'_>, enough: Option<u64>) -> Result<Rows> {
        let Operands {
            patterns,
            mut closures,
            rows,
        } = operands;
        let mut uses: Vec<Vec<Variable>> = patterns.iter().map(|p| of_slots(&p.slots)).collect();
        uses.extend(closures.iter().map(|c| of_slots(&c.slots)));
        uses.extend(rows.iter().map(|r| r.variables.clone()));
        let shared = |v: &Variable| uses.iter().filter(|its| its.contains(v)).count() > 1;
        let nulls = self.nulls;
        let is_loose =
            |rows: &Rows| !nulls && rows.variables.iter().any(|v| !rows.is_certain(*v) && shared(v));
        let (loose, strict): (Vec<Rows>, Vec<Rows>) = rows.into_iter().partition(is_loose);
        let is_all = closures.is_empty() && loose.is_empty();
        let mut current = match patterns.is_empty() && strict.is_empty() {
            true => None,
            false => Some(self.strict(&patterns, strict, enough.filter(|_| is_all))?),
        };
        // What may have no value first: it may bind where a walk begins.
        for rows in loose {
            current = Some(match current {
                None => rows,
                Some(current) => self.loose(current, rows, false)?,
            });
        }
        while !closures.is_empty() {
            let is_bound = |slot: &Slot| match slot {
                Slot::Term(_) => true,
                Slot::Variable(v) => current.as_ref().is_some_and(|rows| rows.is_certain(*v)),
            };
            let next = closures
                .iter()
                .position(|c| c.slots.iter().any(is_bound))
                .unwrap_or_default();
            let walked = self.closure(closures.remove(next), current.as_ref())?;
            current = Some(match current {
                None => walked,
                Some(current) => self.pair(current, walked)?,
            });
        }
        match current {
            Some(rows) => Ok(rows),
            None => self.unit(),
        }
    }

    /// The join of two relations.
    pub(super) fn pair(&mut self, a: Rows, b: Rows) -> Result<Rows> {
        let maybe = |v: &&Variable| b.column(**v).is_some() && !(a.is_certain(**v) && b.is_certain(**v));
        match a.variables.iter().find(maybe) {
            Some(_) if !self.nulls => self.loose(a, b, false),
            _ => self.strict(&[], vec![a, b], None),
        }
    }

    /// The join of patterns and relations that have values for all variables they share.
    pub(super) fn strict(
        &mut self,
        patterns: &[&Pattern],
        mut rows: Vec<Rows>,
        enough: Option<u64>,
    ) -> Result<Rows> {
        if patterns.is_empty() && rows.len() == 1 {
            return rows.pop().ok_or_else(|| Error::internal("a relation is missing"));
        }
        let (variables, maybe) = columns(patterns, &rows);
        let mut query = Query::default();
        for pattern in patterns {
            match self.atom(pattern)? {
                Matched::Never => return self.nothing(variables),
                Matched::Always => {}
                Matched::By(atom) => query.atoms.push(atom),
            }
        }
        let snapshot = self.snapshot;
        let storage = Arc::clone(&self.storage);
        let mut overlay = Overlay::new(snapshot, &storage);
        for rows in &rows {
            if rows.count() == 0 {
                return self.nothing(variables);
            }
            query.atoms.push(overlay.add(rows));
        }
        if query.atoms.is_empty() {
            return self.unit();
        }
        if variables.len() > COLUMNS_MAX {
            let message = format!("a part of the query joins more than {COLUMNS_MAX} variables");
            return Err(Error::new(Kind::TooLarge, "TooManyVariables", message));
        }
        query.outputs = vec![variables.iter().map(|v| JoinSlot::Variable(*v)).collect()];
        let resources = self.resources();
        let runs = match enough {
            Some(enough) => few(&query, &overlay, &resources, enough)?,
            None => {
                let table = Table::facts(variables.len());
                let made = transform(&query, &[table], &overlay, &resources)?;
                made.runs.into_iter().map(|(_, run)| run).collect()
            }
        };
        Ok(Rows {
            variables,
            maybe,
            runs,
        })
    }

    fn nothing(&mut self, variables: Vec<Variable>) -> Result<Rows> {
        match variables.is_empty() {
            true => Ok(Rows::none(vec![self.fresh()?])),
            false => Ok(Rows::none(variables)),
        }
    }

    /// How a pattern is read.
    fn atom(&mut self, pattern: &Pattern) -> Result<Matched> {
        let head = craton_graph::term::Term::symbol(pattern.head.as_bytes())?;
        let Some(head) = self.terms.known(&head)? else {
            return Ok(Matched::Never);
        };
        let mut slots = Vec::with_capacity(pattern.slots.len());
        for slot in &pattern.slots {
            slots.push(match slot {
                Slot::Variable(variable) => JoinSlot::Variable(*variable),
                Slot::Term(term) => match self.terms.known(term)? {
                    Some(id) => JoinSlot::Constant(id),
                    None => return Ok(Matched::Never),
                },
            });
        }
        let constant = |slot: &JoinSlot| match slot {
            JoinSlot::Constant(id) => Some(id.0),
            JoinSlot::Variable(_) => None,
        };
        let ground: Option<Vec<u64>> = slots.iter().map(constant).collect();
        if let Some(items) = ground {
            return self.is_there(head, items);
        }
        let relation = Relation::with_head(head, slots.len());
        Ok(Matched::By(Atom { relation, slots }))
    }

    fn is_there(&self, head: Id, items: Vec<u64>) -> Result<Matched> {
        let tuple: Vec<u64> = std::iter::once(head.0).chain(items).collect();
        let snapshot: &Snapshot = self.snapshot;
        let is_there = snapshot.contains(Table::facts(tuple.len()), &tuple)?;
        Ok(if is_there { Matched::Always } else { Matched::Never })
    }

    /// The join of relations of which one may have no value for a variable that both have; with `common`, only where a
    /// variable has a value in both.
    fn loose(&mut self, mut a: Rows, mut b: Rows, common: bool) -> Result<Rows> {
        let mut both: Vec<(Variable, Variable, Variable)> = Vec::new();
        let shared: Vec<Variable> = a
            .variables
            .iter()
            .filter(|v| b.column(**v).is_some())
            .copied()
            .collect();
        let is_strict = |v: &Variable, a: &Rows, b: &Rows| a.is_certain(*v) && b.is_certain(*v);
        let has_strict = shared.iter().any(|v| is_strict(v, &a, &b));
        for variable in shared {
            if is_strict(&variable, &a, &b) {
                continue;
            }
            let (of_a, of_b) = (self.fresh()?, self.fresh()?);
            for (rows, renamed) in [(&mut a, of_a), (&mut b, of_b)] {
                if let Some(at) = rows.column(variable).and_then(|at| rows.variables.get_mut(at)) {
                    *at = renamed;
                }
            }
            both.push((variable, of_a, of_b));
        }
        let certain: Vec<bool> = both
            .iter()
            .map(|(_, x, y)| a.is_certain(*x) || b.is_certain(*y))
            .collect();
        let joined = self.strict(&[], vec![a, b], None)?;
        let (mut variables, mut maybe) = (joined.variables.clone(), joined.maybe.clone());
        variables.extend(both.iter().map(|(v, ..)| *v));
        maybe.extend(certain.into_iter().map(|certain| !certain));
        let columns: Vec<(usize, usize)> = both
            .iter()
            .filter_map(|(_, x, y)| Some((joined.column(*x)?, joined.column(*y)?)))
            .collect();
        self.map(&joined, (variables, maybe), |_, row, out| {
            out.extend_from_slice(row);
            let mut agreed = has_strict;
            for (x, y) in &columns {
                let (x, y) = (at(row, *x), at(row, *y));
                if x != UNBOUND && y != UNBOUND {
                    if x != y {
                        return Ok(false);
                    }
                    agreed = true;
                }
                out.push(if x == UNBOUND { y } else { x });
            }
            Ok(agreed || !common)
        })
    }

    /// The same rows with a number in front; the variable that it is.
    fn numbered(&mut self, rows: &Rows) -> Result<(Rows, Variable)> {
        let number = self.fresh()?;
        let (mut variables, mut maybe) = (vec![number], vec![false]);
        variables.extend(&rows.variables);
        maybe.extend(&rows.maybe);
        let mut count = 0;
        let rows = self.map(rows, (variables, maybe), |_, row, out| {
            out.push(integer(count));
            count += 1;
            out.extend_from_slice(row);
            Ok(true)
        })?;
        Ok((rows, number))
    }

    /// The numbered rows with whether their number is among those of `found`.
    fn marked(
        &mut self,
        rows: &Rows,
        found: &Rows,
        mut each: impl FnMut(&[u64], bool) -> Result<()>,
    ) -> Result<()> {
        let mut numbers = found.scan();
        let (mut block, mut next, mut ended) = (Block::new(1), 0, false);
        let control = self.control().clone();
        rows.each(&control, |row| {
            let number = at(row, 0);
            loop {
                match block.column(0).get(next) {
                    Some(found) if *found < number => next += 1,
                    Some(found) => {
                        each(row, *found == number)?;
                        return Ok(true);
                    }
                    None if ended => {
                        each(row, false)?;
                        return Ok(true);
                    }
                    None => {
                        ended = !numbers.next(&mut block)?;
                        next = 0;
                    }
                }
            }
        })
    }

    pub(super) fn optional(
        &mut self,
        first: &Plan,
        second: &Plan,
        condition: Option<&Expression>,
    ) -> Result<Rows> {
        let first = self.evaluate(first, None)?;
        let (first, number) = self.numbered(&first)?;
        let mut joined = self.join_with(first.clone(), second)?;
        if let Some(condition) = condition {
            joined = self.filter(joined, condition)?;
        }
        let found = self.project(&joined, &[number])?;
        let mut gather = self.gather(joined.variables.len())?;
        let control = self.control().clone();
        joined.each(&control, |row| gather.push(row).map(|()| true))?;
        let columns: Vec<Option<usize>> = joined.variables.iter().map(|v| first.column(*v)).collect();
        let mut out = Vec::with_capacity(columns.len());
        self.marked(&first, &found, |row, is_found| {
            if is_found {
                return Ok(());
            }
            out.clear();
            out.extend(
                columns
                    .iter()
                    .map(|column| column.map_or(UNBOUND, |column| at(row, column))),
            );
            gather.push(&out)
        })?;
        let maybe = joined.variables.iter().zip(&joined.maybe);
        let maybe = maybe
            .map(|(v, unsure)| *unsure || !first.is_certain(*v))
            .collect();
        let runs = gather.finish(&*self.storage)?;
        Ok(Rows {
            variables: joined.variables,
            maybe,
            runs,
        })
    }

    pub(super) fn minus(&mut self, first: &Plan, second: &Plan) -> Result<Rows> {
        let first = self.evaluate(first, None)?;
        let second = self.evaluate(second, None)?;
        if !first.variables.iter().any(|v| second.column(*v).is_some()) {
            return Ok(first);
        }
        let (first, number) = self.numbered(&first)?;
        let joined = self.loose(first.clone(), second, true)?;
        let found = self.project(&joined, &[number])?;
        let mut gather = self.gather(first.variables.len())?;
        self.marked(&first, &found, |row, is_found| match is_found {
            true => Ok(()),
            false => gather.push(row),
        })?;
        Ok(Rows {
            runs: gather.finish(&*self.storage)?,
            ..first
        })
    }

    pub(super) fn exists(
        &mut self,
        first: &Plan,
        second: &Plan,
        condition: Option<&Expression>,
        variable: Variable,
    ) -> Result<Rows> {
        let first = self.evaluate(first, None)?;
        let (first, number) = self.numbered(&first)?;
        let joined = self.join_with(first.clone(), second)?;
        let joined = match condition {
            None => joined,
            Some(condition) => self.filter(joined, condition)?,
        };
        let found = self.project(&joined, &[number])?;
        let mut ids = [0; 2];
        for (id, value) in ids.iter_mut().zip([false, true]) {
            *id = self.terms.id_of(Some(&Value::Bool(value)))?;
        }
        let [no, yes] = ids;
        let mut gather: Gather = self.gather(first.variables.len() + 1)?;
        let mut out = Vec::new();
        self.marked(&first, &found, |row, is_found| {
            out.clear();
            out.extend_from_slice(row);
            out.push(if is_found { yes } else { no });
            gather.push(&out)
        })?;
        let (mut variables, mut maybe) = (first.variables, first.maybe);
        variables.push(variable);
        maybe.push(false);
        Ok(Rows {
            variables,
            maybe,
            runs: gather.finish(&*self.storage)?,
        })
    }
}

/// What a pattern comes to.
enum Matched {
    Never,
    Always,
    By(Atom),
}

/// The variables of patterns and relations, and whether one may have no value in what joins them.
fn columns(patterns: &[&Pattern], rows: &[Rows]) -> (Vec<Variable>, Vec<bool>) {
    let of_rows = rows
        .iter()
        .flat_map(|rows| rows.variables.iter().copied().zip(rows.maybe.iter().copied()));
    let of_patterns = patterns.iter().flat_map(|pattern| of_slots(&pattern.slots));
    let (mut variables, mut maybe): (Vec<Variable>, Vec<bool>) = (Vec::new(), Vec::new());
    for (variable, unsure) in of_rows.chain(of_patterns.map(|variable| (variable, false))) {
        let known = variables.iter().position(|v| *v == variable);
        match known.and_then(|at| maybe.get_mut(at)) {
            Some(known) => *known = *known && unsure,
            None => {
                variables.push(variable);
                maybe.push(unsure);
            }
        }
    }
    (variables, maybe)
}

/// What takes rows until there are enough.
struct Few<'a> {
    rows: &'a Mutex<(Sorter, u64)>,
}

impl Sink for Few<'_> {
    fn push(&mut self, _: usize, block: &Block) -> Result<()> {
        let mut rows = self.rows.lock();
        let columns: Vec<&[u64]> = block.columns().iter().map(Vec::as_slice).collect();
        rows.0.push(&columns)?;
        rows.1 = rows.1.saturating_sub(block.rows() as u64);
        match rows.1 {
            0 => Err(Error::new(Kind::TooLarge, ENOUGH, "enough was found")),
            _ => Ok(()),
        }
    }
}

/// Some rows of a join: at least `enough`, if there are so many.
fn few(query: &Query, facts: &Overlay<'_>, resources: &join::Resources, enough: u64) -> Result<Vec<Run>> {
    let width = query.outputs.first().map_or(0, Vec::len);
    let storage: &Arc<dyn Storage> = &resources.storage;
    let sorter = Sorter::new(width, resources.memory / 4, Arc::clone(storage))?;
    let rows = Mutex::new((sorter, enough.max(1)));
    match join::join(query, facts, resources, || Ok(Few { rows: &rows })) {
        Err(error) if error.reason() != ENOUGH => return Err(error),
        _ => {}
    }
    let (mut sorted, _) = rows.into_inner().0.finish()?;
    let mut writer = Writer::new(&**storage, width);
    writer.push_all(&mut sorted)?;
    let run = writer.finish()?;
    Ok(if run.rows() > 0 { vec![run] } else { Vec::new() })
}
