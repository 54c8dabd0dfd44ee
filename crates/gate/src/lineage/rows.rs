//! The rows of lineage. Their tags and names are on disk: `docs/formats.md`, "Lineage".
//!
//! ```text
//! R principal 00 run                          a run: when, how much
//! E run(16) resource(16) version(8) touch(1)  an edge of a run
//! V resource(16) version(8) touch(1) run(16)  the same from the other side: nothing in it
//! C                                           how far the rows are made
//! D run(16) set(16) touch(1)                  what was declared of a run
//! O run(16)                                   that a run was said to be over
//! P record(16)                                what the columns of a version came from, until its record is followed
//! K resource(16) version(8)                   the same of a version
//! L source(16) version(8) resource(16) version(8)   the same from the other side: nothing in it
//! H resource(16) version(8)                   the SHA-256 of a version, and its size
//! S run(16)                                   that a run is to be told of
//! T run(16)                                   that it was told of
//! Q                                           that somebody is told of runs
//! W place(8)                                  the ledger's: the version of a write (`ledger/follow.rs`)
//! ```
//!
//! Runs and resources stand in names as the first 16 bytes of the SHA-256 of what they are called.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Result};
use craton_crypto::hash;
use craton_store::namespace::{Key, Kind, Span};
use prost::Message;

use crate::scope;

/// How a version was touched. The bytes are on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Touch {
    /// It was read.
    Read = b'r',
    /// It was made.
    Write = b'w',
    /// It was deleted, or a deletion was made.
    Delete = b'd',
}

impl Touch {
    /// As one word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
        }
    }

    pub(super) fn of(byte: u8) -> Result<Self> {
        match byte {
            b'r' => Ok(Self::Read),
            b'w' => Ok(Self::Write),
            b'd' => Ok(Self::Delete),
            _ => Err(Error::corrupt("a row of lineage has no known kind")),
        }
    }
}

/// What stands for a run or a resource in names.
pub(super) type Id = [u8; 16];

fn id(parts: &[&[u8]]) -> Id {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(hash::sha256(&parts.concat())) {
        *to = from;
    }
    out
}

pub(super) fn run_id(principal: &str, run: &str) -> Id {
    id(&[principal.as_bytes(), &[0], run.as_bytes()])
}

pub(super) fn resource_id(resource: &str) -> Id {
    id(&[resource.as_bytes()])
}

/// A run (`R`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct RunRow {
    #[prost(uint64, tag = "1")]
    pub(super) begun_micros: u64,
    #[prost(uint64, tag = "2")]
    pub(super) last_micros: u64,
    /// Records of requests: decisions, writes, denials.
    #[prost(uint64, tag = "3")]
    pub(super) requests: u64,
    #[prost(uint64, tag = "4")]
    pub(super) denied: u64,
    #[prost(uint64, tag = "5")]
    pub(super) reads: u64,
    #[prost(uint64, tag = "6")]
    pub(super) writes: u64,
    #[prost(uint64, tag = "7")]
    pub(super) bytes_read: u64,
    #[prost(uint64, tag = "8")]
    pub(super) bytes_written: u64,
    /// The newest session of it.
    #[prost(string, tag = "9")]
    pub(super) session: String,
    #[prost(string, tag = "10")]
    pub(super) purpose: String,
    /// For whom it acts, nearest first.
    #[prost(string, repeated, tag = "11")]
    pub(super) chain: Vec<String>,
}

impl RunRow {
    /// Adds what came later.
    pub(super) fn add(&mut self, more: Self) {
        if self.begun_micros == 0 || more.begun_micros < self.begun_micros {
            self.begun_micros = more.begun_micros;
        }
        self.last_micros = self.last_micros.max(more.last_micros);
        for (sum, n) in [
            (&mut self.requests, more.requests),
            (&mut self.denied, more.denied),
            (&mut self.reads, more.reads),
            (&mut self.writes, more.writes),
            (&mut self.bytes_read, more.bytes_read),
            (&mut self.bytes_written, more.bytes_written),
        ] {
            *sum = sum.saturating_add(n);
        }
        self.session = more.session;
        self.purpose = more.purpose;
        self.chain = more.chain;
    }
}

/// An edge (`E`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct EdgeRow {
    #[prost(string, tag = "1")]
    pub(super) principal: String,
    #[prost(string, tag = "2")]
    pub(super) run: String,
    #[prost(string, tag = "3")]
    pub(super) resource: String,
    #[prost(string, tag = "4")]
    pub(super) bucket: String,
    #[prost(uint64, tag = "5")]
    pub(super) count: u64,
    #[prost(uint64, tag = "6")]
    pub(super) bytes: u64,
    #[prost(uint64, tag = "7")]
    pub(super) first_micros: u64,
    #[prost(uint64, tag = "8")]
    pub(super) last_micros: u64,
    /// Of a table: the snapshots that statements said they read, at most [`SNAPSHOTS_MAX`].
    #[prost(sint64, repeated, tag = "9")]
    pub(super) snapshots: Vec<i64>,
}

