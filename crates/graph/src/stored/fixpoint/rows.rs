//! Rules with conditions, computed values or aggregates: which of the rows that the patterns give pass, and the tuples that are made of those.
//!
//! Deliberately absent: joins, rounds, what is made of groups ([`super::groups`]) and kept of several ([`super::best`]).

use std::{collections::BTreeSet, sync::Arc};

use craton_base::{Error, Result};

use super::{
    Failures,
    evaluate::{Cell, DEPTH_LIMIT, Evaluator, Formula, Stop, Value, Valued},
};
use crate::{
    Block, Bounds, Names, Table, Tuples as _,
    rules::{self, Build, Checked, Head},
    run::{Run, Writer},
    snapshot::Snapshot,
    sort::Sorter,
    writer::GraphWriter,
};

/// Bytes that sorting what passes may hold, for each head.
const SORT_BYTES: u64 = 16 << 20;
/// Rows whose names are resolved together.
const BATCH_ROWS: usize = 1 << 16;
/// Bytes of names that are resolved together.
const NAMES_BYTES: u64 = 16 << 20;

/// What a rule's rows are made with.
pub(super) struct Making<'a> {
    pub(super) base: &'a Snapshot,
    pub(super) writer: &'a GraphWriter,
    pub(super) depth_max: u32,
}

/// Tuples of one width under way, with names that may be new.
pub(super) struct Sheet {
    block: Block,
    sorter: Sorter,
}

impl Sheet {
    pub(super) fn new(width: usize, making: &Making<'_>) -> Result<Self> {
        let storage = Arc::new(making.base.blobs().clone());
        Ok(Self {
            block: Block::new(width),
            sorter: Sorter::new(width, SORT_BYTES, storage)?,
        })
    }

    pub(super) fn push(&mut self, tuple: &[u64]) {
        self.block.push(tuple);
    }

    pub(super) fn rows(&self) -> usize {
        self.block.rows()
    }

    /// The sorted tuples.
    pub(super) fn finish(self, making: &Making<'_>) -> Result<Run> {
        let width = self.block.width();
        let mut writer = Writer::new(making.base.blobs(), width);
        writer.push_all(&mut self.sorter.finish()?.0)?;
        writer.finish()
    }
}

/// Whether names or rows have become so many that they are to be settled.
pub(super) fn is_full(evaluator: &Evaluator<'_>, sheets: &[Sheet]) -> bool {
    sheets.iter().any(|sheet| sheet.rows() >= BATCH_ROWS) || evaluator.interner.memory() >= NAMES_BYTES
}

/// Gives new names their ids, and hands the tuples on to be sorted.
pub(super) fn settle(making: &Making<'_>, evaluator: &mut Evaluator<'_>, sheets: &mut [Sheet]) -> Result<()> {
    if !evaluator.interner.is_empty() {
        making.writer.resolve(&mut evaluator.interner)?;
    }
    for Sheet { block, sorter } in sheets {
        if !evaluator.interner.is_empty() {
            let lost = || Error::internal("a name that rules made has no id");
            block.fill(|columns| {
                for id in columns.iter_mut().flatten() {
                    *id = evaluator.interner.settled(*id).ok_or_else(lost)?;
                }
                Ok::<_, Error>(())
            })?;
        }
        sorter.push(&block.columns().iter().map(Vec::as_slice).collect::<Vec<_>>())?;
        block.reset(block.width());
    }
    evaluator.clear();
    Ok(())
}

/// A step whose constants are looked up.
pub(super) enum Step {
    Absent(Table, Vec<Cell>),
    Same(bool, [Cell; 2]),
    Less(bool, [Formula; 2]),
    Bind(usize, Formula),
    Equals([Cell; 2]),
}

impl Step {
    pub(super) fn of(names: &dyn Names, step: &rules::Step) -> Result<Self> {
        let cell = |build: &Build| Cell::of(names, build);
        Ok(match step {
            rules::Step::Absent(items) => {
                let cells: Vec<Cell> = items.iter().map(cell).collect::<Result<_>>()?;
                Self::Absent(Table::facts(cells.len()), cells)
            }
            rules::Step::Same(same, [left, right]) => Self::Same(*same, [cell(left)?, cell(right)?]),
            rules::Step::Less(or_same, [left, right]) => {
                Self::Less(*or_same, [Formula::of(names, left)?, Formula::of(names, right)?])
            }
            rules::Step::Bind(variable, code) => {
                Self::Bind(usize::from(*variable), Formula::of(names, code)?)
            }
            rules::Step::Equals(variable, code) => {
                let value = Cell::Value(Box::new(Formula::of(names, code)?));
                Self::Equals([Cell::Variable(usize::from(*variable)), value])
            }
        })
    }
}

/// The steps of a rule that depend on its rows.
pub(super) fn steps(rule: &Checked) -> impl Iterator<Item = &rules::Step> {
    rule.steps.iter().filter(|step| is_of_rows(step))
}

/// Whether a step's outcome differs from row to row.
pub(super) fn is_of_rows(step: &rules::Step) -> bool {
    match step {
        rules::Step::Absent(items) => !items.iter().all(Build::is_constant),
        _ => true,
    }
}

