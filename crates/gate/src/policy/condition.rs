//! The condition operators: what each compares, and how several values and missing keys count.
//!
//! The one rule that all of them follow (AWS IAM User Guide, "Condition operators" and "Conditions
//! with multiple context keys or values"): the values of the policy are alternatives, so a value
//! of the request *passes* a plain operator if it fits any of them, and passes a negated one if
//! it fits none. Then
//! - no set operator: the key must have a single value, and it must pass;
//! - `ForAllValues`: every value passes; true for a missing key or one with only empty values;
//! - `ForAnyValue`: some value passes; false for a missing key or one with only empty values;
//! - a missing key otherwise: negated operators and `…IfExists` hold, the others do not (the set
//!   operators settle a missing key themselves, so `IfExists` changes nothing about them).
//!
//! A variable without a value in the policy's text is null: nothing equals it, so plain
//! operators do not fit and negated ones pass ("Policy variables with no value").

use super::{
    Context,
    name::{Arn, ArnPattern},
    pattern::{Pattern, Syntax},
    value::{self, Network},
};

/// One key of one operator in a statement's `Condition`.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// In lower case.
    key: String,
    operator: Operator,
    test: Test,
    /// As it was written: two conditions with the same text hold for the same requests.
    text: Box<str>,
}

/// An operator's name taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    base: Base,
    quantifier: Quantifier,
    if_exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quantifier {
    One,
    ForAll,
    ForAny,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Base {
    compares: Compares,
    negated: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compares {
    Text { wildcards: bool, fold: bool },
    Number(Order),
    Date(Order),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
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

const EXACT: Compares = Compares::Text {
    wildcards: false,
    fold: false,
};
const FOLDED: Compares = Compares::Text {
    wildcards: false,
    fold: true,
};
const LIKE: Compares = Compares::Text {
    wildcards: true,
    fold: false,
};

/// Every operator: its name, what it compares, whether it is negated.
const OPERATORS: [(&str, Compares, bool); 27] = [
    ("StringEquals", EXACT, false),
    ("StringNotEquals", EXACT, true),
    ("StringEqualsIgnoreCase", FOLDED, false),
    ("StringNotEqualsIgnoreCase", FOLDED, true),
    ("StringLike", LIKE, false),
    ("StringNotLike", LIKE, true),
    ("NumericEquals", Compares::Number(Order::Equal), false),
    ("NumericNotEquals", Compares::Number(Order::Equal), true),
    ("NumericLessThan", Compares::Number(Order::Less), false),
    (
        "NumericLessThanEquals",
        Compares::Number(Order::LessOrEqual),
        false,
    ),
    ("NumericGreaterThan", Compares::Number(Order::Greater), false),
    (
        "NumericGreaterThanEquals",
        Compares::Number(Order::GreaterOrEqual),
        false,
    ),
    ("DateEquals", Compares::Date(Order::Equal), false),
    ("DateNotEquals", Compares::Date(Order::Equal), true),
    ("DateLessThan", Compares::Date(Order::Less), false),
    ("DateLessThanEquals", Compares::Date(Order::LessOrEqual), false),
    ("DateGreaterThan", Compares::Date(Order::Greater), false),
    (
        "DateGreaterThanEquals",
        Compares::Date(Order::GreaterOrEqual),
        false,
    ),
    ("Bool", Compares::Bool, false),
    ("BinaryEquals", Compares::Binary, false),
    ("IpAddress", Compares::Address, false),
    ("NotIpAddress", Compares::Address, true),
    ("ArnEquals", Compares::Arn, false),
    ("ArnLike", Compares::Arn, false),
    ("ArnNotEquals", Compares::Arn, true),
    ("ArnNotLike", Compares::Arn, true),
    ("Null", Compares::Null, false),
];

impl Operator {
    /// Takes `ForAnyValue:StringLikeIfExists` apart.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let (quantifier, rest) = match name.split_once(':') {
            None => (Quantifier::One, name),
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAllValues") => (Quantifier::ForAll, rest),
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAnyValue") => (Quantifier::ForAny, rest),
            Some(_) => return Err("expected \"ForAllValues:\" or \"ForAnyValue:\" before the ':'".into()),
        };
        let split = rest.len().saturating_sub("IfExists".len());
        let (base, if_exists) = match rest.split_at_checked(split) {
            Some((base, suffix)) if suffix.eq_ignore_ascii_case("IfExists") => (base, true),
            _ => (rest, false),
        };
        let (_, compares, negated) = OPERATORS
            .into_iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(base))
            .ok_or("is not a condition operator")?;
        if compares == Compares::Null && (if_exists || quantifier != Quantifier::One) {
            return Err("Null takes neither IfExists nor a set operator".into());
        }
        Ok(Self {
            base: Base { compares, negated },
            quantifier,
            if_exists,
        })
    }
}

/// The policy's side, compiled.
#[derive(Debug, Clone)]
enum Test {
    Patterns(Vec<Pattern>),
    Bools(Vec<Pattern>),
    Numbers(Order, Vec<i128>),
    Dates(Order, Vec<i128>),
    Binaries(Vec<Vec<u8>>),
    Networks(Vec<Network>),
    Arns(Vec<ArnPattern>),
    /// Holds for a missing key, for a present key.
    Null {
        missing: bool,
        present: bool,
    },
}

