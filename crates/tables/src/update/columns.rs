//! Schemas, partition specs and sort orders: each is added once, and named from then on.

use std::collections::HashSet;

use craton_base::Result;
use serde_json::{Value, json};

use super::{Change, integer, integers, numbered, part};
use crate::{
    error::bad,
    metadata::{Metadata, NO_PARTITION_ID, number},
};

impl Change {
    pub(super) fn add_schema(&mut self, update: &Value) -> Result<()> {
        let (id, highest) = add_schema(&mut self.metadata, part(update, "schema")?)?;
        let before = self.metadata.number("last-column-id").unwrap_or(0);
        self.metadata.set("last-column-id", before.max(highest));
        self.schema = Some(id);
        Ok(())
    }

    pub(super) fn set_current_schema(&mut self, update: &Value) -> Result<()> {
        let id = self.named(update, "schema-id", "schemas", self.schema)?;
        self.metadata.set("current-schema-id", id);
        Ok(())
    }

    pub(super) fn remove_schemas(&mut self, update: &Value) -> Result<()> {
        let ids = integers(update, "schema-ids")?;
        self.remove(&ids, "schemas", "schema-id", "current-schema-id")
    }

    pub(super) fn add_spec(&mut self, update: &Value) -> Result<()> {
        let spec = part(update, "spec")?;
        let mut last = self
            .metadata
            .number("last-partition-id")
            .unwrap_or(NO_PARTITION_ID);
        let mut fields = Vec::new();
        for field in self.sourced(spec)? {
            let id = match number(&field, "field-id").or_else(|| self.known_partition(&field)) {
                Some(id) => id,
                None => last.saturating_add(1),
            };
            last = last.max(id);
            fields.push(numbered(field, "field-id", id));
        }
        let wanted = with_fields(spec, fields);
        let specs = self.metadata.list("partition-specs");
        let known = specs.iter().find(|s| is_same(s, &wanted, "spec-id"));
        let id = match known.and_then(|s| number(s, "spec-id")) {
            Some(id) => id,
            None => {
                let id = next(specs, "spec-id", 0);
                self.metadata
                    .push("partition-specs", numbered(wanted, "spec-id", id));
                id
            }
        };
        self.metadata.set("last-partition-id", last);
        self.spec = Some(id);
        Ok(())
    }

    /// The id of an equal field of an earlier spec.
    fn known_partition(&self, field: &Value) -> Option<i64> {
        let specs = self.metadata.list("partition-specs").iter();
        let mut fields = specs.filter_map(|s| s.get("fields")?.as_array()).flatten();
        let same = |name: &str, f: &Value| f.get(name) == field.get(name);
        let found = fields.find(|f| same("source-id", f) && same("transform", f) && same("name", f))?;
        number(found, "field-id")
    }

    pub(super) fn set_default_spec(&mut self, update: &Value) -> Result<()> {
        let id = self.named(update, "spec-id", "partition-specs", self.spec)?;
        self.metadata.set("default-spec-id", id);
        Ok(())
    }

    pub(super) fn remove_specs(&mut self, update: &Value) -> Result<()> {
        let ids = integers(update, "spec-ids")?;
        self.remove(&ids, "partition-specs", "spec-id", "default-spec-id")
    }

    pub(super) fn add_order(&mut self, update: &Value) -> Result<()> {
        let order = part(update, "sort-order")?;
        let fields = self.sourced(order)?;
        let is_none = fields.is_empty();
        let wanted = with_fields(order, fields);
        let orders = self.metadata.list("sort-orders");
        let known = orders.iter().find(|o| is_same(o, &wanted, "order-id"));
        let id = match known.and_then(|o| number(o, "order-id")) {
            Some(id) => id,
            None => {
                // 0 is for no order.
                let id = match is_none {
                    true => 0,
                    false => next(orders, "order-id", 1),
                };
                self.metadata
                    .push("sort-orders", numbered(wanted, "order-id", id));
                id
            }
        };
        self.order = Some(id);
        Ok(())
    }

    pub(super) fn set_default_order(&mut self, update: &Value) -> Result<()> {
        let id = integer(update, "sort-order-id")?;
        let id = self.existing(id, ("sort-orders", "order-id"), self.order)?;
        self.metadata.set("default-sort-order-id", id);
        Ok(())
    }

