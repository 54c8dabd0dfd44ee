//! Statements that write: what they make of tables.
//!
//! ```text
//! CREATE, ALTER, DROP ─▶ [`ddl`], [`alter`] ─────────────────────────────────────────▶ catalog
//! INSERT, CREATE … AS ─▶ [`insert`] ─▶ rows ─▶ [`rows`], [`file`], [`partition`] ─▶ files ─▶ [`manifest`], [`snapshot`] ─▶ catalog
//! compaction ─▶ [`compact`] ─▶ rows ┘       manifests written together ─▶ [`manifests`] ─┘
//! DELETE, UPDATE, MERGE ─▶ [`rewrite`], [`merge`] ─▶ [`change`] ─▶ rows and [`deletes`] ─┘
//! ```
//!
//! Invariants
//! - everything is decided by the gate as the same would be at the Iceberg and S3 doors: the table, each of its files, the commit;
//! - a statement is one commit of the catalog, or none: what it wrote is deleted again if it fails;
//! - what concurrent writers change is never lost: what only adds is added to it, what changes rows is run again.
//!
//! Deliberately absent: how rows are read and policies applied ([`crate::iceberg`]), when tables are maintained ([`crate::maintain`]).

mod alter;
mod bind;
mod change;
mod columns;
mod compact;
mod ddl;
mod definition;
mod deletes;
mod file;
mod insert;
mod manifest;
mod manifests;
mod merge;
mod names;
mod partition;
mod rewrite;
mod rows;
mod snapshot;
mod target;
mod values;
mod words;

use std::sync::Arc;

use craton_base::{Error, Result};
use datafusion::{
    arrow::{
        array::{RecordBatch, RecordBatchOptions, UInt64Array},
        datatypes::{DataType, Field, Schema},
    },
    execution::SessionState,
    sql::{
        parser::Statement as Parsed,
        sqlparser::ast::{ObjectName, Statement as Sql},
    },
};

pub(crate) use bind::parameters;
pub(crate) use compact::{Compaction, compact};
pub(crate) use manifests::rewrite_manifests;
pub(crate) use rows::{last_changed, row_id};
pub(crate) use words::arranged;

use crate::{catalog::Buckets, context::Context, error::own, iceberg::types::not_yet, parameters::Given};

/// Whether a statement is one of those.
pub(crate) fn writes(statement: &Parsed) -> bool {
    let Parsed::Statement(sql) = statement else {
        return false;
    };
    matches!(
        **sql,
        Sql::CreateSchema { .. }
            | Sql::CreateTable(_)
            | Sql::AlterTable(_)
            | Sql::Drop { .. }
            | Sql::Insert(_)
            | Sql::Delete(_)
            | Sql::Update(_)
            | Sql::Merge(_)
    )
}

/// Carries one out. Of rows that it changed it answers how many, as `count`.
///
/// # Errors
/// `AccessDenied`; what the catalog refuses; what else the statement fails with.
pub(crate) async fn run(state: &SessionState, (statement, given): (Parsed, &Given)) -> Result<RecordBatch> {
    let context = context(state)?;
    let statement = bind::bound(statement, given)?;
    let count = match statement {
        Parsed::Statement(sql) => carry_out(&context, state, *sql).await?,
        _ => return Err(Error::internal("a statement that writes is none")),
    };
    let columns: Vec<datafusion::arrow::array::ArrayRef> = count
        .iter()
        .map(|count| Arc::new(UInt64Array::from(vec![*count])) as _)
        .collect();
    let fields: Vec<Field> = count
        .iter()
        .map(|_| Field::new("count", DataType::UInt64, false))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(columns.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|e| own(&e.into()))
}

/// What the statement knows.
fn context(state: &SessionState) -> Result<Arc<Context>> {
    let catalog = state.catalog_list().as_any().downcast_ref::<Buckets>();
    let context = catalog.map(|buckets| buckets.0.clone());
    context.ok_or_else(|| Error::internal("a statement has another catalog"))
}

async fn carry_out(context: &Arc<Context>, state: &SessionState, sql: Sql) -> Result<Option<u64>> {
    match sql {
        Sql::CreateSchema { .. } => ddl::create_schema(context, state, &sql).await.map(|()| None),
        Sql::Drop { .. } => ddl::drop_named(context, state, &sql).await.map(|()| None),
        Sql::AlterTable(alter) => alter::alter(context, state, &alter).await.map(|()| None),
        Sql::CreateTable(create) if create.query.is_some() => {
            insert::create_as(context, state, &create).await.map(Some)
        }
        Sql::CreateTable(create) => ddl::create_table(context, state, &create).await.map(|()| None),
        Sql::Insert(insert) => insert::insert(context, state, insert).await.map(Some),
        Sql::Delete(delete) => change::change(context, state, &rewrite::delete(&delete)?)
            .await
            .map(Some),
        Sql::Update(_) | Sql::Merge(_) => {
            let schema = schema(context, state, &rewrite::changed(&sql)?).await?;
            let rewritten = match &sql {
                Sql::Merge(merge) => merge::merge(merge, &schema)?,
                Sql::Update(update) => rewrite::update(update, &schema)?,
                _ => {
                    return Err(Error::internal("a statement that changes rows is none"));
                }
            };
            change::change(context, state, &rewritten).await.map(Some)
        }
        other => Err(not_yet(format!("the statement {other}"))),
    }
}

/// The columns of a table that is to be changed.
async fn schema(
    context: &Arc<Context>,
    state: &SessionState,
    name: &ObjectName,
) -> Result<datafusion::arrow::datatypes::SchemaRef> {
    let (bucket, name) = names::table(state, name)?;
    target::Target::load(context.clone(), bucket, name)
        .await?
        .schema()
}
