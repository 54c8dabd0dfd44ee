//! One Parquet file of rows, written as they come, and the numbers about its columns.
//!
//! Invariant: a file that is not ended is not there.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use craton_base::{Error, Result};
use craton_objects::body::Body;
use datafusion::{
    arrow::{
        array::{Array as _, AsArray as _, RecordBatch},
        datatypes::{DataType, Float32Type, Float64Type, Schema, SchemaRef},
    },
    common::ScalarValue,
};
use futures::{FutureExt as _, future::BoxFuture, stream};
use parquet::{
    arrow::{
        ArrowSchemaConverter, ArrowWriter, arrow_reader::statistics::StatisticsConverter,
        arrow_writer::ArrowWriterOptions,
    },
    basic::{Compression, GzipLevel, LogicalType, ZstdLevel},
    errors::ParquetError,
    file::{metadata::ParquetMetaData, properties::WriterProperties},
    schema::types::{SchemaDescriptor, Type, TypePtr},
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{
    manifest::Metrics,
    target::Target,
    values::{lower, upper},
};
use crate::iceberg::types::id_of;

/// Pieces that wait to be taken in.
const PIECES: usize = 2;

/// A row group is ended from so many bytes on, as they are in memory.
const GROUP_BYTES: usize = 32 << 20;

/// The type of files.
const CONTENT_TYPE: &str = "application/vnd.apache.parquet";

/// How all files of a statement are written.
pub(super) struct Form {
    /// Columns and whether they may be null, with their ids.
    pub(super) schema: SchemaRef,
    options: ArrowWriterOptions,
}

/// A file while it is written.
pub(super) struct Writer {
    schema: SchemaRef,
    writer: ArrowWriter<Vec<u8>>,
    pieces: mpsc::Sender<Option<Bytes>>,
    upload: AbortOnDropHandle<Result<u64>>,
    /// Of each column of floats, how many values are no numbers.
    nans: HashMap<i32, i64>,
    rows: u64,
}

/// What was written.
pub(super) struct Ended {
    pub(super) size: u64,
    pub(super) rows: u64,
    pub(super) metrics: Metrics,
}

fn unwritten(error: ParquetError) -> Error {
    Error::internal("a file can not be written").with_source(error)
}

impl Form {
    /// For rows of a schema in which these columns are UUIDs.
    pub(super) fn new(schema: SchemaRef, uuids: &[i32], compression: &str) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(match compression {
                "snappy" => Compression::SNAPPY,
                "gzip" => Compression::GZIP(GzipLevel::default()),
                "uncompressed" | "none" => Compression::UNCOMPRESSED,
                _ => Compression::ZSTD(ZstdLevel::default()),
            })
            .set_created_by(format!("craton {}", env!("CARGO_PKG_VERSION")))
            .build();
        let columns = ArrowSchemaConverter::new()
            .schema_root("table")
            .convert(&schema)
            .map_err(unwritten)?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties)
            .with_skip_arrow_metadata(true)
            .with_parquet_schema(with_uuids(&columns, uuids)?);
        Ok(Self { schema, options })
    }

    /// Begins a file at a location.
    pub(super) fn begin(&self, target: &Arc<Target>, location: String) -> Result<Writer> {
        let writer = ArrowWriter::try_new_with_options(Vec::new(), self.schema.clone(), self.options.clone());
        let (pieces, receiver) = mpsc::channel(PIECES);
        let body = Body {
            pieces: Box::pin(stream::unfold(Some(receiver), taken)),
            len: None,
            trailers: None,
        };
        let target = target.clone();
        let upload = tokio::spawn(async move { target.put(&location, CONTENT_TYPE, body).await });
        Ok(Writer {
            schema: self.schema.clone(),
            writer: writer.map_err(unwritten)?,
            pieces,
            upload: AbortOnDropHandle::new(upload),
            nans: HashMap::new(),
            rows: 0,
        })
    }
}

type Receiver = mpsc::Receiver<Option<Bytes>>;

/// The next piece of a body; one that is given up before its end is an error.
fn taken(receiver: Option<Receiver>) -> BoxFuture<'static, Option<(Result<Bytes>, Option<Receiver>)>> {
    async move {
        let mut receiver = receiver?;
        match receiver.recv().await {
            Some(Some(bytes)) => Some((Ok(bytes), Some(receiver))),
            Some(None) => None,
            None => Some((Err(Error::internal("the statement was given up")), None)),
        }
    }
    .boxed()
}

/// The same columns, those of UUIDs said to be that.
fn with_uuids(columns: &SchemaDescriptor, uuids: &[i32]) -> Result<SchemaDescriptor> {
    let fields = columns.root_schema().get_fields().iter().map(|field| {
        let info = field.get_basic_info();
        if !info.has_id() || !uuids.contains(&info.id()) || !field.is_primitive() {
            return Ok(field.clone());
        }
        let uuid = Type::primitive_type_builder(field.name(), field.get_physical_type())
            .with_repetition(info.repetition())
            .with_length(16)
            .with_logical_type(Some(LogicalType::Uuid))
            .with_id(Some(info.id()))
            .build();
        uuid.map(TypePtr::new).map_err(unwritten)
    });
    let root = Type::group_type_builder(columns.root_schema().name())
        .with_fields(fields.collect::<Result<_>>()?)
        .build();
    Ok(SchemaDescriptor::new(TypePtr::new(root.map_err(unwritten)?)))
}