impl Test {
    fn parse(compares: Compares, values: &[String], variables: bool) -> Result<Self, (usize, String)> {
        Ok(match compares {
            Compares::Text { wildcards, fold } => {
                let syntax = Syntax {
                    wildcards,
                    variables,
                    fold,
                };
                Self::Patterns(each(values, |v| Pattern::parse(v, syntax))?)
            }
            Compares::Bool => Self::Bools(each(values, |v| parse_bool(v, variables))?),
            Compares::Number(order) => Self::Numbers(order, typed(values, value::number, "a number")?),
            Compares::Date(order) => {
                let expected = "a date in ISO 8601 form or in seconds since 1970";
                Self::Dates(order, typed(values, value::date, expected)?)
            }
            Compares::Binary => Self::Binaries(typed(values, value::binary, "base64")?),
            Compares::Address => {
                Self::Networks(typed(values, Network::parse, "an IP address or a CIDR range")?)
            }
            Compares::Arn => Self::Arns(each(values, |v| parse_arn(v, variables))?),
            Compares::Null => {
                let wanted = typed(values, value::boolean, "\"true\" or \"false\"")?;
                Self::Null {
                    missing: wanted.contains(&true),
                    present: wanted.contains(&false),
                }
            }
        })
    }

    /// Whether the policy's side is fixed values: no wildcards, no variables, no network as wide as the public.
    fn is_fixed(&self) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().all(Pattern::is_literal),
            Self::Arns(patterns) => patterns.iter().all(ArnPattern::is_literal),
            Self::Networks(networks) => networks.iter().all(Network::is_narrow),
            _ => false,
        }
    }

    /// Whether one value of the request fits any value of the policy.
    fn fits(&self, text: &str, context: &Context) -> bool {
        match self {
            Self::Patterns(patterns) => patterns.iter().any(|p| p.matches(text, context)),
            Self::Bools(patterns) => {
                value::boolean(text).is_some() && patterns.iter().any(|p| p.matches(text, context))
            }
            Self::Numbers(order, numbers) => {
                value::number(text).is_some_and(|n| numbers.iter().any(|m| order.holds(n, *m)))
            }
            Self::Dates(order, dates) => {
                value::date(text).is_some_and(|d| dates.iter().any(|e| order.holds(d, *e)))
            }
            Self::Binaries(binaries) => value::binary(text).is_some_and(|b| binaries.contains(&b)),
            Self::Networks(networks) => {
                value::address(text).is_some_and(|a| networks.iter().any(|n| n.contains(a)))
            }
            Self::Arns(patterns) => {
                Arn::split(text).is_some_and(|arn| patterns.iter().any(|p| p.matches(&arn, context)))
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

/// Keys whose fixed value says who asks or from where, in lower case (Amazon S3 User Guide, "The meaning of
/// public").
const NARROWING_KEYS: [&str; 14] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
];

impl Condition {
    /// The key, in lower case.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Whether it holds only for callers or places that the policy names one by one.
    pub(super) fn narrows(&self) -> bool {
        let Operator {
            base,
            quantifier,
            if_exists,
        } = self.operator;
        // A set operator over all values holds for a request that has none.
        let binding = !base.negated && !if_exists && quantifier != Quantifier::ForAll;
        binding && NARROWING_KEYS.contains(&self.key.as_str()) && self.test.is_fixed()
    }

    /// Compiles one key with its values; the error names the value by its position.
    pub(super) fn parse(
        operator: Operator,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, (usize, String)> {
        let test = Test::parse(operator.base.compares, values, variables)?;
        let key = key.to_lowercase();
        Ok(Self {
            text: format!("{operator:?} {key} {values:?} {variables}").into(),
            key,
            operator,
            test,
        })
    }

    /// Whether it is the same condition as `other`.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.text == other.text
    }

    /// Whether it is about who asks, so that it means something else for somebody else.
    pub(super) fn is_about_caller(&self) -> bool {
        let of_caller = [
            "aws:principal",
            "aws:username",
            "aws:userid",
            "aws:source",
            "aws:federated",
            "craton:",
        ];
        of_caller.iter().any(|start| self.key.starts_with(start)) || self.text.contains("${")
    }

    /// Whether the request meets it.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.key);
        if let Test::Null { missing, present } = self.test {
            return if values.is_some() { present } else { missing };
        }
        let Operator {
            base,
            quantifier,
            if_exists,
        } = self.operator;
        let Some(values) = values else {
            return match quantifier {
                Quantifier::ForAll => true,
                Quantifier::ForAny => false,
                Quantifier::One => if_exists || base.negated,
            };
        };
        let passes = |value: &String| self.test.fits(value, context) != base.negated;
        let list = values.as_slice();
        match quantifier {
            Quantifier::One => values.single().is_some_and(passes),
            Quantifier::ForAll => list.iter().all(String::is_empty) || list.iter().all(passes),
            Quantifier::ForAny => !list.iter().all(String::is_empty) && list.iter().any(passes),
        }
    }
}

#[cfg(test)]
mod tests;
