//! Manifests and lists of them, written.
//!
//! Invariants
//! - what is new has no sequence number of its own: it has that of its commit, whichever try of it wins;
//! - what was there keeps its sequence numbers and the number of its first row, written out.
//!
//! Source: Apache Iceberg, table specification, "Manifests", "Manifest Lists", "Sequence Number Inheritance", "Row Lineage".

use bytes::Bytes;
use craton_base::Result;
use datafusion::common::ScalarValue;
use serde_json::{Value as Json, json};

use super::{
    partition::{Spec, Values},
    values::{avro_type, avro_value, bytes_of},
};
use crate::iceberg::avro::{Value, write::Writer};

mod list;

pub(super) use list::list;

/// What a manifest holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Data,
    Deletes,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Existing = 0,
    Added = 1,
    Deleted = 2,
}

/// Numbers about a file's columns, by their ids.
#[derive(Clone, Debug, Default)]
pub(super) struct Metrics {
    pub(super) sizes: Vec<(i32, i64)>,
    pub(super) values: Vec<(i32, i64)>,
    pub(super) nulls: Vec<(i32, i64)>,
    pub(super) nans: Vec<(i32, i64)>,
    pub(super) lower: Vec<(i32, Vec<u8>)>,
    pub(super) upper: Vec<(i32, Vec<u8>)>,
    pub(super) splits: Vec<i64>,
}

/// A file that was written and is not yet in a snapshot.
#[derive(Clone, Debug)]
pub(super) struct NewFile {
    pub(super) location: String,
    pub(super) size: u64,
    pub(super) records: u64,
    pub(super) spec: i32,
    pub(super) partition: Value,
    pub(super) metrics: Metrics,
    /// The sort order that its rows are in, if it is known.
    pub(super) order: Option<i64>,
    pub(super) kind: NewKind,
}

/// What it is.
#[derive(Clone, Debug)]
pub(super) enum NewKind {
    Data,
    /// Positions in data files; in one alone if it is named.
    Positions {
        of: Option<String>,
    },
    /// A deletion vector at an offset.
    Vector {
        of: String,
        offset: u64,
        size: u64,
    },
}

