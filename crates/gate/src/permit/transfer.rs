//! Content on its way through a permit: counted, and held to it to the end.
//!
//! Invariant: what moves is taken from the session's budgets and added to the permit's outcome before it is handed on.

use std::{pin::Pin, sync::Arc, task::Poll};

use bytes::{Bytes, BytesMut};
use craton_base::{Error, Kind, Result};
use craton_store::{content::ContentStream, store::Upload as StoreUpload, value::Extent};
use futures::{Stream, StreamExt as _};

use super::Permit;

/// Content on its way out; holds the permit, and records how much left when it is dropped.
pub enum Content {
    /// All of it.
    Whole(Bytes),
    /// Piece by piece.
    Stream(ContentBody),
}

/// A stream of content that reports to its permit.
pub struct ContentBody {
    pub(super) stream: ContentStream,
    pub(super) permit: Arc<Permit>,
}

/// Content on its way in. Dropped without [`Upload::finish`], nothing stays.
pub struct Upload {
    pub(super) upload: StoreUpload,
    pub(super) permit: Arc<Permit>,
}

/// Content in memory, of at most `bytes_max` bytes.
pub(super) async fn whole(
    extents: &[Extent],
    bytes_max: u64,
    open: impl FnOnce(std::ops::Range<u64>) -> Result<craton_store::store::Content>,
) -> Result<Bytes> {
    let size = extents
        .iter()
        .fold(0u64, |sum, extent| sum.saturating_add(extent.len));
    if size > bytes_max {
        let text = format!("the content has {size} bytes; at most {bytes_max} are read whole");
        return Err(Error::new(Kind::TooLarge, "ContentTooLarge", text));
    }
    match open(0..size)? {
        craton_store::store::Content::Whole(bytes) => Ok(bytes),
        craton_store::store::Content::Stream(mut stream) => {
            let mut out = BytesMut::new();
            while let Some(piece) = stream.next().await {
                out.extend_from_slice(&piece?);
            }
            Ok(out.freeze())
        }
    }
}

impl Stream for ContentBody {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(cx).map_ok(|bytes| {
            let within = self.permit.spend(bytes.len() as u64);
            within.map(|()| bytes)
        });
        let polled = polled.map(|next| next.map(Result::flatten));
        if let Poll::Ready(Some(Err(e))) = &polled {
            self.permit.failed(e.kind(), e.reason());
        }
        polled
    }
}

impl Upload {
    /// Adds content; waits while the memory budget or the disk is behind.
    ///
    /// # Errors
    /// The disk's own.
    pub async fn write(&mut self, content: Bytes) -> Result<()> {
        self.permit.moved(content.len() as u64);
        self.upload.write(content).await
    }

    /// Makes the content durable; it exists for others once a commit names the extent.
    ///
    /// # Errors
    /// The disk's own.
    pub async fn finish(self) -> Result<Extent> {
        self.upload.finish().await
    }
}
