//! Files of a plan as the protocol tells them.

use std::collections::HashMap;

use craton_base::Result;
use serde_json::{Map, Value as Json, json};

use super::{
    Deletes, Scan, corrupt,
    value::{of_avro, of_bytes, to_json},
};
use crate::{avro::Value, metadata::number};

impl Scan<'_> {
    fn content_file(&self, file: &Value, spec: i64, content: &str) -> Result<Map<String, Json>> {
        let text = |id: i32| file.field(id).and_then(Value::text);
        let number = |id: i32| file.field(id).and_then(Value::integer);
        let mut out = Map::from_iter([
            ("content".to_owned(), json!(content)),
            (
                "file-path".to_owned(),
                json!(text(100).ok_or_else(|| corrupt("where a file is"))?),
            ),
            (
                "file-format".to_owned(),
                json!(text(101).unwrap_or_default().to_lowercase()),
            ),
            ("spec-id".to_owned(), json!(spec)),
            ("partition".to_owned(), self.partition(file, spec)),
            ("file-size-in-bytes".to_owned(), json!(number(104).unwrap_or(0))),
            ("record-count".to_owned(), json!(number(103).unwrap_or(0))),
        ]);
        if let Some(splits) = file.field(132) {
            let splits: Vec<i64> = splits.list().iter().filter_map(Value::integer).collect();
            out.insert("split-offsets".to_owned(), json!(splits));
        }
        if let Some(order) = number(140) {
            out.insert("sort-order-id".to_owned(), json!(order));
        }
        Ok(out)
    }

    /// A partition's values, in the order of the spec's fields.
    fn partition(&self, file: &Value, spec: i64) -> Json {
        let of_id: HashMap<i32, &str> = self
            .columns
            .values()
            .map(|(id, kind)| (*id, kind.as_str()))
            .collect();
        let fields = self.metadata.item("partition-specs", "spec-id", spec);
        let fields = fields
            .and_then(|spec| spec.get("fields")?.as_array())
            .into_iter()
            .flatten();
        let values = fields.map(|field| {
            let id = number(field, "field-id").and_then(|id| i32::try_from(id).ok())?;
            let source = number(field, "source-id").and_then(|id| i32::try_from(id).ok())?;
            let kind = match field.get("transform").and_then(Json::as_str)? {
                "identity" | "void" => of_id.get(&source).copied()?,
                "day" => "date",
                other if other.starts_with("truncate") => of_id.get(&source).copied()?,
                _ => "int",
            };
            let value = file.field(102)?.field(id)?;
            Some(to_json(kind, &of_avro(kind, value)?))
        });
        values.map(Option::unwrap_or_default).collect()
    }

    pub(super) fn data_file(&self, file: &Value, spec: i64, first_row: Option<i64>) -> Result<Json> {
        let mut out = self.content_file(file, spec, "data")?;
        if let Some(first_row) = first_row {
            out.insert("first-row-id".to_owned(), json!(first_row));
        }
        let counts = [
            ("column-sizes", 108),
            ("value-counts", 109),
            ("null-value-counts", 110),
            ("nan-value-counts", 137),
        ];
        for (name, field) in counts {
            let count = |_: &str, value: &Value| value.integer().map(Json::from);
            self.statistics(&mut out, (name, file.field(field)), count);
        }
        for (name, field) in [("lower-bounds", 125), ("upper-bounds", 128)] {
            let bound = |kind: &str, value: &Value| Some(to_json(kind, &of_bytes(kind, value.bytes()?)?));
            self.statistics(&mut out, (name, file.field(field)), bound);
        }
        Ok(Json::Object(out))
    }

    /// Numbers about the columns that the reader asked for.
    fn statistics(
        &self,
        out: &mut Map<String, Json>,
        (name, map): (&str, Option<&Value>),
        read: impl Fn(&str, &Value) -> Option<Json>,
    ) {
        let pairs: Vec<(&Value, &Value)> = map
            .map(Value::list)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::pair)
            .collect();
        let told = self.stats.iter().filter_map(|(id, kind)| {
            let (_, value) = pairs
                .iter()
                .find(|(key, _)| key.integer() == Some((*id).into()))?;
            Some((*id, read(kind, value)?))
        });
        let (keys, values): (Vec<i32>, Vec<Json>) = told.unzip();
        if !keys.is_empty() {
            out.insert(name.to_owned(), json!({ "keys": keys, "values": values }));
        }
    }

    pub(super) fn delete_file(&self, of: &Deletes) -> Result<Json> {
        let number = |id: i32| of.file.field(id).and_then(Value::integer);
        let is_by_value = number(134) == Some(2);
        let content = if is_by_value {
            "equality-deletes"
        } else {
            "position-deletes"
        };
        let mut out = self.content_file(&of.file, of.spec, content)?;
        if is_by_value {
            let ids = of.file.field(135).map(Value::list).unwrap_or_default();
            let ids: Vec<i64> = ids.iter().filter_map(Value::integer).collect();
            out.insert("equality-ids".to_owned(), json!(ids));
        }
        if let Some(path) = of.file.field(143).and_then(Value::text) {
            out.insert("referenced-data-file".to_owned(), json!(path));
        }
        for (name, id) in [("content-offset", 144), ("content-size-in-bytes", 145)] {
            if let Some(number) = number(id) {
                out.insert(name.to_owned(), json!(number));
            }
        }
        Ok(Json::Object(out))
    }
}
