//! Avro object container files, as much as manifests need (Avro 1.11 specification, "Object Container Files", "Binary Encoding").
//!
//! ```text
//! "Obj" 01 │ map of metadata: avro.schema, avro.codec │ sync (16 bytes) │ (records │ bytes │ block │ sync)*
//! ```
//!
//! Invariants
//! - nothing that a file says is believed before it is checked: lengths lie within what there is, a decompressed block has at most
//!   [`BLOCK_BYTES_MAX`] bytes, schemas nest at most [`DEPTH_MAX`] deep, the lists of a record have at most
//!   [`ITEMS_MAX`] items together;
//! - blocks are decoded one by one.
//!
//! Fields are told apart by the `field-id` that Iceberg gives them, not by name.
//!
//! Deliberately absent: aliases, defaults and other schema resolution; what the fields mean.

use std::io::Read;

use bytes::{Buf as _, Bytes};
use craton_base::{Error, Result};
use serde_json::Value as Json;

/// The most bytes of a block once it is decompressed.
const BLOCK_BYTES_MAX: usize = 128 << 20;

/// How deep schemas nest.
const DEPTH_MAX: usize = 16;

/// The most items that the lists of a record have together: an item in memory is larger than in the file.
const ITEMS_MAX: u32 = 1 << 20;

const MAGIC: &[u8] = b"Obj\x01";

/// How values are written.
#[derive(Clone, Debug)]
enum Schema {
    Null,
    Boolean,
    /// `int` and `long`.
    Integer,
    Float,
    Double,
    /// `bytes` and `string`.
    Bytes,
    Fixed(usize),
    Record(Vec<(i32, Schema)>),
    Array(Box<Schema>),
    Map(Box<Schema>),
    Union(Vec<Schema>),
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Boolean(bool),
    /// Of `int` and `long`.
    Integer(i64),
    /// Of 32 bits.
    Float(f32),
    /// Of 64 bits.
    Double(f64),
    /// Of bytes, text or fixed.
    Bytes(Bytes),
    /// Values by the ids of their fields.
    Record(Vec<(i32, Value)>),
    /// Items of an array, or entries of a map: records of key and value.
    List(Vec<Value>),
}

impl Value {
    /// A field of a record; `None` also where it is null.
    #[must_use]
    pub fn field(&self, id: i32) -> Option<&Self> {
        let Self::Record(fields) = self else {
            return None;
        };
        let found = fields.iter().find(|(field, _)| *field == id);
        found
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// A number.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes, those of a text included.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Items; none of what is no list.
    #[must_use]
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The two values of a record that is an entry of a map.
    #[must_use]
    pub fn pair(&self) -> Option<(&Self, &Self)> {
        match self {
            Self::Record(fields) => match fields.as_slice() {
                [(_, key), (_, value)] => Some((key, value)),
                _ => None,
            },
            _ => None,
        }
    }
}

fn corrupt(what: &'static str) -> Error {
    Error::corrupt(format!("a manifest does not read as Avro: {what}"))
}

/// A file that is read block by block.
pub struct File {
    schema: Schema,
    codec: String,
    sync: Bytes,
    rest: Bytes,
}

impl File {
    /// Reads a file's head.
    ///
    /// # Errors
    /// `Corrupt`.
    pub fn open(mut rest: Bytes) -> Result<Self> {
        if !rest.starts_with(MAGIC) {
            return Err(corrupt("it does not begin like one"));
        }
        rest.advance(MAGIC.len());
        let mut metadata = Vec::new();
        let entries = Schema::Map(Box::new(Schema::Bytes));
        for entry in entries.read(&mut rest, &mut { ITEMS_MAX })?.list() {
            if let Some((key, Value::Bytes(value))) = entry.pair() {
                metadata.push((key.text().unwrap_or_default().to_owned(), value.clone()));
            }
        }
        let sync = take(&mut rest, 16)?;
        let said = |name: &str| {
            metadata
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, v)| v.clone())
        };
        let schema = said("avro.schema").ok_or_else(|| corrupt("there is no schema"))?;
        let schema: Json = serde_json::from_slice(&schema).map_err(|_| corrupt("the schema is no JSON"))?;
        let codec = said("avro.codec").map(|c| String::from_utf8_lossy(&c).into_owned());
        Ok(Self {
            schema: Schema::parse(&schema, 0)?,
            codec: codec.unwrap_or_else(|| "null".to_owned()),
            sync,
            rest,
        })
    }

    /// The records of the next block; `None` after the last one.
    ///
    /// # Errors
    /// `Corrupt`; `Invalid` for a compression that is not read.
    pub fn block(&mut self) -> Result<Option<Block<'_>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let records = length(&mut self.rest)?;
        let size = length(&mut self.rest)?;
        let size = usize::try_from(size).map_err(|_| corrupt("a block is too long"))?;
        let block = take(&mut self.rest, size)?;
        if take(&mut self.rest, 16)? != self.sync {
            return Err(corrupt("a block does not end where it says"));
        }
        Ok(Some(Block {
            schema: &self.schema,
            left: records,
            rest: decompressed(&self.codec, block)?,
        }))
    }
}

