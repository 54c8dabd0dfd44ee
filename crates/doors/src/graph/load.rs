//! Loading facts: from a body or an object, with a name if it may be interrupted.
//!
//! Deliberately absent: formats, going on (the engine's).

use craton_base::{BucketName, Error, ObjectKey, ResourcePath, Result};
use craton_gate::{Ask, Content, ReadPermit};
use craton_graph::{
    Limits,
    engine::Share,
    load::{Loader, Mode},
    manifest::check_name,
    read::{self, Format, OnBad},
    sink::Start,
    snapshot::Asked,
    threads::at_leisure,
    writer::GraphWriter,
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{Cancel, blocking, limits, named, number, open, write_permit, wrong},
    progress, respond, stream,
};
use crate::http::Body;

/// What a load is told in its query.
struct Wanted {
    format: Format,
    on_bad: OnBad,
    mode: Mode,
    /// The name under which it can be interrupted.
    resume: Option<String>,
    /// Where its input goes on, in bytes after decompression.
    at: u64,
}

fn wanted(call: &mut Call<'_>) -> Result<Wanted> {
    let mode = match call.query.text("mode").as_deref() {
        None | Some("add") => Mode::Add,
        Some("remove") => Mode::Remove,
        Some(other) => return Err(wrong("mode", other)),
    };
    let on_bad = match call.query.text("bad").as_deref() {
        None | Some("stop") => OnBad::Stop,
        Some("skip") => OnBad::Skip,
        Some(other) => return Err(wrong("bad", other)),
    };
    let relation = call.query.text("relation").unwrap_or_else(|| "row".to_owned());
    let header = match call.query.text("header").as_deref() {
        None | Some("yes") => true,
        Some("no") => false,
        Some(other) => return Err(wrong("header", other)),
    };
    let table = |delimiter, relation| Format::Table {
        relation,
        delimiter,
        header,
    };
    let format = match call.query.text("format").as_deref() {
        None | Some("expressions") => Format::Expressions,
        Some("csv") => table(b',', relation),
        Some("tsv") => table(b'\t', relation),
        Some("jsonl") => Format::JsonLines { relation },
        Some("ntriples") => Format::NTriples,
        Some("turtle") => Format::Turtle,
        Some("obo") => Format::Obo,
        Some("gff3") => Format::Gff3,
        Some("vcf") => Format::Vcf,
        Some(other) => return Err(wrong("format", other)),
    };
    let resume = call.query.text("resume");
    resume.as_deref().map(check_name).transpose()?;
    let at = match number(call, "at")? {
        None => 0,
        Some(_) if resume.is_none() => {
            return Err(Error::invalid("only a load with a name goes on somewhere"));
        }
        Some(at) => at,
    };
    Ok(Wanted {
        format,
        on_bad,
        mode,
        resume,
        at,
    })
}

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let wanted = wanted(&mut call)?;
    let from = call.query.text("from");
    let limits = limits(&mut call)?;
    call.end_query()?;
    let permit = write_permit(&call, path).await?;
    let memory = call.graphs.reserve(Share::Work).await?;
    let control = call.graphs.control(limits);
    let cancel = Cancel(control.clone());
    let writer = call.graphs.writer(permit, control)?;
    let headers = call.headers;
    let (pump, body) = match from {
        None => stream::reader(call.body),
        Some(place) => {
            let (content, permit) = object(&call, &place).await?;
            stream::object(content, permit)
        }
    };
    let work = async move {
        let loaded = at_leisure(move || load(writer, body, &wanted, memory));
        tokio::join!(pump.run(), loaded).1
    };
    progress::answer(headers, cancel, work).await
}

/// The content of an object that the caller may read.
async fn object(call: &Call<'_>, place: &str) -> Result<(Content, ReadPermit)> {
    let (bucket, key) = place.split_once('/').ok_or_else(|| wrong("from", place))?;
    let key = ObjectKey::new(key)?;
    let path = ResourcePath::Object(BucketName::new(bucket)?, key.clone());
    let ask = Ask::new("GetObject", "s3:GetObject", path);
    let permit = call.gate.read(call.session, ask).await?;
    let asked = craton_objects::get::ReadRequest::default();
    let found = craton_objects::get::get(&permit, &key, &asked, None).await;
    let (_, content) = found.map_err(|e| {
        permit.failed(e.kind(), e.code());
        e.to_base()
    })?;
    Ok((content, permit))
}

fn load(
    writer: GraphWriter,
    body: stream::BodyReader,
    wanted: &Wanted,
    memory: craton_gate::Reservation,
) -> Result<Value> {
    let ending = writer.permit().ending();
    let loaded = || -> Result<Value> {
        let mut loader = Loader::new(writer, wanted.mode, memory)?;
        let mut start = Start::default();
        if let Some(name) = &wanted.resume {
            (loader, start) = loader.resumable(name, wanted.at)?;
        }
        let input = read::unpacked(body).map_err(stream::own)?;
        let (format, bad) = (&wanted.format, wanted.on_bad);
        let summary = match read::load_from(&start, input, format, bad, &mut loader, &mut |_| Ok(())) {
            Ok(summary) => summary,
            Err(error) => return Err(interrupted(loader, stream::own(error))),
        };
        let (progress, committed) = loader.finish()?;
        Ok(json!({
            "facts": progress.facts,
            "passed": progress.passed,
            "distinct": progress.distinct,
            "bytes": progress.bytes,
            "bad_lines": summary.bad,
            "faults": summary.faults,
            "snapshot": committed.sequence.0,
        }))
    };
    loaded().inspect_err(|e| ending.failed(e.kind(), e.reason()))
}

/// Why a load ended; what it read is kept if it has a name.
fn interrupted(loader: Loader, why: Error) -> Error {
    if let Err(error) = loader.interrupt() {
        tracing::warn!(%error, "what a load had read since its last batch is not kept");
    }
    why
}

/// The loads that are not at their end.
pub(super) async fn list(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    call.end_query()?;
    let prefix = match &path {
        ResourcePath::Facts(_, facts) => facts.prefix().to_owned(),
        _ => String::new(),
    };
    let (opened, _memory) = open(&call, path, Asked::Newest).await?;
    let loads = opened.manifest().unfinished.iter();
    let loads: Vec<Value> = loads
        .filter(|load| load.prefix.starts_with(&prefix))
        .map(|load| {
            let bytes = load.levels.iter().map(|l| l.run.bytes()).sum::<u64>();
            json!({ "load": load.name, "prefix": load.prefix, "facts": load.facts, "bytes": bytes, "at": load.mark.bytes })
        })
        .collect();
    Ok(respond(StatusCode::OK, &json!({ "loads": loads })))
}

/// Gives a load up.
pub(super) async fn drop(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let name = named(&mut call, "load")?;
    call.end_query()?;
    let permit = write_permit(&call, path).await?;
    let writer = call
        .graphs
        .writer(permit, call.graphs.control(Limits::default()))?;
    let done = blocking(move || {
        let ending = writer.permit().ending();
        let dropped = writer.drop_load(&name);
        dropped.inspect_err(|e| ending.failed(e.kind(), e.reason()))
    });
    Ok(respond(
        StatusCode::OK,
        &json!({ "snapshot": done.await?.sequence.0 }),
    ))
}
