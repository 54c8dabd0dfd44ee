//! `craton graph`: facts in and out of a graph, as streams.
//!
//! Deliberately absent: what facts mean, formats (the server's readers).

use std::path::{Path, PathBuf};

use bytes::Bytes;
use craton_base::{ByteSize, Error, Result};
use craton_columns::Columns;
use http::Method;
use indicatif::ProgressBar;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{
    answer,
    objects::{STANDARD, bar, named},
};
use crate::{
    cli::{Graph as Command, Limits, Target},
    client::{Client, cut, place, read_json, read_progress, segment},
    output,
};

mod columns;
mod explain;
mod kept;
mod language;
mod live;
pub(super) mod repl;
mod why;
mod work;

/// The content type of an answer in JSON lines.
const JSON_LINES: &str = "application/x-ndjson";

/// What is read from a file at once, in bytes.
const READ_BYTES: usize = 256 << 10;

pub(super) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Load { .. } => load(command).await,
        Command::Stats { graph, target } => stats(&graph, &target).await,
        Command::Export {
            graph,
            file,
            prefix,
            snapshot,
            target,
        } => {
            let parameters = query(&[("prefix", prefix.as_deref()), ("snapshot", snapshot.as_deref())]);
            export(&graph, file.as_deref(), &parameters, &target).await
        }
        Command::Query { .. } => ask(command).await,
        Command::Sparql(asked) => language::ask("sparql", asked).await,
        Command::Cypher(asked) => language::ask("cypher", asked).await,
        Command::Explain {
            graph,
            rules,
            run,
            prefix,
            limits,
            target,
        } => {
            let parameters = [("run", run.then_some("yes")), ("prefix", prefix.as_deref())];
            let parameters = limited(&parameters, &limits);
            explain::explain(&graph, &rules, &parameters, &target).await
        }
        Command::Why { .. } => why::run(command).await,
        Command::Snapshots { graph, target } => explain::snapshots(&graph, &target).await,
        Command::Pin { .. } | Command::Unpin { .. } | Command::Loads { .. } => kept::run(command).await,
        Command::Repl {
            graph,
            local,
            history,
            target,
        } => repl::run(&graph, local.as_deref(), history, &target).await,
        Command::Label {
            graph,
            labels,
            none,
            target,
        } => kept::label(&graph, (!labels.is_empty() || none).then_some(labels), &target).await,
        Command::Compact { graph, target } => change(Method::POST, &graph, "/compact", &target).await,
        Command::Run { .. } => work::program(command).await,
        Command::Reason { .. } => work::reason(command).await,
        Command::Live { graph, what } => live::run(&graph, what).await,
        Command::Clear { graph, target } => change(Method::DELETE, &graph, "", &target).await,
    }
}

/// Writes the answer of a query.
async fn ask(command: Command) -> Result<()> {
    let Command::Query {
        graph,
        query: text,
        limit,
        prefix,
        snapshot,
        limits,
        target,
    } = command
    else {
        return Err(Error::internal("this is no query"));
    };
    let limit = limit.map(|l| l.to_string());
    let parameters = [
        ("limit", limit.as_deref()),
        ("prefix", prefix.as_deref()),
        ("snapshot", snapshot.as_deref()),
    ];
    let path = format!("{}/query{}", path_of(&graph)?, limited(&parameters, &limits));
    let client = Client::new(&target)?.accepting(target.json.then_some(JSON_LINES));
    let answered = client
        .graph(Method::POST, &path, reqwest::Body::from(text))
        .await?;
    write_out(answered, None).await.map(drop)
}

/// The path of a graph behind `/_graph/v1/`.
fn path_of(graph: &str) -> Result<String> {
    match place(graph)? {
        (_, "") => Err(Error::invalid(format!("{graph:?} is not BUCKET/GRAPH"))),
        (bucket, graph) => Ok(format!("{}/{}", segment(bucket), segment(graph))),
    }
}

fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| {
        let value = utf8_percent_encode((*value)?, NON_ALPHANUMERIC);
        Some(format!("{name}={value}"))
    });
    let given: Vec<String> = given.collect();
    if given.is_empty() {
        String::new()
    } else {
        format!("?{}", given.join("&"))
    }
}

/// Parameters and limits.
fn limited(parameters: &[(&str, Option<&str>)], limits: &Limits) -> String {
    let limits = limits.parameters();
    let limits = limits.iter().map(|(name, value)| (*name, value.as_deref()));
    query(&parameters.iter().copied().chain(limits).collect::<Vec<_>>())
}

/// The format and the relation that a file's name says.
fn format_of(file: &Path) -> (Option<&'static str>, Option<String>) {
    let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(name);
    let (relation, suffix) = name.rsplit_once('.').unwrap_or((name, ""));
    let format = match suffix {
        "csv" => Some("csv"),
        "tsv" | "tab" => Some("tsv"),
        "jsonl" | "ndjson" => Some("jsonl"),
        "nt" => Some("ntriples"),
        "ttl" => Some("turtle"),
        "obo" => Some("obo"),
        "gff" | "gff3" => Some("gff3"),
        "vcf" => Some("vcf"),
        "parquet" | "pq" => Some("parquet"),
        "arrow" | "arrows" | "feather" | "ipc" => Some("arrow"),
        _ => None,
    };
    (format, (!relation.is_empty()).then(|| relation.to_owned()))
}

