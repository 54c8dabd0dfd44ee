//! Ids of requests: 16 upper-case hex digits, as S3's.
//!
//! Invariant: no two of one process are the same, and where they begin is drawn at random, so that those of two runs are as
//! unlikely to meet as random ones.
//!
//! Deliberately absent: secrecy. Who sees one can compute the next; an id names a request and opens nothing.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use craton_base::{Clock, Random, random};

/// Gives an id to each request.
pub(crate) struct RequestIds {
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(random: &dyn Random, clock: &dyn Clock) -> Self {
        // Without randomness the time will do.
        let first = random::bytes::<8>(random).map_or_else(|_| clock.now().micros(), u64::from_be_bytes);
        Self {
            next: AtomicU64::new(first),
        }
    }

    pub(crate) fn draw(&self) -> Arc<str> {
        let id = mixed(self.next.fetch_add(1, Ordering::Relaxed));
        format!("{id:016X}").into()
    }
}

/// A bijection that leaves no order to be seen: the finaliser of `SplitMix64` (Steele, Lea, Flood: Fast splittable pseudorandom
/// number generators, 2014).
const fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

#[cfg(test)]
mod tests;