/// Records that are read one by one.
pub struct Block<'a> {
    schema: &'a Schema,
    left: u64,
    rest: Bytes,
}

impl Iterator for Block<'_> {
    type Item = Result<Value>;

    fn next(&mut self) -> Option<Result<Value>> {
        self.left = self.left.checked_sub(1)?;
        let read = self.schema.read(&mut self.rest, &mut { ITEMS_MAX });
        if read.is_err() {
            self.left = 0;
        }
        Some(read)
    }
}

fn decompressed(codec: &str, block: Bytes) -> Result<Bytes> {
    let mut out = Vec::new();
    let most = BLOCK_BYTES_MAX as u64;
    let done = match codec {
        "null" => return Ok(block),
        "deflate" => flate2::read::DeflateDecoder::new(&*block)
            .take(most.saturating_add(1))
            .read_to_end(&mut out),
        "zstandard" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&*block);
            let decoder = decoder.map_err(|_| corrupt("a block does not decompress"))?;
            decoder.take(most.saturating_add(1)).read_to_end(&mut out)
        }
        other => {
            let text = format!("manifests compressed with {other:?} are not supported yet");
            return Err(Error::invalid(text));
        }
    };
    done.map_err(|_| corrupt("a block does not decompress"))?;
    match out.len() > BLOCK_BYTES_MAX {
        true => Err(corrupt("a block is too long")),
        false => Ok(out.into()),
    }
}

impl Schema {
    fn parse(json: &Json, depth: usize) -> Result<Self> {
        if depth > DEPTH_MAX {
            return Err(corrupt("its schema is too deep"));
        }
        let next = depth.saturating_add(1);
        match json {
            Json::String(name) => Self::named(name, json),
            Json::Array(of) => {
                let of = of
                    .iter()
                    .map(|one| Self::parse(one, next))
                    .collect::<Result<_>>()?;
                Ok(Self::Union(of))
            }
            Json::Object(object) => match object.get("type") {
                Some(Json::String(name)) => match name.as_str() {
                    "record" => Self::record(json, next),
                    "array" => Ok(Self::Array(Box::new(Self::of(json, "items", next)?))),
                    "map" => Ok(Self::Map(Box::new(Self::of(json, "values", next)?))),
                    name => Self::named(name, json),
                },
                Some(inner) => Self::parse(inner, next),
                None => Err(corrupt("its schema has no type")),
            },
            _ => Err(corrupt("its schema is none")),
        }
    }

    fn of(json: &Json, member: &str, depth: usize) -> Result<Self> {
        let of = json
            .get(member)
            .ok_or_else(|| corrupt("its schema is not whole"))?;
        Self::parse(of, depth)
    }

