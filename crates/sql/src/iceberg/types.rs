//! Iceberg's schemas as Arrow's, and values as manifests write them.
//!
//! A field keeps its id in Arrow's metadata, under the name that Parquet files keep it under, so that columns are told apart by
//! their ids from end to end ([`super::columns`]).
//!
//! Source: Apache Iceberg, table specification, "Schemas and Data Types", "Appendix D: Single-value serialization".

use std::{collections::HashMap, sync::Arc};

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef, TimeUnit},
    common::ScalarValue,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::Value as Json;

/// How deep a schema's types nest.
const DEPTH_MAX: usize = 32;

/// The most fields of a schema, nested ones included.
const FIELDS_MAX: usize = 10_000;

/// What is not done yet, said so.
pub(crate) fn not_yet(what: impl std::fmt::Display) -> Error {
    let text = format!("{what}: not supported yet by SQL");
    Error::new(Kind::Invalid, "NotSupportedYet", text)
}

fn malformed() -> Error {
    Error::corrupt("a schema in the table's metadata does not read")
}

/// A schema's columns.
///
/// # Errors
/// `Corrupt`; `NotSupportedYet` for a type that is not read.
pub(crate) fn schema(json: &Json) -> Result<SchemaRef> {
    let fields = Reader { left: FIELDS_MAX }.fields(json, 0)?;
    let mut names: Vec<&str> = fields.iter().map(|f| f.name().as_str()).collect();
    names.sort_unstable();
    match names.windows(2).any(|pair| pair.first() == pair.last()) {
        true => Err(malformed()),
        false => Ok(Arc::new(Schema::new(fields))),
    }
}

/// The id of a field.
pub(crate) fn id_of(field: &Field) -> Option<i32> {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY)?.parse().ok()
}

struct Reader {
    left: usize,
}

impl Reader {
    fn fields(&mut self, json: &Json, depth: usize) -> Result<Fields> {
        let fields = json
            .get("fields")
            .and_then(Json::as_array)
            .ok_or_else(malformed)?;
        let fields = fields.iter().map(|json| {
            let name = json.get("name").and_then(Json::as_str).ok_or_else(malformed)?;
            self.field(name, (json, "type", "id"), is_required(json, "required"), depth)
        });
        fields.collect::<Result<Fields>>()
    }

    fn field(
        &mut self,
        name: &str,
        (json, of, id): (&Json, &str, &str),
        required: bool,
        depth: usize,
    ) -> Result<FieldRef> {
        self.left = self.left.checked_sub(1).ok_or_else(malformed)?;
        if depth > DEPTH_MAX {
            return Err(malformed());
        }
        let id = json.get(id).and_then(Json::as_i64).ok_or_else(malformed)?;
        let kind = json.get(of).ok_or_else(malformed)?;
        if json.get("initial-default").is_some_and(|v| !v.is_null()) {
            return Err(not_yet(format!(
                "the column {name:?} with a default for older rows"
            )));
        }
        let kind = match kind {
            Json::String(primitive) => type_of(primitive)
                .ok_or_else(|| not_yet(format!("the column {name:?} of type {primitive:?}")))?,
            nested => self.nested(nested, depth.saturating_add(1))?,
        };
        let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
        // A table's files may be older than a constraint: nothing is concluded from it.
        let nullable = !required || depth == 0;
        Ok(Arc::new(Field::new(name, kind, nullable).with_metadata(metadata)))
    }

    fn nested(&mut self, json: &Json, depth: usize) -> Result<DataType> {
        match json.get("type").and_then(Json::as_str) {
            Some("struct") => Ok(DataType::Struct(self.fields(json, depth)?)),
            Some("list") => {
                let required = is_required(json, "element-required");
                let element = self.field("element", (json, "element", "element-id"), required, depth)?;
                Ok(DataType::List(element))
            }
            Some("map") => {
                let key = self.field("key", (json, "key", "key-id"), true, depth)?;
                let required = is_required(json, "value-required");
                let value = self.field("value", (json, "value", "value-id"), required, depth)?;
                let entries = DataType::Struct(Fields::from(vec![key, value]));
                Ok(DataType::Map(
                    Arc::new(Field::new("key_value", entries, false)),
                    false,
                ))
            }
            _ => Err(malformed()),
        }
    }
}

fn is_required(json: &Json, member: &str) -> bool {
    json.get(member).and_then(Json::as_bool).unwrap_or(false)
}

/// A primitive type.
fn type_of(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "int" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "timestamptz_ns" => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        "string" => DataType::Utf8,
        "uuid" => DataType::FixedSizeBinary(16),
        "binary" => DataType::Binary,
        other => return sized(other),
    })
}

/// `decimal(P, S)` and `fixed[L]`.
fn sized(name: &str) -> Option<DataType> {
    if let Some(size) = name
        .strip_prefix("fixed[")
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return Some(DataType::FixedSizeBinary(
            size.trim().parse().ok().filter(|n| *n >= 0)?,
        ));
    }
    let inner = name.strip_prefix("decimal(")?.strip_suffix(')')?;
    let (precision, scale) = inner.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (precision <= 38 && scale <= 38).then_some(DataType::Decimal128(precision, scale))
}

/// A bound of a column's values as a manifest has it; `None` where it says nothing.
///
/// A table's column may have become wider since: an `int`'s four bytes are a `long`'s bound, too.
pub(crate) fn bound(kind: &DataType, bytes: &[u8]) -> Option<ScalarValue> {
    let narrow = || Some(i32::from_le_bytes(bytes.try_into().ok()?));
    let eight = || Some(i64::from_le_bytes(bytes.try_into().ok()?));
    let wide = || narrow().map(i64::from).or_else(eight);
    Some(match kind {
        DataType::Boolean => ScalarValue::Boolean(Some(*bytes.first()? != 0)),
        DataType::Int32 => ScalarValue::Int32(Some(narrow()?)),
        DataType::Int64 => ScalarValue::Int64(Some(wide()?)),
        DataType::Date32 => ScalarValue::Date32(Some(narrow()?)),
        DataType::Time64(TimeUnit::Microsecond) => ScalarValue::Time64Microsecond(Some(eight()?)),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            ScalarValue::TimestampMicrosecond(Some(eight()?), zone.clone())
        }
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            ScalarValue::TimestampNanosecond(Some(eight()?), zone.clone())
        }
        DataType::Utf8 => ScalarValue::Utf8(Some(std::str::from_utf8(bytes).ok()?.to_owned())),
        DataType::Decimal128(precision, scale) => {
            ScalarValue::Decimal128(Some(unscaled(bytes)?), *precision, *scale)
        }
        // Others are not compared by all alike, and bounds of floats say nothing of those that are no numbers.
        _ => return None,
    })
}

/// Two's complement, the highest byte first, no longer than it has to be.
fn unscaled(bytes: &[u8]) -> Option<i128> {
    if bytes.is_empty() || bytes.len() > 16 {
        return None;
    }
    let sign = if bytes.first()? & 0x80 != 0 { -1i128 } else { 0 };
    Some(
        bytes
            .iter()
            .fold(sign, |number, byte| number << 8 | i128::from(*byte)),
    )
}

#[cfg(test)]
mod tests;
