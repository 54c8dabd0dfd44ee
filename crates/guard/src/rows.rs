//! What a `forbid` leaves to who can tell rows and columns apart: `@rows` and `@mask`.
//!
//! ```text
//! @rows("region = 'eu' or owner = ${principal}")     rows for which this is true stay
//! @mask("null" | "first 3" | "last 4" | "year" | "'hidden'")    what stays of a column
//! ```
//!
//! A policy with such an annotation is a `forbid` like any other to whoever reads a table's data as a whole. Who says which columns it
//! reads ([`crate::TableFacts::reads`]) promises to apply what is left, and is told it instead of being refused.
//!
//! Invariants
//! - a condition is a value: what `${…}` stands for is put into it as a literal, never as text that is parsed again;
//! - a row stays only if the condition is true: where something is not known it is neither true nor false, as in SQL;
//! - of two masks of a column the stricter holds, and of two that can not be compared, neither: nothing stays.
//!
//! Deliberately absent: types of columns, evaluating (who reads the rows).

mod parse;

use craton_base::{Error, Kind, Result};

/// The longest `@rows` or `@mask`, in bytes.
const TEXT_BYTES_MAX: usize = 4096;

/// Who and what may stand in a condition as `${…}`, besides `${tag.NAME}`.
const VARIABLES: [&str; 5] = ["groups", "labels", "principal", "purpose", "run"];

/// The most characters that a mask leaves.
const LEFT_MAX: usize = 64;

/// A condition on a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All of them.
    All(Vec<Condition>),
    /// Any of them.
    Any(Vec<Condition>),
    /// Not this one.
    Not(Box<Condition>),
    /// A column compared with a value.
    Compare(String, Comparison, Value),
    /// A column's value is one of these.
    In(String, Vec<Value>),
    /// A column has no value.
    IsNull(String),
}

/// How two values compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`, `<>`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A value in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text; also a time or a date, by its column's type.
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// Yes or no.
    Bool(bool),
    /// What is not known.
    Null,
    /// What `${…}` stands for. Not in what is handed out.
    Variable(String),
}

/// What stays of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mask {
    /// Nothing.
    Null,
    /// This text instead of each.
    Text(String),
    /// The first characters, and a star for each other.
    First(usize),
    /// The last characters, and a star for each other.
    Last(usize),
    /// The year of a date or a time.
    Year,
}

/// What an annotation of a policy leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    Rows(Condition),
    Mask(Mask),
}

/// What guard policies leave of a table to who reads it by its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restrictions {
    /// Each row must fulfil all of them: the policy's name, its condition.
    pub rows: Vec<(String, Condition)>,
    /// What stays of columns: the policy's name, the column's, the mask. A column may be there several times.
    pub masks: Vec<(String, String, Mask)>,
    /// Columns for which it is refused, if it is refused for nothing else.
    pub refused: Vec<String>,
}

/// Who `${…}` is about.
pub(crate) struct About<'a> {
    pub(crate) principal: &'a str,
    pub(crate) groups: &'a [String],
    pub(crate) labels: &'a [String],
    pub(crate) purpose: Option<&'a str>,
    pub(crate) run: Option<&'a str>,
    pub(crate) tags: &'a [(String, String)],
}

impl Leaves {
    /// What a policy's annotations say; `None` if they say nothing of it.
    ///
    /// # Errors
    /// `MalformedPolicyDocument`.
    pub(crate) fn of(rows: Option<&str>, mask: Option<&str>) -> Result<Option<Self>> {
        let all = [rows, mask];
        if all.iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(malformed(format!(
                "@rows and @mask have at most {TEXT_BYTES_MAX} bytes"
            )));
        }
        Ok(match all {
            [None, None] => None,
            [Some(rows), None] => Some(Self::Rows(parse::condition(rows)?)),
            [None, Some(mask)] => Some(Self::Mask(Mask::parse(mask)?)),
            [Some(_), Some(_)] => {
                return Err(malformed(
                    "@rows and @mask are for policies of their own".to_owned(),
                ));
            }
        })
    }
}