    fn record(json: &Json, depth: usize) -> Result<Self> {
        let fields = json.get("fields").and_then(Json::as_array);
        let fields = fields.ok_or_else(|| corrupt("a record has no fields"))?;
        let fields = fields.iter().map(|field| {
            let id = field.get("field-id").and_then(Json::as_i64);
            // The fields of an entry of a map have ids of their own; what has none can not be asked for.
            let id = id.and_then(|id| i32::try_from(id).ok()).unwrap_or(-1);
            Ok((id, Self::of(field, "type", depth)?))
        });
        Ok(Self::Record(fields.collect::<Result<_>>()?))
    }

    fn named(name: &str, json: &Json) -> Result<Self> {
        Ok(match name {
            "null" => Self::Null,
            "boolean" => Self::Boolean,
            "int" | "long" | "enum" => Self::Integer,
            "float" => Self::Float,
            "double" => Self::Double,
            "bytes" | "string" => Self::Bytes,
            "fixed" => {
                let size = json.get("size").and_then(Json::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                Self::Fixed(size.ok_or_else(|| corrupt("a fixed has no size"))?)
            }
            _ => return Err(corrupt("its schema names a type that is not there")),
        })
    }

    fn read(&self, from: &mut Bytes, left: &mut u32) -> Result<Value> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Boolean => Value::Boolean(take(from, 1)?.first() == Some(&1)),
            Self::Integer => Value::Integer(integer(from)?),
            Self::Float => Value::Float(take(from, 4)?.get_f32_le()),
            Self::Double => Value::Double(take(from, 8)?.get_f64_le()),
            Self::Bytes => {
                let size = usize::try_from(length(from)?).map_err(|_| corrupt("a text is too long"))?;
                Value::Bytes(take(from, size)?)
            }
            Self::Fixed(size) => Value::Bytes(take(from, *size)?),
            Self::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(id, schema)| Ok((*id, schema.read(from, left)?)));
                Value::Record(fields.collect::<Result<_>>()?)
            }
            Self::Array(of) => Value::List(blocks(from, left, |from, left| of.read(from, left))?),
            Self::Map(of) => Value::List(blocks(from, left, |from, left| {
                let key = Self::Bytes.read(from, left)?;
                Ok(Value::Record(vec![(-1, key), (-1, of.read(from, left)?)]))
            })?),
            Self::Union(of) => {
                let at = usize::try_from(integer(from)?).ok();
                let one = at.and_then(|at| of.get(at));
                one.ok_or_else(|| corrupt("a union has no such part"))?
                    .read(from, left)?
            }
        })
    }
}

/// The items of an array or a map: runs of them, each with its number, until one of none.
fn blocks(
    from: &mut Bytes,
    left: &mut u32,
    mut read: impl FnMut(&mut Bytes, &mut u32) -> Result<Value>,
) -> Result<Vec<Value>> {
    let too_long = || corrupt("a record has too many items");
    let mut items = Vec::new();
    loop {
        let mut count = integer(from)?;
        if count == 0 {
            return Ok(items);
        }
        if count < 0 {
            // The run's size in bytes is told, for who wants to skip it.
            integer(from)?;
            count = count.checked_neg().ok_or_else(too_long)?;
        }
        for _ in 0..count {
            *left = left.checked_sub(1).ok_or_else(too_long)?;
            items.push(read(from, left)?);
        }
    }
}

fn take(from: &mut Bytes, size: usize) -> Result<Bytes> {
    match size <= from.len() {
        true => Ok(from.split_to(size)),
        false => Err(corrupt("it ends too early")),
    }
}

fn length(from: &mut Bytes) -> Result<u64> {
    u64::try_from(integer(from)?).map_err(|_| corrupt("a length is negative"))
}

/// A number: seven bits a byte, the lowest first, zigzag.
fn integer(from: &mut Bytes) -> Result<i64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = take(from, 1)?.first().copied().unwrap_or_default();
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let half = i64::try_from(number >> 1).unwrap_or_default();
            return Ok(if number & 1 == 0 { half } else { !half });
        }
    }
    Err(corrupt("a number is too long"))
}

pub mod write;

#[cfg(test)]
mod tests;