fn long(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn text(text: &str) -> Value {
    Value::Bytes(Bytes::copy_from_slice(text.as_bytes()))
}

fn map<T>(key: i32, all: &[(i32, T)], value: impl Fn(&T) -> Value) -> Value {
    if all.is_empty() {
        return Value::Null;
    }
    let entry = |(id, of): &(i32, T)| {
        Value::Record(vec![
            (key, Value::Integer((*id).into())),
            (key.saturating_add(1), value(of)),
        ])
    };
    Value::List(all.iter().map(entry).collect())
}

impl NewFile {
    pub(super) fn holds(&self) -> Holds {
        match self.kind {
            NewKind::Data => Holds::Data,
            NewKind::Positions { .. } | NewKind::Vector { .. } => Holds::Deletes,
        }
    }

    /// As an entry has it.
    pub(super) fn value(&self) -> Value {
        let count = |n: &i64| Value::Integer(*n);
        let bound = |bytes: &Vec<u8>| Value::Bytes(bytes.clone().into());
        let metrics = &self.metrics;
        let (content, format) = match self.kind {
            NewKind::Data => (0, "PARQUET"),
            NewKind::Positions { .. } => (1, "PARQUET"),
            NewKind::Vector { .. } => (1, "PUFFIN"),
        };
        let mut fields = vec![
            (134, Value::Integer(content)),
            (100, text(&self.location)),
            (101, text(format)),
            (102, self.partition.clone()),
            (103, long(self.records)),
            (104, long(self.size)),
            (108, map(117, &metrics.sizes, count)),
            (109, map(119, &metrics.values, count)),
            (110, map(121, &metrics.nulls, count)),
            (137, map(138, &metrics.nans, count)),
            (125, map(126, &metrics.lower, bound)),
            (128, map(129, &metrics.upper, bound)),
        ];
        if !metrics.splits.is_empty() {
            fields.push((132, Value::List(metrics.splits.iter().map(count).collect())));
        }
        if let Some(order) = self.order {
            fields.push((140, Value::Integer(order)));
        }
        match &self.kind {
            NewKind::Positions { of: Some(of) } => fields.push((143, text(of))),
            NewKind::Vector { of, offset, size } => {
                fields.extend([(143, text(of)), (144, long(*offset)), (145, long(*size))]);
            }
            NewKind::Data | NewKind::Positions { .. } => {}
        }
        Value::Record(fields)
    }
}

/// A partition's values as an entry has them.
pub(super) fn partition(spec: &Spec, values: &Values) -> Value {
    let pairs = spec.fields.iter().zip(values);
    Value::Record(
        pairs
            .map(|(field, value)| (field.id, avro_value(value)))
            .collect(),
    )
}

fn optional(name: &str, id: i32, kind: Json) -> Json {
    json!({ "name": name, "type": ["null", kind], "default": null, "field-id": id })
}

fn required(name: &str, id: i32, kind: Json) -> Json {
    json!({ "name": name, "type": kind, "field-id": id })
}

/// A map whose keys are no texts: a list of pairs.
fn map_type(name: &str, (id, key): (i32, i32), value: &str) -> Json {
    let pair = json!({ "type": "record", "name": format!("k{key}_v{}", key.saturating_add(1)), "fields": [
        required("key", key, json!("int")), required("value", key.saturating_add(1), json!(value)) ] });
    optional(
        name,
        id,
        json!({ "type": "array", "items": pair, "logicalType": "map" }),
    )
}

fn list_type(name: &str, (id, element): (i32, i32), of: &str) -> Json {
    optional(
        name,
        id,
        json!({ "type": "array", "items": of, "element-id": element }),
    )
}

/// The schema of a manifest's entries.
fn entry_schema(version: i64, spec: &Spec) -> Json {
    let parts = spec.fields.iter().zip(spec.kinds());
    let parts = parts.map(|(field, kind)| {
        let name: String = field
            .name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let digit = name.starts_with(|c: char| c.is_ascii_digit());
        let name = if digit { format!("_{name}") } else { name };
        optional(&name, field.id, avro_type(&kind, &format!("r{}", field.id)))
    });
    let partition = json!({ "type": "record", "name": "r102", "fields": parts.collect::<Vec<_>>() });
    let mut fields = vec![
        required("content", 134, json!("int")),
        required("file_path", 100, json!("string")),
        required("file_format", 101, json!("string")),
        required("partition", 102, partition),
        required("record_count", 103, json!("long")),
        required("file_size_in_bytes", 104, json!("long")),
        map_type("column_sizes", (108, 117), "long"),
        map_type("value_counts", (109, 119), "long"),
        map_type("null_value_counts", (110, 121), "long"),
        map_type("nan_value_counts", (137, 138), "long"),
        map_type("lower_bounds", (125, 126), "bytes"),
        map_type("upper_bounds", (128, 129), "bytes"),
        optional("key_metadata", 131, json!("bytes")),
        list_type("split_offsets", (132, 133), "long"),
        list_type("equality_ids", (135, 136), "int"),
        optional("sort_order_id", 140, json!("int")),
        optional("referenced_data_file", 143, json!("string")),
    ];
    if version >= 3 {
        fields.extend([
            optional("first_row_id", 142, json!("long")),
            optional("content_offset", 144, json!("long")),
            optional("content_size_in_bytes", 145, json!("long")),
        ]);
    }
    let file = json!({ "type": "record", "name": "r2", "fields": fields });
    json!({ "type": "record", "name": "manifest_entry", "fields": [
        required("status", 0, json!("int")), optional("snapshot_id", 1, json!("long")),
        optional("sequence_number", 3, json!("long")), optional("file_sequence_number", 4, json!("long")),
        required("data_file", 2, file) ] })
}

/// What a partition field's values are in a manifest.
#[derive(Default)]
struct Summary {
    has_null: bool,
    has_nan: bool,
    least: Option<ScalarValue>,
    most: Option<ScalarValue>,
}

impl Summary {
    fn add(&mut self, value: ScalarValue) {
        let is_nan = matches!(value, ScalarValue::Float32(Some(n)) if n.is_nan())
            || matches!(value, ScalarValue::Float64(Some(n)) if n.is_nan());
        if value.is_null() {
            self.has_null = true;
        } else if is_nan {
            self.has_nan = true;
        } else {
            if self.least.as_ref().is_none_or(|least| value < *least) {
                self.least = Some(value.clone());
            }
            if self.most.as_ref().is_none_or(|most| value > *most) {
                self.most = Some(value);
            }
        }
    }

    fn value(&self) -> Value {
        let bound = |of: &Option<ScalarValue>| {
            let bytes = of.as_ref().and_then(bytes_of);
            bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.into()))
        };
        Value::Record(vec![
            (509, Value::Boolean(self.has_null)),
            (518, Value::Boolean(self.has_nan)),
            (510, bound(&self.least)),
            (511, bound(&self.most)),
        ])
    }
}

