//! What a piece of work may use, and how it is stopped: checked once a block, by everything that runs long.
//!
//! Deliberately absent: memory, which is a budget's.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use craton_base::{Clock, Error, Kind, Result};

/// Limits of one load, query or program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// How many facts it may make.
    pub facts: u64,
    /// How many bytes it may read from storage.
    pub read_bytes: u64,
    /// How many bytes of scratch blobs it may have at once.
    pub scratch_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_hours(1),
            facts: u64::MAX,
            read_bytes: u64::MAX,
            scratch_bytes: u64::MAX,
        }
    }
}

/// One piece of work under its limits. Clones are the same work.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    clock: Arc<dyn Clock>,
    start: Duration,
    cancelled: AtomicBool,
    facts: AtomicU64,
    read_bytes: AtomicU64,
    steps: AtomicU64,
    spilled_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

/// How far a piece of work is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// Facts that it made, doubles included.
    pub facts: u64,
    /// Bytes that it read from storage.
    pub read_bytes: u64,
    /// Steps of a program that it began.
    pub steps: u64,
    /// Bytes that its joins wrote beside because they did not fit in memory.
    pub spilled_bytes: u64,
}

impl Control {
    /// Work that begins now.
    #[must_use]
    pub fn new(limits: Limits, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                start: clock.monotonic(),
                clock,
                cancelled: AtomicBool::new(false),
                facts: AtomicU64::new(0),
                read_bytes: AtomicU64::new(0),
                steps: AtomicU64::new(0),
                spilled_bytes: AtomicU64::new(0),
                peak_bytes: AtomicU64::new(0),
            }),
        }
    }

    /// Its limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// How long it has been going on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.clock.monotonic().saturating_sub(self.shared.start)
    }

    /// How far it is.
    #[must_use]
    pub fn done(&self) -> Done {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Done {
            facts: load(&self.shared.facts),
            read_bytes: load(&self.shared.read_bytes),
            steps: load(&self.shared.steps),
            spilled_bytes: load(&self.shared.spilled_bytes),
        }
    }

    /// Notes what a join held in memory at most, and what it wrote beside.
    pub fn joined(&self, held_bytes: u64, spilled_bytes: u64) {
        add(&self.shared.spilled_bytes, spilled_bytes);
        self.shared.peak_bytes.fetch_max(held_bytes, Ordering::Relaxed);
    }

    /// The most bytes that a join held in memory since this was asked last.
    pub fn take_peak(&self) -> u64 {
        self.shared.peak_bytes.swap(0, Ordering::Relaxed)
    }

    /// Says that it is at its `steps`th step.
    pub fn at_step(&self, steps: u64) {
        self.shared.steps.store(steps, Ordering::Relaxed);
    }

    /// Asks it to stop at its next check.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it may go on.
    ///
    /// # Errors
    /// `Unavailable`, `Cancelled`; `TooLarge`, `TimeLimit`.
    pub fn check(&self) -> Result<()> {
        if self.shared.cancelled.load(Ordering::Relaxed) {
            return Err(Error::new(
                Kind::Unavailable,
                "Cancelled",
                "the work was cancelled",
            ));
        }
        if self.elapsed() > self.shared.limits.time {
            let seconds = self.shared.limits.time.as_secs_f64();
            return Err(limit("TimeLimit", format!("it took longer than {seconds} s")));
        }
        Ok(())
    }

    /// Counts facts that it made.
    ///
    /// # Errors
    /// `TooLarge`, `FactLimit`; as [`Control::check`].
    pub fn made_facts(&self, facts: u64) -> Result<()> {
        let most = self.shared.limits.facts;
        if add(&self.shared.facts, facts) > most {
            return Err(limit("FactLimit", format!("it made more than {most} facts")));
        }
        self.check()
    }

    /// Counts bytes that it read.
    ///
    /// # Errors
    /// `TooLarge`, `ReadLimit`; as [`Control::check`].
    pub fn read_bytes(&self, bytes: u64) -> Result<()> {
        let most = self.shared.limits.read_bytes;
        if add(&self.shared.read_bytes, bytes) > most {
            return Err(limit("ReadLimit", format!("it read more than {most} bytes")));
        }
        self.check()
    }
}

fn add(counter: &AtomicU64, n: u64) -> u64 {
    counter.fetch_add(n, Ordering::Relaxed).saturating_add(n)
}

fn limit(reason: &'static str, what: String) -> Error {
    Error::new(Kind::TooLarge, reason, format!("stopped at its limit: {what}"))
}