async fn load(command: Command) -> Result<()> {
    let Command::Load {
        graph,
        file,
        object,
        table,
        format,
        relation,
        no_header,
        remove,
        skip_bad,
        resume,
        prefix,
        target,
    } = command
    else {
        return Err(Error::internal("this is no load"));
    };
    let named_as = file
        .clone()
        .or_else(|| object.as_ref().map(PathBuf::from))
        .or_else(|| {
            Some(PathBuf::from(format!(
                "{}.table",
                table.as_ref()?.rsplit('.').next()?
            )))
        })
        .unwrap_or_default();
    let (named_format, named_relation) = format_of(&named_as);
    let relation = relation.or(named_relation);
    let format = format.as_deref().or(named_format);
    let columns = format.and_then(Columns::named);
    let at = match (&resume, &file) {
        (Some(name), Some(_)) => kept::place_of(&graph, name, &target).await?,
        _ => 0,
    };
    let goes_on = (at > 0).then(|| at.to_string());
    let parameters = query(&[
        ("format", if columns.is_some() { None } else { format }),
        ("from", object.as_deref()),
        ("relation", relation.as_deref()),
        ("header", no_header.then_some("no")),
        ("mode", remove.then_some("remove")),
        ("bad", skip_bad.then_some("skip")),
        ("resume", resume.as_deref()),
        ("at", goes_on.as_deref()),
        ("prefix", prefix.as_deref()),
    ]);
    let path = format!("{}/facts{parameters}", path_of(&graph)?);
    let (body, bar, failure) = match &table {
        Some(table) => {
            let (bar, relation) = (bar(None), relation.unwrap_or_else(|| "row".to_owned()));
            let (body, failure) = columns::table(table, relation, &target, bar.clone()).await?;
            (body, bar, Some(failure))
        }
        None => body_to_load(file.as_deref(), columns, relation, at).await?,
    };
    // Of what is sent the bar says how far it is; of what the server reads itself, the server.
    let client = Client::new(&target)?.accepting(object.is_some().then_some(JSON_LINES));
    let answered = client.graph(Method::POST, &path, body).await;
    let answered = answered.map_err(|e| columns::reason(failure, e))?;
    let done = match object {
        None => read_json(answered).await?,
        Some(_) => followed(answered).await?,
    };
    bar.finish_and_clear();
    told_of_load(&graph, &done, remove, &target);
    Ok(())
}

/// What is sent of a file, from the byte `at` of its text on, the bar that moves as it is read, and what will end it early.
async fn body_to_load(
    file: Option<&Path>,
    columns: Option<Columns>,
    relation: Option<String>,
    at: u64,
) -> Result<(reqwest::Body, ProgressBar, Option<columns::Failure>)> {
    match (file, columns) {
        (None, Some(_)) => Err(Error::invalid(
            "Parquet and Arrow are read here, not by the server: get the object and load the file",
        )),
        (None, None) => Ok((reqwest::Body::from(""), ProgressBar::hidden(), None)),
        (Some(file), Some(kind)) => {
            let (bar, relation) = (bar(None), relation.unwrap_or_default());
            let (body, failed) = columns::body_of(file.to_owned(), kind, relation, at, bar.clone());
            Ok((body, bar, Some(failed)))
        }
        (Some(file), None) if at > 0 => {
            let bar = bar(None);
            let (body, failed) = columns::rest_of(file, at, bar.clone()).await?;
            Ok((body, bar, Some(failed)))
        }
        (Some(file), None) => source(file).await.map(|(body, bar)| (body, bar, None)),
    }
}

/// Says what a load did.
fn told_of_load(graph: &str, done: &Value, remove: bool, target: &Target) {
    let number = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or_default();
    for fault in done.get("faults").and_then(Value::as_array).into_iter().flatten() {
        output::note(fault.as_str().unwrap_or_default());
    }
    answer(target, done, |_| {
        let (facts, distinct, bad) = (number("facts"), number("distinct"), number("bad_lines"));
        let verb = if remove { "removed" } else { "added" };
        let size = ByteSize(number("bytes"));
        output::line(&format!(
            "{graph}  {facts} facts read, {distinct} different ones {verb}, {size}"
        ));
        if number("passed") > 0 {
            let passed = number("passed");
            output::line(&format!(
                "{passed} of them had been read before it was interrupted"
            ));
        }
        if bad > 0 {
            output::line(&format!("{bad} bad lines were passed over"));
        }
    });
}

/// The body of a file or standard input, and the bar that moves as it is read.
async fn source(file: &Path) -> Result<(reqwest::Body, ProgressBar)> {
    if file.as_os_str() == STANDARD {
        let bar = bar(None);
        return Ok((body_of(Box::new(tokio::io::stdin()), bar.clone()), bar));
    }
    let opened = tokio::fs::File::open(file).await.map_err(|e| named(file, e))?;
    let length = opened.metadata().await.map_err(|e| named(file, e))?.len();
    let bar = bar(Some(length));
    Ok((body_of(Box::new(opened), bar.clone()), bar))
}

