//! Numbers as rules compute with them: whole numbers of 128 bits with sign, and floats.
//!
//! A number is what is written as one: `7`, `-1.5`, `6e23`. A float that is whole is written as the whole number, so equal numbers that were
//! computed are the same term. What has no finite value (a division by zero, a root of what is less than 0) is none.
//!
//! Deliberately absent: terms, ids.

use std::cmp::Ordering;

use crate::rules::Operator;

/// Floats up to here are written as whole numbers where they are.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Floats from here on, and less than its inverse, are written with an exponent.
const LONG_FROM: f64 = 1e16;

/// A number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Number {
    Whole(i128),
    /// Finite.
    Float(f64),
}

use Number::{Float, Whole};

impl Number {
    /// What a symbol's text is, if it is a number.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        // Names such as inf and nan are none.
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match text.parse::<i128>() {
            Ok(whole) => Some(Whole(whole)),
            Err(_) => Self::float(text.parse().ok()?),
        }
    }

    /// A float, if it is finite; as a whole number if it is one.
    pub(super) fn float(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        Some(match value.trunc() == value && value.abs() <= WHOLE_MAX {
            true => Whole(value as i128),
            false => Float(value),
        })
    }

    pub(super) fn as_float(self) -> f64 {
        match self {
            Whole(whole) => whole as f64,
            Float(float) => float,
        }
    }

    /// How it is written.
    pub(super) fn text(self) -> String {
        match self {
            Whole(whole) => whole.to_string(),
            Float(float) if (LONG_FROM.recip()..LONG_FROM).contains(&float.abs()) => float.to_string(),
            Float(float) => format!("{float:e}"),
        }
    }

    pub(super) fn order(self, other: Self) -> Ordering {
        match (self, other) {
            (Whole(one), Whole(other)) => one.cmp(&other),
            // Both are finite.
            _ => self
                .as_float()
                .partial_cmp(&other.as_float())
                .unwrap_or(Ordering::Equal),
        }
    }
}

/// What an operator makes of numbers; why it makes none.
pub(super) fn compute(operator: Operator, of: &[Number]) -> Result<Number, &'static str> {
    match (operator, of) {
        (Operator::Add, [first, rest @ ..]) => fold(*first, rest, i128::checked_add, |a, b| a + b),
        (Operator::Multiply, [first, rest @ ..]) => fold(*first, rest, i128::checked_mul, |a, b| a * b),
        (Operator::Subtract, [one]) => fold(Whole(0), &[*one], i128::checked_sub, |a, b| a - b),
        (Operator::Subtract, [one, other]) => fold(*one, &[*other], i128::checked_sub, |a, b| a - b),
        (Operator::Least, [first, rest @ ..]) => Ok(pick(*first, rest, Ordering::Less)),
        (Operator::Greatest, [first, rest @ ..]) => Ok(pick(*first, rest, Ordering::Greater)),
        (Operator::Divide, [one, by]) => divide(*one, *by),
        (Operator::Quotient | Operator::Remainder, [Whole(one), Whole(by)]) => {
            let (quotient, remainder) = floored(*one, *by).ok_or("is divided by zero or too large")?;
            Ok(Whole(match operator {
                Operator::Quotient => quotient,
                _ => remainder,
            }))
        }
        (Operator::Quotient | Operator::Remainder, _) => Err("is not of whole numbers"),
        (Operator::Power, [Whole(base), Whole(exponent @ 0..)]) => {
            let exponent = u32::try_from(*exponent).map_err(|_| TOO_LARGE)?;
            base.checked_pow(exponent).map(Whole).ok_or(TOO_LARGE)
        }
        (Operator::Power, [base, exponent]) => finite(base.as_float().powf(exponent.as_float())),
        (Operator::Root, [of]) => finite(of.as_float().sqrt()),
        (Operator::Absolute, [Whole(of)]) => of.checked_abs().map(Whole).ok_or(TOO_LARGE),
        (Operator::Floor | Operator::Ceiling | Operator::Round, [Whole(of)]) => Ok(Whole(*of)),
        (Operator::Absolute, [of]) => finite(of.as_float().abs()),
        (Operator::Floor, [of]) => finite(of.as_float().floor()),
        (Operator::Ceiling, [of]) => finite(of.as_float().ceil()),
        (Operator::Round, [of]) => finite(of.as_float().round()),
        _ => Err("has a wrong number of arguments"),
    }
}

const TOO_LARGE: &str = "is beyond 128 bits";

fn finite(value: f64) -> Result<Number, &'static str> {
    Number::float(value).ok_or("is no finite number")
}

fn fold(
    first: Number,
    rest: &[Number],
    whole: fn(i128, i128) -> Option<i128>,
    float: fn(f64, f64) -> f64,
) -> Result<Number, &'static str> {
    let mut total = first;
    for next in rest {
        total = match (total, next) {
            (Whole(a), Whole(b)) => Whole(whole(a, *b).ok_or(TOO_LARGE)?),
            (a, b) => finite(float(a.as_float(), b.as_float()))?,
        };
    }
    Ok(total)
}

fn pick(first: Number, rest: &[Number], wanted: Ordering) -> Number {
    let better = |best: Number, next: &Number| match next.order(best) == wanted {
        true => *next,
        false => best,
    };
    rest.iter().fold(first, better)
}

fn divide(one: Number, by: Number) -> Result<Number, &'static str> {
    if let (Whole(one), Whole(by)) = (one, by)
        && one.checked_rem(by) == Some(0)
        && let Some(quotient) = one.checked_div(by)
    {
        return Ok(Whole(quotient));
    }
    match by.as_float() == 0.0 {
        true => Err("is divided by zero"),
        false => finite(one.as_float() / by.as_float()),
    }
}

/// Quotient and remainder, rounded down.
fn floored(one: i128, by: i128) -> Option<(i128, i128)> {
    let (quotient, remainder) = (one.checked_div(by)?, one.checked_rem(by)?);
    match remainder != 0 && (remainder < 0) != (by < 0) {
        true => Some((quotient.checked_sub(1)?, remainder.checked_add(by)?)),
        false => Some((quotient, remainder)),
    }
}

#[cfg(test)]
mod tests;
