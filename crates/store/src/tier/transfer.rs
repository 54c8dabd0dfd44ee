//! Moving blobs between the disk and tiers: copied, verified, and named by whoever commits.
//!
//! Sealed bytes are moved as they are. So nothing here needs a key, and what was sealed under a client's own key
//! moves too.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BlobId, Error, Kind as ErrorKind, Result};
use craton_crypto::seal::sealed_len;
use futures::{StreamExt as _, stream::BoxStream};
use parking_lot::Mutex;

use super::{Held, PIECE_BYTES, Tier, garbage_key};
use crate::{
    blob::{Blobs, RawWriter},
    disk::File,
    namespace::{Batch, Change},
    store::Store,
    value::Extent,
};

/// How many blobs one commit lists.
const LISTED_AT_ONCE: usize = 1024;

/// What is kept of bytes on their way, to compare.
#[derive(Default, PartialEq, Eq)]
struct Seen {
    len: u64,
    crc: u64,
}

impl Store {
    /// Copies the blobs of content to a tier, and gives the content as it stands there; inline content stays. To be
    /// named by a commit; until then both places have it, and if none follows, the tier's copy is deleted again.
    ///
    /// # Errors
    /// `Unavailable`, the tier's own; `Busy` if one of the blobs is being moved.
    pub async fn send_out(&self, content: &[Extent], tier: &str) -> Result<Vec<Extent>> {
        let (name, place) = self.tiers().get(tier)?;
        let goes = |e: &&Extent| e.inline.is_none() && e.tier.as_deref() != Some(tier);
        let moving: Vec<&Extent> = content.iter().filter(goes).collect();
        let mut held = Vec::with_capacity(moving.len());
        for extent in &moving {
            held.push(self.tiers().hold(extent.id)?);
        }
        self.list_as_garbage(tier, &moving).await?;
        let memory = place.put_memory().saturating_add(2 * PIECE_BYTES as u64);
        let _memory = self.parts().uploads.reserve(memory).await?;
        let mut held = held.into_iter();
        let mut out = Vec::with_capacity(content.len());
        for extent in content {
            if !goes(&extent) {
                out.push(extent.clone());
                continue;
            }
            self.send_one(extent, &place).await?;
            out.push(Extent {
                tier: Some(name.clone()),
                copied: false,
                fresh: None,
                held: held.next(),
                ..extent.clone()
            });
        }
        Ok(out)
    }

    async fn list_as_garbage(&self, tier: &str, extents: &[&Extent]) -> Result<()> {
        for some in extents.chunks(LISTED_AT_ONCE) {
            let listed = |e: &&Extent| Change::Put(garbage_key(tier, e.id), Bytes::new());
            let batch = Batch {
                preconditions: vec![],
                changes: some.iter().map(listed).collect(),
            };
            self.parts().committer.commit(batch).await?;
        }
        Ok(())
    }

    async fn send_one(&self, extent: &Extent, place: &Arc<dyn Tier>) -> Result<()> {
        let len = sealed_len(extent.len);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let content = self.sealed(extent, len)?;
        let watched = {
            let seen = seen.clone();
            content.inspect(move |piece| {
                if let Ok(bytes) = piece {
                    seen.lock().take(bytes);
                }
            })
        };
        place.put(extent.id, len, watched.boxed()).await?;
        let mut back = Seen::default();
        let mut there = remote_pieces(place.clone(), extent.id, len);
        while let Some(piece) = there.next().await {
            back.take(&piece?);
        }
        if back != *seen.lock() || back.len != len {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "TierAltersContent",
                format!(
                    "a tier gives other bytes back than it was given for blob {}",
                    extent.id
                ),
            ));
        }
        Ok(())
    }

    /// The sealed bytes of a blob, from where it is.
    fn sealed(&self, extent: &Extent, len: u64) -> Result<BoxStream<'static, Result<Bytes>>> {
        if let (Some(tier), false) = (&extent.tier, extent.copied) {
            return Ok(remote_pieces(self.tiers().get(tier)?.1, extent.id, len));
        }
        let file = self.parts().blobs.file(extent.id)?;
        if file.len()? != len {
            return Err(Error::corrupt(format!("blob {} has another length", extent.id)));
        }
        Ok(local_pieces(file, len))
    }

    /// Copies the blobs of content from their tiers to the disk, and gives the content with these copies. To be named
    /// by a commit; until then the copies go when the content does.
    ///
    /// # Errors
    /// `Unavailable`, the tier's own; the disk's own; `Busy` if one of the blobs is being moved.
    pub async fn bring_back(&self, content: &[Extent]) -> Result<Vec<Extent>> {
        let _memory = self.parts().uploads.reserve(2 * PIECE_BYTES as u64).await?;
        let mut out = Vec::with_capacity(content.len());
        for extent in content {
            out.push(match &extent.tier {
                Some(tier) if !extent.copied => {
                    let (_, place) = self.tiers().get(tier)?;
                    self.bring_one(extent, place).await?
                }
                _ => extent.clone(),
            });
        }
        Ok(out)
    }

    async fn bring_one(&self, extent: &Extent, place: Arc<dyn Tier>) -> Result<Extent> {
        let held: Arc<Held> = self.tiers().hold(extent.id)?;
        let fresh = self.fresh.begin(extent.id);
        let mut writer = begin_copy(&self.parts().blobs, extent.id).await?;
        let mut pieces = remote_pieces(place, extent.id, sealed_len(extent.len));
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            writer = blocking(move || {
                writer.write(&piece)?;
                Ok(writer)
            })
            .await?;
        }
        blocking(move || writer.finish()).await?;
        fresh.set_durable();
        Ok(Extent {
            copied: true,
            fresh: Some(fresh),
            held: Some(held),
            ..extent.clone()
        })
    }
}

/// A file for a copy. One that is there is of a copy that was let go and is not yet collected.
async fn begin_copy(blobs: &Arc<Blobs>, id: BlobId) -> Result<RawWriter> {
    let blobs = blobs.clone();
    blocking(move || {
        blobs.delete(id)?;
        RawWriter::new(&blobs, id)
    })
    .await
}

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        let algorithm = crc_fast::CrcAlgorithm::Crc64Nvme;
        let one = crc_fast::checksum(algorithm, bytes);
        self.crc = match self.len {
            0 => one,
            _ => crc_fast::checksum_combine(algorithm, self.crc, one, bytes.len() as u64),
        };
        self.len = self.len.saturating_add(bytes.len() as u64);
    }
}

fn remote_pieces(place: Arc<dyn Tier>, id: BlobId, len: u64) -> BoxStream<'static, Result<Bytes>> {
    pieces(len)
        .then(move |range| {
            let place = place.clone();
            async move { place.read(id, range).await }
        })
        .boxed()
}

fn local_pieces(file: Arc<dyn File>, len: u64) -> BoxStream<'static, Result<Bytes>> {
    pieces(len)
        .then(move |range| {
            let file = file.clone();
            blocking(move || {
                let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(PIECE_BYTES);
                let mut bytes = vec![0; len];
                file.read_at(range.start, &mut bytes)?;
                Ok(Bytes::from(bytes))
            })
        })
        .boxed()
}

fn pieces(len: u64) -> futures::stream::Iter<impl Iterator<Item = std::ops::Range<u64>>> {
    let piece = PIECE_BYTES as u64;
    futures::stream::iter((0..len.div_ceil(piece)).map(move |n| {
        let start = n.saturating_mul(piece);
        start..len.min(start.saturating_add(piece))
    }))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("moving a blob stopped before its end").with_source(e))?
}
