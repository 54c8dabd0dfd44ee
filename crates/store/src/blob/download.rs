//! Reading a blob from async code: a stream of verified pieces, read and opened ahead on threads
//! that may block.

use std::{
    collections::VecDeque,
    future::Future,
    ops::Range,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use craton_base::{Error, Result};
use futures::Stream;
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    PIECE_BYTES, Reader,
    reader::{Plan, SMALL_BYTES},
};
use crate::budget::Reservation;

/// How many pieces are read ahead.
const AHEAD: usize = 2;

/// The size of a piece that is read and opened where it is sent: what stays in a core's own cache.
const CACHED_PIECE_BYTES: usize = PIECE_BYTES / 4;

/// From so many downloads on, cores are busy without reading ahead, and waking a thread for each piece costs more
/// than it brings: pieces that need no waiting for the disk are then read and opened where they are sent.
const CROWD: usize = 3;

/// A range of a blob as a stream. An error is the last item.
pub struct Download {
    reader: Arc<Reader>,
    plan: Plan,
    working: VecDeque<JoinHandle<Piece>>,
    scratch: Vec<Vec<u8>>,
    failed: bool,
    _memory: Reservation,
}

/// What a blocking thread gives back: the plain bytes, and its buffer for another piece.
type Piece = (Result<Bytes>, Vec<u8>);

impl Download {
    /// The most memory that a download of a range of `len` bytes holds, the piece that its consumer holds included.
    #[must_use]
    pub fn memory(len: u64) -> u64 {
        // Pieces ahead are there sealed and plain; two more plain ones are on their way out.
        let most = (2 * AHEAD as u64 + 2) * PIECE_BYTES as u64;
        most.min(len.saturating_mul(2).saturating_add(2 * SMALL_BYTES))
    }

    /// The plain bytes of `range`; `memory` is a reservation of [`Download::memory`].
    ///
    /// # Errors
    /// `Invalid` if the range is not within the blob.
    pub fn new(reader: Arc<Reader>, range: Range<u64>, memory: Reservation) -> Result<Self> {
        let plan = Plan::new(reader.plain_len(), range)?;
        reader.downloads().fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            reader,
            plan,
            working: VecDeque::new(),
            scratch: Vec::new(),
            failed: false,
            _memory: memory,
        })
    }

    /// The next piece, if others keep the cores busy and the piece needs no waiting for the disk.
    fn read_here(&mut self) -> Option<Result<Bytes>> {
        if !self.working.is_empty() || self.reader.downloads().load(Ordering::Relaxed) < CROWD {
            return None;
        }
        let range = self.plan.piece(CACHED_PIECE_BYTES)?;
        let mut scratch = self.scratch.pop().unwrap_or_default();
        let read = self.reader.read_cached(range.clone(), &mut scratch);
        self.scratch.push(scratch);
        if read.is_none() {
            self.plan.give_back(&range);
        }
        read
    }

    fn read_ahead(&mut self) {
        while self.working.len() < AHEAD {
            let Some(range) = self.plan.next() else {
                return;
            };
            let reader = Arc::clone(&self.reader);
            let mut scratch = self.scratch.pop().unwrap_or_default();
            self.working.push_back(spawn_blocking(move || {
                let read = reader.read(range, &mut scratch);
                (read, scratch)
            }));
        }
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.reader.downloads().fetch_sub(1, Ordering::Relaxed);
    }
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed {
            return Poll::Ready(None);
        }
        if self.reader.in_memory() {
            let Some(range) = self.plan.next() else {
                return Poll::Ready(None);
            };
            let read = self.reader.read(range, &mut Vec::new());
            self.failed = read.is_err();
            return Poll::Ready(Some(read));
        }
        if let Some(read) = self.read_here() {
            self.failed = read.is_err();
            return Poll::Ready(Some(read));
        }
        self.read_ahead();
        let Some(first) = self.working.front_mut() else {
            return Poll::Ready(None);
        };
        let Poll::Ready(joined) = Pin::new(first).poll(context) else {
            return Poll::Pending;
        };
        self.working.pop_front();
        let read = match joined {
            Ok((read, scratch)) => {
                self.scratch.push(scratch);
                read
            }
            Err(e) => Err(Error::internal("reading a blob stopped before its end").with_source(e)),
        };
        self.failed = read.is_err();
        if !self.failed {
            self.read_ahead();
        }
        Poll::Ready(Some(read))
    }
}
