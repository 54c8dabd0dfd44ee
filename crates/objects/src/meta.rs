//! What is stored about an object, an upload and a part: the engine's description in an entry.
//! The tags are on disk (docs/formats.md, "Objects"); never reuse one.
//!
//! Deliberately absent: where the bytes are, which the entry's extents say.

use std::collections::BTreeMap;

use craton_base::{Error as BaseError, Timestamp};
use craton_gate::{Acl, Extent, Value, tags::Tags};
use prost::Message;

use crate::{
    Error, Fault, Result,
    checksum::{Algorithm, Checksum, Scope},
    encryption::EncryptionRecord,
    lock::LockRecord,
    replica::{Replica, ReplicationRecord},
};

/// The most user metadata, names and values together, in bytes.
pub const USER_METADATA_BYTES_MAX: usize = 2048;

/// The longest place that a website redirects to, in bytes.
pub const REDIRECT_BYTES_MAX: usize = 2048;

/// The storage classes that are accepted. All are stored alike; the name is kept.
pub const STORAGE_CLASSES: [&str; 8] = [
    "DEEP_ARCHIVE",
    "GLACIER",
    "GLACIER_IR",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "REDUCED_REDUNDANCY",
    "STANDARD",
    "STANDARD_IA",
];

/// The HTTP headers that are kept with an object and given back.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Headers {
    /// `Content-Type`.
    #[prost(string, optional, tag = "1")]
    pub content_type: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[prost(string, optional, tag = "2")]
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    #[prost(string, optional, tag = "3")]
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    #[prost(string, optional, tag = "4")]
    pub content_language: Option<String>,
    /// `Cache-Control`.
    #[prost(string, optional, tag = "5")]
    pub cache_control: Option<String>,
    /// `Expires`, in seconds since the epoch: of objects that were written before the text was kept.
    #[prost(sint64, optional, tag = "6")]
    pub expires_seconds: Option<i64>,
    /// `x-amz-website-redirect-location`.
    #[prost(string, optional, tag = "7")]
    pub website_redirect: Option<String>,
    /// `Expires`, as the client wrote it.
    #[prost(string, optional, tag = "8")]
    pub expires: Option<String>,
}

/// What a client says about an object besides its bytes.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Attributes {
    /// The content headers.
    #[prost(message, required, tag = "1")]
    pub headers: Headers,
    /// User metadata: `x-amz-meta-…` names without that prefix, lower case.
    #[prost(btree_map = "string, string", tag = "2")]
    pub user: BTreeMap<String, String>,
    /// The storage class; empty means `STANDARD`.
    #[prost(string, tag = "3")]
    pub storage_class: String,
}

/// A stored checksum.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ChecksumRecord {
    /// [`Algorithm`]'s number.
    #[prost(uint32, tag = "1")]
    pub algorithm: u32,
    /// [`Scope`]'s number.
    #[prost(uint32, tag = "2")]
    pub scope: u32,
    /// The value, big-endian.
    #[prost(bytes = "vec", tag = "3")]
    pub value: Vec<u8>,
    /// Whether an upload in parts has it only by default: then S3 does not show the parts' own.
    #[prost(bool, tag = "4")]
    pub unchosen: bool,
}

/// One part of an object that was uploaded in parts.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PartSize {
    /// Its size, in bytes.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// Its checksum, by the object's algorithm.
    #[prost(bytes = "vec", tag = "2")]
    pub checksum: Vec<u8>,
}

/// An object.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ObjectMeta {
    /// The size, in bytes.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// When it was written, in microseconds since the epoch.
    #[prost(uint64, tag = "2")]
    pub modified_micros: u64,
    /// MD5 of the bytes; for an object uploaded in parts, MD5 of the parts' MD5s.
    #[prost(bytes = "vec", tag = "3")]
    pub md5: Vec<u8>,
    /// What the client said about it.
    #[prost(message, required, tag = "4")]
    pub attributes: Attributes,
    /// Its checksum.
    #[prost(message, optional, tag = "5")]
    pub checksum: Option<ChecksumRecord>,
    /// The parts, in order, if it was uploaded in parts: kept in [`ObjectDetail`]; objects that were written before that was
    /// have them here.
    #[prost(message, repeated, tag = "6")]
    pub parts: Vec<PartSize>,
    /// The upload that it was completed from: completing that upload again answers the same.
    #[prost(bytes = "vec", tag = "7")]
    pub upload_id: Vec<u8>,
    /// The principal that wrote it.
    #[prost(string, tag = "8")]
    pub owner: String,
    /// What keeps it from being deleted.
    #[prost(message, optional, tag = "9")]
    pub lock: Option<LockRecord>,
    /// How many parts it was uploaded in, also where [`ObjectMeta::parts`] was not read.
    #[prost(uint32, tag = "10")]
    pub parts_count: u32,
    /// Its tags. The gate reads them too ([`craton_gate::tags`]).
    #[prost(message, optional, tag = "11")]
    pub tags: Option<Tags>,
    /// How it is encrypted besides its sealing; absent: SSE-S3.
    #[prost(message, optional, tag = "12")]
    pub encryption: Option<EncryptionRecord>,
    /// Until when an object of an archive class counts as restored, in microseconds since the epoch; 0: never was.
    #[prost(uint64, tag = "13")]
    pub restored_until_micros: u64,
    /// What is said about its copies, or that it is one.
    #[prost(message, optional, tag = "15")]
    pub replication: Option<ReplicationRecord>,
    /// Its access control list, where it has one other than its owner's alone. The gate reads it too.
    #[prost(message, optional, tag = "16")]
    pub acl: Option<Acl>,
    /// The tier where its content lies; empty: with the rest.
    #[prost(string, tag = "20")]
    pub tier: String,
    /// For how many days a copy of archived content was asked for that is not there yet; 0: none was.
    #[prost(uint32, tag = "21")]
    pub restore_days: u32,
    /// The commit of the version of this object that this one brings back ([`crate::past`]); 0: it brings back none.
    #[prost(uint64, tag = "22")]
    pub brought_back: u64,
}

