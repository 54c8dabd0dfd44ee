//! The change feed: which keys a commit changed, and when.
//!
//! A commit with a put or delete of a kind in the feed ([`Kind::in_change_feed`]) writes one entry of
//! [`Kind::Change`] under [`BucketId::SYSTEM`], branch main, named by its sequence (u64 big-endian), so that a
//! scan of the kind is the feed in order, and a search by time finds a sequence: times never go back.
//! Erasing and amending a version is not listed. The keys of kinds outside the feed are not listed either.
//!
//! Deliberately absent: what the changes mean, and how long the feed is kept.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Result, Sequence, Timestamp};
use prost::Message;

use super::{Change, Key, Kind, encoding};

/// What one commit changed: the value of a [`Kind::Change`] entry.
#[derive(Clone, PartialEq, Message)]
pub struct Changes {
    /// When the commit was applied, in microseconds since 1970.
    #[prost(uint64, tag = "1")]
    pub time_micros: u64,
    /// The keys that were put or deleted, each as in `docs/formats.md` without the version.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub keys: Vec<Bytes>,
}

impl Changes {
    /// The entry's value for a commit, or `None` if nothing in it is listed.
    pub(super) fn of(changes: &[Change], time: Timestamp) -> Option<Bytes> {
        let keys: Vec<Bytes> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Put(key, _) | Change::Delete(key) | Change::Mark(key, _) => Some(key),
                Change::Amend(..) | Change::Erase(..) => None,
            })
            .filter(|key| key.kind.in_change_feed())
            .map(|key| Bytes::from(encoding::stem(key)))
            .collect();
        let changes = Self {
            time_micros: time.micros(),
            keys,
        };
        (!changes.keys.is_empty()).then(|| changes.encode_to_vec().into())
    }

    /// Reads the value of a [`Kind::Change`] entry.
    ///
    /// # Errors
    /// `Corrupt` if it is not one.
    pub fn parse(value: &[u8]) -> Result<Self> {
        Self::decode(value)
            .map_err(|e| Error::corrupt("an entry of the change feed is malformed").with_source(e))
    }

    /// The keys that were put or deleted.
    ///
    /// # Errors
    /// `Corrupt` if one is malformed.
    pub fn parse_keys(&self) -> Result<Vec<Key>> {
        self.keys.iter().map(|key| encoding::parse_stem(key)).collect()
    }
}

/// The key of the feed's entry for a commit.
#[must_use]
pub fn key(sequence: Sequence) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Change,
        name: Bytes::copy_from_slice(&sequence.0.to_be_bytes()),
    }
}

/// The commit that an entry of the feed is about.
///
/// # Errors
/// `Corrupt` if the key is not one of the feed.
pub fn sequence_of(key: &Key) -> Result<Sequence> {
    match (key.kind, <[u8; 8]>::try_from(key.name.as_ref())) {
        (Kind::Change, Ok(number)) => Ok(Sequence(u64::from_be_bytes(number))),
        _ => Err(Error::corrupt("a key of the change feed is malformed")),
    }
}
