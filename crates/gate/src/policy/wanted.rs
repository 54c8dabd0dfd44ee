//! The policy's side of a condition, compiled: the values of a list are alternatives, and a long list costs no more than
//! the few of its values that can fit.
//!
//! Deliberately absent: which value of the request is compared, and what the answer leads to (the operators).

use super::{
    Facts,
    context::Value,
    name::{Arn, ArnPattern},
    pattern::{Pattern, Syntax},
    starts::{Finder, Starting},
    value::{self, Networks},
};

/// What an operator compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compares {
    Text { wildcards: bool, fold: bool },
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

/// How the request's side of numbers and dates stands to the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// `left` is the request's side.
    fn holds(self, left: i128, right: i128) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// Patterns of which one must fit.
#[derive(Debug, Clone)]
pub(super) struct Alternatives<T> {
    values: Vec<T>,
    finder: Finder,
}

impl<T: Starting> Alternatives<T> {
    fn new(values: Vec<T>) -> Self {
        Self {
            finder: Finder::new(&values),
            values,
        }
    }

    /// Whether one fits `text`.
    fn any(&self, text: &str, fits: impl FnMut(&T) -> bool) -> bool {
        self.finder.any(&self.values, text, fits)
    }
}

impl Alternatives<Pattern> {
    fn fit(&self, text: &str, fold: bool, facts: &dyn Facts) -> bool {
        let fits = |text: &str| self.any(text, |p| p.matches_folded(text, facts));
        match fold {
            true => fits(&text.to_lowercase()),
            false => fits(text),
        }
    }
}

/// Numbers or points in time, in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Points {
    order: Order,
    sorted: Vec<i128>,
}

impl Points {
    fn new(order: Order, mut points: Vec<i128>) -> Self {
        points.sort_unstable();
        Self {
            order,
            sorted: points,
        }
    }

    /// Whether `point` stands to one of them as it must. What is less than any of them is less than the last.
    fn fit(&self, point: i128) -> bool {
        let nearest = match self.order {
            Order::Equal => return self.sorted.binary_search(&point).is_ok(),
            Order::Less | Order::LessOrEqual => self.sorted.last(),
            Order::Greater | Order::GreaterOrEqual => self.sorted.first(),
        };
        nearest.is_some_and(|n| self.order.holds(point, *n))
    }
}

/// The values of a condition.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Patterns {
        list: Alternatives<Pattern>,
        fold: bool,
    },
    Bools(Alternatives<Pattern>),
    Numbers(Points),
    Dates(Points),
    /// In ascending order.
    Binaries(Vec<Vec<u8>>),
    Networks(Networks),
    Arns(Alternatives<ArnPattern>),
    /// Holds for a missing key, for a present key.
    Null {
        missing: bool,
        present: bool,
    },
}

impl Wanted {
    /// Compiles the values; the error names the value by its position.
    pub(super) fn parse(
        compares: Compares,
        values: &[String],
        variables: bool,
    ) -> Result<Self, (usize, String)> {
        Ok(match compares {
            Compares::Text { wildcards, fold } => {
                let syntax = Syntax {
                    wildcards,
                    variables,
                    fold,
                };
                let list = Alternatives::new(each(values, |v| Pattern::parse(v, syntax))?);
                Self::Patterns { list, fold }
            }
            Compares::Bool => Self::Bools(Alternatives::new(each(values, |v| parse_bool(v, variables))?)),
            Compares::Number(order) => {
                Self::Numbers(Points::new(order, typed(values, value::number, "a number")?))
            }
            Compares::Date(order) => {
                let expected = "a date in ISO 8601 form or in seconds since 1970";
                Self::Dates(Points::new(order, typed(values, value::date, expected)?))
            }
            Compares::Binary => {
                let mut binaries = typed(values, value::binary, "base64")?;
                binaries.sort_unstable();
                Self::Binaries(binaries)
            }
            Compares::Address => {
                let expected = "an IP address or a CIDR range";
                Self::Networks(Networks::new(&typed(values, value::Network::parse, expected)?))
            }
            Compares::Arn => Self::Arns(Alternatives::new(each(values, |v| parse_arn(v, variables))?)),
            Compares::Null => {
                let wanted = typed(values, value::boolean, "\"true\" or \"false\"")?;
                Self::Null {
                    missing: wanted.contains(&true),
                    present: wanted.contains(&false),
                }
            }
        })
    }

    /// Whether it is fixed values: no wildcards, no variables, no network as wide as the public.
    pub(super) fn is_fixed(&self) -> bool {
        match self {
            Self::Patterns { list, .. } => list.values.iter().all(Pattern::is_literal),
            Self::Arns(list) => list.values.iter().all(ArnPattern::is_literal),
            Self::Networks(networks) => networks.are_narrow(),
            _ => false,
        }
    }

    /// Whether one value of the request fits any of them.
    pub(super) fn fits(&self, found: &Value<'_>, facts: &dyn Facts) -> bool {
        match (self, found) {
            (Self::Dates(dates), Value::Time(at)) => dates.fit(value::nanos(at.seconds())),
            (Self::Networks(networks), Value::Address(address)) => networks.contain(*address),
            (_, Value::Text(text)) => self.fits_text(text, facts),
            (_, other) => self.fits_text(&other.clone().into_text(), facts),
        }
    }

    fn fits_text(&self, text: &str, facts: &dyn Facts) -> bool {
        match self {
            Self::Patterns { list, fold } => list.fit(text, *fold, facts),
            Self::Bools(list) => value::boolean(text).is_some() && list.fit(text, true, facts),
            Self::Numbers(numbers) => value::number(text).is_some_and(|n| numbers.fit(n)),
            Self::Dates(dates) => value::date(text).is_some_and(|d| dates.fit(d)),
            Self::Binaries(binaries) => {
                value::binary(text).is_some_and(|b| binaries.binary_search(&b).is_ok())
            }
            Self::Networks(networks) => value::address(text).is_some_and(|a| networks.contain(a)),
            Self::Arns(list) => {
                Arn::split(text).is_some_and(|arn| list.any(text, |p| p.matches(&arn, facts)))
            }
            Self::Null { present, .. } => *present,
        }
    }
}

fn each<T>(values: &[String], parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, (usize, String)> {
    let parsed = values
        .iter()
        .enumerate()
        .map(|(i, v)| parse(v).map_err(|e| (i, e)));
    parsed.collect()
}

fn typed<T>(
    values: &[String],
    parse: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<Vec<T>, (usize, String)> {
    each(values, |v| parse(v).ok_or_else(|| format!("expected {expected}")))
}

fn parse_bool(text: &str, variables: bool) -> Result<Pattern, String> {
    let pattern = Pattern::parse(
        text,
        Syntax {
            wildcards: false,
            variables,
            fold: true,
        },
    )?;
    if !pattern.is_dynamic() && value::boolean(text).is_none() {
        return Err("expected \"true\" or \"false\"".into());
    }
    Ok(pattern)
}

fn parse_arn(text: &str, variables: bool) -> Result<ArnPattern, String> {
    if !text.starts_with("arn:") && !text.starts_with(['*', '$']) {
        return Err("expected an ARN (\"arn:…\")".into());
    }
    ArnPattern::parse(text, variables)
}

#[cfg(test)]
mod tests;
