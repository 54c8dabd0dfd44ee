//! Envelopes of statements (DSSE, <https://github.com/secure-systems-lab/dsse>), signed by the key that signs notes.
//!
//! Invariant: what is signed begins with `DSSEv1 `, which no checkpoint does: its first line is the key's own name. So neither signature can be
//! taken for the other.
//!
//! Deliberately absent: what the statement says.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use craton_base::{Error, Result};

use super::{Signer, Verifier};

/// What begins all that is signed so.
const PREFIX: &str = "DSSEv1";

/// A signature over a payload and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The key's name and id, as its verifier's text form has them; it finds a key, it proves nothing.
    pub key: String,
    /// Ed25519, in base64.
    pub signature: String,
}

/// What is signed: the type and the payload, each after its length.
#[must_use]
pub fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("{PREFIX} {} {kind} {} ", kind.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Signs a payload of a type.
///
/// # Errors
/// [`craton_base::Kind::Internal`] if signing fails; [`craton_base::Kind::Invalid`] if a note of the key could begin as an envelope does.
pub fn sign(signer: &Signer, kind: &str, payload: &[u8]) -> Result<Signature> {
    if signer.verifier.name.starts_with(PREFIX) {
        return Err(Error::invalid("a key of this name signs no envelopes"));
    }
    let signature = signer.key.try_sign(&encoded(kind, payload));
    let signature = signature.map_err(|_| Error::internal("signing an envelope failed"))?;
    Ok(Signature {
        key: key_of(&signer.verifier),
        signature: STANDARD.encode(signature.as_ref()),
    })
}

/// How a signature names a key.
#[must_use]
pub fn key_of(verifier: &Verifier) -> String {
    format!("{}+{:08x}", verifier.name(), verifier.id())
}

#[cfg(test)]
mod tests;
