//! Answers of queries as an Arrow stream: a column of text for each item of the template, rows in batches.
//!
//! Invariants: the columns' number is that of the template; a term that is nested is its text; a string is its content.
//!
//! Deliberately absent: types of numbers: a column may hold anything.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, builder::StringBuilder};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use craton_base::{Error, Result};
use craton_graph::{
    print,
    term::{Item, Part, parts, read},
};

/// The content type of an Arrow stream.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// An answer under way.
pub struct Answer {
    schema: SchemaRef,
    writer: StreamWriter<Vec<u8>>,
}

impl Answer {
    /// An answer of so many columns.
    ///
    /// # Errors
    /// None in practice.
    pub fn new(columns: usize) -> Result<Self> {
        let fields: Vec<Field> = (0..columns.max(1))
            .map(|n| Field::new(format!("c{n}"), DataType::Utf8, false))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(failed)?;
        Ok(Self { schema, writer })
    }

    /// Takes encoded terms, one after the other; the bytes of the stream so far, and how many terms these were.
    ///
    /// # Errors
    /// `Internal` if a term does not fit the columns.
    pub fn take(&mut self, mut terms: &[u8]) -> Result<(Vec<u8>, u64)> {
        let width = self.schema.fields().len();
        let mut columns: Vec<StringBuilder> = (0..width).map(|_| StringBuilder::new()).collect();
        let mut text = Vec::new();
        while !terms.is_empty() {
            let end = end_of(terms);
            let (term, rest) = terms.split_at_checked(end).ok_or_else(odd)?;
            terms = rest;
            let items = match width {
                1 => vec![Part::whole(term)],
                _ => parts(term, Part::whole(term)).unwrap_or_default(),
            };
            if items.len() != width {
                return Err(odd());
            }
            for (item, column) in items.iter().zip(&mut columns) {
                text.clear();
                shown(item.bytes(term), &mut text);
                column.append_value(String::from_utf8_lossy(&text));
            }
        }
        let arrays = columns
            .into_iter()
            .map(|mut column| Arc::new(column.finish()) as ArrayRef);
        let batch = RecordBatch::try_new(self.schema.clone(), arrays.collect()).map_err(failed)?;
        self.writer.write(&batch).map_err(failed)?;
        Ok((std::mem::take(self.writer.get_mut()), batch.num_rows() as u64))
    }

    /// The end of the stream.
    ///
    /// # Errors
    /// None in practice.
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.writer.finish().map_err(failed)?;
        Ok(std::mem::take(self.writer.get_mut()))
    }
}

/// Where the first term ends.
fn end_of(bytes: &[u8]) -> usize {
    let (mut at, mut missing) = (0usize, 1u64);
    while missing > 0 {
        let Some((item, next)) = read(bytes, at) else {
            return bytes.len();
        };
        missing = missing.saturating_sub(1);
        if let Item::Expression(items) = item {
            missing = missing.saturating_add(u64::from(items));
        }
        at = next;
    }
    at
}

/// The text of an item; a string without its quotes.
fn shown(term: &[u8], out: &mut Vec<u8>) {
    match read(term, 0) {
        Some((Item::Symbol(text), _)) if text.starts_with(b"\"") => {
            out.extend_from_slice(print::json::content(&String::from_utf8_lossy(text)).as_bytes());
        }
        _ => print::write(term, out),
    }
}

fn odd() -> Error {
    Error::internal("a term of an answer does not have the template's items")
}

fn failed(error: ArrowError) -> Error {
    Error::internal("an answer can not be written as Arrow").with_source(error)
}
