//! Answering a query: each part of its plan becomes a relation in scratch space, from the leaves up.
//!
//! Invariants
//! - what an operator keeps in memory is within its share; relations are runs, sorted and sealed as all scratch is;
//! - a solution is a row, and no row is there twice: where solutions repeat, columns that are not shown differ.
//!
//! Deliberately absent: texts of answers ([`crate::answer`]), permits.

use std::sync::Arc;

use craton_base::{Error, Kind, Result};
use craton_graph::{Control, Id, Storage, join::Resources, snapshot::Snapshot};

use crate::{
    algebra::{Compiled, Expression, Plan, Variable},
    expression::{self, Row},
    terms::{Terms, UNBOUND},
};

mod closure;
mod group;
mod join;
mod order;
mod overlay;
mod rows;

use rows::{Gather, Rows, at};

/// Answers queries over one snapshot.
pub struct Evaluator<'a> {
    snapshot: &'a Snapshot,
    terms: Terms<'a>,
    /// Bytes that one operator may use.
    memory: u64,
    storage: Arc<dyn Storage>,
    /// The next variable that nobody uses.
    next: Variable,
    /// Whether what has no value agrees with nothing.
    nulls: bool,
}

impl<'a> Evaluator<'a> {
    /// For a query over `snapshot`, with so many bytes of memory.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot, query: &Compiled, memory: u64) -> Self {
        let quarter = memory / 4;
        Self {
            snapshot,
            terms: Terms::new(snapshot, quarter),
            memory: memory.saturating_sub(quarter),
            storage: Arc::new(snapshot.blobs().clone()),
            next: query.variables,
            nulls: query.nulls,
        }
    }

    /// Gives the solutions in their order to `each`, by the places of `wanted` variables, until it returns `false`.
    ///
    /// # Errors
    /// `Invalid` for what is not supported; limits; the storage's own; those of `each`.
    pub fn solutions(
        &mut self,
        query: &Compiled,
        wanted: &[Variable],
        each: &mut dyn FnMut(&Terms<'_>, &[u64]) -> Result<bool>,
    ) -> Result<()> {
        let (offset, limit) = query.slice;
        let enough = limit.map(|limit| limit.saturating_add(offset));
        let rows = match query.order.as_slice() {
            [] => self.evaluate(&query.plan, enough)?,
            _ => {
                let rows = self.evaluate(&query.plan, None)?;
                self.ordered(rows, &query.order)?
            }
        };
        let columns: Vec<Option<usize>> = wanted.iter().map(|v| rows.column(*v)).collect();
        let mut told = Vec::with_capacity(columns.len());
        let (mut passed, mut given) = (0, 0);
        let control = self.control().clone();
        rows.each(&control, |row| {
            if passed < offset {
                passed += 1;
                return Ok(true);
            }
            if limit.is_some_and(|limit| given >= limit) {
                return Ok(false);
            }
            given += 1;
            told.clear();
            told.extend(
                columns
                    .iter()
                    .map(|column| column.map_or(UNBOUND, |column| at(row, column))),
            );
            each(&self.terms, &told)
        })
    }

    /// The solutions of a plan; not more than `enough`, where it knows no better.
    fn evaluate(&mut self, plan: &Plan, enough: Option<u64>) -> Result<Rows> {
        self.control().check()?;
        match plan {
            Plan::Join(_) | Plan::Facts(_) | Plan::Closure(_) => self.join(plan, enough),
            Plan::Values(variables, rows) => self.values(variables, rows),
            Plan::Optional(first, second, condition) => self.optional(first, second, condition.as_ref()),
            Plan::Minus(first, second) => self.minus(first, second),
            Plan::Exists(first, second, condition, variable) => {
                self.exists(first, second, condition.as_ref(), *variable)
            }
            Plan::Union(all) => self.union(all, enough),
            Plan::Filter(inner, condition) => {
                let rows = self.evaluate(inner, None)?;
                self.filter(rows, condition)
            }
            Plan::Extend(inner, variable, expression) => {
                let rows = self.evaluate(inner, enough)?;
                self.extend(&rows, *variable, expression)
            }
            Plan::Group(inner, keys, aggregates) => {
                let rows = self.evaluate(inner, None)?;
                self.group(&rows, keys, aggregates)
            }
            Plan::Project(inner, variables) => {
                let rows = self.evaluate(inner, enough)?;
                self.only(rows, variables)
            }
            Plan::Distinct(inner, variables) => {
                let rows = self.evaluate(inner, None)?;
                self.project(&rows, variables)
            }
            Plan::Slice(inner, order, offset, limit) => {
                let enough = limit.map(|limit| limit.saturating_add(*offset));
                let rows = self.evaluate(inner, if order.is_empty() { enough } else { None })?;
                let rows = self.ordered(rows, order)?;
                self.slice(&rows, *offset, *limit)
            }
        }
    }

    fn control(&self) -> &Control {
        self.snapshot.blobs().control()
    }

    fn resources(&self) -> Resources {
        Resources {
            memory: self.memory,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            storage: Arc::clone(&self.storage),
            control: self.control().clone(),
        }
    }

    /// A variable that nobody else has.
    fn fresh(&mut self) -> Result<Variable> {
        let fresh = self.next;
        self.next = fresh.checked_add(1).ok_or_else(|| {
            Error::new(
                Kind::TooLarge,
                "TooManyVariables",
                "the query has too many variables",
            )
        })?;
        Ok(fresh)
    }

    fn gather(&self, width: usize) -> Result<Gather> {
        Gather::new(width, self.memory / 2, &self.storage)
    }

    /// One row that binds nothing, in a column that nobody asks for.
    fn unit(&mut self) -> Result<Rows> {
        let mut gather = self.gather(1)?;
        gather.push(&[nothing()])?;
        let variables = vec![self.fresh()?];
        Ok(Rows {
            runs: gather.finish(&*self.storage)?,
            ..Rows::none(variables)
        })
    }

    /// The rows that `each` makes of rows: it writes one, and says whether it is to be kept.
    fn map(
        &mut self,
        rows: &Rows,
        (variables, maybe): (Vec<Variable>, Vec<bool>),
        mut each: impl FnMut(&mut Terms<'a>, &[u64], &mut Vec<u64>) -> Result<bool>,
    ) -> Result<Rows> {
        let mut gather = self.gather(variables.len())?;
        let (control, mut out) = (self.control().clone(), Vec::new());
        rows.each(&control, |row| {
            out.clear();
            if each(&mut self.terms, row, &mut out)? {
                gather.push(&out)?;
            }
            Ok(true)
        })?;
        let runs = gather.finish(&*self.storage)?;
        control.made_facts(runs.iter().map(craton_graph::run::Run::rows).sum())?;
        Ok(Rows {
            variables,
            maybe,
            runs,
        })
    }

    fn values(
        &mut self,
        variables: &[Variable],
        rows: &[Vec<Option<craton_graph::term::Term>>],
    ) -> Result<Rows> {
        let mut all = vec![self.fresh()?];
        all.extend(variables);
        let mut gather = self.gather(all.len())?;
        let mut maybe = vec![false; all.len()];
        for (number, row) in rows.iter().enumerate() {
            let mut out = vec![integer(number as u64)];
            for (value, maybe) in row.iter().zip(maybe.iter_mut().skip(1)) {
                *maybe |= value.is_none();
                out.push(match value {
                    Some(term) => self.terms.id(term)?,
                    None => UNBOUND,
                });
            }
            gather.push(&out)?;
        }
        Ok(Rows {
            variables: all,
            maybe,
            runs: gather.finish(&*self.storage)?,
        })
    }

    fn filter(&mut self, rows: Rows, condition: &Expression) -> Result<Rows> {
        let shape = (rows.variables.clone(), rows.maybe.clone());
        self.map(&rows, shape, |terms, row, out| {
            let holds = expression::holds(
                condition,
                &mut Row {
                    variables: &rows.variables,
                    row,
                    terms,
                },
            )?;
            out.extend_from_slice(row);
            Ok(holds)
        })
    }

    fn extend(&mut self, rows: &Rows, variable: Variable, expression: &Expression) -> Result<Rows> {
        let (mut variables, mut maybe) = (rows.variables.clone(), rows.maybe.clone());
        variables.push(variable);
        maybe.push(true);
        let mut seen = false;
        let mut made = self.map(rows, (variables, maybe), |terms, row, out| {
            out.extend_from_slice(row);
            let id = expression::id(
                expression,
                &mut Row {
                    variables: &rows.variables,
                    row,
                    terms,
                },
            )?;
            seen |= id == UNBOUND;
            out.push(id);
            Ok(true)
        })?;
        if let Some(maybe) = made.maybe.last_mut() {
            *maybe = seen;
        }
        Ok(made)
    }

    /// The solutions of each, told apart by a column.
    fn union(&mut self, all: &[Plan], enough: Option<u64>) -> Result<Rows> {
        let mut parts = Vec::with_capacity(all.len());
        let mut variables = vec![self.fresh()?];
        for plan in all {
            let rows = self.evaluate(plan, enough)?;
            variables.extend(
                rows.variables
                    .iter()
                    .filter(|v| !variables.contains(v))
                    .copied()
                    .collect::<Vec<_>>(),
            );
            parts.push(rows);
        }
        let is_certain = |v: &Variable| parts.iter().all(|rows| rows.is_certain(*v));
        let maybe = variables
            .iter()
            .enumerate()
            .map(|(n, v)| n > 0 && !is_certain(v))
            .collect();
        let mut gather = self.gather(variables.len())?;
        let control = self.control().clone();
        for (number, rows) in parts.iter().enumerate() {
            let columns: Vec<Option<usize>> = variables.iter().skip(1).map(|v| rows.column(*v)).collect();
            let mut out = Vec::with_capacity(variables.len());
            rows.each(&control, |row| {
                out.clear();
                out.push(integer(number as u64));
                out.extend(
                    columns
                        .iter()
                        .map(|column| column.map_or(UNBOUND, |column| at(row, column))),
                );
                gather.push(&out).map(|()| true)
            })?;
        }
        Ok(Rows {
            variables,
            maybe,
            runs: gather.finish(&*self.storage)?,
        })
    }

    /// The same rows, of which only these variables are known.
    fn only(&mut self, mut rows: Rows, variables: &[Variable]) -> Result<Rows> {
        for variable in &mut rows.variables {
            if !variables.contains(variable) {
                *variable = self.fresh()?;
            }
        }
        Ok(rows)
    }

    /// Each combination of these variables once.
    fn project(&mut self, rows: &Rows, variables: &[Variable]) -> Result<Rows> {
        let known: Vec<Variable> = variables
            .iter()
            .filter(|v| rows.column(**v).is_some())
            .copied()
            .collect();
        if known.is_empty() {
            return match rows.count() {
                0 => Ok(Rows::none(vec![self.fresh()?])),
                _ => self.unit(),
            };
        }
        let columns: Vec<usize> = known.iter().filter_map(|v| rows.column(*v)).collect();
        let maybe = columns
            .iter()
            .map(|at| rows.maybe.get(*at).copied().unwrap_or(true))
            .collect();
        self.map(rows, (known, maybe), |_, row, out| {
            out.extend(columns.iter().map(|column| at(row, *column)));
            Ok(true)
        })
    }

    fn slice(&mut self, rows: &Rows, offset: u64, limit: Option<u64>) -> Result<Rows> {
        let mut number = 0u64;
        let end = limit.map_or(u64::MAX, |limit| limit.saturating_add(offset));
        self.map(
            rows,
            (rows.variables.clone(), rows.maybe.clone()),
            |_, row, out| {
                out.extend_from_slice(row);
                number = number.saturating_add(1);
                Ok(number > offset && number <= end)
            },
        )
    }
}

/// The id of a small number, for columns that nobody is shown.
fn integer(value: u64) -> u64 {
    let id = i64::try_from(value).ok().and_then(Id::integer);
    id.map_or(UNBOUND, |id| id.0)
}

/// What stands in a column that says nothing.
fn nothing() -> u64 {
    integer(0)
}
