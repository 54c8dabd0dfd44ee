//! How keys and rows are laid out as bytes, so that byte order is the order of the trait.
//!
//! Key: `bucket u64 | branch u32 | kind u8 | name | 00 01 | version u64`, numbers big-endian; a zero
//! byte in the name is `00 FF`. The version is the complement of the sequence, so that a name's newest
//! version comes first; kinds without history have the fixed version `FF…FF`, so that a put replaces.
//!
//! Row: `form u8 | CRC-32C u32 | (sequence u64, kinds without history only) | value`. The checksum is over
//! the key and the rest of the row: redb checks pages only when it repairs.
//!
//! Deliberately absent: redb. The change feed lists keys in the same form without the version.

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

/// The key that a stem stands for.
pub(super) fn parse_stem(stem: &[u8]) -> Result<Key> {
    let (bucket, rest) = stem.split_first_chunk::<8>().ok_or_else(bad_key)?;
    let (branch, rest) = rest.split_first_chunk::<4>().ok_or_else(bad_key)?;
    let (kind, rest) = rest.split_first().ok_or_else(bad_key)?;
    let escaped = rest.strip_suffix(&END).ok_or_else(bad_key)?;
    let mut name = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        name.push(*byte);
        if *byte == 0 && bytes.next() != Some(&0xFF) {
            return Err(bad_key());
        }
    }
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

/// The bytes of the key `name` of a span, without a version.
pub(super) fn stem_in(span: &Span, name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(PREFIX_BYTES + name.len() + END.len() + VERSION_BYTES);
    push_prefix(&mut out, span.bucket, span.branch, span.kind);
    push_name(&mut out, name);
    out.extend_from_slice(&END);
    out
}

/// A row that was checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row<'a> {
    pub(super) sequence: Sequence,
    /// `None` where the version says "deleted".
    pub(super) value: Option<&'a [u8]>,
}

/// How long the row of a value is.
pub(super) fn row_len(kind: Kind, value: Option<&[u8]>) -> usize {
    let sequence = if kind.keeps_history() { 0 } else { 8 };
    5 + sequence + value.map_or(0, <[u8]>::len)
}

/// Writes a row of [`row_len`] bytes into `out`.
pub(super) fn fill_row(
    out: &mut [u8],
    row_key: &[u8],
    kind: Kind,
    sequence: Sequence,
    value: Option<&[u8]>,
) -> Result<()> {
    let misfit = || Error::internal("a row does not fit the space reserved for it");
    let form = if value.is_some() { FORM_VALUE } else { FORM_DELETED };
    let (head, rest) = out.split_first_chunk_mut::<5>().ok_or_else(misfit)?;
    let body = if kind.keeps_history() {
        &mut *rest
    } else {
        let (number, body) = rest.split_first_chunk_mut::<8>().ok_or_else(misfit)?;
        *number = sequence.0.to_be_bytes();
        body
    };
    let value = value.unwrap_or_default();
    if body.len() != value.len() {
        return Err(misfit());
    }
    body.copy_from_slice(value);
    let [a, b, c, d] = checksum(row_key, form, rest).to_be_bytes();
    *head = [form, a, b, c, d];
    Ok(())
}

/// Checks a row and takes it apart. `version` is the one in its key.
pub(super) fn open_row<'a>(row_key: &[u8], row: &'a [u8]) -> Result<Row<'a>> {
    let bad = || Error::corrupt("a row of the namespace does not match its checksum");
    let (_, version) = split(row_key)?;
    let ([form, a, b, c, d], rest) = row.split_first_chunk::<5>().ok_or_else(bad)?;
    if checksum(row_key, *form, rest) != u32::from_be_bytes([*a, *b, *c, *d]) {
        return Err(bad());
    }
    let (sequence, value) = if version == NO_HISTORY {
        let (number, value) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
        (Sequence(u64::from_be_bytes(*number)), value)
    } else {
        (version, rest)
    };
    match *form {
        FORM_VALUE => Ok(Row {
            sequence,
            value: Some(value),
        }),
        FORM_DELETED => Ok(Row {
            sequence,
            value: None,
        }),
        _ => Err(bad()),
    }
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
