//! How keys and rows are laid out as bytes, so that byte order is the order of the trait.
//!
//! Key: `bucket u64 | branch u32 | kind u8 | name | 00 01 | version u64`, numbers big-endian; a zero
//! byte in the name is `00 FF`. The version is the complement of the sequence, so that a name's newest
//! version comes first; kinds without history have the fixed version `FF…FF`, so that a put replaces.
//!
//! Row: `form u8 | CRC-32C u32 | (number u64) | value`. The number is the sequence in kinds without history, and
//! the revision of a version that was amended; others have none. The checksum is over the key and the rest
//! of the row: redb checks pages only when it repairs.
//!
//! Deliberately absent: redb. The change feed lists keys in the same form without the version.

use std::borrow::Cow;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Result, Sequence};
use crc_fast::{CrcAlgorithm, Digest};

use super::{Key, Kind, Span};

const END: [u8; 2] = [0, 1];
const ESCAPED_ZERO: [u8; 2] = [0, 0xFF];
const VERSION_BYTES: usize = 8;
const PREFIX_BYTES: usize = 13;
const NO_HISTORY: Sequence = Sequence(0);

const FORM_VALUE: u8 = 1;
const FORM_DELETED: u8 = 2;
const FORM_MARK: u8 = 3;
const FORM_AMENDED_VALUE: u8 = 4;
const FORM_AMENDED_MARK: u8 = 5;

fn push_prefix(out: &mut Vec<u8>, bucket: BucketId, branch: BranchId, kind: Kind) {
    out.extend_from_slice(&bucket.0.to_be_bytes());
    out.extend_from_slice(&branch.0.to_be_bytes());
    out.push(kind as u8);
}

fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    for (i, part) in name.split(|byte| *byte == 0).enumerate() {
        if i > 0 {
            out.extend_from_slice(&ESCAPED_ZERO);
        }
        out.extend_from_slice(part);
    }
}

/// The key without a version; every version's bytes begin with it, and no other key's do.
pub(super) fn stem(key: &Key) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + key.name.len() + END.len() + VERSION_BYTES);
    push_prefix(&mut out, key.bucket, key.branch, key.kind);
    push_name(&mut out, &key.name);
    out.extend_from_slice(&END);
    out
}

/// The stem and one version.
pub(super) fn with_version(stem: &[u8], sequence: Sequence) -> Vec<u8> {
    let mut out = Vec::with_capacity(stem.len() + VERSION_BYTES);
    out.extend_from_slice(stem);
    out.extend_from_slice(&(!sequence.0).to_be_bytes());
    out
}

/// The bytes under which the version of `key` made by `sequence` is kept.
pub(super) fn row_key(key: &Key, sequence: Sequence) -> Vec<u8> {
    let version = if key.kind.keeps_history() {
        sequence
    } else {
        NO_HISTORY
    };
    let mut out = stem(key);
    out.extend_from_slice(&(!version.0).to_be_bytes());
    out
}

/// Splits the bytes of a key into its stem and the version in it.
pub(super) fn split(row_key: &[u8]) -> Result<(&[u8], Sequence)> {
    let (stem, version) = row_key.split_last_chunk::<VERSION_BYTES>().ok_or_else(bad_key)?;
    Ok((stem, Sequence(!u64::from_be_bytes(*version))))
}

/// The name in a stem, copied only if it holds a zero.
pub(super) fn name(stem: &[u8]) -> Result<Cow<'_, [u8]>> {
    let (_, rest) = stem.split_first_chunk::<PREFIX_BYTES>().ok_or_else(bad_key)?;
    unescape(rest.strip_suffix(&END).ok_or_else(bad_key)?)
}

fn unescape(escaped: &[u8]) -> Result<Cow<'_, [u8]>> {
    if !escaped.contains(&0) {
        return Ok(Cow::Borrowed(escaped));
    }
    let mut name = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        name.push(*byte);
        if *byte == 0 && bytes.next() != Some(&0xFF) {
            return Err(bad_key());
        }
    }
    Ok(Cow::Owned(name))
}

/// The key that a stem stands for.
pub(super) fn parse_stem(stem: &[u8]) -> Result<Key> {
    let (bucket, rest) = stem.split_first_chunk::<8>().ok_or_else(bad_key)?;
    let (branch, rest) = rest.split_first_chunk::<4>().ok_or_else(bad_key)?;
    let (kind, rest) = rest.split_first().ok_or_else(bad_key)?;
    let name = unescape(rest.strip_suffix(&END).ok_or_else(bad_key)?)?.into_owned();
    Ok(Key {
        bucket: BucketId(u64::from_be_bytes(*bucket)),
        branch: BranchId(u32::from_be_bytes(*branch)),
        kind: Kind::from_number(*kind).ok_or_else(bad_key)?,
        name: Bytes::from(name),
    })
}

/// The byte range `[start, end)` of all versions of the names of a span.
pub(super) fn range(span: &Span) -> (Vec<u8>, Vec<u8>) {
    let mut start = Vec::with_capacity(PREFIX_BYTES + span.start.len());
    push_prefix(&mut start, span.bucket, span.branch, span.kind);
    let mut end = start.clone();
    push_name(&mut start, &span.start);
    match &span.end {
        Some(name) => push_name(&mut end, name),
        // No kind has the number 255, so the prefix's successor is one more in its last byte.
        None => {
            if let Some(kind) = end.last_mut() {
                *kind = kind.saturating_add(1);
            }
        }
    }
    (start, end)
}

