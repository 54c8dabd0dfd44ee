//! Writing a blob from async code: bytes are collected into pieces, and pieces are sealed and
//! written on threads that may block, one ahead of the caller.

use bytes::{Bytes, BytesMut};
use craton_base::{Error, Result};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{Finished, PIECE_BYTES, Writer};
use crate::budget::Reservation;

/// Shorter bytes are copied together, so that a sender of single bytes does not cost a hundred times their memory.
const COPY_BYTES: usize = 16 << 10;

/// A blob that is being written from async code. Dropped before [`Upload::finish`], it removes what it wrote.
pub struct Upload {
    /// `None` while a piece is being written, and after a failure.
    writer: Option<Writer>,
    working: Option<JoinHandle<Result<Writer>>>,
    ready: Vec<Bytes>,
    ready_bytes: usize,
    small: BytesMut,
    _memory: Reservation,
}

impl Upload {
    /// The most memory that an upload of `len` plain bytes holds (all of it, if the length is not known).
    #[must_use]
    pub fn memory(len: Option<u64>) -> u64 {
        // A piece being collected (the last bytes may overshoot it), one being sealed, and the writer's buffer.
        let most = Writer::MEMORY.saturating_add(3 * PIECE_BYTES as u64);
        len.map_or(most, |len| {
            most.min(len.saturating_mul(3).saturating_add(64 << 10))
        })
    }

    /// Writes through `writer`; `memory` is a reservation of [`Upload::memory`].
    #[must_use]
    pub fn new(writer: Writer, memory: Reservation) -> Self {
        Self {
            writer: Some(writer),
            working: None,
            ready: Vec::new(),
            ready_bytes: 0,
            small: BytesMut::new(),
            _memory: memory,
        }
    }

    /// Appends bytes. Returns when they are taken over, which waits for the disk once a piece is full.
    /// May be cancelled: bytes are then taken over or not, so the upload should be dropped.
    ///
    /// # Errors
    /// As [`Writer::write`], of these bytes or earlier ones.
    pub async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let room = PIECE_BYTES.saturating_sub(self.ready_bytes).max(1);
            let now = data.split_to(room.min(data.len()));
            self.ready_bytes = self.ready_bytes.saturating_add(now.len());
            if now.len() < COPY_BYTES {
                self.small.extend_from_slice(&now);
            } else {
                self.take_small();
                self.ready.push(now);
            }
            if self.ready_bytes >= PIECE_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    fn take_small(&mut self) {
        if !self.small.is_empty() {
            self.ready.push(self.small.split().freeze());
        }
    }

    /// Gives the collected piece to a blocking thread, when the one before is written.
    async fn send(&mut self) -> Result<()> {
        let mut writer = self.take_writer().await?;
        let pieces = self.take_ready();
        self.working = Some(spawn_blocking(move || {
            pieces.iter().try_for_each(|p| writer.write(p))?;
            Ok(writer)
        }));
        Ok(())
    }

    fn take_ready(&mut self) -> Vec<Bytes> {
        self.take_small();
        self.ready_bytes = 0;
        std::mem::take(&mut self.ready)
    }

    async fn take_writer(&mut self) -> Result<Writer> {
        if let Some(working) = &mut self.working {
            let joined = working.await;
            self.working = None;
            self.writer = Some(joined.map_err(stopped)??);
        }
        self.writer
            .take()
            .ok_or_else(|| Error::internal("an upload was used after it failed"))
    }

    /// Ends the blob; it is durable when this returns.
    ///
    /// # Errors
    /// As [`Writer::finish`].
    pub async fn finish(mut self) -> Result<Finished> {
        let mut writer = self.take_writer().await?;
        let pieces = self.take_ready();
        let last = spawn_blocking(move || {
            pieces.iter().try_for_each(|p| writer.write(p))?;
            writer.finish()
        });
        last.await.map_err(stopped)?
    }
}

fn stopped(e: tokio::task::JoinError) -> Error {
    Error::internal("writing a blob stopped before its end").with_source(e)
}

impl Drop for Upload {
    fn drop(&mut self) {
        // An unfinished writer removes a file, which may block.
        if let (Some(writer), Ok(runtime)) = (self.writer.take(), tokio::runtime::Handle::try_current()) {
            drop(runtime.spawn_blocking(move || drop(writer)));
        }
    }
}
