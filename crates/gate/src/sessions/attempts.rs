//! How often somebody failed to prove who they are where credentials are given, and who has to wait for that.
//!
//! Each source address and each client id may fail so many times at once, and again as time passes. Who has used that up
//! is refused before anything is looked up or fetched. A client id is allowed far more than an address: who knows an id
//! could otherwise keep its owner waiting from one address.
//!
//! Invariants: memory is bounded: of [`KEPT_MAX`] the one that failed longest ago is forgotten first; of an IPv6 address
//! the network counts, since who has one has all of its addresses; what succeeds is not counted.
//!
//! Deliberately absent: requests that are signed. A key that signs costs a look-up that is kept, and its secret can not be
//! guessed; here tokens are verified and documents fetched for who is not known.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroUsize,
    time::Duration,
};

use craton_base::{Error, Kind as ErrorKind, Result};
use lru::LruCache;
use parking_lot::Mutex;

use crate::{gate::Gate, session::Origin};

/// Sources and clients that are remembered at once, at most.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(16_383);

/// The longest client id that is counted, in bytes; a longer one is nobody's.
const CLIENT_BYTES_MAX: usize = 128;

/// After so many seconds who was refused may try again.
pub const ATTEMPT_AGAIN_SECONDS: u64 = 1;

/// Why who failed too often is refused.
pub const TOO_MANY_ATTEMPTS: &str = "Throttling";

/// Who fails.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Who {
    Source(IpAddr),
    Client(Box<str>),
}

impl Who {
    /// How often it may fail at once, and how long until it may once more.
    const fn allowed(&self) -> (u32, Duration) {
        match self {
            Self::Source(_) => (60, Duration::from_secs(ATTEMPT_AGAIN_SECONDS)),
            Self::Client(_) => (600, Duration::from_millis(100)),
        }
    }
}

/// Failed attempts.
pub(crate) struct Attempts {
    /// When all failures of each are forgotten, on the clock that never goes back.
    until: Mutex<LruCache<Who, Duration>>,
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            until: Mutex::new(LruCache::new(KEPT_MAX)),
        }
    }
}

impl Attempts {
    /// Whether one of them has failed too often to try now.
    fn is_over(&self, all: &[Who], now: Duration) -> bool {
        let mut until = self.until.lock();
        all.iter().any(|who| {
            let (most, each) = who.allowed();
            let left = until
                .get(who)
                .map_or(Duration::ZERO, |until| until.saturating_sub(now));
            left > each.saturating_mul(most.saturating_sub(1))
        })
    }

    /// Counts a failure of each.
    fn count(&self, all: Vec<Who>, now: Duration) {
        let mut until = self.until.lock();
        for who in all {
            let (_, each) = who.allowed();
            let from = until.get(&who).map_or(now, |until| now.max(*until));
            until.put(who, from.saturating_add(each));
        }
    }
}

/// Those whom an attempt counts for.
fn who(source: IpAddr, client: Option<&str>) -> Vec<Who> {
    let source = match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    };
    let client = client.filter(|id| id.len() <= CLIENT_BYTES_MAX);
    std::iter::once(Who::Source(source))
        .chain(client.map(|id| Who::Client(id.into())))
        .collect()
}

impl Gate {
    /// Refuses an attempt of who has failed too often; the refusal is in the ledger.
    ///
    /// # Errors
    /// `Busy`, [`TOO_MANY_ATTEMPTS`]; `Unavailable` if that can not be recorded.
    pub(super) fn check_attempts(
        &self,
        origin: &Origin,
        client: Option<&str>,
        (operation, path): (&str, &str),
    ) -> Result<()> {
        let who = who(origin.source_ip, client);
        if !self.inner.attempts.is_over(&who, self.inner.clock.monotonic()) {
            return Ok(());
        }
        let error = Error::new(
            ErrorKind::Busy,
            TOO_MANY_ATTEMPTS,
            "too many attempts failed; wait before the next",
        );
        self.refuse(origin, client, operation, path, &error)?;
        Err(error)
    }

    /// Counts how an attempt ended: what is the fault of who asks counts.
    pub(super) fn count_attempt<T>(&self, origin: &Origin, client: Option<&str>, done: &Result<T>) {
        let is_fault = |e: &Error| matches!(e.kind(), ErrorKind::Denied | ErrorKind::Invalid);
        if done.as_ref().is_err_and(is_fault) {
            let who = who(origin.source_ip, client);
            self.inner.attempts.count(who, self.inner.clock.monotonic());
        }
    }
}

#[cfg(test)]
mod tests;
