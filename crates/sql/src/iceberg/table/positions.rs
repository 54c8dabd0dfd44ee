//! A table whose rows are to be changed: each row comes with the file that it is in and its position there.
//!
//! ```text
//! the table's columns … │ the row's number, the commit that last changed it (format version 3) │ file, as an index into [`Scanned::files`] │ position
//! ```
//!
//! Invariants
//! - a file is read from its beginning to its end by one stream, so that positions can be counted;
//! - what was found is kept in the statement's context, for what is made of it.

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use craton_gate::ColumnSource;
use datafusion::{
    arrow::{
        array::{
            Array as _, ArrayRef, AsArray as _, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array,
            UInt64Array,
        },
        datatypes::{DataType, Field, Int64Type, Schema, SchemaRef},
    },
    catalog::{Session, TableProvider},
    common::{DFSchema, DataFusionError, Result as DfResult, Statistics},
    datasource::{
        TableType,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    execution::{
        SendableRecordBatchStream, TaskContext, memory_pool::MemoryReservation, object_store::ObjectStoreUrl,
    },
    logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction},
    physical_expr::EquivalenceProperties,
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{ById, DataFile, DeleteFile, Deleted, Pruner, Table};
use crate::{
    STORE,
    error::external,
    files::path_of,
    write::{last_changed, row_id},
};

/// The name of the column of files; no other begins so.
pub(crate) const FILE: &str = "\u{1}file";

/// The name of the column of positions.
pub(crate) const POSITION: &str = "\u{1}position";

/// The name of the column of rows' numbers.
pub(crate) const ROW: &str = "\u{1}row";

/// The name of the column of the commits that last changed rows.
pub(crate) const LAST: &str = "\u{1}last";

/// Columns that files have besides the table's own: [`ROW`] and [`LAST`].
const NUMBERS: usize = 2;

/// What a table's name ends with where its rows are to be changed.
pub(crate) const TARGET: &str = "\u{1}target";

/// A name without that, and whether it had it.
pub(crate) fn target_of(name: &str) -> (&str, bool) {
    name.strip_suffix(TARGET)
        .map_or((name, false), |plain| (plain, true))
}

/// What was found of a table.
pub(crate) struct Scanned {
    pub(crate) snapshot: Option<i64>,
    pub(crate) files: Vec<DataFile>,
    pub(crate) deletes: Vec<DeleteFile>,
    pub(crate) deleted: Deleted,
    /// Of all of them.
    memory: MemoryReservation,
}

/// The table.
#[derive(Debug)]
pub(crate) struct Positions {
    table: Table,
    schema: SchemaRef,
}

impl Positions {
    pub(crate) fn new(table: Table) -> Self {
        let mut fields = table.snapshot.schema.fields().to_vec();
        fields.extend([
            Arc::new(row_id().as_ref().clone().with_name(ROW)),
            Arc::new(last_changed().as_ref().clone().with_name(LAST)),
            Arc::new(Field::new(FILE, DataType::UInt32, false)),
            Arc::new(Field::new(POSITION, DataType::UInt64, false)),
        ]);
        Self {
            table,
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// What it is to lineage.
    pub(crate) fn source(&self) -> ColumnSource {
        self.table.source()
    }

    /// The predicate on the table's own columns, to leave out files by.
    fn pruner(&self, state: &dyn Session, filters: &[Expr]) -> DfResult<Pruner> {
        let schema = &self.table.snapshot.schema;
        let is_ours = |filter: &&Expr| {
            let columns = filter.column_refs();
            columns
                .iter()
                .all(|column| schema.field_with_name(&column.name).is_ok())
        };
        let columns = DFSchema::try_from(schema.as_ref().clone())?;
        let ours = conjunction(filters.iter().filter(is_ours).cloned());
        let predicate = ours
            .map(|p| state.create_physical_expr(p, &columns))
            .transpose()?;
        Ok(Pruner::new(schema, predicate))
    }

    async fn scanned(&self, pruner: &Pruner) -> craton_base::Result<Arc<Scanned>> {
        // Of whole rows: who is kept from some of them, or of what is in them, may not change the table.
        let permit = self.table.permit_of(None).await?;
        let found = self.table.find(&permit, pruner).await?;
        let deleted = self.table.deleted(&self.table.context.files, &found).await?;
        let scanned = Arc::new(Scanned {
            snapshot: self.table.snapshot.id,
            files: found.files,
            deletes: found.deletes,
            deleted,
            memory: found.memory,
        });
        *self.table.context.changed.lock() = Some(scanned.clone());
        Ok(scanned)
    }

    /// What the table consists of now, all of it.
    pub(crate) async fn whole(&self) -> craton_base::Result<Arc<Scanned>> {
        self.scanned(&Pruner::new(&self.table.snapshot.schema, None))
            .await
    }

    /// A plan that reads these columns of some files.
    pub(crate) async fn plan(
        &self,
        scanned: &Arc<Scanned>,
        (files, projection): (&[usize], &[usize]),
        streams: usize,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let own = self.table.snapshot.schema.fields().len().saturating_add(NUMBERS);
        let columns: Vec<usize> = projection.iter().copied().filter(|at| *at < own).collect();
        let mut plans = Vec::with_capacity(files.len());
        for at in files {
            let gone = || DataFusionError::Internal("a file that was found is gone".to_owned());
            let file = scanned.files.get(*at).ok_or_else(gone)?;
            plans.push((*at, self.file(file, &scanned.deleted, &columns).await?));
        }
        let schema = Arc::new(self.schema.project(projection)?);
        Ok(Arc::new(Scan::new(schema, (scanned.clone(), plans), streams)))
    }

    /// The deletes of a file of them by itself.
    pub(crate) async fn deletes_of(
        &self,
        scanned: &Scanned,
        file: &DeleteFile,
    ) -> craton_base::Result<Deleted> {
        let path = path_of(&self.table.bucket, self.table.key(&file.path)?)?;
        let mut deleted = Deleted::default();
        let files = &self.table.context.files;
        deleted
            .add(files, (file, &path), &scanned.memory.new_empty())
            .await?;
        Ok(deleted)
    }

    /// A plan that reads columns of one file, all rows that are left of it, in order.
    async fn file(
        &self,
        file: &DataFile,
        deleted: &Deleted,
        columns: &[usize],
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let kept = self
            .schema
            .fields()
            .iter()
            .take(self.table.snapshot.schema.fields().len().saturating_add(NUMBERS));
        let schema: SchemaRef = Arc::new(Schema::new(kept.cloned().collect::<Vec<_>>()));
        let scanned = self
            .table
            .scanned(&self.table.context.files, file, deleted)
            .await
            .map_err(external)?;
        let scanned = scanned.with_statistics(Arc::new(Statistics::new_unknown(&schema)));
        let by_id = ById {
            partitioned_by: self.table.snapshot.partitioned_by.clone(),
        };
        let source = Arc::new(ParquetSource::new(schema));
        let scan = FileScanConfigBuilder::new(ObjectStoreUrl::parse(STORE)?, source)
            .with_file_groups(vec![FileGroup::new(vec![scanned])])
            .with_expr_adapter(Some(Arc::new(by_id)))
            .with_projection_indices(Some(columns.to_vec()))?
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

#[async_trait]
impl TableProvider for Positions {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters leave out files; rows are looked at again.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let scanned = self
            .scanned(&self.pruner(state, filters)?)
            .await
            .map_err(external)?;
        let files: Vec<usize> = (0..scanned.files.len()).collect();
        let streams = state.config().target_partitions();
        self.plan(&scanned, (&files, projection), streams).await
    }
}

/// A file's place among those that were found, and the plan that reads it.
type File = (usize, Arc<dyn ExecutionPlan>);

/// The scan: a leaf, so that nobody reorders what it reads.
struct Scan {
    scanned: Arc<Scanned>,
    files: Vec<File>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    streams: usize,
}

impl Scan {
    fn new(schema: SchemaRef, (scanned, files): (Arc<Scanned>, Vec<File>), streams: usize) -> Self {
        let streams = streams.min(files.len()).max(1);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(streams),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            scanned,
            files,
            schema,
            properties: Arc::new(properties),
            streams,
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PositionsExec")
    }
}

impl DisplayAs for Scan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PositionsExec: files={}", self.files.len())
    }
}

impl ExecutionPlan for Scan {
    fn name(&self) -> &'static str {
        "PositionsExec"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let files = self.files.iter().skip(partition).step_by(self.streams);
        let files: Vec<_> = files.cloned().collect();
        let (scanned, schema) = (self.scanned.clone(), self.schema.clone());
        let batches = stream::iter(files).map(move |(at, plan)| {
            let mut counter = Counter::new(&scanned, at)?;
            let schema = schema.clone();
            let rows = plan.execute(0, context.clone())?;
            Ok::<_, DataFusionError>(rows.map(move |batch| counter.count(&batch?, &schema)))
        });
        let rows = batches.try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows)))
    }
}

