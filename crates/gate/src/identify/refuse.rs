//! The refusals of this module, in one place so that their kinds and reasons stay the same.
//!
//! Invariant: a refusal never holds a secret, a computed signature, a string to sign or a token.

use std::borrow::Cow;

use craton_base::{Error, Kind};

/// The caller is not who it says, or the request may not be made.
pub(super) fn denied(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::Denied, reason, message)
}

/// The request itself is wrong.
pub(super) fn invalid(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(Kind::Invalid, reason, message)
}

/// `SignatureDoesNotMatch`, the same whatever differs.
pub(super) fn mismatch() -> Error {
    denied(
        "SignatureDoesNotMatch",
        "the signature computed from the request does not match the one it carries; check the secret key and \
         how the request is signed",
    )
}

/// The body ended too early, or is longer than it says.
pub(super) fn incomplete(message: impl Into<Cow<'static, str>>) -> Error {
    invalid("IncompleteBody", message)
}

/// The trailer after the last chunk is wrong.
pub(super) fn bad_trailer(message: impl Into<Cow<'static, str>>) -> Error {
    invalid("MalformedTrailerError", message)
}
