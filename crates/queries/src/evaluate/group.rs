//! Groups: one row for each combination of some variables, with values made of the rows that have it.
//!
//! Rows are sorted by the keys and read once; values that count once each are sorted behind them, in a pass of their own.
//!
//! Deliberately absent: which rows are grouped.

use craton_base::{Error, Kind, Result};
use oxsdatatypes::{Decimal, Double, Integer};

use super::{
    Evaluator,
    rows::{Rows, at},
};
use crate::{
    algebra::{Aggregate, AggregateFunction, Variable},
    expression::{compare_all, numbers},
    terms::{Terms, UNBOUND},
    value::Value,
};

/// The longest text of a value that is put together, in bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;

impl Evaluator<'_> {
    pub(super) fn group(
        &mut self,
        rows: &Rows,
        keys: &[Variable],
        aggregates: &[(Variable, Aggregate)],
    ) -> Result<Rows> {
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        for aggregate in aggregates {
            match (aggregate.1.distinct, aggregate.1.of) {
                (true, Some(of)) => alone.push((aggregate, of)),
                _ => together.push(aggregate),
            }
        }
        let mut columns = keys.to_vec();
        columns.extend(rows.variables.iter().filter(|v| !keys.contains(v)));
        let sorted = self.project(rows, &columns)?;
        let mut out = self.pass(&sorted, keys, &together)?;
        for (aggregate, of) in alone {
            let mut columns = keys.to_vec();
            columns.push(of);
            // A key that is counted itself needs a column of its own.
            let sorted = match keys.contains(&of) {
                false => self.project(rows, &columns)?,
                true => self.project(rows, keys)?,
            };
            let more = self.pass(&sorted, keys, &[aggregate])?;
            out = self.beside(out, more, keys)?;
        }
        Ok(out)
    }

    /// Two relations with the same keys, which are equal where their ids are.
    fn beside(&mut self, a: Rows, b: Rows, keys: &[Variable]) -> Result<Rows> {
        if keys.is_empty() {
            return self.pair(a, b);
        }
        let maybe = a.maybe.clone();
        let known = |rows: Rows| Rows {
            maybe: vec![false; rows.variables.len()],
            ..rows
        };
        let tail = b.maybe.get(keys.len()..).unwrap_or_default().to_vec();
        let mut joined = self.strict(&[], vec![known(a), known(b)], None)?;
        joined.maybe = maybe.into_iter().chain(tail).collect();
        Ok(joined)
    }

    /// One pass over rows that are sorted by the keys.
    fn pass(
        &mut self,
        rows: &Rows,
        keys: &[Variable],
        aggregates: &[&(Variable, Aggregate)],
    ) -> Result<Rows> {
        let mut variables = keys.to_vec();
        variables.extend(aggregates.iter().map(|(variable, _)| *variable));
        let key_columns: Vec<Option<usize>> = keys.iter().map(|key| rows.column(*key)).collect();
        let columns: Vec<Option<usize>> = aggregates
            .iter()
            .map(|(_, a)| a.of.and_then(|of| rows.column(of)))
            .collect();
        let is_one_group = keys.is_empty();
        if is_one_group && aggregates.is_empty() {
            return self.unit();
        }
        let new = || aggregates.iter().map(|(_, a)| Folded::new(a)).collect::<Vec<_>>();
        let mut gather = self.gather(variables.len())?;
        let control = self.control().clone();
        let mut key: Option<Vec<u64>> = is_one_group.then(Vec::new);
        let mut folded = new();
        let mut maybe = vec![false; variables.len()];
        let mut end = |terms: &mut Terms<'_>, key: &[u64], folded: Vec<Folded>| -> Result<()> {
            let mut out = key.to_vec();
            for folded in folded {
                out.push(folded.end(terms)?);
            }
            maybe
                .iter_mut()
                .zip(&out)
                .for_each(|(maybe, id)| *maybe |= *id == UNBOUND);
            gather.push(&out)
        };
        rows.each(&control, |row| {
            let its: Vec<u64> = key_columns
                .iter()
                .map(|c| c.map_or(UNBOUND, |c| at(row, c)))
                .collect();
            if key.as_ref() != Some(&its) {
                if let Some(key) = &key {
                    end(&mut self.terms, key, std::mem::replace(&mut folded, new()))?;
                }
                key = Some(its);
            }
            for ((folded, (_, aggregate)), column) in folded.iter_mut().zip(aggregates).zip(&columns) {
                let id = aggregate.of.map(|_| column.map_or(UNBOUND, |c| at(row, c)));
                folded.take(&mut self.terms, id)?;
            }
            Ok(true)
        })?;
        if let Some(key) = &key {
            end(&mut self.terms, key, folded)?;
        }
        Ok(Rows {
            variables,
            maybe,
            runs: gather.finish(&*self.storage)?,
        })
    }
}

