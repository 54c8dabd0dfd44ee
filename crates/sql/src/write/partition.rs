//! Partitions: a table's spec, what its transforms make of columns, and rows by their partition.
//!
//! Source: Apache Iceberg, table specification, "Partition Transforms", "Appendix B: 32-bit Hash Requirements".

use std::{collections::HashMap, sync::Arc};

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::{
        array::{
            Array, ArrayRef, AsArray as _, Int32Array, PrimitiveArray, RecordBatch, UInt32Array,
            new_null_array,
        },
        compute::{cast, take_record_batch},
        datatypes::{
            ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Int32Type, Int64Type, Schema,
            SchemaRef, TimeUnit,
        },
        row::{RowConverter, SortField},
    },
    common::ScalarValue,
};
use serde_json::Value as Json;

use crate::iceberg::types::{id_of, not_yet};

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// Microseconds of an hour.
const HOUR_MICROS: i64 = 3_600_000_000;

/// What is made of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transform {
    Identity,
    Bucket(i32),
    Truncate(i32),
    Year,
    Month,
    Day,
    Hour,
    Void,
}

/// A field of a spec.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) id: i32,
    /// The column's id.
    pub(super) source: i32,
    pub(super) transform: Transform,
    /// The type of the column.
    pub(super) kind: DataType,
}

/// How a table is partitioned.
#[derive(Clone, Debug, Default)]
pub(super) struct Spec {
    pub(super) id: i32,
    pub(super) fields: Vec<Field>,
}

/// A partition's values, in the order of the spec's fields.
pub(super) type Values = Vec<ScalarValue>;

impl Transform {
    /// Reads a transform's name.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let sized = |name: &str| {
            let size: i32 = name.strip_prefix('[')?.strip_suffix(']')?.trim().parse().ok()?;
            (size > 0).then_some(size)
        };
        Some(match name {
            "identity" => Self::Identity,
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "void" => Self::Void,
            other => match other.strip_prefix("bucket") {
                Some(size) => Self::Bucket(sized(size)?),
                None => Self::Truncate(sized(other.strip_prefix("truncate")?)?),
            },
        })
    }

    /// As metadata writes it.
    pub(super) fn name(self) -> String {
        match self {
            Self::Identity => "identity".to_owned(),
            Self::Bucket(size) => format!("bucket[{size}]"),
            Self::Truncate(size) => format!("truncate[{size}]"),
            Self::Year => "year".to_owned(),
            Self::Month => "month".to_owned(),
            Self::Day => "day".to_owned(),
            Self::Hour => "hour".to_owned(),
            Self::Void => "void".to_owned(),
        }
    }

    /// Whether it can be made of values of a type.
    pub(super) fn takes(self, kind: &DataType) -> bool {
        use DataType as D;
        let is_time = matches!(kind, D::Timestamp(..));
        match self {
            Self::Void => true,
            Self::Identity => !kind.is_nested() && !kind.is_floating(),
            Self::Year | Self::Month | Self::Day => is_time || *kind == D::Date32,
            Self::Hour => is_time,
            Self::Truncate(_) => matches!(
                kind,
                D::Int32 | D::Int64 | D::Decimal128(..) | D::Utf8 | D::Binary
            ),
            Self::Bucket(_) => {
                is_time
                    || matches!(
                        kind,
                        D::Int32
                            | D::Int64
                            | D::Decimal128(..)
                            | D::Utf8
                            | D::Binary
                            | D::FixedSizeBinary(_)
                            | D::Date32
                            | D::Time64(_)
                    )
            }
        }
    }

    /// The type of what is made of a type.
    pub(super) fn result(self, kind: &DataType) -> DataType {
        match self {
            Self::Identity | Self::Truncate(_) | Self::Void => kind.clone(),
            Self::Day => DataType::Date32,
            Self::Bucket(_) | Self::Year | Self::Month | Self::Hour => DataType::Int32,
        }
    }

    /// What is made of a column.
    fn apply(self, column: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Identity => Ok(column.clone()),
            Self::Void => Ok(new_null_array(column.data_type(), column.len())),
            Self::Bucket(size) => bucket(column, size),
            Self::Truncate(width) => truncate(column, width),
            Self::Day if *column.data_type() == DataType::Date32 => Ok(column.clone()),
            Self::Day => cast(
                &of_time(column, |micros| micros.div_euclid(DAY_MICROS))?,
                &DataType::Date32,
            )
            .map_err(odd),
            Self::Hour => of_time(column, |micros| micros.div_euclid(HOUR_MICROS)),
            Self::Month => of_time(column, |micros| months(micros.div_euclid(DAY_MICROS))),
            Self::Year => of_time(column, |micros| {
                months(micros.div_euclid(DAY_MICROS)).div_euclid(12)
            }),
        }
    }
}

fn odd(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::internal("a partition's values can not be made").with_source(error)
}