/// Before every version of `name` and of the names after it.
pub(super) fn before(span: &Span, name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + name.len());
    push_prefix(&mut out, span.bucket, span.branch, span.kind);
    push_name(&mut out, name);
    out
}

/// The bytes of the key `name` of a span, without a version.
pub(super) fn stem_in(span: &Span, name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + name.len() + END.len() + VERSION_BYTES);
    push_prefix(&mut out, span.bucket, span.branch, span.kind);
    push_name(&mut out, name);
    out.extend_from_slice(&END);
    out
}

/// What a row says of its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Says<'a> {
    /// It exists and has this value.
    Value(&'a [u8]),
    /// It does not exist.
    Deleted,
    /// It does not exist, and this is to be known of its deletion.
    Marked(&'a [u8]),
}

impl<'a> Says<'a> {
    /// The bytes that it carries.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        match self {
            Self::Value(bytes) | Self::Marked(bytes) => bytes,
            Self::Deleted => &[],
        }
    }

    /// The value, if the key exists.
    #[must_use]
    pub const fn value(self) -> Option<&'a [u8]> {
        match self {
            Self::Value(bytes) => Some(bytes),
            Self::Deleted | Self::Marked(_) => None,
        }
    }
}

/// A row that was checked, or one that is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row<'a> {
    /// The commit that made the version.
    pub(super) sequence: Sequence,
    /// The commit that wrote it.
    pub(super) revision: Sequence,
    pub(super) says: Says<'a>,
}

impl<'a> Row<'a> {
    /// A row as the commit that makes its version writes it.
    pub(super) const fn new(sequence: Sequence, says: Says<'a>) -> Self {
        Self {
            sequence,
            revision: sequence,
            says,
        }
    }

    fn form(&self) -> u8 {
        let amended = self.revision != self.sequence;
        match self.says {
            Says::Value(_) if amended => FORM_AMENDED_VALUE,
            Says::Value(_) => FORM_VALUE,
            Says::Deleted => FORM_DELETED,
            Says::Marked(_) if amended => FORM_AMENDED_MARK,
            Says::Marked(_) => FORM_MARK,
        }
    }

    /// The number that stands before the value.
    fn number(&self, kind: Kind) -> Option<Sequence> {
        if !kind.keeps_history() {
            return Some(self.sequence);
        }
        (self.revision != self.sequence).then_some(self.revision)
    }

    /// How long it is as bytes.
    pub(super) fn len(&self, kind: Kind) -> usize {
        let number = if self.number(kind).is_some() { 8 } else { 0 };
        5 + number + self.says.bytes().len()
    }

    /// Writes it into `out`, which has [`Row::len`] bytes.
    pub(super) fn fill(&self, out: &mut [u8], row_key: &[u8], kind: Kind) -> Result<()> {
        let misfit = || Error::internal("a row does not fit the space reserved for it");
        let (head, rest) = out.split_first_chunk_mut::<5>().ok_or_else(misfit)?;
        let body = match self.number(kind) {
            None => &mut *rest,
            Some(number) => {
                let (place, body) = rest.split_first_chunk_mut::<8>().ok_or_else(misfit)?;
                *place = number.0.to_be_bytes();
                body
            }
        };
        let bytes = self.says.bytes();
        if body.len() != bytes.len() {
            return Err(misfit());
        }
        body.copy_from_slice(bytes);
        let form = self.form();
        let [a, b, c, d] = checksum(row_key, form, rest).to_be_bytes();
        *head = [form, a, b, c, d];
        Ok(())
    }
}

/// Checks a row and takes it apart. `version` is the one in its key.
pub(super) fn open_row<'a>(row_key: &[u8], row: &'a [u8]) -> Result<Row<'a>> {
    let bad = || Error::corrupt("a row of the namespace does not match its checksum");
    let (_, version) = split(row_key)?;
    let ([form, a, b, c, d], rest) = row.split_first_chunk::<5>().ok_or_else(bad)?;
    if checksum(row_key, *form, rest) != u32::from_be_bytes([*a, *b, *c, *d]) {
        return Err(bad());
    }
    let amended = matches!(*form, FORM_AMENDED_VALUE | FORM_AMENDED_MARK);
    let alone = version == NO_HISTORY;
    let (number, value) = if alone || amended {
        let (number, value) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
        (Sequence(u64::from_be_bytes(*number)), value)
    } else {
        (version, rest)
    };
    let says = match *form {
        FORM_VALUE => Says::Value(value),
        FORM_DELETED => Says::Deleted,
        FORM_AMENDED_VALUE if !alone => Says::Value(value),
        FORM_MARK | FORM_AMENDED_MARK if !alone => Says::Marked(value),
        _ => return Err(bad()),
    };
    Ok(Row {
        sequence: if alone { number } else { version },
        revision: number,
        says,
    })
}

fn checksum(row_key: &[u8], form: u8, rest: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(row_key);
    digest.update(&[form]);
    digest.update(rest);
    // The algorithm is 32 bits wide; the upper half is zero.
    digest.finalize() as u32
}

fn bad_key() -> Error {
    Error::corrupt("a key of the namespace is malformed")
}
