//! Sealing of blobs: C2SP chunked encryption (<https://c2sp.org/chunked-encryption>) with SHA-512 and
//! AES-256-GCM, which others call Cobblestone-256.
//!
//! ```text
//! salt(24) || commitment(32) || { 16 KiB sealed || tag(16) }* || { < 16 KiB sealed || tag(16) }
//! key(32) || base nonce(12) || commitment(32) = HKDF-Expand-SHA-512(input key,
//!     "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" || 0x00 || salt || context)
//! nonce of chunk n = base nonce XOR n (big-endian)
//! ```
//!
//! Invariants: the last chunk, and only it, is shorter than 16 KiB, so a message cut at a chunk
//! border is told apart from a whole one; [`Opener`] hands out only bytes that verified, and on
//! any failure leaves the output as it was; a salt is used once for a key (the caller draws it at random).
//!
//! Deliberately absent: where sealed bytes live, and which context a kind of blob uses.

use std::ops::Range;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use craton_base::{Error, Kind, Random, Result, random};
use zeroize::Zeroizing;

use crate::{
    hash,
    keys::{self, SealKey},
};

/// Plain bytes in a full chunk.
pub const CHUNK: usize = 16_384;
/// Bytes of an authentication tag.
pub const TAG: usize = 16;
/// Bytes of a full chunk after sealing.
pub const SEALED_CHUNK: usize = CHUNK + TAG;
/// Bytes of the salt.
pub const SALT: usize = 24;
/// Bytes before the first chunk: salt and commitment.
pub const HEADER: usize = SALT + COMMITMENT;
/// A message has fewer chunks than this (4 PiB).
pub const CHUNKS_MAX: u64 = 1 << 38;
/// The longest message in plain bytes: the last chunk is short.
pub const PLAIN_MAX: u64 = CHUNKS_MAX * CHUNK as u64 - 1;

const COMMITMENT: usize = 32;
const NONCE: usize = 12;
const INFO: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// The length after sealing of `plain` bytes. Meaningful up to [`PLAIN_MAX`]; saturates far above it.
#[must_use]
pub const fn sealed_len(plain: u64) -> u64 {
    let chunks = plain / CHUNK as u64 + 1;
    plain.saturating_add(chunks * TAG as u64 + HEADER as u64)
}

/// The plain length of a sealed message of `sealed` bytes. Not yet authenticated: that is done
/// when the last chunk is opened.
///
/// # Errors
/// [`Kind::Corrupt`] `SealedLength` if no sealed message has this length (for example when it was cut at a
/// chunk border); [`Kind::TooLarge`] above the limit of the format.
pub fn plain_len(sealed: u64) -> Result<u64> {
    let wrong = || {
        Error::new(
            Kind::Corrupt,
            "SealedLength",
            format!("no sealed message has {sealed} bytes: it is cut or not sealed"),
        )
    };
    let body = sealed.checked_sub(HEADER as u64).ok_or_else(wrong)?;
    let full = body / SEALED_CHUNK as u64;
    let last = (body % SEALED_CHUNK as u64)
        .checked_sub(TAG as u64)
        .ok_or_else(wrong)?;
    if full >= CHUNKS_MAX {
        return Err(too_large());
    }
    Ok(full * CHUNK as u64 + last)
}

/// The run of whole chunks that holds a range of plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The number of the first chunk.
    pub first_chunk: u64,
    /// Where the run starts in the sealed message, in bytes, header included.
    pub sealed_offset: u64,
    /// How many sealed bytes the run has.
    pub sealed_len: u64,
    /// Whether the run's last chunk is the message's last.
    pub ends_message: bool,
    /// Plain bytes of the run before the range.
    pub skip: usize,
}

