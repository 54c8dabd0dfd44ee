//! The memory budget: one number of bytes, reserved before the memory is used.
//!
//! Invariants (checked in `tests.rs`)
//! - the sum of all reservations never exceeds the budget;
//! - waiters are served in the order in which they came, so that a large one is not starved by small ones;
//! - a reservation ends with its value, and so does a place in the queue: nothing is leaked by cancelling;
//! - a wake-up is never lost: bytes that are free are offered to the first waiter.
//!
//! One number is divided by [`Budget::share`]: a share is a budget of its own whose bytes are taken from its parent.
//!
//! Deliberately absent: what the bytes are used for, and any measuring of real memory. The number of
//! waiters is bounded by whoever bounds the requests in progress.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use craton_base::{Error, Kind, Result};
use parking_lot::Mutex;

/// A number of bytes that are handed out and come back. Clones are the same budget.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    total: u64,
    state: Mutex<State>,
    /// What this budget has taken from its parent, given back when the last clone and the last reservation end.
    _taken: Option<Reservation>,
}

#[derive(Debug, Default)]
struct State {
    used: u64,
    peak: u64,
    /// The ticket of the next waiter.
    next: u64,
    queue: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    bytes: u64,
    granted: bool,
    waker: Waker,
}

/// A budget's state at one moment, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauges {
    /// The bytes there are.
    pub total: u64,
    /// The bytes that are reserved, those of shares included.
    pub used: u64,
    /// The most that was ever reserved at once.
    pub peak: u64,
    /// How many callers wait.
    pub waiting: usize,
}

impl Budget {
    /// A budget of `bytes`. The name is for metrics and messages.
    #[must_use]
    pub fn new(name: &'static str, bytes: u64) -> Self {
        Self::with(name, bytes, None)
    }

    fn with(name: &'static str, total: u64, taken: Option<Reservation>) -> Self {
        Self {
            shared: Arc::new(Shared {
                name,
                total,
                state: Mutex::new(State::default()),
                _taken: taken,
            }),
        }
    }

    /// Divides: a budget of its own, of `bytes` that are taken from this one for as long as it lives.
    ///
    /// # Errors
    /// `TooLarge` if so many bytes are not free now: shares are made at start, from settings.
    pub fn share(&self, name: &'static str, bytes: u64) -> Result<Self> {
        let taken = self.try_reserve(bytes).ok_or_else(|| {
            Error::new(
                Kind::TooLarge,
                "MemoryBudget",
                format!(
                    "the memory budget {:?} has no {bytes} bytes left for {name:?}",
                    self.shared.name
                ),
            )
        })?;
        Ok(Self::with(name, bytes, Some(taken)))
    }

    /// The name it was made with.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.shared.name
    }

    /// The bytes there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.total
    }

    /// Its state now.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let state = self.shared.state.lock();
        Gauges {
            total: self.shared.total,
            used: state.used,
            peak: state.peak,
            waiting: state.queue.iter().filter(|w| !w.granted).count(),
        }
    }

    /// Reserves `bytes` if they are free and nobody waits.
    #[must_use]
    pub fn try_reserve(&self, bytes: u64) -> Option<Reservation> {
        let mut state = self.shared.state.lock();
        if !state.queue.is_empty() || !state.take(bytes, self.shared.total) {
            return None;
        }
        drop(state);
        Some(self.reservation(bytes))
    }

    /// Reserves `bytes`, waiting in line for them. Dropping the future leaves the line.
    ///
    /// A caller that holds a reservation and waits for another can wait for itself: reserve once, for all.
    ///
    /// # Errors
    /// `TooLarge` if the budget is smaller than `bytes`: it would wait for ever.
    pub fn reserve(&self, bytes: u64) -> impl Future<Output = Result<Reservation>> + Send + 'static {
        Waiting {
            budget: self.clone(),
            bytes,
            ticket: None,
        }
    }

    fn reservation(&self, bytes: u64) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes,
        }
    }
}

impl State {
    fn take(&mut self, bytes: u64, total: u64) -> bool {
        let free = total.saturating_sub(self.used);
        if bytes > free {
            return false;
        }
        self.used = self.used.saturating_add(bytes);
        self.peak = self.peak.max(self.used);
        true
    }

