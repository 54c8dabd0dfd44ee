//! Reducing sinks as joins: the distinct rows of a sink's variables, sorted by its group, are read once, and each group's value becomes
//! part of a fact. So a count over any number of matches takes the memory of a join and a sort.
//!
//! Invariants: the facts are those that matching one by one makes; a value that is no small integer gets its name before a row
//! with it is written, in batches.
//!
//! Deliberately absent: sums of floats, whose order matters, and hashes: they gather in memory (`exec`).

use std::{collections::HashMap, sync::Arc};

use craton_base::{Error, Kind, Result};

use super::{StoredSpace, bulk};
use crate::{
    Block, Bounds, Id, Names, Table,
    exec::{
        Reduction,
        flat::{Cell, Flat, Reduce},
    },
    join::{Query, Slot},
    load::runs_of,
    merge::{Input, union},
    print,
    run::Writer,
    sort::Sorter,
    term::Term,
    tuples::Tuples,
    writer::Delta,
};

/// The facts that a reducing sink adds, `None` if there are none; and how many tuples its join found, duplicates counted.
pub(super) fn run(space: &mut StoredSpace, flat: &Flat, reduce: &Reduce) -> Result<(Option<Delta>, u64)> {
    let Some(query) = bulk::query(space, flat)? else {
        return Ok((None, 0));
    };
    let columns = reduce.group.iter().chain(&reduce.over);
    let query = Query {
        outputs: vec![columns.map(|v| Slot::Variable(*v)).collect()],
        ..query
    };
    let width = reduce.group.len().saturating_add(reduce.over.len());
    let answer = bulk::answer(space, &query, &[Table::facts(width)])?;
    let inputs = answer
        .runs
        .iter()
        .map(|(_, run)| Input::adds(Box::new(run.scan(&Bounds::all()))));
    let mut rows = union(width, inputs.collect());
    let mut facts = Facts::new(space, reduce)?;
    groups(space, reduce, &mut *rows, &mut facts)?;
    Ok((facts.finish(space)?, answer.found))
}

/// Reads rows, sorted by their group, and hands each group's value on.
fn groups(space: &mut StoredSpace, reduce: &Reduce, rows: &mut dyn Tuples, facts: &mut Facts) -> Result<()> {
    let width = reduce.group.len();
    let mut block = Block::new(rows.width());
    let mut now: Option<(Vec<u64>, Value)> = None;
    let mut row = vec![0; rows.width()];
    let mut text = Vec::new();
    // Without the value in it the template stands as it is, and what is reduced is not read.
    let is_read = reduce.literal.is_some() || reduce.template.contains(&None);
    while rows.next(&mut block)? {
        space.base.blobs().control().check()?;
        for at in 0..block.rows() {
            for (n, cell) in row.iter_mut().enumerate() {
                *cell = block.column(n).get(at).copied().unwrap_or_default();
            }
            let (group, over) = row.split_at_checked(width).unwrap_or((&row, &[]));
            if now.as_ref().is_none_or(|(last, _)| last != group)
                && let Some((group, value)) = now.replace((group.to_vec(), Value::new(reduce.reduction)))
            {
                facts.push(space, &group, &value)?;
            }
            let Some((_, value)) = &mut now else { continue };
            match over.first() {
                Some(id) if is_read && reduce.reduction != Reduction::Count => {
                    text.clear();
                    symbol(space, Id(*id), &mut text)?;
                    value.take(&text)?;
                }
                _ => value.take(b"")?,
            }
        }
    }
    match now {
        Some((group, value)) => facts.push(space, &group, &value),
        None => Ok(()),
    }
}

/// The text of a symbol.
fn symbol(space: &StoredSpace, id: Id, text: &mut Vec<u8>) -> Result<()> {
    match id.form() {
        Some(crate::Form::Expression { .. } | crate::Form::Open { .. } | crate::Form::Variable(_)) | None => {
            Err(no_number("an expression", "a symbol"))
        }
        _ => space.base.text(id, text),
    }
}

/// A value under way.
enum Value {
    Count(u64),
    Sum(i128),
    And(Option<Vec<u8>>),
    Least(f64),
    Greatest(f64),
}

impl Value {
    fn new(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Sum => Self::Sum(0),
            Reduction::And => Self::And(None),
            Reduction::FloatMin => Self::Least(f64::MAX),
            Reduction::FloatMax => Self::Greatest(f64::MIN),
            _ => Self::Count(0),
        }
    }

    /// Takes one instance; an empty text is one that is not read.
    fn take(&mut self, text: &[u8]) -> Result<()> {
        match self {
            Self::Count(count) => *count = count.saturating_add(1),
            _ if text.is_empty() => {}
            Self::Sum(sum) => {
                let too_large =
                    || Error::new(Kind::TooLarge, "SumTooLarge", "a sum does not fit in 128 bits");
                *sum = sum
                    .checked_add(parse(text, "an integer")?)
                    .ok_or_else(too_large)?;
            }
            Self::And(bits) => match bits {
                None => *bits = Some(text.to_vec()),
                Some(bits) if bits.len() == text.len() => {
                    bits.iter_mut().zip(text).for_each(|(all, one)| *all &= one);
                }
                Some(_) => return Err(no_number(&shown(text), "bits of the length of the others")),
            },
            Self::Least(least) => *least = least.min(parse(text, "a number")?),
            Self::Greatest(most) => *most = most.max(parse(text, "a number")?),
        }
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        match self {
            Self::Count(count) => count.to_string().into_bytes(),
            Self::Sum(sum) => sum.to_string().into_bytes(),
            Self::And(bits) => bits.clone().unwrap_or_default(),
            Self::Least(value) | Self::Greatest(value) => value.to_string().into_bytes(),
        }
    }
}

