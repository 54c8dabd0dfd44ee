//! Runs of clients: what each read and wrote, and where versions came from.

use craton_base::{Error, Result, Timestamp};
use craton_gate::{Edge, LineageAsk, LineageDirection, RunSummary, ToldColumn};
use serde_json::{Map, Value, json};

use super::{Call, Query};

/// The most runs, or edges of a run, in one answer.
const PAGE_MAX: usize = 1000;

fn shown(run: &RunSummary) -> Map<String, Value> {
    let fields = [
        ("run", json!(run.run)),
        ("principal", json!(run.principal)),
        ("begun_micros", json!(run.begun.micros())),
        ("last_micros", json!(run.last.micros())),
        ("requests", json!(run.requests)),
        ("denied", json!(run.denied)),
        ("reads", json!(run.reads)),
        ("writes", json!(run.writes)),
        ("bytes_read", json!(run.bytes_read)),
        ("bytes_written", json!(run.bytes_written)),
        ("session", json!(run.session)),
        ("purpose", json!(run.purpose)),
        ("chain", json!(run.chain)),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn edge(edge: &Edge) -> Value {
    let mut out = json!({
        "run": edge.run,
        "principal": edge.principal,
        "mode": edge.touch.as_str(),
        "resource": edge.resource,
        "version": edge.version,
        "count": edge.count,
        "bytes": edge.bytes,
        "first_micros": edge.first.micros(),
        "last_micros": edge.last.micros(),
    });
    if let Value::Object(fields) = &mut out
        && !edge.snapshots.is_empty()
    {
        fields.insert("snapshots".to_owned(), json!(edge.snapshots));
    }
    out
}

/// A run's place in a list is its principal and its name.
fn place(text: &str) -> Result<(String, String)> {
    let (principal, run) = text
        .split_once('\t')
        .ok_or_else(|| Error::invalid("that is no place in this list"))?;
    Ok((principal.to_owned(), run.to_owned()))
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let principal = query.text("principal");
    let (after, limit) = query.page(PAGE_MAX)?;
    let after = after.as_deref().map(place).transpose()?;
    let (runs, more) = call
        .gate
        .runs(call.session, principal.as_deref(), after, limit)
        .await?;
    let next = runs
        .last()
        .filter(|_| more)
        .map(|run| format!("{}\t{}", run.principal, run.run));
    let runs = runs.iter().map(|run| Value::Object(shown(run)));
    Ok(json!({ "runs": runs.collect::<Vec<_>>(), "next": next }))
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let principal = query
        .text("principal")
        .unwrap_or_else(|| call.session.principal().to_owned());
    let (after, limit) = query.page(PAGE_MAX)?;
    let run = call
        .gate
        .run_info(call.session, &principal, call.part(0)?)
        .await?;
    let page = call
        .gate
        .run_edges(call.session, &run, after.as_deref(), limit)
        .await?;
    let mut out = shown(&run);
    out.insert("edges".to_owned(), page.edges.iter().map(edge).collect());
    out.insert("hidden".to_owned(), json!(page.hidden));
    out.insert("next".to_owned(), json!(page.next));
    Ok(Value::Object(out))
}

pub(super) async fn lineage(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let resource = query
        .text("resource")
        .ok_or_else(|| Error::invalid("the question names no resource"))?;
    let direction = match query.text("direction").as_deref() {
        Some("upstream") | None => LineageDirection::Upstream,
        Some("downstream") => LineageDirection::Downstream,
        Some(other) => return Err(Error::invalid(format!("{other:?} is not upstream or downstream"))),
    };
    let asked = LineageAsk {
        version: query.number("version")?,
        direction,
        depth: query.number("depth")?,
        since: query.number("since_micros")?.map(Timestamp),
        until: query.number("until_micros")?.map(Timestamp),
        limit: query.number("limit")?,
        resource,
    };
    let column = query.text("column");
    query.end()?;
    if let Some(column) = column {
        return columns(call, asked, column).await;
    }
    let resource = asked.resource.clone();
    let found = call.gate.lineage(call.session, asked).await?;
    let mut nodes: Vec<(&str, u64)> = found
        .edges
        .iter()
        .map(|e| (e.resource.as_str(), e.version))
        .collect();
    nodes.sort_unstable();
    nodes.dedup();
    let node = |(resource, version): (&str, u64)| json!({ "resource": resource, "version": version });
    Ok(json!({
        "root": { "resource": resource, "version": found.version },
        "nodes": nodes.into_iter().map(node).collect::<Vec<_>>(),
        "edges": found.edges.iter().map(edge).collect::<Vec<_>>(),
        "hidden": found.hidden,
        "more": found.more,
    }))
}

/// Where a column came from, or what came of it.
async fn columns(call: &Call<'_>, asked: LineageAsk, column: String) -> Result<Value> {
    let resource = asked.resource.clone();
    let root = column.clone();
    let found = call.gate.column_lineage(call.session, asked, column).await?;
    Ok(json!({
        "root": { "resource": resource, "version": found.version, "column": root },
        "edges": found.edges.iter().map(column_edge).collect::<Vec<_>>(),
        "hidden": found.hidden,
        "more": found.more,
    }))
}

/// All columns are `*`.
fn column_edge(edge: &ToldColumn) -> Value {
    json!({
        "run": edge.run,
        "principal": edge.principal,
        "resource": edge.resource,
        "version": edge.version,
        "column": edge.column.as_deref().unwrap_or("*"),
        "source_resource": edge.source,
        "source_version": edge.source_version,
        "source_column": edge.source_column.as_deref().unwrap_or("*"),
        "kind": edge.by.kind(),
        "how": edge.by.as_str(),
    })
}
