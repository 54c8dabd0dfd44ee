//! Signing keys: derivation, a bounded cache, and the HMAC over a string to sign.
//!
//! A signing key is good for one secret, day, region and service, so a verification costs one
//! HMAC instead of five. The cache is bounded and keeps each key beside the secret it was
//! derived from: a secret that changed is derived anew.

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::Secret;
use craton_crypto::hash;
use lru::LruCache;
use parking_lot::Mutex;

use super::scope::Scope;

/// How many derived keys are kept. Beyond it the one used longest ago is derived again.
const KEYS_MAX: NonZeroUsize = match NonZeroUsize::new(4096) {
    Some(n) => n,
    None => NonZeroUsize::MIN,
};

/// A key derived from a secret for one [`Scope`]. Its `Debug` shows nothing.
#[derive(Clone, Debug)]
pub(super) struct SigningKey(Secret);

impl SigningKey {
    /// Derives the key: a chain of four HMACs over the parts of the scope.
    pub(super) fn derive(secret: &Secret, scope: &Scope) -> Self {
        let first = Secret::new([b"AWS4", secret.expose()].concat());
        let date = Secret::from(hash::hmac_sha256(first.expose(), &[scope.date.as_bytes()]));
        let region = Secret::from(hash::hmac_sha256(date.expose(), &[scope.region.as_bytes()]));
        let service = Secret::from(hash::hmac_sha256(region.expose(), &[scope.service.as_bytes()]));
        Self(Secret::from(hash::hmac_sha256(
            service.expose(),
            &[b"aws4_request"],
        )))
    }

    /// The signature over the parts of a string, which are joined without anything between.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        hash::hmac_sha256(self.0.expose(), parts)
    }
}

/// Derived keys by access key: the one that signed last, which signs again.
pub(super) struct KeyCache(Mutex<LruCache<String, Entry>>);

struct Entry {
    scope: Scope,
    secret: Secret,
    key: Arc<SigningKey>,
}

impl KeyCache {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(KEYS_MAX)))
    }

    /// The signing key for `secret` in `scope`, derived if it is not known yet.
    pub(super) fn get(&self, access_key_id: &str, secret: &Secret, scope: &Scope) -> Arc<SigningKey> {
        if let Some(entry) = self.0.lock().get(access_key_id)
            && entry.scope == *scope
            && entry.secret == *secret
        {
            return Arc::clone(&entry.key);
        }
        let key = Arc::new(SigningKey::derive(secret, scope));
        let entry = Entry {
            scope: scope.clone(),
            secret: secret.clone(),
            key: Arc::clone(&key),
        };
        self.0.lock().put(access_key_id.to_owned(), entry);
        key
    }
}

#[cfg(test)]
mod tests;
