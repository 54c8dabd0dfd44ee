//! Rules with conditions: what of the rows that the patterns give passes, and what is made of those.
//!
//! Deliberately absent: joins, rounds.

use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

use craton_base::{Error, Result};

use crate::{
    Block, Bounds, Form, Id, Names, Table, Tuples as _,
    exec::{
        Sink,
        flat::{Cell, Flat},
    },
    rules::{Checked, Condition, wrong},
    run::{Run, Writer},
    snapshot::Snapshot,
    sort::Sorter,
    stored::find,
    term::{Term, is_ground},
};

/// Bytes that sorting what passes may hold, for each template.
const SORT_BYTES: u64 = 16 << 20;

/// A rule in its flat form, with its conditions apart.
pub(super) struct Filtered {
    /// Patterns and templates.
    pub(super) flat: Flat,
    tests: Vec<Test>,
    /// Facts that must not be there for any match.
    absent: Vec<Term>,
    /// The variables of templates and conditions, where there are conditions on rows.
    variables: Vec<u16>,
}

/// A condition on a row.
struct Test {
    condition: Condition,
    /// Of a denial the fact, of a comparison its sign and two terms.
    cells: Vec<Cell>,
}

/// A cell of a row: a place in it, or an id; `None` for a constant that the graph does not know.
#[derive(Clone, Copy)]
enum Value {
    Place(usize),
    Constant(Option<Id>),
}

impl Filtered {
    /// Takes a rule's templates and conditions apart.
    pub(super) fn of(rule: &Checked) -> Result<Self> {
        let exec = &rule.rule.exec;
        let mut flat = Flat::of(&rule.rule).ok_or_else(|| wrong(exec, "it has no flat form"))?;
        let mut rows = std::mem::take(&mut flat.outputs).into_iter();
        let mut once = std::mem::take(&mut flat.once).into_iter();
        let (mut tests, mut absent) = (Vec::new(), Vec::new());
        let lost = || Error::internal("a template of a rule has no flat form");
        for (number, sink) in rule.rule.sinks.iter().enumerate() {
            let Sink::Add(part) = sink else {
                return Err(lost());
            };
            let condition = number.checked_sub(rule.templates);
            let condition = condition.and_then(|n| rule.conditions.get(n)).copied();
            match (is_ground(part.bytes(exec.as_bytes())), condition) {
                (true, None) => flat.once.push(once.next().ok_or_else(lost)?),
                (true, Some(_)) => absent.push(once.next().ok_or_else(lost)?.1),
                (false, None) => flat.outputs.push(rows.next().ok_or_else(lost)?),
                (false, Some(condition)) => tests.push(Test {
                    condition,
                    cells: rows.next().ok_or_else(lost)?.1,
                }),
            }
        }
        let outputs = flat.outputs.iter().map(|(_, cells)| cells);
        let cells = outputs.chain(tests.iter().map(|test| &test.cells)).flatten();
        let variables: BTreeSet<u16> = cells
            .filter_map(|cell| match cell {
                Cell::Variable(variable) => Some(*variable),
                Cell::Constant(_) => None,
            })
            .collect();
        Ok(Self {
            flat,
            tests,
            absent,
            variables: variables.into_iter().collect(),
        })
    }

