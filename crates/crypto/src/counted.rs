//! AES-256-GCM under a key whose nonces its owner counts: the cheap way to seal many small messages.
//!
//! Invariant, kept by the caller: no number is used twice for sealing under one key. A caller that may lose
//! count (a restart) makes a new key, for example with [`crate::keys::derive`] and a fresh random label.
//!
//! Deliberately absent: keeping the count, and committing to the key: AES-GCM alone does not bind a
//! message to one key, so who needs that adds a hash of the message.

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};
use craton_base::{Error, Result};

use crate::keys::{self, SealKey};

/// Bytes of the tag at the end of a sealed message.
pub const TAG: usize = 16;

/// A key for messages with numbers.
pub struct CountedKey(LessSafeKey);

impl CountedKey {
    /// Prepares the cipher; `key` must be used for nothing else.
    ///
    /// # Errors
    /// [`Kind::Internal`](craton_base::Kind::Internal) if the library refuses.
    pub fn new(key: &SealKey) -> Result<Self> {
        Ok(Self(keys::aes_256_gcm(key.expose())?))
    }

    /// Seals `message` in place as number `number`, and gives the tag. `context` is authenticated with it.
    ///
    /// # Errors
    /// [`Kind::Internal`](craton_base::Kind::Internal) if the library refuses.
    pub fn seal(&self, number: u64, context: &[u8], message: &mut [u8]) -> Result<[u8; TAG]> {
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce(number), Aad::from(context), message)
            .map_err(|_| Error::internal("sealing a message failed"))?;
        tag.as_ref()
            .try_into()
            .map_err(|_| Error::internal("a tag has the wrong length"))
    }

    /// Opens the message of `number`: the sealed bytes and then the tag.
    ///
    /// # Errors
    /// [`Kind::Corrupt`](craton_base::Kind::Corrupt) if anything about it is not as it was sealed.
    pub fn open(&self, number: u64, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let refused = || Error::corrupt("a sealed message does not open");
        let (body, tag) = sealed.split_last_chunk::<TAG>().ok_or_else(refused)?;
        let mut out = vec![0; body.len()];
        self.0
            .open_separate_gather(nonce(number), Aad::from(context), body, tag, &mut out)
            .map_err(|_| refused())?;
        Ok(out)
    }
}

impl std::fmt::Debug for CountedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CountedKey(…)")
    }
}

/// Four zero bytes, then the number, big-endian.
fn nonce(number: u64) -> Nonce {
    let mut out = [0; 12];
    for (to, from) in out.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *to = from;
    }
    Nonce::assume_unique_for_key(out)
}

#[cfg(test)]
mod tests;
