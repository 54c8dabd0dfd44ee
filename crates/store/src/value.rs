//! What an entry holds: a description that its engine understands, and the content, sealed.
//!
//! Invariants: a blob has exactly one owner at a time; an extent's key is wrapped under the bucket's
//! key and bound to the entry's key and the extent's id, so content moved to another name does not open.
//!
//! What is long of an object version ([`APART_FROM_BYTES`]) lies in a row of its own ([`Kind::Detail`]), so that who goes
//! over many names, as a listing does, passes it by; [`Head`] is what such a reader sees.
//!
//! Deliberately absent: what a description means.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BlobId, Error, Result, Sequence};
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

use crate::{
    fresh::Fresh,
    namespace::{Key, Kind, Says, Seen},
    tier::Held,
};

/// From this many bytes on, about, an object's content and detail are in a row of their own. Above what sealed content of
/// 4 KiB takes: such a row fills its page of the tree alone either way.
pub const APART_FROM_BYTES: usize = 6 << 10;

/// An entry's value as an engine sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Value {
    /// The engine's own description, opaque here.
    pub meta: Bytes,
    /// What else the engine keeps, for who reads this entry alone; opaque here.
    pub detail: Bytes,
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
    /// The tier that holds the sealed bytes; `None`: this store's own disk, or inline.
    pub tier: Option<Arc<str>>,
    /// Whether a copy of what a tier holds is on the disk for now.
    pub copied: bool,
    /// Keeps a blob that no commit names yet from being swept; deletes it if none ever does.
    pub(crate) fresh: Option<Arc<Fresh>>,
    /// Keeps a blob on its way to or from a tier from being deleted there.
    pub(crate) held: Option<Arc<Held>>,
}

impl PartialEq for Extent {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
            && self.len == other.len
            && self.wrapped_key == other.wrapped_key
            && self.inline == other.inline
            && self.tier == other.tier
            && self.copied == other.copied
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
    /// Whether content and detail are in a row of their own.
    pub(crate) apart: bool,
}

/// What is said of a name in brief, for as long as it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The commit that made the version.
    pub sequence: Sequence,
    /// The commit that wrote it.
    pub revision: Sequence,
    /// What it says of the name.
    pub standing: Standing,
    /// The engine's description; of a plain deletion, nothing.
    pub meta: &'a [u8],
    /// Whether the version stays until it is removed by name.
    pub kept: bool,
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
    #[prost(bytes = "bytes", tag = "4")]
    detail: Bytes,
    #[prost(bool, tag = "5")]
    apart: bool,
}

/// An entry's value as it is written: its row, and what of it lies apart.
pub(crate) struct Rows {
    pub(crate) row: Bytes,
    pub(crate) detail: Option<Bytes>,
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
    #[prost(string, tag = "5")]
    tier: String,
    #[prost(bool, tag = "6")]
    copied: bool,
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

