//! The key service behind SSE-KMS: it makes data keys under named keys, and opens them again.
//!
//! Each object (or, with a bucket key, each bucket for a while) gets a data key; content is sealed under it
//! *and* the bucket's own key, so disabling the named key makes the content unreadable, and the key service
//! alone can not read it either.
//!
//! Invariants
//! - a data key opens only with the context that it was made with;
//! - whoever seals or opens under a named key may use that key by policy (`kms:GenerateDataKey`, `kms:Decrypt`),
//!   except for the one that the system keeps itself for S3.
//!
//! Deliberately absent: S3's headers, and what is sealed. `docs/decisions/0010-*.md` says why two keys.

use std::collections::BTreeMap;

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use craton_crypto::SealKey;

mod cache;
mod local;
mod manage;

pub(crate) use cache::DataKeys;
pub(crate) use local::LocalKeys;
pub(crate) use manage::path;
pub use manage::{NAMED_KEYS_MAX, NamedKey};

/// The name of the key that the system makes for itself when a request names none.
pub const MANAGED_KEY: &str = "alias/aws/s3";

/// The longest name of a key, in bytes: an ARN.
pub const KEY_NAME_BYTES_MAX: usize = 2048;

/// The longest sealed data key, in bytes.
pub const SEALED_BYTES_MAX: usize = 6144;

/// What a data key is bound to: names and values, in the service's log for people.
pub type Context = BTreeMap<String, String>;

/// A data key.
#[derive(Clone, Debug)]
pub struct DataKey {
    /// The ARN of the named key that it is sealed under.
    pub named: String,
    /// The key.
    pub key: SealKey,
    /// The key as the service sealed it.
    pub sealed: Bytes,
}

/// A key service.
#[async_trait::async_trait]
pub trait KeyService: Send + Sync + 'static {
    /// Makes a data key under the key of this name: an id, an ARN or an alias.
    ///
    /// # Errors
    /// `Invalid` with the reasons `KMS.NotFoundException`, `KMS.DisabledException`,
    /// `KMS.KMSInvalidStateException`; `Denied`; `Unavailable` if the service does not answer.
    async fn generate(&self, name: &str, context: &Context) -> Result<DataKey>;

    /// Opens a data key that was made under the key of this ARN.
    ///
    /// # Errors
    /// As [`KeyService::generate`]; `Corrupt` if it was not made so.
    async fn open(&self, arn: &str, context: &Context, sealed: &[u8]) -> Result<SealKey>;

    /// Whether a call leaves this process: then what it is for is recorded before it.
    fn is_outside(&self) -> bool {
        true
    }
}

/// `KMS.NotFoundException`.
#[must_use]
pub fn no_such_key(name: &str) -> Error {
    let shown: String = name.chars().take(256).collect();
    Error::new(
        Kind::Invalid,
        "KMS.NotFoundException",
        format!("Key '{shown}' does not exist"),
    )
}

/// `KMS.DisabledException`.
#[must_use]
pub fn disabled(arn: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "KMS.DisabledException",
        format!("{arn} is disabled."),
    )
}

#[cfg(test)]
mod tests;
