//! Deletion vectors written: what [`super`] reads, with arrays and bitmaps, whichever is shorter.

use super::{ARRAY_MAX, COOKIE, MAGIC};

/// The low bits of positions that share their high ones, and those.
type Container<'a> = (u64, &'a [u64]);

/// A blob of positions, which are in order, each once.
pub(crate) fn blob(positions: &[u64]) -> Vec<u8> {
    let mut body = MAGIC.to_vec();
    let bitmaps = grouped(positions, 32);
    body.extend((bitmaps.len() as u64).to_le_bytes());
    for (high, of_bitmap) in bitmaps {
        body.extend((high as u32).to_le_bytes());
        bitmap(&grouped(of_bitmap, 16), &mut body);
    }
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &body, &crc.sum().to_be_bytes()].concat()
}

/// Positions by what they have above so many bits.
fn grouped(positions: &[u64], bits: u32) -> Vec<Container<'_>> {
    let chunks = positions.chunk_by(|a, b| a >> bits == b >> bits);
    chunks
        .filter_map(|chunk| Some((chunk.first()? >> bits, chunk)))
        .collect()
}

/// One 32-bit bitmap.
fn bitmap(containers: &[Container<'_>], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend(COOKIE.to_le_bytes());
    out.extend((containers.len() as u32).to_le_bytes());
    for (key, values) in containers {
        out.extend((*key as u16).to_le_bytes());
        out.extend((values.len().saturating_sub(1) as u16).to_le_bytes());
    }
    let heads = out.len().saturating_sub(start);
    let mut offset = heads.saturating_add(containers.len().saturating_mul(4));
    for (_, values) in containers {
        out.extend((offset as u32).to_le_bytes());
        offset = offset.saturating_add(match values.len() {
            few if few <= ARRAY_MAX => few.saturating_mul(2),
            _ => 8192,
        });
    }
    for (_, values) in containers {
        if values.len() <= ARRAY_MAX {
            values
                .iter()
                .for_each(|value| out.extend((*value as u16).to_le_bytes()));
            continue;
        }
        let mut words = vec![0u8; 8192];
        for value in *values {
            let low = usize::from(*value as u16);
            if let Some(byte) = words.get_mut(low / 8) {
                *byte |= 1 << (low % 8);
            }
        }
        out.extend(words);
    }
}

#[cfg(test)]
mod tests;
