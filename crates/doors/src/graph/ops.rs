//! The operations of the graph door.
//!
//! Deliberately absent: routes, identity.

use std::time::Duration;

use craton_base::{Error, ResourcePath, Result};
use craton_gate::{Ask, Direction, ReadPermit, Reservation, Work, WritePermit};
use craton_graph::{
    Control, Facts as _, Limits, Shape,
    engine::Share,
    exec::Rule,
    export,
    snapshot::{Asked, Snapshot},
    stored::{
        program::{READ, WRITE},
        query::reads,
    },
    writer::GraphWriter,
};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    Call, Operation, explain, labels, language, live, load, program, query, respond, snapshots,
    stream::Writing, why,
};
use crate::http::Body;

/// The most graphs of a listing.
const LISTED_MAX: usize = 1000;

pub(super) async fn run(call: Call<'_>) -> Result<Response<Body>> {
    match call.route.operation {
        Operation::ListGraphs => list(call).await,
        Operation::DescribeGraph => describe(call).await,
        Operation::ReadFacts => read_facts(call).await,
        Operation::WriteFacts => load::run(call).await,
        Operation::CompactGraph => compact(call).await,
        Operation::ClearGraph => clear(call).await,
        Operation::RunProgram | Operation::RunRules => program::run(call).await,
        Operation::QueryFacts => query::run(call).await,
        Operation::QuerySparql | Operation::QueryCypher => language::run(call).await,
        Operation::ExplainRules => explain::run(call).await,
        Operation::DeriveFact => why::run(call).await,
        Operation::GetLabels => labels::get(call).await,
        Operation::PutLabels => labels::put(call).await,
        Operation::ListSnapshots => snapshots::list(call).await,
        Operation::PinSnapshot => snapshots::pin(call).await,
        Operation::UnpinSnapshot => snapshots::unpin(call).await,
        Operation::ListLoads => load::list(call).await,
        Operation::DropLoad => load::drop(call).await,
        Operation::ListLive => live::list(call).await,
        Operation::AddLive => live::add(call).await,
        Operation::RemoveLive => live::remove(call).await,
        Operation::RefreshLive => live::refresh(call).await,
    }
}

fn ask(call: &Call<'_>, path: ResourcePath) -> Ask {
    Ask::new(call.route.operation.name(), call.route.action, path)
}

pub(super) async fn read_permit(call: &Call<'_>, path: ResourcePath) -> Result<ReadPermit> {
    call.gate.read(call.session, ask(call, path)).await
}

pub(super) async fn write_permit(call: &Call<'_>, path: ResourcePath) -> Result<WritePermit> {
    call.gate.write(call.session, ask(call, path)).await
}

/// Work on a thread that may block. It goes on to its end if the caller goes away, unless it is told to stop.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("a graph's work did not end").with_source(e))?
}

/// Cancels the work when the request ends, also because the client went away.
pub(super) struct Cancel(pub(super) Control);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn list(mut call: Call<'_>) -> Result<Response<Body>> {
    let after = call.query.text("after").unwrap_or_default();
    call.end_query()?;
    let permit = read_permit(&call, ResourcePath::Bucket(call.bucket.clone())).await?;
    let mut start = after.clone().into_bytes();
    if !after.is_empty() {
        start.push(0);
    }
    let page = permit.scan(
        craton_gate::Kind::Graph,
        &start,
        None,
        Direction::Forward,
        LISTED_MAX,
    )?;
    let names: Vec<Value> = page
        .entries
        .iter()
        .map(|stored| json!(String::from_utf8_lossy(&stored.key.name)))
        .collect();
    Ok(respond(
        StatusCode::OK,
        &json!({ "graphs": names, "more": page.more }),
    ))
}

/// The snapshot that is asked for, opened before the answer begins, so that what is not there is a status; and memory for a reader.
pub(super) async fn open(
    call: &Call<'_>,
    path: ResourcePath,
    moment: Asked,
) -> Result<(Snapshot, Reservation)> {
    let permit = read_permit(call, path).await?;
    opened(call, permit, moment, Limits::default()).await
}

/// The same for rules: who may not read all of the path reads what their patterns can match. Without rules, or with wrong ones, all of
/// it is asked for, so that who may read nothing learns nothing.
pub(super) async fn open_for<R: AsRef<[Rule]>>(
    call: &Call<'_>,
    path: ResourcePath,
    rules: Result<R>,
    (moment, limits): (Asked, Limits),
) -> Result<(Snapshot, Reservation, R)> {
    let reads = match &rules {
        Ok(rules) => reads(&path, rules.as_ref())?,
        Err(_) => Vec::new(),
    };
    let operation = call.route.operation.name();
    let work = Work {
        operation,
        path,
        read: READ,
        write: WRITE,
    };
    let permit = call.gate.read_parts(call.session, work, reads).await?;
    let rules = rules.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
    let (opened, memory) = opened(call, permit, moment, limits).await?;
    Ok((opened, memory, rules))
}

async fn opened(
    call: &Call<'_>,
    permit: ReadPermit,
    moment: Asked,
    limits: Limits,
) -> Result<(Snapshot, Reservation)> {
    let memory = call.graphs.reserve(Share::Reader).await?;
    let graphs = call.graphs.clone();
    let control = graphs.control(limits);
    let opened = blocking(move || graphs.snapshot(&permit, control)?.asked(&moment));
    Ok((opened.await?, memory))
}