/// What is kept of an object for who reads it alone, not for listings.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ObjectDetail {
    /// The parts, in order, if it was uploaded in parts.
    #[prost(message, repeated, tag = "1")]
    pub parts: Vec<PartSize>,
}

/// A delete marker.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MarkerMeta {
    /// When it was made, in microseconds since the epoch.
    #[prost(uint64, tag = "1")]
    pub modified_micros: u64,
    /// The principal that made it.
    #[prost(string, tag = "2")]
    pub owner: String,
    /// What is said about its copies, or that it is one.
    #[prost(message, optional, tag = "3")]
    pub replication: Option<ReplicationRecord>,
}

/// An upload in progress.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct UploadMeta {
    /// When it was begun, in microseconds since the epoch.
    #[prost(uint64, tag = "1")]
    pub initiated_micros: u64,
    /// The principal that began it.
    #[prost(string, tag = "2")]
    pub initiator: String,
    /// What the client said about the object.
    #[prost(message, required, tag = "3")]
    pub attributes: Attributes,
    /// The checksum's [`Algorithm`], as a number.
    #[prost(uint32, tag = "4")]
    pub algorithm: u32,
    /// The checksum's [`Scope`], as a number.
    #[prost(uint32, tag = "5")]
    pub scope: u32,
    /// Whether the client chose the algorithm.
    #[prost(bool, tag = "6")]
    pub chosen: bool,
    /// The lock that the client states for the object.
    #[prost(message, optional, tag = "7")]
    pub lock: Option<LockRecord>,
    /// The object's tags.
    #[prost(message, optional, tag = "8")]
    pub tags: Option<Tags>,
    /// How the object, and each part, is encrypted besides its sealing.
    #[prost(message, optional, tag = "9")]
    pub encryption: Option<EncryptionRecord>,
    /// The object's access control list.
    #[prost(message, optional, tag = "12")]
    pub acl: Option<Acl>,
    /// That it comes by replication.
    #[prost(message, optional, tag = "13")]
    pub replication: Option<ReplicationRecord>,
    /// When what it is a copy of was written, in microseconds since the epoch; 0: not known.
    #[prost(uint64, tag = "14")]
    pub source_modified_micros: u64,
}

/// A part of an upload in progress.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PartMeta {
    /// Its size, in bytes.
    #[prost(uint64, tag = "1")]
    pub size: u64,
    /// When it was uploaded, in microseconds since the epoch.
    #[prost(uint64, tag = "2")]
    pub modified_micros: u64,
    /// MD5 of its bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub md5: Vec<u8>,
    /// Its checksum, by the upload's algorithm.
    #[prost(bytes = "vec", tag = "4")]
    pub checksum: Vec<u8>,
}

impl Attributes {
    /// Checks the limits.
    ///
    /// # Errors
    /// `MetadataTooLarge`, `InvalidStorageClass`, `InvalidRedirectLocation`.
    pub fn check(&self) -> Result<()> {
        let user: usize = self
            .user
            .iter()
            .map(|(k, v)| k.len().saturating_add(v.len()))
            .sum();
        if user > USER_METADATA_BYTES_MAX {
            return Err(Error::fault(
                Fault::MetadataTooLarge,
                format!(
                    "Your metadata headers exceed the maximum allowed metadata size of {USER_METADATA_BYTES_MAX} bytes."
                ),
            ));
        }
        if !self.storage_class.is_empty() && !STORAGE_CLASSES.contains(&self.storage_class.as_str()) {
            return Err(Error::fault(
                Fault::InvalidStorageClass,
                "The storage class you specified is not valid.",
            ));
        }
        self.headers
            .website_redirect
            .as_deref()
            .map_or(Ok(()), check_redirect)
    }

    /// The storage class's name.
    #[must_use]
    pub fn storage_class(&self) -> &str {
        if self.storage_class.is_empty() {
            "STANDARD"
        } else {
            &self.storage_class
        }
    }
}

