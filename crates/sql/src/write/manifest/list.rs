//! Lists of manifests.

use bytes::Bytes;
use craton_base::{Error, Result};
use serde_json::{Value as Json, json};

use super::{Listed, optional, required};
use crate::iceberg::avro::{Value, write::Writer};

/// The schema of a list of manifests.
fn list_schema(version: i64) -> Json {
    let summary = json!({ "type": "record", "name": "r508", "fields": [
        required("contains_null", 509, json!("boolean")), optional("contains_nan", 518, json!("boolean")),
        optional("lower_bound", 510, json!("bytes")), optional("upper_bound", 511, json!("bytes")) ] });
    let partitions = json!({ "type": "array", "items": summary, "element-id": 508 });
    let mut fields = vec![
        required("manifest_path", 500, json!("string")),
        required("manifest_length", 501, json!("long")),
        required("partition_spec_id", 502, json!("int")),
        required("content", 517, json!("int")),
        required("sequence_number", 515, json!("long")),
        required("min_sequence_number", 516, json!("long")),
        required("added_snapshot_id", 503, json!("long")),
        required("added_files_count", 504, json!("int")),
        required("existing_files_count", 505, json!("int")),
        required("deleted_files_count", 506, json!("int")),
        required("added_rows_count", 512, json!("long")),
        required("existing_rows_count", 513, json!("long")),
        required("deleted_rows_count", 514, json!("long")),
        optional("partitions", 507, partitions),
        optional("key_metadata", 519, json!("bytes")),
    ];
    if version >= 3 {
        fields.push(optional("first_row_id", 520, json!("long")));
    }
    json!({ "type": "record", "name": "manifest_file", "fields": fields })
}

/// A list of manifests: what was listed before as it was, and new ones. With format version 3 rows of manifests that have no
/// numbers yet are numbered from `next_row` on.
///
/// # Errors
/// `Internal`.
pub(in crate::write) fn list(
    (version, snapshot, parent, sequence): (i64, i64, Option<i64>, i64),
    (before, new): (&[Value], &[Listed]),
    next_row: &mut i64,
    sync: [u8; 16],
) -> Result<Bytes> {
    let mut metadata = vec![
        ("snapshot-id", snapshot.to_string()),
        (
            "parent-snapshot-id",
            parent.map_or("null".to_owned(), |id| id.to_string()),
        ),
        ("sequence-number", sequence.to_string()),
        ("format-version", version.to_string()),
    ];
    if version >= 3 {
        metadata.push(("first-row-id", next_row.to_string()));
    }
    let mut writer = Writer::new(&list_schema(version), &metadata, sync)?;
    // New ones first, as other writers do: they are looked at first.
    let all = new
        .iter()
        .map(|listed| listed.value(sequence))
        .chain(before.iter().cloned());
    for manifest in all {
        writer.push(&numbered(manifest, version, next_row)?)?;
    }
    writer.finish()
}

/// Gives the rows of a manifest of data numbers, unless it has some.
fn numbered(manifest: Value, version: i64, next_row: &mut i64) -> Result<Value> {
    let number = |id: i32| manifest.field(id).and_then(Value::integer);
    let is_data = number(517).unwrap_or(0) == 0;
    let mut rows = number(512).unwrap_or(0).saturating_add(number(513).unwrap_or(0));
    if version < 3 || !is_data || number(520).is_some() {
        rows = 0;
    }
    let has = number(520).is_some();
    let Value::Record(mut fields) = manifest else {
        return Err(Error::internal(
            "a list of manifests has an entry that is no record",
        ));
    };
    // Lists of version 1 may leave them out.
    for id in [515, 516, 517, 504, 505, 506, 512, 513, 514] {
        if !fields
            .iter()
            .any(|(field, value)| *field == id && *value != Value::Null)
        {
            fields.retain(|(field, _)| *field != id);
            fields.push((id, Value::Integer(0)));
        }
    }
    if version >= 3 && is_data && !has {
        fields.retain(|(field, _)| *field != 520);
        fields.push((520, Value::Integer(*next_row)));
        *next_row = next_row.saturating_add(rows);
    }
    Ok(Value::Record(fields))
}
