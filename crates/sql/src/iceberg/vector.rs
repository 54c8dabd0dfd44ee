//! Deletion vectors: the positions of a data file's deleted rows, as 64-bit Roaring bitmaps.
//!
//! ```text
//! length │ D1 D3 39 64 │ number of bitmaps │ (high 32 bits │ 32-bit Roaring bitmap)* │ CRC-32 of magic and bitmaps
//! (be)                   (u64, le)           (u32, le)                                 (be)
//! ```
//!
//! Invariants: the checksum is looked at first; positions come out in order, each once; at most `most` of them.
//!
//! Source: Apache Iceberg, Puffin specification, "deletion-vector-v1"; Roaring bitmaps, format specification.

use bytes::{Buf as _, Bytes};
use craton_base::{Error, Kind, Result};

const MAGIC: [u8; 4] = [0xd1, 0xd3, 0x39, 0x64];

/// Bitmaps without runs.
const COOKIE: u32 = 12346;

/// Bitmaps with runs; the upper half is the number of containers less one.
const COOKIE_RUNS: u32 = 12347;

/// From so many containers on, a bitmap with runs has offsets.
const OFFSETS_FROM: usize = 4;

/// A container of more values is a bitmap.
const ARRAY_MAX: usize = 4096;

fn corrupt(what: &'static str) -> Error {
    Error::corrupt(format!("a deletion vector does not read: {what}"))
}

/// The positions in a blob.
///
/// # Errors
/// `Corrupt`; `TooLarge`.
pub(crate) fn positions(mut blob: Bytes, most: usize) -> Result<Vec<u64>> {
    let short = || corrupt("it is too short");
    let length = number(&mut blob, u32::from_be_bytes)?;
    let length = usize::try_from(length).map_err(|_| short())?;
    let mut body = take(&mut blob, length)?;
    let sum = number(&mut blob, u32::from_be_bytes)?;
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    if crc.sum() != sum {
        return Err(corrupt("its checksum is another"));
    }
    if *take(&mut body, MAGIC.len())? != MAGIC {
        return Err(corrupt("it is none"));
    }
    let bitmaps = take(&mut body, 8)?.get_u64_le();
    let mut out = Out {
        positions: Vec::new(),
        most,
    };
    for _ in 0..bitmaps {
        let high = number(&mut body, u32::from_le_bytes)?;
        bitmap(&mut body, u64::from(high) << 32, &mut out)?;
    }
    let positions = out.positions;
    match positions.windows(2).all(|pair| pair.first() < pair.last()) {
        true => Ok(positions),
        false => Err(corrupt("its positions are in no order")),
    }
}

struct Out {
    positions: Vec<u64>,
    most: usize,
}

impl Out {
    fn push(&mut self, position: u64) -> Result<()> {
        if self.positions.len() >= self.most {
            let text = format!("more than {} deleted rows of one table; compact it", self.most);
            return Err(Error::new(Kind::TooLarge, "TooManyDeletes", text));
        }
        self.positions.push(position);
        Ok(())
    }
}

/// One 32-bit bitmap.
fn bitmap(from: &mut Bytes, base: u64, out: &mut Out) -> Result<()> {
    let cookie = number(from, u32::from_le_bytes)?;
    let (containers, runs) = if cookie & 0xffff == COOKIE_RUNS {
        let containers = usize::try_from(cookie >> 16)
            .unwrap_or_default()
            .saturating_add(1);
        (containers, take(from, containers.div_ceil(8))?)
    } else if cookie == COOKIE {
        let containers = number(from, u32::from_le_bytes)?;
        (usize::try_from(containers).unwrap_or(usize::MAX), Bytes::new())
    } else {
        return Err(corrupt("it has no bitmap"));
    };
    if containers > 1 << 16 {
        return Err(corrupt("it has too many containers"));
    }
    let mut heads = take(from, containers.saturating_mul(4))?;
    if cookie == COOKIE || containers >= OFFSETS_FROM {
        // Where each container is: they follow one another.
        take(from, containers.saturating_mul(4))?;
    }
    for at in 0..containers {
        let key = u64::from(short(&mut heads)?);
        let values = usize::from(short(&mut heads)?).saturating_add(1);
        let is_run = runs.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1);
        container(from, base | key << 16, (values, is_run), out)?;
    }
    Ok(())
}

fn container(from: &mut Bytes, base: u64, (values, is_run): (usize, bool), out: &mut Out) -> Result<()> {
    if is_run {
        for _ in 0..short(from)? {
            let (first, more) = (u64::from(short(from)?), u64::from(short(from)?));
            let last = first.saturating_add(more);
            if last > 0xffff {
                return Err(corrupt("a run is too long"));
            }
            (first..=last).try_for_each(|low| out.push(base | low))?;
        }
        return Ok(());
    }
    if values <= ARRAY_MAX {
        for _ in 0..values {
            out.push(base | u64::from(short(from)?))?;
        }
        return Ok(());
    }
    let words = take(from, 8192)?;
    for (byte, low) in words.iter().zip((0u64..).step_by(8)) {
        for bit in (0..8u64).filter(|bit| byte >> bit & 1 == 1) {
            out.push(base | low.saturating_add(bit))?;
        }
    }
    Ok(())
}

fn short(from: &mut Bytes) -> Result<u16> {
    Ok(take(from, 2)?.get_u16_le())
}

fn number(from: &mut Bytes, read: fn([u8; 4]) -> u32) -> Result<u32> {
    let bytes = take(from, 4)?;
    let bytes: [u8; 4] = (*bytes).try_into().map_err(|_| corrupt("it is too short"))?;
    Ok(read(bytes))
}

fn take(from: &mut Bytes, size: usize) -> Result<Bytes> {
    match size <= from.len() {
        true => Ok(from.split_to(size)),
        false => Err(corrupt("it is too short")),
    }
}

pub(crate) mod write;

#[cfg(test)]
mod tests;