/// A parameter that is a number.
pub(super) fn number(call: &mut Call<'_>, parameter: &str) -> Result<Option<u64>> {
    let given = call.query.text(parameter);
    let read = given.map(|text| text.parse().map_err(|_| wrong(parameter, &text)));
    read.transpose()
}

/// The limits that the query sets: `seconds`, `facts` made, `read_bytes` and, of scratch space at once, `spill_bytes`.
pub(super) fn limits(call: &mut Call<'_>) -> Result<Limits> {
    let most = Limits::default();
    let seconds = number(call, "seconds")?;
    Ok(Limits {
        time: seconds.map_or(most.time, Duration::from_secs),
        facts: number(call, "facts")?.unwrap_or(most.facts),
        read_bytes: number(call, "read_bytes")?.unwrap_or(most.read_bytes),
        scratch_bytes: number(call, "spill_bytes")?.unwrap_or(most.scratch_bytes),
    })
}

async fn describe(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let moment = call.moment()?;
    call.end_query()?;
    let (opened, _memory) = open(&call, path, moment).await?;
    let described = blocking(move || described(&opened));
    Ok(respond(StatusCode::OK, &described.await?))
}

fn described(snapshot: &Snapshot) -> Result<Value> {
    let mut tables = Vec::new();
    for table in snapshot.tables() {
        let relation = craton_graph::Relation::whole(table);
        let order = craton_graph::Order::natural(table.width());
        let known = snapshot.statistics(&relation, &order, &craton_graph::Bounds::all())?;
        let shape = match table.shape {
            Shape::Atom => "atoms",
            Shape::Fact => "facts",
            Shape::Expression => "expressions",
        };
        tables.push(json!({
            "of": shape, "items": table.items, "variables": table.open,
            "rows": known.rows, "bytes": known.bytes,
        }));
    }
    let facts = tables.iter().filter(|t| t["of"] != "expressions");
    let rows: u64 = facts.filter_map(|t| t["rows"].as_u64()).sum();
    let names = snapshot.dictionary().manifest();
    let index: u64 = names.index.iter().map(craton_graph::run::Run::bytes).sum();
    let texts: u64 = names.texts.iter().map(|t| t.blob.len()).sum();
    Ok(json!({
        "graph": snapshot.graph().as_str(),
        "snapshot": snapshot.versions().facts.map(|s| s.0),
        "facts": rows,
        "symbols": names.next_symbol,
        "levels": snapshot.manifest().levels.len(),
        "live": snapshot.manifest().live.iter().map(|live| &live.name).collect::<Vec<_>>(),
        "name_bytes": index.saturating_add(texts),
        "tables": tables,
    }))
}

async fn read_facts(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let moment = call.moment()?;
    call.end_query()?;
    let (opened, memory) = open(&call, path, moment).await?;
    let (body, out) = Writing::new();
    drop(tokio::task::spawn_blocking(move || {
        let _memory = memory;
        if let Err(error) = export::export(&opened, &mut |piece| out.send(piece)) {
            opened.blobs().handle().failed(error.kind(), error.reason());
            out.fail(error);
        }
    }));
    Ok(answer(body, TEXT))
}

/// The content type of text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// An answer as it is found.
pub(super) fn answer(body: Writing, kind: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::http_body(body));
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A parameter that there must be.
pub(super) fn named(call: &mut Call<'_>, parameter: &str) -> Result<String> {
    let given = call.query.text(parameter);
    given.ok_or_else(|| Error::invalid(format!("the parameter {parameter:?} is missing")))
}

pub(super) fn wrong(parameter: &str, value: &str) -> Error {
    Error::invalid(format!("the parameter {parameter:?} can not be {value:?}"))
}

async fn compact(mut call: Call<'_>) -> Result<Response<Body>> {
    change(&mut call, |writer| writer.compact().map(|()| json!({}))).await
}

async fn clear(mut call: Call<'_>) -> Result<Response<Body>> {
    change(&mut call, |writer| {
        writer
            .clear()
            .map(|committed| json!({ "snapshot": committed.sequence.0 }))
    })
    .await
}

/// A change of the whole graph.
pub(super) async fn change(
    call: &mut Call<'_>,
    work: impl FnOnce(&GraphWriter) -> Result<Value> + Send + 'static,
) -> Result<Response<Body>> {
    let path = call.facts()?;
    if let ResourcePath::Facts(_, facts) = &path
        && !facts.prefix().is_empty()
    {
        return Err(Error::invalid(
            "this is done to a whole graph, not to a prefix of its facts",
        ));
    }
    call.end_query()?;
    let permit = write_permit(call, path).await?;
    let _memory = call.graphs.reserve(Share::Reader).await?;
    let control = call.graphs.control(Limits::default());
    let _cancel = Cancel(control.clone());
    let writer = call.graphs.writer(permit, control)?;
    let done = blocking(move || {
        let ending = writer.permit().ending();
        work(&writer).inspect_err(|e| ending.failed(e.kind(), e.reason()))
    });
    Ok(respond(StatusCode::OK, &done.await?))
}