fn not_of(column: &ArrayRef) -> Error {
    not_yet(format!("partitions of columns of type {}", column.data_type()))
}

/// Months from January 1970 to a day, counted from 1 January 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn months(day: i64) -> i64 {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    // From March on.
    let month = (5 * of_year + 2) / 153;
    (year + era * 400 - 1970) * 12 + month + 2
}

/// What is made of microseconds since 1970.
fn of_time(column: &ArrayRef, make: impl Fn(i64) -> i64) -> Result<ArrayRef> {
    let micros = match column.data_type() {
        DataType::Date32 => widened::<Date32Type>(column, |day| i64::from(day) * DAY_MICROS),
        DataType::Timestamp(TimeUnit::Microsecond, _) => numbers(column)?,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            numbers(column)?.unary(|nanos| nanos.div_euclid(1000))
        }
        _ => return Err(not_of(column)),
    };
    // Hours since 1970 of times that microseconds can say fit.
    let made: Int32Array = micros.unary(|micros| make(micros) as i32);
    Ok(Arc::new(made))
}

fn widened<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    make: impl Fn(T::Native) -> i64,
) -> PrimitiveArray<Int64Type> {
    column.as_primitive::<T>().unary(make)
}

/// Times and longs as numbers.
fn numbers(column: &ArrayRef) -> Result<PrimitiveArray<Int64Type>> {
    Ok(cast(column, &DataType::Int64)
        .map_err(odd)?
        .as_primitive::<Int64Type>()
        .clone())
}

fn truncate(column: &ArrayRef, width: i32) -> Result<ArrayRef> {
    let wide = i64::from(width);
    Ok(match column.data_type() {
        DataType::Int32 => Arc::new(
            column
                .as_primitive::<Int32Type>()
                .unary::<_, Int32Type>(|n| n.wrapping_sub(n.rem_euclid(width))),
        ),
        DataType::Int64 => Arc::new(
            column
                .as_primitive::<Int64Type>()
                .unary::<_, Int64Type>(|n| n.wrapping_sub(n.rem_euclid(wide))),
        ),
        DataType::Decimal128(precision, scale) => {
            let cut = column
                .as_primitive::<Decimal128Type>()
                .unary::<_, Decimal128Type>(|n| n.wrapping_sub(n.rem_euclid(i128::from(width))));
            Arc::new(cut.with_precision_and_scale(*precision, *scale).map_err(odd)?)
        }
        DataType::Utf8 => {
            let most = usize::try_from(width).unwrap_or(usize::MAX);
            let cut = |text: &str| text.chars().take(most).collect::<String>();
            let cut = column.as_string::<i32>().iter().map(|text| text.map(cut));
            Arc::new(cut.collect::<datafusion::arrow::array::StringArray>())
        }
        DataType::Binary => {
            let most = usize::try_from(width).unwrap_or(usize::MAX);
            let cut = column.as_binary::<i32>().iter();
            let cut = cut.map(|bytes| bytes.map(|b| b.get(..most).unwrap_or(b)));
            Arc::new(cut.collect::<datafusion::arrow::array::BinaryArray>())
        }
        _ => return Err(not_of(column)),
    })
}

fn bucket(column: &ArrayRef, size: i32) -> Result<ArrayRef> {
    let of_bytes = |bytes: &[u8]| (murmur3(bytes) & i32::MAX) % size;
    let of_number = |number: i64| of_bytes(&number.to_le_bytes());
    let made: Int32Array = match column.data_type() {
        DataType::Int32 => column.as_primitive::<Int32Type>().unary(|n| of_number(n.into())),
        DataType::Date32 => column.as_primitive::<Date32Type>().unary(|n| of_number(n.into())),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            numbers(column)?.unary(|n| of_number(n.div_euclid(1000)))
        }
        DataType::Int64 | DataType::Time64(_) | DataType::Timestamp(..) => numbers(column)?.unary(of_number),
        DataType::Decimal128(..) => {
            let hash = |n: i128| of_bytes(&super::values::shortest(n));
            column.as_primitive::<Decimal128Type>().unary(hash)
        }
        DataType::Utf8 => {
            let texts = column.as_string::<i32>().iter();
            texts.map(|text| text.map(|t| of_bytes(t.as_bytes()))).collect()
        }
        DataType::Binary => {
            let all = column.as_binary::<i32>().iter();
            all.map(|bytes| bytes.map(of_bytes)).collect()
        }
        DataType::FixedSizeBinary(_) => {
            let all = column.as_fixed_size_binary().iter();
            all.map(|bytes| bytes.map(of_bytes)).collect()
        }
        _ => return Err(not_of(column)),
    };
    Ok(Arc::new(made))
}

