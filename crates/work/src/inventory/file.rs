//! The forms of an inventory's files: CSV compressed by gzip, and Parquet; made as the rows come.
//!
//! Invariant: at most [`ROWS_AT_ONCE_MAX`] rows and one page are in memory: a row has at most a key of 1,024 bytes and
//! about as much of the rest, so 16 MiB at the very most, a tenth of that as a rule.
//!
//! Deliberately absent: where rows come from and files go.

use std::{io::Write as _, sync::Arc};

use bytes::Bytes;
use craton_base::{Error, Result, Timestamp};
use craton_objects::inventory::{Cell, Field, FileForm, Form, Inventory};
use flate2::{Compression, write::GzEncoder};
use parquet::{
    basic::Compression as PageCompression,
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::parser::parse_message_type,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::macros::format_description;

/// The rows of one group of a Parquet file.
pub(super) const ROWS_AT_ONCE_MAX: usize = 8192;

/// What is not escaped in a key of a CSV file. (A space becomes `+`.)
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b' ');

/// A file that is being made.
pub(super) enum File {
    Csv(Box<GzEncoder<Vec<u8>>>),
    Parquet(Box<Table>),
}

/// A Parquet file that is being made.
pub(super) struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    fields: Vec<Field>,
    waiting: Vec<Vec<Cell>>,
}

fn unwritable(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::internal("an inventory's file can not be made").with_source(e)
}

impl File {
    /// An empty file.
    ///
    /// # Errors
    /// `Internal` for a schema that is none: a fault of ours.
    pub(super) fn new(inventory: &Inventory) -> Result<Self> {
        match inventory.form {
            FileForm::Csv => Ok(Self::Csv(Box::new(GzEncoder::new(
                Vec::new(),
                Compression::default(),
            )))),
            FileForm::Parquet => Table::new(inventory).map(|table| Self::Parquet(Box::new(table))),
        }
    }

    /// The end of its name.
    pub(super) const fn ending(form: FileForm) -> &'static str {
        match form {
            FileForm::Csv => "csv.gz",
            FileForm::Parquet => "parquet",
        }
    }

    /// Adds rows; what of the file is made by then, and not given before.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn add(&mut self, rows: Vec<Vec<Cell>>) -> Result<Bytes> {
        match self {
            Self::Csv(encoder) => {
                for row in rows {
                    encoder.write_all(line(&row).as_bytes()).map_err(unwritable)?;
                }
                Ok(std::mem::take(encoder.get_mut()).into())
            }
            Self::Parquet(table) => table.add(rows).map_err(unwritable),
        }
    }

    /// The rest.
    ///
    /// # Errors
    /// `Internal`.
    pub(super) fn finish(self) -> Result<Bytes> {
        match self {
            Self::Csv(encoder) => encoder.finish().map(Bytes::from).map_err(unwritable),
            Self::Parquet(table) => table.finish().map_err(unwritable),
        }
    }
}

fn line(row: &[Cell]) -> String {
    let mut out = String::new();
    for (at, cell) in row.iter().enumerate() {
        // The second column is the key.
        let text = match (at, cell) {
            (1, Cell::Text(key)) => utf8_percent_encode(key, KEPT).to_string().replace(' ', "+"),
            (_, cell) => text(cell),
        };
        let comma = if at == 0 { "" } else { "," };
        out.push_str(&format!("{comma}\"{}\"", text.replace('"', "\"\"")));
    }
    out.push('\n');
    out
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Time(at) => iso(*at),
    }
}

fn iso(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    at.to_utc().format(format).unwrap_or_default()
}

impl Table {
    fn new(inventory: &Inventory) -> Result<Self> {
        let schema = parse_message_type(&inventory.parquet_schema()).map_err(unwritable)?;
        let properties = WriterProperties::builder()
            .set_compression(PageCompression::SNAPPY)
            .set_created_by("craton".to_owned())
            .build();
        Ok(Self {
            writer: SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
                .map_err(unwritable)?,
            fields: inventory.fields.clone(),
            waiting: Vec::new(),
        })
    }

    fn add(&mut self, rows: Vec<Vec<Cell>>) -> Result<Bytes, ParquetError> {
        self.waiting.extend(rows);
        if self.waiting.len() < ROWS_AT_ONCE_MAX {
            return Ok(Bytes::new());
        }
        self.group()?;
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()).into())
    }

    fn finish(mut self) -> Result<Bytes, ParquetError> {
        if !self.waiting.is_empty() {
            self.group()?;
        }
        self.writer.into_inner().map(Bytes::from)
    }

    /// Writes the rows that wait, as one group.
    fn group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.waiting);
        let mut group = self.writer.next_row_group()?;
        for (at, field) in self.fields.iter().enumerate() {
            let Some(mut column) = group.next_column()? else {
                break;
            };
            let cells = rows.iter().map(|row| row.get(at).unwrap_or(&Cell::Empty));
            write_column(&mut column, *field, cells)?;
            column.close()?;
        }
        group.close().map(drop)
    }
}

fn write_column<'c>(
    column: &mut SerializedColumnWriter<'_>,
    field: Field,
    cells: impl Iterator<Item = &'c Cell> + Clone,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = cells
        .clone()
        .map(|cell| i16::from(*cell != Cell::Empty))
        .collect();
    let levels = (!field.is_required()).then_some(&*levels);
    match field.form() {
        Form::Text => {
            let values: Vec<ByteArray> = cells.filter_map(bytes_of).collect();
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, levels, None)?;
        }
        Form::Flag => {
            let values: Vec<bool> = cells.filter_map(flag_of).collect();
            column.typed::<BoolType>().write_batch(&values, levels, None)?;
        }
        Form::Number | Form::Time => {
            let values: Vec<i64> = cells.filter_map(number_of).collect();
            column.typed::<Int64Type>().write_batch(&values, levels, None)?;
        }
    }
    Ok(())
}

fn bytes_of(cell: &Cell) -> Option<ByteArray> {
    match cell {
        Cell::Text(text) => Some(ByteArray::from(text.as_str())),
        _ => None,
    }
}

const fn flag_of(cell: &Cell) -> Option<bool> {
    match cell {
        Cell::Flag(flag) => Some(*flag),
        _ => None,
    }
}

fn number_of(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Number(number) => i64::try_from(*number).ok(),
        Cell::Time(at) => i64::try_from(at.micros() / 1000).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
