//! What the gate and workers look at of a table: its columns, its labels, whether it is kept in order, read off its metadata whenever a row names new metadata.
//!
//! Columns are those of every schema that the metadata still holds: files that were written by an earlier one lie beside the others.
//!
//! Source: Iceberg table spec, "Schemas and Data Types" (names of fields within others: `customer.name`, `tags.element`, `prices.key`,
//! `prices.value`).
//!
//! Deliberately absent: what policies make of it (the guard plane).

use std::collections::BTreeMap;

use bytes::Bytes;
use craton_base::Result;
use craton_gate::tables::{ColumnRow, ColumnRows, LABELS_PROPERTY, MAINTENANCE_PROPERTY, TableRow};
use prost::Message as _;
use serde_json::Value;

use crate::{error::bad, metadata::Metadata};

/// The most bytes that the names and types of all columns take in a table's row.
const COLUMNS_BYTES_MAX: usize = 512 << 10;

/// The most labels of a table.
const LABELS_MAX: usize = 16;

/// How deep fields lie in others at most.
const DEPTH_MAX: usize = 64;

/// What policies look at of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Governed {
    columns: Bytes,
    labels: Vec<String>,
    maintained: bool,
}

impl Governed {
    /// # Errors
    /// `BadRequestException` above the limits.
    pub(crate) fn of(metadata: &Metadata) -> Result<Self> {
        let mut columns = BTreeMap::new();
        let current = metadata.number("current-schema-id");
        let is_current = |schema: &&Value| schema.get("schema-id").and_then(Value::as_i64) == current;
        // Of a column whose type changed, the newest counts.
        let schemas = metadata.list("schemas");
        for schema in schemas.iter().filter(is_current).chain(schemas) {
            fields(schema, "", 0, &mut columns)?;
        }
        let row = |(name, data_type)| ColumnRow { name, data_type };
        let rows = ColumnRows {
            columns: columns.into_iter().map(row).collect(),
        };
        let columns = Bytes::from(rows.encode_to_vec());
        if columns.len() > COLUMNS_BYTES_MAX {
            let text = format!("the names of a table's columns take at most {COLUMNS_BYTES_MAX} bytes");
            return Err(bad(text));
        }
        let labels = craton_gate::labels(metadata.property(LABELS_PROPERTY).unwrap_or_default());
        match labels.len() <= LABELS_MAX {
            true => Ok(Self {
                columns,
                labels,
                maintained: metadata.property(MAINTENANCE_PROPERTY) == Some("true"),
            }),
            false => Err(bad(format!("a table has at most {LABELS_MAX} labels"))),
        }
    }

    /// The row with it.
    pub(crate) fn put_into(&self, row: TableRow) -> TableRow {
        TableRow {
            columns: self.columns.clone(),
            labels: self.labels.clone(),
            maintained: self.maintained,
            ..row
        }
    }
}

/// Adds the fields of a struct under a name.
fn fields(of: &Value, above: &str, depth: usize, out: &mut BTreeMap<String, String>) -> Result<()> {
    let list = of.get("fields").and_then(Value::as_array);
    for field in list.into_iter().flatten() {
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default();
        let data_type = field.get("type").unwrap_or(&Value::Null);
        add(&format!("{above}{name}"), data_type, depth, out)?;
    }
    Ok(())
}

/// Adds a column, and what lies in it.
fn add(name: &str, data_type: &Value, depth: usize, out: &mut BTreeMap<String, String>) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(bad(format!("columns lie in each other at most {DEPTH_MAX} deep")));
    }
    let text = data_type.as_str().or_else(|| data_type.get("type")?.as_str());
    out.entry(name.to_owned())
        .or_insert_with(|| text.unwrap_or_default().to_owned());
    for part in ["element", "key", "value"] {
        if let Some(inner) = data_type.get(part) {
            add(&format!("{name}.{part}"), inner, depth.saturating_add(1), out)?;
        }
    }
    fields(data_type, &format!("{name}."), depth.saturating_add(1), out)
}

/// The names of a schema's field and of all that lies in it, as policies say them.
#[must_use]
pub fn columns_of(field: &Value) -> Vec<String> {
    let (name, mut out) = (field.get("name").and_then(Value::as_str), BTreeMap::new());
    let data_type = field.get("type").unwrap_or(&Value::Null);
    // What lies too deep is in no table that was committed.
    drop(add(name.unwrap_or_default(), data_type, 0, &mut out));
    out.into_keys().collect()
}

/// Whether updates of a commit change a table's labels.
#[must_use]
pub fn changes_labels(updates: &[Value]) -> bool {
    updates.iter().any(|update| {
        let sets = ["updates", "updated"].iter().any(|of| {
            let properties = update.get(of).and_then(Value::as_object);
            properties.is_some_and(|p| p.contains_key(LABELS_PROPERTY))
        });
        sets || ["removals", "removed"].iter().any(|of| {
            let names = update.get(of).and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|n| n == LABELS_PROPERTY))
        })
    })
}

#[cfg(test)]
mod tests;
