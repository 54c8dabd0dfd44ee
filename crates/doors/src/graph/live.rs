//! Live programs of a graph: rules whose facts are there with every commit. Adding one is decided as running it is, by what it reads and derives;
//! the others are changes of the whole graph.
//!
//! Deliberately absent: how what follows is computed (the engine's).

use craton_base::{Error, Kind, Result};
use craton_gate::{Parts, Work, WritePermit};
use craton_graph::{
    Limits,
    engine::Share,
    manifest::Live,
    rules::Rules,
    snapshot::Asked,
    stored::{
        fixpoint::Options,
        live::{Change, TEXT_BYTES_MAX, change},
        program::{Program, READ, WRITE},
    },
    threads::at_leisure,
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{Cancel, limits, named, open, write_permit, wrong},
    program::{bounds_of_rules, read},
    progress, respond,
};
use crate::http::Body;

pub(super) async fn list(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    call.end_query()?;
    let (opened, _memory) = open(&call, path, Asked::Newest).await?;
    let programs = opened.manifest().live.iter().map(shown);
    let programs: Vec<Value> = programs.collect::<Result<_>>()?;
    Ok(respond(StatusCode::OK, &json!({ "programs": programs })))
}

fn shown(live: &Live) -> Result<Value> {
    let rules = Rules::read(live.text.as_bytes())?;
    let mut derives: Vec<String> = Vec::new();
    for head in rules.all().flat_map(|rule| &rule.heads) {
        let (first, items) = head.of();
        let mut text = Vec::new();
        craton_graph::print::write(&first, &mut text);
        let relation = format!("{}/{items}", String::from_utf8_lossy(&text));
        if !derives.contains(&relation) {
            derives.push(relation);
        }
    }
    derives.sort();
    Ok(json!({
        "name": live.name,
        "by": live.by,
        "rules": rules.all().count(),
        "derives": derives,
        "rounds": live.rounds,
        "depth": live.depth,
        "text": live.text,
    }))
}

pub(super) async fn add(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let name = named(&mut call, "name")?;
    let bounds: Options = bounds_of_rules(&mut call)?;
    let limits = limits(&mut call)?;
    call.end_query()?;
    let mut text = Vec::new();
    if !read(&mut call, &mut text, TEXT_BYTES_MAX).await? {
        let message = format!("a live program has at most {TEXT_BYTES_MAX} bytes of text");
        return Err(Error::new(Kind::TooLarge, "ProgramTooLarge", message));
    }
    let text = String::from_utf8(text).map_err(|_| Error::invalid("rules are text in UTF-8"))?;
    let program = Program::of_rules(&path, text.as_bytes())?;
    let parts = program.parts()?;
    if path != program.whole() {
        return Err(Error::invalid(
            "a live program is of a whole graph, not of a prefix",
        ));
    }
    let work = Work {
        operation: call.route.operation.name(),
        path,
        read: READ,
        write: WRITE,
    };
    let live = Live {
        name,
        text,
        rounds: bounds.rounds,
        depth: bounds.depth,
        by: call.session.principal().to_owned(),
    };
    let permit = call.gate.work(call.session, work, parts.clone()).await?;
    changed(call, (permit, parts), Change::Add(live), limits).await
}

pub(super) async fn remove(mut call: Call<'_>) -> Result<Response<Body>> {
    let name = named(&mut call, "name")?;
    let keep = match call.query.text("keep").as_deref() {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => return Err(wrong("keep", other)),
    };
    change_all(call, Change::Remove { name, keep }).await
}

pub(super) async fn refresh(call: Call<'_>) -> Result<Response<Body>> {
    change_all(call, Change::Refresh).await
}

/// A change that takes the whole graph.
async fn change_all(mut call: Call<'_>, change: Change) -> Result<Response<Body>> {
    let path = call.facts()?;
    let limits = limits(&mut call)?;
    call.end_query()?;
    if matches!(&path, craton_base::ResourcePath::Facts(_, facts) if !facts.prefix().is_empty()) {
        return Err(Error::invalid(
            "a live program is of a whole graph, not of a prefix",
        ));
    }
    let parts = Parts {
        reads: Vec::new(),
        writes: vec![path.clone()],
    };
    let permit = write_permit(&call, path).await?;
    changed(call, (permit, parts), change, limits).await
}

async fn changed(
    call: Call<'_>,
    (permit, parts): (WritePermit, Parts),
    what: Change,
    limits: Limits,
) -> Result<Response<Body>> {
    let memory = call.graphs.reserve(Share::Work).await?;
    let control = call.graphs.control(limits);
    let cancel = Cancel(control.clone());
    let writer = call.graphs.writer(permit, control)?;
    let work = at_leisure(move || {
        let ending = writer.permit().ending();
        let done = change(&writer, &parts, what, memory.bytes());
        let done = done.inspect_err(|e| ending.failed(e.kind(), e.reason()))?;
        Ok(json!({
            "added": done.added,
            "removed": done.removed,
            "warnings": done.warnings,
            "snapshot": done.committed.sequence.0,
        }))
    });
    progress::answer(call.headers, cancel, work).await
}
