//! The deleted rows of a table's data files, and what of each file is left to read.
//!
//! Invariants
//! - a delete applies to files of its own commit and of earlier ones;
//! - at most [`DELETES_MAX`] positions of one table are held, and they are counted in the statement's memory.
//!
//! Source: Apache Iceberg, table specification, "Row-level Deletes", "Scan Planning".

use std::{collections::HashMap, ops::Range, sync::Arc};

use bytes::Bytes;
use craton_base::{Error, Result};
use datafusion::{
    arrow::array::{Array as _, AsArray as _, RecordBatch},
    arrow::datatypes::{DataType, Int64Type, Schema},
    datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess},
    execution::memory_pool::MemoryReservation,
};
use object_store::ObjectStore;
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection},
        async_reader::{AsyncFileReader as _, ParquetObjectReader},
    },
    errors::ParquetError,
};

use super::{
    manifest::{DataFile, DeleteFile, Deletes},
    types::id_of,
    vector,
};
use crate::{error::own, files::Files};

/// The most deleted rows of one table, in all that are read of it.
const DELETES_MAX: usize = 16 << 20;

/// The largest file of deletes, in bytes.
const FILE_BYTES_MAX: u64 = 128 << 20;

/// About what a data file's place among the deletes takes besides its name, in bytes.
const ENTRY_BYTES: usize = 160;

/// The field of the path in a file of deletes.
const PATH_ID: i32 = 2_147_483_546;

/// The field of the position.
const POSITION_ID: i32 = 2_147_483_545;

/// Deleted positions, by the data file and the commit of the delete.
#[derive(Default)]
pub(crate) struct Deleted {
    positions: HashMap<String, Vec<(i64, Vec<u64>)>>,
    count: usize,
}

impl Deleted {
    /// Adds what a file of deletes holds.
    ///
    /// # Errors
    /// `Corrupt`; `TooLarge`; the gate's own.
    pub(crate) async fn add(
        &mut self,
        files: &Files,
        (file, path): (&DeleteFile, &object_store::path::Path),
        memory: &MemoryReservation,
    ) -> Result<()> {
        match &file.kind {
            Deletes::Vector { of, offset, size } => {
                let end = offset
                    .checked_add(*size)
                    .filter(|end| *end <= file.size && *size <= FILE_BYTES_MAX);
                let end = end.ok_or_else(|| Error::corrupt("a deletion vector does not lie in its file"))?;
                let blob = files.range(path, *offset..end).await?;
                let room = DELETES_MAX.saturating_sub(self.count);
                let stated = usize::try_from(file.records).unwrap_or(usize::MAX).min(room);
                grow(memory, stated.saturating_mul(size_of::<u64>()))?;
                let positions = vector::positions(blob, stated)?;
                if positions.len() as u64 != file.records {
                    return Err(Error::corrupt(
                        "a deletion vector has another number of rows than its manifest says",
                    ));
                }
                self.count = self.count.saturating_add(positions.len());
                let known = self.positions.entry(plain(of).to_owned()).or_default();
                known.push((file.sequence, positions));
            }
            Deletes::Positions => {
                let bytes = files.whole(path, FILE_BYTES_MAX).await?;
                self.add_positions(bytes, file.sequence, memory)?;
            }
        }
        Ok(())
    }

