//! Keys to open records with, kept ready.
//!
//! Deliberately absent: making subjects (`subjects`).

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::Result;
use craton_crypto::counted::CountedKey;
use lru::LruCache;
use parking_lot::Mutex;

use super::{
    envelope::{self, Boot, Header, SubjectId},
    subjects::{self, Definition, Keys},
};

/// Keys that are kept ready; others are derived again when needed.
const CACHED_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// What is known of the key of a record.
pub(super) type Known = subjects::Known<Arc<CountedKey>>;

/// The keys of subjects for their starts.
pub(super) struct Opener(Mutex<LruCache<(SubjectId, Boot), Arc<CountedKey>>>);

impl Opener {
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_MAX)))
    }

    /// The key of a record.
    pub(super) fn key(&self, header: &Header, keys: &Keys) -> Result<Known> {
        if let Some(key) = self.0.lock().get(&(header.subject, header.boot)) {
            return Ok(Known::Key(Arc::clone(key)));
        }
        Ok(match keys.find(&header.subject)? {
            subjects::Known::Key(subject) => {
                let key = Arc::new(envelope::record_key(&subject, header.boot)?);
                self.0.lock().put((header.subject, header.boot), Arc::clone(&key));
                Known::Key(key)
            }
            subjects::Known::Erased => Known::Erased,
            subjects::Known::Lost => Known::Lost,
        })
    }

    /// The key of a record that brings its subject's key along.
    pub(super) fn define(&self, header: &Header, keys: &Keys, new: &Definition) -> Result<Arc<CountedKey>> {
        let subject = keys.key_of(new)?;
        let key = Arc::new(envelope::record_key(&subject, header.boot)?);
        self.0.lock().put((header.subject, header.boot), Arc::clone(&key));
        Ok(key)
    }

    /// Forgets the keys of a subject.
    pub(super) fn forget(&self, subject: &SubjectId) {
        let mut keys = self.0.lock();
        let gone: Vec<_> = keys
            .iter()
            .map(|(name, _)| *name)
            .filter(|(id, _)| id == subject)
            .collect();
        for name in gone {
            keys.pop(&name);
        }
    }
}