/// A file, or standard input.
async fn opened(file: &Path) -> Result<Box<dyn AsyncRead + Unpin + Send>> {
    if file.as_os_str() == STANDARD {
        return Ok(Box::new(tokio::io::stdin()));
    }
    let file = tokio::fs::File::open(file).await.map_err(|e| named(file, e))?;
    Ok(Box::new(file))
}

/// The outcome of the server's work, which is shown as it goes on.
async fn followed(answered: reqwest::Response) -> Result<Value> {
    let bar = bar(None);
    let done = read_progress(answered, |told| {
        let number = |name: &str| told.get(name).and_then(Value::as_u64).unwrap_or_default();
        let steps = match number("steps") {
            0 => String::new(),
            steps => format!("step {steps}, "),
        };
        let read = ByteSize(number("read_bytes"));
        let (seconds, facts) = (number("seconds"), number("facts"));
        bar.set_message(format!("{seconds} s: {steps}{facts} facts made, {read} read"));
        bar.tick();
    })
    .await;
    bar.finish_and_clear();
    done
}

/// A body that is read as it is sent.
fn body_of(source: Box<dyn AsyncRead + Unpin + Send>, bar: ProgressBar) -> reqwest::Body {
    let pieces = futures::stream::unfold((source, bar), |(mut source, bar)| async move {
        let mut buffer = vec![0; READ_BYTES];
        match source.read(&mut buffer).await {
            Ok(0) => None,
            Ok(count) => {
                buffer.truncate(count);
                bar.inc(count as u64);
                Some((Ok(Bytes::from(buffer)), (source, bar)))
            }
            Err(e) => Some((Err(e), (source, bar))),
        }
    });
    reqwest::Body::wrap_stream(pieces)
}

async fn stats(graph: &str, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let path = match place(graph)? {
        (bucket, "") => segment(bucket),
        _ => path_of(graph)?,
    };
    let found = read_json(client.graph(Method::GET, &path, reqwest::Body::from("")).await?).await?;
    answer(target, &found, show);
    Ok(())
}

fn show(found: &Value) {
    if let Some(graphs) = found.get("graphs").and_then(Value::as_array) {
        graphs.iter().filter_map(Value::as_str).for_each(output::line);
        return;
    }
    let number = |v: &Value, name: &str| v.get(name).and_then(Value::as_u64).unwrap_or_default();
    let names = ByteSize(number(found, "name_bytes"));
    output::line(&format!(
        "{} facts, {} symbols, names in {names}",
        number(found, "facts"),
        number(found, "symbols")
    ));
    let tables = found.get("tables").and_then(Value::as_array);
    let rows: Vec<Vec<String>> = tables
        .into_iter()
        .flatten()
        .map(|t| {
            let kind = t.get("of").and_then(Value::as_str).unwrap_or_default();
            let open = t.get("variables").and_then(Value::as_bool).unwrap_or_default();
            vec![
                format!("{kind}{}", if open { " with variables" } else { "" }),
                number(t, "items").to_string(),
                number(t, "rows").to_string(),
                ByteSize(number(t, "bytes")).to_string(),
            ]
        })
        .collect();
    output::table(&["TABLE", "ITEMS", "ROWS", "SIZE"], &rows);
}

async fn export(graph: &str, file: Option<&Path>, parameters: &str, target: &Target) -> Result<()> {
    let path = format!("{}/facts{parameters}", path_of(graph)?);
    let client = Client::new(target)?;
    let answered = client.graph(Method::GET, &path, reqwest::Body::from("")).await?;
    let bytes = write_out(answered, file).await?;
    if let Some(file) = file.filter(|f| f.as_os_str() != STANDARD) {
        answer(
            target,
            &json!({ "file": file.display().to_string(), "bytes": bytes }),
            |_| {
                output::line(&format!("{}  {}", file.display(), ByteSize(bytes)));
            },
        );
    }
    Ok(())
}

/// Writes an answer as it comes; the number of bytes.
pub(super) async fn write_out(mut answered: reqwest::Response, file: Option<&Path>) -> Result<u64> {
    let mut sink: Box<dyn AsyncWrite + Unpin + Send> = match file.filter(|f| f.as_os_str() != STANDARD) {
        Some(file) => Box::new(tokio::fs::File::create(file).await.map_err(|e| named(file, e))?),
        None => Box::new(tokio::io::stdout()),
    };
    let mut bytes = 0u64;
    while let Some(piece) = answered.chunk().await.map_err(cut)? {
        sink.write_all(&piece).await?;
        bytes = bytes.saturating_add(piece.len() as u64);
    }
    sink.flush().await?;
    Ok(bytes)
}

async fn change(method: Method, graph: &str, what: &str, target: &Target) -> Result<()> {
    let path = format!("{}{what}", path_of(graph)?);
    let done = Client::new(target)?
        .graph(method, &path, reqwest::Body::from(""))
        .await?;
    let done = read_json(done).await?;
    answer(target, &done, |_| output::line(graph));
    Ok(())
}
