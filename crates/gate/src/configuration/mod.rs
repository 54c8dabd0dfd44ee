//! What is configured of a bucket: one document for each of S3's sub-resources.
//!
//! Each is a row of its own beside the bucket's, so that configuring a bucket does not disturb what is written
//! into it meanwhile. The documents that decide who may ([`BucketAccess`]) are the gate's; the others are
//! opaque here and mean something to an engine only.
//!
//! Invariants
//! - a document is at most [`DOCUMENT_BYTES_MAX`], and was checked before it was stored;
//! - a document of the gate's that does not parse fails every access to its bucket: it never counts as absent;
//! - a change takes effect for every request that begins after it has returned ([`cache`]).
//!
//! Deliberately absent: XML and JSON of the protocol, what the opaque documents mean, versioning and object
//! lock (the bucket's own record).

use std::{
    any::Any,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Key, Kind},
    value::{Stored, Value},
};
use prost::Message;

use crate::shield::Shield;

mod access;
pub(crate) mod acl;
pub(crate) mod cache;
mod cors;
mod encryption;
mod graph_labels;
pub(crate) mod state;

pub use access::{BucketAccess, Ownership, PublicAccessBlock};
pub use acl::{Acl, AclGrant, AclPermission, GRANTS_MAX, Grantee};
pub use cors::{CORS_RULES_MAX, Cors, CorsAnswer, CorsRule};
pub use encryption::DefaultEncryption;
pub(crate) use graph_labels::GraphLabels;

/// The largest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 512 << 10;

/// The most configurations of one kind in a bucket, where a bucket has several.
pub const NAMED_MAX: usize = 1000;

/// The longest id of one of several configurations, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// Begins the names of rows that a bucket has one of.
const SINGLE: u8 = 1;

/// Begins the names of rows that a bucket has several of.
const NAMED: u8 = 2;

