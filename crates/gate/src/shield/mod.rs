//! The delete shield: in a bucket that has one, an agent destroys nothing that somebody else has not approved.
//!
//! ```text
//! a commit that destroys ─▶ of an agent? ─▶ approved? ── no ─▶ a pending row, and an error that names it
//!                                                └ yes ─▶ carried out, and the row is marked in the same commit
//! ```
//!
//! It stands where changes become commits, not where doors ask: what a commit destroys is read off the commit itself
//! ([`destroyed`]), so there is no operation, of any door, that could be forgotten or called something else. The request is refused;
//! once it is approved its client repeats it, and it is decided anew like any other.
//!
//! Invariants
//! - SH-1: while a bucket is shielded, no commit of an agent's session in it destroys anything without an approval of exactly these
//!   things as they are now: by name, version and, of a document, its hash;
//! - SH-2: an approval is used once, in the commit that it lets through;
//! - SH-3: nobody approves what they asked for, and no agent approves anything ([`who`]);
//! - SH-4: what is asked, approved, rejected, done and over is in the ledger, each in the commit that makes it so;
//! - SH-5: what waits is bounded: by principal, by bucket, and in all.
//!
//! Deliberately absent: what the system does by itself (lifecycle rules, collecting): it is no agent, and whoever configured it was
//! asked then. What keeps history by itself: a delete marker destroys nothing. Keys, users and guard policies, which are in no bucket.

use std::time::Duration;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};
use prost::Message;

mod destroyed;
mod manage;
mod pass;
mod rows;
mod who;

pub(crate) use destroyed::{Destroyed, destroyed};
pub use manage::{PendingInfo, PendingState, PendingThing};
pub(crate) use pass::Approved;

/// The longest hold, in seconds.
pub const HOLD_SECONDS_MAX: u64 = 30 * 86_400;

/// The most operations of one principal that wait.
pub const PENDING_OF_PRINCIPAL_MAX: usize = 100;

/// The most operations in one bucket that wait.
pub const PENDING_IN_BUCKET_MAX: usize = 1000;

/// The most operations that are kept, also of those that were answered.
pub const PENDING_MAX: usize = 10_000;

/// The tag of a user, a role or a session that says it is an agent, if its value is not `false`.
pub const AGENT_TAG: &str = "craton:agent";

/// The reason of a refusal that waits for an approval.
pub const OPERATION_PENDING: &str = "OperationPending";

/// How often what was not answered in time is taken away.
pub(crate) const EXPIRE_EVERY: Duration = Duration::from_secs(5);

/// A bucket's shield. The tags are on disk (`docs/formats.md`).
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Shield {
    /// How long an operation waits for its approval, and an approval for the operation.
    #[prost(uint64, tag = "1")]
    pub hold_seconds: u64,
    /// Whether it is for everyone, not for agents alone.
    #[prost(bool, tag = "2")]
    pub everyone: bool,
}

impl Shield {
    /// Reads a document.
    ///
    /// # Errors
    /// `Invalid`, `InvalidHold`; `MalformedConfiguration`.
    pub(crate) fn parse(document: &Bytes) -> Result<Self> {
        let found = Self::decode(document.clone()).map_err(|e| {
            let text = "the document is not a shield";
            Error::new(ErrorKind::Invalid, "MalformedConfiguration", text).with_source(e)
        })?;
        if (1..=HOLD_SECONDS_MAX).contains(&found.hold_seconds) {
            return Ok(found);
        }
        let text = format!("a shield holds for 1 to {HOLD_SECONDS_MAX} seconds");
        Err(Error::new(ErrorKind::Invalid, "InvalidHold", text))
    }

    pub(crate) const fn hold(self) -> Duration {
        Duration::from_secs(self.hold_seconds)
    }
}

/// What the gate needs for it.
#[derive(Default)]
pub(crate) struct ShieldPlane {
    /// Held while a row comes to be, so that the bounds hold.
    asking: tokio::sync::Mutex<()>,
}

#[cfg(test)]
mod tests;
