//! How a record lies in a segment. The byte map is in `docs/formats.md`, section "Journal".

use craton_base::{Error, Kind, Result};

use super::{Position, RECORD_BYTES_MAX};

/// Bytes in front of every record.
pub(super) const FRAME_HEADER: usize = 24;

/// Bytes at the start of every segment: magic, first position, checksum.
pub(super) const SEGMENT_HEADER: usize = 24;

const MAGIC: &[u8; 8] = b"CRATNJ01";

/// What a frame is; the top byte of its first word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A record.
    Record = 1,
    /// Only says how much is durable; has no bytes and takes no position.
    Mark = 2,
    /// A mark that was written when the journal was closed in order.
    Closed = 3,
}

/// A frame's header, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    pub(super) what: What,
    /// Bytes of the record.
    pub(super) len: usize,
    /// The record's position; of a mark: the next record's.
    pub(super) position: Position,
    /// All records before this position were durable when the frame was written.
    pub(super) durable: Position,
}

fn checksum(parts: [&[u8]; 3]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    parts.iter().for_each(|p| digest.update(p));
    // A 32-bit checksum in a 64-bit word.
    u32::try_from(digest.finalize()).unwrap_or(0)
}

/// Appends a frame to `out`.
pub(super) fn encode(
    out: &mut Vec<u8>,
    what: What,
    position: Position,
    durable: Position,
    record: &[u8],
) -> Result<()> {
    if record.len() > RECORD_BYTES_MAX {
        return Err(Error::new(
            Kind::TooLarge,
            "JournalRecord",
            format!(
                "a journal record has {} bytes, the limit is {RECORD_BYTES_MAX}",
                record.len()
            ),
        ));
    }
    let len = u32::try_from(record.len()).unwrap_or(u32::MAX);
    let word = (len | (what as u32) << 24).to_le_bytes();
    let mut places = [0; 16];
    let (low, high) = places.split_at_mut(8);
    low.copy_from_slice(&position.0.to_le_bytes());
    high.copy_from_slice(&durable.0.to_le_bytes());
    let sum = checksum([&word, &places, record]);
    out.extend_from_slice(&word);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&places);
    out.extend_from_slice(record);
    Ok(())
}

fn word32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes
        .split_first_chunk()
        .map(|(w, rest)| (u32::from_le_bytes(*w), rest))
}

fn word64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    bytes
        .split_first_chunk()
        .map(|(w, rest)| (u64::from_le_bytes(*w), rest))
}

/// The size that the frame at the start of `bytes` claims to have; `None` if it can not be one.
pub(super) fn claimed_size(bytes: &[u8]) -> Option<usize> {
    let (word, _) = word32(bytes)?;
    let len = usize::try_from(word & 0x00ff_ffff).ok()?;
    let fits = match word >> 24 {
        1 => len <= RECORD_BYTES_MAX,
        2 | 3 => len == 0,
        _ => false,
    };
    fits.then(|| FRAME_HEADER.saturating_add(len))
}

/// The position and durable position that the frame at the start of `bytes` claims, without a check of its checksum.
pub(super) fn claimed_places(bytes: &[u8]) -> Option<(Position, Position)> {
    let (_, places) = bytes.split_at_checked(8)?;
    let (position, rest) = word64(places)?;
    let (durable, _) = word64(rest)?;
    Some((Position(position), Position(durable)))
}

/// The frame at the start of `bytes` and its record, if all of it is there and its checksum holds.
pub(super) fn decode(bytes: &[u8]) -> Option<(Frame, &[u8])> {
    let size = claimed_size(bytes)?;
    let (frame, _) = bytes.split_at_checked(size)?;
    let (head, record) = frame.split_at_checked(FRAME_HEADER)?;
    let (word, rest) = word32(head)?;
    let (sum, places) = word32(rest)?;
    let (position, durable) = claimed_places(head)?;
    if checksum([&word.to_le_bytes(), places, record]) != sum {
        return None;
    }
    let what = match word >> 24 {
        1 => What::Record,
        2 => What::Mark,
        3 => What::Closed,
        _ => return None,
    };
    let frame = Frame {
        what,
        len: record.len(),
        position,
        durable,
    };
    Some((frame, record))
}

/// The first bytes of a segment whose first record is at `first`.
pub(super) fn segment_header(first: Position) -> [u8; SEGMENT_HEADER] {
    let place = first.0.to_le_bytes();
    let sum = u64::from(checksum([MAGIC, &place, &[]])).to_le_bytes();
    let mut out = [0; SEGMENT_HEADER];
    let parts = MAGIC.iter().chain(&place).chain(&sum);
    out.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    out
}
