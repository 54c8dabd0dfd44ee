//! Tables of the system's own, `system.NAME`: what it already tells, as rows.
//!
//! ```text
//! system.access     the ledger's records, newest first           craton:ReadLedger
//! system.objects    current versions, of buckets that one may list    s3:ListAllMyBuckets, s3:ListBucket of each bucket
//! system.tables     tables and views, by namespaces that one may list    the same, s3tables:ListNamespaces, ListTables, ListViews
//! system.sessions   sessions that have not expired                craton:ListSessions
//! system.policies   guard policies and managed ones               craton:ListGuardPolicies, iam:ListPolicies
//! system.runs       one's own runs, and others'                   nothing; craton:ListRuns
//! system.column_lineage    which columns of those came from which, of what SQL wrote    as system.lineage, of both buckets
//! system.lineage    which versions runs touched: one's own, and others'    nothing; craton:ReadLineage of each bucket
//! ```
//!
//! Invariants
//! - a row is there only if the gate allows what would list it elsewhere; where it does not, its bucket, namespace or kind of policy is
//!   left out, or the statement refused if nothing else is there;
//! - rows come in pages, each asked for when it is wanted: nothing is listed for a statement that does not read on.

mod lineage;
mod listings;
mod records;
mod wanted;

use std::{any::Any, fmt, pin::Pin, sync::Arc};

use async_trait::async_trait;
use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray},
        datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit},
    },
    catalog::{Session, TableProvider},
    common::Result as DfResult,
    datasource::TableType,
    execution::TaskContext,
    logical_expr::{Expr, TableProviderFilterPushDown},
    physical_plan::{
        ExecutionPlan, SendableRecordBatchStream,
        stream::RecordBatchStreamAdapter,
        streaming::{PartitionStream, StreamingTableExec},
    },
};
use futures::{Stream, StreamExt as _};

use self::wanted::Wanted;
use crate::{context::Context, error::external};

/// The namespace that they are in, where no bucket is named.
pub(crate) const NAME: &str = "system";

/// A table of the system's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Access,
    Objects,
    Tables,
    Sessions,
    Policies,
    Runs,
    Lineage,
    ColumnLineage,
}

const TABLES: [(&str, Table); 8] = [
    ("access", Table::Access),
    ("objects", Table::Objects),
    ("tables", Table::Tables),
    ("sessions", Table::Sessions),
    ("policies", Table::Policies),
    ("runs", Table::Runs),
    ("lineage", Table::Lineage),
    ("column_lineage", Table::ColumnLineage),
];

/// Pages of rows.
type Pages = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// The table of a name.
///
/// # Errors
/// `NoSuchTableException`.
pub(crate) fn table(context: Arc<Context>, name: &str) -> Result<Arc<dyn TableProvider>> {
    let known = TABLES.into_iter().find(|(known, _)| *known == name);
    let (_, table) = known.ok_or_else(|| {
        let names = TABLES.map(|(name, _)| name).join(", ");
        let text = format!("there is no system.{name}: there are {names}");
        Error::new(Kind::NotFound, "NoSuchTableException", text)
    })?;
    Ok(Arc::new(System {
        schema: table.schema(),
        table,
        context,
    }))
}

impl Table {
    fn schema(self) -> SchemaRef {
        let (text, number) = (DataType::Utf8, DataType::Int64);
        let time = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let texts = |names: &[&str]| {
            names
                .iter()
                .map(|name| Field::new(*name, text.clone(), true))
                .collect::<Vec<_>>()
        };
        let fields = match self {
            Self::Access => {
                let mut all = texts(&[
                    "id",
                    "kind",
                    "principal",
                    "chain",
                    "access_key",
                    "session",
                    "run",
                    "source",
                    "door",
                    "operation",
                ]);
                all.extend(texts(&[
                    "action",
                    "resource",
                    "bucket",
                    "verdict",
                    "statements",
                    "result",
                    "reason",
                    "request_id",
                ]));
                all.insert(1, Field::new("time", time(), true));
                all.push(Field::new("bytes", number, true));
                all
            }
            Self::Objects => {
                let mut all = texts(&["bucket", "key", "owner"]);
                all.push(Field::new("size", number, true));
                all.push(Field::new("modified", time(), true));
                all
            }
            Self::Tables => texts(&["bucket", "namespace", "name", "kind"]),
            Self::Sessions => {
                let mut all = texts(&["id", "principal", "name", "chain", "purpose", "run"]);
                all.push(Field::new("issued", time(), true));
                all.push(Field::new("expires", time(), true));
                all.push(Field::new("revoked", DataType::Boolean, true));
                all
            }
            Self::Policies => {
                let mut all = texts(&["kind", "name", "document", "set_by"]);
                all.push(Field::new("set", time(), true));
                all
            }
            Self::Runs => lineage::runs_columns(),
            Self::Lineage => lineage::edges_columns(),
            Self::ColumnLineage => lineage::column_edges_columns(),
        };
        Arc::new(Schema::new(fields))
    }

    fn pages(self, context: Arc<Context>, wanted: Wanted) -> Pages {
        match self {
            Self::Access => records::access(context),
            Self::Objects => listings::objects(context),
            Self::Tables => listings::tables(context),
            Self::Sessions => records::sessions(context),
            Self::Policies => records::policies(context),
            Self::Runs => lineage::runs(context, wanted),
            Self::Lineage => lineage::edges(context, wanted),
            Self::ColumnLineage => lineage::column_edges(context, wanted),
        }
    }
}

/// One of them, for a statement.
#[derive(Debug)]
struct System {
    table: Table,
    schema: SchemaRef,
    context: Arc<Context>,
}

#[async_trait]
impl TableProvider for System {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// Of what names a run or a resource the way to the rows becomes shorter; rows are looked at again.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let helps = |filter: &&Expr| match self.table {
            Table::Runs | Table::Lineage | Table::ColumnLineage if Wanted::helps(filter) => {
                TableProviderFilterPushDown::Inexact
            }
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(helps).collect())
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let rows = Rows {
            table: self.table,
            schema: self.schema.clone(),
            context: self.context.clone(),
            wanted: Wanted::of(filters),
        };
        let schema = self.schema.clone();
        let plan = StreamingTableExec::try_new(schema, vec![Arc::new(rows)], projection, None, false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// The rows of one.
struct Rows {
    table: Table,
    schema: SchemaRef,
    context: Arc<Context>,
    wanted: Wanted,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system {:?}", self.table)
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let pages = self.table.pages(self.context.clone(), self.wanted.clone());
        let pages = pages.map(|page| page.map_err(external));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), pages))
    }
}

/// A page of rows.
fn page(table: Table, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|e| Error::internal("a page of a table of the system's does not fit").with_source(e))
}

fn texts<T>(rows: &[T], text: impl Fn(&T) -> String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(text)))
}

fn numbers<T>(rows: &[T], number: impl Fn(&T) -> u64) -> ArrayRef {
    let numbers = rows
        .iter()
        .map(|row| i64::try_from(number(row)).unwrap_or(i64::MAX));
    Arc::new(Int64Array::from_iter_values(numbers))
}

fn times<T>(rows: &[T], micros: impl Fn(&T) -> u64) -> ArrayRef {
    let micros = rows
        .iter()
        .map(|row| i64::try_from(micros(row)).unwrap_or(i64::MAX));
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
}

fn flags<T>(rows: &[T], flag: impl Fn(&T) -> bool) -> ArrayRef {
    Arc::new(rows.iter().map(|row| Some(flag(row))).collect::<BooleanArray>())
}
