//! Rows of an answer: SQL's and a graph's, a window of them.
//!
//! Invariants: no more is kept than is told; what is left unread ends where it is made.
//!
//! Deliberately absent: what statements and queries mean.

use http::{HeaderName, Method, header};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::inside::{Answer, Call, DATA_BYTES_MAX, Outcome, Refused, Told, query, segment};

/// Rows that are told if nobody says, and the most.
const ROWS_DEFAULT: usize = 50;
const ROWS_MAX: usize = 500;
/// The longest row that is looked at, in bytes.
const ROW_BYTES_MAX: usize = 1 << 20;
/// How long a statement may take, in seconds, if nobody says, and at most.
const SECONDS_DEFAULT: u64 = 60;
const SECONDS_MAX: u64 = 300;

const JSON_LINES: &str = "application/x-ndjson";
const LEASE: HeaderName = HeaderName::from_static("x-craton-lease");

/// Which rows of an answer are wanted.
#[derive(Clone, Copy)]
pub(super) struct Window {
    skip: usize,
    rows: usize,
}

impl Window {
    pub(super) fn new(cursor: Option<&str>, rows: Option<usize>) -> Result<Self, Refused> {
        let skip = match cursor {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                Refused::new("InvalidArguments", "a cursor is the `next` of the answer before")
            })?,
        };
        let rows = rows.unwrap_or(ROWS_DEFAULT).clamp(1, ROWS_MAX);
        Ok(Self { skip, rows })
    }

    /// How many rows must be made at most.
    pub(super) fn limit(self) -> usize {
        self.skip.saturating_add(self.rows).saturating_add(1)
    }

    /// The rows of an answer of lines.
    pub(super) async fn of(
        self,
        mut answer: Answer,
        read: fn(&[u8]) -> Result<Value, Refused>,
    ) -> Result<Told, Refused> {
        let (mut rest, mut rows, mut bytes, mut passed) = (Vec::new(), Vec::new(), 0usize, 0usize);
        let mut at_end = false;
        loop {
            while let Some(line) = take_line(&mut rest, at_end) {
                if passed < self.skip {
                    passed = passed.saturating_add(1);
                    continue;
                }
                bytes = bytes.saturating_add(line.len());
                if rows.len() == self.rows || (bytes > DATA_BYTES_MAX && !rows.is_empty()) {
                    return Ok(self.told(rows, true));
                }
                if bytes > DATA_BYTES_MAX {
                    return Err(too_long());
                }
                rows.push(read(&line)?);
            }
            if at_end {
                return Ok(self.told(rows, false));
            }
            match answer.body.frame().await {
                None => at_end = true,
                Some(Err(error)) => {
                    return Err(Refused::new(
                        "AnswerCutOff",
                        format!("the answer broke off: {error}"),
                    ));
                }
                Some(Ok(frame)) => {
                    rest.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default())
                }
            }
            if rest.len() > ROW_BYTES_MAX && memchr::memchr(b'\n', &rest).is_none() {
                return Err(too_long());
            }
        }
    }

    fn told(self, rows: Vec<Value>, is_more: bool) -> Told {
        let next = is_more.then(|| self.skip.saturating_add(rows.len()).to_string());
        Told::Data {
            data: json!({ "rows": rows }),
            next,
        }
    }
}

fn too_long() -> Refused {
    Refused::new("RowTooLarge", "a row is too long to be told: ask for less of it")
}

/// The next line of `rest`; at the end, what is left of it.
fn take_line(rest: &mut Vec<u8>, at_end: bool) -> Option<Vec<u8>> {
    let Some(end) = memchr::memchr(b'\n', rest) else {
        return (at_end && !rest.is_empty()).then(|| std::mem::take(rest));
    };
    let mut line: Vec<u8> = rest.drain(..=end).collect();
    line.pop();
    Some(line)
}

/// A line of JSON.
pub(super) fn json_line(line: &[u8]) -> Result<Value, Refused> {
    serde_json::from_slice(line).map_err(|_| Refused::new("AnswerCutOff", "a line of the answer is no JSON"))
}

