//! The states of the buckets that were asked for last.
//!
//! Invariants
//! - CF-1: a state that was read before a change is never kept after it: whoever changes a bucket calls
//!   [`BucketCache::forget`] once the commit is durable and before the change is answered, and a state is kept
//!   only if nothing was forgotten since before it was read;
//! - CF-2: the states together weigh at most [`WEIGHT_MAX`], and there are at most [`STATES_MAX`].

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::BucketName;
use parking_lot::Mutex;

use super::state::BucketState;

/// Bytes of all states together, about.
const WEIGHT_MAX: usize = 8 << 20;

/// The most states.
const STATES_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// States by bucket.
pub(crate) struct BucketCache {
    inner: Mutex<Inner>,
}

struct Inner {
    states: lru::LruCache<BucketName, Arc<BucketState>>,
    weight: usize,
    /// Counts what was forgotten.
    generation: u64,
}

/// How much was forgotten when a reading began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl BucketCache {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                states: lru::LruCache::new(STATES_MAX),
                weight: 0,
                generation: 0,
            }),
        }
    }

    /// The bucket's state, or what [`BucketCache::keep`] takes once it was read.
    pub(crate) fn get(&self, name: &BucketName) -> Result<Arc<BucketState>, Generation> {
        let mut inner = self.inner.lock();
        let generation = Generation(inner.generation);
        inner.states.get(name).cloned().ok_or(generation)
    }

    /// Keeps a state that was read after `since`, unless something was forgotten meanwhile.
    pub(crate) fn keep(&self, since: Generation, name: &BucketName, state: &Arc<BucketState>) {
        let weight = state.weight();
        let mut inner = self.inner.lock();
        if inner.generation != since.0 || weight > WEIGHT_MAX {
            return;
        }
        while inner.weight.saturating_add(weight) > WEIGHT_MAX {
            let Some((_, old)) = inner.states.pop_lru() else {
                break;
            };
            inner.weight = inner.weight.saturating_sub(old.weight());
        }
        inner.weight = inner.weight.saturating_add(weight);
        if let Some((_, old)) = inner.states.push(name.clone(), state.clone()) {
            inner.weight = inner.weight.saturating_sub(old.weight());
        }
    }

    /// Forgets a bucket that has changed.
    pub(crate) fn forget(&self, name: &BucketName) {
        let mut inner = self.inner.lock();
        inner.generation = inner.generation.wrapping_add(1);
        if let Some(old) = inner.states.pop(name) {
            inner.weight = inner.weight.saturating_sub(old.weight());
        }
    }
}

#[cfg(test)]
mod tests;
