//! Encryption that a client asks for, besides the sealing that everything gets anyway: with a key of the key
//! service (SSE-KMS, DSSE-KMS) or with the client's own (SSE-C).
//!
//! The key is bound to the permit ([`craton_gate::Permit::bind`]): content is then sealed under it *and* the
//! bucket's key. What is kept with the object tells how to get the key again, never the key.
//!
//! Invariants
//! - of a client's key only a salted digest is kept, to tell a wrong key from a right one;
//! - a client's key is never printed;
//! - the entity tag of such an object is not the MD5 of its bytes, as in AWS.
//!
//! Deliberately absent: headers, default encryption of buckets.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use craton_base::{Error as BaseError, ObjectKey, Secret};
use craton_gate::{DefaultEncryption, Permit, SealKey, SealedKey, WritePermit, kms::Context};
use md5::{Digest as _, Md5};
use prost::Message;

use crate::{Error, Fault, Result};

/// The name in a context that S3 itself sets.
const ARN_IN_CONTEXT: &str = "aws:s3:arn";

/// The length of a customer's key, in bytes.
pub const CUSTOMER_KEY_BYTES: usize = 32;

/// How an object is encrypted. The number is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// SSE-S3: `AES256`, what everything has.
    Managed = 0,
    /// SSE-KMS: `aws:kms`.
    Kms = 1,
    /// DSSE-KMS: `aws:kms:dsse`.
    KmsDual = 2,
    /// SSE-C.
    Customer = 3,
}

/// A client's own key. Printed, it says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct CustomerKey {
    key: SealKey,
    md5: [u8; 16],
}

/// What a write asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// SSE-S3.
    #[default]
    Managed,
    /// A key of the key service.
    Kms(WantedKms),
    /// The client's own key.
    Customer(CustomerKey),
}

/// What a write asks of the key service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedKms {
    /// The key's id, ARN or alias; `None`: the one that the system keeps for S3.
    pub key: Option<String>,
    /// What the client binds the data key to.
    pub context: BTreeMap<String, String>,
    /// Whether one data key may serve many objects of the bucket.
    pub bucket_key: bool,
    /// DSSE-KMS.
    pub dual: bool,
}

/// What is kept about an object's encryption; absent: SSE-S3. Tags are on disk (`docs/formats.md`, "Objects").
#[derive(Clone, PartialEq, Eq, Message)]
pub struct EncryptionRecord {
    /// [`Method`]'s number.
    #[prost(uint32, tag = "1")]
    pub method: u32,
    /// Random: makes the digest of a client's key, and the entity tag, say nothing to others.
    #[prost(bytes = "bytes", tag = "2")]
    pub salt: Bytes,
    /// A digest of a client's key.
    #[prost(bytes = "bytes", tag = "3")]
    pub check: Bytes,
    /// The ARN of the key service's key.
    #[prost(string, tag = "4")]
    pub key_arn: String,
    /// Whether that is the one that the system keeps for S3.
    #[prost(bool, tag = "5")]
    pub managed_key: bool,
    /// Whether the data key serves the whole bucket.
    #[prost(bool, tag = "6")]
    pub bucket_key: bool,
    /// What the data key is bound to, all of it.
    #[prost(btree_map = "string, string", tag = "7")]
    pub context: BTreeMap<String, String>,
    /// The data key as the key service sealed it.
    #[prost(bytes = "bytes", tag = "8")]
    pub sealed_key: Bytes,
}

impl Wanted {
    /// The client's own key, if it is to be that.
    #[must_use]
    pub const fn customer(&self) -> Option<&CustomerKey> {
        match self {
            Self::Customer(key) => Some(key),
            _ => None,
        }
    }
}

impl Method {
    /// From its number.
    #[must_use]
    pub const fn from_number(n: u32) -> Option<Self> {
        match n {
            0 => Some(Self::Managed),
            1 => Some(Self::Kms),
            2 => Some(Self::KmsDual),
            3 => Some(Self::Customer),
            _ => None,
        }
    }

    /// Its name in `x-amz-server-side-encryption`; a client's own key has none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Managed => Some("AES256"),
            Self::Kms => Some("aws:kms"),
            Self::KmsDual => Some("aws:kms:dsse"),
            Self::Customer => None,
        }
    }
}

impl CustomerKey {
    /// Reads a key and its MD5, both in base64, as S3's headers say them.
    ///
    /// # Errors
    /// `InvalidArgument` if the key has not 256 bits or the MD5 is another's.
    pub fn parse(key: &str, md5: &str) -> Result<Self> {
        let invalid = |message: &'static str| Error::fault(Fault::InvalidArgument, message);
        let key = BASE64
            .decode(key.trim())
            .ok()
            .map(Secret::new)
            .and_then(|key| SealKey::from_slice(key.expose()).ok())
            .ok_or_else(|| invalid("The secret key was invalid for the specified algorithm."))?;
        let digest: [u8; 16] = Md5::digest(key.expose()).into();
        let stated = BASE64.decode(md5.trim()).unwrap_or_default();
        if stated != digest {
            return Err(invalid(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
            ));
        }
        Ok(Self { key, md5: digest })
    }

    /// The MD5 in base64, as it is answered.
    #[must_use]
    pub fn md5_text(&self) -> String {
        BASE64.encode(self.md5)
    }
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CustomerKey(…)")
    }
}

impl EncryptionRecord {
    /// How the object is encrypted.
    ///
    /// # Errors
    /// `Corrupt` if the stored number means nothing.
    pub fn method(&self) -> Result<Method> {
        Method::from_number(self.method)
            .ok_or_else(|| BaseError::corrupt("an object's encryption is unknown").into())
    }

