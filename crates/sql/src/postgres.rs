//! Values as PostgreSQL's protocol has them: types by their ids, rows as `DataRow` messages, parameters.
//!
//! Source: PostgreSQL 17 documentation, "Message Formats"; `src/include/catalog/pg_type.dat`; `numeric_send`, `date_send`, `timestamp_send`.
//!
//! Deliberately absent: the rest of the protocol (the doors).

mod binary;
mod parameter;

use bytes::{BufMut as _, Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray as _, RecordBatch},
    buffer::NullBuffer,
    datatypes::{DataType, Field, Schema},
    error::ArrowError,
    json::{WriterBuilder, writer::LineDelimited},
    util::display::{ArrayFormatter, FormatOptions},
};

pub use parameter::Parameter;
pub(crate) use parameter::value;

/// A type's number in `pg_type`.
pub(crate) mod id {
    pub(crate) const BOOL: u32 = 16;
    pub(crate) const BYTEA: u32 = 17;
    pub(crate) const INT8: u32 = 20;
    pub(crate) const INT2: u32 = 21;
    pub(crate) const INT4: u32 = 23;
    pub(crate) const TEXT: u32 = 25;
    pub(crate) const JSON: u32 = 114;
    pub(crate) const FLOAT4: u32 = 700;
    pub(crate) const FLOAT8: u32 = 701;
    pub(crate) const VARCHAR: u32 = 1043;
    pub(crate) const DATE: u32 = 1082;
    pub(crate) const TIME: u32 = 1083;
    pub(crate) const TIMESTAMP: u32 = 1114;
    pub(crate) const TIMESTAMPTZ: u32 = 1184;
    pub(crate) const NUMERIC: u32 = 1700;
}

/// A column as the protocol describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, by its number in `pg_type`.
    pub type_id: u32,
    /// Bytes of a value in binary; -1 where they differ.
    pub size: i16,
    /// Precision and scale of a `numeric`; -1: none.
    pub modifier: i32,
}

/// The columns of a schema.
#[must_use]
pub fn columns(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter();
    fields.map(|field| column(field)).collect()
}

fn column(field: &Field) -> Column {
    let type_id = type_of(field.data_type());
    Column {
        name: field.name().clone(),
        type_id,
        size: match type_id {
            id::BOOL => 1,
            id::INT2 => 2,
            id::INT4 | id::FLOAT4 | id::DATE => 4,
            id::INT8 | id::FLOAT8 | id::TIME | id::TIMESTAMP | id::TIMESTAMPTZ => 8,
            _ => -1,
        },
        modifier: match field.data_type() {
            DataType::Decimal128(precision, scale) if *scale >= 0 => {
                (i32::from(*precision) << 16 | i32::from(*scale)).saturating_add(4)
            }
            _ => -1,
        },
    }
}

/// The types of parameters, by their numbers in `pg_type`; a text where the statement does not say one.
#[must_use]
pub fn types(kinds: &[Option<DataType>]) -> Vec<u32> {
    let kinds = kinds.iter().map(Option::as_ref);
    kinds.map(|kind| kind.map_or(id::TEXT, type_of)).collect()
}

/// The type that stands for one of Arrow's.
pub(crate) fn type_of(kind: &DataType) -> u32 {
    use DataType as D;
    match kind {
        D::Boolean => id::BOOL,
        D::Int8 | D::Int16 | D::UInt8 => id::INT2,
        D::Int32 | D::UInt16 => id::INT4,
        D::Int64 | D::UInt32 => id::INT8,
        D::UInt64 | D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
            id::NUMERIC
        }
        D::Float16 | D::Float32 => id::FLOAT4,
        D::Float64 => id::FLOAT8,
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => id::BYTEA,
        D::Date32 => id::DATE,
        D::Time32(_) | D::Time64(_) => id::TIME,
        D::Timestamp(_, None) => id::TIMESTAMP,
        D::Timestamp(_, Some(_)) => id::TIMESTAMPTZ,
        nested if nested.is_nested() => id::JSON,
        _ => id::TEXT,
    }
}

/// Whether values are sent in binary: of all columns, or of each.
#[derive(Clone, Debug, Default)]
pub struct Formats(pub Vec<bool>);

impl Formats {
    /// Of a column.
    #[must_use]
    pub fn is_binary(&self, column: usize) -> bool {
        match self.0.as_slice() {
            [] => false,
            [all] => *all,
            each => each.get(column).copied().unwrap_or(false),
        }
    }
}

