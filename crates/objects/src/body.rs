//! A body on its way in: taken piece by piece, hashed beside the sealing, compared with what the
//! client stated, and handed to the permit as content.
//!
//! Small bodies become inline content and are hashed where they are. Larger ones are hashed in
//! batches on other threads while the next pieces are sealed and written; no thread is held
//! while a slow client sends nothing.
//!
//! Deliberately absent: signatures and chunk framing. The stream given here ends cleanly only if the
//! gate verified it.

use std::{pin::Pin, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::{Bytes, BytesMut};
use craton_base::Error as BaseError;
use craton_gate::{Extent, Upload, WritePermit};
use futures::{Stream, StreamExt as _};

use crate::{
    Error, Fault, Result,
    checksum::{Algorithm, Hasher},
    hashing::{self, Hashing},
    md5::Md5,
};

/// The largest object in one put, and the largest part: 5 GiB.
pub const PUT_BYTES_MAX: u64 = 5 << 30;

/// How many bytes are hashed in one go on another thread.
pub const HASH_BATCH_BYTES: usize = 512 << 10;

/// Trailers that come after a body, to be asked once it has ended.
pub trait Trailers: Send + Sync {
    /// The value of a trailer.
    fn value(&self, name: &str) -> Option<String>;
}

/// The pieces of a body.
pub type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, BaseError>> + Send>>;

/// A body.
pub struct Body {
    /// Its pieces, in order.
    pub pieces: Pieces,
    /// Its length in bytes, where it is known beforehand.
    pub len: Option<u64>,
    /// What comes after it.
    pub trailers: Option<Arc<dyn Trailers>>,
}

impl Body {
    /// A body that is in memory.
    #[must_use]
    pub fn of(data: Bytes) -> Self {
        let len = Some(data.len() as u64);
        Self {
            pieces: Box::pin(futures::stream::iter([Ok(data)])),
            len,
            trailers: None,
        }
    }
}

/// Where the client states a checksum's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Beforehand.
    Value(Vec<u8>),
    /// In a trailer.
    Trailer,
}

/// What the client states about a body's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// A checksum.
    pub checksum: Option<(Algorithm, Stated)>,
}

impl Claims {
    /// Reads a `Content-MD5` header.
    ///
    /// # Errors
    /// `InvalidDigest`.
    pub fn parse_md5(header: &str) -> Result<[u8; 16]> {
        let bad = || {
            Error::fault(
                Fault::InvalidDigest,
                "The Content-MD5 you specified is not valid.",
            )
        };
        let value = BASE64.decode(header.trim()).map_err(|_| bad())?;
        value.try_into().map_err(|_| bad())
    }
}

/// A body that has arrived, was compared and is durable.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it is.
    pub content: Vec<Extent>,
    /// Its size, in bytes.
    pub size: u64,
    /// Its MD5.
    pub md5: [u8; 16],
    /// Its checksum, by the algorithm that was asked for.
    pub checksum: Vec<u8>,
}

/// The digests of a body, computed in one pass.
pub(crate) struct Digests {
    pub(crate) md5: Md5,
    hashers: Vec<Hasher>,
}

impl Digests {
    pub(crate) fn new(stored: Algorithm, claims: &Claims) -> Self {
        let mut hashers = vec![Hasher::new(stored)];
        if let Some((stated, _)) = &claims.checksum
            && *stated != stored
        {
            hashers.push(Hasher::new(*stated));
        }
        Self {
            md5: Md5::default(),
            hashers,
        }
    }

    fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.hashers.iter_mut().for_each(|h| h.update(data));
    }

    /// Takes in bytes that MD5 has taken in already.
    pub(crate) fn update_checksums(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            self.hashers.iter_mut().for_each(|h| h.update(piece));
        }
    }

    pub(crate) fn finish(self) -> Sums {
        let sums = self
            .hashers
            .into_iter()
            .map(|h| (h.algorithm(), h.finish()))
            .collect();
        Sums {
            md5: self.md5.finish(),
            sums,
        }
    }
}

pub(crate) struct Sums {
    pub(crate) md5: [u8; 16],
    sums: Vec<(Algorithm, Vec<u8>)>,
}

impl Sums {
    pub(crate) fn of(&self, algorithm: Algorithm) -> &[u8] {
        self.sums
            .iter()
            .find(|(a, _)| *a == algorithm)
            .map_or(&[], |(_, v)| v)
    }

    fn verify(&self, claims: &Claims, trailers: Option<&Arc<dyn Trailers>>) -> Result<()> {
        if claims.md5.is_some_and(|stated| stated != self.md5) {
            return Err(Error::fault(
                Fault::BadDigest,
                "The Content-MD5 you specified did not match what we received.",
            ));
        }
        let Some((algorithm, stated)) = &claims.checksum else {
            return Ok(());
        };
        let value = match stated {
            Stated::Value(value) => value.clone(),
            Stated::Trailer => {
                let text = trailers
                    .and_then(|t| t.value(algorithm.header()))
                    .ok_or_else(|| {
                        let message = format!("The announced trailer {} did not come.", algorithm.header());
                        Error::fault(Fault::MalformedTrailerError, message)
                    })?;
                algorithm.parse(&text)?
            }
        };
        if value == self.of(*algorithm) {
            Ok(())
        } else {
            Err(mismatch(*algorithm))
        }
    }
}

/// Compares a small body that is in memory with what the client stated about it.
///
/// # Errors
/// `BadDigest`, `MalformedTrailerError`, `InvalidRequest`.
pub fn verify(data: &[u8], claims: &Claims, trailers: Option<&Arc<dyn Trailers>>) -> Result<()> {
    let Some(algorithm) = claims
        .checksum
        .as_ref()
        .map(|(a, _)| *a)
        .or(claims.md5.map(|_| Algorithm::Crc32c))
    else {
        return Ok(());
    };
    let mut digests = Digests::new(algorithm, claims);
    digests.update(data);
    digests.finish().verify(claims, trailers)
}

