//! A table in a statement: resolved by its name, and planned when it is scanned.

use std::{any::Any, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ResourcePath, Result, Sequence};
use craton_gate::{
    Ask, ColumnSource, Kind as Entries, ReadPermit,
    tables::{FOLDER, id_of},
};
use craton_tables::{Snapshots, TableName, What};
use datafusion::{
    arrow::datatypes::SchemaRef,
    catalog::{Session, TableProvider},
    common::{DFSchema, Result as DfResult, Statistics, stats::Precision},
    datasource::{
        TableType,
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
        source::DataSourceExec,
    },
    execution::{
        memory_pool::{MemoryConsumer, MemoryReservation},
        object_store::ObjectStoreUrl,
    },
    logical_expr::{Expr, TableProviderFilterPushDown, utils::conjunction},
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};
use object_store::ObjectMeta;

use super::{
    columns::ById,
    deletes::{Deleted, access},
    manifest::{self, DataFile, DeleteFile, Entry},
    metadata::{self, Moment, Snapshot},
    prune::Pruner,
    restricted::Left,
};
use crate::{
    context::Context,
    error::external,
    files::{Files, Reads, path_of},
};

pub(crate) mod positions;

/// The largest manifest or list of them, in bytes.
const MANIFEST_BYTES_MAX: u64 = 128 << 20;

/// The most files of one scan.
const FILES_MAX: usize = 200_000;

/// What a file takes in memory while it is planned, about.
const FILE_BYTES: usize = 512;

/// Files are pruned so many at a time.
const PRUNED_AT_ONCE: usize = 1024;

/// One snapshot of a table.
#[derive(Debug)]
pub(crate) struct Table {
    context: Arc<Context>,
    bucket: BucketName,
    path: ResourcePath,
    /// As the statement calls it.
    name: String,
    snapshot: Snapshot,
    /// The version of its metadata, as lineage has it.
    version: u64,
}

/// What a scan reads.
struct Found {
    files: Vec<DataFile>,
    deletes: Vec<DeleteFile>,
    memory: MemoryReservation,
}

impl Table {
    /// Resolves a table by its name. Who may not read it is told the same whether it is there or not.
    ///
    /// # Errors
    /// `AccessDenied`; `NoSuchTableException`; `NoSuchSnapshot`; `NotSupportedYet`.
    pub(crate) async fn open(
        context: Arc<Context>,
        bucket: BucketName,
        (name, moment): (TableName, Moment),
    ) -> Result<Self> {
        let path = context.gate.table_named(&bucket, &name.row())?;
        let told = format!("{bucket}.{}.{}", name.namespace.text(), name.name());
        let ask = Ask::new("LoadTable", "s3tables:GetTableMetadataLocation", path.clone())
            .with("s3tables:namespace", name.namespace.text())
            .with("s3tables:tableName", name.name())
            .and_action("s3tables:GetTableData")
            // Which they are is told when it is scanned.
            .of_columns(Vec::new());
        let here = context.clone();
        let load = async move {
            let permit = here.gate.read(&here.session, ask).await?;
            let loaded = here.tables.load(&permit, (&name, What::Table), Snapshots::All);
            loaded.await.inspect_err(|e| permit.failed(e.kind(), e.reason()))
        };
        let loaded = context.files.at_the_doors(load).await?;
        Ok(Self {
            snapshot: metadata::snapshot(&loaded.metadata, &moment)?,
            version: loaded.version,
            name: told,
            context,
            bucket,
            path,
        })
    }

    /// What it is to lineage.
    pub(crate) fn source(&self) -> ColumnSource {
        ColumnSource {
            resource: self.path.to_string(),
            bucket: self.bucket.to_string(),
            version: self.version,
        }
    }

    /// The names of the columns that a scan reads: what it gives, and what it filters by.
    fn told(&self, wanted: &[usize], filters: &[Expr]) -> Vec<String> {
        let schema = &self.snapshot.schema;
        let of_filters = filters.iter().flat_map(Expr::column_refs);
        let of_filters = of_filters.filter_map(|column| schema.index_of(&column.name).ok());
        let all: Vec<usize> = wanted.iter().copied().chain(of_filters).collect();
        self.snapshot.names(&all)
    }

    /// The permit to read what the snapshot consists of; the record says which it is.
    async fn permit(&self, columns: Vec<String>) -> Result<Arc<ReadPermit>> {
        self.permit_of(Some(columns)).await
    }