fn check_redirect(location: &str) -> Result<()> {
    let wrong = |message: &'static str| Err(Error::fault(Fault::InvalidRedirectLocation, message));
    if location.len() > REDIRECT_BYTES_MAX {
        return wrong("The length of website redirect location cannot exceed 2,048 characters.");
    }
    if ["/", "http://", "https://"]
        .iter()
        .any(|s| location.starts_with(s))
    {
        return Ok(());
    }
    wrong("The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
}

impl ObjectMeta {
    /// Its tags, as names and values.
    #[must_use]
    pub fn tag_pairs(&self) -> Vec<(String, String)> {
        let tags = self.tags.iter().flat_map(|tags| &tags.list);
        tags.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
    }

    /// How many tags it has.
    #[must_use]
    pub fn tag_count(&self) -> usize {
        self.tags.as_ref().map_or(0, Tags::len)
    }

    /// Reads a stored description, without the parts.
    ///
    /// # Errors
    /// `Corrupt` if it is not one.
    pub fn read(stored: &[u8]) -> Result<Self> {
        decode(stored, "an object's description does not parse")
    }

    /// Reads all that is stored about an object.
    ///
    /// # Errors
    /// `Corrupt` if it is not that.
    pub fn of(value: &Value) -> Result<Self> {
        let mut meta = Self::read(&value.meta)?;
        if !value.detail.is_empty() {
            let detail: ObjectDetail = decode(&value.detail, "an object's detail does not parse")?;
            meta.parts = detail.parts;
        }
        Ok(meta)
    }

    /// As it is stored.
    #[must_use]
    pub fn to_value(&self, content: Vec<Extent>, kept: bool) -> Value {
        let mut meta = self.clone();
        meta.parts_count = u32::try_from(self.part_count()).unwrap_or(u32::MAX);
        let parts = std::mem::take(&mut meta.parts);
        Value {
            meta: meta.encode_to_vec().into(),
            detail: ObjectDetail { parts }.encode_to_vec().into(),
            content,
            kept,
        }
    }

    /// The entity tag, without quotes.
    #[must_use]
    pub fn etag(&self) -> String {
        let hex = hex::encode(&self.md5);
        if self.upload_id.is_empty() {
            hex
        } else {
            format!("{hex}-{}", self.part_count())
        }
    }

    /// The number of parts that it was uploaded in; 0 if it was not.
    #[must_use]
    pub fn part_count(&self) -> usize {
        self.parts.len().max(self.parts_count as usize)
    }

    /// When it was written.
    #[must_use]
    pub const fn modified(&self) -> Timestamp {
        Timestamp(self.modified_micros)
    }

    /// The checksum, if one is stored.
    #[must_use]
    pub fn checksum(&self) -> Option<Checksum> {
        let stored = self.checksum.as_ref()?;
        Some(Checksum {
            algorithm: Algorithm::from_number(stored.algorithm)?,
            scope: Scope::from_number(stored.scope)?,
            parts: self.part_count(),
            value: stored.value.clone(),
        })
    }
}

impl MarkerMeta {
    /// Reads a stored description.
    ///
    /// # Errors
    /// `Corrupt` if it is not one.
    pub fn read(stored: &[u8]) -> Result<Self> {
        decode(stored, "a delete marker's description does not parse")
    }
}

impl ChecksumRecord {
    /// The stored form.
    #[must_use]
    pub fn new(algorithm: Algorithm, scope: Scope, value: Vec<u8>) -> Self {
        Self {
            algorithm: algorithm.number(),
            scope: scope.number(),
            value,
            unchosen: false,
        }
    }
}

impl UploadMeta {
    /// Of what the object will be a copy.
    #[must_use]
    pub fn replica(&self) -> Option<Replica> {
        let record = self.replication.as_ref()?;
        let modified = Some(self.source_modified_micros).filter(|at| *at > 0);
        Some(Replica {
            source: record.source.clone(),
            modified: modified.map(Timestamp),
        })
    }

    /// Reads a stored description.
    ///
    /// # Errors
    /// `Corrupt` if it is not one.
    pub fn read(stored: &[u8]) -> Result<Self> {
        decode(stored, "an upload's description does not parse")
    }

    /// The checksum's algorithm and scope.
    ///
    /// # Errors
    /// `Corrupt` if the stored numbers mean nothing.
    pub fn checksum(&self) -> Result<(Algorithm, Scope)> {
        Algorithm::from_number(self.algorithm)
            .zip(Scope::from_number(self.scope))
            .ok_or_else(|| BaseError::corrupt("an upload's checksum algorithm is unknown").into())
    }
}

impl PartMeta {
    /// Reads a stored description.
    ///
    /// # Errors
    /// `Corrupt` if it is not one.
    pub fn read(stored: &[u8]) -> Result<Self> {
        decode(stored, "a part's description does not parse")
    }

    /// The entity tag, without quotes.
    #[must_use]
    pub fn etag(&self) -> String {
        hex::encode(&self.md5)
    }
}

fn decode<M: Message + Default>(stored: &[u8], message: &'static str) -> Result<M> {
    M::decode(stored).map_err(|e| BaseError::corrupt(message).with_source(e).into())
}

#[cfg(test)]
mod tests;
