//! What guard policies leave of a table, in the words of the protocol: for engines that an administrator trusts to apply it.
//!
//! Invariants
//! - whatever the protocol has no word for becomes a stricter one, or the table is refused; nothing is left out;
//! - a filter is true only where the policy's condition is: each comparison says besides that there is a value, and negations are at the
//!   comparisons, so that it means the same to who takes what is not known for false.
//!
//! Source: Iceberg REST catalog, `ReadRestrictions` of `LoadTableResult`; table specification, "JSON Single-Value Serialization".
//!
//! Deliberately absent: who is trusted ([`craton_gate::Session::is_trusted_engine`]), which policies there are for whom (the gate).

use std::collections::BTreeMap;

use craton_base::{Error, Kind, Result};
use craton_gate::{Comparison, Condition, Mask, Restrictions, RowValue};
use craton_tables::columns_of;
use serde_json::{Value, json};

/// How deep a condition nests at most: policies are short, so none is that deep.
const DEPTH_MAX: usize = 64;

/// A column of the current schema.
struct Column<'a> {
    id: i64,
    /// Its type, if it is a primitive one.
    kind: Option<&'a str>,
    field: &'a Value,
}

/// The columns of a table, by all names that they have or had.
struct Columns<'a> {
    current: Vec<Column<'a>>,
    /// Names of any schema, by the columns' ids.
    called: BTreeMap<i64, Vec<&'a Value>>,
}

fn unfit(policy: &str) -> Error {
    let text = format!("Access Denied: the policy {policy} can not be said to an engine for this table");
    Error::new(Kind::Denied, "AccessDenied", text)
}

/// What an engine is told to apply, of metadata as JSON.
///
/// # Errors
/// `AccessDenied` for a policy that does not fit the table.
pub(super) fn told(metadata: &[u8], restrictions: &Restrictions) -> Result<Value> {
    let metadata: Value = serde_json::from_slice(metadata)
        .map_err(|e| Error::corrupt("a metadata file does not parse").with_source(e))?;
    let columns = Columns::of(&metadata);
    let mut filters = Vec::new();
    for (policy, condition) in &restrictions.rows {
        let filter = columns.filter(condition, false, 0).ok_or_else(|| unfit(policy))?;
        filters.push(filter);
    }
    let mut out = json!({});
    if let Value::Object(map) = &mut out {
        if let Some(filter) = filters.into_iter().reduce(|a, b| both("and", a, b)) {
            map.insert("required-row-filter".to_owned(), filter);
        }
        let projections = columns.projections(restrictions);
        if !projections.is_empty() {
            map.insert(
                "required-column-projections".to_owned(),
                Value::Array(projections),
            );
        }
    }
    Ok(out)
}

fn both(kind: &str, left: Value, right: Value) -> Value {
    json!({ "type": kind, "left": left, "right": right })
}

fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name)?.as_i64()
}

