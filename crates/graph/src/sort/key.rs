//! What the sorter sorts: a fixed number of 64-bit words, ordered by the first word first.
//!
//! Invariants: `digit` and `bits` count from the least significant bit of the last word, so that sorting by
//! digits from shift 0 upwards is sorting by `Ord`; a key has at least one word.
//!
//! Deliberately absent: what the words mean.

/// A fixed-width key for radix sorting, spilling and merging.
pub(crate) trait Key: Copy + Ord + Default + Send + Sync + 'static {
    /// Words of a key.
    const WORDS: usize;

    /// The eight bits at bit `shift`.
    fn digit(self, shift: u32) -> u8;

    /// The bits in which two keys differ.
    fn differing(self, other: Self) -> Self;

    /// The union of two sets of bits.
    fn union(self, other: Self) -> Self;

    /// Number of the highest bit that is set, plus one; 0 if there is none.
    fn bits(self) -> u32;

    /// Word `at`, the most significant is 0.
    fn word(self, at: usize) -> u64;

    /// The key of these words; missing ones are 0.
    fn from_words(words: impl Iterator<Item = u64>) -> Self;
}

impl Key for u64 {
    const WORDS: usize = 1;

    #[inline]
    fn digit(self, shift: u32) -> u8 {
        (self >> shift) as u8
    }

    #[inline]
    fn differing(self, other: Self) -> Self {
        self ^ other
    }

    #[inline]
    fn union(self, other: Self) -> Self {
        self | other
    }

    fn bits(self) -> u32 {
        Self::BITS - self.leading_zeros()
    }

    #[inline]
    fn word(self, _at: usize) -> u64 {
        self
    }

    #[inline]
    fn from_words(mut words: impl Iterator<Item = u64>) -> Self {
        words.next().unwrap_or_default()
    }
}

impl Key for u128 {
    const WORDS: usize = 2;

    #[inline]
    fn digit(self, shift: u32) -> u8 {
        (self >> shift) as u8
    }

    #[inline]
    fn differing(self, other: Self) -> Self {
        self ^ other
    }

    #[inline]
    fn union(self, other: Self) -> Self {
        self | other
    }

    fn bits(self) -> u32 {
        Self::BITS - self.leading_zeros()
    }

    #[inline]
    fn word(self, at: usize) -> u64 {
        if at == 0 { (self >> 64) as u64 } else { self as u64 }
    }

    #[inline]
    fn from_words(mut words: impl Iterator<Item = u64>) -> Self {
        let high = words.next().unwrap_or_default();
        let low = words.next().unwrap_or_default();
        Self::from(high) << 64 | Self::from(low)
    }
}

/// Keys of many words; those that a tuple does not fill are 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wide<const N: usize>([u64; N]);

impl<const N: usize> Default for Wide<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Wide<N> {
    /// Puts a value into half a word; half 0 is the most significant.
    pub(crate) fn set_half(&mut self, half: usize, value: u32) {
        let shift = if half.is_multiple_of(2) { 32 } else { 0 };
        if let Some(word) = self.0.get_mut(half / 2) {
            *word |= u64::from(value) << shift;
        }
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word = combine(*word, other);
        }
        Self(words)
    }
}

impl<const N: usize> Key for Wide<N> {
    const WORDS: usize = N;

    #[inline]
    fn digit(self, shift: u32) -> u8 {
        let mut words = self.0.iter().rev().skip((shift / 64) as usize).copied();
        let (low, high) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        ((u128::from(high) << 64 | u128::from(low)) >> (shift % 64)) as u8
    }

    fn differing(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    fn union(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    fn bits(self) -> u32 {
        let mut bits = 64 * u32::try_from(N).unwrap_or(u32::MAX / 64);
        for word in self.0 {
            if word != 0 {
                return bits - word.leading_zeros();
            }
            bits -= 64;
        }
        0
    }

    #[inline]
    fn word(self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or_default()
    }

    fn from_words(words: impl Iterator<Item = u64>) -> Self {
        let mut key = Self::default();
        for (to, word) in key.0.iter_mut().zip(words) {
            *to = word;
        }
        key
    }
}