    /// The blobs on the disk that hold content.
    pub fn blobs(&self) -> impl Iterator<Item = BlobId> + '_ {
        let here = |e: &&Extent| e.inline.is_none() && (e.tier.is_none() || e.copied);
        self.content.iter().filter(here).map(|e| e.id)
    }

    /// The blobs at tiers that hold content, each with its tier.
    pub fn remote_blobs(&self) -> impl Iterator<Item = (&Arc<str>, BlobId)> + '_ {
        self.content.iter().filter_map(|e| Some((e.tier.as_ref()?, e.id)))
    }

    /// The bytes as stored, in one row.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let record = ValueRecord {
            meta: self.meta.clone(),
            kept: self.kept,
            ..self.tail()
        };
        record.encode_to_vec().into()
    }

    /// The bytes as stored, what is long apart if the kind has rows for that.
    pub(crate) fn to_rows(&self, kind: Kind) -> Rows {
        let content = self.content.iter().map(Extent::stored_len).sum::<usize>();
        if kind != Kind::Object || content.saturating_add(self.detail.len()) < APART_FROM_BYTES {
            return Rows {
                row: self.encode(),
                detail: None,
            };
        }
        self.to_two_rows()
    }

    pub(crate) fn to_two_rows(&self) -> Rows {
        let head = ValueRecord {
            meta: self.meta.clone(),
            kept: self.kept,
            apart: true,
            ..ValueRecord::default()
        };
        Rows {
            row: head.encode_to_vec().into(),
            detail: Some(self.tail().encode_to_vec().into()),
        }
    }

    /// What may lie apart.
    fn tail(&self) -> ValueRecord {
        let content = self.content.iter().map(|e| ExtentRecord {
            id: Bytes::copy_from_slice(&e.id.0),
            len: e.len,
            wrapped_key: e.wrapped_key.clone(),
            inline: e.inline.clone(),
            tier: e.tier.as_deref().unwrap_or_default().to_owned(),
            copied: e.copied,
        });
        ValueRecord {
            content: content.collect(),
            detail: self.detail.clone(),
            ..ValueRecord::default()
        }
    }

    /// Reads stored bytes, sharing them; whether content and detail lie apart.
    ///
    /// # Errors
    /// `Corrupt` if they are not a value.
    pub fn decode(stored: Bytes) -> Result<(Self, bool)> {
        let record = ValueRecord::decode(stored)
            .map_err(|e| Error::corrupt("an entry's value does not parse").with_source(e))?;
        let apart = record.apart;
        let content = record
            .content
            .into_iter()
            .map(Extent::from_record)
            .collect::<Result<_>>()?;
        let value = Self {
            meta: record.meta,
            detail: record.detail,
            content,
            kept: record.kept,
        };
        Ok((value, apart))
    }

    /// Adds what lay apart.
    ///
    /// # Errors
    /// `Corrupt` if it is no such row.
    pub fn complete(&mut self, detail: Bytes) -> Result<()> {
        let (tail, _) = Self::decode(detail)?;
        self.content = tail.content;
        self.detail = tail.detail;
        Ok(())
    }
}

impl<'a> Head<'a> {
    pub(crate) fn of(seen: Seen<'a>) -> Result<Self> {
        let (standing, stored) = match seen.says {
            Says::Value(bytes) => (Standing::Exists, bytes),
            Says::Deleted => (Standing::Deleted, &[][..]),
            Says::Marked(bytes) => (Standing::Marked, bytes),
        };
        let (meta, kept) = brief(stored)?;
        Ok(Self {
            name: seen.name,
            sequence: seen.sequence,
            revision: seen.revision,
            standing,
            meta,
            kept,
        })
    }
}

/// The description in a stored value, and whether it is kept; all else is passed over.
fn brief(stored: &[u8]) -> Result<(&[u8], bool)> {
    let bad = || Error::corrupt("an entry's value does not parse");
    let (mut rest, mut meta, mut kept) = (stored, &[][..], false);
    while !rest.is_empty() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(|e| bad().with_source(e))?;
        match (tag, wire_type) {
            (1, WireType::LengthDelimited) => {
                let length = decode_varint(&mut rest).map_err(|e| bad().with_source(e))?;
                let cut = usize::try_from(length)
                    .ok()
                    .and_then(|at| rest.split_at_checked(at));
                (meta, rest) = cut.ok_or_else(bad)?;
            }
            (3, WireType::Varint) => kept = decode_varint(&mut rest).map_err(|e| bad().with_source(e))? != 0,
            _ => skip_field(wire_type, tag, &mut rest, DecodeContext::default())
                .map_err(|e| bad().with_source(e))?,
        }
    }
    Ok((meta, kept))
}

impl Extent {
    /// About how long it is as stored.
    fn stored_len(&self) -> usize {
        let inline = self.inline.as_ref().map_or(0, Bytes::len);
        self.wrapped_key.len().saturating_add(inline).saturating_add(32)
    }

    fn from_record(r: ExtentRecord) -> Result<Self> {
        let id =
            <[u8; 16]>::try_from(&*r.id).map_err(|_| Error::corrupt("an extent's id is not 16 bytes"))?;
        Ok(Self {
            id: BlobId(id),
            len: r.len,
            wrapped_key: r.wrapped_key,
            inline: r.inline,
            tier: (!r.tier.is_empty()).then(|| r.tier.into()),
            copied: r.copied,
            fresh: None,
            held: None,
        })
    }
}
