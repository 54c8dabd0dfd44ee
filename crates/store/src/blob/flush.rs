//! One flush for all who want it at the same time.
//!
//! A flush that is already running may have begun before a caller's change, so a caller needs one
//! that begins after its call. Whoever finds none running runs it, for all who wait.

use craton_base::{Error, Kind, Result};
use parking_lot::{Condvar, Mutex};

/// The flushes of one thing.
#[derive(Default)]
pub(super) struct SharedFlush {
    rounds: Mutex<Rounds>,
    ended: Condvar,
}

#[derive(Default)]
struct Rounds {
    begun: u64,
    ended: u64,
    /// The latest round that failed; 0: none has.
    failed: u64,
}

impl SharedFlush {
    /// Returns when a flush that began after this call has ended. It is run by `run`, here or by another caller.
    ///
    /// # Errors
    /// What `run` returned; `Unavailable` if another caller's failed.
    pub(super) fn flush(&self, run: impl FnOnce() -> Result<()>) -> Result<()> {
        let mut rounds = self.rounds.lock();
        let wanted = rounds.begun.saturating_add(1);
        while rounds.begun > rounds.ended && rounds.ended < wanted {
            self.ended.wait(&mut rounds);
        }
        if rounds.ended >= wanted {
            // A later round that works does not make up for one that failed.
            return if rounds.failed >= wanted {
                Err(failed())
            } else {
                Ok(())
            };
        }
        rounds.begun = rounds.begun.saturating_add(1);
        let round = rounds.begun;
        drop(rounds);
        let result = run();
        let mut rounds = self.rounds.lock();
        rounds.ended = round;
        if result.is_err() {
            rounds.failed = round;
        }
        self.ended.notify_all();
        result
    }
}

fn failed() -> Error {
    Error::new(
        Kind::Unavailable,
        "FlushFailed",
        "a directory could not be flushed",
    )
}

#[cfg(test)]
mod tests;