/// A manifest while it is written.
pub(super) struct Manifest<'a> {
    spec: &'a Spec,
    holds: Holds,
    writer: Writer,
    /// Files and rows by [`Status`].
    pub(super) files: [i64; 3],
    rows: [i64; 3],
    least_sequence: Option<i64>,
    summaries: Vec<Summary>,
}

/// A file's entry among a manifest's.
pub(super) struct Entry {
    pub(super) status: Status,
    pub(super) snapshot: i64,
    /// Of its data and of the file; `None`: those of the commit.
    pub(super) sequences: Option<(i64, i64)>,
    pub(super) file: Value,
}

impl<'a> Manifest<'a> {
    /// Begins one of files of a spec, of a table with this schema.
    pub(super) fn new(
        (version, schema): (i64, &Json),
        (spec, spec_json): (&'a Spec, &Json),
        holds: Holds,
        sync: [u8; 16],
    ) -> Result<Self> {
        let content = match holds {
            Holds::Data => "data",
            Holds::Deletes => "deletes",
        };
        let fields = spec_json.get("fields").cloned().unwrap_or_else(|| json!([]));
        let schema_id = schema.get("schema-id").and_then(Json::as_i64).unwrap_or(0);
        let metadata = [
            ("schema", schema.to_string()),
            ("schema-id", schema_id.to_string()),
            ("partition-spec", fields.to_string()),
            ("partition-spec-id", spec.id.to_string()),
            ("format-version", version.to_string()),
            ("content", content.to_owned()),
        ];
        Ok(Self {
            spec,
            holds,
            writer: Writer::new(&entry_schema(version, spec), &metadata, sync)?,
            files: [0; 3],
            rows: [0; 3],
            least_sequence: None,
            summaries: spec.fields.iter().map(|_| Summary::default()).collect(),
        })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn push(&mut self, entry: &Entry) -> Result<()> {
        let number = |n: Option<i64>| n.map_or(Value::Null, Value::Integer);
        let (data, file) = entry.sequences.unzip();
        let records = entry.file.field(103).and_then(Value::integer).unwrap_or(0);
        let at = entry.status as usize;
        if let (Some(files), Some(rows)) = (self.files.get_mut(at), self.rows.get_mut(at)) {
            *files = files.saturating_add(1);
            *rows = rows.saturating_add(records);
        }
        if let Some(data) = data.filter(|_| entry.status != Status::Deleted) {
            self.least_sequence = Some(self.least_sequence.map_or(data, |least| least.min(data)));
        }
        let partition = entry.file.field(102);
        for ((field, kind), summary) in self
            .spec
            .fields
            .iter()
            .zip(self.spec.kinds())
            .zip(&mut self.summaries)
        {
            let value = partition.and_then(|p| p.field(field.id));
            summary.add(super::values::scalar(value, &kind));
        }
        self.writer.push(&Value::Record(vec![
            (0, Value::Integer(entry.status as i64)),
            (1, Value::Integer(entry.snapshot)),
            (3, number(data)),
            (4, number(file)),
            (2, entry.file.clone()),
        ]))
    }

    /// How many bytes it has, about.
    pub(super) fn len(&self) -> usize {
        self.writer.len()
    }

    /// Its bytes, and what a list says of it once its place is known.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn finish(self, location: &str, snapshot: i64) -> Result<(Bytes, Listed)> {
        let bytes = self.writer.finish()?;
        let [existing, added, deleted] = self.files;
        let [old_rows, new_rows, gone_rows] = self.rows;
        let summaries = self.summaries.iter().map(Summary::value).collect();
        let fields = vec![
            (500, text(location)),
            (501, long(bytes.len() as u64)),
            (502, Value::Integer(self.spec.id.into())),
            (517, Value::Integer(if self.holds == Holds::Data { 0 } else { 1 })),
            (503, Value::Integer(snapshot)),
            (504, Value::Integer(added)),
            (505, Value::Integer(existing)),
            (506, Value::Integer(deleted)),
            (512, Value::Integer(new_rows)),
            (513, Value::Integer(old_rows)),
            (514, Value::Integer(gone_rows)),
            (507, Value::List(summaries)),
        ];
        let least = self.least_sequence;
        Ok((bytes, Listed { fields, least }))
    }
}

/// What a list says of a new manifest, but for its sequence number.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    fields: Vec<(i32, Value)>,
    /// The least sequence number that is written out in it.
    least: Option<i64>,
}

impl Listed {
    /// In a commit of this number.
    fn value(&self, sequence: i64) -> Value {
        let mut fields = self.fields.clone();
        let least = self.least.map_or(sequence, |least| least.min(sequence));
        fields.extend([(515, Value::Integer(sequence)), (516, Value::Integer(least))]);
        Value::Record(fields)
    }
}
