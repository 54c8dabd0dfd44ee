//! Pacing: work rests in proportion to how long it was at it, so that it never takes more than its share of
//! the disk and the processor from requests, on any machine.
//!
//! Deliberately absent: what the work is.

use std::{sync::Arc, time::Duration};

use craton_base::Clock;

/// How many times as long as it worked, work rests.
const REST: u32 = 3;

/// The longest rest after one step.
const REST_MAX: Duration = Duration::from_secs(5);

/// A pace.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    since: Duration,
}

impl Pace {
    /// Begins to work.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            since: clock.monotonic(),
            clock,
        }
    }

    /// Rests after a step.
    pub(crate) async fn rest(&mut self) {
        let worked = self.clock.monotonic().saturating_sub(self.since);
        tokio::time::sleep(rest_after(worked)).await;
        self.since = self.clock.monotonic();
    }
}

fn rest_after(worked: Duration) -> Duration {
    worked.saturating_mul(REST).min(REST_MAX)
}
