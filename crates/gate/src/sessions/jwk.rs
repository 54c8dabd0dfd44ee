//! Tokens and keys of others: JSON web tokens and key sets, read with every check that does not need to know whose
//! they are.
//!
//! Invariants: which algorithm a signature is checked with is said by the key, and the token must name the same; a
//! token of more than [`TOKEN_BYTES_MAX`] bytes is not looked at.
//!
//! Source: RFC 7515, 7517, 7519, 8725.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use craton_base::{Error, Kind as ErrorKind, Result};
use craton_crypto::jose::{Algorithm, PublicKey};
use serde_json::Value as Json;

/// The longest token, in bytes.
pub(super) const TOKEN_BYTES_MAX: usize = 16 << 10;
/// The most keys of one issuer.
const KEYS_MAX: usize = 64;

/// A key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct IssuerKey {
    pub(super) id: Option<String>,
    pub(super) key: PublicKey,
}

/// A token taken apart; nothing in it is verified.
#[derive(Debug)]
pub(super) struct Token<'a> {
    algorithm: Algorithm,
    key_id: Option<String>,
    signed: &'a str,
    signature: Vec<u8>,
    claims: Json,
}

/// The keys of a key set that can verify signatures. Others are passed over.
pub(super) fn key_set(json: &[u8]) -> Result<Vec<IssuerKey>> {
    let bad = || {
        Error::new(
            ErrorKind::Unavailable,
            "IDPCommunicationError",
            "the issuer's keys are not a JSON web key set",
        )
    };
    let set: Json = serde_json::from_slice(json).map_err(|e| bad().with_source(e))?;
    let keys = set.get("keys").and_then(Json::as_array).ok_or_else(bad)?;
    Ok(keys.iter().filter_map(key).take(KEYS_MAX).collect())
}

fn key(json: &Json) -> Option<IssuerKey> {
    let text = |name: &str| json.get(name).and_then(Json::as_str);
    let bytes = |name: &str| BASE64.decode(text(name)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    let algorithm = match text("alg") {
        Some(name) => Algorithm::named(name)?,
        None => match (text("kty")?, text("crv")) {
            ("RSA", _) => Algorithm::Rs256,
            ("EC", Some("P-256")) => Algorithm::Es256,
            ("EC", Some("P-384")) => Algorithm::Es384,
            ("OKP", Some("Ed25519")) => Algorithm::EdDsa,
            _ => return None,
        },
    };
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => PublicKey::rsa(algorithm, bytes("n")?, bytes("e")?)?,
        ("EC", Some("P-256")) if algorithm == Algorithm::Es256 => {
            PublicKey::point(algorithm, &bytes("x")?, &bytes("y")?)?
        }
        ("EC", Some("P-384")) if algorithm == Algorithm::Es384 => {
            PublicKey::point(algorithm, &bytes("x")?, &bytes("y")?)?
        }
        ("OKP", Some("Ed25519")) if algorithm == Algorithm::EdDsa => {
            PublicKey::ed25519(bytes("x")?.try_into().ok()?)
        }
        _ => return None,
    };
    Some(IssuerKey {
        id: text("kid").map(str::to_owned),
        key,
    })
}

impl<'a> Token<'a> {
    /// Takes a token apart; `None` if it is not one that could ever be good.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let object = |part: &str| -> Option<Json> {
            let json: Json = serde_json::from_slice(&BASE64.decode(part).ok()?).ok()?;
            json.is_object().then_some(json)
        };
        let header = object(header)?;
        // Whatever must be understood and is not known here makes it no good.
        if header.get("crit").is_some() {
            return None;
        }
        Some(Self {
            algorithm: Algorithm::named(header.get("alg")?.as_str()?)?,
            key_id: header.get("kid").and_then(Json::as_str).map(str::to_owned),
            signed,
            signature: BASE64.decode(signature).ok()?,
            claims: object(claims)?,
        })
    }

    /// Who it says has issued it. Not verified.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    fn candidates<'k>(&self, keys: &'k [IssuerKey]) -> impl Iterator<Item = &'k IssuerKey> {
        keys.iter().filter(move |k| match (&self.key_id, &k.id) {
            (Some(wanted), Some(id)) => wanted == id,
            // Without a name there must be no choice.
            _ => keys.len() == 1,
        })
    }

    /// Whether the signature is good by one of these keys.
    pub(super) fn is_signed_by(&self, keys: &[IssuerKey]) -> bool {
        self.candidates(keys).any(|k| {
            k.key.algorithm() == self.algorithm && k.key.verify(self.signed.as_bytes(), &self.signature)
        })
    }

    /// The claims, if the signature is good by one of these keys.
    pub(super) fn verify(self, keys: &[IssuerKey]) -> Option<Json> {
        self.is_signed_by(keys).then_some(self.claims)
    }
}

/// The audiences that claims name.
pub(super) fn audiences(claims: &Json) -> Vec<&str> {
    match claims.get("aud") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
