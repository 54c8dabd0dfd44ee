//! The rows of a listing as XML, written as they come: a page has a thousand, and values made only to be written
//! would cost as much as finding them. What is written is what `s3s` would write of the same values.
//!
//! Deliberately absent: the rest of the document, which `s3s` writes.

use std::fmt::Write as _;

use craton_base::{Timestamp, xml::element};
use craton_objects::{
    list::{Listed, ListedVersion, What},
    meta::ObjectMeta,
    tiering::Restore,
};

use crate::s3::convert;

/// About how many bytes a row takes besides its key.
const ROW_BYTES: usize = 448;

/// How rows are shown.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::s3::ops) struct Shown {
    /// Keys are encoded as in URLs.
    pub(in crate::s3::ops) encode: bool,
    /// Owners are told.
    pub(in crate::s3::ops) owners: bool,
    /// It is told how far archived objects are restored, as of this time.
    pub(in crate::s3::ops) restores: Option<Timestamp>,
}

/// The elements of objects and common prefixes.
pub(super) fn objects(entries: &[Listed], prefixes: &[String], shown: Shown) -> String {
    let mut out = with_room(entries.iter().map(|e| &e.key), prefixes);
    for Listed { key, meta } in entries {
        out.push_str("<Contents>");
        before_key(&mut out, meta);
        name(&mut out, "Key", key, shown.encode);
        modified(&mut out, meta.modified());
        after_time(&mut out, meta, shown);
        out.push_str("</Contents>");
    }
    common_prefixes(&mut out, prefixes, shown);
    out
}

/// The elements of versions, delete markers among them, and common prefixes.
pub(in crate::s3::ops) fn versions(versions: &[ListedVersion], prefixes: &[String], shown: Shown) -> String {
    let mut out = with_room(versions.iter().map(|v| &v.key), prefixes);
    for version in versions {
        match &version.what {
            What::Object(meta) => {
                out.push_str("<Version>");
                before_key(&mut out, meta);
                identity(&mut out, version, meta.modified(), shown);
                after_time(&mut out, meta, shown);
                element(&mut out, "VersionId", &version.id.to_text());
                out.push_str("</Version>");
            }
            What::Marker(meta) => {
                out.push_str("<DeleteMarker>");
                identity(&mut out, version, Timestamp(meta.modified_micros), shown);
                owner(&mut out, &meta.owner);
                element(&mut out, "VersionId", &version.id.to_text());
                out.push_str("</DeleteMarker>");
            }
        }
    }
    common_prefixes(&mut out, prefixes, shown);
    out
}

fn with_room<'a>(keys: impl Iterator<Item = &'a String>, prefixes: &'a [String]) -> String {
    let lengths = keys
        .chain(prefixes)
        .map(|key| key.len().saturating_add(ROW_BYTES));
    String::with_capacity(lengths.sum())
}

fn common_prefixes(out: &mut String, prefixes: &[String], shown: Shown) {
    for prefix in prefixes {
        out.push_str("<CommonPrefixes>");
        name(out, "Prefix", prefix, shown.encode);
        out.push_str("</CommonPrefixes>");
    }
}

fn before_key(out: &mut String, meta: &ObjectMeta) {
    if let Some(checksum) = meta.checksum() {
        element(out, "ChecksumAlgorithm", checksum.algorithm.name());
        element(out, "ChecksumType", checksum.scope.name());
    }
    etag(out, meta);
}

/// Which key it is a version of, and since when.
fn identity(out: &mut String, version: &ListedVersion, at: Timestamp, shown: Shown) {
    element(out, "IsLatest", if version.latest { "true" } else { "false" });
    name(out, "Key", &version.key, shown.encode);
    modified(out, at);
}

fn after_time(out: &mut String, meta: &ObjectMeta, shown: Shown) {
    if shown.owners {
        owner(out, &meta.owner);
    }
    if let Some(now) = shown.restores {
        restore(out, meta, now);
    }
    // Writing to a string does not fail.
    let _ = write!(out, "<Size>{}</Size>", meta.size);
    element(out, "StorageClass", meta.attributes.storage_class());
}

fn owner(out: &mut String, id: &str) {
    out.push_str("<Owner>");
    element(out, "DisplayName", id);
    element(out, "ID", id);
    out.push_str("</Owner>");
}

/// How far an archived object is restored: nothing of one that nobody asked for.
fn restore(out: &mut String, meta: &ObjectMeta, now: Timestamp) {
    match Restore::of(meta, now) {
        Restore::None => {}
        Restore::Ongoing => {
            out.push_str("<RestoreStatus><IsRestoreInProgress>true</IsRestoreInProgress></RestoreStatus>");
        }
        Restore::Until(until) => {
            out.push_str(
                "<RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress><RestoreExpiryDate>",
            );
            time(out, until);
            out.push_str("</RestoreExpiryDate></RestoreStatus>");
        }
    }
}

fn modified(out: &mut String, at: Timestamp) {
    out.push_str("<LastModified>");
    time(out, at);
    out.push_str("</LastModified>");
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

#[cfg(test)]
mod tests;
