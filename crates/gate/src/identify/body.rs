//! A request body that proves itself while it is read.
//!
//! Invariants: the body ends cleanly only if everything the signature says about it holds; the
//! last piece of data is handed out only after that is known, so a reader that counts bytes and
//! does not wait for the end cannot be fooled; memory is one piece of the inner body and one line.
//!
//! A body that fails says so again each time it is polled: it never looks ended.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use craton_base::{Error, Result};
use craton_crypto::hash::Sha256;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

pub use super::chunked::{LINE_BYTES_MAX, SIGNED_CHUNK_BYTES_MIN, Trailer};
use super::{
    chain::same,
    chunked::Decoder,
    payload::{Mode, Payload},
    refuse,
    sigv4::sha256_mismatch,
};

/// The trailers of a body, there once it has ended and verified.
#[derive(Clone, Debug, Default)]
pub struct Trailers(Arc<Mutex<Option<Vec<Trailer>>>>);

impl Trailers {
    /// The trailers, or `None` while the body has not ended well.
    #[must_use]
    pub fn get(&self) -> Option<Vec<Trailer>> {
        self.0.lock().clone()
    }

    /// The value of one trailer, once the body has ended well.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock();
        let found = trailers.as_ref()?.iter().find(|(n, _)| n.as_str() == name);
        found.map(|(_, value)| value.clone())
    }
}

enum Check {
    Nothing,
    Sha256 { hash: Sha256, expected: [u8; 32] },
    Chunked(Box<Decoder>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Reading,
    Ended,
    Failed,
}

/// The data inside a request body, verified as `Payload` says.
pub struct VerifiedBody<B> {
    inner: B,
    check: Check,
    input: Bytes,
    held: Option<Bytes>,
    /// Data of a chunked body not handed out yet, in bytes.
    left: Option<u64>,
    progress: Progress,
    trailers: Trailers,
}

/// What the body below failed with: its own error if it has one of ours, such as a time-out.
fn broken(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => *own,
        Err(other) => {
            refuse::incomplete("the connection failed before the body was complete").with_source(other)
        }
    }
}

impl<B> VerifiedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Wraps `inner`.
    pub fn new(inner: B, payload: Payload) -> Self {
        let left = payload.decoded_length();
        let check = match payload.mode() {
            Mode::Unsigned => Check::Nothing,
            Mode::Sha256(expected) => Check::Sha256 {
                hash: Sha256::new(),
                expected,
            },
            Mode::Chunked { .. } => Check::Chunked(Box::new(Decoder::new(payload))),
        };
        let mut body = Self {
            inner,
            check,
            input: Bytes::new(),
            held: None,
            left,
            progress: Progress::Reading,
            trailers: Trailers::default(),
        };
        // A request without a body is done before anyone polls it, unless it should have one.
        if body.left.is_none() && body.inner.is_end_stream() && body.verify_end().is_ok() {
            body.progress = Progress::Ended;
        }
        body
    }

    /// Where the trailers will be.
    pub fn trailers(&self) -> Trailers {
        self.trailers.clone()
    }

    /// The next piece that is verified as far as it can be; `None` at a good end.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            if let Some(data) = self.take_data()? {
                match &self.check {
                    Check::Nothing => return Poll::Ready(Ok(Some(data))),
                    // One piece is always held back, so that the last one waits for the verdict.
                    Check::Sha256 { .. } | Check::Chunked(_) => {
                        if let Some(before) = self.held.replace(data) {
                            return Poll::Ready(Ok(Some(before)));
                        }
                        continue;
                    }
                }
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers of HTTP are not signed and mean nothing here.
                    self.input = frame.into_data().unwrap_or_default();
                }
                Some(Err(e)) => {
                    return Poll::Ready(Err(broken(e.into())));
                }
                None => {
                    self.verify_end()?;
                    self.progress = Progress::Ended;
                    return Poll::Ready(Ok(self.held.take()));
                }
            }
        }
    }

    fn take_data(&mut self) -> Result<Option<Bytes>> {
        let data = match &mut self.check {
            Check::Chunked(decoder) => return decoder.next(&mut self.input),
            Check::Nothing => std::mem::take(&mut self.input),
            Check::Sha256 { hash, .. } => {
                let data = std::mem::take(&mut self.input);
                hash.update(&data);
                data
            }
        };
        Ok(Some(data).filter(|d| !d.is_empty()))
    }

    fn verify_end(&mut self) -> Result<()> {
        let trailers = match std::mem::replace(&mut self.check, Check::Nothing) {
            Check::Nothing => Vec::new(),
            Check::Sha256 { hash, expected } => {
                // Put back: a reader may poll again after a failure at construction.
                self.check = Check::Sha256 {
                    hash: hash.clone(),
                    expected,
                };
                if !same(&hash.finish(), &expected) {
                    return Err(sha256_mismatch());
                }
                Vec::new()
            }
            Check::Chunked(decoder) => decoder.finish()?,
        };
        *self.trailers.0.lock() = Some(trailers);
        Ok(())
    }
}

impl<B> Body for VerifiedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        match this.progress {
            Progress::Reading => {}
            Progress::Ended => return Poll::Ready(this.held.take().map(|d| Ok(Frame::data(d)))),
            Progress::Failed => {
                return Poll::Ready(Some(Err(refuse::incomplete("the body has failed before"))));
            }
        }
        match ready!(this.poll_data(cx)) {
            Ok(data) => {
                if let (Some(left), Some(data)) = (&mut this.left, &data) {
                    *left = left.saturating_sub(data.len() as u64);
                }
                Poll::Ready(data.map(|d| Ok(Frame::data(d))))
            }
            Err(e) => {
                this.progress = Progress::Failed;
                this.held = None;
                Poll::Ready(Some(Err(e)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.progress {
            Progress::Ended => self.held.is_none(),
            Progress::Reading => matches!(self.check, Check::Nothing) && self.inner.is_end_stream(),
            Progress::Failed => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        if self.progress == Progress::Ended {
            return SizeHint::with_exact(self.held.as_ref().map_or(0, |h| h.len() as u64));
        }
        if let Some(left) = self.left {
            return SizeHint::with_exact(left);
        }
        let waiting = self
            .held
            .as_ref()
            .map_or(0, Bytes::len)
            .saturating_add(self.input.len()) as u64;
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(waiting));
        }
        hint.set_lower(inner.lower().saturating_add(waiting));
        hint
    }
}

#[cfg(test)]
pub(crate) mod tests;
