//! What a request carries through `s3s` to its handler: the session, the gate, the verified body's
//! trailers, and notes on how far it came.

use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_gate::{
    Ask, Ending, Gate, ReadPermit, Session, WritePermit,
    identify::body::{Trailers, VerifiedBody},
};
use craton_objects::{body::Trailers as ObjectTrailers, error::Details};
use http::{HeaderName, StatusCode};
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use s3s::{S3Request, S3Result, s3_error};

use super::answer;
use crate::errors;

/// A copy has two permits; the many of a multi-delete end each with its own result.
const ENDINGS_MAX: usize = 2;

/// A request on its way.
#[derive(Clone)]
pub(crate) struct Call {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Gate,
    session: Session,
    trailers: Trailers,
    trailer_names: Vec<HeaderName>,
    operation: OnceLock<&'static str>,
    /// Whether the gate was asked, and so has recorded what it decided.
    asked: AtomicBool,
    /// Of the permits, to note a refusal that no engine knows of.
    endings: Mutex<Vec<Ending>>,
    /// Why the request is refused, where the gate does not know.
    refusal: Mutex<Option<Refusal>>,
    /// Whether a refusal is recorded already.
    recorded: AtomicBool,
    /// A form's operation, whatever its handler's is.
    form: Option<&'static str>,
    /// What is written otherwise in the answer's XML than `s3s` writes it.
    amendment: Mutex<Option<(String, String)>>,
    /// The status of a success, where `s3s` has another.
    success: OnceLock<StatusCode>,
    /// What the document of an error says besides.
    told: Mutex<Details>,
}

/// Operations whose answers AWS puts into the namespace of S3's documents and `s3s` does not.
const UNQUALIFIED: [&str; 10] = [
    "CopyObject",
    "GetBucketInventoryConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicyStatus",
    "GetBucketReplication",
    "GetObjectLegalHold",
    "GetObjectLockConfiguration",
    "GetObjectRetention",
    "GetPublicAccessBlock",
    "UploadPartCopy",
];

