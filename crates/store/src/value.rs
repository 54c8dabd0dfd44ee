//! What an entry holds: a description that its engine understands, and the content, sealed.
//!
//! Invariants: a blob has exactly one owner at a time; an extent's key is wrapped under the bucket's
//! key and bound to the entry's key and the extent's id, so content moved to another name does not open.
//!
//! Deliberately absent: what a description means.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BlobId, Error, Result, Sequence};
use prost::Message;

use crate::{
    fresh::Fresh,
    namespace::{Key, State, Version},
};

/// An entry's value as an engine sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Value {
    /// The engine's own description, opaque here.
    pub meta: Bytes,
    /// The content: the concatenation of the extents.
    pub content: Vec<Extent>,
    /// Whether the version stays until it is removed by name. Of the versions that are not kept, each supersedes
    /// those before it, which the collection takes when the undo window has passed.
    pub kept: bool,
}

/// A piece of content.
#[derive(Clone, Debug)]
pub struct Extent {
    /// The blob, or for an inline extent the id that its key is bound to.
    pub id: BlobId,
    /// Length of the content, in bytes, not sealed.
    pub len: u64,
    /// The extent's own key, wrapped under the bucket's, or under it and a second one.
    pub wrapped_key: Bytes,
    /// The sealed bytes, where they sit inline; `None`: in the blob `id`.
    pub inline: Option<Bytes>,
    /// Keeps a blob that no commit names yet from being swept; deletes it if none ever does.
    pub(crate) fresh: Option<Arc<Fresh>>,
}

impl PartialEq for Extent {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.len == other.len
            && self.wrapped_key == other.wrapped_key
            && self.inline == other.inline
    }
}

/// A version of an entry as it was read.
#[derive(Clone, PartialEq, Debug)]
pub struct Stored {
    /// Its key.
    pub key: Key,
    /// The commit that made it.
    pub sequence: Sequence,
    /// The commit that wrote what it holds: the same, or that of the last amendment.
    pub revision: Sequence,
    /// What it holds.
    pub value: Value,
}

/// A version of a key that may be a deletion.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredVersion {
    /// The version. A plain deletion has an empty value; that of a mark is what is to be known of the deletion.
    pub stored: Stored,
    /// What it says of the key.
    pub standing: Standing,
}

/// Whether a version says that its key exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It exists.
    Exists,
    /// It is deleted.
    Deleted,
    /// It is deleted, and the version's value is what is to be known of that.
    Marked,
}

impl StoredVersion {
    pub(crate) fn decode(version: Version) -> Result<Self> {
        let (standing, value) = match version.state {
            State::Value(bytes) => (Standing::Exists, Value::decode(bytes)?),
            State::Deleted => (Standing::Deleted, Value::default()),
            State::Marked(bytes) => (Standing::Marked, Value::decode(bytes)?),
        };
        let stored = Stored {
            key: version.key,
            sequence: version.sequence,
            revision: version.revision,
            value,
        };
        Ok(Self { stored, standing })
    }

    /// The entry, if the version says that its key exists.
    #[must_use]
    pub fn existing(self) -> Option<Stored> {
        (self.standing == Standing::Exists).then_some(self.stored)
    }
}

#[derive(Clone, PartialEq, Message)]
struct ValueRecord {
    #[prost(bytes = "bytes", tag = "1")]
    meta: Bytes,
    #[prost(message, repeated, tag = "2")]
    content: Vec<ExtentRecord>,
    #[prost(bool, tag = "3")]
    kept: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ExtentRecord {
    #[prost(bytes = "bytes", tag = "1")]
    id: Bytes,
    #[prost(uint64, tag = "2")]
    len: u64,
    #[prost(bytes = "bytes", tag = "3")]
    wrapped_key: Bytes,
    #[prost(bytes = "bytes", optional, tag = "4")]
    inline: Option<Bytes>,
}

impl Value {
    /// A value without content.
    #[must_use]
    pub fn of_meta(meta: impl Into<Bytes>) -> Self {
        Self {
            meta: meta.into(),
            ..Self::default()
        }
    }

    /// Length of the content, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.content.iter().map(|e| e.len).fold(0, u64::saturating_add)
    }

    /// Whether the content has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The blobs that hold content.
    pub fn blobs(&self) -> impl Iterator<Item = BlobId> + '_ {
        self.content.iter().filter(|e| e.inline.is_none()).map(|e| e.id)
    }

    /// The bytes as stored.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let content = self
            .content
            .iter()
            .map(|e| ExtentRecord {
                id: Bytes::copy_from_slice(&e.id.0),
                len: e.len,
                wrapped_key: e.wrapped_key.clone(),
                inline: e.inline.clone(),
            })
            .collect();
        ValueRecord {
            meta: self.meta.clone(),
            content,
            kept: self.kept,
        }
        .encode_to_vec()
        .into()
    }

    /// Reads stored bytes, sharing them.
    ///
    /// # Errors
    /// `Corrupt` if they are not a value.
    pub fn decode(stored: Bytes) -> Result<Self> {
        let record = ValueRecord::decode(stored)
            .map_err(|e| Error::corrupt("an entry's value does not parse").with_source(e))?;
        let content = record
            .content
            .into_iter()
            .map(Extent::from_record)
            .collect::<Result<_>>()?;
        Ok(Self {
            meta: record.meta,
            content,
            kept: record.kept,
        })
    }
}

impl Extent {
    fn from_record(r: ExtentRecord) -> Result<Self> {
        let id =
            <[u8; 16]>::try_from(&*r.id).map_err(|_| Error::corrupt("an extent's id is not 16 bytes"))?;
        Ok(Self {
            id: BlobId(id),
            len: r.len,
            wrapped_key: r.wrapped_key,
            inline: r.inline,
            fresh: None,
        })
    }
}
