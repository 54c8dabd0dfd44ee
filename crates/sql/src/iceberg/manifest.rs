//! Manifest lists and manifests: which files a snapshot has, and which deletes apply to them.
//!
//! Invariants
//! - every location lies in the table's folder: the permit would not reach another, and this says so by name;
//! - what is not understood (a format, a content) is an error, never a file that is left out;
//! - a manifest is read entry by entry; what is kept of it is what the scan needs.
//!
//! Source: Apache Iceberg, table specification, "Manifests", "Manifest Lists", "Sequence Number Inheritance".

use bytes::Bytes;
use craton_base::{Error, Kind, Result};

use super::{
    avro::{File, Value},
    types::not_yet,
};

/// The most manifests of a snapshot.
const MANIFESTS_MAX: usize = 20_000;

/// A manifest, as the list of a snapshot has it.
#[derive(Debug)]
pub(crate) struct Manifest {
    pub(crate) path: String,
    pub(crate) holds_deletes: bool,
    sequence: i64,
    spec: i32,
    /// The number of its first row that has none of its own (format version 3).
    first_row: Option<i64>,
}

/// A file of a snapshot.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) records: u64,
    /// The commit that it came with; deletes of earlier ones do not apply to it.
    pub(crate) sequence: i64,
    /// Bounds of its columns' values, by their ids, as they are written.
    pub(crate) lower: Vec<(i32, Bytes)>,
    pub(crate) upper: Vec<(i32, Bytes)>,
    pub(crate) nulls: Vec<(i32, i64)>,
    /// The number of its first row (format version 3).
    pub(crate) first_row: Option<i64>,
    /// The spec that it is partitioned by.
    pub(crate) spec: i32,
    /// Its partition's values, by the ids of the spec's fields.
    pub(crate) partition: Value,
}

/// A file of deletes.
#[derive(Debug)]
pub(crate) struct DeleteFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) records: u64,
    pub(crate) sequence: i64,
    pub(crate) kind: Deletes,
}

/// What a file of deletes holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deletes {
    /// Paths of data files, and positions in them.
    Positions,
    /// The positions of one data file, as a bitmap at an offset.
    Vector { of: String, offset: u64, size: u64 },
}

/// One entry.
#[derive(Debug)]
pub(crate) enum Entry {
    Data(DataFile),
    Deletes(DeleteFile),
}

fn missing(what: &'static str) -> Error {
    Error::corrupt(format!("an entry of a manifest has no {what}"))
}

/// The manifests of a snapshot.
///
/// # Errors
/// `Corrupt`; `TooLarge`.
pub(crate) fn list(file: Bytes) -> Result<Vec<Manifest>> {
    let mut file = File::open(file)?;
    let mut out = Vec::new();
    while let Some(block) = file.block()? {
        for record in block {
            let record = record?;
            let number = |id: i32| record.field(id).and_then(Value::integer);
            let path = record
                .field(500)
                .and_then(Value::text)
                .ok_or_else(|| missing("path"))?;
            if out.len() >= MANIFESTS_MAX {
                let text = format!("a snapshot of more than {MANIFESTS_MAX} manifests; rewrite them");
                return Err(Error::new(Kind::TooLarge, "TooManyManifests", text));
            }
            if record.field(519).is_some() {
                return Err(not_yet("encrypted tables"));
            }
            out.push(Manifest {
                path: path.to_owned(),
                holds_deletes: match number(517).unwrap_or(0) {
                    0 => false,
                    1 => true,
                    other => return Err(not_yet(format!("manifests of content {other}"))),
                },
                sequence: number(515).unwrap_or(0),
                spec: number(502).and_then(|id| i32::try_from(id).ok()).unwrap_or(0),
                first_row: number(520),
            });
        }
    }
    Ok(out)
}

/// What a manifest's live entries are, one after the other.
///
/// # Errors
/// `Corrupt`; `NotSupportedYet`; what `take` fails with.
pub(crate) fn read(
    manifest: &Manifest,
    file: Bytes,
    mut take: impl FnMut(Entry) -> Result<()>,
) -> Result<()> {
    let mut file = File::open(file)?;
    let mut next_row = manifest.first_row;
    while let Some(block) = file.block()? {
        for record in block {
            let Some(mut entry) = entry(manifest, &record?)? else {
                continue;
            };
            if let (Entry::Data(data), Some(next)) = (&mut entry, next_row.as_mut())
                && data.first_row.is_none()
            {
                data.first_row = Some(*next);
                *next = next.saturating_add(i64::try_from(data.records).unwrap_or(i64::MAX));
            }
            take(entry)?;
        }
    }
    Ok(())
}

fn entry(manifest: &Manifest, record: &Value) -> Result<Option<Entry>> {
    const DELETED: i64 = 2;
    let status = record
        .field(0)
        .and_then(Value::integer)
        .ok_or_else(|| missing("status"))?;
    if status == DELETED {
        return Ok(None);
    }
    // What is new with the manifest has the sequence number that its commit was given.
    let sequence = record
        .field(3)
        .and_then(Value::integer)
        .unwrap_or(manifest.sequence);
    let file = record.field(2).ok_or_else(|| missing("file"))?;
    let text = |id: i32| file.field(id).and_then(Value::text);
    let number = |id: i32| file.field(id).and_then(Value::integer);
    let count = |id: i32| number(id).and_then(|n| u64::try_from(n).ok());
    let path = text(100).ok_or_else(|| missing("path"))?.to_owned();
    let format = text(101).unwrap_or_default().to_ascii_uppercase();
    let (size, records) = (count(104), count(103));
    let size = size.ok_or_else(|| missing("size"))?;
    let records = records.ok_or_else(|| missing("number of records"))?;
    let content = number(134).unwrap_or(0);
    if file.field(131).is_some() {
        return Err(not_yet("encrypted files"));
    }
    if (content != 0) != manifest.holds_deletes {
        return Err(Error::corrupt("a manifest holds what its list does not say"));
    }
    let kind = match (content, format.as_str()) {
        (0, "PARQUET") => {
            return Ok(Some(Entry::Data(DataFile {
                path,
                size,
                records,
                sequence,
                lower: bounds(file, 125),
                upper: bounds(file, 128),
                nulls: map(file, 110, Value::integer),
                first_row: number(142),
                spec: manifest.spec,
                partition: file.field(102).cloned().unwrap_or(Value::Null),
            })));
        }
        (1, "PARQUET") => Deletes::Positions,
        (1, "PUFFIN") => Deletes::Vector {
            of: text(143).ok_or_else(|| missing("data file"))?.to_owned(),
            offset: count(144).ok_or_else(|| missing("offset"))?,
            size: count(145).ok_or_else(|| missing("size of its content"))?,
        },
        (2, _) => return Err(not_yet("tables with equality deletes")),
        (_, other) => return Err(not_yet(format!("tables with files of the format {other:?}"))),
    };
    Ok(Some(Entry::Deletes(DeleteFile {
        path,
        size,
        records,
        sequence,
        kind,
    })))
}

fn bounds(file: &Value, id: i32) -> Vec<(i32, Bytes)> {
    map(file, id, |value| value.bytes().cloned())
}

fn map<T>(file: &Value, id: i32, read: impl Fn(&Value) -> Option<T>) -> Vec<(i32, T)> {
    let entries = file.field(id).map(Value::list).unwrap_or_default();
    let read = |entry: &Value| {
        let (key, value) = entry.pair()?;
        Some((i32::try_from(key.integer()?).ok()?, read(value)?))
    };
    entries.iter().filter_map(read).collect()
}
