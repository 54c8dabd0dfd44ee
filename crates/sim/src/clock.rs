//! A clock that stands still until a test moves it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Clock, Timestamp};

/// A clock that a test sets. Clones share one time.
#[derive(Clone, Debug)]
pub struct SimClock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    now_micros: AtomicU64,
    monotonic_micros: AtomicU64,
}

impl SimClock {
    /// A clock that shows `start`; its monotonic time begins at zero.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self {
            inner: Arc::new(Inner {
                now_micros: AtomicU64::new(start.micros()),
                monotonic_micros: AtomicU64::new(0),
            }),
        }
    }

    /// Lets `time` pass, on both clocks.
    pub fn advance(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.inner.now_micros.fetch_add(micros, Ordering::SeqCst);
        self.inner.monotonic_micros.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the wall clock only, as an operator or a wrong time server would; it may go back.
    pub fn set_wall(&self, now: Timestamp) {
        self.inner.now_micros.store(now.micros(), Ordering::SeqCst);
    }
}

impl Default for SimClock {
    /// A clock at 2026-01-01T00:00:00Z.
    fn default() -> Self {
        Self::new(Timestamp::from_seconds(1_767_225_600))
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.inner.now_micros.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.inner.monotonic_micros.load(Ordering::SeqCst))
    }
}
