//! One column of a block as bytes: differences from a base, packed in as few bits as most of them need; the few that
//! need more are listed.
//!
//! ```text
//! kind u8 (0: less the base; 1: ascending, each less the one before) | width u8 | listed u16 | base u64
//! packed, ⌈rows/64⌉ · width words of 8 bytes | listed places u16 … | listed numbers u64 …
//! ```
//!
//! Numbers are little-endian. The width is the cheapest, counting ten bytes for each number that is listed.
//!
//! Deliberately absent: blocks, what the numbers mean.

use super::pack;

const HEAD_BYTES: usize = 12;
const LISTED_BYTES: usize = 10;
const LESS_BASE: u8 = 0;
const ASCENDING: u8 = 1;

/// Appends a column of at most 65,536 numbers; `scratch` is overwritten.
pub(crate) fn encode(values: &[u64], scratch: &mut Vec<u64>, out: &mut Vec<u8>) {
    let ascending = values.is_sorted();
    let base = match ascending {
        true => values.first().copied(),
        false => values.iter().copied().min(),
    }
    .unwrap_or_default();
    let by_base = Cost::of(values.iter().map(|v| v.wrapping_sub(base)));
    if ascending {
        let steps = || steps(values, base);
        let by_step = Cost::of(steps());
        if by_step.bytes < by_base.bytes {
            scratch.clear();
            scratch.extend(steps());
            return write(ASCENDING, base, &by_step, scratch, out);
        }
    }
    scratch.clear();
    scratch.extend(values.iter().map(|v| v.wrapping_sub(base)));
    write(LESS_BASE, base, &by_base, scratch, out);
}

fn steps(values: &[u64], base: u64) -> impl Iterator<Item = u64> + '_ {
    let before = std::iter::once(base).chain(values.iter().copied());
    values.iter().zip(before).map(|(v, b)| v.wrapping_sub(b))
}

/// The cheapest width, and what it costs.
struct Cost {
    width: usize,
    bytes: usize,
}

impl Cost {
    fn of(differences: impl Iterator<Item = u64>) -> Self {
        let mut of_bits = [0usize; 65];
        let mut rows = 0usize;
        for difference in differences {
            if let Some(n) = of_bits.get_mut(pack::bits(difference)) {
                *n = n.saturating_add(1);
            }
            rows = rows.saturating_add(1);
        }
        let mut best = Self {
            width: 64,
            bytes: usize::MAX,
        };
        let mut listed = 0usize;
        for (width, with) in of_bits.iter().enumerate().rev() {
            let bytes = pack::packed_len(rows, width).saturating_add(listed.saturating_mul(LISTED_BYTES));
            if bytes <= best.bytes && listed <= usize::from(u16::MAX) {
                best = Self { width, bytes };
            }
            listed = listed.saturating_add(*with);
        }
        best
    }
}

fn write(kind: u8, base: u64, cost: &Cost, differences: &[u64], out: &mut Vec<u8>) {
    let listed = || {
        (0u16..)
            .zip(differences)
            .filter(|(_, d)| pack::bits(**d) > cost.width)
    };
    out.push(kind);
    out.push(u8::try_from(cost.width).unwrap_or(64));
    out.extend_from_slice(&u16::try_from(listed().count()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&base.to_le_bytes());
    pack::pack(differences, cost.width, out);
    listed().for_each(|(place, _)| out.extend_from_slice(&place.to_le_bytes()));
    listed().for_each(|(_, d)| out.extend_from_slice(&d.to_le_bytes()));
}

/// Reads a column of `rows` numbers into `out`, in place of what is in it; what follows the column, or `None` if it is damaged.
pub(crate) fn decode<'a>(bytes: &'a [u8], rows: usize, out: &mut Vec<u64>) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let [kind, width, listed_0, listed_1, base @ ..] = head;
    let listed = usize::from(u16::from_le_bytes([*listed_0, *listed_1]));
    let base = u64::from_le_bytes(*base);
    let width = usize::from(*width);
    let (packed, rest) = rest.split_at_checked(pack::packed_len(rows, width))?;
    let (places, rest) = rest.split_at_checked(listed.saturating_mul(2))?;
    let (numbers, rest) = rest.split_at_checked(listed.saturating_mul(8))?;
    out.clear();
    pack::unpack(packed, width, rows, out)?;
    for (place, number) in places.as_chunks::<2>().0.iter().zip(numbers.as_chunks::<8>().0) {
        *out.get_mut(usize::from(u16::from_le_bytes(*place)))? = u64::from_le_bytes(*number);
    }
    match *kind {
        LESS_BASE if base == 0 => {}
        LESS_BASE => out.iter_mut().for_each(|v| *v = v.wrapping_add(base)),
        ASCENDING => {
            let mut last = base;
            for value in out.iter_mut() {
                last = last.wrapping_add(*value);
                *value = last;
            }
        }
        _ => return None,
    }
    Some(rest)
}

#[cfg(test)]
mod tests;
