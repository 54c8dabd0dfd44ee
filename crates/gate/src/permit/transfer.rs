//! Content on its way through a permit: counted, and held to it to the end.
//!
//! Invariant: what moves is added to the permit's outcome before it is handed on.

use std::{pin::Pin, sync::Arc, task::Poll};

use bytes::Bytes;
use craton_base::Result;
use craton_store::{content::ContentStream, store::Upload as StoreUpload, value::Extent};
use futures::Stream;

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

impl Stream for ContentBody {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.stream).poll_next(cx);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => self.permit.moved(bytes.len() as u64),
            Poll::Ready(Some(Err(e))) => self.permit.failed(e.kind(), e.reason()),
            _ => {}
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
