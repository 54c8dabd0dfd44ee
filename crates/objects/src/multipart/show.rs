//! Listing uploads that are open, and the parts of one.

use bytes::Bytes;
use craton_base::ObjectKey;
use craton_gate::{Direction, Kind, ReadPermit, Stored};

use super::{ID_BYTES, UploadId, open};
use crate::{
    Error, Fault, Result,
    list::{self, Fetched, Last, PAGE_KEYS_MAX, Row, Walk},
    meta::{PartMeta, UploadMeta},
};

/// A part in a listing.
#[derive(Clone, Debug)]
pub struct ListedPart {
    /// Its number.
    pub number: u16,
    /// What is stored about it.
    pub meta: PartMeta,
}

/// A page of an upload's parts.
#[derive(Clone, Debug)]
pub struct PartsPage {
    /// The upload.
    pub upload: UploadMeta,
    /// The parts, by number.
    pub parts: Vec<ListedPart>,
    /// Whether there are more.
    pub truncated: bool,
}

/// Lists the parts of an upload with numbers after `after`, at most `limit`.
///
/// # Errors
/// `NoSuchUpload`; the gate's own.
pub fn list_parts(
    permit: &ReadPermit,
    key: &ObjectKey,
    id: UploadId,
    after: u16,
    limit: usize,
) -> Result<PartsPage> {
    let (_, upload) = open(permit, key, id)?;
    let limit = limit.min(PAGE_KEYS_MAX);
    let end = id.parts_end(key);
    let mut start = id.part_name(key, after.saturating_add(1));
    let mut parts: Vec<ListedPart> = Vec::new();
    if limit == 0 {
        return Ok(PartsPage {
            upload,
            parts,
            truncated: false,
        });
    }
    loop {
        let wanted = limit.saturating_sub(parts.len()).saturating_add(1);
        let page = permit.scan(Kind::Part, &start, Some(&end), Direction::Forward, wanted)?;
        for stored in &page.entries {
            if parts.len() == limit {
                return Ok(PartsPage {
                    upload,
                    parts,
                    truncated: true,
                });
            }
            parts.push(listed(stored)?);
        }
        match parts.last() {
            Some(last) if page.more => start = id.part_name(key, last.number.saturating_add(1)),
            _ => break,
        }
    }
    Ok(PartsPage {
        upload,
        parts,
        truncated: false,
    })
}

fn listed(stored: &Stored) -> Result<ListedPart> {
    let number = stored
        .key
        .name
        .last_chunk::<2>()
        .map(|n| u16::from_be_bytes(*n))
        .unwrap_or_default();
    Ok(ListedPart {
        number,
        meta: PartMeta::read(&stored.value.meta)?,
    })
}

/// Where a listing of uploads goes on.
#[derive(Clone, Debug, Default)]
pub struct UploadsAfter {
    /// After this key, or, with an id, within it.
    pub key: String,
    /// After this upload of the key.
    pub id: Option<UploadId>,
}

/// Which uploads are listed.
#[derive(Clone, Debug, Default)]
pub struct UploadsListing {
    /// Only keys that begin with it.
    pub prefix: String,
    /// Keys that hold it after the prefix are shown as one common prefix.
    pub delimiter: Option<String>,
    /// Where to go on.
    pub after: Option<UploadsAfter>,
    /// The most rows, at most [`PAGE_KEYS_MAX`].
    pub limit: usize,
}

/// An upload in a listing.
#[derive(Clone, Debug)]
pub struct ListedUpload {
    /// The object's key.
    pub key: String,
    /// The upload.
    pub id: UploadId,
    /// What is stored about it.
    pub meta: UploadMeta,
}

/// A page of open uploads.
#[derive(Clone, Debug)]
pub struct UploadsPage {
    /// The uploads, by key, then in the order they were begun.
    pub uploads: Vec<ListedUpload>,
    /// The common prefixes.
    pub prefixes: Vec<String>,
    /// Where the next page begins, if there is one: a key or common prefix, and an upload of that key.
    pub next: Option<UploadsAfter>,
}

/// Lists the open uploads under the prefix that `permit` is for.
///
/// # Errors
/// The gate's own; `Corrupt` if an entry does not parse.
pub fn list_uploads(permit: &ReadPermit, listing: &UploadsListing) -> Result<UploadsPage> {
    permit.bucket()?;
    let delimiter = listing.delimiter.as_deref();
    let walk = Walk {
        prefix: &listing.prefix,
        delimiter,
        start: listing
            .after
            .as_ref()
            .map_or(Some(Vec::new()), |a| start(a, &listing.prefix, delimiter)),
        limit: listing.limit.min(PAGE_KEYS_MAX),
    };
    let page = walk.run(|start, end, limit| {
        let page = permit.scan(Kind::Upload, start, end, Direction::Forward, limit)?;
        let rows = page.entries.iter().map(row).collect::<Result<_>>()?;
        Ok(Fetched {
            rows,
            more: page.more,
        })
    })?;
    let last_id = page.entries.last().map(|u| u.id);
    let next = page.next.map(|last| match last {
        Last::Row(key) => UploadsAfter { key, id: last_id },
        Last::Prefix(key) => UploadsAfter { key, id: None },
    });
    Ok(UploadsPage {
        uploads: page.entries,
        prefixes: page.prefixes,
        next,
    })
}

/// The first name after a marker. Keys hold no NUL, so `key 0x01` is after every upload of `key`.
pub(super) fn start(after: &UploadsAfter, prefix: &str, delimiter: Option<&str>) -> Option<Vec<u8>> {
    if let (Some(id), Ok(key)) = (after.id, ObjectKey::new(&after.key)) {
        return Some([&id.name(&key)[..], &[0]].concat());
    }
    match list::After::from_marker(&after.key, prefix, delimiter) {
        list::After::Prefix(common) => list::successor(common.as_bytes()),
        list::After::Key(key) => Some([key.as_bytes(), &[1]].concat()),
    }
}

fn row(stored: &Stored) -> Result<Row<ListedUpload>> {
    let (key, id) = split(&stored.key.name)?;
    let meta = UploadMeta::read(&stored.value.meta)?;
    Ok(Row {
        name: stored.key.name.clone(),
        key: key.clone(),
        item: ListedUpload { key, id, meta },
    })
}

fn split(name: &Bytes) -> Result<(String, UploadId)> {
    let corrupt = || Error::from(craton_base::Error::corrupt("an upload's name does not parse"));
    let (rest, id) = name.split_last_chunk::<ID_BYTES>().ok_or_else(corrupt)?;
    let key = rest.strip_suffix(&[0]).ok_or_else(corrupt)?;
    Ok((list::text(key)?, UploadId(*id)))
}

impl UploadsAfter {
    /// From the two markers; an upload id without a key means nothing, as in S3.
    ///
    /// # Errors
    /// `InvalidArgument` if the id is not one.
    pub fn from_markers(key: Option<String>, id: Option<&str>) -> Result<Option<Self>> {
        let Some(key) = key.filter(|k| !k.is_empty()) else {
            return Ok(None);
        };
        let id = match id.filter(|i| !i.is_empty()) {
            None => None,
            Some(text) => Some(
                UploadId::parse(text)
                    .map_err(|_| Error::fault(Fault::InvalidArgument, "Invalid uploadId marker"))?,
            ),
        };
        Ok(Some(Self { key, id }))
    }
}