/// The value of a group under way.
struct Folded {
    function: AggregateFunction,
    strict: bool,
    count: i64,
    /// Whether a value was not what the function takes: then there is no value.
    failed: bool,
    /// The sum, the least, the greatest, or any.
    value: Option<Value>,
    text: String,
    items: Vec<serde_json::Value>,
}

impl Folded {
    fn new(aggregate: &Aggregate) -> Self {
        Self {
            function: aggregate.function.clone(),
            strict: aggregate.strict,
            count: 0,
            failed: false,
            value: None,
            text: String::new(),
            items: Vec::new(),
        }
    }

    /// Takes a value of the group; none where solutions are counted.
    fn take(&mut self, terms: &mut Terms<'_>, id: Option<u64>) -> Result<()> {
        let Some(id) = id else {
            self.count += 1;
            return Ok(());
        };
        let Some(value) = terms.value(id)? else {
            self.failed |= self.strict
                && !matches!(
                    self.function,
                    AggregateFunction::Count | AggregateFunction::Sample
                );
            return Ok(());
        };
        self.count += 1;
        let better = |wanted: std::cmp::Ordering, kept: &Option<Value>| {
            kept.is_none() || compare_all(Some(&value), kept.as_ref()) == wanted
        };
        match &self.function {
            AggregateFunction::Count => {}
            AggregateFunction::Sum | AggregateFunction::Mean => {
                let sum = match self.value.take() {
                    None => value.is_number().then_some(value),
                    Some(sum) => numbers::add(&sum, &value),
                };
                self.failed |= sum.is_none();
                self.value = sum;
            }
            AggregateFunction::Min if better(std::cmp::Ordering::Less, &self.value) => {
                self.value = Some(value)
            }
            AggregateFunction::Max if better(std::cmp::Ordering::Greater, &self.value) => {
                self.value = Some(value)
            }
            AggregateFunction::Sample if self.value.is_none() => self.value = Some(value),
            AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::Sample => {}
            AggregateFunction::Concat(separator) => {
                if self.count > 1 {
                    self.text.push_str(separator);
                }
                self.failed |= matches!(value, Value::Blank(_));
                self.text.push_str(&value.text());
                self.grown(self.text.len())?;
            }
            AggregateFunction::Collect => {
                let text = value.text();
                self.text.push_str(&text);
                self.grown(self.text.len() + 16 * self.items.len())?;
                self.items.push(crate::answer::json_value(&value));
            }
        }
        Ok(())
    }

    fn grown(&self, bytes: usize) -> Result<()> {
        if bytes <= TEXT_BYTES_MAX {
            return Ok(());
        }
        let message = format!("a value put together of a group has more than {TEXT_BYTES_MAX} bytes");
        Err(Error::new(Kind::TooLarge, "ValueTooLarge", message))
    }

    fn end(self, terms: &mut Terms<'_>) -> Result<u64> {
        let zero = || Value::Integer(Integer::from(0));
        let value = match self.function {
            _ if self.failed => None,
            AggregateFunction::Count => Some(Value::Integer(Integer::from(self.count))),
            AggregateFunction::Sum => Some(self.value.unwrap_or_else(zero)),
            AggregateFunction::Mean => match self.value {
                None => Some(zero()),
                Some(sum) => mean(&sum, self.count),
            },
            AggregateFunction::Min | AggregateFunction::Max | AggregateFunction::Sample => self.value,
            AggregateFunction::Concat(_) => Some(Value::Text(self.text)),
            AggregateFunction::Collect => Some(Value::Typed(
                serde_json::Value::Array(self.items).to_string(),
                crate::answer::JSON.to_owned(),
            )),
        };
        terms.id_of(value.as_ref())
    }
}

fn mean(sum: &Value, count: i64) -> Option<Value> {
    match sum {
        Value::Integer(sum) => Decimal::from(*sum)
            .checked_div(Decimal::from(count))
            .map(Value::Decimal),
        Value::Decimal(sum) => sum.checked_div(Decimal::from(count)).map(Value::Decimal),
        Value::Double(sum) => Some(Value::Double(*sum / Double::from(Integer::from(count)))),
        _ => None,
    }
}
