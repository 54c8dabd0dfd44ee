//! Undoing the compression of an archive that was put: gzip, also of several members, and zstd, told by the first
//! bytes. What is not compressed passes as it is.
//!
//! Invariants
//! - a step's output is bounded, whatever its input is: of gzip about [`GZIP_STEP`] times 1,032, of zstd a block
//!   (128 KiB) besides a window of [`WINDOW_MAX`]; at most [`AT_ONCE`] archives are unpacked at once;
//! - what comes out is at most [`UNPACKED_BYTES_MAX`]; input that ends early or does not verify is an error.
//!
//! Sources: RFC 1952; RFC 8878, "Frames" and "Blocks".
//!
//! Deliberately absent: what an archive holds.

use std::io::Write as _;

use bytes::{Buf as _, Bytes, BytesMut};
use craton_base::Error as BaseError;
use flate2::write::MultiGzDecoder;
use futures::{StreamExt as _, stream};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    Error, Fault, Result,
    body::{PUT_BYTES_MAX, Pieces},
};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How much of gzip's input is taken at once, in bytes.
const GZIP_STEP: usize = 1 << 10;

/// The largest window of zstd, in bytes: what every level but the `--ultra` ones has.
const WINDOW_MAX: u64 = 8 << 20;

/// The longest header of a zstd frame, and the longest block with its header, in bytes.
const FRAME_HEADER_MAX: usize = 18;
const BLOCK_MAX: usize = 128 << 10;

/// The most that comes out of an archive, in bytes.
const UNPACKED_BYTES_MAX: u64 = 16 * PUT_BYTES_MAX;

/// How many archives are unpacked at once.
static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// The content of these pieces, unpacked.
///
/// # Errors
/// Those of the pieces. What can not be unpacked is `InvalidRequest` in what comes out.
pub(crate) async fn unpacked(mut pieces: Pieces) -> Result<Pieces> {
    let mut first = BytesMut::new();
    while first.len() < ZSTD.len()
        && let Some(piece) = pieces.next().await
    {
        first.extend_from_slice(&piece?);
    }
    let decoder = if first.starts_with(GZIP) {
        Decoder::Gzip(Box::new(MultiGzDecoder::new(Vec::new())))
    } else if first.starts_with(ZSTD) {
        Decoder::Zstd(Box::new(Frames::new()))
    } else {
        let first = stream::iter([Ok(first.freeze())]);
        return Ok(Box::pin(first.chain(pieces)));
    };
    let permit = AT_ONCE.acquire().await;
    let unpacking = Unpacking {
        pieces,
        held: first,
        decoder,
        out: 0,
        ended: false,
        _permit: permit.map_err(|_| BaseError::internal("the unpacking of archives has ended"))?,
    };
    Ok(Box::pin(stream::try_unfold(
        unpacking,
        |mut unpacking| async move {
            let piece = unpacking.next().await.map_err(|e| e.to_base())?;
            Ok(piece.map(|piece| (piece, unpacking)))
        },
    )))
}

fn broken(why: &str) -> Error {
    Error::fault(
        Fault::InvalidRequest,
        format!("The archive can not be unpacked: {why}."),
    )
}

struct Unpacking {
    pieces: Pieces,
    /// Input that was not taken yet.
    held: BytesMut,
    decoder: Decoder,
    /// How much came out.
    out: u64,
    ended: bool,
    _permit: SemaphorePermit<'static>,
}

enum Decoder {
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zstd(Box<Frames>),
}