/// The variables that patterns give and steps or heads use: the columns of the rows.
pub(super) fn variables(rule: &Checked) -> Vec<u16> {
    let mut out = BTreeSet::new();
    let mut take = |variable: u16| {
        out.insert(variable);
    };
    steps(rule).for_each(|step| step.each_needed(&mut take));
    for build in rule.heads.iter().flat_map(Head::built) {
        build.each_variable(&mut take);
    }
    for step in steps(rule) {
        if let rules::Step::Bind(variable, _) = step {
            out.remove(variable);
        }
    }
    out.into_iter().collect()
}

/// The tuples that the heads `number`s of a rule make of its rows, one run for each; and whether any row passes.
pub(super) fn pass(
    making: &Making<'_>,
    rule: &Checked,
    heads: &[&Head],
    runs: &[(Table, Run)],
    failures: &mut Failures,
) -> Result<(Vec<Run>, bool)> {
    let base = making.base;
    let variables = variables(rule);
    let steps: Vec<Step> = steps(rule)
        .map(|step| Step::of(base, step))
        .collect::<Result<_>>()?;
    let mut evaluator = Evaluator::new(base, making.writer.graphs().seed()?, making.depth_max);
    let (mut cells, mut sheets) = (Vec::new(), Vec::new());
    for head in heads {
        let its: Vec<Cell> = head
            .built()
            .map(|build| Cell::of(base, build))
            .collect::<Result<_>>()?;
        sheets.push(Sheet::new(its.len(), making)?);
        cells.push(its);
    }
    let (mut holds, mut block, mut tuple) = (false, Block::default(), Vec::new());
    for (_, run) in runs {
        let mut rows = run.scan(&Bounds::all());
        while rows.next(&mut block)? {
            base.blobs().control().check()?;
            for row in 0..block.rows() {
                for (column, variable) in variables.iter().enumerate() {
                    let id = block.column(column).get(row).copied().unwrap_or_default();
                    evaluator.bind(usize::from(*variable), Value::Id(id));
                }
                match take(base, &mut evaluator, (&steps, &cells), &mut sheets, &mut tuple) {
                    Ok(passes) => holds |= passes,
                    Err(Stop::Failure(why)) => failures.add(rule, &why),
                    Err(Stop::Error(error)) => return Err(named(error, rule)),
                }
                if is_full(&evaluator, &sheets) {
                    settle(making, &mut evaluator, &mut sheets)?;
                }
            }
        }
    }
    settle(making, &mut evaluator, &mut sheets)?;
    let runs = sheets.into_iter().map(|sheet| sheet.finish(making));
    Ok((runs.collect::<Result<_>>()?, holds))
}

/// An error of a limit of the rule, with its name.
fn named(error: Error, rule: &Checked) -> Error {
    match error.reason() {
        DEPTH_LIMIT => {
            let message = format!("{error} (rule {})", rule.label.name);
            Error::new(error.kind(), DEPTH_LIMIT, message)
        }
        _ => error,
    }
}

/// Puts what a row makes into the sheets, if it passes.
fn take(
    base: &Snapshot,
    evaluator: &mut Evaluator<'_>,
    (steps, cells): (&[Step], &[Vec<Cell>]),
    sheets: &mut [Sheet],
    tuple: &mut Vec<u64>,
) -> Valued<bool> {
    for step in steps {
        if !passes(base, evaluator, step, tuple)? {
            return Ok(false);
        }
    }
    // All or nothing of a row's templates.
    let mut made = Vec::with_capacity(cells.len());
    for cells in cells {
        let ids = cells.iter().map(|cell| evaluator.make(cell));
        made.push(ids.collect::<Valued<Vec<u64>>>()?);
    }
    for (sheet, tuple) in sheets.iter_mut().zip(&made) {
        sheet.push(tuple);
    }
    Ok(true)
}

/// Whether what a step says holds for the values of variables; a variable that it binds has its value then.
pub(super) fn passes(
    base: &Snapshot,
    evaluator: &mut Evaluator<'_>,
    step: &Step,
    tuple: &mut Vec<u64>,
) -> Valued<bool> {
    match step {
        Step::Absent(table, cells) => {
            tuple.clear();
            for cell in cells {
                match evaluator.find(cell)? {
                    Some(id) => tuple.push(id),
                    None => return Ok(true),
                }
            }
            Ok(!base.contains(*table, tuple)?)
        }
        Step::Same(same, [left, right]) => Ok(evaluator.same(left, right)? == *same),
        Step::Equals([left, right]) => evaluator.same(left, right),
        Step::Less(or_same, [left, right]) => {
            // What is no number is neither less nor greater.
            let both = evaluator
                .number(left)
                .and_then(|left| Ok((left, evaluator.number(right)?)));
            match both {
                Ok((left, right)) => {
                    let order = left.order(right);
                    Ok(order.is_lt() || (*or_same && order.is_eq()))
                }
                Err(Stop::Failure(_)) => Ok(false),
                Err(error) => Err(error),
            }
        }
        Step::Bind(variable, formula) => {
            let value = evaluator.evaluate(formula)?;
            evaluator.bind(*variable, value);
            Ok(true)
        }
    }
}
