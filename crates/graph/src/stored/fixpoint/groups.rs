//! Aggregates: the rows of a rule, sorted by group, become a fact for each group, or some facts of each.
//!
//! Invariants: rows are distinct when they come here; a sum of whole numbers is exact, one of floats is compensated (Neumaier 1974); of
//! rows with equal numbers `top` and `bottom` take those first that are first in the order of terms.
//!
//! Deliberately absent: which rows there are ([`super::rows`]).

use std::cmp::Ordering;

use craton_base::{Error, Kind, Result};

use super::{
    evaluate::{Evaluator, Stop, Value},
    number::Number,
    rows::{Making, Sheet, is_full, settle},
};
use crate::{
    Block, Bounds, Tuples as _,
    rules::{Aggregate, Checked, Place, Reduce, wrong},
    run::Run,
};

/// The facts that the groups of sorted rows make.
pub(super) fn reduce(making: &Making<'_>, rule: &Checked, reduce: &Reduce, rows: &Run) -> Result<Run> {
    let mut evaluator = Evaluator::new(making.base, making.writer.graphs().seed()?, making.depth_max);
    let mut sheets = [Sheet::new(reduce.template.len(), making)?];
    let width = reduce.group.len();
    let (mut block, mut row) = (Block::new(rows.width()), Vec::new());
    let mut now: Option<Group<'_>> = None;
    let mut rows = rows.scan(&Bounds::all());
    let told = |stop| match stop {
        Stop::Error(error) => error,
        Stop::Failure(why) => {
            let error = wrong(&rule.label, &format!("it aggregates what is no number: {why}"));
            Error::new(Kind::Invalid, "NotANumber", error.to_string())
        }
    };
    while rows.next(&mut block)? {
        making.base.blobs().control().check()?;
        for number in 0..block.rows() {
            row.clear();
            block.row(number, &mut row);
            let (group, over) = row.split_at_checked(width).unwrap_or((&row, &[]));
            if now.as_ref().is_none_or(|now| now.group != group)
                && let Some(last) = now.replace(Group::new(reduce, group))
            {
                last.finish(&mut evaluator, &mut sheets).map_err(told)?;
                if is_full(&evaluator, &sheets) {
                    settle(making, &mut evaluator, &mut sheets)?;
                }
            }
            if let Some(now) = &mut now {
                now.take(&mut evaluator, over).map_err(told)?;
            }
        }
    }
    if let Some(last) = now {
        last.finish(&mut evaluator, &mut sheets).map_err(told)?;
    }
    settle(making, &mut evaluator, &mut sheets)?;
    let [sheet] = sheets;
    sheet.finish(making)
}

/// A group under way.
struct Group<'a> {
    reduce: &'a Reduce,
    group: Vec<u64>,
    count: i128,
    whole: i128,
    float: Option<Compensated>,
    /// The rows that are taken so far, with their numbers.
    best: Vec<(Number, Vec<u64>)>,
}

impl<'a> Group<'a> {
    fn new(reduce: &'a Reduce, group: &[u64]) -> Self {
        Self {
            reduce,
            group: group.to_vec(),
            count: 0,
            whole: 0,
            float: None,
            best: Vec::new(),
        }
    }

    /// Takes a row.
    fn take(&mut self, evaluator: &mut Evaluator<'_>, over: &[u64]) -> Result<(), Stop> {
        self.count = self.count.saturating_add(1);
        let most = match self.reduce.how {
            Aggregate::Count => return Ok(()),
            Aggregate::Top(most) | Aggregate::Bottom(most) => most,
            Aggregate::Sum | Aggregate::Mean => 0,
        };
        let number = evaluator.number_of(over.first().copied().unwrap_or_default())?;
        if most > 0 {
            self.best.push((number, over.to_vec()));
            if self.best.len() > most.saturating_mul(2).saturating_add(64) {
                self.cut(evaluator, most)?;
            }
            return Ok(());
        }
        match number {
            Number::Whole(whole) => {
                let too_large =
                    || Error::new(Kind::TooLarge, "SumTooLarge", "a sum does not fit in 128 bits");
                self.whole = self.whole.checked_add(whole).ok_or_else(too_large)?;
            }
            Number::Float(float) => self.float.get_or_insert_default().add(float),
        }
        Ok(())
    }

