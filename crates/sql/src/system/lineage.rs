//! Runs, and which versions they touched.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Kind, Result};
use craton_gate::{Edge, EdgesPlace, RunSummary, ToldColumn};
use datafusion::arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, TimeUnit},
};
use futures::{StreamExt as _, stream};

use super::{Pages, Table, numbers, page, texts, times, wanted::Wanted};
use crate::context::Context;

/// Runs of a page.
const PAGE: usize = 1000;

/// Columns by what they hold: texts, numbers and times.
fn columns(named: &[(&str, DataType)]) -> Vec<Field> {
    let field = |(name, kind): &(&str, DataType)| Field::new(*name, kind.clone(), true);
    named.iter().map(field).collect()
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(super) fn runs_columns() -> Vec<Field> {
    columns(&[
        ("principal", DataType::Utf8),
        ("run", DataType::Utf8),
        ("first", time()),
        ("last", time()),
        ("requests", DataType::Int64),
        ("denied", DataType::Int64),
        ("reads", DataType::Int64),
        ("writes", DataType::Int64),
        ("bytes_read", DataType::Int64),
        ("bytes_written", DataType::Int64),
        ("session", DataType::Utf8),
        ("purpose", DataType::Utf8),
        ("chain", DataType::Utf8),
    ])
}

pub(super) fn edges_columns() -> Vec<Field> {
    columns(&[
        ("principal", DataType::Utf8),
        ("run", DataType::Utf8),
        ("touch", DataType::Utf8),
        ("resource", DataType::Utf8),
        ("bucket", DataType::Utf8),
        ("version", DataType::Int64),
        ("count", DataType::Int64),
        ("bytes", DataType::Int64),
        ("first", time()),
        ("last", time()),
    ])
}

pub(super) fn column_edges_columns() -> Vec<Field> {
    columns(&[
        ("principal", DataType::Utf8),
        ("run", DataType::Utf8),
        ("resource", DataType::Utf8),
        ("bucket", DataType::Utf8),
        ("version", DataType::Int64),
        ("column_name", DataType::Utf8),
        ("source_resource", DataType::Utf8),
        ("source_bucket", DataType::Utf8),
        ("source_version", DataType::Int64),
        ("source_column", DataType::Utf8),
        ("kind", DataType::Utf8),
        ("how", DataType::Utf8),
    ])
}

/// Whose runs are listed, and after which.
struct Listing {
    /// `None`: everybody's.
    whose: Option<String>,
    after: Option<(String, String)>,
}

/// Runs: of everybody, or of who asks if others' may not be known.
pub(super) fn runs(context: Arc<Context>, wanted: Wanted) -> Pages {
    let first = Listing {
        whose: wanted.0.principal,
        after: None,
    };
    stream::try_unfold(Some(first), move |at| runs_page(context.clone(), at)).boxed()
}

async fn runs_page(
    context: Arc<Context>,
    at: Option<Listing>,
) -> Result<Option<(RecordBatch, Option<Listing>)>> {
    let Some(mut at) = at else { return Ok(None) };
    let (found, more) = match listed(&context, &at).await {
        Err(error) if error.kind() == Kind::Denied && at.whose.is_none() => {
            at.whose = Some(context.session.principal().to_owned());
            listed(&context, &at).await?
        }
        listed => listed?,
    };
    let last = found.last().filter(|_| more);
    let next = last.map(|run| Listing {
        whose: at.whose,
        after: Some((run.principal.clone(), run.run.clone())),
    });
    Ok(Some((of_runs(&found)?, next)))
}

async fn listed(context: &Arc<Context>, at: &Listing) -> Result<(Vec<RunSummary>, bool)> {
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let (whose, after) = (at.whose.clone(), at.after.clone());
    let listed = async move { gate.runs(&session, whose.as_deref(), after, PAGE).await };
    context.files.at_the_doors(listed).await
}

fn of_runs(runs: &[RunSummary]) -> Result<RecordBatch> {
    let columns = vec![
        texts(runs, |r| r.principal.clone()),
        texts(runs, |r| r.run.clone()),
        times(runs, |r| r.begun.micros()),
        times(runs, |r| r.last.micros()),
        numbers(runs, |r| r.requests),
        numbers(runs, |r| r.denied),
        numbers(runs, |r| r.reads),
        numbers(runs, |r| r.writes),
        numbers(runs, |r| r.bytes_read),
        numbers(runs, |r| r.bytes_written),
        texts(runs, |r| r.session.clone()),
        texts(runs, |r| r.purpose.clone()),
        texts(runs, |r| r.chain.join(" ")),
    ];
    page(Table::Runs, columns)
}

/// Edges that one may know.
pub(super) fn edges(context: Arc<Context>, wanted: Wanted) -> Pages {
    let page = move |at| edges_page(context.clone(), wanted.clone(), at);
    stream::try_unfold(Some(EdgesPlace::default()), page).boxed()
}

async fn edges_page(
    context: Arc<Context>,
    wanted: Wanted,
    at: Option<EdgesPlace>,
) -> Result<Option<(RecordBatch, Option<EdgesPlace>)>> {
    let Some(after) = at else { return Ok(None) };
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let listed = async move { gate.edges(&session, wanted.0, after).await };
    let found = context.files.at_the_doors(listed).await?;
    Ok(Some((of_edges(&found.edges)?, found.next)))
}

fn of_edges(edges: &[Edge]) -> Result<RecordBatch> {
    let columns = vec![
        texts(edges, |e| e.principal.clone()),
        texts(edges, |e| e.run.clone()),
        texts(edges, |e| e.touch.as_str().to_owned()),
        texts(edges, |e| e.resource.clone()),
        texts(edges, |e| e.bucket.clone()),
        numbers(edges, |e| e.version),
        numbers(edges, |e| e.count),
        numbers(edges, |e| e.bytes),
        times(edges, |e| e.first.micros()),
        times(edges, |e| e.last.micros()),
    ];
    page(Table::Lineage, columns)
}

/// Edges between columns that one may know.
pub(super) fn column_edges(context: Arc<Context>, wanted: Wanted) -> Pages {
    let page = move |at| columns_page(context.clone(), wanted.clone(), at);
    stream::try_unfold(Some(None), page).boxed()
}

async fn columns_page(
    context: Arc<Context>,
    wanted: Wanted,
    at: Option<Option<Bytes>>,
) -> Result<Option<(RecordBatch, Option<Option<Bytes>>)>> {
    let Some(after) = at else { return Ok(None) };
    let (gate, session) = (context.gate.clone(), context.session.clone());
    let about = (wanted.0.resource, wanted.0.version);
    let listed = async move { gate.column_edges(&session, about, after).await };
    let found = context.files.at_the_doors(listed).await?;
    Ok(Some((of_columns(&found.edges)?, found.next.map(Some))))
}

/// All columns, or the same one, are `*`.
fn any(column: Option<&String>) -> String {
    column.map_or("*", String::as_str).to_owned()
}

fn of_columns(edges: &[ToldColumn]) -> Result<RecordBatch> {
    let columns = vec![
        texts(edges, |e| e.principal.clone()),
        texts(edges, |e| e.run.clone()),
        texts(edges, |e| e.resource.clone()),
        texts(edges, |e| e.bucket.clone()),
        numbers(edges, |e| e.version),
        texts(edges, |e| any(e.column.as_ref())),
        texts(edges, |e| e.source.clone()),
        texts(edges, |e| e.source_bucket.clone()),
        numbers(edges, |e| e.source_version),
        texts(edges, |e| any(e.source_column.as_ref())),
        texts(edges, |e| e.by.kind().to_owned()),
        texts(edges, |e| e.by.as_str().to_owned()),
    ];
    page(Table::ColumnLineage, columns)
}