macro_rules! subresources {
    ($($(#[$doc:meta])* $name:ident => $text:literal, $named:literal;)+) => {
        /// A part of a bucket's configuration. The text is on disk; never change one.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Subresource { $($(#[$doc])* $name),+ }

        impl Subresource {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name on disk.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// Whether a bucket has several, each by an id.
            #[must_use]
            pub const fn is_named(self) -> bool {
                match self { $(Self::$name => $named),+ }
            }
        }
    };
}

subresources! {
    /// The bucket's access control list: an [`Acl`].
    Acl => "acl", false;
    /// Storage class analysis.
    Analytics => "analytics", true;
    /// Cross-origin rules: a [`Cors`].
    Cors => "cors", false;
    /// Default encryption: a [`DefaultEncryption`].
    Encryption => "encryption", false;
    /// Archiving tiers.
    IntelligentTiering => "intelligent-tiering", true;
    /// Inventory reports.
    Inventory => "inventory", true;
    /// The labels of graphs: [`GraphLabels`].
    GraphLabels => "graph-labels", false;
    /// Expiry and transitions.
    Lifecycle => "lifecycle", false;
    /// Access logging.
    Logging => "logging", false;
    /// Request metrics.
    Metrics => "metrics", true;
    /// Events.
    Notification => "notification", false;
    /// Who owns objects: an [`Ownership`], as its name.
    Ownership => "ownership", false;
    /// The bucket policy: JSON.
    Policy => "policy", false;
    /// Which public access is blocked: a [`PublicAccessBlock`].
    PublicAccessBlock => "public-access-block", false;
    /// Copies to other buckets.
    Replication => "replication", false;
    /// Who pays for requests: `Requester` or `BucketOwner`.
    RequestPayment => "request-payment", false;
    /// What agents may not destroy alone: a [`Shield`].
    Shield => "shield", false;
    /// Tags.
    Tagging => "tagging", false;
    /// How long what was replaced or deleted can be had back ([`crate::past`]).
    UndoWindow => "undo-window", false;
}

impl Subresource {
    /// Whether it is what a row of this name keeps, where a bucket has one of it.
    pub(crate) fn is_named_by(self, name: &[u8]) -> bool {
        name.split_first() == Some((&SINGLE, self.name().as_bytes()))
    }
}

/// A document as it is configured.
pub struct Configuration {
    document: Bytes,
    changed: Timestamp,
    sequence: Sequence,
    parsed: OnceLock<Arc<dyn Any + Send + Sync>>,
}

/// One of several configurations.
pub struct NamedConfiguration {
    /// Its id.
    pub id: String,
    /// What it says.
    pub configuration: Configuration,
}

/// A document to set or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationChange {
    subresource: Subresource,
    id: Option<String>,
    document: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct ConfigurationRecord {
    #[prost(bytes = "bytes", tag = "1")]
    document: Bytes,
    #[prost(uint64, tag = "2")]
    changed_micros: u64,
}

impl Configuration {
    /// The document.
    #[must_use]
    pub const fn document(&self) -> &Bytes {
        &self.document
    }

    /// When it was set.
    #[must_use]
    pub const fn changed(&self) -> Timestamp {
        self.changed
    }

    /// The commit that set it.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// What the document means to `parse`, made once and kept as long as the document is cached. One form
    /// is kept: ask for the same type always.
    ///
    /// # Errors
    /// What `parse` returns; it is asked again the next time.
    pub fn parsed<T: Any + Send + Sync>(&self, parse: impl FnOnce(&Bytes) -> Result<T>) -> Result<Arc<T>> {
        if let Some(known) = self.parsed.get()
            && let Ok(known) = known.clone().downcast::<T>()
        {
            return Ok(known);
        }
        let fresh = Arc::new(parse(&self.document)?);
        // Another request may have been first: both forms say the same.
        drop(self.parsed.set(fresh.clone()));
        Ok(fresh)
    }

    /// The document that a value keeps.
    pub(crate) fn of_value(meta: &Bytes) -> Result<Bytes> {
        record(meta).map(|record| record.document)
    }

    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        let record = record(&stored.value.meta)?;
        Ok(Self {
            document: record.document,
            changed: Timestamp(record.changed_micros),
            sequence: stored.sequence,
            parsed: OnceLock::new(),
        })
    }
}

fn record(meta: &Bytes) -> Result<ConfigurationRecord> {
    ConfigurationRecord::decode(meta.clone())
        .map_err(|e| Error::corrupt("a bucket's configuration does not parse").with_source(e))
}

impl ConfigurationChange {
    /// Sets what a bucket has one of.
    #[must_use]
    pub fn set(subresource: Subresource, document: impl Into<Bytes>) -> Self {
        Self {
            subresource,
            id: None,
            document: Some(document.into()),
        }
    }

    /// Sets which public access is blocked.
    #[must_use]
    pub fn public_access_block(block: PublicAccessBlock) -> Self {
        Self::set(Subresource::PublicAccessBlock, block.encode_to_vec())
    }

    /// Sets who owns objects.
    #[must_use]
    pub fn ownership(ownership: Ownership) -> Self {
        Self::set(Subresource::Ownership, ownership.name().as_bytes())
    }

    /// Sets the bucket's access control list.
    #[must_use]
    pub fn acl(acl: &Acl) -> Self {
        Self::set(Subresource::Acl, acl.encode_to_vec())
    }

    /// Sets the default encryption.
    #[must_use]
    pub fn encryption(encryption: &DefaultEncryption) -> Self {
        Self::set(Subresource::Encryption, encryption.encode_to_vec())
    }

    /// Sets the shield.
    #[must_use]
    pub fn shield(shield: Shield) -> Self {
        Self::set(Subresource::Shield, shield.encode_to_vec())
    }

    /// Sets the cross-origin rules.
    #[must_use]
    pub fn cors(cors: &Cors) -> Self {
        Self::set(Subresource::Cors, cors.encode_to_vec())
    }

    /// Removes it; it need not be there.
    #[must_use]
    pub const fn remove(subresource: Subresource) -> Self {
        Self {
            subresource,
            id: None,
            document: None,
        }
    }

    /// Sets one of several.
    #[must_use]
    pub fn set_named(subresource: Subresource, id: &str, document: impl Into<Bytes>) -> Self {
        Self {
            subresource,
            id: Some(id.to_owned()),
            document: Some(document.into()),
        }
    }

    /// Removes one of several; it need not be there.
    #[must_use]
    pub fn remove_named(subresource: Subresource, id: &str) -> Self {
        Self {
            subresource,
            id: Some(id.to_owned()),
            document: None,
        }
    }

    /// What is changed.
    #[must_use]
    pub const fn subresource(&self) -> Subresource {
        self.subresource
    }

    pub(crate) fn key(&self, bucket: BucketId) -> Key {
        key(bucket, self.subresource, self.id.as_deref())
    }

    /// The value to store, `None` to delete; refused if it is not a document of its kind.
    pub(crate) fn value(&self, now: Timestamp) -> Result<Option<Value>> {
        if self.subresource.is_named() != self.id.is_some() {
            return Err(Error::internal(
                "a configuration has an id exactly where a bucket has several",
            ));
        }
        if self
            .id
            .as_ref()
            .is_some_and(|id| id.len() > ID_BYTES_MAX || id.contains('\0'))
        {
            let message = format!("The id of a configuration has at most {ID_BYTES_MAX} bytes.");
            return Err(Error::new(ErrorKind::Invalid, "InvalidConfigurationId", message));
        }
        let Some(document) = &self.document else {
            return Ok(None);
        };
        if document.len() > DOCUMENT_BYTES_MAX {
            let message = format!("A bucket's configuration has at most {DOCUMENT_BYTES_MAX} bytes.");
            return Err(Error::new(ErrorKind::TooLarge, "EntityTooLarge", message));
        }
        access::check(self.subresource, document)?;
        let record = ConfigurationRecord {
            document: document.clone(),
            changed_micros: now.micros(),
        };
        Ok(Some(Value::of_meta(record.encode_to_vec())))
    }
}

fn key(bucket: BucketId, subresource: Subresource, id: Option<&str>) -> Key {
    let mut name = Vec::with_capacity(ID_BYTES_MAX);
    match id {
        None => {
            name.push(SINGLE);
            name.extend_from_slice(subresource.name().as_bytes());
        }
        Some(id) => {
            name = named_prefix(subresource);
            name.extend_from_slice(id.as_bytes());
        }
    }
    Key {
        bucket,
        branch: BranchId::MAIN,
        kind: Kind::Configuration,
        name: name.into(),
    }
}

/// What the names of all configurations of one kind begin with, where a bucket has several.
fn named_prefix(subresource: Subresource) -> Vec<u8> {
    let mut name = vec![NAMED];
    name.extend_from_slice(subresource.name().as_bytes());
    name.push(0);
    name
}

#[cfg(test)]
mod tests;
