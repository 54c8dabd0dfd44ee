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
    Facts,
    context::{Value, Values},
    wanted::{Compares, Order, Wanted},
};

/// One key of one operator in a statement's `Condition`.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// In lower case.
    key: String,
    operator: Operator,
    wanted: Wanted,
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
        binding && NARROWING_KEYS.contains(&self.key.as_str()) && self.wanted.is_fixed()
    }

    /// Compiles one key with its values; the error names the value by its position.
    pub(super) fn parse(
        operator: Operator,
        key: &str,
        values: &[String],
        variables: bool,
    ) -> Result<Self, (usize, String)> {
        let wanted = Wanted::parse(operator.base.compares, values, variables)?;
        let key = key.to_lowercase();
        Ok(Self {
            text: format!("{operator:?} {key} {values:?} {variables}").into(),
            key,
            operator,
            wanted,
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
    pub(super) fn holds(&self, facts: &dyn Facts) -> bool {
        let values = facts.get(&self.key);
        if let Wanted::Null { missing, present } = self.wanted {
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
        let passes = |value: &Value<'_>| self.wanted.fits(value, facts) != base.negated;
        let list = values.as_slice();
        match quantifier {
            Quantifier::One => matches!(&values, Values::One(value) if passes(value)),
            Quantifier::ForAll => list.iter().all(Value::is_empty) || list.iter().all(passes),
            Quantifier::ForAny => !list.iter().all(Value::is_empty) && list.iter().any(passes),
        }
    }
}

#[cfg(test)]
mod tests;
