//! Forms of an answer: Arrow's stream, lines of JSON, CSV.
//!
//! Invariant: an answer that fails ends with an error, never as if it were whole.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use datafusion::arrow::{
    array::RecordBatch,
    csv,
    datatypes::SchemaRef,
    error::ArrowError,
    ipc::writer::StreamWriter,
    json::{
        WriterBuilder,
        writer::{LineDelimited, Writer},
    },
};
use futures::Stream;
use parking_lot::Mutex;

use crate::engine::Rows;

/// How rows are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Arrow's IPC stream.
    Arrow,
    /// An object a line; what is null is null.
    Json,
    /// CSV with a line of names.
    Csv,
}

impl Form {
    /// As a media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Json => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// Bytes of a message of Arrow's stream, about: clients of gRPC take 4 MiB if nobody tells them otherwise.
const MESSAGE_BYTES: usize = 1 << 20;

/// What was written and not yet taken.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Writing {
    Arrow(StreamWriter<Buffer>),
    Json(Writer<Buffer, LineDelimited>),
    Csv(Box<csv::Writer<Buffer>>),
}

/// An answer as bytes.
pub struct Written {
    rows: Rows,
    buffer: Buffer,
    /// Taken when it ends.
    writing: Option<Writing>,
}

/// Rows in messages of [`MESSAGE_BYTES`] or so, a row at least.
fn pieces(rows: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let columns = rows.columns().iter();
    let bytes: usize = columns
        .map(|column| {
            let data = column.to_data();
            data.get_slice_memory_size()
                .unwrap_or_else(|_| column.get_array_memory_size())
        })
        .sum();
    let count = rows.num_rows();
    let parts = bytes.div_ceil(MESSAGE_BYTES).clamp(1, count.max(1));
    let each = count.div_ceil(parts).max(1);
    let begins = (0..count.max(1)).step_by(each);
    begins.map(move |from| rows.slice(from, each.min(count.saturating_sub(from))))
}

fn unwritten(error: ArrowError) -> Error {
    let text = format!("the answer can not be written in this form: {error}");
    Error::new(Kind::Invalid, "UnwrittenAnswer", text).with_source(error)
}

impl Writing {
    fn new(form: Form, schema: &SchemaRef, to: Buffer) -> Result<Self, ArrowError> {
        let mut writing = match form {
            Form::Arrow => Self::Arrow(StreamWriter::try_new(to, schema)?),
            Form::Json => Self::Json(WriterBuilder::new().with_explicit_nulls(true).build(to)),
            Form::Csv => Self::Csv(Box::new(csv::WriterBuilder::new().with_header(true).build(to))),
        };
        if matches!(form, Form::Csv) {
            // The names, also if no rows follow.
            writing.write(&RecordBatch::new_empty(schema.clone()))?;
        }
        Ok(writing)
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<(), ArrowError> {
        match self {
            Self::Arrow(writer) => pieces(rows).try_for_each(|piece| writer.write(&piece)),
            Self::Json(writer) => writer.write(rows),
            Self::Csv(writer) => writer.write(rows),
        }
    }

    fn finish(self) -> Result<(), ArrowError> {
        match self {
            Self::Arrow(mut writer) => writer.finish(),
            Self::Json(mut writer) => writer.finish(),
            Self::Csv(_) => Ok(()),
        }
    }
}

impl Written {
    /// Rows in a form.
    ///
    /// # Errors
    /// `UnwrittenAnswer` for columns that the form does not have: nested ones in CSV.
    pub fn new(rows: Rows, form: Form) -> Result<Self> {
        let buffer = Buffer::default();
        let writing = Writing::new(form, &rows.schema, buffer.clone()).map_err(unwritten)?;
        Ok(Self {
            rows,
            buffer,
            writing: Some(writing),
        })
    }

    fn taken(&self) -> Option<Bytes> {
        let written = std::mem::take(&mut *self.buffer.0.lock());
        (!written.is_empty()).then(|| written.into())
    }
}

impl Stream for Written {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(bytes) = self.taken() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.writing.is_none() {
                return Poll::Ready(None);
            }
            let done = match ready!(self.rows.poll_next(cx)) {
                Some(Ok(rows)) => self
                    .writing
                    .as_mut()
                    .map_or(Ok(()), |writing| writing.write(&rows)),
                Some(Err(error)) => {
                    self.writing = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => self.writing.take().map_or(Ok(()), Writing::finish),
            };
            if let Err(error) = done {
                self.writing = None;
                return Poll::Ready(Some(Err(unwritten(error))));
            }
        }
    }
}