/// Which chunks to read and open for the plain bytes `range` of a message of `plain_len` bytes. An empty
/// range still has one chunk, so that reading nothing verifies something.
///
/// # Errors
/// [`Kind::Invalid`] if the range is reversed or ends after the message; [`Kind::TooLarge`] if the message
/// is longer than the format allows.
pub fn run(plain_len: u64, range: Range<u64>) -> Result<Run> {
    if range.start > range.end || range.end > plain_len {
        return Err(Error::invalid(format!(
            "bytes {}..{} are not in a message of {plain_len} bytes",
            range.start, range.end
        )));
    }
    if plain_len > PLAIN_MAX {
        return Err(too_large());
    }
    let chunk = CHUNK as u64;
    let last_of_message = plain_len / chunk;
    let first_chunk = range.start / chunk;
    let last_chunk = (range.end.max(range.start + 1) - 1) / chunk;
    let ends_message = last_chunk == last_of_message;
    let sealed_offset = HEADER as u64 + first_chunk * SEALED_CHUNK as u64;
    let sealed_end = if ends_message {
        sealed_len(plain_len)
    } else {
        HEADER as u64 + (last_chunk + 1) * SEALED_CHUNK as u64
    };
    Ok(Run {
        first_chunk,
        sealed_offset,
        sealed_len: sealed_end - sealed_offset,
        ends_message,
        skip: usize::try_from(range.start % chunk).unwrap_or(0),
    })
}

/// Seals a message in one go, with a fresh random salt.
///
/// # Errors
/// As [`Random::fill`] and [`Sealer`].
pub fn seal(key: &SealKey, context: &[u8], plain: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
    let mut sealer = Sealer::new(key, random::bytes(random)?, context)?;
    let mut out = Vec::with_capacity(usize::try_from(sealed_len(plain.len() as u64)).unwrap_or(0));
    out.extend_from_slice(sealer.header());
    sealer.update(plain, &mut out)?;
    sealer.finish(&mut out)?;
    Ok(out)
}

/// Opens a whole message.
///
/// # Errors
/// As [`plain_len`] and [`Opener`].
pub fn open(key: &SealKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    plain_len(sealed.len() as u64)?;
    Opener::new(key, header(sealed)?, context)?.open(sealed)
}

/// The header of a whole message.
///
/// # Errors
/// [`Kind::Corrupt`]: `SealedHeader` if it is too short.
pub fn header(sealed: &[u8]) -> Result<&[u8]> {
    let (header, _) = sealed.split_at_checked(HEADER).ok_or_else(header_length)?;
    Ok(header)
}

/// Seals one message piece by piece.
///
/// The order is: [`header`](Self::header), any number of [`update`](Self::update),
/// [`finish`](Self::finish). Without `finish` the message does not open. Holds at most one chunk of plain bytes.
pub struct Sealer {
    cipher: ChunkCipher,
    header: [u8; HEADER],
    next_chunk: u64,
    pending: Zeroizing<Vec<u8>>,
}

impl Sealer {
    /// Starts a message. `salt` must never be used twice with one key: draw it at random.
    ///
    /// # Errors
    /// [`Kind::Internal`] if the library refuses.
    pub fn new(key: &SealKey, salt: [u8; SALT], context: &[u8]) -> Result<Self> {
        let (cipher, commitment) = ChunkCipher::new(key, &salt, context)?;
        let mut header = [0; HEADER];
        for (to, from) in header.iter_mut().zip(salt.iter().chain(&commitment)) {
            *to = *from;
        }
        Ok(Self {
            cipher,
            header,
            next_chunk: 0,
            pending: Zeroizing::new(Vec::new()),
        })
    }

    /// The bytes that come before the first chunk.
    #[must_use]
    pub fn header(&self) -> &[u8; HEADER] {
        &self.header
    }

