//! S3's object checksums: the five algorithms, full-object and composite values, and the combining
//! of parts' CRCs into the whole object's without reading it again.
//!
//! Values are big-endian bytes, as S3 writes them in base64.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use crc_fast::CrcAlgorithm;

use crate::{Error, Fault, Result};

/// A checksum algorithm. The number is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC).
    Crc32 = 1,
    /// CRC-32C (Castagnoli).
    Crc32c = 2,
    /// CRC-64/NVME: the default.
    Crc64Nvme = 3,
    /// SHA-1.
    Sha1 = 4,
    /// SHA-256.
    Sha256 = 5,
}

/// What a checksum is over. The number is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All bytes of the object.
    FullObject = 1,
    /// The parts' checksums, one after the other.
    Composite = 2,
}

/// A checksum of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// How it was made.
    pub algorithm: Algorithm,
    /// What it is over.
    pub scope: Scope,
    /// The number of parts of the object; 0 if it was not uploaded in parts.
    pub parts: usize,
    /// The value.
    pub value: Vec<u8>,
}

impl Checksum {
    /// As S3 writes it: base64, and for a composite the number of parts.
    #[must_use]
    pub fn to_text(&self) -> String {
        let value = BASE64.encode(&self.value);
        match self.scope {
            Scope::FullObject => value,
            Scope::Composite => format!("{value}-{}", self.parts),
        }
    }
}

impl Scope {
    /// From its number.
    #[must_use]
    pub const fn from_number(n: u32) -> Option<Self> {
        match n {
            1 => Some(Self::FullObject),
            2 => Some(Self::Composite),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// S3's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// From S3's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// From its number.
    #[must_use]
    pub fn from_number(n: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.number() == n)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// S3's name: `CRC64NVME`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// From S3's name, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// The header or trailer that carries a value.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Length of a value, in bytes.
    #[must_use]
    pub const fn value_len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether values of parts combine into the whole object's.
    #[must_use]
    pub const fn combines(self) -> bool {
        self.crc().is_some()
    }

    /// The scope that an upload in parts has if the client does not say.
    #[must_use]
    pub const fn default_scope(self) -> Scope {
        match self {
            Self::Crc64Nvme => Scope::FullObject,
            _ => Scope::Composite,
        }
    }

    /// Whether S3 has this scope for this algorithm.
    #[must_use]
    pub const fn allows(self, scope: Scope) -> bool {
        match scope {
            Scope::FullObject => self.combines(),
            Scope::Composite => !matches!(self, Self::Crc64Nvme),
        }
    }

    /// Reads a value as S3 writes it.
    ///
    /// # Errors
    /// `InvalidRequest` if it is not base64 of the right length.
    pub fn parse(self, text: &str) -> Result<Vec<u8>> {
        let bad = || {
            let message = format!("Value for {} header is invalid.", self.header());
            Error::fault(Fault::InvalidRequest, message)
        };
        let value = BASE64.decode(text.trim()).map_err(|_| bad())?;
        if value.len() == self.value_len() {
            Ok(value)
        } else {
            Err(bad())
        }
    }

    const fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn crc_value(self, crc: u64) -> Vec<u8> {
        crc.to_be_bytes()
            .into_iter()
            .skip(8 - self.value_len().min(8))
            .collect()
    }
}

/// Computes a checksum piece by piece.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(Box<crc_fast::Digest>),
    Sha(Box<digest::Context>),
}

impl Hasher {
    /// An empty one.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match (algorithm.crc(), algorithm) {
            (Some(crc), _) => State::Crc(Box::new(crc_fast::Digest::new(crc))),
            (None, Algorithm::Sha1) => {
                State::Sha(Box::new(digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY)))
            }
            (None, _) => State::Sha(Box::new(digest::Context::new(&digest::SHA256))),
        };
        Self { algorithm, state }
    }

    /// Which algorithm it is.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Adds bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(d) => d.update(data),
            State::Sha(c) => c.update(data),
        }
    }

    /// The value of all the bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(d) => self.algorithm.crc_value(d.finalize()),
            State::Sha(c) => c.finish().as_ref().to_vec(),
        }
    }
}

/// The value over one piece of bytes.
#[must_use]
pub fn of(algorithm: Algorithm, data: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(data);
    hasher.finish()
}

/// The composite value of parts' values.
#[must_use]
pub fn composite<'a>(algorithm: Algorithm, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    parts.into_iter().for_each(|p| hasher.update(p));
    hasher.finish()
}

/// The whole object's value from its parts' values and sizes; `None` if the algorithm's values do not
/// combine.
#[must_use]
pub fn combine<'a>(
    algorithm: Algorithm,
    parts: impl IntoIterator<Item = (&'a [u8], u64)>,
) -> Option<Vec<u8>> {
    let crc = algorithm.crc()?;
    let number = |value: &[u8]| value.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
    let whole = parts
        .into_iter()
        .map(|(value, size)| (number(value), size))
        .reduce(|(a, n), (b, m)| (crc_fast::checksum_combine(crc, a, b, m), n.saturating_add(m)));
    Some(whole.map_or_else(|| of(algorithm, b""), |(value, _)| algorithm.crc_value(value)))
}

#[cfg(test)]
mod tests;
