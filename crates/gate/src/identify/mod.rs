//! Who asks: AWS Signature Version 4 for every door, verified here and nowhere else.
//!
//! ```text
//! request head ──▶ sigv4::Verifier::identify ──▶ Caller::Identified { owner, payload, … }
//!                                            └─▶ Caller::Anonymous { payload }
//! request body + payload ──▶ body::VerifiedBody ──▶ the data, and a clean end only if it verifies
//! ```
//!
//! Invariants:
//! - a [`Identified`] exists only after its signature was compared, in constant time, with one
//!   computed from the request and the key's secret; there is no other way past this module;
//! - the host and every `x-amz-*` header of a signed request are covered by the signature;
//! - a body that does not match what was signed never ends cleanly, and its last piece is held
//!   back until it is known to match;
//! - secrets, computed signatures, strings to sign and tokens are in no error and no log;
//! - what an outsider sends is bounded by the limits stated as constants here.
//!
//! Deliberately absent: what the caller may do (`policy`), where keys are kept ([`Credentials`]
//! is a trait), what a path or query means (the doors).

pub mod body;
mod canonical;
mod chain;
mod chunked;
mod claim;
mod encoding;
mod key;
mod payload;
pub mod post_policy;
mod refuse;
mod scope;
pub mod sign;
pub mod sigv4;

pub use canonical::{QUERY_PARAMETERS_MAX, SIGNED_HEADERS_MAX};
pub use claim::{AUTHORIZATION_BYTES_MAX, EXPIRES_SECONDS_MAX, How, TOKEN_BYTES_MAX};
pub use payload::{Mode, Payload, TRAILERS_MAX};
pub use scope::{Scope, Service};
pub use sigv4::{Caller, Credentials, Identified, Lookup, Regions, Settings, Verifier};

#[cfg(test)]
mod tests;
