//! Arithmetic: integers stay integers but in divisions, decimals are exact, what meets a double is one.
//!
//! Deliberately absent: texts.

use std::cmp::Ordering;

use oxsdatatypes::{Decimal, Double};

use crate::value::Value;

/// Two numbers of one kind.
enum Pair {
    Integers(i64, i64),
    Decimals(Decimal, Decimal),
    Doubles(f64, f64),
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(value) => Some(Decimal::from(*value)),
        Value::Decimal(value) => Some(*value),
        _ => None,
    }
}

/// A number as a double.
pub(super) fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(f64::from(Double::from(*value))),
        Value::Decimal(value) => Some(f64::from(Double::from(*value))),
        Value::Double(value) => Some(f64::from(*value)),
        _ => None,
    }
}

fn pair(a: &Value, b: &Value) -> Option<Pair> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Some(Pair::Integers(i64::from(*a), i64::from(*b))),
        (Value::Double(_), _) | (_, Value::Double(_)) => Some(Pair::Doubles(double(a)?, double(b)?)),
        _ => Some(Pair::Decimals(decimal(a)?, decimal(b)?)),
    }
}

fn made(
    a: &Value,
    b: &Value,
    integers: impl Fn(i64, i64) -> Option<i64>,
    decimals: impl Fn(Decimal, Decimal) -> Option<Decimal>,
    doubles: impl Fn(f64, f64) -> f64,
) -> Option<Value> {
    match pair(a, b)? {
        Pair::Integers(a, b) => integers(a, b).map(|value| Value::Integer(value.into())),
        Pair::Decimals(a, b) => decimals(a, b).map(Value::Decimal),
        Pair::Doubles(a, b) => Some(Value::Double(doubles(a, b).into())),
    }
}

/// The sum.
pub(crate) fn add(a: &Value, b: &Value) -> Option<Value> {
    made(a, b, i64::checked_add, |a, b| a.checked_add(b), |a, b| a + b)
}

pub(super) fn subtract(a: &Value, b: &Value) -> Option<Value> {
    made(a, b, i64::checked_sub, |a, b| a.checked_sub(b), |a, b| a - b)
}

pub(super) fn multiply(a: &Value, b: &Value) -> Option<Value> {
    made(a, b, i64::checked_mul, |a, b| a.checked_mul(b), |a, b| a * b)
}

/// The quotient: of integers a decimal.
pub(super) fn divide(a: &Value, b: &Value) -> Option<Value> {
    match pair(a, b)? {
        Pair::Doubles(a, b) => Some(Value::Double((a / b).into())),
        _ => decimal(a)?.checked_div(decimal(b)?).map(Value::Decimal),
    }
}

/// The quotient: of integers an integer, towards zero.
pub(super) fn quotient(a: &Value, b: &Value) -> Option<Value> {
    made(a, b, i64::checked_div, |a, b| a.checked_div(b), |a, b| a / b)
}

pub(super) fn modulo(a: &Value, b: &Value) -> Option<Value> {
    made(a, b, i64::checked_rem, |a, b| a.checked_rem(b), |a, b| a % b)
}

pub(super) fn negate(value: &Value) -> Option<Value> {
    match value {
        Value::Integer(value) => value.checked_neg().map(Value::Integer),
        Value::Decimal(value) => value.checked_neg().map(Value::Decimal),
        Value::Double(value) => Some(Value::Double(-*value)),
        _ => None,
    }
}

pub(super) fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match pair(a, b)? {
        Pair::Integers(a, b) => Some(a.cmp(&b)),
        Pair::Decimals(a, b) => a.partial_cmp(&b),
        Pair::Doubles(a, b) => a.partial_cmp(&b),
    }
}

/// A total order: by the nearest double, those that are doubles first, then exactly. Not-a-number is the least.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    let (x, y) = (double(a).unwrap_or(f64::NAN), double(b).unwrap_or(f64::NAN));
    let by_double = x.partial_cmp(&y).unwrap_or_else(|| y.is_nan().cmp(&x.is_nan()));
    let is_exact = |value: &Value| !matches!(value, Value::Double(_));
    by_double
        .then_with(|| is_exact(a).cmp(&is_exact(b)))
        .then_with(|| {
            decimal(a)
                .zip(decimal(b))
                .and_then(|(a, b)| a.partial_cmp(&b))
                .unwrap_or(Ordering::Equal)
        })
}

/// A whole number next to this one, of its own kind.
pub(super) fn rounded(value: &Value, how: Rounding) -> Option<Value> {
    Some(match value {
        Value::Integer(value) => Value::Integer(match how {
            Rounding::Abs => value.checked_abs()?,
            _ => *value,
        }),
        Value::Decimal(value) => Value::Decimal(match how {
            Rounding::Abs => value.checked_abs()?,
            Rounding::Ceil => value.checked_ceil()?,
            Rounding::Floor => value.checked_floor()?,
            Rounding::Nearest => value.checked_round()?,
        }),
        Value::Double(value) => Value::Double(match how {
            Rounding::Abs => value.abs(),
            Rounding::Ceil => value.ceil(),
            Rounding::Floor => value.floor(),
            Rounding::Nearest => value.round(),
        }),
        _ => return None,
    })
}

/// Which number next to one.
#[derive(Clone, Copy)]
pub(super) enum Rounding {
    Abs,
    Ceil,
    Floor,
    Nearest,
}
