//! Expressions over one solution, as SPARQL 1.1 section 17 has them.
//!
//! An expression that can not be evaluated has no value: that is no error of the query. Storage's errors are.
//!
//! Deliberately absent: plans.

use std::cmp::Ordering;

use craton_base::Result;

use crate::{
    algebra::{Expression, Function, Variable},
    terms::{Terms, UNBOUND},
    value::Value,
};

pub(crate) mod functions;
pub(crate) mod numbers;

/// One solution.
pub struct Row<'r, 't, 'a> {
    /// The variables of its columns.
    pub variables: &'r [Variable],
    /// Their ids.
    pub row: &'r [u64],
    /// What the ids stand for.
    pub terms: &'t mut Terms<'a>,
}

impl Row<'_, '_, '_> {
    fn id(&self, variable: Variable) -> u64 {
        let column = self.variables.iter().position(|v| *v == variable);
        column.and_then(|at| self.row.get(at)).copied().unwrap_or(UNBOUND)
    }
}

/// Whether a condition holds: its effective boolean value is true.
///
/// # Errors
/// The storage's own.
pub fn holds(condition: &Expression, row: &mut Row<'_, '_, '_>) -> Result<bool> {
    Ok(value(condition, row)?.as_ref().and_then(truth) == Some(true))
}

/// The id of an expression's value.
///
/// # Errors
/// The storage's own; `TooLarge` if too many values are made.
pub fn id(expression: &Expression, row: &mut Row<'_, '_, '_>) -> Result<u64> {
    if let Expression::Variable(variable) = expression {
        return Ok(row.id(*variable));
    }
    let value = value(expression, row)?;
    row.terms.id_of(value.as_ref())
}

/// An expression's value.
///
/// # Errors
/// The storage's own.
pub fn value(expression: &Expression, row: &mut Row<'_, '_, '_>) -> Result<Option<Value>> {
    match expression {
        Expression::Value(value) => Ok(Some(value.clone())),
        Expression::Variable(variable) => row.terms.value(row.id(*variable)),
        Expression::Bound(variable) => Ok(Some(Value::Bool(row.id(*variable) != UNBOUND))),
        Expression::Present(inner) => Ok(Some(Value::Bool(value(inner, row)?.is_some()))),
        Expression::If(parts) => {
            let [condition, yes, no] = &**parts;
            match value(condition, row)?.as_ref().and_then(truth) {
                None => Ok(None),
                Some(true) => value(yes, row),
                Some(false) => value(no, row),
            }
        }
        Expression::Coalesce(all) => {
            for one in all {
                if let Some(found) = value(one, row)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        }
        Expression::In(one, all) => is_in(one, all, row),
        Expression::Call(Function::Or, parts) => connected(parts, row, true),
        Expression::Call(Function::And, parts) => connected(parts, row, false),
        Expression::Call(Function::SameTerm, parts) => {
            let [a, b] = parts.as_slice() else { return Ok(None) };
            let (a, b) = (id(a, row)?, id(b, row)?);
            Ok((a != UNBOUND && b != UNBOUND).then_some(Value::Bool(a == b)))
        }
        Expression::Call(function, parts) => {
            let mut values = Vec::with_capacity(parts.len());
            for part in parts {
                match value(part, row)? {
                    Some(value) => values.push(value),
                    None => return Ok(None),
                }
            }
            functions::call(*function, &values, row.terms)
        }
    }
}

/// `||` and `&&`: one side that decides is enough, also if the other has no value.
fn connected(parts: &[Expression], row: &mut Row<'_, '_, '_>, decides: bool) -> Result<Option<Value>> {
    let mut failed = false;
    for part in parts {
        match value(part, row)?.as_ref().and_then(truth) {
            Some(truth) if truth == decides => return Ok(Some(Value::Bool(decides))),
            Some(_) => {}
            None => failed = true,
        }
    }
    Ok((!failed).then_some(Value::Bool(!decides)))
}

fn is_in(one: &Expression, all: &[Expression], row: &mut Row<'_, '_, '_>) -> Result<Option<Value>> {
    let Some(one) = value(one, row)? else {
        return Ok(None);
    };
    let mut failed = false;
    for other in all {
        match value(other, row)?.and_then(|other| equal(&one, &other)) {
            Some(true) => return Ok(Some(Value::Bool(true))),
            Some(false) => {}
            None => failed = true,
        }
    }
    Ok((!failed).then_some(Value::Bool(false)))
}

/// The effective boolean value, where there is one.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Text(text) => Some(!text.is_empty()),
        Value::Integer(value) => Some(i64::from(*value) != 0),
        Value::Decimal(value) => Some(*value != oxsdatatypes::Decimal::from(0)),
        Value::Double(value) => Some(f64::from(*value) != 0.0 && !value.is_nan()),
        _ => None,
    }
}

