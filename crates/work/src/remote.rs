//! Other machines that speak S3: signed requests to them, and their answers.
//!
//! Invariants
//! - redirects are not followed and proxies of the environment are not used: the address is the one that the
//!   administrator wrote;
//! - of an answer at most [`ANSWER_BYTES_MAX`] are held; a request ends in a time that grows with its body only;
//! - a secret is never printed.
//!
//! Deliberately absent: what is asked for ([`bucket`]), trying again.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use craton_base::{Clock, Error, Kind, Result};
use craton_gate::{
    Content,
    identify::{
        Service,
        sign::{Body, Signer, encode_path, encode_query},
    },
};
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::target::Remote;

pub(crate) mod bucket;
mod describe;

/// The most of an answer that is held, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request without a body may take.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// A body must move at least so many bytes in a second, on average.
const BYTES_A_SECOND_MIN: u64 = 64 << 10;

/// The element that an answer which is an error consists of.
const ERROR: &[u8] = b"<Error>";

/// Another machine.
pub(crate) struct Client {
    name: String,
    endpoint: String,
    signer: Signer,
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
}

/// A request.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Sent,
}

/// What is sent with a request.
pub(crate) enum Sent {
    /// What is in memory.
    Bytes(Bytes),
    /// What is read meanwhile, and its length in bytes.
    Content(Content, u64),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What reading the content met while it was sent.
type Met = Arc<Mutex<Option<Error>>>;

impl Client {
    /// The machine that the settings describe.
    ///
    /// # Errors
    /// `Internal` if there is no HTTP client.
    pub(crate) fn new(settings: &Remote, clock: Arc<dyn Clock>) -> Result<Self> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent("craton")
            .tls_built_in_root_certs(settings.endpoint.starts_with("https:"))
            .build()
            .map_err(|e| Error::internal("no HTTP client for a remote").with_source(e))?;
        Ok(Self {
            name: settings.name.clone(),
            endpoint: settings.endpoint.trim_end_matches('/').to_owned(),
            signer: Signer {
                access_key_id: settings.access_key.clone(),
                secret: settings.secret_key.clone(),
                session_token: None,
                region: settings.region.clone(),
                service: Service::S3,
            },
            http,
            clock,
        })
    }

    /// Sends a request and takes its answer, whatever it says.
    ///
    /// # Errors
    /// `Unavailable` if there is none; what reading the content met; `Invalid` for a key that no URL can say.
    pub(crate) async fn call(&self, call: Call<'_>) -> Result<Answer> {
        let (len, met) = (call.body.len(), Met::default());
        let timeout = ANSWER_TIMEOUT.saturating_add(Duration::from_secs(len / BYTES_A_SECOND_MIN));
        let request = self.request(call, met.clone())?;
        let answered = tokio::time::timeout(timeout, self.exchange(request)).await;
        if let Some(error) = met.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        answered.unwrap_or_else(|_| Err(self.unavailable("it takes too long")))
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<Answer> {
        let gone = |e: reqwest::Error| self.unavailable(&format!("no answer: {}", causes(&e.without_url())));
        let mut answer = self.http.execute(request).await.map_err(gone)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(gone)? {
            if body.len().saturating_add(piece.len()) > ANSWER_BYTES_MAX {
                return Err(self.unavailable("its answer is too long"));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }

    fn request(&self, call: Call<'_>, met: Met) -> Result<reqwest::Request> {
        let uri = self.uri(&call)?;
        let request = http::Request::builder().method(call.method).uri(uri).body(());
        let request =
            request.map_err(|e| Error::invalid("this can not be asked of a remote").with_source(e))?;
        let (mut parts, ()) = request.into_parts();
        parts.headers = call.headers;
        parts
            .headers
            .insert(header::CONTENT_LENGTH, HeaderValue::from(call.body.len()));
        let signed = match &call.body {
            Sent::Bytes(bytes) => Body::of(bytes),
            Sent::Content(..) => Body::Unsigned,
        };
        self.signer.sign(&mut parts, &signed, self.clock.now())?;
        let request = http::Request::from_parts(parts, call.body.into_body(met));
        request
            .try_into()
            .map_err(|e| Error::invalid("this can not be asked of a remote").with_source(e))
    }

    fn uri(&self, call: &Call<'_>) -> Result<String> {
        if call.key.split('/').any(|part| matches!(part, "." | "..")) {
            // Every URL library takes these for directions.
            return Err(Error::invalid(
                "a key with a part . or .. can not be sent to a remote",
            ));
        }
        let key = match call.key {
            "" => String::new(),
            key => format!("/{}", encode_path(key)),
        };
        let pairs: Vec<String> = call
            .query
            .iter()
            .map(|(name, value)| match value.as_str() {
                "" => format!("{name}="),
                value => format!("{name}={}", encode_query(value)),
            })
            .collect();
        let query = match pairs.is_empty() {
            true => String::new(),
            false => format!("?{}", pairs.join("&")),
        };
        Ok(format!("{}/{}{key}{query}", self.endpoint, call.bucket))
    }

    fn unavailable(&self, what: &str) -> Error {
        let message = format!("the remote {:?}: {what}", self.name);
        Error::new(Kind::Unavailable, "RemoteUnavailable", message)
    }
}

/// An error with what caused it: reqwest's own words do not say.
fn causes(error: &reqwest::Error) -> String {
    let mut out = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        out = format!("{out}: {cause}");
        next = cause.source();
    }
    out
}

impl Sent {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self::Bytes(Bytes::new());

    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Content(_, len) => *len,
        }
    }

    fn into_body(self, met: Met) -> reqwest::Body {
        match self {
            Self::Bytes(bytes) | Self::Content(Content::Whole(bytes), _) => bytes.into(),
            Self::Content(Content::Stream(stream), _) => {
                let frames = stream.map(move |piece| {
                    piece.map(Frame::data).map_err(|error| {
                        let message = error.message().to_owned();
                        *met.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        std::io::Error::other(message)
                    })
                });
                reqwest::Body::wrap(StreamBody::new(frames))
            }
        }
    }
}

impl Answer {
    /// The answer if it says that what was asked is done.
    ///
    /// # Errors
    /// What it says.
    pub(crate) fn done(self) -> Result<Self> {
        // A completion can fail after its status was sent.
        let failed = self.body.windows(ERROR.len()).any(|part| part == ERROR);
        match self.status.is_success() && !failed {
            true => Ok(self),
            false => Err(self.error()),
        }
    }

    /// What the answer says is wrong.
    pub(crate) fn error(&self) -> Error {
        let kind = match self.status.as_u16() {
            401 | 403 => Kind::Denied,
            404 => Kind::NotFound,
            409 => Kind::Busy,
            412 => Kind::Precondition,
            408 | 425 | 429 | 500..=599 | 200..=299 => Kind::Unavailable,
            _ => Kind::Invalid,
        };
        let code = self.text("Code").unwrap_or_default();
        let message = self.text("Message").unwrap_or_default();
        let message = format!("the remote answered {}: {code} {message}", self.status.as_u16());
        Error::new(kind, "RemoteRefused", message.trim_end().to_owned())
    }

    /// The text of the first element of this name.
    pub(crate) fn text(&self, element: &str) -> Option<String> {
        let body = std::str::from_utf8(&self.body).ok()?;
        let (_, after) = body.split_once(&format!("<{element}>"))?;
        let (text, _) = after.split_once(&format!("</{element}>"))?;
        Some(text.chars().take(1024).collect())
    }

    /// The text of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests;