/// A line of text.
pub(super) fn text_line(line: &[u8]) -> Value {
    String::from_utf8_lossy(line).into()
}

fn seconds(asked: Option<u64>) -> u64 {
    asked.unwrap_or(SECONDS_DEFAULT).clamp(1, SECONDS_MAX)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    statement: String,
    bucket: Option<String>,
    namespace: Option<String>,
    rows: Option<usize>,
    cursor: Option<String>,
    seconds: Option<u64>,
    lease: Option<String>,
}

pub(super) async fn sql(call: &Call<'_>) -> Outcome {
    let asked: Statement = call.arguments()?;
    let window = Window::new(asked.cursor.as_deref(), asked.rows)?;
    run(
        call,
        json!({
            "statement": asked.statement,
            "bucket": asked.bucket,
            "namespace": asked.namespace,
            "seconds": seconds(asked.seconds),
        }),
        (window, asked.lease.as_deref()),
    )
    .await
}

/// Rows of a table, as `sample` tells them.
pub(super) async fn of_table(call: &Call<'_>, table: [&str; 3], window: Window) -> Outcome {
    let quoted = table.map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    let statement = format!("SELECT * FROM {} LIMIT {}", quoted.join("."), window.limit());
    let body = json!({ "statement": statement, "seconds": SECONDS_DEFAULT });
    run(call, body, (window, None)).await
}

async fn run(call: &Call<'_>, body: Value, (window, lease): (Window, Option<&str>)) -> Outcome {
    let mut headers = vec![(header::ACCEPT, JSON_LINES)];
    headers.extend(lease.map(|lease| (LEASE, lease)));
    let answer = call
        .ask(Method::POST, crate::sql::PATH, &headers, body.to_string())
        .await?;
    window.of(answer, json_line).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GraphQuery {
    bucket: String,
    graph: String,
    query: String,
    prefix: Option<String>,
    snapshot: Option<String>,
    rows: Option<usize>,
    cursor: Option<String>,
    seconds: Option<u64>,
}

pub(super) async fn graph_query(call: &Call<'_>) -> Outcome {
    let asked: GraphQuery = call.arguments()?;
    let window = Window::new(asked.cursor.as_deref(), asked.rows)?;
    let parameters = query([
        ("limit", Some(window.limit().to_string())),
        ("prefix", asked.prefix),
        ("snapshot", asked.snapshot),
        ("seconds", Some(seconds(asked.seconds).to_string())),
    ]);
    let target = format!("{}/query?{parameters}", graph(&asked.bucket, &asked.graph));
    let accept = [(header::ACCEPT, JSON_LINES)];
    let answer = call.ask(Method::POST, &target, &accept, asked.query).await?;
    window.of(answer, json_line).await
}

/// The path of a graph.
pub(super) fn graph(bucket: &str, graph: &str) -> String {
    format!("/_graph/v1/{}/{}", segment(bucket), segment(graph))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    bucket: String,
    graph: String,
    program: String,
    #[serde(default)]
    rules: bool,
    prefix: Option<String>,
    seconds: Option<u64>,
    lease: Option<String>,
}

pub(super) async fn graph_program(call: &Call<'_>) -> Outcome {
    let asked: Program = call.arguments()?;
    let what = if asked.rules { "rules" } else { "program" };
    let parameters = query([
        ("prefix", asked.prefix),
        ("seconds", Some(seconds(asked.seconds).to_string())),
    ]);
    let target = format!("{}/{what}?{parameters}", graph(&asked.bucket, &asked.graph));
    let lease: Vec<(HeaderName, &str)> = asked
        .lease
        .as_deref()
        .map(|lease| (LEASE, lease))
        .into_iter()
        .collect();
    let answer = call.ask(Method::POST, &target, &lease, asked.program).await?;
    Ok(Told::Said(json_line(&answer.whole().await?)?))
}
