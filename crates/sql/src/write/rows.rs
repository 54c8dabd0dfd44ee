//! Rows into data files: one or more of each partition.
//!
//! Invariants
//! - rows are checked against what the table requires of its columns before they are written;
//! - what files that are being written hold in memory is taken from the statement's; of more than it has, row groups are ended early,
//!   and of more than [`OPEN_MAX`] files the longest is ended.

use std::{collections::HashMap, sync::Arc};

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        compute::cast,
        datatypes::{DataType, Field, FieldRef, Schema},
        error::ArrowError,
    },
    execution::memory_pool::{MemoryConsumer, MemoryReservation},
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::Value as Json;

use super::{
    file::{Ended, Form, Writer},
    manifest::{self, NewFile, NewKind},
    partition::{Spec, Values},
    target::Target,
};
use crate::error::own;

/// Files that are written to at once.
const OPEN_MAX: usize = 256;

/// The most files that a statement writes.
const FILES_MAX: usize = 10_000;

/// How long a file becomes, unless a property of the table says otherwise, in bytes.
const FILE_BYTES: u64 = 512 << 20;

/// How long it becomes at least, in bytes.
const FILE_BYTES_MIN: u64 = 1 << 20;

/// The id of the number of a row, which follows it from file to file (format version 3).
pub(crate) const ROW_ID: i32 = 2_147_483_540;

/// The id of the number of the commit that last changed a row (format version 3).
const LAST_ID: i32 = 2_147_483_539;

/// Rows on their way.
pub(super) struct Rows {
    target: Arc<Target>,
    form: Form,
    spec: Spec,
    open: HashMap<Vec<u8>, Open>,
    done: Vec<NewFile>,
    memory: MemoryReservation,
    file_bytes: u64,
    rows: u64,
    /// The sort order that rows come in.
    order: Option<i64>,
}

/// How long a file becomes, as a table says, in bytes.
pub(super) fn file_bytes(target: &Target) -> u64 {
    let said = target.property_number("write.target-file-size-bytes", FILE_BYTES);
    said.max(FILE_BYTES_MIN)
}

struct Open {
    location: String,
    partition: Values,
    writer: Writer,
}

impl Rows {
    /// For rows of the table's current schema, with these columns behind its own.
    pub(super) fn new(target: &Arc<Target>, more: &[FieldRef]) -> Result<Self> {
        let json = target.schema_json()?;
        let schema = target.schema()?;
        let mut fields: Vec<FieldRef> = schema.fields().iter().zip(columns(json)).map(required).collect();
        fields.extend(more.iter().cloned());
        let uuids = columns(json).filter(|c| c.get("type").and_then(Json::as_str) == Some("uuid"));
        let uuids: Vec<i32> = uuids
            .filter_map(|c| i32::try_from(c.get("id")?.as_i64()?).ok())
            .collect();
        let compression = target
            .property("write.parquet.compression-codec")
            .unwrap_or("zstd");
        let memory = MemoryConsumer::new("files that are written").register(&target.context.pool);
        Ok(Self {
            form: Form::new(Arc::new(Schema::new(fields)), &uuids, compression)?,
            spec: target.default_spec()?,
            file_bytes: file_bytes(target),
            target: target.clone(),
            open: HashMap::new(),
            done: Vec::new(),
            memory,
            rows: 0,
            order: None,
        })
    }

    /// Files of about so many bytes.
    pub(super) fn of_bytes(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes.max(FILE_BYTES_MIN);
        self
    }

    /// Says that rows come in this sort order, one file's after the other's.
    pub(super) fn sorted(mut self, order: Option<i64>) -> Self {
        self.order = order;
        self
    }

    /// Ends the files that are open: what comes next is in others.
    pub(super) async fn cut(&mut self) -> Result<()> {
        let keys: Vec<Vec<u8>> = self.open.keys().cloned().collect();
        for key in keys {
            self.end(&key).await?;
        }
        self.settle().await
    }

