//! The directory's entries as they are stored. Tags are on disk: `docs/formats.md`, "Directory".

use bytes::Bytes;
use craton_base::{Error, Result, Timestamp};
use craton_store::value::Stored;
use prost::Message;

use super::{AccessKeyInfo, decode};

/// A user (`Kind::User`, by name).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct UserRecord {
    #[prost(uint64, tag = "1")]
    pub(crate) created_micros: u64,
    /// Ids of the user's access keys.
    #[prost(string, repeated, tag = "2")]
    pub(crate) access_keys: Vec<String>,
    #[prost(bool, tag = "3")]
    pub(crate) root: bool,
}

/// An access key (`Kind::AccessKey`, by id).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AccessKeyRecord {
    #[prost(string, tag = "1")]
    pub(crate) user: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) sealed_secret: Bytes,
    #[prost(bool, tag = "3")]
    pub(crate) active: bool,
    #[prost(uint64, tag = "4")]
    pub(crate) created_micros: u64,
}

/// A user's policy (`Kind::Policy`, by user, NUL, policy name).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PolicyRecord {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) document: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) created_micros: u64,
}

impl UserRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "a user's entry")
    }
}

impl AccessKeyRecord {
    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        decode(stored, "an access key's entry")
    }

    pub(crate) fn info(&self, id: &str) -> AccessKeyInfo {
        AccessKeyInfo {
            id: id.to_owned(),
            user: self.user.clone(),
            active: self.active,
            created: Timestamp(self.created_micros),
        }
    }
}

impl PolicyRecord {
    /// The policy's name, from the entry's, and its document.
    pub(crate) fn named_from_stored(stored: &Stored) -> Result<(String, Bytes)> {
        let record: Self = decode(stored, "a policy's entry")?;
        let name = stored.key.name.split(|b| *b == 0).nth(1).unwrap_or_default();
        let name = std::str::from_utf8(name)
            .map_err(|e| Error::corrupt("a policy's name is not UTF-8").with_source(e))?
            .to_owned();
        Ok((name, record.document))
    }
}
