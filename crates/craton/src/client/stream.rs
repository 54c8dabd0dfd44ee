//! Requests whose body or answer is a stream: for the graph door and SQL.
//!
//! Invariant: a few pieces are in memory, whatever the size. The body is not signed, only the request's head is: over a
//! network use https.

use craton_base::{Clock as _, Error, Kind, Result, clock::SystemClock};
use craton_gate::identify::sign::Body;
use http::{Method, Request, header::ACCEPT};
use serde_json::Value;

use super::{Client, remote};

/// The most bytes of an answer that is held in memory.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// The most bytes of an error that is read.
const ERROR_BYTES_MAX: usize = 1 << 20;

impl Client {
    /// A request to `/_graph/v1/<path>`, whose answer is still to be read.
    ///
    /// # Errors
    /// What the server says; `Unavailable` if it can not be reached.
    pub(crate) async fn graph(
        &self,
        method: Method,
        path: &str,
        body: reqwest::Body,
    ) -> Result<reqwest::Response> {
        self.streamed(method, &format!("/_graph/v1/{path}"), body).await
    }

    /// A statement to `/_api/v1/sql`, whose answer is still to be read.
    ///
    /// # Errors
    /// As [`Client::graph`].
    pub(crate) async fn sql(&self, statement: &Value) -> Result<reqwest::Response> {
        let body = reqwest::Body::from(statement.to_string());
        self.streamed(Method::POST, "/_api/v1/sql", body).await
    }

    async fn streamed(&self, method: Method, path: &str, body: reqwest::Body) -> Result<reqwest::Response> {
        let address = format!("{}{path}", self.endpoint);
        let request = Request::builder().method(method.clone()).uri(&address);
        let request = match self.accept {
            None => request.body(()),
            Some(kind) => request.header(ACCEPT, kind).body(()),
        };
        let (mut parts, ()) = request
            .map_err(|e| Error::invalid(format!("{address:?} is not an address")).with_source(e))?
            .into_parts();
        self.signer()
            .sign(&mut parts, &Body::Unsigned, SystemClock::new().now())?;
        let mut builder = reqwest::Client::builder().connect_timeout(std::time::Duration::from_secs(10));
        if let Some(pem) = &self.ca {
            let certificate = reqwest::Certificate::from_pem(pem);
            let certificate =
                certificate.map_err(|e| Error::invalid("the certificate is no PEM").with_source(e))?;
            builder = builder.add_root_certificate(certificate);
        }
        let client = builder
            .build()
            .map_err(|e| Error::internal("the HTTP client does not start").with_source(e))?;
        let sent = client
            .request(method, &address)
            .headers(parts.headers)
            .body(body)
            .send()
            .await;
        let mut answer = sent.map_err(|e| remote::unreachable(&self.endpoint, e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let mut text = Vec::new();
        while let Ok(Some(piece)) = answer.chunk().await {
            if text.len().saturating_add(piece.len()) > ERROR_BYTES_MAX {
                break;
            }
            text.extend_from_slice(&piece);
        }
        Err(remote::api_error(
            status,
            serde_json::from_slice(&text).ok().as_ref(),
        ))
    }
}

/// An answer that is one JSON value.
///
/// # Errors
/// `Unavailable` if it is cut off; `Internal` if it is too long or no JSON.
pub(crate) async fn read_json(answered: reqwest::Response) -> Result<Value> {
    let bytes = read_all(answered).await?;
    serde_json::from_slice(&bytes).map_err(|e| Error::internal("the answer is no JSON").with_source(e))
}

/// The outcome of long work that tells how far it is, a JSON value on each line: `progress` is given each `progress`, and the last one
/// is `done` or `error`.
///
/// # Errors
/// What the server says; as [`read_json`].
pub(crate) async fn read_progress(
    mut answered: reqwest::Response,
    progress: impl Fn(&Value),
) -> Result<Value> {
    let status = answered.status();
    let mut line = Vec::new();
    while let Some(piece) = answered.chunk().await.map_err(cut)? {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if line.len().saturating_add(part.len()) > ANSWER_BYTES_MAX {
                return Err(Error::internal("the answer is too long"));
            }
            line.extend_from_slice(part);
            if !part.ends_with(b"\n") {
                continue;
            }
            let told: Value = serde_json::from_slice(&line)
                .map_err(|e| Error::internal("the answer is no JSON").with_source(e))?;
            line.clear();
            if let Some(done) = told.get("done") {
                return Ok(done.clone());
            }
            if told.get("error").is_some() {
                return Err(remote::api_error(status, Some(&told)));
            }
            told.get("progress").into_iter().for_each(&progress);
        }
    }
    let message = "the answer was cut off; whether the work came to its end is not known";
    Err(Error::new(Kind::Unavailable, "Remote", message))
}

/// An answer of text that is not long.
///
/// # Errors
/// As [`read_json`].
pub(crate) async fn read_text(answered: reqwest::Response) -> Result<String> {
    let bytes = read_all(answered).await?;
    String::from_utf8(bytes).map_err(|e| Error::internal("the answer is not UTF-8").with_source(e))
}

async fn read_all(mut answered: reqwest::Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = answered.chunk().await.map_err(cut)? {
        if bytes.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
            return Err(Error::internal("the answer is too long"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The error of an answer that ends before its end.
pub(crate) fn cut(error: reqwest::Error) -> Error {
    let message = "the answer was cut off";
    Error::new(Kind::Unavailable, "Remote", message).with_source(error)
}
