//! The chain of signatures through a chunked body: each chunk's signature covers the one before
//! it, and the first continues the request's, so no chunk can be changed, moved or left out.
//!
//! Source: "Signature calculations for the Authorization header: transferring payload in multiple
//! chunks" and "… including trailing headers" in the Amazon S3 API reference.

use std::{fmt, sync::Arc};

use craton_crypto::hash;

use super::{key::SigningKey, payload::empty_sha256};

/// Where in the chain a body stands.
#[derive(Clone)]
pub(super) struct Chain {
    key: Arc<SigningKey>,
    /// `<date>\n<scope>\n`
    context: String,
    previous: [u8; 32],
}

impl Chain {
    /// Begins at the signature of the request.
    pub(super) fn new(key: Arc<SigningKey>, date: &str, scope: &str, seed: [u8; 32]) -> Self {
        Self {
            key,
            context: format!("{date}\n{scope}\n"),
            previous: seed,
        }
    }

    /// Moves on to a chunk of data with this hash and returns its signature.
    pub(super) fn chunk(&mut self, data_sha256: [u8; 32]) -> [u8; 32] {
        self.next("AWS4-HMAC-SHA256-PAYLOAD\n", Some(empty_sha256()), data_sha256)
    }

    /// Moves on to the trailer with this hash and returns its signature.
    pub(super) fn trailer(&mut self, trailer_sha256: [u8; 32]) -> [u8; 32] {
        self.next("AWS4-HMAC-SHA256-TRAILER\n", None, trailer_sha256)
    }

    fn next(&mut self, algorithm: &str, headers: Option<[u8; 32]>, data: [u8; 32]) -> [u8; 32] {
        let headers = headers.map(|h| hex::encode(h) + "\n").unwrap_or_default();
        let rest = format!("{}\n{headers}{}", hex::encode(self.previous), hex::encode(data));
        self.previous = self
            .key
            .sign(&[algorithm.as_bytes(), self.context.as_bytes(), rest.as_bytes()]);
        self.previous
    }
}

/// Compares two signatures in constant time.
pub(super) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    hash::equal(a, b)
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(…)")
    }
}

/// Reads a signature: 64 lower-case hex digits.
pub(super) fn parse_signature(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let lower = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (lower && hex::decode_to_slice(text, &mut out).is_ok()).then_some(out)
}
