//! Randomness that repeats from a seed. Not fit for keys that protect anything.

use craton_base::{Random, Result};
use parking_lot::Mutex;

/// A generator of numbers that are well spread and repeat from a seed: SplitMix64
/// (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
#[derive(Clone, Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The generator that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; zero if `bound` is zero.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // The bias of a remainder is far below what a test could notice.
        match self.next().checked_rem(bound) {
            Some(n) => n,
            None => 0,
        }
    }

    /// True with probability `percent` in a hundred.
    pub const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A source of "random" bytes that repeats from a seed.
#[derive(Debug)]
pub struct SimRandom(Mutex<SplitMix>);

impl SimRandom {
    /// The source that begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(Mutex::new(SplitMix::new(seed)))
    }
}

impl Random for SimRandom {
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        let mut generator = self.0.lock();
        for piece in out.chunks_mut(8) {
            let word = generator.next().to_le_bytes();
            for (byte, from) in piece.iter_mut().zip(word) {
                *byte = from;
            }
        }
        Ok(())
    }
}
