//! Listing uploads that are open, and the parts of one.

use craton_base::ObjectKey;
use craton_gate::{Flow, Head, Kind, ReadPermit};

use super::{ID_BYTES, UploadId, open};
use crate::{
    Error, Result,
    list::{self, After, Each, PAGE_KEYS_MAX, Walk},
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
    let start = id.part_name(key, after.saturating_add(1));
    let mut parts: Vec<ListedPart> = Vec::new();
    if limit == 0 {
        return Ok(PartsPage {
            upload,
            parts,
            truncated: false,
        });
    }
    let mut truncated = false;
    permit.visit(Kind::Part, (&start, Some(&end)), |head| {
        truncated = parts.len() == limit;
        if truncated {
            return Ok(Flow::Stop);
        }
        parts.push(listed(&head)?);
        Ok::<_, Error>(Flow::Next)
    })?;
    Ok(PartsPage {
        upload,
        parts,
        truncated,
    })
}

fn listed(part: &Head<'_>) -> Result<ListedPart> {
    let number = part
        .name
        .last_chunk::<2>()
        .map(|n| u16::from_be_bytes(*n))
        .unwrap_or_default();
    Ok(ListedPart {
        number,
        meta: PartMeta::read(part.meta)?,
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
pub async fn list_uploads(permit: &ReadPermit, listing: &UploadsListing) -> Result<UploadsPage> {
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
        // Every open upload is shown, or grouped: the limit is bound enough.
        looks_max: usize::MAX,
        key: key_in,
        item: |head: &Head<'_>, key: &str| {
            Ok(ListedUpload {
                key: key.to_owned(),
                id: split(head.name)?.1,
                meta: UploadMeta::read(head.meta)?,
            })
        },
    };
    let visit = |start: &[u8], end: Option<&[u8]>, each: &mut Each<'_>| {
        permit.visit(Kind::Upload, (start, end), each)
    };
    let page = walk.run(visit).await?;
    let last_id = page.entries.last().map(|u| u.id);
    let next = page.next.map(|last| match last {
        After::Key(key) => UploadsAfter { key, id: last_id },
        After::Prefix(key) => UploadsAfter { key, id: None },
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
    match After::from_marker(&after.key, prefix, delimiter) {
        After::Prefix(common) => list::successor(common.as_bytes()),
        After::Key(key) => Some([key.as_bytes(), &[1]].concat()),
    }
}

fn key_in(name: &[u8]) -> Result<&str> {
    split(name).map(|(key, _)| key)
}

pub(super) fn split(name: &[u8]) -> Result<(&str, UploadId)> {
    let corrupt = || Error::from(craton_base::Error::corrupt("an upload's name does not parse"));
    let (rest, id) = name.split_last_chunk::<ID_BYTES>().ok_or_else(corrupt)?;
    let key = rest.strip_suffix(&[0]).ok_or_else(corrupt)?;
    Ok((list::borrowed_text(key)?, UploadId(*id)))
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
                    .map_err(|_| Error::argument("upload-id-marker", text, "Invalid uploadId marker"))?,
            ),
        };
        Ok(Some(Self { key, id }))
    }
}
