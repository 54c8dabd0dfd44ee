//! The memory that statements work in: DataFusion's pool over the budget that the engines share.
//!
//! Invariants
//! - what a statement reserves is taken from the budget before it is used, in steps of [`STEP`], and given back when it ends;
//! - one statement has at most its share, so that several can work.
//!
//! What is counted: what DataFusion's operators say they hold (sorts, joins, aggregates and their spills) and the bytes of files between
//! reading and decoding. What is not: batches on their way between operators, and what a function makes of one batch.

use craton_gate::{Budget, Reservation};
use datafusion::{
    common::{DataFusionError, Result},
    execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation},
};
use parking_lot::Mutex;

/// In such steps memory is taken from the budget, in bytes.
const STEP: u64 = 1 << 20;

/// The memory of one statement.
pub(crate) struct Pool {
    budget: Budget,
    most: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: u64,
    /// Each of [`STEP`] or more; their sum is `held`.
    taken: Vec<(u64, Reservation)>,
    held: u64,
}

impl Pool {
    /// At most `most` bytes of a budget.
    pub(crate) fn new(budget: Budget, most: u64) -> Self {
        Self {
            budget,
            most,
            state: Mutex::default(),
        }
    }

    fn take(&self, bytes: u64, must: bool) -> Result<()> {
        let mut state = self.state.lock();
        let wanted = state.used.saturating_add(bytes);
        if wanted > state.held {
            let more = wanted
                .saturating_sub(state.held)
                .div_ceil(STEP)
                .saturating_mul(STEP);
            let reserved = match wanted <= self.most {
                true => self.budget.try_reserve(more),
                false => None,
            };
            match reserved {
                Some(reservation) => {
                    state.held = state.held.saturating_add(more);
                    state.taken.push((more, reservation));
                }
                None if must => {}
                None => return Err(self.exhausted(&state, bytes)),
            }
        }
        state.used = wanted;
        Ok(())
    }

    fn exhausted(&self, state: &State, bytes: u64) -> DataFusionError {
        let used = state.used;
        DataFusionError::ResourcesExhausted(format!(
            "the statement holds {used} bytes and needs {bytes} more: one has at most {} bytes, and all of them with the graphs {}",
            self.most,
            self.budget.total()
        ))
    }

    fn give_back(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.used = state.used.saturating_sub(bytes);
        while let Some((last, _)) = state.taken.last() {
            let without = state.held.saturating_sub(*last);
            // One step is kept, so that it is not taken and given back all the time.
            let is_slack = *last <= STEP && without < state.used.saturating_add(STEP);
            if without < state.used || is_slack {
                return;
            }
            state.held = without;
            state.taken.pop();
        }
    }
}

impl MemoryPool for Pool {
    fn grow(&self, _: &MemoryReservation, additional: usize) {
        // What must be counted is, even beyond the limit: the next one that may fail does.
        drop(self.take(additional as u64, true));
    }

    fn shrink(&self, _: &MemoryReservation, shrink: usize) {
        self.give_back(shrink as u64);
    }

    fn try_grow(&self, _: &MemoryReservation, additional: usize) -> Result<()> {
        self.take(additional as u64, false)
    }

    fn reserved(&self) -> usize {
        usize::try_from(self.state.lock().used).unwrap_or(usize::MAX)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(usize::try_from(self.most).unwrap_or(usize::MAX))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
