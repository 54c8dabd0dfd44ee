//! Between async bodies and an engine that blocks: a few pieces on their way, in either direction.
//!
//! Invariants: at most [`PIECES`] pieces wait; a body that fails is an error for its reader, never an end; an answer that
//! fails is cut off, never ended as if it were whole.
//!
//! Deliberately absent: what is in a body.

use std::{
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf as _, Bytes};
use craton_base::{Error, Result};
use craton_gate::{Content, ReadPermit, identify::body::VerifiedBody};
use craton_graph::Control;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::ops::Cancel;
use crate::http::Body;

/// Pieces that wait.
const PIECES: usize = 4;

/// A body as a thread that may block reads it.
pub(super) struct BodyReader {
    pieces: Receiver<Result<Bytes>>,
    now: Bytes,
}

/// Pieces on their way to their reader.
pub(super) struct Pump {
    from: From,
    pieces: Sender<Result<Bytes>>,
}

/// Where pieces come from.
enum From {
    Body(VerifiedBody<Body>),
    /// An object, and the permit that it is read by.
    Object(Content, ReadPermit),
}

/// Takes a body apart into what moves it and what reads it.
pub(super) fn reader(body: VerifiedBody<Body>) -> (Pump, BodyReader) {
    apart(From::Body(body))
}

/// The same for an object.
pub(super) fn object(content: Content, permit: ReadPermit) -> (Pump, BodyReader) {
    apart(From::Object(content, permit))
}

fn apart(from: From) -> (Pump, BodyReader) {
    let (sender, receiver) = channel(PIECES);
    let pump = Pump { from, pieces: sender };
    let reader = BodyReader {
        pieces: receiver,
        now: Bytes::new(),
    };
    (pump, reader)
}

impl Pump {
    /// Moves the pieces until their end, a failure, or until nobody reads them any more.
    pub(super) async fn run(self) {
        match self.from {
            From::Body(mut body) => {
                while let Some(frame) = body.frame().await {
                    let piece = match frame {
                        Ok(frame) => match frame.into_data() {
                            Ok(data) => Ok(data),
                            Err(_) => continue,
                        },
                        Err(error) => Err(error),
                    };
                    let failed = piece.is_err();
                    if self.pieces.send(piece).await.is_err() || failed {
                        return;
                    }
                }
            }
            From::Object(Content::Whole(bytes), _permit) => drop(self.pieces.send(Ok(bytes)).await),
            From::Object(Content::Stream(mut stream), _permit) => {
                while let Some(piece) = stream.next().await {
                    let failed = piece.is_err();
                    if self.pieces.send(piece).await.is_err() || failed {
                        return;
                    }
                }
            }
        }
    }
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.now.is_empty() {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.now = piece,
                Some(Err(error)) => return Err(io::Error::other(error)),
                None => return Ok(0),
            }
        }
        let len = out.len().min(self.now.len());
        if let Some(to) = out.get_mut(..len) {
            self.now.copy_to_slice(to);
        }
        Ok(len)
    }
}

/// The error of ours that an error of input was made from, if it was.
pub(super) fn own(error: Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(&error);
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<Error>() {
            return Error::new(found.kind(), found.reason(), found.message().to_owned());
        }
        let inner = next.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = inner.and_then(|i| i.downcast_ref::<Error>()) {
            return Error::new(found.kind(), found.reason(), found.message().to_owned());
        }
        cause = next.source();
    }
    error
}

/// An answer that a thread writes while it is sent.
pub(super) struct Writing {
    pieces: Receiver<Result<Bytes>>,
    /// A piece that was waited for.
    first: Option<Bytes>,
    /// Stops the thread's work when nobody takes the answer any more.
    cancel: Option<Cancel>,
}

/// Where the thread writes.
#[derive(Clone)]
pub(super) struct Out(Sender<Result<Bytes>>);

impl Writing {
    /// An answer, and where to write it.
    pub(super) fn new() -> (Self, Out) {
        let (sender, receiver) = channel(PIECES);
        let writing = Self {
            pieces: receiver,
            first: None,
            cancel: None,
        };
        (writing, Out(sender))
    }

    /// Waits for the beginning of the answer: what fails before it is an error, not a broken answer. The work ends with the answer.
    ///
    /// # Errors
    /// The work's own.
    pub(super) async fn begun(mut self, control: Control) -> Result<Self> {
        self.cancel = Some(Cancel(control));
        self.first = self.pieces.recv().await.transpose()?;
        Ok(self)
    }
}

impl Out {
    /// Sends a piece; waits while the client is behind. Blocks.
    ///
    /// # Errors
    /// `Unavailable` if the client is gone.
    pub(super) fn send(&self, piece: Vec<u8>) -> Result<()> {
        self.0.blocking_send(Ok(piece.into())).map_err(|_| gone())
    }

    /// Sends a piece of text, from a task.
    ///
    /// # Errors
    /// As [`Out::send`].
    pub(super) async fn tell(&self, text: String) -> Result<()> {
        self.0.send(Ok(text.into())).await.map_err(|_| gone())
    }

    /// Cuts the answer off.
    pub(super) fn fail(&self, error: Error) {
        // Nobody is left to tell if this fails.
        drop(self.0.blocking_send(Err(error)));
    }
}

fn gone() -> Error {
    Error::new(
        craton_base::Kind::Unavailable,
        "ClientGone",
        "the client does not read any more",
    )
}

impl http_body::Body for Writing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.pieces
            .poll_recv(cx)
            .map(|piece| piece.map(|p| p.map(Frame::data)))
    }
}