    /// Adds plain bytes and appends the chunks that became full to `out`.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] past [`PLAIN_MAX`]. After an error `out` is as it was and the sealer refuses
    /// everything.
    pub fn update(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut rest = plain;
        let start = out.len();
        if !self.pending.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(CHUNK - self.pending.len()));
            self.pending.extend_from_slice(head);
            rest = tail;
            if self.pending.len() == CHUNK {
                let pending = std::mem::take(&mut self.pending);
                self.seal_chunk(&pending, start, out)?;
                self.pending = pending;
                self.pending.clear();
            }
        }
        let (chunks, tail) = rest.as_chunks::<CHUNK>();
        out.reserve(chunks.len() * SEALED_CHUNK);
        for chunk in chunks {
            self.seal_chunk(chunk, start, out)?;
        }
        if !tail.is_empty() {
            // Once, so that growing leaves no unwiped copies of plain bytes behind.
            if self.pending.capacity() == 0 {
                self.pending.reserve_exact(CHUNK);
            }
            self.pending.extend_from_slice(tail);
        }
        Ok(())
    }

    /// Appends the last, short chunk to `out`.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let start = out.len();
        self.seal_chunk(&pending, start, out)
    }

    /// Seals one chunk to the end of `out`; on failure cuts `out` back to `start` and stays failed.
    fn seal_chunk(&mut self, plain: &[u8], start: usize, out: &mut Vec<u8>) -> Result<()> {
        let chunk = self.next_chunk;
        self.next_chunk = CHUNKS_MAX;
        let sealed = self.cipher.seal(chunk, plain, out);
        match sealed {
            Ok(()) => self.next_chunk = chunk + 1,
            Err(_) => out.truncate(start),
        }
        sealed
    }
}

/// Opens any run of chunks of one message.
pub struct Opener {
    cipher: ChunkCipher,
}

impl Opener {
    /// Takes the header of a message and checks that it was made with this key and context.
    ///
    /// # Errors
    /// [`Kind::Corrupt`]: `SealedHeader` if the key, the context or the header is another.
    pub fn new(key: &SealKey, header: &[u8], context: &[u8]) -> Result<Self> {
        let header: &[u8; HEADER] = header.try_into().map_err(|_| header_length())?;
        let (salt, given) = header.split_first_chunk::<SALT>().ok_or_else(header_length)?;
        let (cipher, commitment) = ChunkCipher::new(key, salt, context)?;
        if !hash::equal(&commitment, given) {
            return Err(Error::new(
                Kind::Corrupt,
                "SealedHeader",
                "a sealed header does not fit this key and context",
            ));
        }
        Ok(Self { cipher })
    }

    /// Opens the whole message, whose header must be the one that this opener was made with.
    ///
    /// # Errors
    /// As [`plain_len`] and [`Opener::open_chunks`].
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let plain_len = plain_len(sealed.len() as u64)?;
        let (_, chunks) = sealed.split_at_checked(HEADER).ok_or_else(header_length)?;
        let mut out = Vec::with_capacity(usize::try_from(plain_len).unwrap_or(0));
        self.open_chunks(0, chunks, true, &mut out)?;
        Ok(out)
    }

    /// Opens whole chunks, the first of which has the number `first_chunk`, and appends the plain bytes to
    /// `out`. With `ends_message` the last one must be the message's short last chunk; without it all must be
    /// full. Nothing is appended unless every chunk verifies.
    ///
    /// # Errors
    /// [`Kind::Corrupt`]: `SealedTruncated` if the message should end here but does not,
    /// `SealedLength` if the bytes are no whole chunks, `SealedChunk` naming the chunk that does not verify.
    /// `out` is then as it was.
    pub fn open_chunks(
        &self,
        first_chunk: u64,
        sealed: &[u8],
        ends_message: bool,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let (full, last) = sealed.as_chunks::<SEALED_CHUNK>();
        check_shape(full.len(), last.len(), ends_message)?;
        let start = out.len();
        out.reserve(full.len() * CHUNK + last.len().saturating_sub(TAG));
        let last = Some(last).filter(|_| ends_message);
        let all = full.iter().map(<[u8; SEALED_CHUNK]>::as_slice).chain(last);
        for (chunk, sealed) in (first_chunk..=u64::MAX).zip(all) {
            if let Err(e) = self.cipher.open(chunk, sealed, out) {
                out.truncate(start);
                return Err(e);
            }
        }
        Ok(())
    }
}