/// Puts a document's root into the namespace of S3's, if it names none.
fn qualify(document: &mut String) {
    let from = document.find("?>").map_or(0, |at| at.saturating_add(2));
    let root = document
        .get(from..)
        .and_then(|rest| Some((rest.find('<')?, rest.find('>')?)));
    let Some((open, close)) = root.map(|(o, c)| (from.saturating_add(o), from.saturating_add(c))) else {
        return;
    };
    if document
        .get(open..close)
        .is_some_and(|tag| !tag.contains([' ', '/']))
    {
        document.insert_str(close, " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"");
    }
}

struct Refusal {
    kind: Kind,
    reason: &'static str,
    message: String,
}

impl Call {
    pub(crate) fn new(
        gate: Gate,
        session: Session,
        trailers: Trailers,
        trailer_names: Vec<HeaderName>,
    ) -> Self {
        let inner = Inner {
            gate,
            session,
            trailers,
            trailer_names,
            operation: OnceLock::new(),
            asked: AtomicBool::new(false),
            endings: Mutex::default(),
            refusal: Mutex::new(None),
            recorded: AtomicBool::new(false),
            form: None,
            amendment: Mutex::new(None),
            success: OnceLock::new(),
            told: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The call of a form: its sender is known by its fields.
    pub(crate) fn of_form(&self, session: Session, operation: &'static str) -> Self {
        let inner = Inner {
            gate: self.inner.gate.clone(),
            session,
            trailers: self.inner.trailers.clone(),
            trailer_names: Vec::new(),
            operation: OnceLock::from(operation),
            asked: AtomicBool::new(false),
            endings: Mutex::default(),
            refusal: Mutex::new(None),
            recorded: AtomicBool::new(false),
            form: Some(operation),
            amendment: Mutex::new(None),
            success: OnceLock::new(),
            told: Mutex::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Names the operation before a handler does.
    pub(crate) fn begin(&self, operation: &'static str) {
        self.inner.operation.get_or_init(|| operation);
    }

    /// In the answer's XML, `shown` is to stand where `written` stands first: for what `s3s` does not know.
    pub(crate) fn amend(&self, written: impl Into<String>, shown: String) {
        *self.inner.amendment.lock() = Some((written.into(), shown));
    }

    /// A success is answered with this status.
    pub(crate) fn succeed_with(&self, status: StatusCode) {
        self.inner.success.get_or_init(|| status);
    }

    /// Amends an answer: its XML and its status.
    pub(crate) fn amended(&self, response: &mut http::Response<s3s::Body>) {
        if let Some(status) = self
            .inner
            .success
            .get()
            .filter(|_| response.status().is_success())
        {
            *response.status_mut() = *status;
        }
        let amendment = self.inner.amendment.lock().take();
        let operation = self.inner.operation.get();
        let unqualified = operation.is_some_and(|name| UNQUALIFIED.contains(name));
        if !response.status().is_success() || (amendment.is_none() && !unqualified) {
            return;
        }
        let document = response.body().bytes();
        let Some(text) = document.as_deref().and_then(|d| std::str::from_utf8(d).ok()) else {
            return;
        };
        let mut text = text.to_owned();
        if let Some((written, shown)) = amendment {
            text = text.replacen(&written, &shown, 1);
        }
        if unqualified {
            qualify(&mut text);
        }
        response.headers_mut().remove(http::header::CONTENT_LENGTH);
        *response.body_mut() = s3s::Body::from(text);
    }

    /// The gate has recorded the refusal of this request itself.
    pub(crate) fn recorded(&self) {
        self.inner.recorded.store(true, Ordering::Relaxed);
    }

    /// The call that a handler's request belongs to.
    pub(crate) fn of<T>(request: &S3Request<T>) -> S3Result<Self> {
        request
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| s3_error!(InternalError))
    }

    pub(crate) fn session(&self) -> &Session {
        &self.inner.session
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.inner.gate
    }

    /// The trailers that the request announced.
    pub(crate) fn trailer_names(&self) -> &[HeaderName] {
        &self.inner.trailer_names
    }

    /// Where the trailers will be.
    pub(crate) fn trailers(&self) -> Arc<dyn ObjectTrailers> {
        Arc::new(Arrived(self.inner.trailers.clone()))
    }

    pub(crate) async fn read(&self, ask: Ask) -> Result<ReadPermit> {
        self.asking(&ask);
        let permit = self.inner.gate.read(&self.inner.session, ask).await?;
        self.keep(|| permit.ending());
        Ok(permit)
    }

    /// A permit to read one thing, whose record may wait for [`Call::ended`]: for a handler's only permit.
    pub(crate) async fn read_once(&self, ask: Ask) -> Result<ReadPermit> {
        self.asking(&ask);
        let permit = self.inner.gate.read_once(&self.inner.session, ask).await?;
        self.keep(|| permit.ending());
        Ok(permit)
    }

    pub(crate) async fn write(&self, mut ask: Ask) -> Result<WritePermit> {
        ask.operation = self.inner.form.unwrap_or(ask.operation);
        self.asking(&ask);
        let permit = self.inner.gate.write(&self.inner.session, ask).await?;
        self.keep(|| permit.ending());
        Ok(permit)
    }

    fn keep(&self, ending: impl FnOnce() -> Ending) {
        let mut endings = self.inner.endings.lock();
        if endings.len() < ENDINGS_MAX {
            endings.push(ending());
        }
    }

    /// The handler has answered: an error is how its accesses ended. What is not recorded yet is, so this comes before
    /// the answer.
    ///
    /// # Errors
    /// The handler's own; `ServiceUnavailable` if it can not be recorded.
    pub(crate) fn ended<T>(&self, done: S3Result<T>) -> S3Result<T> {
        let endings = std::mem::take(&mut *self.inner.endings.lock());
        if let Err(error) = &done {
            if let Some(details) = answer::told(error) {
                self.tell(details.clone());
            }
            let answer = errors::s3_code(error.code().as_str());
            for ending in &endings {
                ending.failed(errors::kind_of(answer.status), answer.code);
            }
        }
        for ending in endings {
            ending.tell().map_err(|e| answer::fail_base(&e))?;
        }
        done
    }

    /// If the request ends in an error, its document says this besides.
    pub(crate) fn tell(&self, details: Details) {
        *self.inner.told.lock() = details;
    }

    /// What the document of an error says besides.
    pub(crate) fn told(&self) -> Details {
        self.inner.told.lock().clone()
    }

    fn asking(&self, ask: &Ask) {
        self.inner.operation.get_or_init(|| ask.operation);
        self.inner.asked.store(true, Ordering::Relaxed);
    }

    /// The operation, once a handler asked for a permit.
    pub(crate) fn operation(&self) -> &'static str {
        self.inner.operation.get().copied().unwrap_or("Unrouted")
    }

    /// Notes why the request is refused.
    pub(crate) fn note(&self, error: &Error) {
        let message = error.message().to_owned();
        let refusal = Refusal {
            kind: error.kind(),
            reason: error.reason(),
            message,
        };
        self.inner.refusal.lock().get_or_insert(refusal);
    }

    /// Records the refusal that the gate does not know: of a body that did not verify, or of a request
    /// that never came as far as asking.
    ///
    /// # Errors
    /// `Unavailable` if it can not be recorded.
    pub(crate) fn close(&self, path: &str, status: StatusCode) -> Result<()> {
        if self.inner.recorded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let noted = self.inner.refusal.lock().take();
        let unasked =
            !self.inner.asked.load(Ordering::Relaxed) && (status.is_client_error() || status.as_u16() == 501);
        let error = match noted {
            Some(r) => Error::new(r.kind, r.reason, r.message),
            None if unasked => Error::new(
                Kind::Invalid,
                reason_of(status),
                "the request is not one that is served",
            ),
            None => return Ok(()),
        };
        let session = &self.inner.session;
        self.inner.gate.refuse(
            session.origin(),
            session.access_key_id(),
            self.operation(),
            path,
            &error,
        )
    }
}

const fn reason_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        501 => "NotImplemented",
        405 => "MethodNotAllowed",
        _ => "InvalidRequest",
    }
}

struct Arrived(Trailers);

impl ObjectTrailers for Arrived {
    fn value(&self, name: &str) -> Option<String> {
        self.0.value(name)
    }
}

/// The verified body, whose failure is noted.
pub(crate) struct Watched {
    body: VerifiedBody<s3s::Body>,
    call: Call,
}

impl Watched {
    pub(crate) fn new(body: VerifiedBody<s3s::Body>, call: Call) -> Self {
        Self { body, call }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = &polled {
            this.call.note(error);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