fn parse<T: std::str::FromStr>(text: &[u8], what: &str) -> Result<T> {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| no_number(&shown(text), what))
}

fn shown(text: &[u8]) -> String {
    Term::symbol(text)
        .map(|term| print::term(&term))
        .unwrap_or_default()
}

fn no_number(what: &str, wanted: &str) -> Error {
    let message = format!("a sink reduces {what}, which is not {wanted}");
    Error::new(Kind::Invalid, "NotANumber", message)
}

/// Rows whose names are resolved together.
const BATCH_ROWS: usize = 8192;

/// The facts that are made: rows under way, those that wait for names in front.
struct Facts {
    template: Vec<Slot>,
    /// The place of the value among the template's columns; of group variables, where they are in a group.
    literal: Option<Vec<u8>>,
    group: Vec<u16>,
    columns: Vec<Vec<u64>>,
    /// The values that have no id yet, and which rows have them.
    fresh: HashMap<Vec<u8>, Vec<usize>>,
    sorter: Sorter,
}

/// Stands for the value among a template's slots: no rule has so many variables.
const VALUE: u16 = u16::MAX;

impl Facts {
    fn new(space: &StoredSpace, reduce: &Reduce) -> Result<Self> {
        let mut template = Vec::new();
        for cell in &reduce.template {
            template.push(match cell {
                None => Slot::Variable(VALUE),
                Some(Cell::Variable(variable)) => Slot::Variable(*variable),
                Some(Cell::Constant(constant)) => Slot::Constant(bulk::made_id(space, constant)?),
            });
        }
        let storage = Arc::new(space.base.blobs().clone());
        Ok(Self {
            columns: vec![Vec::new(); template.len()],
            sorter: Sorter::new(template.len(), space.memory / 2, storage)?,
            template,
            literal: reduce.literal.as_deref().map(<[u8]>::to_vec),
            group: reduce.group.clone(),
            fresh: HashMap::new(),
        })
    }

    /// Takes a group.
    fn push(&mut self, space: &mut StoredSpace, group: &[u64], value: &Value) -> Result<()> {
        let text = value.text();
        if let Some(literal) = &self.literal
            && Term::symbol(&text)?.as_bytes() != literal.as_slice()
        {
            return Ok(());
        }
        let row = self.columns.first().map_or(0, Vec::len);
        let wants_value = self.template.contains(&Slot::Variable(VALUE));
        let value = match Id::of_text(&text) {
            Some(id) => id.0,
            None if wants_value => {
                self.fresh.entry(text).or_default().push(row);
                0
            }
            None => 0,
        };
        for (slot, column) in self.template.iter().zip(&mut self.columns) {
            column.push(match slot {
                Slot::Constant(id) => id.0,
                Slot::Variable(VALUE) => value,
                Slot::Variable(variable) => {
                    let place = self.group.iter().position(|v| v == variable);
                    place.and_then(|p| group.get(p)).copied().unwrap_or_default()
                }
            });
        }
        if row.saturating_add(1) >= BATCH_ROWS {
            self.settle(space)?;
        }
        Ok(())
    }

    /// Gives the new values their ids, and hands the rows on.
    fn settle(&mut self, space: &mut StoredSpace) -> Result<()> {
        if !self.fresh.is_empty() {
            let symbols = self.fresh.keys().map(|text| Term::symbol(text));
            let symbols = symbols.collect::<Result<Vec<Term>>>()?;
            runs_of(&space.writer, symbols.iter())?;
            space.base.refresh(&space.writer)?;
            let places = self.template.iter().zip(&mut self.columns);
            let mut values: Vec<&mut Vec<u64>> = places
                .filter(|(slot, _)| **slot == Slot::Variable(VALUE))
                .map(|(_, column)| column)
                .collect();
            for (text, rows) in self.fresh.drain() {
                let id = space.base.symbol(&text)?;
                let id = id.ok_or_else(|| Error::internal("a value that was written has no id"))?;
                for column in &mut values {
                    for row in &rows {
                        if let Some(cell) = column.get_mut(*row) {
                            *cell = id.0;
                        }
                    }
                }
            }
        }
        let columns: Vec<&[u64]> = self.columns.iter().map(Vec::as_slice).collect();
        self.sorter.push(&columns)?;
        self.columns.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    fn finish(mut self, space: &mut StoredSpace) -> Result<Option<Delta>> {
        self.settle(space)?;
        let width = self.template.len();
        let (mut sorted, _) = self.sorter.finish()?;
        let storage = space.base.blobs();
        let mut writer = Writer::new(storage, width);
        writer.push_all(&mut sorted)?;
        let run = writer.finish()?;
        storage.control().made_facts(run.rows())?;
        Ok((run.rows() > 0).then(|| Delta {
            adds: vec![(Table::facts(width), run)],
            removes: Vec::new(),
        }))
    }
}