    fn add_positions(&mut self, bytes: Bytes, sequence: i64, memory: &MemoryReservation) -> Result<()> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(unreadable)?;
        let schema = reader.schema().clone();
        let at = |id: i32, name: &str| column(&schema, id, name);
        let columns = [at(PATH_ID, "file_path")?, at(POSITION_ID, "pos")?];
        let mask = ProjectionMask::roots(reader.parquet_schema(), columns);
        // Projected columns keep their order.
        let (path, position) = if columns[0] < columns[1] { (0, 1) } else { (1, 0) };
        for batch in reader.with_projection(mask).build().map_err(unreadable)? {
            let batch = batch.map_err(|e| unreadable(e.into()))?;
            self.add_batch(&batch, (path, position), (sequence, memory))?;
        }
        Ok(())
    }

    fn add_batch(
        &mut self,
        batch: &RecordBatch,
        (path, position): (usize, usize),
        (sequence, memory): (i64, &MemoryReservation),
    ) -> Result<()> {
        let odd = || Error::corrupt("a file of deletes has columns of other types");
        let (paths, positions) = batch
            .columns()
            .get(path)
            .zip(batch.columns().get(position))
            .ok_or_else(odd)?;
        let paths = datafusion::arrow::compute::cast(paths, &DataType::Utf8).map_err(|_| odd())?;
        let paths = paths.as_string_opt::<i32>().ok_or_else(odd)?;
        let positions = positions.as_primitive_opt::<Int64Type>().ok_or_else(odd)?;
        if paths.null_count() > 0 || positions.null_count() > 0 {
            return Err(odd());
        }
        self.count = self.count.saturating_add(batch.num_rows());
        if self.count > DELETES_MAX {
            let text = format!("more than {DELETES_MAX} deleted rows of one table; compact it");
            return Err(Error::new(craton_base::Kind::TooLarge, "TooManyDeletes", text));
        }
        grow(memory, batch.num_rows().saturating_mul(size_of::<u64>()))?;
        for (path, position) in paths.iter().flatten().zip(positions.iter().flatten()) {
            let position = u64::try_from(position).map_err(|_| odd())?;
            let path = plain(path);
            let known = match self.positions.get_mut(path) {
                Some(known) => known,
                None => {
                    grow(memory, path.len().saturating_add(ENTRY_BYTES))?;
                    self.positions.entry(path.to_owned()).or_default()
                }
            };
            match known.last_mut().filter(|(of, _)| *of == sequence) {
                Some((_, list)) => list.push(position),
                None => known.push((sequence, vec![position])),
            }
        }
        Ok(())
    }

    /// The data files that have deleted rows, without the schemes of their locations.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.positions.keys().map(String::as_str)
    }

    /// The deleted positions of a data file, in order, each once.
    pub(crate) fn of(&self, file: &DataFile) -> Vec<u64> {
        let known = self
            .positions
            .get(plain(&file.path))
            .map(Vec::as_slice)
            .unwrap_or_default();
        let apply = known.iter().filter(|(sequence, _)| *sequence >= file.sequence);
        let mut out: Vec<u64> = apply
            .flat_map(|(_, positions)| positions.iter().copied())
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Takes memory before it is used.
fn grow(memory: &MemoryReservation, bytes: usize) -> Result<()> {
    memory.try_grow(bytes).map_err(|e| own(&e))
}

/// A location without its scheme: engines write `s3` and `s3a` for the same.
fn plain(location: &str) -> &str {
    location.split_once("://").map_or(location, |(_, rest)| rest)
}

fn column(schema: &Schema, id: i32, name: &str) -> Result<usize> {
    let fields = schema.fields();
    let by_id = fields.iter().position(|field| id_of(field) == Some(id));
    let found = by_id.or_else(|| {
        fields
            .iter()
            .position(|field| field.name() == name && id_of(field).is_none())
    });
    found.ok_or_else(|| Error::corrupt(format!("a file of deletes has no column {name:?}")))
}

fn unreadable(error: ParquetError) -> Error {
    Error::corrupt("a file of deletes does not read").with_source(error)
}

/// What is read of a file without its deleted rows.
///
/// # Errors
/// `Corrupt` if a position lies beyond the file; what reading its footer fails with.
pub(crate) async fn access(
    store: Arc<dyn ObjectStore>,
    (path, size): (object_store::path::Path, u64),
    deleted: &[u64],
) -> Result<ParquetAccessPlan> {
    let mut reader = ParquetObjectReader::new(store, path).with_file_size(size);
    let footer = reader.get_metadata(None).await.map_err(|e| own(&e.into()))?;
    let mut left = deleted;
    let mut start = 0u64;
    let mut groups = Vec::with_capacity(footer.num_row_groups());
    for group in footer.row_groups() {
        let rows = u64::try_from(group.num_rows()).unwrap_or_default();
        let end = start.saturating_add(rows);
        let (here, after) = left.split_at(left.partition_point(|position| *position < end));
        left = after;
        groups.push(match here.len() as u64 {
            0 => RowGroupAccess::Scan,
            all if all == rows => RowGroupAccess::Skip,
            _ => {
                let total = usize::try_from(rows).unwrap_or(usize::MAX);
                RowGroupAccess::Selection(RowSelection::from_consecutive_ranges(
                    kept(here, start, rows),
                    total,
                ))
            }
        });
        start = end;
    }
    match left.is_empty() {
        true => Ok(ParquetAccessPlan::new(groups)),
        false => Err(Error::corrupt("a delete is of a row that its file does not have")),
    }
}

/// The ranges between deleted positions, from the start of a row group of so many rows.
fn kept(deleted: &[u64], start: u64, rows: u64) -> impl Iterator<Item = Range<usize>> {
    let relative = deleted.iter().map(move |position| position.saturating_sub(start));
    let mut from = 0;
    let ranges = relative.chain([rows]).map(move |to| {
        let range = from..to;
        from = to.saturating_add(1);
        range
    });
    ranges.filter(|range| !range.is_empty()).map(|range| {
        usize::try_from(range.start).unwrap_or_default()..usize::try_from(range.end).unwrap_or_default()
    })
}

#[cfg(test)]
mod tests;