    fn is_key(&self, customer: &CustomerKey) -> bool {
        // The salted digest of 256 random bits tells nothing about them, so the comparison needs no care.
        self.check == digest(&self.salt, customer)
    }

    /// The entity tag's bytes for content with this MD5.
    #[must_use]
    pub fn tag(&self, md5: [u8; 16]) -> [u8; 16] {
        let mut hash = Md5::new();
        hash.update(b"craton/etag/1\0");
        hash.update(&self.salt);
        hash.update(md5);
        hash.finalize().into()
    }
}

/// The entity tag's bytes for content with this MD5, encrypted so.
#[must_use]
pub fn tag(record: Option<&EncryptionRecord>, md5: [u8; 16]) -> [u8; 16] {
    record.map_or(md5, |record| record.tag(md5))
}

/// A salted digest of a client's key.
fn digest(salt: &[u8], customer: &CustomerKey) -> Bytes {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    context.update(b"craton/customer-key/1\0");
    context.update(salt);
    context.update(customer.key.expose());
    Bytes::copy_from_slice(context.finish().as_ref())
}

/// What a write gets that asks for nothing: the bucket's default.
#[must_use]
pub fn by_default(default: &DefaultEncryption) -> Wanted {
    let dual = default.algorithm == "aws:kms:dsse";
    if !dual && default.algorithm != "aws:kms" {
        return Wanted::Managed;
    }
    Wanted::Kms(WantedKms {
        key: default.key_id.clone(),
        bucket_key: default.bucket_key && !dual,
        dual,
        ..WantedKms::default()
    })
}

/// Prepares `permit` to seal what is `wanted` for the object `key`; what is to be kept of it.
///
/// # Errors
/// The key service's own; the gate's own.
pub async fn seal(
    permit: &WritePermit,
    key: &ObjectKey,
    wanted: &Wanted,
) -> Result<Option<EncryptionRecord>> {
    let salt = salt(permit, key)?;
    let record = match wanted {
        Wanted::Managed => return Ok(None),
        Wanted::Customer(customer) => {
            permit.bind_of_client(customer.key.clone());
            EncryptionRecord {
                method: Method::Customer as u32,
                check: digest(&salt, customer),
                salt,
                ..EncryptionRecord::default()
            }
        }
        Wanted::Kms(kms) => {
            let context = context(permit, key, kms)?;
            let made = permit
                .data_key(kms.key.as_deref(), &context, kms.bucket_key)
                .await?;
            permit.bind(made.key);
            EncryptionRecord {
                method: if kms.dual { Method::KmsDual } else { Method::Kms } as u32,
                salt,
                key_arn: made.named,
                managed_key: kms.key.is_none(),
                bucket_key: kms.bucket_key,
                context,
                sealed_key: made.sealed,
                ..EncryptionRecord::default()
            }
        }
    };
    Ok(Some(record))
}

/// Random bytes: the identity of a fresh, empty extent is the permit's one source of them.
fn salt(permit: &WritePermit, key: &ObjectKey) -> Result<Bytes> {
    let fresh = permit.inline(key.as_str().as_bytes(), b"")?;
    Ok(Bytes::copy_from_slice(&fresh.id.0))
}

/// The client's context with what S3 adds: the object's ARN, or the bucket's for a bucket key.
fn context(permit: &WritePermit, key: &ObjectKey, kms: &WantedKms) -> Result<Context> {
    let bucket = &permit.bucket()?.name;
    let arn = match kms.bucket_key {
        true => format!("arn:aws:s3:::{bucket}"),
        false => format!("arn:aws:s3:::{bucket}/{key}"),
    };
    let mut context = kms.context.clone();
    context.entry(ARN_IN_CONTEXT.to_owned()).or_insert(arn);
    Ok(context)
}

/// Checks that the client gave the key that the object needs, or none if it needs none.
///
/// # Errors
/// `InvalidRequest`; `AccessDenied` for another key than the object's.
pub fn check(record: Option<&EncryptionRecord>, customer: Option<&CustomerKey>) -> Result<()> {
    let needed = record.filter(|r| r.method == Method::Customer as u32);
    match (needed, customer) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Error::fault(
            Fault::InvalidRequest,
            "The encryption parameters are not applicable to this object.",
        )),
        (Some(_), None) => Err(Error::fault(
            Fault::InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to \
             retrieve the object.",
        )),
        (Some(record), Some(customer)) if record.is_key(customer) => Ok(()),
        (Some(_), Some(_)) => Err(Error::fault(
            Fault::AccessDenied,
            "Access Denied because the key in the request is not the one that the object is encrypted with.",
        )),
    }
}

/// Prepares `permit` to open what is encrypted so, or to seal a part of it.
///
/// # Errors
/// As [`check`]; the key service's own; the gate's own.
pub async fn open(
    permit: &Permit,
    record: Option<&EncryptionRecord>,
    customer: Option<&CustomerKey>,
) -> Result<()> {
    check(record, customer)?;
    let Some(record) = record else { return Ok(()) };
    match (record.method()?, customer) {
        (Method::Managed, _) => {}
        (Method::Customer, Some(customer)) => permit.bind_of_client(customer.key.clone()),
        (Method::Customer, None) => return Err(BaseError::internal("a checked key is not there").into()),
        (Method::Kms | Method::KmsDual, _) => {
            let key = SealedKey {
                arn: &record.key_arn,
                managed: record.managed_key,
                bucket_key: record.bucket_key,
                context: &record.context,
                sealed: &record.sealed_key,
            };
            permit.bind(permit.open_data_key(&key).await?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
