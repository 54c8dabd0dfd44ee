//! Writing of Avro object container files: what [`super`] reads, compressed with deflate.
//!
//! Invariant: a value that does not fit its schema is an error of this program, and no file.

use std::io::Write as _;

use bytes::Bytes;
use craton_base::{Error, Result};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::Value as Json;

use super::{MAGIC, Schema, Value};

/// A block is ended from so many bytes on.
const BLOCK_BYTES: usize = 64 << 10;

/// A file that is written record by record.
pub struct Writer {
    schema: Schema,
    sync: [u8; 16],
    out: Vec<u8>,
    block: Vec<u8>,
    records: i64,
}

fn unfit(what: &str) -> Error {
    Error::internal(format!("a manifest's {what} does not fit its schema"))
}

impl Writer {
    /// Begins a file of records of this schema. `sync` are random bytes.
    ///
    /// # Errors
    /// `Corrupt` for a schema that is none.
    pub fn new(schema: &Json, metadata: &[(&str, String)], sync: [u8; 16]) -> Result<Self> {
        let text = schema.to_string();
        let mut out = MAGIC.to_vec();
        let entries = [("avro.schema", text.as_str()), ("avro.codec", "deflate")];
        let more = metadata.iter().map(|(name, value)| (*name, value.as_str()));
        integer(&mut out, to_i64(entries.len().saturating_add(metadata.len())));
        for (name, value) in entries.into_iter().chain(more) {
            bytes(&mut out, name.as_bytes());
            bytes(&mut out, value.as_bytes());
        }
        integer(&mut out, 0);
        out.extend_from_slice(&sync);
        Ok(Self {
            schema: Schema::parse(schema, 0)?,
            sync,
            out,
            block: Vec::new(),
            records: 0,
        })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// `Internal`.
    pub fn push(&mut self, record: &Value) -> Result<()> {
        self.schema.write(record, &mut self.block)?;
        self.records = self.records.saturating_add(1);
        match self.block.len() < BLOCK_BYTES {
            true => Ok(()),
            false => self.end_block(),
        }
    }

    /// How many bytes were written, those that are not compressed yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len().saturating_add(self.block.len())
    }

    /// Whether nothing was written, which is never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn end_block(&mut self) -> Result<()> {
        if self.records == 0 {
            return Ok(());
        }
        let failed = |e| Error::internal("a block does not compress").with_source(e);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&self.block).map_err(failed)?;
        let compressed = encoder.finish().map_err(failed)?;
        integer(&mut self.out, self.records);
        bytes(&mut self.out, &compressed);
        self.out.extend_from_slice(&self.sync);
        self.block.clear();
        self.records = 0;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `Internal`.
    pub fn finish(mut self) -> Result<Bytes> {
        self.end_block()?;
        Ok(self.out.into())
    }
}

impl Schema {
    fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match (self, value) {
            (Self::Null, Value::Null) => {}
            (Self::Boolean, Value::Boolean(is)) => out.push(u8::from(*is)),
            (Self::Integer, Value::Integer(number)) => integer(out, *number),
            (Self::Float, Value::Float(number)) => out.extend_from_slice(&number.to_le_bytes()),
            (Self::Double, Value::Double(number)) => out.extend_from_slice(&number.to_le_bytes()),
            (Self::Bytes, Value::Bytes(content)) => bytes(out, content),
            (Self::Fixed(size), Value::Bytes(content)) if content.len() == *size => {
                out.extend_from_slice(content);
            }
            (Self::Record(fields), Value::Record(_)) => {
                for (id, schema) in fields {
                    let found = value.field(*id).unwrap_or(&Value::Null);
                    schema
                        .write(found, out)
                        .map_err(|_| unfit(&format!("field {id}")))?;
                }
            }
            (Self::Array(of), Value::List(items)) => {
                if !items.is_empty() {
                    integer(out, to_i64(items.len()));
                    items.iter().try_for_each(|item| of.write(item, out))?;
                }
                integer(out, 0);
            }
            (Self::Union(of), value) => {
                let fits = |schema: &Self| matches!(schema, Self::Null) == (*value == Value::Null);
                let (at, one) = of
                    .iter()
                    .enumerate()
                    .find(|(_, s)| fits(s))
                    .ok_or_else(|| unfit("union"))?;
                integer(out, to_i64(at));
                one.write(value, out)?;
            }
            _ => return Err(unfit("value")),
        }
        Ok(())
    }
}

fn to_i64(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn bytes(out: &mut Vec<u8>, content: &[u8]) {
    integer(out, to_i64(content.len()));
    out.extend_from_slice(content);
}

/// A number: zigzag, seven bits a byte, the lowest first.
fn integer(out: &mut Vec<u8>, number: i64) {
    let mut left = (number << 1 ^ number >> 63).cast_unsigned();
    while left > 0x7f {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

#[cfg(test)]
mod tests;
