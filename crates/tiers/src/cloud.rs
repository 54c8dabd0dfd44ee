//! A tier at somebody's object store.
//!
//! A blob up to [`PART_BYTES`] is one object by one request; a larger one is sent in parts.
//!
//! Deliberately absent: addresses and secrets, which are the client's.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use craton_base::{BlobId, Error, Kind, Result};
use craton_store::tier::{PIECE_BYTES, Tier};
use futures::{StreamExt as _, stream::BoxStream};
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, path::Path};

/// How large the parts of a blob are: the least that S3 takes, in bytes.
const PART_BYTES: usize = 5 << 20;

pub(crate) struct Cloud {
    store: Arc<dyn ObjectStore>,
    prefix: String,
}

impl Cloud {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/').to_owned();
        Self { store, prefix }
    }

    fn path(&self, id: BlobId) -> Path {
        match self.prefix.as_str() {
            "" => Path::from(id.to_string()),
            prefix => Path::from(format!("{prefix}/{id}")),
        }
    }

    async fn put_in_parts(
        &self,
        path: &Path,
        first: Vec<Bytes>,
        mut content: BoxStream<'static, Result<Bytes>>,
    ) -> Result<()> {
        let mut upload = self.store.put_multipart(path).await.map_err(failed)?;
        let mut next = Some(first);
        while let Some(part) = next {
            let sent = upload.put_part(PutPayload::from_iter(part)).await.map_err(failed);
            let read = match sent {
                Ok(()) => read_part(&mut content).await,
                Err(e) => Err(e),
            };
            next = match read {
                Ok(part) => part,
                Err(e) => return Err(give_up(upload, e).await),
            };
        }
        match upload.complete().await {
            Ok(_) => Ok(()),
            Err(e) => Err(give_up(upload, failed(e)).await),
        }
    }
}

/// The parts that were sent are of no use to anybody.
async fn give_up(mut upload: Box<dyn MultipartUpload>, error: Error) -> Error {
    // What is left of them, the store's own rules remove.
    drop(upload.abort().await);
    error
}

/// Pieces of about a part; `None` at the end.
async fn read_part(content: &mut BoxStream<'static, Result<Bytes>>) -> Result<Option<Vec<Bytes>>> {
    let (mut part, mut len) = (Vec::new(), 0usize);
    while len < PART_BYTES {
        let Some(piece) = content.next().await else { break };
        let piece = piece?;
        len = len.saturating_add(piece.len());
        part.push(piece);
    }
    Ok((!part.is_empty()).then_some(part))
}

#[async_trait::async_trait]
impl Tier for Cloud {
    async fn put(&self, id: BlobId, len: u64, mut content: BoxStream<'static, Result<Bytes>>) -> Result<()> {
        let path = self.path(id);
        let first = read_part(&mut content).await?.unwrap_or_default();
        if len > PART_BYTES as u64 {
            return self.put_in_parts(&path, first, content).await;
        }
        let put = self.store.put(&path, PutPayload::from_iter(first)).await;
        put.map(drop).map_err(failed)
    }

    async fn read(&self, id: BlobId, range: Range<u64>) -> Result<Bytes> {
        self.store.get_range(&self.path(id), range).await.map_err(failed)
    }

    async fn delete(&self, id: BlobId) -> Result<()> {
        match self.store.delete(&self.path(id)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            other => other.map_err(failed),
        }
    }

    fn put_memory(&self) -> u64 {
        (PART_BYTES + PIECE_BYTES) as u64
    }
}

/// Not in the client's words: they may hold addresses with signatures. They are the error's source.
fn failed(error: object_store::Error) -> Error {
    match error {
        object_store::Error::NotFound { .. } => {
            Error::new(Kind::NotFound, "NoSuchBlob", "a tier does not have a blob")
        }
        other => Error::new(
            Kind::Unavailable,
            "TierUnavailable",
            "a tier does not answer as it should",
        )
        .with_source(other),
    }
}

#[cfg(test)]
mod tests;