impl Unpacking {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            let piece = match self.decoder.step(&mut self.held)? {
                Some(piece) => piece,
                None => match self.pieces.next().await {
                    Some(more) => {
                        self.held.extend_from_slice(&more?);
                        continue;
                    }
                    None => {
                        self.ended = true;
                        self.decoder.end(&self.held)?
                    }
                },
            };
            self.out = self.out.saturating_add(piece.len() as u64);
            if self.out > UNPACKED_BYTES_MAX {
                return Err(broken("it is too large"));
            }
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

impl Decoder {
    /// What comes of a little of the input; `None` if it takes more input first.
    fn step(&mut self, held: &mut BytesMut) -> Result<Option<Bytes>> {
        match self {
            Self::Gzip(_) if held.is_empty() => Ok(None),
            Self::Gzip(gzip) => {
                let step = held.split_to(held.len().min(GZIP_STEP));
                gzip.write_all(&step).map_err(|e| broken(&e.to_string()))?;
                Ok(Some(std::mem::take(gzip.get_mut()).into()))
            }
            Self::Zstd(frames) => frames.step(held),
        }
    }

    /// What comes at the end of the input.
    fn end(&mut self, held: &BytesMut) -> Result<Bytes> {
        match self {
            Self::Gzip(gzip) => {
                gzip.try_finish().map_err(|e| broken(&e.to_string()))?;
                Ok(std::mem::take(gzip.get_mut()).into())
            }
            Self::Zstd(frames) if frames.inside || !held.is_empty() => Err(broken("it ends early")),
            Self::Zstd(_) => Ok(Bytes::new()),
        }
    }
}

/// The frames of a zstd stream.
struct Frames {
    decoder: FrameDecoder,
    /// Whether a frame was begun.
    inside: bool,
    /// Whether it ends with a checksum.
    checked: bool,
}

impl Frames {
    fn new() -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_MAX);
        Self {
            decoder,
            inside: false,
            checked: false,
        }
    }

    fn step(&mut self, held: &mut BytesMut) -> Result<Option<Bytes>> {
        if !self.inside {
            return self.begin(held);
        }
        let Some(length) = self.block_length(held)? else {
            return Ok(None);
        };
        let block = held.split_to(length);
        let decoded = self
            .decoder
            .decode_blocks(&*block, BlockDecodingStrategy::UptoBlocks(1));
        self.inside = !decoded.map_err(|e| broken(&e.to_string()))?;
        // What is collected is summed: of a frame that has ended, all of it.
        let out = self.decoder.collect().unwrap_or_default();
        if !self.inside && self.decoder.get_checksum_from_data() != self.stated_checksum() {
            return Err(broken("its checksum is another"));
        }
        Ok(Some(out.into()))
    }

    /// The checksum of what was decoded, if the frame has one.
    fn stated_checksum(&self) -> Option<u32> {
        self.checked
            .then(|| self.decoder.get_calculated_checksum())
            .flatten()
    }

    fn begin(&mut self, held: &mut BytesMut) -> Result<Option<Bytes>> {
        // A frame with one empty block is shorter than the longest header.
        let mut rest: &[u8] = held;
        match self.decoder.reset(&mut rest) {
            Ok(()) => {}
            Err(_) if held.len() < FRAME_HEADER_MAX => return Ok(None),
            Err(e) => return Err(broken(&e.to_string())),
        }
        // Frame_Header_Descriptor, Content_Checksum_flag.
        self.checked = held.get(ZSTD.len()).is_some_and(|descriptor| descriptor & 4 != 0);
        self.inside = true;
        let taken = held.len().saturating_sub(rest.len());
        held.advance(taken);
        Ok(Some(Bytes::new()))
    }

    /// How long the next block is, with its header and what ends the frame; `None` if not all of it is there.
    fn block_length(&self, held: &[u8]) -> Result<Option<usize>> {
        let Some(([a, b, c], _)) = held.split_first_chunk::<3>() else {
            return Ok(None);
        };
        let header = u32::from_le_bytes([*a, *b, *c, 0]);
        let (last, kind, size) = (header & 1 == 1, (header >> 1) & 3, (header >> 3) as usize);
        if size > BLOCK_MAX {
            return Err(broken("a block is too long"));
        }
        // A block of one repeated byte holds just that.
        let body = if kind == 1 { 1 } else { size };
        let checksum = if last && self.checked { 4 } else { 0 };
        let length = 3 + body + checksum;
        Ok((held.len() >= length).then_some(length))
    }
}

#[cfg(test)]
mod tests;
