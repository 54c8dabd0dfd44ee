//! Connections whose client stops taking what it asked for, and bodies whose client stops sending.
//!
//! Invariant: a client that does nothing, or next to nothing, holds a connection's memory and its share of the
//! budgets for a stated time at most.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use craton_base::{Error, Kind};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// The slowest that a client may be while we wait for it, in bytes a second.
const RATE_MIN: u64 = 1 << 10;

/// How fast a peer is while we wait for it. Judged anew after each `span` of waiting, so that speed is not saved up.
struct Pace {
    span: Duration,
    waited: Duration,
    since: Option<Instant>,
    bytes: u64,
}

impl Pace {
    const fn new(span: Duration) -> Self {
        Self {
            span,
            waited: Duration::ZERO,
            since: None,
            bytes: 0,
        }
    }

    /// We wait.
    fn wait(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Bytes have moved: whether the peer is fast enough.
    fn moved(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(since.elapsed());
        }
        if self.waited < self.span {
            return true;
        }
        let enough = self.bytes >= RATE_MIN.saturating_mul(self.waited.as_secs());
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

/// A connection that fails when the peer takes nothing for a time, or takes too little.
pub(super) struct Stall<T> {
    inner: T,
    timeout: Duration,
    pace: Pace,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<T> Stall<T> {
    pub(super) fn new(inner: T, timeout: Duration) -> Self {
        Self {
            inner,
            timeout,
            pace: Pace::new(timeout),
            waiting: None,
        }
    }

    fn wrote(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Pending => self.pace.wait(),
            Poll::Ready(Ok(bytes)) if !self.pace.moved(*bytes) => {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the peer takes too little",
                )));
            }
            Poll::Ready(_) => {}
        }
        self.watch(cx, polled)
    }

    fn watch<R>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.waiting = None;
            return polled;
        }
        let timeout = self.timeout;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer takes nothing",
        )))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Stall<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, out)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Stall<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, data);
        self.wrote(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, pieces);
        self.wrote(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, polled)
    }
}

/// A request's body that fails with `RequestTimeout` when nothing comes for a time, or too little.
pub(super) struct TimedBody {
    inner: Incoming,
    timeout: Duration,
    pace: Pace,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(super) fn new(inner: Incoming, timeout: Duration) -> Self {
        Self {
            inner,
            timeout,
            pace: Pace::new(timeout),
            deadline: None,
        }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            // Time runs only while the reader waits: a body that we do not read is not slow.
            this.deadline = None;
            let bytes = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                _ => return Poll::Ready(frame.map(|f| f.map_err(broken))),
            };
            return Poll::Ready(match this.pace.moved(bytes) {
                true => frame.map(|f| f.map_err(broken)),
                false => Some(Err(too_slow())),
            });
        }
        this.pace.wait();
        let timeout = this.timeout;
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err(too_slow())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

fn too_slow() -> Error {
    let message =
        "Your socket connection to the server was not read from or written to within the timeout period.";
    Error::new(Kind::Invalid, "RequestTimeout", message)
}

fn broken(error: hyper::Error) -> Error {
    Error::new(
        Kind::Invalid,
        "IncompleteBody",
        "the connection failed before the body was complete",
    )
    .with_source(error)
}