    /// Gives free bytes to the waiters at the head of the line; the wakers of those who got theirs.
    fn grant(&mut self, total: u64) -> Vec<Waker> {
        let mut woken = Vec::new();
        let mut free = total.saturating_sub(self.used);
        for waiter in self.queue.iter_mut().filter(|w| !w.granted) {
            if waiter.bytes > free {
                break;
            }
            free = free.saturating_sub(waiter.bytes);
            self.used = self.used.saturating_add(waiter.bytes);
            waiter.granted = true;
            woken.push(waiter.waker.clone());
        }
        self.peak = self.peak.max(self.used);
        woken
    }
}

impl Shared {
    fn give_back(&self, bytes: u64) {
        let mut state = self.state.lock();
        state.used = state.used.saturating_sub(bytes);
        let woken = state.grant(self.total);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Takes a waiter out of the line. Bytes that it was granted go to the next one.
    fn leave(&self, ticket: u64) {
        let mut state = self.state.lock();
        let Some(at) = state.queue.iter().position(|w| w.ticket == ticket) else {
            return;
        };
        let left = state.queue.remove(at);
        if let Some(waiter) = left.filter(|w| w.granted) {
            state.used = state.used.saturating_sub(waiter.bytes);
        }
        let woken = state.grant(self.total);
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

/// A place in the line.
struct Waiting {
    budget: Budget,
    bytes: u64,
    ticket: Option<u64>,
}

impl Waiting {
    fn begin(&mut self, waker: &Waker) -> Poll<Result<Reservation>> {
        let shared = &self.budget.shared;
        if self.bytes > shared.total {
            return Poll::Ready(Err(Error::new(
                Kind::TooLarge,
                "MemoryBudget",
                format!(
                    "{} bytes are needed at once, and the memory budget {:?} has {}",
                    self.bytes, shared.name, shared.total
                ),
            )));
        }
        let mut state = shared.state.lock();
        if state.queue.is_empty() && state.take(self.bytes, shared.total) {
            drop(state);
            return Poll::Ready(Ok(self.budget.reservation(self.bytes)));
        }
        let ticket = state.next;
        state.next = state.next.wrapping_add(1);
        state.queue.push_back(Waiter {
            ticket,
            bytes: self.bytes,
            granted: false,
            waker: waker.clone(),
        });
        // The line can hold only waiters that were granted and have not looked yet.
        let woken = state.grant(shared.total);
        drop(state);
        self.ticket = Some(ticket);
        woken.into_iter().for_each(Waker::wake);
        Poll::Pending
    }
}

impl Future for Waiting {
    type Output = Result<Reservation>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(ticket) = self.ticket else {
            return self.begin(context.waker());
        };
        let shared = Arc::clone(&self.budget.shared);
        let mut state = shared.state.lock();
        let at = state.queue.iter().position(|w| w.ticket == ticket);
        let Some((at, waiter)) = at.and_then(|at| Some((at, state.queue.get_mut(at)?))) else {
            return Poll::Ready(Err(Error::internal(
                "a budget's waiter was polled after it was served",
            )));
        };
        if !waiter.granted {
            waiter.waker.clone_from(context.waker());
            return Poll::Pending;
        }
        state.queue.remove(at);
        drop(state);
        self.ticket = None;
        Poll::Ready(Ok(self.budget.reservation(self.bytes)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.budget.shared.leave(ticket);
        }
    }
}

/// Reserved bytes; they go back when this is dropped.
#[derive(Debug)]
#[must_use = "the bytes go back when this is dropped"]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Reservation {
    /// How many.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives back all but `bytes`; no effect if it holds fewer.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes = self.bytes.saturating_sub(surplus);
        if surplus > 0 {
            self.budget.shared.give_back(surplus);
        }
    }

    /// Reserves more, if it is free and nobody waits; for a caller that else spills.
    #[must_use]
    pub fn try_grow(&mut self, more: u64) -> bool {
        let Some(mut other) = self.budget.try_reserve(more) else {
            return false;
        };
        self.bytes = self.bytes.saturating_add(std::mem::take(&mut other.bytes));
        true
    }

    /// Splits off at most `bytes` of it, to end on their own.
    pub fn split(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes = self.bytes.saturating_sub(bytes);
        self.budget.reservation(bytes)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.shared.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests;
