//! A large object in parts: how fast, and in how much memory.

use bytes::{Bytes, BytesMut};
use craton_base::{ByteSize, Result};
use craton_crypto::{hash::Sha256, random::SystemRandom};
use futures::{StreamExt as _, stream};
use object_store::{MultipartUpload as _, ObjectStore, ObjectStoreExt as _, PutPayload, path::Path as Key};

use super::{BUCKET, Tour, broken, point, rate, seconds};
use crate::{client::object_error, files};

/// A part, in bytes. All parts have the same content, so that the client needs little memory itself.
const PART_BYTES: usize = 64 << 20;

/// How many parts are on their way at once.
const AT_ONCE: usize = 2;

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    let store = tour.root.bucket(BUCKET)?;
    let key = Key::from("large");
    let part = part()?;
    let parts = usize::try_from(tour.options.large.bytes())
        .unwrap_or(usize::MAX)
        .div_ceil(PART_BYTES)
        .max(1);
    let total = (PART_BYTES as u64).saturating_mul(parts as u64);
    let ((), took) = tour.timed(put(&*store, &key, &part, parts)).await?;
    let size = ByteSize(total);
    point(
        "put",
        &format!(
            "{size} in {parts} parts, durable in {}: {}",
            seconds(took),
            rate(total, took)
        ),
    );
    let expected = digest(&part, parts);
    let (found, took) = tour.timed(get(&*store, &key)).await?;
    if found != expected {
        return Err(broken("the large object came back different"));
    }
    point(
        "get",
        &format!(
            "{size} in {}: {}, every byte verified",
            seconds(took),
            rate(total, took)
        ),
    );
    store.delete(&key).await.map_err(object_error)?;
    let peak =
        files::peak_memory_bytes().map_or_else(|| "not known here".to_owned(), |b| ByteSize(b).to_string());
    let client = ByteSize(PART_BYTES as u64);
    point(
        "memory",
        &format!("{peak} at the peak, server and client together; {client} of it is the client's part"),
    );
    Ok(())
}

fn part() -> Result<Bytes> {
    let mut out = BytesMut::zeroed(PART_BYTES);
    craton_base::Random::fill(&SystemRandom, &mut out)?;
    Ok(out.freeze())
}

async fn put(store: &dyn ObjectStore, key: &Key, part: &Bytes, parts: usize) -> Result<()> {
    let mut upload = store.put_multipart(key).await.map_err(object_error)?;
    let sending: Vec<_> = (0..parts)
        .map(|_| upload.put_part(PutPayload::from(part.clone())))
        .collect();
    let mut sending = stream::iter(sending).buffer_unordered(AT_ONCE);
    while let Some(sent) = sending.next().await {
        sent.map_err(object_error)?;
    }
    upload.complete().await.map_err(object_error).map(drop)
}

/// The digest of what comes back, a piece at a time.
async fn get(store: &dyn ObjectStore, key: &Key) -> Result<[u8; 32]> {
    let mut pieces = store.get(key).await.map_err(object_error)?.into_stream();
    let mut hash = Sha256::new();
    while let Some(piece) = pieces.next().await {
        hash.update(&piece.map_err(object_error)?);
    }
    Ok(hash.finish())
}

fn digest(part: &[u8], parts: usize) -> [u8; 32] {
    let mut hash = Sha256::new();
    (0..parts).for_each(|_| hash.update(part));
    hash.finish()
}
