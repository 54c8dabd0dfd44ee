//! Operations that wait, as they are kept: one row for each, by its id, which is made of what it is. The same operation asked for again
//! finds the same row.
//!
//! Deliberately absent: who may do what with one.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Result, Sequence, Timestamp};
use craton_crypto::hash::Sha256;
use craton_store::{
    Store,
    namespace::{Direction, Key, Kind, Span},
    value::Stored,
};
use prost::Message;

use super::{Destroyed, PENDING_MAX};
use crate::{directory::decode, session::Session};

/// Things of an operation that are named in its row; the fingerprint is of all.
const THINGS_NAMED_MAX: usize = 16;

/// The longest name in a row, in bytes.
const NAME_BYTES_MAX: usize = 1400;

/// How it stands. The numbers are on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum PendingState {
    /// Nobody answered yet.
    Waiting = 0,
    /// It may be carried out.
    Approved = 1,
    /// It may not.
    Rejected = 2,
    /// It was carried out.
    Done = 3,
}

impl PendingState {
    /// As one lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Done => "done",
        }
    }
}

/// Something that an operation destroys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PendingThing {
    /// `version`, `object`, `table`, `graph`, `configuration`, `settings` or `bucket`.
    #[prost(string, tag = "1")]
    pub sort: String,
    /// Its name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The commit that made it as it is; 0 if there is none.
    #[prost(uint64, tag = "3")]
    pub version: u64,
    /// Of a document, the hash of the one that it becomes, or `nothing`; of settings, what they become; of a table, its id.
    #[prost(string, tag = "4")]
    pub becomes: String,
}

/// A row (`Kind::Pending`, by id). The tags are on disk (`docs/formats.md`).
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PendingRecord {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) fingerprint: Bytes,
    #[prost(string, tag = "2")]
    pub(crate) bucket: String,
    #[prost(fixed64, tag = "3")]
    pub(crate) bucket_id: u64,
    #[prost(string, tag = "4")]
    pub(crate) operation: String,
    #[prost(string, tag = "5")]
    pub(crate) door: String,
    #[prost(string, tag = "6")]
    pub(crate) principal: String,
    #[prost(string, repeated, tag = "7")]
    pub(crate) chain: Vec<String>,
    /// Who can not answer: the principal, and whose credentials it asked with.
    #[prost(string, repeated, tag = "8")]
    pub(crate) askers: Vec<String>,
    #[prost(string, tag = "9")]
    pub(crate) session: String,
    #[prost(string, tag = "10")]
    pub(crate) run: String,
    #[prost(string, tag = "11")]
    pub(crate) purpose: String,
    #[prost(message, repeated, tag = "12")]
    pub(crate) things: Vec<PendingThing>,
    /// How many more there are than are named.
    #[prost(uint64, tag = "13")]
    pub(crate) things_more: u64,
    #[prost(uint64, tag = "14")]
    pub(crate) asked_micros: u64,
    #[prost(uint64, tag = "15")]
    pub(crate) until_micros: u64,
    #[prost(uint64, tag = "16")]
    pub(crate) hold_seconds: u64,
    #[prost(enumeration = "PendingState", tag = "17")]
    pub(crate) state: i32,
    #[prost(string, tag = "18")]
    pub(crate) answered_by: String,
    #[prost(uint64, tag = "19")]
    pub(crate) answered_micros: u64,
}

/// A row with its place.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) record: PendingRecord,
    pub(crate) sequence: Sequence,
}

impl Row {
    fn read(stored: &Stored) -> Result<Self> {
        Ok(Self {
            id: String::from_utf8_lossy(&stored.key.name).into_owned(),
            record: decode(stored, "an operation that waits")?,
            sequence: stored.sequence,
        })
    }

    pub(crate) fn until(&self) -> Timestamp {
        Timestamp(self.record.until_micros)
    }
}

impl PendingRecord {
    /// Whether it waits for an answer, or for being carried out.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state(), PendingState::Waiting | PendingState::Approved)
    }

    /// Names what is destroyed, as far as there is room.
    pub(crate) fn name(&mut self, destroyed: &[Destroyed]) {
        let thing = |of: &Destroyed| PendingThing {
            sort: of.sort.to_owned(),
            name: shown(&of.name),
            version: of.version,
            becomes: of.becomes.clone(),
        };
        self.things = destroyed.iter().take(THINGS_NAMED_MAX).map(thing).collect();
        self.things_more = destroyed.len().saturating_sub(THINGS_NAMED_MAX) as u64;
    }
}

fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.get(..text.floor_char_boundary(NAME_BYTES_MAX))
        .unwrap_or_default()
        .to_owned()
}

/// What an operation is: who asks, for whom, in which bucket, and everything that it destroys as it is now.
pub(crate) fn fingerprint(session: &Session, bucket: BucketId, destroyed: &[Destroyed]) -> [u8; 32] {
    fingerprint_of(session.principal(), session.chain(), bucket, destroyed)
}

pub(crate) fn fingerprint_of<'a>(
    principal: &str,
    chain: impl Iterator<Item = &'a str>,
    bucket: BucketId,
    destroyed: &[Destroyed],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(b"craton pending operation");
    part(principal.as_bytes());
    let chain: Vec<&str> = chain.collect();
    part(&(chain.len() as u64).to_be_bytes());
    chain.iter().for_each(|of| part(of.as_bytes()));
    part(&bucket.0.to_be_bytes());
    let mut sorted: Vec<&Destroyed> = destroyed.iter().collect();
    sorted.sort_by(|a, b| (a.sort, &a.name, a.version).cmp(&(b.sort, &b.name, b.version)));
    for of in sorted {
        part(of.sort.as_bytes());
        part(&of.name);
        part(&of.version.to_be_bytes());
        part(of.becomes.as_bytes());
    }
    hash.finish()
}

/// The id of an operation.
pub(crate) fn id_of(fingerprint: &[u8; 32]) -> String {
    let start = fingerprint.get(..8).unwrap_or_default();
    format!("P{}", hex::encode_upper(start))
}

pub(crate) fn key(id: &str) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Pending,
        name: Bytes::copy_from_slice(id.as_bytes()),
    }
}

/// One by its id.
pub(crate) fn find(store: &Store, id: &str) -> Result<Option<Row>> {
    let found = store.get(&key(id), Sequence::MAX)?;
    found.as_ref().map(Row::read).transpose()
}

/// All of them, by id.
pub(crate) fn all(store: &Store) -> Result<Vec<Row>> {
    let span = Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Pending,
        start: Bytes::new(),
        end: None,
    };
    let most = PENDING_MAX.saturating_mul(2);
    let page = store.scan(&span, Sequence::MAX, Direction::Forward, most)?;
    page.entries.iter().map(Row::read).collect()
}
