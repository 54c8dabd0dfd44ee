//! What wrapped keys opened to lately: unwrapping one costs as much as opening a small object with it.
//!
//! Invariants
//! - something is found again only under the whole name that it was kept by. The name holds all that opening depended on: what the
//!   wrapping is bound to, the wrapped bytes, what shows that the caller has the key that they are wrapped under. So content that is
//!   moved to another name does not open here either;
//! - at most as many are kept as was said, and each is wiped when it leaves.
//!
//! Deliberately absent: unwrapping; who may open what.

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::Result;
use parking_lot::Mutex;

/// What was opened, by name: keys, or what is made of them, that wipe themselves when dropped.
pub struct Opened<T> {
    kept: Mutex<lru::LruCache<Vec<u8>, Arc<T>>>,
}

impl<T> Opened<T> {
    /// Keeps so many.
    #[must_use]
    pub fn new(max: NonZeroUsize) -> Self {
        Self {
            kept: Mutex::new(lru::LruCache::new(max)),
        }
    }

    /// What is kept by the name of these parts, or what `open` gives.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn get(&self, name: &[&[u8]], open: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let name = joined(name);
        if let Some(known) = self.kept.lock().get(&name) {
            return Ok(known.clone());
        }
        let opened = Arc::new(open()?);
        self.kept.lock().put(name, opened.clone());
        Ok(opened)
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.kept.lock().clear();
    }
}

/// The parts, each after its length.
fn joined(parts: &[&[u8]]) -> Vec<u8> {
    let sizes = parts
        .iter()
        .map(|part| part.len().saturating_add(size_of::<u64>()));
    let mut out = Vec::with_capacity(sizes.sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_le_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests;