/// Counts the positions of a file's rows, over those that are deleted.
struct Counter {
    file: u32,
    next: u64,
    deleted: std::iter::Peekable<std::vec::IntoIter<u64>>,
    first_row: Option<i64>,
    sequence: i64,
}

impl Counter {
    fn new(scanned: &Scanned, at: usize) -> DfResult<Self> {
        let file = scanned.files.get(at);
        let file =
            file.ok_or_else(|| DataFusionError::Internal("a file that was found is gone".to_owned()))?;
        Ok(Self {
            file: u32::try_from(at).unwrap_or(u32::MAX),
            next: 0,
            deleted: scanned.deleted.of(file).into_iter().peekable(),
            first_row: file.first_row,
            sequence: file.sequence,
        })
    }

    fn position(&mut self) -> u64 {
        while self.deleted.next_if_eq(&self.next).is_some() {
            self.next = self.next.saturating_add(1);
        }
        let here = self.next;
        self.next = self.next.saturating_add(1);
        here
    }

    /// A batch of the file's own columns with what is counted, as the schema has them.
    fn count(&mut self, batch: &RecordBatch, schema: &SchemaRef) -> DfResult<RecordBatch> {
        let rows = batch.num_rows();
        let positions: Vec<u64> = (0..rows).map(|_| self.position()).collect();
        let mut own = batch.columns().iter();
        let columns = schema.fields().iter().map(|field| {
            Ok(match field.name().as_str() {
                FILE => Arc::new(UInt32Array::from_value(self.file, rows)) as ArrayRef,
                POSITION => Arc::new(UInt64Array::from(positions.clone())),
                name => {
                    let column = own.next();
                    let column =
                        column.ok_or_else(|| DataFusionError::Internal(format!("{name:?} was not read")))?;
                    match name {
                        ROW => self.numbered(column, &positions),
                        LAST => self.changed(column),
                        _ => column.clone(),
                    }
                }
            })
        });
        let columns = columns.collect::<DfResult<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(
            schema.clone(),
            columns,
            &options,
        )?)
    }

    /// The commits that last changed rows: those that the file says, else the file's own.
    fn changed(&self, said: &ArrayRef) -> ArrayRef {
        let said = said.as_primitive::<Int64Type>().iter();
        Arc::new(Int64Array::from_iter_values(
            said.map(|of| of.unwrap_or(self.sequence)),
        ))
    }

    /// The numbers of rows: those that the file says, else by their positions.
    fn numbered(&self, said: &ArrayRef, positions: &[u64]) -> ArrayRef {
        let Some(first) = self.first_row else {
            return said.clone();
        };
        let said = said.as_primitive::<Int64Type>();
        let numbers = positions
            .iter()
            .enumerate()
            .map(|(at, position)| match said.is_valid(at) {
                true => said.value(at),
                false => first.saturating_add(i64::try_from(*position).unwrap_or(i64::MAX)),
            });
        Arc::new(Int64Array::from_iter_values(numbers))
    }
}
