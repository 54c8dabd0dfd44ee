//! Identifiers. Plain numbers with a type each, so that one can not stand for another.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number! {
    /// The number of a namespace commit. Sequences only grow; a read at a sequence sees exactly
    /// the commits up to and including it. Zero is the empty namespace.
    Sequence(u64)
}

number! {
    /// A bucket's identity: 64 random bits, never zero. A name can be reused, an id never.
    BucketId(u64)
}

number! {
    /// A branch of a bucket's namespace.
    BranchId(u32)
}

impl Sequence {
    /// Later than every commit: "the newest version".
    pub const MAX: Self = Self(u64::MAX);
}

impl BucketId {
    /// The system's own entries: identities, policies, the ledger, indexes.
    pub const SYSTEM: Self = Self(0);
}

impl BranchId {
    /// The branch that every bucket starts with.
    pub const MAIN: Self = Self(0);
}

/// A blob's identity: 128 random bits, unique over all time, also the blob's file name in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(pub [u8; 16]);

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for BlobId {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let bad = || Error::invalid("a blob id is 32 lower-case hex digits");
        if s.len() != 32 || !s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(bad());
        }
        let mut out = [0; 16];
        for (byte, pair) in out.iter_mut().zip(s.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(out))
    }
}
