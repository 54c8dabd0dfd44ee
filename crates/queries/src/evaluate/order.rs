//! Orders: rows by the values of some of their variables.
//!
//! The different values of each key are sorted in memory and numbered; the rows are then sorted by those numbers, and may be more than fit.
//!
//! Deliberately absent: which value is before which ([`crate::expression::compare_all`]).

use std::collections::HashMap;

use craton_base::{Error, Kind, Result};

use super::{
    Evaluator,
    rows::{Rows, at},
};
use crate::{algebra::Order, expression::compare_all, value::Value};

/// What a value that is sorted takes beside its text, in bytes, about.
const VALUE_BYTES: u64 = 128;

impl Evaluator<'_> {
    /// The rows in an order: columns in front of theirs make it so.
    pub(super) fn ordered(&mut self, rows: Rows, order: &[Order]) -> Result<Rows> {
        let mut ranks = Vec::with_capacity(order.len());
        let (mut variables, mut maybe) = (Vec::new(), Vec::new());
        for key in order {
            let Some(column) = rows.column(key.by) else {
                continue;
            };
            ranks.push((column, self.ranks(&rows, key)?));
            variables.push(self.fresh()?);
            maybe.push(false);
        }
        if ranks.is_empty() {
            return Ok(rows);
        }
        variables.extend(&rows.variables);
        maybe.extend(&rows.maybe);
        self.map(&rows, (variables, maybe), |_, row, out| {
            let rank = |(column, ranks): &(usize, HashMap<u64, u64>)| ranks.get(&at(row, *column)).copied();
            out.extend(ranks.iter().map(|key| rank(key).unwrap_or_default()));
            out.extend_from_slice(row);
            Ok(true)
        })
    }

    /// The place of each value of a key among all of them.
    fn ranks(&mut self, rows: &Rows, key: &Order) -> Result<HashMap<u64, u64>> {
        let distinct = self.project(rows, &[key.by])?;
        let control = self.control().clone();
        let (mut values, mut bytes): (Vec<(Option<Value>, u64)>, u64) = (Vec::new(), 0);
        let most = self.memory / 2;
        distinct.each(&control, |row| {
            let id = at(row, 0);
            let value = self.terms.value(id)?;
            let text = match &value {
                Some(Value::Iri(text) | Value::Text(text) | Value::Lang(text, _) | Value::Other(text)) => {
                    text.len()
                }
                _ => 0,
            };
            bytes = bytes.saturating_add(VALUE_BYTES).saturating_add(text as u64);
            if bytes > most {
                let message = "the values that the answer is ordered by do not fit in the query's memory";
                return Err(Error::new(Kind::TooLarge, "TooManyValues", message));
            }
            values.push((value, id));
            Ok(true)
        })?;
        values.sort_by(|(a, _), (b, _)| {
            let order = compare_all(a.as_ref(), b.as_ref());
            if key.descending { order.reverse() } else { order }
        });
        let mut ranks = HashMap::with_capacity(values.len());
        let (mut rank, mut last): (u64, Option<&Option<Value>>) = (0, None);
        for (value, id) in &values {
            if last.is_some_and(|last| compare_all(last.as_ref(), value.as_ref()).is_ne()) {
                rank = rank.saturating_add(1);
            }
            last = Some(value);
            ranks.insert(*id, rank);
        }
        Ok(ranks)
    }
}