    /// Writes rows: columns in the order of the schema, whatever they are called.
    pub(super) async fn push(&mut self, columns: Vec<ArrayRef>) -> Result<()> {
        let fields = self.form.schema.fields().iter();
        let columns = columns.into_iter().zip(fields).map(|(column, field)| {
            match column.data_type() == field.data_type() {
                true => Ok(column),
                // Names and ids within nested types are the table's own.
                false => cast(&column, field.data_type()),
            }
        });
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(refused)?;
        let rows = RecordBatch::try_new(self.form.schema.clone(), columns).map_err(refused)?;
        self.rows = self.rows.saturating_add(rows.num_rows() as u64);
        for (key, partition, part) in self.spec.split(&rows)? {
            self.write(key, partition, &part).await?;
        }
        self.settle().await
    }

    async fn write(&mut self, key: Vec<u8>, partition: Values, rows: &RecordBatch) -> Result<()> {
        if !self.open.contains_key(&key) {
            if self.open.len() >= OPEN_MAX {
                self.end_longest().await?;
            }
            if self.done.len().saturating_add(self.open.len()) >= FILES_MAX {
                let text = format!(
                    "the statement writes more than {FILES_MAX} files; write fewer partitions at once"
                );
                return Err(Error::new(Kind::TooLarge, "TooManyFiles", text));
            }
            let name = format!("{}.parquet", self.target.context.tables.uuid()?);
            let location = self.target.place(false, &name)?;
            let writer = self.form.begin(&self.target, location.clone())?;
            let open = Open {
                location,
                partition,
                writer,
            };
            self.open.insert(key.clone(), open);
        }
        let Some(open) = self.open.get_mut(&key) else {
            return Err(Error::internal("a file that was begun is not there"));
        };
        open.writer.push(rows).await?;
        match open.writer.size() < self.file_bytes {
            true => Ok(()),
            false => self.end(&key).await,
        }
    }

    /// Takes the memory that files hold, and makes it less if there is no more.
    async fn settle(&mut self) -> Result<()> {
        let held = |open: &HashMap<Vec<u8>, Open>| open.values().map(|o| o.writer.memory()).sum::<usize>();
        if self.memory.try_resize(held(&self.open)).is_ok() {
            return Ok(());
        }
        for open in self.open.values_mut() {
            open.writer.flush().await?;
        }
        self.memory.try_resize(held(&self.open)).map_err(|e| own(&e))
    }

    async fn end_longest(&mut self) -> Result<()> {
        let longest = self.open.iter().max_by_key(|(_, open)| open.writer.size());
        match longest.map(|(key, _)| key.clone()) {
            Some(key) => self.end(&key).await,
            None => Ok(()),
        }
    }

    async fn end(&mut self, key: &[u8]) -> Result<()> {
        let Some(open) = self.open.remove(key) else {
            return Ok(());
        };
        let Ended { size, rows, metrics } = open.writer.end().await?;
        self.done.push(NewFile {
            location: open.location,
            size,
            records: rows,
            spec: self.spec.id,
            partition: manifest::partition(&self.spec, &open.partition),
            metrics,
            order: self.order,
            kind: NewKind::Data,
        });
        Ok(())
    }

    /// Ends all files: those that were written, and how many rows are in them.
    pub(super) async fn finish(mut self) -> Result<(Vec<NewFile>, u64)> {
        self.cut().await?;
        Ok((self.done, self.rows))
    }
}

fn refused(error: ArrowError) -> Error {
    Error::new(
        Kind::Invalid,
        "InvalidRow",
        format!("a row is not what the table takes: {error}"),
    )
}

fn columns(schema: &Json) -> impl Iterator<Item = &Json> {
    schema
        .get("fields")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
}

/// A column that may be null only if the table lets it.
fn required((field, json): (&FieldRef, &Json)) -> FieldRef {
    let is = json.get("required").and_then(Json::as_bool).unwrap_or(false);
    Arc::new(field.as_ref().clone().with_nullable(!is))
}

/// The column of rows' numbers.
pub(crate) fn row_id() -> FieldRef {
    numbers("_row_id", ROW_ID)
}

/// The column of the commits that last changed rows.
pub(crate) fn last_changed() -> FieldRef {
    numbers("_last_updated_sequence_number", LAST_ID)
}

fn numbers(name: &str, id: i32) -> FieldRef {
    let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string())]);
    Arc::new(Field::new(name, DataType::Int64, true).with_metadata(id))
}
