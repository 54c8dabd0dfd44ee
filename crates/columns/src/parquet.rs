//! Parquet files, row by row.

use std::fs::File;

use craton_base::{Error, Result};
use parquet::{
    errors::ParquetError,
    file::{reader::FileReader as _, serialized_reader::SerializedFileReader},
    record::Field,
};

use crate::{
    Out,
    cells::{DEPTH_MAX, Rows, too_deep},
};

pub(crate) fn facts(file: File, relation: &str, out: &mut Out<'_>) -> Result<u64> {
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let mut rows = Rows::new(relation, out);
    for row in reader.get_row_iter(None).map_err(damaged)? {
        let row = row.map_err(damaged)?;
        rows.begin();
        for (_, field) in row.get_column_iter() {
            push(field, &mut rows, 0)?;
        }
        rows.end()?;
    }
    rows.finish()
}

fn push(field: &Field, rows: &mut Rows<'_, '_>, depth: usize) -> Result<()> {
    if depth > DEPTH_MAX {
        return Err(too_deep());
    }
    let deeper = depth.saturating_add(1);
    match field {
        Field::Null => rows.nothing(),
        Field::Str(text) => rows.text(text.as_bytes()),
        Field::Bytes(bytes) => rows.bytes(bytes.data()),
        Field::Float(value) => rows.plain(&format!("{value:?}")),
        Field::Double(value) => rows.plain(&format!("{value:?}")),
        Field::Date(days) => rows.plain(&days.to_string()),
        Field::TimestampMillis(time) | Field::TimestampMicros(time) | Field::TimeMicros(time) => {
            rows.plain(&time.to_string());
        }
        Field::TimeMillis(time) => rows.plain(&time.to_string()),
        Field::Group(record) => {
            rows.open();
            for (_, field) in record.get_column_iter() {
                push(field, rows, deeper)?;
            }
            rows.close();
        }
        Field::ListInternal(list) => {
            rows.open();
            for field in list.elements() {
                push(field, rows, deeper)?;
            }
            rows.close();
        }
        Field::MapInternal(map) => {
            rows.open();
            for (key, value) in map.entries() {
                rows.open();
                push(key, rows, deeper)?;
                push(value, rows, deeper)?;
                rows.close();
            }
            rows.close();
        }
        // Numbers and truth values are written as they read.
        other => rows.plain(&other.to_string()),
    }
    Ok(())
}

fn damaged(error: ParquetError) -> Error {
    Error::invalid(format!("this is no good Parquet: {error}")).with_source(error)
}
