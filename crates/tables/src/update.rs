//! The updates of a commit, applied one after another to metadata as JSON.
//!
//! Source: Iceberg REST catalog, `TableUpdate`; Iceberg's `TableMetadata.Builder` for what each means.
//!
//! Deliberately absent: updates of views ([`crate::view`]); whether locations are good, which is looked at once a commit's updates are applied
//! ([`crate::location`]).

use craton_base::Result;
use serde_json::{Value, json};

use crate::{
    error::bad,
    metadata::{FORMAT_VERSION_MAX, Metadata, number},
};

mod columns;
mod snapshots;

pub(crate) use columns::add_schema;

/// The most updates in one commit.
pub(crate) const UPDATES_MAX: usize = 10_000;

/// Metadata while updates are applied to it.
pub(crate) struct Change {
    pub(crate) metadata: Metadata,
    /// Whether the table is being made.
    is_new: bool,
    pub(crate) now_ms: i64,
    /// What the last of each kind that was added is called: `-1` in later updates.
    schema: Option<i64>,
    spec: Option<i64>,
    order: Option<i64>,
    /// Snapshots that were added.
    added: Vec<i64>,
}

impl Change {
    pub(crate) fn new(metadata: Metadata, is_new: bool, now_ms: i64) -> Self {
        Self {
            metadata,
            is_new,
            now_ms,
            schema: None,
            spec: None,
            order: None,
            added: Vec::new(),
        }
    }

    /// Applies an update.
    pub(crate) fn apply(&mut self, update: &Value) -> Result<()> {
        match text(update, "action")? {
            "assign-uuid" => self.assign_uuid(update),
            "upgrade-format-version" => self.upgrade(update),
            "add-schema" => self.add_schema(update),
            "set-current-schema" => self.set_current_schema(update),
            "remove-schemas" => self.remove_schemas(update),
            "add-spec" => self.add_spec(update),
            "set-default-spec" => self.set_default_spec(update),
            "remove-partition-specs" => self.remove_specs(update),
            "add-sort-order" => self.add_order(update),
            "set-default-sort-order" => self.set_default_order(update),
            "add-snapshot" => self.add_snapshot(update),
            "remove-snapshots" => self.remove_snapshots(update),
            "set-snapshot-ref" => self.set_ref(update),
            "remove-snapshot-ref" => self.remove_ref(update),
            "set-location" => {
                self.metadata.set("location", text(update, "location")?);
                Ok(())
            }
            "set-properties" => set_properties(&mut self.metadata, update),
            "remove-properties" => remove_properties(&mut self.metadata, update),
            "set-statistics" => self.set_file(update, "statistics"),
            "remove-statistics" => self.remove_file(update, "statistics"),
            "set-partition-statistics" => self.set_file(update, "partition-statistics"),
            "remove-partition-statistics" => self.remove_file(update, "partition-statistics"),
            "add-encryption-key" => self.add_encryption_key(update),
            "remove-encryption-key" => {
                let id = text(update, "key-id")?;
                let is = |key: &Value| key.get("key-id").and_then(Value::as_str) == Some(id);
                self.metadata
                    .change_list("encryption-keys", |keys| keys.retain(|k| !is(k)));
                Ok(())
            }
            other => Err(bad(format!("unknown update {other:?}"))),
        }
    }

    fn assign_uuid(&self, update: &Value) -> Result<()> {
        let wanted = text(update, "uuid")?;
        match self.metadata.text("table-uuid") {
            Some(is) if is.eq_ignore_ascii_case(wanted) => Ok(()),
            _ => Err(bad("a table's UUID does not change")),
        }
    }

    fn upgrade(&mut self, update: &Value) -> Result<()> {
        let wanted = integer(update, "format-version")?;
        let is = self.metadata.version();
        if !(1..=FORMAT_VERSION_MAX).contains(&wanted) {
            return Err(bad(format!("format version {wanted} is not known")));
        }
        if wanted < is && !self.is_new {
            return Err(bad(format!("format version {is} can not be made {wanted}")));
        }
        self.metadata.set("format-version", wanted);
        if wanted == 1 {
            self.metadata.unset("last-sequence-number");
        } else {
            self.metadata.unset("schema");
            self.metadata.unset("partition-spec");
            let last = self.metadata.number("last-sequence-number").unwrap_or(0);
            self.metadata.set("last-sequence-number", last);
        }
        if wanted >= 3 {
            let next = self.metadata.number("next-row-id").unwrap_or(0);
            self.metadata.set("next-row-id", next);
        }
        Ok(())
    }

