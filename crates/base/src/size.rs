//! Sizes in bytes, written as people write them: `128MiB`, `1.5GiB`, `64000`.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// `n` KiB.
    #[must_use]
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// `n` MiB.
    #[must_use]
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!(
                "{s:?} is not a size; write for example 128MiB, 2GiB or 65536"
            ))
        };
        let s = s.trim();
        let (number, unit) = UNITS
            .iter()
            .find_map(|(name, unit)| s.strip_suffix(name).map(|n| (n.trim(), *unit)))
            .unwrap_or((s, 1));
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Self).ok_or_else(bad);
        }
        let (whole, fraction) = number.split_once('.').ok_or_else(bad)?;
        if fraction.is_empty() || fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let whole: u64 = whole.parse().map_err(|_| bad())?;
        let scale = 10u64.pow(u32::try_from(fraction.len()).map_err(|_| bad())?);
        let part: u64 = fraction.parse().map_err(|_| bad())?;
        let part =
            u64::try_from(u128::from(part) * u128::from(unit) / u128::from(scale)).map_err(|_| bad())?;
        whole
            .checked_mul(unit)
            .and_then(|w| w.checked_add(part))
            .map(Self)
            .ok_or_else(bad)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, unit) in UNITS.iter().take(4) {
            if self.0 >= *unit {
                let tenths = u128::from(self.0) * 10 / u128::from(*unit);
                return match tenths % 10 {
                    0 => write!(f, "{}{name}", tenths / 10),
                    t => write!(f, "{}.{t}{name}", tenths / 10),
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests;
