//! SHA-256 and HMAC-SHA-256.
//!
//! Deliberately absent: hashes that are only checksums (MD5, CRC), which live where their protocol
//! lives, and hexadecimal (the `hex` crate).

use aws_lc_rs::{constant_time, digest, hmac};

/// The length of a SHA-256 hash in bytes.
pub const SHA256_LEN: usize = 32;

/// The SHA-256 of `data`.
#[must_use]
pub fn sha256(data: &[u8]) -> [u8; SHA256_LEN] {
    to_array(digest::digest(&digest::SHA256, data).as_ref())
}

/// SHA-256 of data that arrives in pieces.
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// The hash of nothing so far.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Adds `data`.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The hash of everything added.
    #[must_use]
    pub fn finish(self) -> [u8; SHA256_LEN] {
        to_array(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

/// HMAC-SHA-256 (RFC 2104) of the concatenation of `parts`. The parts are not separated: a caller
/// that must tell `["ab", "c"]` from `["a", "bc"]` puts lengths or separators in.
#[must_use]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; SHA256_LEN] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part);
    }
    to_array(context.sign().as_ref())
}

/// Whether `tag` is the whole HMAC-SHA-256 of `parts` under `key`, compared in constant time.
#[must_use]
pub fn hmac_sha256_verify(key: &[u8], parts: &[&[u8]], tag: &[u8]) -> bool {
    equal(&hmac_sha256(key, parts), tag)
}

/// Whether two byte strings are equal, in time that depends only on their lengths.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

/// `bytes` is the output of SHA-256, so it has the right length.
fn to_array(bytes: &[u8]) -> [u8; SHA256_LEN] {
    let mut out = [0; SHA256_LEN];
    for (to, from) in out.iter_mut().zip(bytes) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests;
