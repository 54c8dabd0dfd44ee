//! Arrow streams, batch by batch.

use std::io::{BufReader, Read};

use arrow_array::{
    Array, GenericListArray, OffsetSizeTrait, PrimitiveArray, StructArray,
    cast::AsArray as _,
    types::{
        ArrowPrimitiveType, Date32Type, Date64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_ipc::reader::StreamReader;
use arrow_schema::{ArrowError, DataType, TimeUnit};
use craton_base::{Error, Result};

use crate::{
    Out,
    cells::{DEPTH_MAX, Rows, too_deep},
};

pub(crate) fn facts(input: impl Read, relation: &str, out: &mut Out<'_>) -> Result<u64> {
    let reader = StreamReader::try_new(BufReader::new(input), None).map_err(damaged)?;
    let mut rows = Rows::new(relation, out);
    for batch in reader {
        let batch = batch.map_err(damaged)?;
        for row in 0..batch.num_rows() {
            rows.begin();
            for column in batch.columns() {
                push(&**column, row, &mut rows, 0)?;
            }
            rows.end()?;
        }
    }
    rows.finish()
}

fn number<T: ArrowPrimitiveType>(array: &dyn Array, row: usize, rows: &mut Rows<'_, '_>)
where
    T::Native: std::fmt::Debug,
{
    let array: &PrimitiveArray<T> = array.as_primitive();
    rows.plain(&format!("{:?}", array.value(row)));
}

fn push(array: &dyn Array, row: usize, rows: &mut Rows<'_, '_>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    if array.is_null(row) {
        rows.nothing();
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => rows.nothing(),
        DataType::Boolean => rows.plain(&array.as_boolean().value(row).to_string()),
        DataType::Int8 => number::<Int8Type>(array, row, rows),
        DataType::Int16 => number::<Int16Type>(array, row, rows),
        DataType::Int32 => number::<Int32Type>(array, row, rows),
        DataType::Int64 => number::<Int64Type>(array, row, rows),
        DataType::UInt8 => number::<UInt8Type>(array, row, rows),
        DataType::UInt16 => number::<UInt16Type>(array, row, rows),
        DataType::UInt32 => number::<UInt32Type>(array, row, rows),
        DataType::UInt64 => number::<UInt64Type>(array, row, rows),
        DataType::Float32 => number::<Float32Type>(array, row, rows),
        DataType::Float64 => number::<Float64Type>(array, row, rows),
        DataType::Date32 => number::<Date32Type>(array, row, rows),
        DataType::Date64 => number::<Date64Type>(array, row, rows),
        DataType::Timestamp(TimeUnit::Second, _) => number::<TimestampSecondType>(array, row, rows),
        DataType::Timestamp(TimeUnit::Millisecond, _) => number::<TimestampMillisecondType>(array, row, rows),
        DataType::Timestamp(TimeUnit::Microsecond, _) => number::<TimestampMicrosecondType>(array, row, rows),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => number::<TimestampNanosecondType>(array, row, rows),
        DataType::Utf8 => rows.text(array.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => rows.text(array.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => rows.text(array.as_string_view().value(row).as_bytes()),
        DataType::Binary => rows.bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => rows.bytes(array.as_binary::<i64>().value(row)),
        DataType::List(_) => list(array.as_list::<i32>(), row, rows, depth)?,
        DataType::LargeList(_) => list(array.as_list::<i64>(), row, rows, depth)?,
        DataType::Struct(_) => record(array.as_struct(), row, rows, depth)?,
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary.normalized_keys().get(row).copied();
            push(
                &**dictionary.values(),
                key.unwrap_or_default(),
                rows,
                depth.saturating_add(1),
            )?;
        }
        other => {
            return Err(Error::invalid(format!(
                "a column of the type {other} can not be read as facts"
            )));
        }
    }
    Ok(())
}

fn list<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
    row: usize,
    rows: &mut Rows<'_, '_>,
    depth: usize,
) -> Result<()> {
    let items = array.value(row);
    rows.open();
    for item in 0..items.len() {
        push(&*items, item, rows, depth.saturating_add(1))?;
    }
    rows.close();
    Ok(())
}

fn record(array: &StructArray, row: usize, rows: &mut Rows<'_, '_>, depth: usize) -> Result<()> {
    rows.open();
    for column in array.columns() {
        push(&**column, row, rows, depth.saturating_add(1))?;
    }
    rows.close();
    Ok(())
}

fn damaged(error: ArrowError) -> Error {
    Error::invalid(format!("this is no good Arrow stream: {error}")).with_source(error)
}
