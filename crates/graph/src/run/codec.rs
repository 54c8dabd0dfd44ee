//! Blocks and indexes as bytes.
//!
//! ```text
//! block    rows u16 | column …
//! index    block …, each with one row a block of the segment
//! footer   "crtnrun1" | index begins u64 | tuples u64 | columns u16
//! ```

use super::{FENCE_EXTRA, column};
use crate::Block;

const MAGIC: &[u8; 8] = b"crtnrun1";

/// Bytes of the footer.
const FOOTER_BYTES: usize = 26;

/// Appends the rows `from..to` of a block.
pub(crate) fn write_block(block: &Block, from: usize, to: usize, scratch: &mut Vec<u64>, out: &mut Vec<u8>) {
    let rows = to.saturating_sub(from);
    out.extend_from_slice(&u16::try_from(rows).unwrap_or(u16::MAX).to_le_bytes());
    for values in block.columns() {
        column::encode(values.get(from..to).unwrap_or_default(), scratch, out);
    }
}

/// Reads one block of `width` columns; what follows it.
pub(crate) fn read_block<'a>(bytes: &'a [u8], width: usize, out: &mut Block) -> Option<&'a [u8]> {
    let (rows, mut rest) = bytes.split_first_chunk::<2>()?;
    let rows = usize::from(u16::from_le_bytes(*rows));
    out.reset(width);
    out.fill(|columns| {
        for values in columns {
            rest = column::decode(rest, rows, values)?;
        }
        Some(rest)
    })
}

/// Appends an index and the footer.
pub(crate) fn write_index(fences: &Block, index_at: u64, rows: u64, out: &mut Vec<u8>) {
    write_blocks(fences, out);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&index_at.to_le_bytes());
    out.extend_from_slice(&rows.to_le_bytes());
    let width = fences.width().saturating_sub(FENCE_EXTRA);
    out.extend_from_slice(&u16::try_from(width).unwrap_or(u16::MAX).to_le_bytes());
}

/// Reads an index with its footer.
pub(crate) fn read_index(bytes: &[u8], width: usize) -> Option<Block> {
    let (rest, footer) = bytes.split_last_chunk::<FOOTER_BYTES>()?;
    let (magic, footer) = footer.split_first_chunk::<8>()?;
    let (_, stated) = footer.split_last_chunk::<2>()?;
    if magic != MAGIC || usize::from(u16::from_le_bytes(*stated)) != width {
        return None;
    }
    read_blocks(rest, width.checked_add(FENCE_EXTRA)?)
}

/// Appends rows as blocks of at most [`Block::rows_max`].
pub(crate) fn write_blocks(rows: &Block, out: &mut Vec<u8>) {
    let mut scratch = Vec::new();
    let most = Block::rows_max(rows.width());
    for from in (0..rows.rows()).step_by(most) {
        let to = rows.rows().min(from.saturating_add(most));
        write_block(rows, from, to, &mut scratch, out);
    }
}

/// Reads what [`write_blocks`] wrote.
pub(crate) fn read_blocks(bytes: &[u8], width: usize) -> Option<Block> {
    let (mut rest, mut out, mut part) = (bytes, Block::new(width), Block::new(width));
    while !rest.is_empty() {
        rest = read_block(rest, width, &mut part)?;
        if part.is_empty() {
            return None;
        }
        out.fill(|columns| {
            for (to, from) in columns.iter_mut().zip(part.columns()) {
                to.extend_from_slice(from);
            }
        });
    }
    Some(out)
}