/// MurmurHash3, x86, 32 bits, seed 0 (Austin Appleby's public domain description).
fn murmur3(bytes: &[u8]) -> i32 {
    let mix = |k: u32| {
        k.wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    };
    let chunks = bytes.chunks_exact(4);
    let rest = chunks.remainder();
    let mut hash = 0u32;
    for chunk in chunks {
        let word = chunk
            .iter()
            .rev()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        hash = (hash ^ mix(word))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    hash ^= mix(rest
        .iter()
        .rev()
        .fold(0u32, |word, byte| word << 8 | u32::from(*byte)));
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16).cast_signed()
}

impl Spec {
    /// Reads a spec whose columns are those of a schema.
    ///
    /// # Errors
    /// `Corrupt`; `NotSupportedYet` for a transform that is not known, and for one of several columns or of a nested one.
    pub(super) fn parse(json: &Json, schema: &Schema) -> Result<Self> {
        let malformed = || Error::corrupt("a partition spec in the table's metadata does not read");
        let id = json.get("spec-id").and_then(Json::as_i64).unwrap_or(0);
        let fields = json
            .get("fields")
            .and_then(Json::as_array)
            .ok_or_else(malformed)?;
        let fields = fields.iter().map(|field| {
            let number = |name: &str| i32::try_from(field.get(name)?.as_i64()?).ok();
            let name = field.get("name").and_then(Json::as_str).ok_or_else(malformed)?;
            let transform = field
                .get("transform")
                .and_then(Json::as_str)
                .ok_or_else(malformed)?;
            let source = number("source-id").ok_or_else(|| not_yet("partitions of several columns"))?;
            let transform = Transform::parse(transform)
                .ok_or_else(|| not_yet(format!("the partition transform {transform:?}")))?;
            let column = schema.fields().iter().find(|f| id_of(f) == Some(source));
            let kind = match (column, transform) {
                (Some(column), _) => column.data_type().clone(),
                // Its column may be gone.
                (None, Transform::Void) => DataType::Int32,
                (None, _) => return Err(not_yet(format!("the partition {name:?} of a nested column"))),
            };
            Ok(Field {
                name: name.to_owned(),
                id: number("field-id").ok_or_else(malformed)?,
                source,
                transform,
                kind,
            })
        });
        Ok(Self {
            id: i32::try_from(id).map_err(|_| malformed())?,
            fields: fields.collect::<Result<_>>()?,
        })
    }

    /// The types of a partition's values.
    pub(super) fn kinds(&self) -> impl Iterator<Item = DataType> + '_ {
        self.fields
            .iter()
            .map(|field| field.transform.result(&field.kind))
    }

    /// Rows by their partition; the columns are told apart by their ids.
    ///
    /// # Errors
    /// `Internal` if a column is missing.
    pub(super) fn split(&self, rows: &RecordBatch) -> Result<Vec<(Vec<u8>, Values, RecordBatch)>> {
        let schema: SchemaRef = rows.schema();
        let columns = self.fields.iter().map(|field| {
            let at = schema
                .fields()
                .iter()
                .position(|f| id_of(f) == Some(field.source));
            match at.and_then(|at| rows.columns().get(at)) {
                Some(column) => field.transform.apply(column),
                None if field.transform == Transform::Void => {
                    Ok(new_null_array(&field.kind, rows.num_rows()))
                }
                None => Err(Error::internal("a row has no value for its partition")),
            }
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        if columns.is_empty() {
            return Ok(vec![(Vec::new(), Vec::new(), rows.clone())]);
        }
        let converter = RowConverter::new(self.kinds().map(SortField::new).collect()).map_err(odd)?;
        let keys = converter.convert_columns(&columns).map_err(odd)?;
        let mut order: Vec<Vec<u32>> = Vec::new();
        let mut known: HashMap<&[u8], usize> = HashMap::new();
        for (at, key) in keys.iter().enumerate() {
            let group = *known.entry(key.data()).or_insert(order.len());
            if group == order.len() {
                order.push(Vec::new());
            }
            if let Some(group) = order.get_mut(group) {
                group.push(u32::try_from(at).unwrap_or(u32::MAX));
            }
        }
        let groups = order.into_iter().map(|members| {
            let first = members.first().copied().unwrap_or_default() as usize;
            let values = columns
                .iter()
                .map(|column| ScalarValue::try_from_array(column, first));
            let values = values.collect::<datafusion::common::Result<Values>>();
            let values =
                values.map_err(|e| Error::internal("a partition's values do not read").with_source(e))?;
            let part = take_record_batch(rows, &UInt32Array::from(members)).map_err(odd)?;
            Ok((keys.row(first).data().to_vec(), values, part))
        });
        groups.collect()
    }
}

/// Fails unless a partition's column is there and its transform can be made of it.
pub(super) fn check(name: &str, transform: Transform, kind: &DataType) -> Result<()> {
    match transform.takes(kind) {
        true => Ok(()),
        false => {
            let text = format!(
                "{} can not be made of the column {name:?} of type {kind}",
                transform.name()
            );
            Err(Error::new(Kind::Invalid, "InvalidPartition", text))
        }
    }
}

#[cfg(test)]
mod tests;
