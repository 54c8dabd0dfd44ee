//! Parameters of a statement, as PostgreSQL's clients send them.
//!
//! What type one is says its client where it can, and the statement otherwise.

use bytes::Bytes;
use craton_base::Result;
use datafusion::{
    arrow::datatypes::{DataType, TimeUnit},
    common::ScalarValue,
};

use super::{
    binary::{EPOCH_DAYS, EPOCH_MICROS},
    id,
};
use crate::parameters::wrong;

/// A parameter's value.
#[derive(Clone, Debug, Default)]
pub struct Parameter {
    /// Its type, by its number in `pg_type`; 0: not said.
    pub type_id: u32,
    /// Whether it is in binary.
    pub binary: bool,
    /// The value; `None`: null.
    pub value: Option<Bytes>,
}

/// The value of a parameter, of the type that is wanted of it.
///
/// # Errors
/// `InvalidParameter`.
pub(crate) fn value(at: usize, wanted: Option<&DataType>, given: &Parameter) -> Result<ScalarValue> {
    let said = type_named(given.type_id);
    let kind = match (wanted, said) {
        // The client's type counts, as in PostgreSQL; of whole numbers the statement's, which takes no less.
        (Some(wanted), Some(said)) if wanted.is_integer() && said.is_integer() => wanted.clone(),
        (_, Some(said)) => said,
        (Some(wanted), None) => wanted.clone(),
        (None, None) => DataType::Utf8,
    };
    let value = match &given.value {
        None => return ScalarValue::try_new_null(&kind).map_err(|e| wrong(at, e)),
        Some(bytes) if given.binary => binary(given.type_id, bytes).ok_or_else(|| {
            wrong(
                at,
                format_args!("is of the type {} in binary, which is not read", given.type_id),
            )
        })?,
        Some(bytes) => {
            let text = std::str::from_utf8(bytes).map_err(|e| wrong(at, e))?;
            match (given.type_id, text) {
                (id::BOOL, "t") => ScalarValue::from(true),
                (id::BOOL, "f") => ScalarValue::from(false),
                (id::BYTEA, hex) => {
                    ScalarValue::Binary(Some(unhex(hex).ok_or_else(|| wrong(at, "is no bytea"))?))
                }
                _ => ScalarValue::from(text),
            }
        }
    };
    value
        .cast_to(&kind)
        .map_err(|_| wrong(at, format_args!("is no {kind}")))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |d: &u8| char::from(*d).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}

/// Arrow's type for one of PostgreSQL's.
fn type_named(type_id: u32) -> Option<DataType> {
    Some(match type_id {
        id::BOOL => DataType::Boolean,
        id::INT2 => DataType::Int16,
        id::INT4 => DataType::Int32,
        id::INT8 => DataType::Int64,
        id::FLOAT4 => DataType::Float32,
        id::FLOAT8 => DataType::Float64,
        id::BYTEA => DataType::Binary,
        id::DATE => DataType::Date32,
        id::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        id::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        id::NUMERIC => DataType::Decimal128(38, 10),
        _ => return None,
    })
}

fn binary(type_id: u32, bytes: &[u8]) -> Option<ScalarValue> {
    Some(match type_id {
        id::BOOL => ScalarValue::from(bytes == [1]),
        id::INT2 => ScalarValue::from(i16::from_be_bytes(bytes.try_into().ok()?)),
        id::INT4 => ScalarValue::from(i32::from_be_bytes(bytes.try_into().ok()?)),
        id::INT8 => ScalarValue::from(i64::from_be_bytes(bytes.try_into().ok()?)),
        id::FLOAT4 => ScalarValue::from(f32::from_be_bytes(bytes.try_into().ok()?)),
        id::FLOAT8 => ScalarValue::from(f64::from_be_bytes(bytes.try_into().ok()?)),
        id::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        id::DATE => {
            let days = i32::from_be_bytes(bytes.try_into().ok()?);
            ScalarValue::Date32(Some(days.checked_add(EPOCH_DAYS)?))
        }
        id::TIMESTAMP | id::TIMESTAMPTZ => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?).checked_add(EPOCH_MICROS)?;
            let zone = (type_id == id::TIMESTAMPTZ).then(|| "UTC".into());
            ScalarValue::TimestampMicrosecond(Some(micros), zone)
        }
        0 | id::TEXT | id::VARCHAR => ScalarValue::from(std::str::from_utf8(bytes).ok()?),
        _ => return None,
    })
}
