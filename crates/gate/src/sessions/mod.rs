//! Sessions: somebody becomes somebody else, or less, for a while.
//!
//! A session is an entry of the namespace: who acts, for whom, with which limits, until when, and made from which
//! credentials. Its access key or bearer token only names it. So it ends at once, everywhere and for good when it is
//! revoked, or when an access key, session, user, role or provider that it rests on is.
//!
//! Invariants
//! - a session has no right that its principal lacks, nor one that anyone lacks for whom it acts;
//! - whoever acts for somebody goes on to do so in every session made from that one;
//! - a session for a table's files reaches nothing else, and makes no sessions;
//! - `root` has no sessions.
//!
//! Deliberately absent: what the sessions may do ([`crate::access`]), protocols (the doors).

mod assume;
mod attempts;
mod exchange;
mod issue;
mod issuers;
mod jwk;
mod manage;
mod tokens;
mod vend;
mod web;

pub use assume::{AssumeRole, Limits as SessionLimits, SESSION_SECONDS_MAX, SESSION_SECONDS_MIN};
pub(crate) use attempts::Attempts;
pub use attempts::{ATTEMPT_AGAIN_SECONDS, TOO_MANY_ATTEMPTS};
pub use exchange::{Audience, ClientGrant, Exchange, Granted, TokenFault};
pub use issue::{CallerIdentity, Issued};
pub use issuers::Fetch;
pub(crate) use issuers::Issuers;
pub use manage::SessionInfo;
pub(crate) use tokens::{TokenState, Tokens};
pub(crate) use vend::Vended;
pub use web::{WebIdentity, WebSession};
