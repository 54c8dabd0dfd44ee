//! Content on its way out: the extents of a value one after the other, opened when their turn comes,
//! within the budget for downloads.
//!
//! Invariants: exactly the bytes that were asked for, each verified, or an error as the last item; at any
//! time one extent is open and its memory is reserved.
//!
//! A task that also uploads reserves for the upload first: then those who hold download memory never
//! wait for uploads, and nobody waits in a circle.
//!
//! Deliberately absent: what the content is.

use std::{
    collections::VecDeque,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use craton_base::{BlobId, Error, Result};
use craton_crypto::{keys::SealKey, seal};
use futures::Stream;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::{
    blob::{Blobs, Download, MISSING, Reader},
    budget::{Budget, Reservation},
    tier::Tiers,
};

/// A piece of content that is to be sent.
pub(crate) enum Piece {
    /// From memory.
    Whole(Bytes),
    /// From a blob.
    Blob {
        id: BlobId,
        key: SealKey,
        context: Vec<u8>,
        /// The blob's content, in bytes.
        len: u64,
        range: Range<u64>,
        /// The tier where it is; `None`: on the disk.
        tier: Option<Arc<str>>,
    },
}

/// Where blobs are.
#[derive(Clone)]
pub(crate) struct Places {
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) tiers: Arc<Tiers>,
}

/// Content as a stream of pieces of at most about half a megabyte.
pub struct ContentStream {
    // Never locked: it makes the stream `Sync`, which bodies must be, though the future in it is not.
    state: Mutex<State>,
}

struct State {
    places: Places,
    budget: Budget,
    left: VecDeque<Piece>,
    now: Now,
}

enum Now {
    /// The next piece is to be begun.
    Between,
    /// Waiting for memory.
    Waiting(Pin<Box<dyn Future<Output = Result<Reservation>> + Send>>),
    /// Opening a blob at a tier.
    Opening(JoinHandle<Result<Download>>),
    /// Sending a blob.
    Sending(Download),
    /// After the end or an error.
    Ended,
}

impl ContentStream {
    pub(crate) fn new(places: Places, budget: Budget, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let left = pieces.into_iter().collect();
        Self {
            state: Mutex::new(State {
                places,
                budget,
                left,
                now: Now::Between,
            }),
        }
    }
}

impl Stream for ContentStream {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let state = self.state.get_mut();
        let item = ready!(state.poll(cx));
        if !matches!(item, Some(Ok(_))) {
            state.now = Now::Ended;
        }
        Poll::Ready(item)
    }
}

impl State {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match &mut self.now {
                Now::Ended => return Poll::Ready(None),
                Now::Between => match self.left.front() {
                    None => return Poll::Ready(None),
                    Some(Piece::Whole(_)) => {
                        let Some(Piece::Whole(bytes)) = self.left.pop_front() else {
                            continue;
                        };
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    Some(Piece::Blob { range, .. }) => {
                        let len = range.end.saturating_sub(range.start);
                        self.now = Now::Waiting(Box::pin(self.budget.reserve(Download::memory(len))));
                    }
                },
                Now::Waiting(reserve) => {
                    let memory = match ready!(reserve.as_mut().poll(cx)) {
                        Ok(memory) => memory,
                        Err(e) => return Poll::Ready(Some(Err(e))),
                    };
                    match self.begin(memory) {
                        Ok(now) => self.now = now,
                        Err(e) => return Poll::Ready(Some(Err(e))),
                    }
                }
                Now::Opening(opening) => match ready!(Pin::new(opening).poll(cx)) {
                    Ok(Ok(download)) => self.now = Now::Sending(download),
                    Ok(Err(e)) => return Poll::Ready(Some(Err(e))),
                    Err(e) => {
                        let error = Error::internal("opening a blob at its tier ended").with_source(e);
                        return Poll::Ready(Some(Err(error)));
                    }
                },
                Now::Sending(download) => match ready!(Pin::new(download).poll_next(cx)) {
                    None => self.now = Now::Between,
                    item => return Poll::Ready(item),
                },
            }
        }
    }

    fn begin(&mut self, memory: Reservation) -> Result<Now> {
        let Some(Piece::Blob {
            id,
            key,
            context,
            len,
            range,
            tier,
        }) = self.left.pop_front()
        else {
            return Ok(Now::Between);
        };
        if tier.is_none() {
            match Reader::open(&self.places.blobs, id, &key, &context, len) {
                // It has moved since its place was read.
                Err(e) if e.reason() == MISSING && !self.places.tiers.is_empty() => {}
                opened => {
                    return Ok(Now::Sending(Download::new(Arc::new(opened?), range, memory)?));
                }
            }
        }
        let Places { blobs, tiers } = self.places.clone();
        Ok(Now::Opening(tokio::task::spawn_blocking(move || {
            let file = tiers.open(tier.as_deref(), id, seal::sealed_len(len));
            let reader = Reader::of_file(&blobs, file, id, (&key, &context), len)?;
            Download::new(Arc::new(reader), range, memory)
        })))
    }
}