impl Writer {
    /// Adds rows, which have the form's schema.
    pub(super) async fn push(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows = self.rows.saturating_add(rows.num_rows() as u64);
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            let count = match column.data_type() {
                DataType::Float32 => column
                    .as_primitive::<Float32Type>()
                    .iter()
                    .flatten()
                    .filter(|n| n.is_nan())
                    .count(),
                DataType::Float64 => column
                    .as_primitive::<Float64Type>()
                    .iter()
                    .flatten()
                    .filter(|n| n.is_nan())
                    .count(),
                _ => continue,
            };
            if let Some(id) = id_of(field) {
                let known = self.nans.entry(id).or_default();
                *known = known.saturating_add(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        self.writer.write(rows).map_err(unwritten)?;
        match self.writer.in_progress_size() < GROUP_BYTES {
            true => Ok(()),
            false => self.flush().await,
        }
    }

    /// Ends the row group.
    pub(super) async fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(unwritten)?;
        self.send().await
    }

    /// What it holds in memory, in bytes.
    pub(super) fn memory(&self) -> usize {
        self.writer
            .memory_size()
            .saturating_add(self.writer.inner().len())
    }

    /// How long it has become, about.
    pub(super) fn size(&self) -> u64 {
        self.writer
            .bytes_written()
            .saturating_add(self.writer.in_progress_size()) as u64
    }

    async fn send(&mut self) -> Result<()> {
        let bytes = std::mem::take(self.writer.inner_mut());
        if bytes.is_empty() || self.pieces.send(Some(bytes.into())).await.is_ok() {
            return Ok(());
        }
        // Nobody takes them any more: why, the upload says.
        self.uploaded()
            .await
            .and(Err(Error::internal("a file was not taken in whole")))
    }

    async fn uploaded(&mut self) -> Result<u64> {
        let done = (&mut self.upload).await;
        done.map_err(|e| Error::internal("a file's upload was given up").with_source(e))?
    }

    /// Ends the file.
    pub(super) async fn end(mut self) -> Result<Ended> {
        let metadata = self.writer.finish().map_err(unwritten)?;
        self.send().await?;
        drop(self.pieces.send(None).await);
        let size = self.uploaded().await?;
        Ok(Ended {
            size,
            rows: self.rows,
            metrics: metrics(&metadata, &self.schema, &self.nans)?,
        })
    }
}

/// The numbers about the columns of a file.
fn metrics(file: &ParquetMetaData, schema: &Schema, nans: &HashMap<i32, i64>) -> Result<Metrics> {
    let mut out = Metrics::default();
    let mut sizes: HashMap<i32, i64> = HashMap::new();
    for group in file.row_groups() {
        out.splits.extend(
            group
                .file_offset()
                .or_else(|| Some(group.columns().first()?.byte_range().0 as i64)),
        );
        for column in group.columns() {
            let info = column.column_descr().self_type().get_basic_info();
            if info.has_id() {
                let size = sizes.entry(info.id()).or_default();
                *size = size.saturating_add(column.compressed_size());
            }
        }
    }
    out.sizes = sizes.into_iter().collect();
    out.sizes.sort_unstable();
    let rows = file.file_metadata().num_rows();
    for field in schema
        .fields()
        .iter()
        .filter(|field| !field.data_type().is_nested())
    {
        let Some(id) = id_of(field) else { continue };
        let columns = file.file_metadata().schema_descr();
        let statistics = StatisticsConverter::try_new(field.name(), schema, columns).map_err(unwritten)?;
        let nulls = statistics
            .row_group_null_counts(file.row_groups())
            .map_err(unwritten)?;
        out.values.push((id, rows));
        if nulls.null_count() == 0 {
            let count: u64 = nulls.iter().flatten().sum();
            out.nulls.push((id, i64::try_from(count).unwrap_or(i64::MAX)));
        }
        if let Some(count) = nans.get(&id) {
            out.nans.push((id, *count));
        }
        let least = bound(
            &statistics.row_group_mins(file.row_groups()).map_err(unwritten)?,
            |new, old| new < old,
        );
        let most = bound(
            &statistics.row_group_maxes(file.row_groups()).map_err(unwritten)?,
            |new, old| new > old,
        );
        out.lower
            .extend(least.and_then(|value| Some((id, lower(&value)?))));
        out.upper
            .extend(most.and_then(|value| Some((id, upper(&value)?))));
    }
    Ok(out)
}

/// The outermost of values.
fn bound(
    values: &datafusion::arrow::array::ArrayRef,
    is_further: impl Fn(&ScalarValue, &ScalarValue) -> bool,
) -> Option<ScalarValue> {
    let all = (0..values.len()).filter_map(|at| ScalarValue::try_from_array(values, at).ok());
    all.filter(|value| !value.is_null())
        .reduce(|old, new| if is_further(&new, &old) { new } else { old })
}