    /// The same; `None`: to read whole rows.
    async fn permit_of(&self, columns: Option<Vec<String>>) -> Result<Arc<ReadPermit>> {
        let id = self.snapshot.id.map(|id| id.to_string()).unwrap_or_default();
        let ask = Ask::new("ScanTable", "s3tables:GetTableData", self.path.clone());
        let ask = ask.with("craton:snapshot", id);
        let ask = match columns {
            Some(columns) => ask.of_columns(columns),
            None => ask,
        };
        let context = self.context.clone();
        let version = Sequence(self.version);
        let permit = async move {
            let permit = context.gate.read(&context.session, ask).await?;
            permit.reads(version);
            Ok(Arc::new(permit))
        };
        self.context.files.at_the_doors(permit).await
    }

    /// The key of a file of the table.
    fn key<'a>(&self, location: &'a str) -> Result<&'a str> {
        let within = || {
            let (scheme, rest) = location.split_once("://")?;
            let key = rest.strip_prefix(self.bucket.as_str())?.strip_prefix('/')?;
            let inside = key.strip_prefix(FOLDER)?.strip_prefix(id_of(&self.path)?)?;
            (matches!(scheme, "s3" | "s3a") && inside.starts_with('/')).then_some(key)
        };
        within().ok_or_else(|| {
            let text = format!("a manifest names {location:?}, which does not lie in the table's own folder");
            Error::new(Kind::Invalid, "ForeignFile", text)
        })
    }

    async fn manifest(&self, permit: &Arc<ReadPermit>, location: &str) -> Result<Bytes> {
        let key = self.key(location)?.to_owned();
        let permit = permit.clone();
        let read = async move {
            let stored = permit.entry(Entries::Object, key.as_bytes())?;
            let gone = || {
                let text = format!("the manifest {key:?} is not there any more");
                Error::new(Kind::NotFound, "NoSuchManifest", text)
            };
            permit.whole(&stored.ok_or_else(gone)?, MANIFEST_BYTES_MAX).await
        };
        self.context.files.at_the_doors(read).await
    }

    /// What the manifests say, without the files that hold nothing that is wanted.
    async fn find(&self, permit: &Arc<ReadPermit>, pruner: &Pruner) -> Result<Found> {
        let memory = MemoryConsumer::new("the files of a table").register(&self.context.pool);
        let mut found = Found {
            files: Vec::new(),
            deletes: Vec::new(),
            memory,
        };
        let Some(list) = &self.snapshot.manifests else {
            return Ok(found);
        };
        let done = self.find_all(permit, list, (pruner, &mut found)).await;
        done.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        Ok(found)
    }

    async fn find_all(
        &self,
        permit: &Arc<ReadPermit>,
        list: &str,
        (pruner, found): (&Pruner, &mut Found),
    ) -> Result<()> {
        for manifest in manifest::list(self.manifest(permit, list).await?)? {
            let bytes = self.manifest(permit, &manifest.path).await?;
            let mut fresh = Vec::new();
            manifest::read(&manifest, bytes, |entry| {
                match entry {
                    Entry::Deletes(file) => found.deletes.push(file),
                    Entry::Data(file) => fresh.push(file),
                }
                match fresh.len() < PRUNED_AT_ONCE {
                    true => found.check(),
                    false => found.keep(pruner, &mut fresh),
                }
            })?;
            found.keep(pruner, &mut fresh)?;
        }
        Ok(())
    }

    async fn deleted(&self, files: &Files, found: &Found) -> Result<Deleted> {
        let mut deleted = Deleted::default();
        for file in &found.deletes {
            let path = path_of(&self.bucket, self.key(&file.path)?)?;
            deleted.add(files, (file, &path), &found.memory).await?;
        }
        Ok(deleted)
    }

    /// A file as DataFusion scans it, and how many rows it has.
    async fn scanned(&self, files: &Files, file: &DataFile, deleted: &Deleted) -> Result<PartitionedFile> {
        let location = path_of(&self.bucket, self.key(&file.path)?)?;
        let gone = deleted.of(file);
        let mut scanned = PartitionedFile::new_from_meta(ObjectMeta {
            location: location.clone(),
            last_modified: Default::default(),
            size: file.size,
            e_tag: None,
            version: None,
        });
        let rows = usize::try_from(file.records).unwrap_or(usize::MAX);
        let mut statistics = Statistics::new_unknown(&self.snapshot.schema);
        statistics.num_rows = Precision::Exact(rows);
        if !gone.is_empty() {
            let store = Arc::new(files.clone());
            let plan = access(store, (location, file.size), &gone).await?;
            scanned = scanned.with_extensions(Arc::new(plan));
            statistics.num_rows = Precision::Exact(rows.saturating_sub(gone.len()));
        }
        Ok(scanned.with_statistics(Arc::new(statistics)))
    }

    async fn groups(
        &self,
        store: &Files,
        found: &Found,
        partitions: usize,
    ) -> Result<(Vec<FileGroup>, usize)> {
        let deleted = self.deleted(store, found).await?;
        let mut files = Vec::with_capacity(found.files.len());
        let mut rows = 0usize;
        for file in &found.files {
            let file = self.scanned(store, file, &deleted).await?;
            let count = file
                .statistics
                .as_ref()
                .and_then(|s| s.num_rows.get_value().copied());
            rows = rows.saturating_add(count.unwrap_or_default());
            files.push(file);
        }
        Ok((FileGroup::new(files).split_files(partitions), rows))
    }
}

