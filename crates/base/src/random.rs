//! Randomness as a trait, so that a simulation is repeatable. The real source is
//! `crypto::random::SystemRandom`.

use crate::Result;

/// A source of random bytes fit for keys.
pub trait Random: Send + Sync + 'static {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// [`Kind::Unavailable`](crate::Kind::Unavailable) if the source fails; nothing may be sealed then.
    fn fill(&self, out: &mut [u8]) -> Result<()>;
}

/// `N` random bytes.
///
/// # Errors
/// As [`Random::fill`].
pub fn bytes<const N: usize>(random: &dyn Random) -> Result<[u8; N]> {
    let mut out = [0; N];
    random.fill(&mut out)?;
    Ok(out)
}
