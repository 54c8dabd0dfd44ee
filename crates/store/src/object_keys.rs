//! Keys of content that was read lately, unwrapped: opening one costs as much as opening a small object with it.
//!
//! Invariants
//! - a key is found again only for the same extent of the same entry, wrapped in the same bytes: content that is moved to
//!   another name does not open here either;
//! - what is wrapped under a second key too is never kept: who reads it must show that key each time;
//! - a key is wiped when it leaves.
//!
//! Deliberately absent: unwrapping.

use std::num::NonZeroUsize;

use craton_base::Result;
use craton_crypto::keys::SealKey;
use parking_lot::Mutex;

/// How many keys are kept, of some 400 bytes each.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4095);

/// The keys.
pub(crate) struct ObjectKeys {
    /// By what the wrapping is bound to and the wrapped bytes, one after the other.
    open: Mutex<lru::LruCache<Vec<u8>, SealKey>>,
}

impl ObjectKeys {
    pub(crate) fn new() -> Self {
        Self {
            open: Mutex::new(lru::LruCache::new(KEYS_MAX)),
        }
    }

    /// The key that is wrapped so, or what `unwrap` makes of it.
    pub(crate) fn get(
        &self,
        context: &[u8],
        wrapped: &[u8],
        unwrap: impl FnOnce() -> Result<SealKey>,
    ) -> Result<SealKey> {
        let name = [context, wrapped].concat();
        if let Some(key) = self.open.lock().get(&name) {
            return Ok(key.clone());
        }
        let key = unwrap()?;
        self.open.lock().put(name, key.clone());
        Ok(key)
    }
}