/// Whether two values are equal, where that can be told.
pub(crate) fn equal(a: &Value, b: &Value) -> Option<bool> {
    if a.is_number() && b.is_number() {
        return Some(numbers::compare(a, b) == Some(Ordering::Equal));
    }
    if let (Some((x, of_x)), Some((y, of_y))) = (a.moment(), b.moment())
        && of_x == of_y
    {
        return x.partial_cmp(&y).map(Ordering::is_eq);
    }
    match (a, b) {
        _ if a == b => Some(true),
        // What a type that nobody knows says of two texts is not known.
        (Value::Typed(..), Value::Typed(..)) => None,
        (Value::Typed(..), Value::Iri(_) | Value::Blank(_))
        | (Value::Iri(_) | Value::Blank(_), Value::Typed(..)) => Some(false),
        (Value::Typed(..), _) | (_, Value::Typed(..)) => None,
        _ => Some(false),
    }
}

/// Which of two values is less, where that can be told.
pub(crate) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        _ if a.is_number() && b.is_number() => numbers::compare(a, b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Lang(a, of_a), Value::Lang(b, of_b)) if of_a == of_b => Some(a.cmp(b)),
        (Value::Typed(..), Value::Typed(..)) => {
            let ((x, of_x), (y, of_y)) = (a.moment()?, b.moment()?);
            if of_x == of_y { x.partial_cmp(&y) } else { None }
        }
        _ => None,
    }
}

/// The order of all values, for `ORDER BY`, `MIN` and `MAX`: none, blank nodes, IRIs, literals; those by their kinds. It is total.
pub(crate) fn compare_all(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    let (a, b) = match (a, b) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return a.is_some().cmp(&b.is_some()),
    };
    let by_kind = kind(a).cmp(&kind(b));
    by_kind.then_with(|| match (a, b) {
        _ if a.is_number() => numbers::order(a, b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Typed(x, of_x), Value::Typed(y, of_y)) => {
            let by_time = zoned(a).zip(zoned(b)).and_then(|(a, b)| a.partial_cmp(&b));
            match by_time {
                Some(Ordering::Equal) | None => of_x.cmp(of_y).then_with(|| x.cmp(y)),
                Some(order) => order,
            }
        }
        (Value::Lang(a, of_a), Value::Lang(b, of_b)) => a.cmp(b).then_with(|| of_a.cmp(of_b)),
        (Value::Blank(a), Value::Blank(b)) => a.cmp(b),
        _ => a.text().cmp(&b.text()),
    })
}

/// Kinds of values, in their order.
fn kind(value: &Value) -> u8 {
    match value {
        Value::Blank(_) => 0,
        Value::Iri(_) => 1,
        Value::Text(_) => 2,
        Value::Lang(..) => 3,
        Value::Integer(_) | Value::Decimal(_) | Value::Double(_) => 4,
        Value::Bool(_) => 5,
        Value::Typed(..) => match value.moment() {
            Some((_, true)) => 6,
            Some((_, false)) => 7,
            None => 8,
        },
        Value::Other(_) => 9,
    }
}

/// A moment whose time zone is UTC if it has none, so that any two can be compared.
fn zoned(value: &Value) -> Option<oxsdatatypes::DateTime> {
    let (moment, has_time) = value.moment()?;
    if moment.timezone_offset().is_some() {
        return Some(moment);
    }
    match value {
        Value::Typed(text, _) if has_time => format!("{text}Z").parse().ok(),
        Value::Typed(text, _) => {
            let date: oxsdatatypes::Date = format!("{text}Z").parse().ok()?;
            oxsdatatypes::DateTime::try_from(date).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
