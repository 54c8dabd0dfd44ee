//! How many bytes each session has moved so far, for guard policies that set a bound to it.
//!
//! Counted is every byte of content that a permit hands out or takes in, as it moves; so a request that is still
//! running counts too. Who has no session is counted by the access key, and who has no key by the principal.
//!
//! Invariant: memory is bounded: of [`COUNTED_MAX`] the one that was idle longest is forgotten first.
//!
//! Deliberately absent: what outlives the process. Counts begin anew when the server starts.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use lru::LruCache;
use parking_lot::Mutex;

use crate::session::Session;

/// Sessions and keys that are counted at once, at most.
const COUNTED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(65_535);

/// Bytes moved by one session, shared by its permits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved(Arc<AtomicU64>);

impl Moved {
    /// Counts more of them.
    pub(crate) fn add(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many there are so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counts.
pub(crate) struct Tally(Mutex<LruCache<Box<str>, Moved>>);

impl Default for Tally {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(COUNTED_MAX)))
    }
}

impl Tally {
    /// The count of a session's bytes.
    pub(crate) fn of(&self, session: &Session) -> Moved {
        let name = session.session_id().or_else(|| session.access_key_id());
        self.named(name.unwrap_or_else(|| session.principal()))
    }

    fn named(&self, name: &str) -> Moved {
        let mut counts = self.0.lock();
        if let Some(moved) = counts.get(name) {
            return moved.clone();
        }
        let moved = Moved::default();
        counts.put(name.into(), moved.clone());
        moved
    }
}

#[cfg(test)]
mod tests;
