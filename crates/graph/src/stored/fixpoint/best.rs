//! Relations of which the best facts are kept: of several that differ in their last item only, one.
//!
//! Invariant: what is kept only ever gets better, so a fact that was replaced does not come back.
//!
//! Deliberately absent: which relations these are ([`crate::rules`]), rounds.

use std::cmp::Ordering;

use craton_base::Result;

use super::{
    evaluate::{Evaluator, Stop, Value},
    rows::{Making, Sheet, is_full, settle},
};
use crate::{
    Block, Bounds, Facts as _, Id, Order, Relation, Table, Tuples,
    rules::{Best, Checked, wrong},
    run::Run,
    term::{Part, Writer, parts},
};

/// A relation of which the best facts are kept.
pub(super) struct Kept<'a> {
    pub(super) table: Table,
    pub(super) head: Id,
    pub(super) best: Best,
    /// One of the rules that make it.
    pub(super) rule: &'a Checked,
}

/// What changes in a relation.
pub(super) struct Change {
    pub(super) adds: Run,
    pub(super) removes: Run,
}

/// What of the facts that were found is better than what is there, and what that replaces.
pub(super) fn improve(making: &Making<'_>, kept: &Kept<'_>, found: &mut dyn Tuples) -> Result<Change> {
    let width = kept.table.width();
    let (order, bounds) = (Order::natural(width), Bounds::prefix(vec![kept.head.0]));
    let known = making.base.scan(&Relation::whole(kept.table), &order, &bounds)?;
    let mut improving = Improving {
        best: kept.best,
        evaluator: Evaluator::new(making.base, making.writer.graphs().seed()?, u32::MAX),
        known: Ahead::new(known, width),
        sheets: [Sheet::new(width, making)?, Sheet::new(width, making)?],
    };
    let told = |stop| match stop {
        Stop::Error(error) => error,
        Stop::Failure(why) => wrong(
            &kept.rule.label,
            &format!("of what it makes the best can not be told: {why}"),
        ),
    };
    let (mut block, mut row) = (Block::new(width), Vec::new());
    let mut group: Vec<u64> = Vec::new();
    let mut values: Vec<u64> = Vec::new();
    while found.next(&mut block)? {
        making.base.blobs().control().check()?;
        for number in 0..block.rows() {
            row.clear();
            block.row(number, &mut row);
            let (value, key) = row
                .split_last()
                .map_or((0, &[][..]), |(value, key)| (*value, key));
            if group != key {
                improving.settle_group(&group, &values).map_err(told)?;
                if is_full(&improving.evaluator, &improving.sheets) {
                    settle(making, &mut improving.evaluator, &mut improving.sheets)?;
                }
                values.clear();
                group.clear();
                group.extend_from_slice(key);
            }
            values.push(value);
        }
    }
    improving.settle_group(&group, &values).map_err(told)?;
    settle(making, &mut improving.evaluator, &mut improving.sheets)?;
    let [adds, removes] = improving.sheets;
    Ok(Change {
        adds: adds.finish(making)?,
        removes: removes.finish(making)?,
    })
}

struct Improving<'a> {
    best: Best,
    evaluator: Evaluator<'a>,
    known: Ahead,
    sheets: [Sheet; 2],
}

impl Improving<'_> {
    /// Decides what is kept of a group.
    fn settle_group(&mut self, key: &[u64], values: &[u64]) -> Result<(), Stop> {
        if values.is_empty() {
            return Ok(());
        }
        let known = self.known.values(key)?;
        let kept = match self.best {
            Best::Least | Best::Greatest => self.pick(&known, values)?,
            Best::Union => self.union(&known, values)?,
        };
        let [adds, removes] = &mut self.sheets;
        let tuple = |value: u64| -> Vec<u64> { key.iter().copied().chain([value]).collect() };
        if !known.contains(&kept) {
            adds.push(&tuple(kept));
        }
        for value in known.iter().filter(|value| **value != kept) {
            removes.push(&tuple(*value));
        }
        Ok(())
    }

    /// The least or the greatest number; what is there already stays if nothing is better.
    fn pick(&mut self, known: &[u64], values: &[u64]) -> Result<u64, Stop> {
        let wanted = match self.best {
            Best::Greatest => Ordering::Greater,
            _ => Ordering::Less,
        };
        let mut best = None;
        for id in known.iter().chain(values) {
            let number = self.evaluator.number_of(*id)?;
            if best.is_none_or(|(_, best)| number.order(best) == wanted) {
                best = Some((*id, number));
            }
        }
        Ok(best.map_or(0, |(id, _)| id))
    }

    /// A set of all items of sets.
    fn union(&mut self, known: &[u64], values: &[u64]) -> Result<u64, Stop> {
        let mut items: Vec<Vec<u8>> = Vec::new();
        for id in known.iter().chain(values) {
            let set = self.evaluator.encoded(&Value::Id(*id))?;
            let Some(its) = parts(&set, Part::whole(&set)) else {
                let mut shown = Vec::new();
                crate::print::write(&set, &mut shown);
                return Err(Stop::Failure(format!(
                    "{} is no expression",
                    String::from_utf8_lossy(&shown)
                )));
            };
            items.extend(its.iter().map(|part| part.bytes(&set).to_vec()));
        }
        items.sort_unstable();
        items.dedup();
        let mut writer = Writer::default();
        writer.expression(u32::try_from(items.len()).unwrap_or(u32::MAX))?;
        items.iter().try_for_each(|item| writer.ground(item))?;
        let set = Value::Term(writer.as_bytes().into());
        match self.evaluator.find_value(&set)? {
            Some(id) => Ok(id),
            None => self.evaluator.intern(&set),
        }
    }
}

/// Sorted tuples, read forwards by the keys that are asked for.
struct Ahead {
    tuples: Box<dyn Tuples>,
    block: Block,
    at: usize,
    ended: bool,
}

impl Ahead {
    fn new(tuples: Box<dyn Tuples>, width: usize) -> Self {
        Self {
            tuples,
            block: Block::new(width),
            at: 0,
            ended: false,
        }
    }

    /// The last items of the tuples that begin with `key`; keys come in ascending order.
    fn values(&mut self, key: &[u64]) -> Result<Vec<u64>> {
        let mut out = Vec::new();
        let mut row = Vec::new();
        self.at = self.block.lower_bound(self.at.min(self.block.rows()), key);
        loop {
            while self.at >= self.block.rows() {
                if self.ended {
                    return Ok(out);
                }
                if out.is_empty() {
                    self.tuples.seek(key)?;
                }
                self.ended = !self.tuples.next(&mut self.block)?;
                if self.ended {
                    self.block.reset(key.len().saturating_add(1));
                }
                self.at = self.block.lower_bound(0, key);
            }
            row.clear();
            self.block.row(self.at, &mut row);
            match row.strip_prefix(key) {
                Some([value]) => out.push(*value),
                _ => return Ok(out),
            }
            self.at = self.at.saturating_add(1);
        }
    }
}