/// Whether `full` chunks and `last` bytes after them can be what the caller says they are.
fn check_shape(full: usize, last: usize, ends_message: bool) -> Result<()> {
    match (ends_message, last) {
        (true, 0) => Err(Error::new(
            Kind::Corrupt,
            "SealedTruncated",
            format!("a sealed message ends after {full} full chunks without its last, short chunk"),
        )),
        (true, TAG..) | (false, 0) => Ok(()),
        (true, 1..TAG) | (false, 1..) => Err(Error::new(
            Kind::Corrupt,
            "SealedLength",
            format!("{last} sealed bytes after {full} full chunks are not a chunk"),
        )),
    }
}

/// The cipher of one message.
struct ChunkCipher {
    key: LessSafeKey,
    base_nonce: [u8; NONCE],
}

impl ChunkCipher {
    /// The cipher and the commitment to key, salt and context.
    fn new(key: &SealKey, salt: &[u8; SALT], context: &[u8]) -> Result<(Self, [u8; COMMITMENT])> {
        const KEY: usize = keys::KEY_LEN;
        let mut okm = Zeroizing::new([0; KEY + NONCE + COMMITMENT]);
        keys::expand(key, &[INFO, salt, context], okm.as_mut_slice())?;
        let short = || Error::internal("derived key material is too short");
        let (key, rest) = okm.split_first_chunk::<KEY>().ok_or_else(short)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(short)?;
        let commitment = rest.first_chunk::<COMMITMENT>().ok_or_else(short)?;
        let cipher = Self {
            key: keys::aes_256_gcm(key)?,
            base_nonce: *nonce,
        };
        Ok((cipher, *commitment))
    }

    /// The nonce of a chunk: the base nonce XOR the big-endian chunk number.
    fn nonce(&self, chunk: u64) -> Result<Nonce> {
        if chunk >= CHUNKS_MAX {
            return Err(too_large());
        }
        let mut nonce = self.base_nonce;
        for (byte, count) in nonce.iter_mut().rev().zip(chunk.to_le_bytes()) {
            *byte ^= count;
        }
        Ok(Nonce::assume_unique_for_key(nonce))
    }

    /// Appends one sealed chunk to `out`. On failure `out` may be longer than before.
    fn seal(&self, chunk: u64, plain: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let nonce = self.nonce(chunk)?;
        let start = out.len();
        out.resize(start + plain.len() + TAG, 0);
        let failed = || Error::internal("sealing a chunk failed");
        let (_, space) = out.split_at_mut_checked(start).ok_or_else(failed)?;
        let (body, tag) = space.split_at_mut_checked(plain.len()).ok_or_else(failed)?;
        self.key
            .seal_out_of_place_scatter(nonce, Aad::empty(), plain, body, &[], tag)
            .map_err(|_| failed())
    }

    /// Appends the plain bytes of one chunk to `out`. On failure `out` may be longer than before.
    fn open(&self, chunk: u64, sealed: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let failed = || {
            Error::new(
                Kind::Corrupt,
                "SealedChunk",
                format!("chunk {chunk} of a sealed message does not verify"),
            )
        };
        let nonce = self.nonce(chunk)?;
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or_else(failed)?;
        let start = out.len();
        out.resize(start + body.len(), 0);
        let (_, space) = out.split_at_mut_checked(start).ok_or_else(failed)?;
        self.key
            .open_separate_gather(nonce, Aad::empty(), body, tag, space)
            .map_err(|_| failed())
    }
}

fn too_large() -> Error {
    Error::new(
        Kind::TooLarge,
        "SealedTooLarge",
        format!("a sealed message has at most {PLAIN_MAX} plain bytes"),
    )
}

fn header_length() -> Error {
    Error::new(
        Kind::Corrupt,
        "SealedHeader",
        format!("a sealed header has {HEADER} bytes"),
    )
}

#[cfg(test)]
mod tests;
