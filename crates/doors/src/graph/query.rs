//! Queries: patterns in, terms out, as text, JSON lines or Arrow.
//!
//! Deliberately absent: how they are answered (the engine).

use craton_base::{Error, Kind, Result};
use craton_columns::answer::{ARROW_STREAM, Answer};
use craton_gate::identify::body::VerifiedBody;
use craton_graph::{
    exec::{Rule, Sink},
    snapshot::Snapshot,
    stored::query::{self, Asked, Style},
    term::parts,
};
use http::{Response, header};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use super::{
    Call,
    ops::{TEXT, answer, limits, number, open_for},
    stream::{Out, Writing},
};
use crate::http::Body;

/// The longest text of a query, in bytes.
const QUERY_BYTES_MAX: usize = 1 << 20;

/// The content type of JSON lines.
pub(super) const JSON_LINES: &str = "application/x-ndjson";

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let limit = number(&mut call, "limit")?.unwrap_or(u64::MAX);
    let asked = (call.moment()?, limits(&mut call)?);
    call.end_query()?;
    let (form, kind) = form(&call)?;
    let text = text(&mut call.body, "a query").await?;
    let rule = query::read(&text).map(|rule| [rule]);
    let (opened, memory, [rule]) = open_for(&call, path, rule, asked).await?;
    let columns = form.columns(&rule)?;
    let (body, out) = Writing::new();
    drop(tokio::task::spawn_blocking(move || {
        let asked = Asked {
            limit,
            memory: memory.bytes().saturating_sub(opened.caches()),
            style: form.style(),
        };
        let done = match columns {
            None => query::query(&opened, &rule, asked, &|piece| {
                opened.blobs().handle().spend_rows(lines(&piece))?;
                out.send(piece)
            })
            .map(drop),
            Some(columns) => as_columns(&opened, &rule, asked, columns, &out),
        };
        if let Err(error) = done {
            opened.blobs().handle().failed(error.kind(), error.reason());
            out.fail(error);
        }
    }));
    Ok(answer(body, kind))
}

/// How many terms there are in a piece: each is a line.
fn lines(piece: &[u8]) -> u64 {
    piece.iter().filter(|b| **b == b'\n').count() as u64
}

/// Writes the answer as an Arrow stream of so many columns.
fn as_columns(opened: &Snapshot, rule: &Rule, asked: Asked, columns: usize, out: &Out) -> Result<()> {
    let stream = Mutex::new(Answer::new(columns)?);
    query::query(opened, rule, asked, &|terms| {
        let mut stream = stream.lock();
        let (piece, rows) = stream.take(&terms)?;
        opened.blobs().handle().spend_rows(rows)?;
        out.send(piece)
    })?;
    out.send(stream.into_inner().finish()?)
}

/// What an answer is written as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Arrow,
}

impl Form {
    fn style(self) -> Style {
        match self {
            Self::Text => query::line,
            Self::Json => query::json_line,
            Self::Arrow => query::encoded,
        }
    }

    /// How many columns the answer has, if it has any.
    fn columns(self, rule: &Rule) -> Result<Option<usize>> {
        if self != Self::Arrow {
            return Ok(None);
        }
        let [Sink::Add(template)] = rule.sinks.as_slice() else {
            return Err(Error::new(
                Kind::Invalid,
                "NotAQuery",
                "a query that is answered as columns has one template",
            ));
        };
        let items = parts(rule.exec.as_bytes(), *template).unwrap_or_default();
        Ok(Some(items.len().max(1)))
    }
}

/// How the caller wants the answer.
fn form(call: &Call<'_>) -> Result<(Form, &'static str)> {
    let accept = call.headers.get(header::ACCEPT);
    let accept = accept.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let wanted = |kind: &str| {
        accept
            .split(',')
            .any(|a| a.split(';').next().map(str::trim) == Some(kind))
    };
    if wanted(JSON_LINES) {
        return Ok((Form::Json, JSON_LINES));
    }
    if wanted(ARROW_STREAM) {
        return Ok((Form::Arrow, ARROW_STREAM));
    }
    if accept.is_empty() || wanted("*/*") || wanted("text/*") || wanted("text/plain") {
        return Ok((Form::Text, TEXT));
    }
    Err(Error::new(
        Kind::Invalid,
        "NotAcceptable",
        format!("a query answers text/plain, {JSON_LINES} or {ARROW_STREAM}, not {accept}"),
    ))
}

/// A body of text that is not long.
pub(super) async fn text(body: &mut VerifiedBody<Body>, what: &str) -> Result<String> {
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if text.len().saturating_add(data.len()) > QUERY_BYTES_MAX {
            let message = format!("{what} has at most {QUERY_BYTES_MAX} bytes");
            return Err(Error::new(Kind::TooLarge, "EntityTooLarge", message));
        }
        text.extend_from_slice(&data);
    }
    String::from_utf8(text).map_err(|e| Error::invalid(format!("{what} is UTF-8")).with_source(e))
}