    /// The fields of a spec or an order, each of a field that some schema has.
    fn sourced(&self, spec: &Value) -> Result<Vec<Value>> {
        let fields = spec.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| bad("a partition spec and a sort order have fields"))?;
        let mut known = HashSet::new();
        for schema in self.metadata.list("schemas") {
            collect(schema, &mut known)?;
        }
        for field in fields {
            let several = field.get("source-ids").and_then(Value::as_array);
            let mut sources = several.into_iter().flatten().filter_map(Value::as_i64);
            let one = number(field, "source-id");
            let is_gone = field.get("transform").and_then(Value::as_str) == Some("void");
            let mut all = one.into_iter().chain(&mut sources).peekable();
            if !is_gone && (all.peek().is_none() || !all.all(|id| known.contains(&id))) {
                return Err(bad("a partition or sort field is of no field of the schema"));
            }
        }
        Ok(fields.clone())
    }

    fn named(&self, update: &Value, field: &str, list: &str, last: Option<i64>) -> Result<i64> {
        self.existing(integer(update, field)?, (list, field), last)
    }

    /// The id, or for `-1` that of what was added last.
    fn existing(&self, id: i64, (list, field): (&str, &str), last: Option<i64>) -> Result<i64> {
        let id = match id {
            -1 => last.ok_or_else(|| bad(format!("{field} is -1 and none was added")))?,
            id => id,
        };
        match self.metadata.item(list, field, id) {
            Some(_) => Ok(id),
            None => Err(bad(format!("there is no {field} {id}"))),
        }
    }

    fn remove(&mut self, ids: &[i64], list: &str, field: &str, current: &str) -> Result<()> {
        if self.metadata.number(current).is_some_and(|id| ids.contains(&id)) {
            return Err(bad(format!("the {current} can not be removed")));
        }
        let goes = |item: &Value| number(item, field).is_some_and(|id| ids.contains(&id));
        self.metadata
            .change_list(list, |items| items.retain(|item| !goes(item)));
        Ok(())
    }
}

/// Adds a schema, if none is like it: its id, and the highest of its fields'.
pub(crate) fn add_schema(metadata: &mut Metadata, schema: &Value) -> Result<(i64, i64)> {
    let mut ids = HashSet::new();
    if schema.get("type").and_then(Value::as_str) != Some("struct") {
        return Err(bad("a schema is a struct"));
    }
    collect(schema, &mut ids)?;
    let same = |s: &&Value| {
        let part = |v: &Value, name| v.get(name).cloned().filter(|v| *v != json!([]));
        ["fields", "identifier-field-ids"]
            .iter()
            .all(|name| part(s, name) == part(schema, name))
    };
    let schemas = metadata.list("schemas");
    let id = match schemas.iter().find(same).and_then(|s| number(s, "schema-id")) {
        Some(id) => id,
        None => {
            let id = next(schemas, "schema-id", 0);
            metadata.push("schemas", numbered(schema.clone(), "schema-id", id));
            id
        }
    };
    Ok((id, ids.into_iter().max().unwrap_or(0)))
}

/// A spec or an order, with what else it says, of these fields.
fn with_fields(spec: &Value, fields: Vec<Value>) -> Value {
    let mut spec = spec.clone();
    if let Value::Object(map) = &mut spec {
        map.insert("fields".into(), fields.into());
    }
    spec
}

/// Whether two specs or orders say the same but for their ids.
fn is_same(one: &Value, other: &Value, id: &str) -> bool {
    let rest = |value: &Value| {
        let mut map = value.as_object().cloned().unwrap_or_default();
        map.shift_remove(id);
        map
    };
    rest(one) == rest(other)
}

/// The id after the highest, or the first.
fn next(list: &[Value], field: &str, first: i64) -> i64 {
    let highest = list.iter().filter_map(|item| number(item, field)).max();
    highest.map_or(first, |id| id.saturating_add(1).max(first))
}

/// The ids of all fields of a type, each of which it has once.
fn collect(of: &Value, ids: &mut HashSet<i64>) -> Result<()> {
    match of.get("type").and_then(Value::as_str) {
        Some("struct") => {
            let fields = of.get("fields").and_then(Value::as_array);
            for field in fields.ok_or_else(|| bad("a struct has no fields"))? {
                super::text(field, "name")?;
                ids.insert(integer(field, "id")?);
                let inner = field.get("type").ok_or_else(|| bad("a field has no type"))?;
                collect(inner, ids)?;
            }
            Ok(())
        }
        Some("list") => {
            ids.insert(integer(of, "element-id")?);
            of.get("element").map_or(Ok(()), |inner| collect(inner, ids))
        }
        Some("map") => {
            ids.insert(integer(of, "key-id")?);
            ids.insert(integer(of, "value-id")?);
            let parts = ["key", "value"].iter().filter_map(|name| of.get(name));
            parts.into_iter().try_for_each(|inner| collect(inner, ids))
        }
        _ => Ok(()),
    }
}
