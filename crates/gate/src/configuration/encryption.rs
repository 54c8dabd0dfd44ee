//! How what is written without saying so is encrypted, and which ways to say so are refused.

use bytes::Bytes;
use craton_base::Result;
use prost::Message;

use super::access::malformed;

/// A bucket's default encryption.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DefaultEncryption {
    /// S3's name of it: `AES256`, `aws:kms` or `aws:kms:dsse`.
    #[prost(string, tag = "1")]
    pub algorithm: String,
    /// The key, where it is one of a key service; absent: the service's own default.
    #[prost(string, optional, tag = "2")]
    pub key_id: Option<String>,
    /// Whether keys of objects are derived from one of the bucket's.
    #[prost(bool, tag = "3")]
    pub bucket_key: bool,
    /// Ways that are refused: `SSE-C`, or `NONE`.
    #[prost(string, repeated, tag = "4")]
    pub blocked: Vec<String>,
}

impl DefaultEncryption {
    /// What a bucket has that says nothing, as in AWS since 2026: keys of ours, and none of customers'.
    #[must_use]
    pub fn unset() -> Self {
        Self {
            algorithm: "AES256".to_owned(),
            key_id: None,
            bucket_key: false,
            blocked: vec!["SSE-C".to_owned()],
        }
    }

    /// Whether writes under a customer's own key are refused.
    #[must_use]
    pub fn blocks_customer_keys(&self) -> bool {
        self.blocked.iter().any(|b| b == "SSE-C")
    }
}

/// Reads a stored one.
pub(crate) fn parse(document: &Bytes) -> Result<DefaultEncryption> {
    let found = DefaultEncryption::decode(document.clone())
        .map_err(|e| malformed("a default encryption").with_source(e))?;
    if matches!(found.algorithm.as_str(), "AES256" | "aws:kms" | "aws:kms:dsse") {
        Ok(found)
    } else {
        Err(malformed("a default encryption: its algorithm is not known"))
    }
}
