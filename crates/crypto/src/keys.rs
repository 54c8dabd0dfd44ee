//! Symmetric keys: made, derived, and wrapped under each other.
//!
//! Wrapped form, 73 bytes: `0x01 || salt(24) || sealed key(32) || tag(16)`. For each wrap
//! HKDF-Expand-SHA-512(prk = wrapping key, info = `craton/wrap/v1` `0x00` salt) gives an
//! AES-256-GCM key(32) and nonce(12), used once; the context is the associated data. A fresh key for
//! each wrap (as in C2SP chunked encryption) because one bucket key wraps the key of every
//! version in the bucket, and random 96-bit nonces under one key are safe for only 2^32 of them.
//!
//! Invariants: a key is wiped when dropped and never printed; two uses of one key (wrapping,
//! deriving, sealing) are kept apart by the `info` string of HKDF.
//!
//! Deliberately absent: where keys are kept, and which key wraps which (`store::keyring`).

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};
use craton_base::{Error, Kind, Random, Result, random};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The length of a key in bytes.
pub const KEY_LEN: usize = 32;

/// The length of a wrapped key in bytes.
pub const WRAPPED_LEN: usize = 1 + SALT_LEN + KEY_LEN + TAG_LEN;

const FORMAT: u8 = 1;
const SALT_LEN: usize = 24;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const WRAP_INFO: &[u8] = b"craton/wrap/v1\0";
const DERIVE_INFO: &[u8] = b"craton/derive/v1\0";
const COMBINE_INFO: &[u8] = b"craton/combine/v1\0";

/// A 256-bit key.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; KEY_LEN]>);

impl SealKey {
    /// Takes over key bytes; they must be uniformly random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        let bytes = Zeroizing::new(bytes);
        Self(bytes)
    }

    /// Copies key bytes; they must be uniformly random.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if there are not exactly [`KEY_LEN`] bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        let bytes = bytes
            .try_into()
            .map_err(|_| Error::invalid(format!("a key has {KEY_LEN} bytes, not {}", bytes.len())))?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// A new random key.
    ///
    /// # Errors
    /// As [`Random::fill`].
    pub fn generate(random: &dyn Random) -> Result<Self> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        random.fill(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The bytes, for the code that stores a key. Do not keep a copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl PartialEq for SealKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for SealKey {}

/// A new random key.
///
/// # Errors
/// As [`Random::fill`].
pub fn generate(random: &dyn Random) -> Result<SealKey> {
    SealKey::generate(random)
}

/// The key that belongs to `label` under `key`; different labels give independent keys, and
/// neither gives `key` away.
///
/// # Errors
/// [`Kind::Internal`] if the library refuses.
pub fn derive(key: &SealKey, label: &[u8]) -> Result<SealKey> {
    let mut out = Zeroizing::new([0; KEY_LEN]);
    expand(key, &[DERIVE_INFO, label], out.as_mut_slice())?;
    Ok(SealKey(out))
}

/// The key that takes both `first` and `second` to make, for one purpose: HKDF-SHA-512 (RFC 5869) with `first`
/// as the salt and `second` as the input. Neither alone says anything about it.
///
/// # Errors
/// [`Kind::Internal`] if the library refuses.
pub fn combine(first: &SealKey, second: &SealKey, label: &[u8]) -> Result<SealKey> {
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA512, first.expose()).extract(second.expose());
    let mut out = Zeroizing::new([0; KEY_LEN]);
    fill(&prk, &[COMBINE_INFO, label], out.as_mut_slice())?;
    Ok(SealKey(out))
}

/// Wraps `key` under `kek`; only the same `context` unwraps it. The result has [`WRAPPED_LEN`] bytes.
///
/// # Errors
/// As [`Random::fill`]; [`Kind::Internal`] if the library refuses.
pub fn wrap(kek: &SealKey, key: &SealKey, context: &[u8], random: &dyn Random) -> Result<Vec<u8>> {
    let salt: [u8; SALT_LEN] = random::bytes(random)?;
    let (cipher, nonce) = wrap_cipher(kek, &salt)?;
    let mut sealed = Zeroizing::new(*key.expose());
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(context), sealed.as_mut_slice())
        .map_err(|_| Error::internal("wrapping a key failed"))?;
    let mut out = Vec::with_capacity(WRAPPED_LEN);
    out.push(FORMAT);
    out.extend_from_slice(&salt);
    out.extend_from_slice(sealed.as_slice());
    out.extend_from_slice(tag.as_ref());
    Ok(out)
}

/// Opens what [`wrap`] made.
///
/// # Errors
/// [`Kind::Corrupt`]: `WrappedKeyFormat` if it is not a wrapped key that this version knows,
/// `WrappedKeyRefused` if the wrapping key or the context is another, or a bit has changed.
pub fn unwrap(kek: &SealKey, wrapped: &[u8], context: &[u8]) -> Result<SealKey> {
    let format = || {
        Error::new(
            Kind::Corrupt,
            "WrappedKeyFormat",
            "not a wrapped key of a known format",
        )
    };
    let wrapped: &[u8; WRAPPED_LEN] = wrapped.try_into().map_err(|_| format())?;
    let [FORMAT, rest @ ..] = wrapped else {
        return Err(format());
    };
    let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or_else(format)?;
    let (sealed, tag) = rest.split_first_chunk::<KEY_LEN>().ok_or_else(format)?;
    let (cipher, nonce) = wrap_cipher(kek, salt)?;
    let mut out = Zeroizing::new([0; KEY_LEN]);
    cipher
        .open_separate_gather(nonce, Aad::from(context), sealed, tag, out.as_mut_slice())
        .map_err(|_| {
            Error::new(
                Kind::Corrupt,
                "WrappedKeyRefused",
                "a wrapped key does not open with this wrapping key and context",
            )
        })?;
    Ok(SealKey(out))
}

/// The cipher and nonce for one wrap.
fn wrap_cipher(kek: &SealKey, salt: &[u8; SALT_LEN]) -> Result<(LessSafeKey, Nonce)> {
    let mut okm = Zeroizing::new([0; KEY_LEN + NONCE_LEN]);
    expand(kek, &[WRAP_INFO, salt], okm.as_mut_slice())?;
    let (key, nonce) = okm.split_at(KEY_LEN);
    Ok((
        aes_256_gcm(key)?,
        Nonce::try_assume_unique_for_key(nonce)
            .map_err(|_| Error::internal("a nonce has the wrong length"))?,
    ))
}

/// An AES-256-GCM cipher.
pub(crate) fn aes_256_gcm(key: &[u8]) -> Result<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key)
        .map_err(|_| Error::internal("a cipher key has the wrong length"))?;
    Ok(LessSafeKey::new(key))
}

/// HKDF-Expand (RFC 5869, section 2.3) with SHA-512; the key is the pseudorandom key.
pub(crate) fn expand(key: &SealKey, info: &[&[u8]], out: &mut [u8]) -> Result<()> {
    fill(
        &hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key.expose()),
        info,
        out,
    )
}

fn fill(prk: &hkdf::Prk, info: &[&[u8]], out: &mut [u8]) -> Result<()> {
    prk.expand(info, OutputLen(out.len()))
        .and_then(|okm| okm.fill(out))
        .map_err(|_| Error::internal("deriving a key failed"))
}

struct OutputLen(usize);

impl hkdf::KeyType for OutputLen {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests;
