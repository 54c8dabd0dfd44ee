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
    if ascending && values.last().copied().unwrap_or_default() == base {
        return write(LESS_BASE, base, &Cost::NONE, &[], out);
    }
    let by_base = match ascending {
        true => Cost::of_ascending(values, base),
        false => Cost::of(values.iter().map(|v| v.wrapping_sub(base))),
    };
    scratch.clear();
    if ascending {
        let by_step = Cost::of(steps(values, base));
        if by_step.bytes < by_base.bytes {
            scratch.extend(steps(values, base));
            return write(ASCENDING, base, &by_step, scratch, out);
        }
    }
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
    /// How many numbers are listed.
    listed: usize,
}

/// How many numbers there are of each count of bits.
type OfBits = [usize; 65];

impl Cost {
    /// Of a column in which all numbers are the base.
    const NONE: Self = Self {
        width: 0,
        bytes: 0,
        listed: 0,
    };

    fn of(differences: impl Iterator<Item = u64>) -> Self {
        // Neighbours mostly have as many bits: in several tables they do not wait for each other.
        let mut tables: [OfBits; 4] = [[0; 65]; 4];
        let mut rows = 0usize;
        for difference in differences {
            let table = tables.get_mut(rows % 4);
            if let Some(n) = table.and_then(|table| table.get_mut(pack::bits(difference))) {
                *n = n.wrapping_add(1);
            }
            rows = rows.wrapping_add(1);
        }
        let mut of_bits: OfBits = [0; 65];
        for table in &tables {
            for (sum, n) in of_bits.iter_mut().zip(table) {
                *sum = sum.saturating_add(*n);
            }
        }
        Self::best(&of_bits, rows)
    }

    /// Of ascending numbers less the base, which is the first.
    fn of_ascending(values: &[u64], base: u64) -> Self {
        let mut of_bits: OfBits = [0; 65];
        let mut before = 0;
        for (bits, n) in of_bits.iter_mut().enumerate() {
            let most = u64::MAX.checked_shr(64 - bits as u32).unwrap_or_default();
            let upto = values.partition_point(|v| v.wrapping_sub(base) <= most);
            *n = upto.saturating_sub(before);
            before = upto;
        }
        Self::best(&of_bits, values.len())
    }

    fn best(of_bits: &OfBits, rows: usize) -> Self {
        let mut best = Self {
            width: 64,
            bytes: usize::MAX,
            listed: 0,
        };
        let mut listed = 0usize;
        for (width, with) in of_bits.iter().enumerate().rev() {
            let bytes = pack::packed_len(rows, width).saturating_add(listed.saturating_mul(LISTED_BYTES));
            if bytes <= best.bytes && listed <= usize::from(u16::MAX) {
                best = Self { width, bytes, listed };
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
    out.extend_from_slice(&u16::try_from(cost.listed).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&base.to_le_bytes());
    pack::pack(differences, cost.width, out);
    if cost.listed == 0 {
        return;
    }
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
