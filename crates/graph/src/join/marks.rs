//! A set of local numbers as a bitmap with a bitmap of its words above it: marking and asking cost a word, going through the
//! set in order costs its own size, and so does emptying it.
//!
//! Deliberately absent: what the numbers mean.

/// A set of numbers below a bound.
#[derive(Default)]
pub(super) struct Marks {
    words: Vec<u64>,
    /// A bit for each word that may not be 0.
    summary: Vec<u64>,
}

impl Marks {
    /// An empty set of numbers below `bound`.
    pub(super) fn new(bound: u32) -> Self {
        let words = bound as usize / 64 + 1;
        Self {
            words: vec![0; words],
            summary: vec![0; words / 64 + 1],
        }
    }

    #[inline]
    pub(super) fn insert(&mut self, number: u32) {
        let word = (number >> 6) as usize;
        if let Some(bits) = self.words.get_mut(word) {
            *bits |= 1 << (number & 63);
        }
        if let Some(bits) = self.summary.get_mut(word >> 6) {
            *bits |= 1 << (word & 63);
        }
    }

    #[inline]
    pub(super) fn contains(&self, number: u32) -> bool {
        self.words
            .get((number >> 6) as usize)
            .is_some_and(|bits| bits >> (number & 63) & 1 == 1)
    }

    /// Takes out these numbers; others of their words too.
    pub(super) fn clear(&mut self, numbers: &[u32]) {
        for number in numbers {
            if let Some(bits) = self.words.get_mut((number >> 6) as usize) {
                *bits = 0;
            }
            if let Some(bits) = self.summary.get_mut((number >> 12) as usize) {
                *bits = 0;
            }
        }
    }

    /// Appends the numbers in ascending order and empties the set.
    pub(super) fn drain(&mut self, numbers: &mut Vec<u32>) {
        for (high, summary) in self.summary.iter_mut().enumerate() {
            let mut left = std::mem::take(summary);
            while left != 0 {
                let word = high << 6 | left.trailing_zeros() as usize;
                left &= left - 1;
                let Some(bits) = self.words.get_mut(word) else {
                    continue;
                };
                let mut bits = std::mem::take(bits);
                let base = (word << 6) as u32;
                numbers.reserve(64);
                while bits != 0 {
                    numbers.push(base | bits.trailing_zeros());
                    bits &= bits - 1;
                }
            }
        }
    }
}