fn fields(schema: &Value) -> impl Iterator<Item = &Value> {
    schema
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn name(field: &Value) -> &str {
    field.get("name").and_then(Value::as_str).unwrap_or_default()
}

impl<'a> Columns<'a> {
    fn of(metadata: &'a Value) -> Self {
        let current = number(metadata, "current-schema-id");
        let schemas = metadata
            .get("schemas")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        // Version 1 may have one schema alone.
        let all: Vec<&Value> = schemas.chain(metadata.get("schema")).collect();
        let newest = all.iter().find(|schema| number(schema, "schema-id") == current);
        let newest = newest.or(all.last()).copied().unwrap_or(&Value::Null);
        let column = |field: &'a Value| {
            Some(Column {
                id: number(field, "id")?,
                kind: field.get("type").and_then(Value::as_str),
                field,
            })
        };
        let mut called: BTreeMap<i64, Vec<&Value>> = BTreeMap::new();
        for field in all.iter().flat_map(|schema| fields(schema)) {
            if let Some(id) = number(field, "id") {
                called.entry(id).or_default().push(field);
            }
        }
        Self {
            current: fields(newest).filter_map(column).collect(),
            called,
        }
    }

    /// The column that a condition means: the one of that name, or the only one that had it.
    fn meant(&self, wanted: &str) -> Option<&Column<'a>> {
        if let Some(column) = self.current.iter().find(|column| name(column.field) == wanted) {
            return Some(column);
        }
        let mut had = self
            .called
            .iter()
            .filter(|(_, fields)| fields.iter().any(|field| name(field) == wanted));
        let (id, _) = had.next()?;
        let found = self.current.iter().find(|column| column.id == *id);
        found.filter(|_| had.next().is_none())
    }

    /// A condition, or its opposite; `None` if it does not fit.
    fn filter(&self, condition: &Condition, opposite: bool, depth: usize) -> Option<Value> {
        let next = depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)?;
        match condition {
            Condition::All(list) | Condition::Any(list) => {
                let is_all = matches!(condition, Condition::All(_)) != opposite;
                let parts = list.iter().map(|part| self.filter(part, opposite, next));
                let parts: Vec<Value> = parts.collect::<Option<_>>()?;
                let kind = if is_all { "and" } else { "or" };
                Some(
                    parts
                        .into_iter()
                        .reduce(|a, b| both(kind, a, b))
                        .unwrap_or_else(|| constant(is_all)),
                )
            }
            Condition::Not(inner) => self.filter(inner, !opposite, next),
            Condition::IsNull(column) => {
                let kind = if opposite { "not-null" } else { "is-null" };
                Some(json!({ "type": kind, "child": reference(self.meant(column)?) }))
            }
            Condition::Compare(column, how, value) => {
                let column = self.meant(column)?;
                if *value == RowValue::Null {
                    return Some(constant(false));
                }
                let compared = both(
                    compared(*how, opposite),
                    reference(column),
                    literal(column, value)?,
                );
                Some(both("and", present(column), compared))
            }
            Condition::In(column, values) => {
                let column = self.meant(column)?;
                let is_known = |value: &&RowValue| **value != RowValue::Null;
                if opposite && !values.iter().all(|value| is_known(&value)) {
                    return Some(constant(false));
                }
                let known = values.iter().filter(is_known);
                let known: Vec<Value> = known.map(|value| single(column, value)).collect::<Option<_>>()?;
                if known.is_empty() {
                    // In nothing is nothing, and everything is not in nothing, what has no value too.
                    return Some(constant(opposite));
                }
                let kind = if opposite { "not-in" } else { "in" };
                let among = json!({ "type": kind, "child": reference(column), "values": known });
                Some(both("and", present(column), among))
            }
        }
    }

    /// What is done to each column that is masked.
    fn projections(&self, restrictions: &Restrictions) -> Vec<Value> {
        let of = |column: &Column<'a>| {
            let mut found: Option<Mask> = None;
            for (_, masked, mask) in &restrictions.masks {
                let Some(mask) = self.mask_of(column, masked, mask) else {
                    continue;
                };
                found = Some(match found {
                    None => mask,
                    Some(other) => other.and(mask),
                });
            }
            let action = action(&found?, column.kind);
            Some(json!({ "field-id": column.id, "action": action }))
        };
        self.current.iter().filter_map(of).collect()
    }

    /// The mask of a column, if a name is or was its own, or of what is in it, which then is kept back as a whole.
    fn mask_of(&self, column: &Column<'a>, masked: &str, mask: &Mask) -> Option<Mask> {
        let called = self.called.get(&column.id).into_iter().flatten();
        if called.clone().any(|field| name(field) == masked) {
            return Some(mask.clone());
        }
        let mut inside = called.flat_map(|field| columns_of(field));
        inside.any(|inner| inner == masked).then_some(Mask::Null)
    }
}

fn constant(is: bool) -> Value {
    json!({ "type": if is { "true" } else { "false" } })
}

fn reference(column: &Column<'_>) -> Value {
    json!({ "type": "reference", "id": column.id })
}

fn present(column: &Column<'_>) -> Value {
    json!({ "type": "not-null", "child": reference(column) })
}

fn compared(how: Comparison, opposite: bool) -> &'static str {
    match (how, opposite) {
        (Comparison::Equal, false) | (Comparison::Unequal, true) => "eq",
        (Comparison::Unequal, false) | (Comparison::Equal, true) => "not-eq",
        (Comparison::Less, false) | (Comparison::AtLeast, true) => "lt",
        (Comparison::AtMost, false) | (Comparison::More, true) => "lt-eq",
        (Comparison::More, false) | (Comparison::AtMost, true) => "gt",
        (Comparison::AtLeast, false) | (Comparison::Less, true) => "gt-eq",
    }
}

fn literal(column: &Column<'_>, value: &RowValue) -> Option<Value> {
    Some(json!({ "type": "literal", "value": single(column, value)? }))
}

/// A value as one of the column's type; `None` if it is none.
fn single(column: &Column<'_>, value: &RowValue) -> Option<Value> {
    let kind = column.kind?;
    let is_time = kind == "date" || kind == "time" || kind.starts_with("timestamp");
    Some(match (value, kind) {
        (RowValue::Bool(is), "boolean") => json!(is),
        (RowValue::Number(text), "int") => json!(text.parse::<i32>().ok()?),
        (RowValue::Number(text), "long") => json!(text.parse::<i64>().ok()?),
        (RowValue::Number(text), "float" | "double") => {
            json!(text.parse::<f64>().ok().filter(|n| n.is_finite())?)
        }
        (RowValue::Number(text), kind) if kind.starts_with("decimal") => json!(text),
        (RowValue::Text(text), "string" | "uuid") => json!(text),
        (RowValue::Text(text), "date") => {
            time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
            json!(text)
        }
        (RowValue::Text(text), _) if is_time => json!(text.replacen(' ', "T", 1)),
        _ => return None,
    })
}

/// The protocol's word for a mask of a column of this type: a stricter one where it has none.
fn action(mask: &Mask, kind: Option<&str>) -> &'static str {
    let is_text = kind == Some("string");
    let has_year = kind.is_some_and(|kind| kind == "date" || kind.starts_with("timestamp"));
    match mask {
        Mask::First(left) if is_text && *left >= 4 => "show-first-4",
        Mask::Last(left) if is_text && *left >= 4 => "show-last-4",
        Mask::Year if has_year => "truncate-to-year",
        _ => "replace-with-null",
    }
}

#[cfg(test)]
mod tests;