/// The error for a checksum that does not match.
pub(crate) fn mismatch(algorithm: Algorithm) -> Error {
    let message = format!(
        "The {} you specified did not match the calculated checksum.",
        algorithm.name()
    );
    Error::fault(Fault::BadDigest, message)
}

/// Digests that are computed on other threads, one batch behind the stream.
struct Pipeline {
    waiting: Vec<Bytes>,
    waiting_bytes: usize,
    state: State,
}

enum State {
    Idle(Box<Digests>),
    Busy(Hashing),
    Taken,
}

impl Pipeline {
    fn new(digests: Digests) -> Self {
        Self {
            waiting: Vec::new(),
            waiting_bytes: 0,
            state: State::Idle(Box::new(digests)),
        }
    }

    async fn push(&mut self, data: Bytes) -> Result<()> {
        self.waiting_bytes = self.waiting_bytes.saturating_add(data.len());
        self.waiting.push(data);
        if self.waiting_bytes < HASH_BATCH_BYTES {
            return Ok(());
        }
        let digests = self.take().await?;
        self.start(digests);
        Ok(())
    }

    fn start(&mut self, digests: Box<Digests>) {
        let batch = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.state = State::Busy(hashing::start(digests, batch));
    }

    async fn take(&mut self) -> Result<Box<Digests>> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Idle(digests) => Ok(digests),
            State::Busy(hashing) => Ok(hashing.finish().await?),
            State::Taken => Err(BaseError::internal("a body's digest failed before").into()),
        }
    }

    async fn finish(mut self) -> Result<Sums> {
        let digests = self.take().await?;
        self.start(digests);
        Ok(self.take().await?.finish())
    }
}

/// Takes `body` in as content of the object `name`, at most `limit` bytes, and compares it with `claims`.
///
/// # Errors
/// `EntityTooLarge`, `IncompleteBody`, `BadDigest`, `MalformedTrailerError`; the stream's own; the
/// permit's own. Nothing stays of a body that fails.
pub async fn receive(
    permit: &WritePermit,
    name: &[u8],
    body: Body,
    stored: Algorithm,
    claims: &Claims,
    limit: u64,
) -> Result<Received> {
    if body.len.is_some_and(|len| len > limit) {
        return Err(too_large(limit));
    }
    let Body {
        mut pieces,
        len,
        trailers,
    } = body;
    let (head, ended) = gather(&mut pieces, len).await?;
    let mut digests = Digests::new(stored, claims);
    if ended {
        let data = concat(head);
        check_length(data.len() as u64, len)?;
        digests.update(&data);
        let sums = digests.finish();
        sums.verify(claims, trailers.as_ref())?;
        let content = if data.is_empty() {
            Vec::new()
        } else {
            vec![permit.inline(name, &data)?]
        };
        return Ok(received(content, data.len() as u64, &sums, stored));
    }
    let mut upload = permit.upload(name).await?;
    let mut pipeline = Pipeline::new(digests);
    let mut size = 0;
    for piece in head {
        add(&mut upload, &mut pipeline, &mut size, piece, limit).await?;
    }
    while let Some(piece) = pieces.next().await {
        add(&mut upload, &mut pipeline, &mut size, piece?, limit).await?;
    }
    check_length(size, len)?;
    // The last batch is hashed while the content is flushed; content that no commit names is deleted again.
    let (sums, extent) = tokio::join!(pipeline.finish(), upload.finish());
    let sums = sums?;
    sums.verify(claims, trailers.as_ref())?;
    Ok(received(vec![extent?], size, &sums, stored))
}

fn received(content: Vec<Extent>, size: u64, sums: &Sums, stored: Algorithm) -> Received {
    Received {
        content,
        size,
        md5: sums.md5,
        checksum: sums.of(stored).to_vec(),
    }
}

/// Takes pieces until there are too many bytes to sit inline, and says whether the body has ended.
async fn gather(pieces: &mut Pieces, len: Option<u64>) -> Result<(Vec<Bytes>, bool)> {
    let mut head = Vec::new();
    let mut bytes = 0usize;
    if len.is_some_and(|len| len > WritePermit::INLINE_BYTES_MAX as u64) {
        return Ok((head, false));
    }
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        bytes = bytes.saturating_add(piece.len());
        head.push(piece);
        if bytes > WritePermit::INLINE_BYTES_MAX {
            return Ok((head, false));
        }
    }
    Ok((head, true))
}

fn concat(mut pieces: Vec<Bytes>) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop().unwrap_or_default();
    }
    let mut out = BytesMut::with_capacity(pieces.iter().map(Bytes::len).sum());
    pieces.iter().for_each(|p| out.extend_from_slice(p));
    out.freeze()
}

async fn add(
    upload: &mut Upload,
    pipeline: &mut Pipeline,
    size: &mut u64,
    piece: Bytes,
    limit: u64,
) -> Result<()> {
    *size = size.saturating_add(piece.len() as u64);
    if *size > limit {
        return Err(too_large(limit));
    }
    pipeline.push(piece.clone()).await?;
    Ok(upload.write(piece).await?)
}

fn check_length(size: u64, len: Option<u64>) -> Result<()> {
    if len.is_none_or(|len| len == size) {
        return Ok(());
    }
    Err(Error::fault(
        Fault::IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    ))
}

fn too_large(limit: u64) -> Error {
    let message = format!("Your proposed upload exceeds the maximum allowed size of {limit} bytes.");
    Error::fault(Fault::EntityTooLarge, message).naming("MaxSizeAllowed", limit.to_string())
}

#[cfg(test)]
mod tests;
