//! Signatures of JSON web tokens: ours with Ed25519, those of others with the algorithm that their key is for.
//!
//! Invariant: an algorithm belongs to a key, never to a token: there is no `none`, and no key is both for a signature
//! and for a MAC.
//!
//! Deliberately absent: JSON, claims, where keys come from.
//!
//! Source: RFC 7518, RFC 8037.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use craton_base::{Error, Result};

use crate::keys::SealKey;

/// A signature algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Algorithm {
    /// RSA PKCS #1 with SHA-256.
    Rs256,
    /// RSA PKCS #1 with SHA-384.
    Rs384,
    /// RSA PKCS #1 with SHA-512.
    Rs512,
    /// RSA PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Every algorithm that is verified.
    pub const ALL: [Self; 7] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// As `alg` names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of this name; `None` also for `none` and every MAC.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Some(&RSA_PSS_2048_8192_SHA256),
            Self::Es256 | Self::Es384 | Self::EdDsa => None,
        }
    }
}

/// A public key with the one algorithm that it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey {
    algorithm: Algorithm,
    numbers: Numbers,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Numbers {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point, uncompressed, or an Ed25519 key.
    Bytes(Vec<u8>),
}

impl PublicKey {
    /// An RSA key; `None` if the algorithm is not RSA's.
    #[must_use]
    pub fn rsa(algorithm: Algorithm, n: Vec<u8>, e: Vec<u8>) -> Option<Self> {
        algorithm.rsa()?;
        Some(Self {
            algorithm,
            numbers: Numbers::Rsa { n, e },
        })
    }

    /// A point on the algorithm's curve; `None` if the algorithm is another or the coordinates have another length.
    #[must_use]
    pub fn point(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Option<Self> {
        let length = match algorithm {
            Algorithm::Es256 => 32,
            Algorithm::Es384 => 48,
            _ => return None,
        };
        (x.len() == length && y.len() == length).then(|| Self {
            algorithm,
            numbers: Numbers::Bytes([&[4], x, y].concat()),
        })
    }

    /// An Ed25519 key.
    #[must_use]
    pub fn ed25519(key: [u8; 32]) -> Self {
        Self {
            algorithm: Algorithm::EdDsa,
            numbers: Numbers::Bytes(key.to_vec()),
        }
    }

    /// The algorithm that it is for.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether `signature` is one of `message` by this key.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let by = |algorithm: &'static dyn aws_lc_rs::signature::VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(message, signature)
                .is_ok()
        };
        match (&self.numbers, self.algorithm) {
            (Numbers::Rsa { n, e }, algorithm) => algorithm.rsa().is_some_and(|p| {
                RsaPublicKeyComponents { n, e }
                    .verify(p, message, signature)
                    .is_ok()
            }),
            (Numbers::Bytes(key), Algorithm::Es256) => by(&ECDSA_P256_SHA256_FIXED, key),
            (Numbers::Bytes(key), Algorithm::Es384) => by(&ECDSA_P384_SHA384_FIXED, key),
            (Numbers::Bytes(key), Algorithm::EdDsa) => by(&ED25519, key),
            (Numbers::Bytes(_), _) => false,
        }
    }
}

/// A key of ours that signs tokens, with Ed25519.
pub struct SigningKey {
    key: Ed25519KeyPair,
    public: [u8; 32],
}

impl SigningKey {
    /// The key of a seed.
    ///
    /// # Errors
    /// `Internal` if the seed is refused.
    pub fn new(seed: &SealKey) -> Result<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(seed.expose())
            .map_err(|_| Error::internal("an Ed25519 seed was refused"))?;
        let public = key
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| Error::internal("an Ed25519 public key has the wrong length"))?;
        Ok(Self { key, public })
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::ed25519(self.public)
    }

    /// Its public half as `x` of a JSON web key.
    #[must_use]
    pub fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.public)
    }

    /// The signature of a message.
    ///
    /// # Errors
    /// `Internal` if it can not be made.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let signature = self.key.try_sign(message);
        let signature = signature.map_err(|_| Error::internal("a token could not be signed"))?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.x())
    }
}

#[cfg(test)]
mod tests;