/// Rows as `DataRow` messages, one after the other.
///
/// # Errors
/// `UnwrittenAnswer`.
pub fn data_rows(batch: &RecordBatch, formats: &Formats) -> Result<Bytes> {
    let written = || -> std::result::Result<Bytes, ArrowError> {
        let columns = batch.columns().iter().enumerate();
        let columns = columns.map(|(at, column)| Values::new(column, formats.is_binary(at)));
        let mut columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        let mut out = BytesMut::new();
        let mut row = BytesMut::new();
        for at in 0..batch.num_rows() {
            row.clear();
            row.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
            for column in &mut columns {
                column.put(at, &mut row)?;
            }
            out.put_u8(b'D');
            out.put_u32(u32::try_from(row.len().saturating_add(4)).unwrap_or(u32::MAX));
            out.extend_from_slice(&row);
        }
        Ok(out.freeze())
    };
    written().map_err(|error| {
        let text = format!("the answer can not be written for PostgreSQL: {error}");
        Error::new(Kind::Invalid, "UnwrittenAnswer", text).with_source(error)
    })
}

/// A column's values on their way.
struct Values<'a> {
    column: &'a ArrayRef,
    /// Where there is no value; of some types the array alone does not say.
    nulls: Option<NullBuffer>,
    how: How<'a>,
    /// A value before its length is known.
    value: Vec<u8>,
}

enum How<'a> {
    Binary,
    Bool,
    Bytes(ArrayRef),
    Text(ArrayFormatter<'a>),
    /// A line for each row.
    Json(Vec<String>),
}

/// How times are written.
const OPTIONS: FormatOptions<'static> = FormatOptions::new()
    .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
    .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f%:z"));

impl<'a> Values<'a> {
    fn new(column: &'a ArrayRef, is_binary: bool) -> std::result::Result<Self, ArrowError> {
        let type_id = type_of(column.data_type());
        let how = match type_id {
            // Texts are the same in both.
            id::JSON => How::Json(json(column)?),
            _ if is_binary && type_id != id::TEXT => How::Binary,
            id::BOOL => How::Bool,
            id::BYTEA => How::Bytes(datafusion::arrow::compute::cast(column, &DataType::Binary)?),
            _ => How::Text(ArrayFormatter::try_new(column, &OPTIONS)?),
        };
        Ok(Self {
            column,
            nulls: column.logical_nulls(),
            how,
            value: Vec::new(),
        })
    }

    fn put(&mut self, row: usize, out: &mut BytesMut) -> std::result::Result<(), ArrowError> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.put_i32(-1);
            return Ok(());
        }
        self.value.clear();
        match &self.how {
            How::Binary => binary::put(self.column, row, &mut self.value)?,
            How::Bool => self.value.push(if self.column.as_boolean().value(row) {
                b't'
            } else {
                b'f'
            }),
            How::Bytes(bytes) => {
                self.value.extend_from_slice(b"\\x");
                for byte in bytes.as_binary::<i32>().value(row) {
                    self.value.extend_from_slice(format!("{byte:02x}").as_bytes());
                }
            }
            How::Text(formatter) => self
                .value
                .extend_from_slice(named(&formatter.value(row).try_to_string()?).as_bytes()),
            How::Json(lines) => self
                .value
                .extend_from_slice(lines.get(row).map_or("null", String::as_str).as_bytes()),
        }
        out.put_u32(u32::try_from(self.value.len()).unwrap_or(u32::MAX));
        out.extend_from_slice(&self.value);
        Ok(())
    }
}

/// What is no number, as PostgreSQL writes it.
fn named(text: &str) -> &str {
    match text {
        "inf" => "Infinity",
        "-inf" => "-Infinity",
        other => other,
    }
}

/// A nested column's values as JSON.
fn json(column: &ArrayRef) -> std::result::Result<Vec<String>, ArrowError> {
    let schema = Schema::new(vec![Field::new("c", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(schema.into(), vec![column.clone()])?;
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let text = String::from_utf8_lossy(&writer.into_inner()).into_owned();
    let value = |line: &str| {
        let inner = line
            .strip_prefix("{\"c\":")
            .and_then(|rest| rest.strip_suffix('}'));
        inner.unwrap_or("null").to_owned()
    };
    Ok(text.lines().map(value).collect())
}

#[cfg(test)]
mod tests;
