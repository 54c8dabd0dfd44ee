//! Whether a file can hold rows that a filter wants, by the bounds of its columns.
//!
//! Invariant: what is not understood may match: a file is left out only if no row of it can.
//!
//! Source: Iceberg REST catalog, `Expression`; Iceberg's `InclusiveMetricsEvaluator`.

use std::{cmp::Ordering, collections::HashMap};

use serde_json::Value as Json;

use super::value::{Single, of_bytes, of_json};
use crate::avro::Value;

/// How deep filters nest.
const DEPTH_MAX: usize = 64;

/// Columns by their names: id and type.
pub(super) type Columns = HashMap<String, (i32, String)>;

/// What a manifest says of a file.
struct Bounds<'a> {
    file: &'a Value,
}

/// Whether a file may hold a row that is wanted.
pub(super) fn may_match(filter: &Json, file: &Value, columns: &Columns) -> bool {
    matches(filter, false, (&Bounds { file }, columns), 0)
}

/// The same of the negation, if it is `not`.
fn matches(filter: &Json, not: bool, of: (&Bounds<'_>, &Columns), depth: usize) -> bool {
    let kind = match filter {
        Json::Bool(is) => return *is != not,
        other => other.get("type").and_then(Json::as_str).unwrap_or_default(),
    };
    if depth > DEPTH_MAX {
        return true;
    }
    let next = depth.saturating_add(1);
    let both = |and: bool| {
        let side = |name: &str| filter.get(name).is_none_or(|part| matches(part, not, of, next));
        if and {
            side("left") && side("right")
        } else {
            side("left") || side("right")
        }
    };
    match kind {
        "true" => !not,
        "false" => not,
        "and" => both(!not),
        "or" => both(not),
        "not" => filter
            .get("child")
            .is_none_or(|child| matches(child, !not, of, next)),
        kind => of.0.holds(negated(kind, not), filter, of.1),
    }
}

/// The predicate that holds where another does not.
fn negated(kind: &str, not: bool) -> &str {
    if !not {
        return kind;
    }
    match kind {
        "eq" => "not-eq",
        "not-eq" => "eq",
        "lt" => "gt-eq",
        "lt-eq" => "gt",
        "gt" => "lt-eq",
        "gt-eq" => "lt",
        "is-null" => "not-null",
        "not-null" => "is-null",
        "in" => "not-in",
        "not-in" => "in",
        _ => "unknown",
    }
}

impl Bounds<'_> {
    fn entry(&self, map: i32, column: i32) -> Option<&Value> {
        let list = self.file.field(map).map(Value::list).unwrap_or_default();
        let mut pairs = list.iter().filter_map(Value::pair);
        let found = pairs.find(|(key, _)| key.integer() == Some(column.into()));
        found.map(|(_, value)| value)
    }

    fn count(&self, map: i32, column: i32) -> Option<i64> {
        self.entry(map, column)?.integer()
    }

    fn bound(&self, map: i32, (id, kind): (i32, &str)) -> Option<Single> {
        of_bytes(kind, self.entry(map, id)?.bytes()?)
    }

    fn holds(&self, kind: &str, filter: &Json, columns: &Columns) -> bool {
        let known = filter
            .get("term")
            .and_then(Json::as_str)
            .and_then(|name| columns.get(name));
        let Some((id, data_type)) = known else {
            return true;
        };
        let column = (*id, data_type.as_str());
        let nulls = self.count(110, *id);
        let all_null = nulls.is_some() && nulls == self.count(109, *id);
        match kind {
            "is-null" => nulls != Some(0),
            "not-null" => !all_null,
            "eq" | "lt" | "lt-eq" | "gt" | "gt-eq" if all_null => false,
            "eq" | "lt" | "lt-eq" | "gt" | "gt-eq" => {
                let value = filter.get("value").and_then(|value| of_json(data_type, value));
                value.is_none_or(|value| self.compares(kind, column, &value))
            }
            "in" => {
                let values = filter.get("values").and_then(Json::as_array);
                let may =
                    |value: &Json| of_json(data_type, value).is_none_or(|v| self.compares("eq", column, &v));
                !all_null && values.is_none_or(|values| values.iter().any(may))
            }
            "starts-with" => {
                let prefix = filter.get("value").and_then(Json::as_str);
                !all_null && prefix.is_none_or(|prefix| self.begins(column, prefix))
            }
            _ => true,
        }
    }

    fn compares(&self, kind: &str, column: (i32, &str), value: &Single) -> bool {
        let order = |map: i32| self.bound(map, column).and_then(|bound| bound.order(value));
        let (low, high) = (order(125), order(128));
        let low_at_most = |most: Ordering| low.is_none_or(|o| o <= most);
        let high_at_least = |least: Ordering| high.is_none_or(|o| o >= least);
        match kind {
            "lt" => low_at_most(Ordering::Less),
            "lt-eq" => low_at_most(Ordering::Equal),
            "gt" => high_at_least(Ordering::Greater),
            "gt-eq" => high_at_least(Ordering::Equal),
            _ => low_at_most(Ordering::Equal) && high_at_least(Ordering::Equal),
        }
    }

    /// Whether texts between the bounds can begin so.
    fn begins(&self, column: (i32, &str), prefix: &str) -> bool {
        let text = |map: i32| match self.bound(map, column) {
            Some(Single::Text(text)) => Some(text),
            _ => None,
        };
        let (low, high) = (text(125), text(128));
        low.is_none_or(|low| low.as_str() <= prefix || low.starts_with(prefix))
            && high.is_none_or(|high| high.as_str() >= prefix)
    }
}

#[cfg(test)]
mod tests;
