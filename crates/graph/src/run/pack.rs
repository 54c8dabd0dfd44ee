//! Bit packing: 64 numbers of `width` bits in `width` words of 64 bits, the first number in the lowest bits.
//!
//! One function for each width, in which every shift is a constant: the compiler unrolls them.
//!
//! Deliberately absent: which width to take.

/// Numbers that are packed together.
pub(super) const GROUP: usize = 64;

/// Bytes of a word.
const WORD: usize = 8;

#[expect(
    clippy::indexing_slicing,
    reason = "every index is below 64 and constant after unrolling: 64 · width bits are exactly width words"
)]
fn pack_group<const WIDTH: usize>(values: &[u64; GROUP], out: &mut [u64; GROUP]) {
    for (i, value) in values.iter().enumerate() {
        let (word, shift) = (i * WIDTH / 64, i * WIDTH % 64);
        out[word] |= value << shift;
        if shift + WIDTH > 64 {
            out[word + 1] |= value >> (64 - shift);
        }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "every index is below 64 and constant after unrolling: 64 · width bits are exactly width words"
)]
fn unpack_group<const WIDTH: usize>(words: &[u64; GROUP], out: &mut [u64; GROUP]) {
    let mask = u64::MAX >> (64 - WIDTH);
    for (i, value) in out.iter_mut().enumerate() {
        let (word, shift) = (i * WIDTH / 64, i * WIDTH % 64);
        let mut found = words[word] >> shift;
        if shift + WIDTH > 64 {
            found |= words[word + 1] << (64 - shift);
        }
        *value = found & mask;
    }
}

type Step = fn(&[u64; GROUP], &mut [u64; GROUP]);

macro_rules! each_width {
    ($function:ident; $($width:literal)*) => {
        [$($function::<$width>),*]
    };
}

macro_rules! table {
    ($function:ident) => {
        each_width!($function; 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33
            34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64)
    };
}

/// By width − 1.
static PACK: [Step; 64] = table!(pack_group);

/// By width − 1.
static UNPACK: [Step; 64] = table!(unpack_group);

/// How many bits the number has.
pub(super) fn bits(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

/// Bytes that `count` numbers of `width` bits take.
pub(super) const fn packed_len(count: usize, width: usize) -> usize {
    count.div_ceil(GROUP) * width * WORD
}

/// Appends numbers, of which only the low `width` bits are kept.
pub(super) fn pack(values: &[u64], width: usize, out: &mut Vec<u8>) {
    let Some(step) = width.checked_sub(1).and_then(|n| PACK.get(n)) else {
        return;
    };
    let mask = u64::MAX >> 64usize.saturating_sub(width);
    out.reserve(packed_len(values.len(), width));
    for chunk in values.chunks(GROUP) {
        let mut group = [0; GROUP];
        for (to, from) in group.iter_mut().zip(chunk) {
            *to = from & mask;
        }
        let mut words = [0; GROUP];
        step(&group, &mut words);
        let mut bytes = [0; GROUP * WORD];
        for (to, word) in bytes.as_chunks_mut::<WORD>().0.iter_mut().zip(&words) {
            *to = word.to_le_bytes();
        }
        out.extend_from_slice(bytes.get(..width.saturating_mul(WORD)).unwrap_or_default());
    }
}

/// Appends `count` numbers of `width` bits; `None` if `packed` has another length than they take.
pub(super) fn unpack(packed: &[u8], width: usize, count: usize, out: &mut Vec<u64>) -> Option<()> {
    if packed.len() != packed_len(count, width) {
        return None;
    }
    let end = out.len().saturating_add(count);
    let Some(step) = width.checked_sub(1).and_then(|n| UNPACK.get(n)) else {
        out.resize(end, 0);
        return (width == 0).then_some(());
    };
    out.reserve(count.next_multiple_of(GROUP));
    let mut words = [0; GROUP];
    let mut group = [0; GROUP];
    for chunk in packed.chunks_exact(width.saturating_mul(WORD)) {
        let (each, _) = chunk.as_chunks::<WORD>();
        for (word, bytes) in words.iter_mut().zip(each) {
            *word = u64::from_le_bytes(*bytes);
        }
        step(&words, &mut group);
        out.extend_from_slice(&group);
    }
    out.truncate(end);
    Some(())
}

#[cfg(test)]
mod tests;
