//! The operating system's randomness, through `aws-lc-rs`.
//!
//! Invariant: the only place that asks the system for random bytes. Everything else takes a
//! [`Random`], so that a simulation is repeatable.

use craton_base::{Error, Kind, Random, Result};

/// The real source of randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the system for randomness"
    )]
    fn fill(&self, out: &mut [u8]) -> Result<()> {
        aws_lc_rs::rand::fill(out)
            .map_err(|_| Error::new(Kind::Unavailable, "RandomUnavailable", "the random source failed"))
    }
}

#[cfg(test)]
mod tests;