impl Restrictions {
    /// Whether nothing is kept back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.masks.is_empty() && self.refused.is_empty()
    }

    /// Whether who applies these applies all of others.
    #[must_use]
    pub fn covers(&self, others: &Self) -> bool {
        others.rows.iter().all(|row| self.rows.contains(row))
            && others.masks.iter().all(|mask| self.masks.contains(mask))
            && others.refused.is_empty()
    }

    /// Adds those of another question.
    pub fn join(&mut self, other: Self) {
        for row in other.rows {
            if !self.rows.contains(&row) {
                self.rows.push(row);
            }
        }
        for mask in other.masks {
            if !self.masks.contains(&mask) {
                self.masks.push(mask);
            }
        }
        for column in other.refused {
            if !self.refused.contains(&column) {
                self.refused.push(column);
            }
        }
    }

    /// The names of the policies that were applied.
    pub fn policies(&self) -> impl Iterator<Item = &str> {
        let of_rows = self.rows.iter().map(|(policy, _)| policy.as_str());
        of_rows.chain(self.masks.iter().map(|(policy, _, _)| policy.as_str()))
    }
}

impl Condition {
    /// With values in place of variables.
    pub(crate) fn about(&self, who: &About<'_>) -> Self {
        let all = |list: &[Self]| list.iter().map(|c| c.about(who)).collect();
        match self {
            Self::All(list) => Self::All(all(list)),
            Self::Any(list) => Self::Any(all(list)),
            Self::Not(inner) => Self::Not(Box::new(inner.about(who))),
            Self::Compare(column, how, value) => {
                let mut values = value.about(who);
                // A comparison is with one value.
                let value = match (values.pop(), values.is_empty()) {
                    (Some(value), true) => value,
                    _ => Value::Null,
                };
                Self::Compare(column.clone(), *how, value)
            }
            Self::In(column, values) => {
                let values = values.iter().flat_map(|value| value.about(who)).collect();
                Self::In(column.clone(), values)
            }
            Self::IsNull(column) => Self::IsNull(column.clone()),
        }
    }

    /// The columns that it looks at.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().flat_map(Self::columns).collect(),
            Self::Not(inner) => inner.columns(),
            Self::Compare(column, ..) | Self::In(column, _) | Self::IsNull(column) => vec![column],
        }
    }
}

impl Value {
    fn about(&self, who: &About<'_>) -> Vec<Self> {
        let Self::Variable(name) = self else {
            return vec![self.clone()];
        };
        let texts = |list: &[String]| list.iter().cloned().map(Self::Text).collect();
        let one = |text: Option<&str>| vec![text.map_or(Self::Null, |t| Self::Text(t.to_owned()))];
        match name.as_str() {
            "groups" => texts(who.groups),
            "labels" => texts(who.labels),
            "principal" => one(Some(who.principal)),
            "purpose" => one(who.purpose),
            "run" => one(who.run),
            tag => {
                let tag = tag.strip_prefix("tag.");
                let found = who.tags.iter().find(|(key, _)| Some(key.as_str()) == tag);
                one(found.map(|(_, value)| value.as_str()))
            }
        }
    }

    fn variable(name: &str) -> Result<Self> {
        let is_tag = name.strip_prefix("tag.").is_some_and(|tag| !tag.is_empty());
        match is_tag || VARIABLES.contains(&name) {
            true => Ok(Self::Variable(name.to_owned())),
            false => Err(malformed(format!(
                "${{{name}}} is not known: there are {} and tag.NAME",
                VARIABLES.join(", ")
            ))),
        }
    }
}

impl Mask {
    fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if let Some(literal) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            return Ok(Self::Text(literal.replace("''", "'")));
        }
        let left = |number: &str| number.trim().parse().ok().filter(|n| (1..=LEFT_MAX).contains(n));
        let known = match text.split_once(' ') {
            None if text == "null" => Some(Self::Null),
            None if text == "year" => Some(Self::Year),
            Some(("first", number)) => left(number).map(Self::First),
            Some(("last", number)) => left(number).map(Self::Last),
            _ => None,
        };
        known.ok_or_else(|| {
            malformed(format!(
                "@mask({text:?}) is not null, 'a text', year, first N or last N (N from 1 to {LEFT_MAX})"
            ))
        })
    }

    /// What both leave.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::First(a), Self::First(b)) => Self::First(a.min(b)),
            (Self::Last(a), Self::Last(b)) => Self::Last(a.min(b)),
            (a, b) if a == b => a,
            _ => Self::Null,
        }
    }
}

impl std::fmt::Display for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Self::First(left) => write!(f, "first {left}"),
            Self::Last(left) => write!(f, "last {left}"),
            Self::Year => f.write_str("year"),
        }
    }
}

fn malformed(text: String) -> Error {
    Error::new(Kind::Invalid, "MalformedPolicyDocument", text)
}

#[cfg(test)]
mod tests;
