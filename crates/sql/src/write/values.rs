//! Values of columns as manifests hold them: bounds as bytes, partitions as Avro.
//!
//! Source: Apache Iceberg, table specification, "Appendix A: Avro" and "Appendix D: Single-value serialization".

use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::ScalarValue as S,
};
use serde_json::{Value as Json, json};

use crate::iceberg::avro::Value;

/// How much of a text or of bytes a bound keeps, in characters or bytes.
const BOUND_LENGTH: usize = 16;

/// A value as bytes; `None` for null, and for what has no such form.
pub(super) fn bytes_of(value: &S) -> Option<Vec<u8>> {
    Some(match value {
        S::Boolean(Some(is)) => vec![u8::from(*is)],
        S::Int32(Some(n)) | S::Date32(Some(n)) => n.to_le_bytes().to_vec(),
        S::Int64(Some(n))
        | S::Time64Microsecond(Some(n))
        | S::TimestampMicrosecond(Some(n), _)
        | S::TimestampNanosecond(Some(n), _) => n.to_le_bytes().to_vec(),
        S::Float32(Some(n)) => n.to_le_bytes().to_vec(),
        S::Float64(Some(n)) => n.to_le_bytes().to_vec(),
        S::Utf8(Some(text)) => text.as_bytes().to_vec(),
        S::Binary(Some(bytes)) | S::FixedSizeBinary(_, Some(bytes)) => bytes.clone(),
        S::Decimal128(Some(n), ..) => shortest(*n),
        _ => return None,
    })
}

/// A lower bound, cut to [`BOUND_LENGTH`].
pub(super) fn lower(value: &S) -> Option<Vec<u8>> {
    bytes_of(&match value {
        S::Utf8(Some(text)) => S::Utf8(Some(text.chars().take(BOUND_LENGTH).collect())),
        S::Binary(Some(bytes)) => S::Binary(
            bytes
                .get(..BOUND_LENGTH)
                .map_or_else(|| Some(bytes.clone()), |b| Some(b.to_vec())),
        ),
        // What is no number is no bound; zeros are one, whatever their sign.
        S::Float32(Some(n)) if n.is_nan() => return None,
        S::Float64(Some(n)) if n.is_nan() => return None,
        S::Float32(Some(0.0)) => S::Float32(Some(-0.0)),
        S::Float64(Some(0.0)) => S::Float64(Some(-0.0)),
        other => other.clone(),
    })
}

/// An upper bound: of what is cut, the next longer.
pub(super) fn upper(value: &S) -> Option<Vec<u8>> {
    match value {
        S::Utf8(Some(text)) if text.chars().count() > BOUND_LENGTH => {
            next_text(text.chars().take(BOUND_LENGTH).collect())
        }
        S::Binary(Some(bytes)) if bytes.len() > BOUND_LENGTH => {
            next_bytes(bytes.get(..BOUND_LENGTH)?.to_vec())
        }
        S::Float32(Some(n)) if n.is_nan() => None,
        S::Float64(Some(n)) if n.is_nan() => None,
        S::Float32(Some(0.0)) => bytes_of(&S::Float32(Some(0.0))),
        S::Float64(Some(0.0)) => bytes_of(&S::Float64(Some(0.0))),
        other => bytes_of(other),
    }
}

/// The first text behind all that begin so.
fn next_text(mut chars: Vec<char>) -> Option<Vec<u8>> {
    while let Some(last) = chars.pop() {
        let next = match u32::from(last).saturating_add(1) {
            // Those of pairs are no characters.
            0xd800 => Some('\u{e000}'),
            code => char::from_u32(code),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect::<String>().into_bytes());
        }
    }
    None
}

fn next_bytes(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            return Some(bytes);
        }
    }
    None
}

/// Two's complement, the highest byte first, no longer than it has to be.
pub(super) fn shortest(number: i128) -> Vec<u8> {
    let all = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let spare =
        |pair: &[u8]| matches!(pair, [first, second] if *first == sign && (second ^ sign) & 0x80 == 0);
    let skipped = all.windows(2).take_while(|pair| spare(pair)).count();
    all.iter().copied().skip(skipped).collect()
}

