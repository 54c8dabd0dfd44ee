//! A tier in a folder: another drive of this machine, or one that is mounted.
//!
//! ```text
//! xx/<id>        a blob, by the first byte of its id
//! xx/<id>.part   one that is being written: by one at a time, as the store holds each blob that moves
//! ```
//!
//! Invariant: a blob under its name is whole and durable.

use std::{ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use craton_base::{BlobId, Error, Kind, Result};
use craton_store::{
    disk::{Disk, File, real::RealDisk},
    tier::Tier,
};
use futures::{StreamExt as _, stream::BoxStream};

pub(crate) struct Folder {
    disk: Arc<dyn Disk>,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        Ok(Self {
            disk: Arc::new(RealDisk::open(path)?),
        })
    }
}

fn folder(id: BlobId) -> String {
    let [first, ..] = id.0;
    format!("{first:02x}")
}

fn path(id: BlobId) -> String {
    format!("{}/{id}", folder(id))
}

fn part(id: BlobId) -> String {
    format!("{}.part", path(id))
}

#[async_trait::async_trait]
impl Tier for Folder {
    async fn put(&self, id: BlobId, len: u64, mut content: BoxStream<'static, Result<Bytes>>) -> Result<()> {
        let part = part(id);
        let (disk, name) = (self.disk.clone(), part.clone());
        let file = blocking(move || begin(&*disk, id, &name)).await?;
        let mut offset = 0u64;
        while let Some(piece) = content.next().await {
            let (file, piece) = (file.clone(), piece?);
            let written = piece.len() as u64;
            blocking(move || file.write_at(offset, &piece)).await?;
            offset = offset.saturating_add(written);
        }
        if offset != len {
            return Err(Error::internal(
                "a blob on its way to a folder has another length",
            ));
        }
        let disk = self.disk.clone();
        blocking(move || {
            file.sync()?;
            disk.rename(&part, &path(id))?;
            disk.sync_dir(&folder(id))
        })
        .await
    }

    async fn read(&self, id: BlobId, range: Range<u64>) -> Result<Bytes> {
        let disk = self.disk.clone();
        blocking(move || {
            let file = disk.open(&path(id)).map_err(absent)?;
            let len = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; len];
            file.read_at(range.start, &mut bytes)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }

    async fn delete(&self, id: BlobId) -> Result<()> {
        let disk = self.disk.clone();
        blocking(move || {
            remove(&*disk, &part(id))?;
            remove(&*disk, &path(id))
        })
        .await
    }

    fn put_memory(&self) -> u64 {
        0
    }
}

/// A new file. One of that name is what a process left that was killed.
fn begin(disk: &dyn Disk, id: BlobId, part: &str) -> Result<Arc<dyn File>> {
    disk.create_dir(&folder(id))?;
    disk.sync_dir("")?;
    remove(disk, part)?;
    disk.create(part)
}

fn remove(disk: &dyn Disk, path: &str) -> Result<()> {
    match disk.remove(path) {
        Err(e) if e.kind() == Kind::NotFound => Ok(()),
        other => other,
    }
}

fn absent(e: Error) -> Error {
    match e.kind() {
        Kind::NotFound => {
            Error::new(Kind::NotFound, "NoSuchBlob", "a tier does not have a blob").with_source(e)
        }
        _ => e,
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Error::internal("work on a folder stopped before its end").with_source(e))?
}

#[cfg(test)]
mod tests;
