//! Data keys of the key service, asked for by whoever holds a permit.
//!
//! Invariant: a data key under a named key is given only to a session that may use that key by policy; the one
//! that the system keeps for S3 itself is for everybody who may do what the permit is for, as in AWS.

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};
use craton_crypto::SealKey;

use super::{Mode, Permit, WritePermit};
use crate::{
    kms::{Context, DataKey, MANAGED_KEY},
    session::PrincipalKind,
};

/// A sealed data key, and how it is opened.
#[derive(Clone, Debug)]
pub struct SealedKey<'a> {
    /// The ARN of the named key.
    pub arn: &'a str,
    /// Whether that is the one that the system keeps for S3.
    pub managed: bool,
    /// Whether it serves the whole bucket.
    pub bucket_key: bool,
    /// What it is bound to.
    pub context: &'a Context,
    /// The sealed form.
    pub sealed: &'a Bytes,
}

impl WritePermit {
    /// A new data key under a named key; `None`: the one that the system keeps for S3. With `bucket_key` it may
    /// have served others of this bucket.
    ///
    /// # Errors
    /// The key service's own; `Denied` if the session may not use that key; `NoSuchBucket`.
    pub async fn data_key(&self, name: Option<&str>, context: &Context, bucket_key: bool) -> Result<DataKey> {
        let bucket = bucket_key.then(|| self.bucket().map(|b| b.id)).transpose()?;
        let keys = self.permit.gate.data_keys();
        let made = keys
            .generate(bucket, name.unwrap_or(MANAGED_KEY), context)
            .await?;
        let managed = name.is_none_or(is_managed);
        self.permit
            .check_key("kms:GenerateDataKey", &made.named, managed)?;
        Ok(made)
    }
}

impl Permit {
    /// Opens a data key.
    ///
    /// # Errors
    /// The key service's own; `Denied` if the session may not use that key.
    pub async fn open_data_key(&self, key: &SealedKey<'_>) -> Result<SealKey> {
        self.check_key("kms:Decrypt", key.arn, key.managed)?;
        let keys = self.gate.data_keys();
        if keys.are_outside() && self.mode == Mode::Read {
            // It knows of the use from here on, and so must the ledger, whatever comes between.
            self.tell_decision()?;
        }
        keys.open(key.bucket_key, key.arn, key.context, key.sealed).await
    }

    fn check_key(&self, action: &'static str, arn: &str, managed: bool) -> Result<()> {
        let named = self.session.kind() != PrincipalKind::Anonymous;
        if named && (managed || self.gate.may_use_key(&self.session, action, arn)) {
            return Ok(());
        }
        let who = self.session.arn();
        Err(Error::new(
            ErrorKind::Denied,
            "AccessDenied",
            format!("User: {who} is not authorized to perform: {action} on resource: {arn}"),
        ))
    }
}

/// Whether a name is the alias of the managed key.
fn is_managed(name: &str) -> bool {
    name == MANAGED_KEY || name.rsplit_once(':').is_some_and(|(_, last)| last == MANAGED_KEY)
}
