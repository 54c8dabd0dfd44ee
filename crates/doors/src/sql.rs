//! The SQL door over HTTP, `POST /_api/v1/sql`: a statement in, rows out as they come.
//!
//! ```text
//! identify (as the API) ──▶ body, whole ──▶ engine: a permit for the statement, for each table and each file ──▶ stream
//! ```
//!
//! Invariants
//! - a request is authenticated before its body is read;
//! - what fails before the first row is an error; what fails later cuts the answer off, and never ends it as if it were whole;
//! - a client that goes away ends its statement.
//!
//! Deliberately absent: SQL. Its engine is large and builds long, so the doors know it as [`SqlEngine`] alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_gate::{Budget, Gate, Origin, PrincipalKind, Session, identify::body::VerifiedBody};
use craton_tables::Tables;
use futures::{StreamExt as _, stream::BoxStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::{Body as _, Frame};
use http_body_util::{Full, StreamBody};
use serde::Deserialize;
use serde_json::json;

use crate::{
    errors,
    http::Body,
    settle::settle,
    whole::{Rooms, verified},
};

/// Where it is.
pub(crate) const PATH: &str = "/_api/v1/sql";

/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The operation, for records and metrics.
const OPERATION: &str = "RunStatement";

/// The routes: method, path, operation and the action that must be allowed.
pub const ROUTES: &[(&str, &str, &str, &str)] = &[("POST", PATH, OPERATION, "craton:RunStatement")];

/// A statement, as a client sends it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlStatement {
    /// Its text.
    pub statement: String,
    /// The bucket of names that have none.
    #[serde(default)]
    pub bucket: Option<String>,
    /// The namespace of names that have none.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How many seconds it may take, if fewer than the server lets it.
    #[serde(default)]
    pub seconds: Option<u32>,
    /// The form of the answer, from the request's `Accept`.
    #[serde(skip)]
    pub form: SqlForm,
    /// The values of `$1`, `$2` and so on, as the columns of an Arrow stream; empty: none.
    #[serde(skip)]
    pub bound: Bytes,
}

impl SqlStatement {
    /// Its time, if the client says one.
    #[must_use]
    pub fn time(&self) -> Option<Duration> {
        self.seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SqlForm {
    /// A JSON object a line.
    #[default]
    JsonLines,
    /// CSV with a line of names.
    Csv,
    /// Arrow's IPC stream.
    Arrow,
}

impl SqlForm {
    /// As a media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::JsonLines => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    fn of(headers: &HeaderMap) -> Result<Self> {
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("*/*");
        let kinds = accept
            .split(',')
            .map(|kind| kind.split(';').next().unwrap_or_default().trim());
        let known = |kind: &str| match kind {
            "*/*" | "application/*" | "application/json" => Some(Self::JsonLines),
            "text/*" => Some(Self::Csv),
            kind => [Self::JsonLines, Self::Csv, Self::Arrow]
                .into_iter()
                .find(|form| form.media_type() == kind),
        };
        let text = "answers are application/vnd.apache.arrow.stream, application/x-ndjson or text/csv";
        kinds
            .filter_map(known)
            .next()
            .ok_or_else(|| Error::new(Kind::Invalid, "NotAcceptable", text))
    }
}

/// An answer in its form, as it comes. Dropped, the statement ends.
pub type SqlAnswer = BoxStream<'static, Result<Bytes>>;

/// A column of what a statement answers, as PostgreSQL's protocol describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlColumn {
    /// Its name.
    pub name: String,
    /// Its type, by its number in `pg_type`.
    pub type_id: u32,
    /// Bytes of a value in binary; -1 where they differ.
    pub size: i16,
    /// Precision and scale of a `numeric`; -1: none.
    pub modifier: i32,
}

/// A parameter, as a client of PostgreSQL's sends it.
#[derive(Clone, Debug, Default)]
pub struct SqlParameter {
    /// Its type, by its number in `pg_type`; 0: not said.
    pub type_id: u32,
    /// Whether its value is in binary.
    pub binary: bool,
    /// Its value; `None`: null.
    pub value: Option<Bytes>,
}

/// Parameters, and which columns are answered in binary: all of them, or each.
#[derive(Clone, Debug, Default)]
pub struct SqlBound {
    /// `$1` first.
    pub parameters: Vec<SqlParameter>,
    /// None: no column; one: of all columns.
    pub binary: Vec<bool>,
}

/// Rows as PostgreSQL's protocol has them: `DataRow` messages, some at a time. Dropped, the statement ends.
pub struct SqlRows {
    /// What they consist of.
    pub columns: Vec<SqlColumn>,
    /// The rows.
    pub rows: SqlAnswer,
}

/// What a statement takes and answers.
#[derive(Clone, Debug)]
pub struct SqlShape {
    /// The types of its parameters, `$1` first.
    pub parameters: Vec<u32>,
    /// The columns of its rows.
    pub columns: Vec<SqlColumn>,
}

