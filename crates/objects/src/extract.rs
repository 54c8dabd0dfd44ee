//! Putting the files of an archive that was put (Snowball's "auto extract"), compressed or not: each file becomes an object by the
//! same way as any put, with a permit of its own.
//!
//! Invariants
//! - nothing is made of an archive before all of it has arrived and every digest that the client stated was
//!   compared: until then it lies sealed, named by no commit, and goes when the request ends;
//! - of the archive one window is in memory, what unpacking it takes, and as many small files as are put at once.
//!
//! Memory is reserved in the order of a copy: while a window is read nothing is waited for but the disk.
//!
//! Deliberately absent: who may put which file; what is kept with one.

use std::{future::Future, sync::Arc};

use bytes::{Bytes, BytesMut};
use craton_base::ObjectKey;
use craton_gate::{Changes, Content, Extent, WritePermit};
use futures::{StreamExt as _, TryStreamExt as _, stream::FuturesUnordered};

use crate::{
    Error, Fault, Result,
    archive::{Archive, Entry},
    body::{self, Body, Claims, PUT_BYTES_MAX, Pieces, Received},
    checksum::Algorithm,
    unpack::unpacked,
};

/// How much of an archive is read at once, in bytes.
const WINDOW_BYTES: u64 = 256 << 10;

/// How many small files are put at once: their commits share flushes.
const AT_ONCE_MAX: usize = 16;

/// Takes an archive in and puts its files by `put`, under `prefix`. How many there were.
///
/// # Errors
/// Those of [`body::receive`]; `InvalidRequest` for what is no archive, `KeyTooLongError` and the like for names
/// that are no keys; what `put` returns. Files that were put before stay.
pub async fn extract<E, F, P>(
    permit: WritePermit,
    key: &ObjectKey,
    prefix: &str,
    (body, claims): (Body, &Claims),
    put: P,
) -> Result<u64, E>
where
    E: From<Error>,
    F: Future<Output = Result<(), E>>,
    P: Fn(ObjectKey, Body) -> F,
{
    let name = key.as_str().as_bytes();
    let received = body::receive(&permit, name, body, Algorithm::Crc64Nvme, claims, PUT_BYTES_MAX).await?;
    // The record that the archive came and was allowed.
    permit.commit(Changes::new()).await.map_err(Error::from)?;
    let windows = windows(Arc::new(permit), Bytes::copy_from_slice(name), received);
    let mut archive = Archive::new(unpacked(windows).await?);
    let mut running = FuturesUnordered::new();
    let mut count = 0u64;
    while let Some(entry) = archive.next().await? {
        let key = key_of(prefix, &entry)?;
        let small = entry.size <= WritePermit::INLINE_BYTES_MAX as u64;
        let (content, back) = archive.content(&entry);
        if small {
            let whole = collected(content).await?;
            running.push(put(key, Body::of(whole)));
            if running.len() >= AT_ONCE_MAX {
                running.next().await.transpose()?;
            }
        } else {
            let body = Body {
                pieces: content,
                len: Some(entry.size),
                trailers: None,
            };
            put(key, body).await?;
        }
        count = count.saturating_add(1);
        archive = back.await.map_err(|_| lost())?;
    }
    while running.next().await.transpose()?.is_some() {}
    Ok(count)
}

fn lost() -> Error {
    craton_base::Error::internal("an archive was not given back").into()
}

async fn collected(content: Pieces) -> Result<Bytes> {
    let whole = content.try_fold(BytesMut::new(), |mut out, piece| async move {
        out.extend_from_slice(&piece);
        Ok(out)
    });
    Ok(whole.await?.freeze())
}

fn key_of(prefix: &str, entry: &Entry) -> Result<ObjectKey> {
    let name = entry.name.strip_prefix("./").unwrap_or(&entry.name);
    let key = match prefix {
        "" => name.to_owned(),
        prefix => format!("{}/{name}", prefix.trim_end_matches('/')),
    };
    if name.split('/').any(|part| part == "..") {
        let message = format!("The archive names a file that may not be put: {:?}.", entry.name);
        return Err(Error::fault(Fault::InvalidRequest, message));
    }
    Ok(ObjectKey::new(&key)?)
}

/// The archive, window by window, each read to its end before it is handed on.
fn windows(permit: Arc<WritePermit>, name: Bytes, received: Received) -> Pieces {
    let Received { content, size, .. } = received;
    let content: Arc<[Extent]> = content.into();
    let starts = futures::stream::iter((0..size).step_by(usize::try_from(WINDOW_BYTES).unwrap_or(1)));
    Box::pin(starts.then(move |start| {
        let (permit, name, content) = (permit.clone(), name.clone(), content.clone());
        async move {
            let range = start..start.saturating_add(WINDOW_BYTES).min(size);
            match permit.reread(&name, &content, range)? {
                Content::Whole(bytes) => Ok(bytes),
                Content::Stream(stream) => {
                    let pieces: Vec<Bytes> = stream.try_collect().await?;
                    Ok(pieces.concat().into())
                }
            }
        }
    }))
}