/// The most snapshots of a table that are named in one edge.
pub(super) const SNAPSHOTS_MAX: usize = 100;

impl EdgeRow {
    /// Adds what came later.
    pub(super) fn add(&mut self, more: &Self) {
        for snapshot in &more.snapshots {
            if self.snapshots.len() < SNAPSHOTS_MAX && !self.snapshots.contains(snapshot) {
                self.snapshots.push(*snapshot);
            }
        }
        self.count = self.count.saturating_add(more.count);
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.first_micros = self.first_micros.min(more.first_micros);
        self.last_micros = self.last_micros.max(more.last_micros);
    }
}

/// The name of an edge: which run touched which version, and how.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct EdgeKey {
    pub(super) run: Id,
    pub(super) resource: Id,
    pub(super) version: u64,
    pub(super) touch: Touch,
}

impl EdgeKey {
    /// The row of the edge.
    pub(super) fn by_run(&self) -> Key {
        let version = self.version.to_be_bytes();
        key(&[b"E", &self.run, &self.resource, &version, &[self.touch as u8]])
    }

    /// The row that finds it from its version.
    pub(super) fn by_version(&self) -> Key {
        let version = self.version.to_be_bytes();
        key(&[b"V", &self.resource, &version, &[self.touch as u8], &self.run])
    }

    /// Reads a name of either form.
    pub(super) fn read(name: &[u8]) -> Result<Self> {
        let wrong = || Error::corrupt("a row of lineage has a name of no known form");
        let (form, rest) = name.split_first().ok_or_else(wrong)?;
        let (first, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
        match form {
            b'E' => {
                let (resource, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
                let (version, touch) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
                Ok(Self {
                    run: *first,
                    resource: *resource,
                    version: u64::from_be_bytes(*version),
                    touch: Touch::of(*touch.first().ok_or_else(wrong)?)?,
                })
            }
            b'V' => {
                let (version, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
                let (touch, run) = rest.split_first().ok_or_else(wrong)?;
                Ok(Self {
                    run: run.try_into().map_err(|_| wrong())?,
                    resource: *first,
                    version: u64::from_be_bytes(*version),
                    touch: Touch::of(*touch)?,
                })
            }
            _ => Err(wrong()),
        }
    }
}

/// The row of a run.
pub(super) fn run_key(principal: &str, run: &str) -> Key {
    key(&[b"R", principal.as_bytes(), &[0], run.as_bytes()])
}

/// Whose a run's row is, and what the run is called.
pub(super) fn run_name(name: &[u8]) -> Result<(String, String)> {
    let text = name.get(1..).and_then(|rest| std::str::from_utf8(rest).ok());
    let (principal, run) = text
        .and_then(|text| text.split_once('\0'))
        .ok_or_else(|| Error::corrupt("the name of a run's row has no known form"))?;
    Ok((principal.to_owned(), run.to_owned()))
}

/// How far the rows are made.
pub(super) fn cursor_key() -> Key {
    key(&[b"C"])
}

/// What is known of a version's content (`H`).
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct DigestRow {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) sha256: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(super) size: u64,
}

/// The row of a version's digest.
pub(super) fn digest_key(resource: &str, version: u64) -> Key {
    key(&[b"H", &resource_id(resource), &version.to_be_bytes()])
}

/// The resource of an edge's row.
pub(super) fn resource_of(value: &[u8]) -> Result<String> {
    decode::<EdgeRow>(value).map(|row| row.resource)
}

pub(super) fn key(parts: &[&[u8]]) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Lineage,
        name: parts.concat().into(),
    }
}

/// The rows whose names begin so, after one of them.
pub(super) fn span(prefix: &[&[u8]], after: Option<&[u8]>) -> Span {
    let prefix = prefix.concat();
    let end = scope::successor(&prefix);
    let start = match after {
        Some(after) => [after, &[0][..]].concat(),
        None => prefix,
    };
    Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::Lineage,
        start: start.into(),
        end,
    }
}

pub(super) fn encode(row: &impl Message) -> Bytes {
    row.encode_to_vec().into()
}

pub(super) fn decode<T: Message + Default>(bytes: &[u8]) -> Result<T> {
    T::decode(bytes).map_err(|e| Error::corrupt("a row of lineage does not parse").with_source(e))
}
