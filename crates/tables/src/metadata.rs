//! Metadata of a table or a view: the JSON of the Iceberg table spec, versions 1 to 3, or of the view spec, kept as it is.
//!
//! Source: Iceberg table spec, "Table metadata fields" and appendix C.
//!
//! Deliberately absent: what may change it ([`crate::update`]).

use std::collections::HashSet;

use craton_base::{Error, Result};
use serde_json::{Map, Value, json};

use crate::error::bad;

/// The newest version of the format that is known.
pub(crate) const FORMAT_VERSION_MAX: i64 = 3;

/// The highest id of a partition field of a table that has none.
pub(crate) const NO_PARTITION_ID: i64 = 999;

/// How many earlier metadata files are named, unless a property says otherwise.
const PREVIOUS_FILES: usize = 100;

/// Metadata of a table.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Metadata(Map<String, Value>);

/// The metadata file that came before.
pub(crate) struct Before {
    pub(crate) file: String,
    pub(crate) updated_ms: i64,
}

impl Metadata {
    /// Of a table that has nothing yet.
    pub(crate) fn empty(id: &str, location: &str) -> Self {
        Self::of(json!({
            "format-version": 2, "table-uuid": id, "location": location, "last-sequence-number": 0,
            "last-updated-ms": 0, "last-column-id": 0, "current-schema-id": -1, "schemas": [],
            "default-spec-id": -1, "partition-specs": [], "last-partition-id": NO_PARTITION_ID,
            "default-sort-order-id": -1, "sort-orders": [], "properties": {}, "snapshots": [],
            "refs": {}, "snapshot-log": [], "metadata-log": [],
        }))
    }

    /// Of the members of a JSON object.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self(Map::new()),
        }
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let parsed = serde_json::from_slice(bytes);
        parsed
            .map(Self)
            .map_err(|e| Error::corrupt("a metadata file does not parse").with_source(e))
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(&self.0).map_err(|e| Error::internal("metadata can not be written").with_source(e))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        // The order of what stays is kept.
        self.0.shift_remove(name);
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    pub(crate) fn version(&self) -> i64 {
        self.number("format-version").unwrap_or(1)
    }

    /// A list; empty where there is none.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Changes a list, which is made where there is none.
    pub(crate) fn change_list(&mut self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let value = self.0.entry(name).or_insert_with(|| json!([]));
        if !value.is_array() {
            *value = json!([]);
        }
        if let Value::Array(list) = value {
            change(list);
        }
    }

    /// Adds to a list.
    pub(crate) fn push(&mut self, list: &str, item: Value) {
        self.change_list(list, |items| items.push(item));
    }

    pub(crate) fn map(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.get(name).and_then(Value::as_object).into_iter().flatten()
    }

    /// Changes a map, which is made where there is none.
    pub(crate) fn change_map(&mut self, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
        let value = self.0.entry(name).or_insert_with(|| json!({}));
        if !value.is_object() {
            *value = json!({});
        }
        if let Value::Object(map) = value {
            change(map);
        }
    }

    pub(crate) fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map("properties")
    }

    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.get("properties")?.get(name)?.as_str()
    }

    /// The item of a list whose field is this number.
    pub(crate) fn item(&self, list: &str, field: &str, id: i64) -> Option<&Value> {
        self.list(list)
            .iter()
            .find(|item| number(item, field) == Some(id))
    }

    /// Leaves out the snapshots that no branch and no tag names.
    pub(crate) fn keep_named_snapshots(&mut self) {
        let named: HashSet<i64> = self
            .map("refs")
            .filter_map(|(_, reference)| number(reference, "snapshot-id"))
            .chain(self.number("current-snapshot-id"))
            .collect();
        let is_named =
            |snapshot: &Value| number(snapshot, "snapshot-id").is_some_and(|id| named.contains(&id));
        if self.get("snapshots").is_some() {
            self.change_list("snapshots", |list| list.retain(is_named));
        }
    }

    /// Ends a change: the time, the log of earlier files, and what version 1 says twice. Answers the earlier files that are not named
    /// any more.
    pub(crate) fn finish(&mut self, before: Option<Before>, now_ms: i64) -> Result<Vec<String>> {
        let mut unnamed = Vec::new();
        // A client's clock may be ahead.
        let earlier = self.number("last-updated-ms").unwrap_or(0);
        self.set("last-updated-ms", now_ms.max(earlier));
        if let Some(before) = before {
            let entry = json!({ "metadata-file": before.file, "timestamp-ms": before.updated_ms });
            let most = self.property("write.metadata.previous-versions-max");
            let most = most
                .and_then(|text| text.parse().ok())
                .unwrap_or(PREVIOUS_FILES)
                .clamp(1, PREVIOUS_FILES);
            self.change_list("metadata-log", |log| {
                log.push(entry);
                let gone = log.drain(..log.len().saturating_sub(most));
                let file = |entry: Value| entry.get("metadata-file")?.as_str().map(str::to_owned);
                unnamed.extend(gone.filter_map(file));
            });
        }
        let current = |list: &str, id: &str, of: &str| {
            let wanted = self.number(id)?;
            self.item(list, of, wanted).cloned()
        };
        let schema = current("schemas", "current-schema-id", "schema-id")
            .ok_or_else(|| bad("the table has no current schema"))?;
        let spec = current("partition-specs", "default-spec-id", "spec-id")
            .ok_or_else(|| bad("the table has no default partition spec"))?;
        current("sort-orders", "default-sort-order-id", "order-id")
            .ok_or_else(|| bad("the table has no default sort order"))?;
        if self.version() == 1 {
            self.set("schema", schema);
            self.set(
                "partition-spec",
                spec.get("fields").cloned().unwrap_or_else(|| json!([])),
            );
        }
        Ok(unnamed)
    }
}

/// A number of an object.
pub(crate) fn number(value: &Value, name: &str) -> Option<i64> {
    value.get(name)?.as_i64()
}