    fn add_encryption_key(&mut self, update: &Value) -> Result<()> {
        if self.metadata.version() < 3 {
            return Err(bad("encryption keys need format version 3"));
        }
        let key = part(update, "encryption-key")?;
        let id = text(key, "key-id")?;
        let known = self.metadata.list("encryption-keys").iter();
        let mut known = known.filter_map(|k| k.get("key-id").and_then(Value::as_str));
        if !known.any(|k| k == id) {
            self.metadata.push("encryption-keys", key.clone());
        }
        Ok(())
    }

    /// A file of statistics: one for each snapshot.
    fn set_file(&mut self, update: &Value, list: &str) -> Result<()> {
        let file = part(update, list)?;
        let id = integer(file, "snapshot-id")?;
        text(file, "statistics-path")?;
        let file = file.clone();
        self.metadata.change_list(list, |files| {
            files.retain(|f| number(f, "snapshot-id") != Some(id));
            files.push(file);
        });
        Ok(())
    }

    fn remove_file(&mut self, update: &Value, list: &str) -> Result<()> {
        let id = integer(update, "snapshot-id")?;
        self.metadata.change_list(list, |files| {
            files.retain(|f| number(f, "snapshot-id") != Some(id))
        });
        Ok(())
    }
}

/// Sets properties of a table or a view.
pub(crate) fn set_properties(metadata: &mut Metadata, update: &Value) -> Result<()> {
    // `updated` was its name in early clients.
    let updates = update.get("updates").or_else(|| update.get("updated"));
    let updates = updates.and_then(Value::as_object);
    let updates = updates.ok_or_else(|| bad("set-properties has no updates"))?;
    if updates.values().any(|value| !value.is_string()) {
        return Err(bad("a property's value is a text"));
    }
    metadata.change_map("properties", |properties| {
        properties.extend(updates.iter().map(|(name, value)| (name.clone(), value.clone())));
    });
    Ok(())
}

/// Removes properties of a table or a view.
pub(crate) fn remove_properties(metadata: &mut Metadata, update: &Value) -> Result<()> {
    let removals = update.get("removals").or_else(|| update.get("removed"));
    let removals = removals.and_then(Value::as_array);
    let removals = removals.ok_or_else(|| bad("remove-properties has no removals"))?;
    metadata.change_map("properties", |properties| {
        for name in removals.iter().filter_map(Value::as_str) {
            properties.shift_remove(name);
        }
    });
    Ok(())
}

/// A text that must be there.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let found = value.get(name).and_then(Value::as_str);
    found.ok_or_else(|| bad(format!("{name} is missing or no text")))
}

/// A number that must be there.
pub(crate) fn integer(value: &Value, name: &str) -> Result<i64> {
    number(value, name).ok_or_else(|| bad(format!("{name} is missing or no number")))
}

/// An object that must be there.
pub(crate) fn part<'a>(value: &'a Value, name: &str) -> Result<&'a Value> {
    let found = value.get(name).filter(|v| v.is_object());
    found.ok_or_else(|| bad(format!("{name} is missing or no object")))
}

/// Numbers that must be there.
pub(crate) fn integers(value: &Value, name: &str) -> Result<Vec<i64>> {
    let list = value.get(name).and_then(Value::as_array);
    let list = list.ok_or_else(|| bad(format!("{name} is missing or no list")))?;
    let numbers: Option<Vec<i64>> = list.iter().map(Value::as_i64).collect();
    numbers.ok_or_else(|| bad(format!("{name} are numbers")))
}

/// The same object with this number in it.
pub(crate) fn numbered(mut value: Value, name: &str, id: i64) -> Value {
    if let Value::Object(map) = &mut value {
        map.insert(name.to_owned(), json!(id));
    }
    value
}

#[cfg(test)]
mod tests;
