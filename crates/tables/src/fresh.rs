//! Metadata of a new table, from what a client asks for.
//!
//! Field ids are given anew, as Iceberg's own catalogs do: those of a struct's fields first, then what lies in each. Ids that
//! were given so before stay what they are.
//!
//! Source: Iceberg's `TableMetadata.newTableMetadata` and `AssignFreshIds`.

use std::collections::HashMap;

use craton_base::Result;
use serde_json::{Map, Value, json};

use crate::{
    error::bad,
    metadata::{Metadata, number},
    table::CreateTable,
    update::Change,
};

/// New ids by old ones.
#[derive(Default)]
struct Ids {
    last: i64,
    by_old: HashMap<i64, i64>,
}

/// Metadata of the table `id` at `location`.
pub(crate) fn metadata(request: &CreateTable, id: &str, location: &str, now_ms: i64) -> Result<Metadata> {
    let mut ids = Ids::default();
    let mut schema = request.schema.clone();
    ids.fresh(&mut schema)?;
    schema_ids(&mut schema, &ids)?;
    let spec = request
        .partition_spec
        .clone()
        .unwrap_or_else(|| json!({ "fields": [] }));
    let order = request
        .write_order
        .clone()
        .unwrap_or_else(|| json!({ "order-id": 0, "fields": [] }));
    let mut properties = request.properties.clone();
    let version = properties.shift_remove("format-version");
    let mut updates = Vec::new();
    if let Some(version) = version {
        let version: Option<i64> = version.as_str().and_then(|text| text.parse().ok());
        let version = version.ok_or_else(|| bad("the property format-version is not a number"))?;
        updates.push(json!({ "action": "upgrade-format-version", "format-version": version }));
    }
    updates.extend([
        json!({ "action": "add-schema", "schema": schema }),
        json!({ "action": "set-current-schema", "schema-id": -1 }),
        json!({ "action": "add-spec", "spec": sourced(spec, &ids)? }),
        json!({ "action": "set-default-spec", "spec-id": -1 }),
        json!({ "action": "add-sort-order", "sort-order": sourced(order, &ids)? }),
        json!({ "action": "set-default-sort-order", "sort-order-id": -1 }),
        json!({ "action": "set-properties", "updates": properties }),
    ]);
    let mut change = Change::new(Metadata::empty(id, location), true, now_ms);
    updates.iter().try_for_each(|update| change.apply(update))?;
    Ok(change.metadata)
}

impl Ids {
    fn next(&mut self, holder: &mut Map<String, Value>, name: &str) {
        self.last = self.last.saturating_add(1);
        if let Some(old) = holder.get(name).and_then(Value::as_i64) {
            self.by_old.insert(old, self.last);
        }
        holder.insert(name.to_owned(), self.last.into());
    }

    /// Gives ids to what lies in a type.
    fn fresh(&mut self, of: &mut Value) -> Result<()> {
        let Value::Object(map) = of else {
            return Ok(());
        };
        match map.get("type").and_then(Value::as_str) {
            Some("struct") => {
                let fields = map.get_mut("fields").and_then(Value::as_array_mut);
                let fields = fields.ok_or_else(|| bad("a struct has no fields"))?;
                for field in fields.iter_mut() {
                    let field = field.as_object_mut().ok_or_else(|| bad("a field is no object"))?;
                    self.next(field, "id");
                }
                for field in fields {
                    self.inside(field, "type")?;
                }
                Ok(())
            }
            Some("list") => {
                self.next(map, "element-id");
                self.inside(of, "element")
            }
            Some("map") => {
                self.next(map, "key-id");
                self.next(map, "value-id");
                self.inside(of, "key")?;
                self.inside(of, "value")
            }
            _ => Ok(()),
        }
    }

    fn inside(&mut self, holder: &mut Value, name: &str) -> Result<()> {
        holder.get_mut(name).map_or(Ok(()), |of| self.fresh(of))
    }

    fn of(&self, old: i64) -> Result<i64> {
        let new = self.by_old.get(&old).copied();
        new.ok_or_else(|| bad(format!("there is no field with the id {old} in the schema")))
    }
}

fn schema_ids(schema: &mut Value, ids: &Ids) -> Result<()> {
    if let Some(Value::Array(list)) = schema.get_mut("identifier-field-ids") {
        for id in list {
            let old = id
                .as_i64()
                .ok_or_else(|| bad("an identifier field's id is no number"))?;
            *id = ids.of(old)?.into();
        }
    }
    Ok(())
}

/// A spec or an order whose fields are of the new ids.
fn sourced(mut spec: Value, ids: &Ids) -> Result<Value> {
    let fields = spec.get_mut("fields").and_then(Value::as_array_mut);
    for field in fields.into_iter().flatten() {
        if let Some(old) = number(field, "source-id") {
            let new = ids.of(old)?;
            if let Some(field) = field.as_object_mut() {
                field.insert("source-id".into(), new.into());
            }
        }
    }
    Ok(spec)
}
