//! The rows of a listing as XML, written as they come: a page has a thousand, and values made only to be written
//! would cost as much as finding them. What is written is what `s3s` would write of the same values.
//!
//! Deliberately absent: the rest of the document, which `s3s` writes.

use std::fmt::Write as _;

use craton_base::Timestamp;
use craton_objects::{list::Listed, meta::ObjectMeta};

use crate::s3::convert;

/// About how many bytes a row takes besides its key.
const ROW_BYTES: usize = 384;

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    /// Keys are encoded as in URLs.
    pub(super) encode: bool,
    /// Owners are told.
    pub(super) owners: bool,
}

/// The elements of objects and common prefixes.
pub(super) fn write(entries: &[Listed], prefixes: &[String], shown: Shown) -> String {
    let keys = entries
        .iter()
        .map(|e| e.key.len())
        .chain(prefixes.iter().map(String::len));
    let mut out = String::with_capacity(keys.map(|len| len.saturating_add(ROW_BYTES)).sum());
    for entry in entries {
        out.push_str("<Contents>");
        object(&mut out, entry, shown);
        out.push_str("</Contents>");
    }
    for prefix in prefixes {
        out.push_str("<CommonPrefixes>");
        name(&mut out, "Prefix", prefix, shown.encode);
        out.push_str("</CommonPrefixes>");
    }
    out
}

fn object(out: &mut String, entry: &Listed, shown: Shown) {
    let meta = &entry.meta;
    if let Some(checksum) = meta.checksum() {
        element(out, "ChecksumAlgorithm", checksum.algorithm.name());
        element(out, "ChecksumType", checksum.scope.name());
    }
    etag(out, meta);
    name(out, "Key", &entry.key, shown.encode);
    out.push_str("<LastModified>");
    time(out, meta.modified());
    out.push_str("</LastModified>");
    if shown.owners {
        out.push_str("<Owner>");
        element(out, "DisplayName", &meta.owner);
        element(out, "ID", &meta.owner);
        out.push_str("</Owner>");
    }
    // Writing to a string does not fail.
    let _ = write!(out, "<Size>{}</Size>", meta.size);
    element(out, "StorageClass", meta.attributes.storage_class());
}

fn etag(out: &mut String, meta: &ObjectMeta) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or('0');
    out.push_str("<ETag>\"");
    for byte in &meta.md5 {
        out.push(digit(byte >> 4));
        out.push(digit(*byte));
    }
    if !meta.upload_id.is_empty() {
        let _ = write!(out, "-{}", meta.part_count());
    }
    out.push_str("\"</ETag>");
}

fn time(out: &mut String, at: Timestamp) {
    let at = at.to_utc();
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    let month = u8::from(month);
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
    );
}

fn name(out: &mut String, tag: &str, text: &str, encode: bool) {
    if encode {
        element(out, tag, &convert::url_encoded(text.to_owned(), true));
    } else {
        element(out, tag, text);
    }
}

fn element(out: &mut String, tag: &str, text: &str) {
    out.push('<');
    out.push_str(tag);
    out.push('>');
    escaped(out, text);
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// Text with what XML does not allow in it escaped.
fn escaped(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some((before, after)) = rest
        .find(['<', '>', '&', '"', '\''])
        .and_then(|at| rest.split_at_checked(at))
    {
        out.push_str(before);
        let mut after = after.chars();
        out.push_str(match after.next() {
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('&') => "&amp;",
            Some('"') => "&quot;",
            _ => "&apos;",
        });
        rest = after.as_str();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests;