    /// Keeps the best rows only.
    fn cut(&mut self, evaluator: &mut Evaluator<'_>, most: usize) -> Result<(), Stop> {
        let least_first = matches!(self.reduce.how, Aggregate::Bottom(_));
        let order = |one: &Number, other: &Number| match least_first {
            true => one.order(*other),
            false => other.order(*one),
        };
        self.best.sort_by(|(one, _), (other, _)| order(one, other));
        let Some((last, _)) = most.checked_sub(1).and_then(|at| self.best.get(at)).cloned() else {
            return Ok(());
        };
        // Of those that are as good as the last one that is kept, the first in the order of terms stay.
        let from = self
            .best
            .partition_point(|(number, _)| order(number, &last) == Ordering::Less);
        let to = self
            .best
            .partition_point(|(number, _)| order(number, &last) != Ordering::Greater);
        self.best.truncate(to);
        if to > most {
            let mut ties = Vec::with_capacity(to.saturating_sub(from));
            for (number, row) in self.best.drain(from..) {
                let mut key = Vec::with_capacity(row.len());
                for id in row.iter().skip(1) {
                    key.push(evaluator.encoded(&Value::Id(*id))?);
                }
                ties.push((key, number, row));
            }
            ties.sort_by(|(one, ..), (other, ..)| one.cmp(other));
            let kept = ties.into_iter().map(|(_, number, row)| (number, row));
            self.best.extend(kept.take(most.saturating_sub(from)));
        }
        Ok(())
    }

    /// The value of the group, where it has one.
    fn value(&self) -> Result<Option<Number>, Stop> {
        let no_sum = || Stop::Failure("the sum is no finite number".to_owned());
        let sum = match self.float {
            None => Number::Whole(self.whole),
            Some(float) => Number::float(float.sum(self.whole as f64)).ok_or_else(no_sum)?,
        };
        Ok(match self.reduce.how {
            Aggregate::Count => Some(Number::Whole(self.count)),
            Aggregate::Sum => Some(sum),
            Aggregate::Mean => {
                let mean =
                    super::number::compute(crate::rules::Operator::Divide, &[sum, Number::Whole(self.count)]);
                Some(mean.map_err(|_| no_sum())?)
            }
            Aggregate::Top(_) | Aggregate::Bottom(_) => None,
        })
    }

    /// Makes the group's facts.
    fn finish(mut self, evaluator: &mut Evaluator<'_>, sheets: &mut [Sheet]) -> Result<(), Stop> {
        if let Aggregate::Top(most) | Aggregate::Bottom(most) = self.reduce.how {
            self.cut(evaluator, most)?;
        }
        let value = match self.value()? {
            Some(number) => evaluator.intern(&Value::Number(number))?,
            None => 0,
        };
        let none = (Number::Whole(0), Vec::new());
        let rows = match self.reduce.how {
            Aggregate::Top(_) | Aggregate::Bottom(_) => self.best.as_slice(),
            _ => std::slice::from_ref(&none),
        };
        let Some(sheet) = sheets.first_mut() else {
            return Ok(());
        };
        for (_, over) in rows {
            let item = |place: &Place| match place {
                Place::Group(n) => self.group.get(*n).copied(),
                Place::Over(n) => over.get(*n).copied(),
                Place::Value => Some(value),
            };
            let tuple = self
                .reduce
                .template
                .iter()
                .map(|place| item(place).unwrap_or_default());
            sheet.push(&tuple.collect::<Vec<u64>>());
        }
        Ok(())
    }
}

/// A sum of floats with what rounding took away.
#[derive(Clone, Copy, Default)]
struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        self.lost += match self.sum.abs() >= value.abs() {
            true => (self.sum - sum) + value,
            false => (value - sum) + self.sum,
        };
        self.sum = sum;
    }

    fn sum(mut self, and: f64) -> f64 {
        self.add(and);
        self.sum + self.lost
    }
}
