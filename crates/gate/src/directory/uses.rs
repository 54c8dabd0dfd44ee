//! When an access key was last used, and for which service.
//!
//! Invariants: noting a use takes no lock and no allocation; what is kept is bounded; it is written down from time to
//! time and when the gate closes, so a crash loses at most that time.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use craton_base::Timestamp;
use parking_lot::Mutex;

use super::AccessKeyRecord;
use crate::identify::Service;

/// Keys whose use is remembered before it is written down.
const KEYS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// The last use of one key.
#[derive(Default)]
pub(crate) struct Use {
    micros: AtomicU64,
    service: AtomicU8,
    written_micros: AtomicU64,
}

impl Use {
    /// Notes a use.
    pub(crate) fn note(&self, at: Timestamp, service: Service) {
        self.micros.fetch_max(at.micros(), Ordering::Relaxed);
        let place = Service::ALL.iter().position(|s| *s == service).unwrap_or(0);
        self.service
            .store(u8::try_from(place).unwrap_or(0), Ordering::Relaxed);
    }

    /// When it was, and for what; `None` if it never was.
    pub(crate) fn last(&self) -> Option<(Timestamp, &'static str)> {
        let micros = self.micros.load(Ordering::Relaxed);
        let place = usize::from(self.service.load(Ordering::Relaxed));
        let service = Service::ALL.get(place).map_or("s3", |s| s.as_str());
        (micros != 0).then_some((Timestamp(micros), service))
    }
}

/// The last uses of keys.
pub(crate) struct Uses(Mutex<lru::LruCache<Arc<str>, Arc<Use>>>);

impl Uses {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(lru::LruCache::new(KEYS_MAX)))
    }

    /// That of one key, from its entry if it is not known yet.
    pub(super) fn of(&self, id: &str, record: &AccessKeyRecord) -> Arc<Use> {
        let mut known = self.0.lock();
        if let Some(found) = known.get(id) {
            return found.clone();
        }
        let place = Service::ALL
            .iter()
            .position(|s| s.as_str() == record.used_service);
        let new = Arc::new(Use {
            micros: record.used_micros.into(),
            service: u8::try_from(place.unwrap_or(0)).unwrap_or(0).into(),
            written_micros: record.used_micros.into(),
        });
        known.put(id.into(), new.clone());
        new
    }

    /// Those that are newer than what was written down; they count as written from here on.
    pub(crate) fn take_news(&self) -> Vec<(Arc<str>, Timestamp, &'static str)> {
        let known = self.0.lock();
        let news = known.iter().filter_map(|(id, used)| {
            let (at, service) = used.last()?;
            let before = used.written_micros.swap(at.micros(), Ordering::Relaxed);
            (before < at.micros()).then(|| (id.clone(), at, service))
        });
        news.collect()
    }
}