    /// The columns that [`Filtered::pass`] wants; `None` if every row passes.
    pub(super) fn variables(&self) -> Option<&[u16]> {
        (!self.tests.is_empty()).then_some(self.variables.as_slice())
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

    /// What the templates make of the rows that pass, and whether any does.
    pub(super) fn pass(&self, base: &Snapshot, runs: &[(Table, Run)]) -> Result<(Vec<(Table, Run)>, bool)> {
        let storage = base.blobs();
        let tests = self.tests.iter().map(|test| {
            let values = self.values(base, &test.cells)?;
            Ok((test.condition, Table::facts(test.cells.len()), values))
        });
        let tests: Vec<_> = tests.collect::<Result<_>>()?;
        let mut outputs = Vec::with_capacity(self.flat.outputs.len());
        for (_, cells) in &self.flat.outputs {
            let sorter = Sorter::new(cells.len(), SORT_BYTES, Arc::new(storage.clone()))?;
            outputs.push((self.values(base, cells)?, Block::new(cells.len()), sorter));
        }
        let (mut holds, mut block, mut row, mut tuple) = (false, Block::default(), Vec::new(), Vec::new());
        for (_, run) in runs {
            let mut rows = run.scan(&Bounds::all());
            while rows.next(&mut block)? {
                storage.control().check()?;
                for number in 0..block.rows() {
                    row.clear();
                    block.row(number, &mut row);
                    if !passes(base, &tests, &row, &mut tuple)? {
                        continue;
                    }
                    holds = true;
                    for (values, block, _) in &mut outputs {
                        fill(values, &row, &mut tuple);
                        block.push(&tuple);
                    }
                }
                for (_, block, sorter) in &mut outputs {
                    sorter.push(&block.columns().iter().map(Vec::as_slice).collect::<Vec<_>>())?;
                    block.reset(block.width());
                }
            }
        }
        let mut out = Vec::with_capacity(outputs.len());
        for (values, _, sorter) in outputs {
            let mut writer = Writer::new(storage, values.len());
            writer.push_all(&mut sorter.finish()?.0)?;
            out.push((Table::facts(values.len()), writer.finish()?));
        }
        Ok((out, holds))
    }

    fn values(&self, names: &dyn Names, cells: &[Cell]) -> Result<Vec<Value>> {
        let value = |cell: &Cell| {
            Ok(match cell {
                Cell::Constant(term) => Value::Constant(find::ground_id(names, term)?),
                Cell::Variable(variable) => {
                    let place = self.variables.binary_search(variable);
                    Value::Place(place.map_err(|_| Error::internal("a variable of a rule has no column"))?)
                }
            })
        };
        cells.iter().map(value).collect()
    }
}

/// Puts a row's tuple into `tuple`; `false` if a constant of it is nowhere in the graph.
fn fill(values: &[Value], row: &[u64], tuple: &mut Vec<u64>) -> bool {
    tuple.clear();
    for value in values {
        match value {
            Value::Place(place) => tuple.push(row.get(*place).copied().unwrap_or_default()),
            Value::Constant(Some(id)) => tuple.push(id.0),
            Value::Constant(None) => return false,
        }
    }
    true
}

fn passes(
    base: &Snapshot,
    tests: &[(Condition, Table, Vec<Value>)],
    row: &[u64],
    tuple: &mut Vec<u64>,
) -> Result<bool> {
    for (condition, table, values) in tests {
        let is_known = fill(values, row, tuple);
        let holds = match (condition, tuple.as_slice()) {
            (Condition::Not, tuple) => !is_known || !base.contains(*table, tuple)?,
            // Every constant of a comparison was given an id.
            (_, [_, left, right]) => compares(base, *condition, Id(*left), Id(*right))?,
            _ => false,
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compares(names: &dyn Names, condition: Condition, left: Id, right: Id) -> Result<bool> {
    if matches!(condition, Condition::Same | Condition::Different) {
        return Ok((left == right) == (condition == Condition::Same));
    }
    let order = match (left.form(), right.form()) {
        (Some(Form::Integer(left)), Some(Form::Integer(right))) => Some(left.cmp(&right)),
        _ => match (number(names, left)?, number(names, right)?) {
            (Some(left), Some(right)) => left.partial_cmp(&right),
            _ => None,
        },
    };
    Ok(match condition {
        Condition::Less => order == Some(Ordering::Less),
        _ => matches!(order, Some(Ordering::Less | Ordering::Equal)),
    })
}

/// The number that a symbol's text is, if it is one.
fn number(names: &dyn Names, id: Id) -> Result<Option<f64>> {
    if !matches!(id.form(), Some(Form::Integer(_) | Form::Symbol(_))) {
        return Ok(None);
    }
    let mut text = Vec::new();
    names.text(id, &mut text)?;
    let number = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    Ok(number.filter(|number| !number.is_nan()))
}