/// What a statement takes and answers, as schemas of Arrow: messages, each with its length before it.
#[derive(Clone, Debug)]
pub struct SqlPlan {
    /// The columns of its rows; `None` of a statement that writes.
    pub columns: Option<Bytes>,
    /// Its parameters, `$1` first; of the type `null` where the statement does not say one.
    pub parameters: Bytes,
}

/// What runs statements.
#[async_trait]
pub trait SqlEngine: Send + Sync {
    /// Runs one until its first rows, or its end.
    ///
    /// # Errors
    /// What the statement fails with.
    async fn run(&self, session: &Session, statement: &SqlStatement) -> Result<SqlAnswer>;

    /// The same for PostgreSQL's protocol.
    ///
    /// # Errors
    /// As [`SqlEngine::run`].
    async fn rows(&self, session: &Session, statement: &SqlStatement, bound: &SqlBound) -> Result<SqlRows>;

    /// What a statement takes and answers, without running it.
    ///
    /// # Errors
    /// As [`SqlEngine::run`].
    async fn describe(&self, session: &Session, statement: &SqlStatement) -> Result<SqlShape>;

    /// The same in Arrow's words.
    ///
    /// # Errors
    /// As [`SqlEngine::run`].
    async fn plan(&self, session: &Session, statement: &SqlStatement) -> Result<SqlPlan>;
}

/// Makes one, of the catalogs and of the memory that it shares with the graphs.
pub type SqlStart = Box<dyn FnOnce(Tables, Budget) -> Result<Arc<dyn SqlEngine>>>;

/// An answer, and which operation it was.
pub(crate) struct Answered {
    pub(crate) response: Response<Body>,
    pub(crate) operation: &'static str,
}

/// Answers a request.
pub(crate) async fn handle(
    (gate, rooms, engine): (&Gate, &Rooms, Option<&Arc<dyn SqlEngine>>),
    request: Request<Body>,
    origin: Origin,
) -> Answered {
    let (parts, body) = request.into_parts();
    let request_id = origin.request_id.clone();
    let response = match answer((gate, rooms, engine), (&parts, body), origin).await {
        Ok((form, rows)) => stream(form, rows),
        Err(error) => {
            if matches!(error.kind(), Kind::Internal | Kind::Corrupt | Kind::Unavailable) {
                tracing::error!(%error, reason = error.reason(), %request_id, "a statement failed");
            }
            refusal(&error, &request_id)
        }
    };
    Answered {
        response,
        operation: OPERATION,
    }
}

async fn answer(
    (gate, rooms, engine): (&Gate, &Rooms, Option<&Arc<dyn SqlEngine>>),
    (parts, body): (&Parts, Body),
    origin: Origin,
) -> Result<(SqlForm, SqlAnswer)> {
    let admitted = gate.identify_or_bearer(parts, origin)?;
    let session = &admitted.session;
    let body = VerifiedBody::new(body, admitted.payload);
    let done = async {
        if parts.method != Method::POST {
            return Err(Error::new(
                Kind::Invalid,
                "MethodNotAllowed",
                "statements are sent with POST",
            ));
        }
        if session.kind() == PrincipalKind::Anonymous {
            return Err(Error::new(
                Kind::Denied,
                "AccessDenied",
                "SQL answers signed requests only",
            ));
        }
        let size = body.size_hint();
        let read = verified(body, BODY_BYTES_MAX);
        let (body, _room) = rooms.read(session, &size, BODY_BYTES_MAX, read).await?;
        let statement: SqlStatement = serde_json::from_slice(&body).map_err(|e| {
            let text = format!("the body is not what is expected: {e}");
            Error::new(Kind::Invalid, "MalformedBody", text)
        })?;
        let form = SqlForm::of(&parts.headers)?;
        let none = || Error::new(Kind::Unavailable, "NoSql", "this server does not run SQL");
        let rows = engine
            .ok_or_else(none)?
            .run(session, &SqlStatement { form, ..statement })
            .await?;
        Ok((form, rows))
    };
    settle(gate, session, OPERATION, parts.uri.path(), Box::pin(done).await)
}

fn stream(form: SqlForm, rows: SqlAnswer) -> Response<Body> {
    let frames = rows.map(|piece| piece.map(Frame::data));
    let mut response = Response::new(Body::http_body_unsync(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refusal(error: &Error, request_id: &str) -> Response<Body> {
    let told = json!({ "error": {
        "kind": error.kind().as_str(),
        "reason": error.reason(),
        "message": errors::message(error),
        "request_id": request_id,
    } });
    let mut response = Response::new(Body::http_body(Full::new(Bytes::from(told.to_string()))));
    *response.status_mut() = match error.reason() {
        "MethodNotAllowed" => StatusCode::METHOD_NOT_ALLOWED,
        "NotAcceptable" => StatusCode::NOT_ACCEPTABLE,
        "RequestTimeout" => StatusCode::REQUEST_TIMEOUT,
        _ => errors::http_status_of(error),
    };
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