/// The bytes that a decimal of a precision takes.
fn decimal_bytes(precision: u8) -> usize {
    let most = 10i128.checked_pow(precision.into()).unwrap_or(i128::MAX);
    shortest(most.saturating_sub(1)).len()
}

/// A value as Avro, of the type that [`avro_type`] says.
pub(super) fn avro_value(value: &S) -> Value {
    match value {
        S::Boolean(Some(is)) => Value::Boolean(*is),
        S::Int32(Some(n)) | S::Date32(Some(n)) => Value::Integer((*n).into()),
        S::Int64(Some(n))
        | S::Time64Microsecond(Some(n))
        | S::TimestampMicrosecond(Some(n), _)
        | S::TimestampNanosecond(Some(n), _) => Value::Integer(*n),
        S::Float32(Some(n)) => Value::Float(*n),
        S::Float64(Some(n)) => Value::Double(*n),
        S::Decimal128(Some(n), precision, _) => {
            let all = n.to_be_bytes();
            let skipped = all.len().saturating_sub(decimal_bytes(*precision));
            Value::Bytes(all.iter().copied().skip(skipped).collect())
        }
        other => bytes_of(other).map_or(Value::Null, |bytes| Value::Bytes(bytes.into())),
    }
}

/// A partition's value from Avro.
pub(super) fn scalar(value: Option<&Value>, kind: &DataType) -> S {
    let known = match (value, kind) {
        (Some(Value::Boolean(is)), DataType::Boolean) => Some(S::Boolean(Some(*is))),
        (Some(Value::Integer(n)), DataType::Int32) => Some(S::Int32(i32::try_from(*n).ok())),
        (Some(Value::Integer(n)), DataType::Date32) => Some(S::Date32(i32::try_from(*n).ok())),
        (Some(Value::Integer(n)), DataType::Int64) => Some(S::Int64(Some(*n))),
        (Some(Value::Integer(n)), DataType::Time64(_)) => Some(S::Time64Microsecond(Some(*n))),
        (Some(Value::Integer(n)), DataType::Timestamp(TimeUnit::Nanosecond, zone)) => {
            Some(S::TimestampNanosecond(Some(*n), zone.clone()))
        }
        (Some(Value::Integer(n)), DataType::Timestamp(_, zone)) => {
            Some(S::TimestampMicrosecond(Some(*n), zone.clone()))
        }
        (Some(Value::Float(n)), DataType::Float32) => Some(S::Float32(Some(*n))),
        (Some(Value::Double(n)), DataType::Float64) => Some(S::Float64(Some(*n))),
        (Some(Value::Bytes(bytes)), DataType::FixedSizeBinary(size)) => {
            Some(S::FixedSizeBinary(*size, Some(bytes.to_vec())))
        }
        (Some(Value::Bytes(bytes)), DataType::Binary) => Some(S::Binary(Some(bytes.to_vec()))),
        (Some(Value::Bytes(bytes)), kind) => crate::iceberg::types::bound(kind, bytes),
        _ => None,
    };
    known.unwrap_or(S::Null)
}

/// The Avro type of a partition's value; `name` is its own in the schema.
pub(super) fn avro_type(kind: &DataType, name: &str) -> Json {
    match kind {
        DataType::Boolean => json!("boolean"),
        DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Date32 => json!({ "type": "int", "logicalType": "date" }),
        DataType::Time64(_) => json!({ "type": "long", "logicalType": "time-micros" }),
        DataType::Timestamp(unit, zone) => {
            let unit = if *unit == TimeUnit::Nanosecond {
                "nanos"
            } else {
                "micros"
            };
            json!({ "type": "long", "logicalType": format!("timestamp-{unit}"), "adjust-to-utc": zone.is_some() })
        }
        DataType::Utf8 => json!("string"),
        DataType::FixedSizeBinary(size) => json!({ "type": "fixed", "size": size, "name": name }),
        DataType::Decimal128(precision, scale) => json!({
            "type": "fixed", "size": decimal_bytes(*precision), "name": name,
            "logicalType": "decimal", "precision": precision, "scale": scale,
        }),
        _ => json!("bytes"),
    }
}

#[cfg(test)]
mod tests;