impl Found {
    fn keep(&mut self, pruner: &Pruner, fresh: &mut Vec<DataFile>) -> Result<()> {
        pruner.prune(fresh).map_err(|e| crate::error::own(&e))?;
        let more = fresh.len().saturating_mul(FILE_BYTES);
        self.memory.try_grow(more).map_err(|e| crate::error::own(&e))?;
        for file in fresh.iter_mut() {
            // They were for pruning.
            (file.lower, file.upper, file.nulls) = Default::default();
        }
        self.files.append(fresh);
        self.check()
    }

    fn check(&self) -> Result<()> {
        if self.files.len().max(self.deletes.len()) <= FILES_MAX {
            return Ok(());
        }
        let text = format!(
            "the statement reads more than {FILES_MAX} files of one table; ask for less, or compact it"
        );
        Err(Error::new(Kind::TooLarge, "TooManyFiles", text))
    }
}

#[async_trait]
impl TableProvider for Table {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.snapshot.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters leave out files and row groups; rows are looked at again.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let wanted = match projection {
            Some(places) => places.clone(),
            None => (0..self.snapshot.schema.fields().len()).collect(),
        };
        let permit = self.permit(self.told(&wanted, filters)).await.map_err(external)?;
        let restrictions = permit.restrictions();
        self.context.note(&permit, &self.name);
        let scan = Scan {
            table: self,
            files: self.context.files.reading(Reads {
                columns: Some(self.told(&wanted, filters)),
                restrictions: restrictions.clone(),
            }),
            permit: permit.clone(),
            state,
        };
        if restrictions.is_empty() {
            return scan.plan(&wanted, filters, limit).await;
        }
        let left =
            Left::new(&self.snapshot, restrictions).inspect_err(|e| permit.failed(e.kind(), e.reason()));
        let left = left.map_err(external)?;
        let read = left.columns(&wanted);
        let limit = limit.filter(|_| left.rows.is_none());
        let input = scan.plan(&read, &left.pruning(filters), limit).await?;
        left.over(state, input, (&read, &wanted))
    }
}

/// A scan of a table, as its permit leaves it.
struct Scan<'a> {
    table: &'a Table,
    permit: Arc<ReadPermit>,
    files: Files,
    state: &'a dyn Session,
}

impl Scan<'_> {
    /// The plan that reads these columns of the files that may hold what is wanted.
    async fn plan(
        &self,
        columns: &[usize],
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let schema = &self.table.snapshot.schema;
        let all = DFSchema::try_from(schema.as_ref().clone())?;
        let predicate = conjunction(filters.to_vec());
        let predicate = predicate
            .map(|p| self.state.create_physical_expr(p, &all))
            .transpose()?;
        let pruner = Pruner::new(schema, predicate);
        let found = self.table.find(&self.permit, &pruner).await.map_err(external)?;
        let partitions = self.state.config().target_partitions();
        let groups = self.table.groups(&self.files, &found, partitions).await;
        let (groups, rows) = groups.map_err(external)?;
        if groups.is_empty() {
            return Ok(Arc::new(EmptyExec::new(Arc::new(schema.project(columns)?))));
        }
        let mut statistics = Statistics::new_unknown(schema);
        statistics.num_rows = Precision::Exact(rows);
        let options = datafusion::config::TableParquetOptions {
            global: self.state.config().options().execution.parquet.clone(),
            ..Default::default()
        };
        let source = ParquetSource::new(schema.clone()).with_table_parquet_options(options);
        let by_id = ById {
            partitioned_by: self.table.snapshot.partitioned_by.clone(),
        };
        let scan = FileScanConfigBuilder::new(self.address()?, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_expr_adapter(Some(Arc::new(by_id)))
            .with_projection_indices(Some(columns.to_vec()))?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }

    /// Where the files of this scan are found while it runs.
    fn address(&self) -> DfResult<ObjectStoreUrl> {
        let address = ObjectStoreUrl::parse(self.table.context.next_address())?;
        let environment = self.state.runtime_env();
        environment.register_object_store(address.as_ref(), Arc::new(self.files.clone()));
        Ok(address)
    }
}
