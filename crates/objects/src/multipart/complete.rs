//! Ending an upload: completing it into an object, or aborting it.

use bytes::Bytes;
use craton_base::{Kind as ErrorKind, ObjectKey};
use craton_gate::{Changes, Direction, Extent, Kind, Stored, Versioning, WritePermit};

use super::{OBJECT_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX, UploadId, open, show::split};
use crate::{
    Error, Fault, Result,
    body::mismatch,
    checksum::{self, Algorithm, Scope},
    condition::WriteConditions,
    lock::LockRequest,
    md5::Md5,
    meta::{ChecksumRecord, ObjectMeta, PartMeta, PartSize, UploadMeta},
    put::{Draft, Written, commit_object, conflict, modified},
    version::VersionId,
};

/// How often an end that lost a race is tried again.
const END_TRIES_MAX: usize = 8;

/// How many parts are read at once.
const PARTS_PAGE: usize = 1000;

/// A part as the client names it.
#[derive(Clone, Debug)]
pub struct CompletedPart {
    /// Its number.
    pub number: u16,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its checksum, where the client states it.
    pub checksum: Option<(Algorithm, Vec<u8>)>,
}

/// A completion.
#[derive(Clone, Debug, Default)]
pub struct Complete {
    /// The parts, in order.
    pub parts: Vec<CompletedPart>,
    /// The conditions on the object.
    pub conditions: WriteConditions,
    /// The whole object's checksum, where the client states it.
    pub checksum: Option<(Algorithm, Vec<u8>)>,
    /// The checksum's scope, where the client states it.
    pub scope: Option<Scope>,
    /// The whole object's size, where the client states it.
    pub size: Option<u64>,
}

/// A part that may be completed.
pub(super) trait Candidate {
    /// Its number.
    fn number(&self) -> u16;
    /// What is stored about it.
    fn meta(&self) -> &PartMeta;
}

/// A stored part, without what is not needed to complete.
struct Loaded {
    number: u16,
    meta: PartMeta,
    content: Vec<Extent>,
    /// The entry, to be removed.
    entry: Stored,
}

impl Candidate for Loaded {
    fn number(&self) -> u16 {
        self.number
    }

    fn meta(&self) -> &PartMeta {
        &self.meta
    }
}

/// Completes an upload.
///
/// # Errors
/// `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `EntityTooLarge`, `BadDigest`,
/// the conditions' faults; the gate's own.
pub async fn complete(
    permit: &WritePermit,
    key: &ObjectKey,
    id: UploadId,
    request: &Complete,
) -> Result<Written> {
    check_order(&request.parts)?;
    for _ in 0..END_TRIES_MAX {
        let (upload, upload_meta) = match open(permit, key, id) {
            Ok(found) => found,
            Err(missing) => return completed_before(permit, key, id, request)?.ok_or(missing),
        };
        let parts = load(permit, key, id, request.parts.last().map(|p| p.number))?;
        match finish(permit, key, id, request, (&upload, &upload_meta), parts).await {
            Err(Error::Fault(Fault::ConditionalRequestConflict, ..)) => {}
            Err(_) if moved(permit, key, id, &upload) => {}
            done => return done,
        }
    }
    Err(conflict())
}

/// Whether the upload changed or ended since it was read: its parts, read after it, are then not what it had, and
/// what they made the answer to be says nothing.
fn moved(permit: &WritePermit, key: &ObjectKey, id: UploadId, upload: &Stored) -> bool {
    open(permit, key, id).map_or(true, |(now, _)| now.sequence != upload.sequence)
}

async fn finish(
    permit: &WritePermit,
    key: &ObjectKey,
    id: UploadId,
    request: &Complete,
    (upload, upload_meta): (&Stored, &UploadMeta),
    parts: Vec<Loaded>,
) -> Result<Written> {
    let chosen = select(&request.parts, &parts)?;
    let checksum = whole_checksum(request, upload_meta, &chosen)?;
    let meta = ObjectMeta {
        size: chosen.iter().map(|p| p.meta.size).fold(0, u64::saturating_add),
        modified_micros: modified(permit, upload_meta.replica().as_ref()).micros(),
        replication: upload_meta.replication.clone(),
        md5: md5_of_md5s(chosen.iter().map(|p| &*p.meta.md5)).to_vec(),
        attributes: upload_meta.attributes.clone(),
        checksum: Some(ChecksumRecord {
            unchosen: !upload_meta.chosen,
            ..checksum
        }),
        parts: chosen
            .iter()
            .map(|p| PartSize {
                size: p.meta.size,
                checksum: p.meta.checksum.clone(),
            })
            .collect(),
        parts_count: 0,
        upload_id: id.0.to_vec(),
        owner: upload_meta.initiator.clone(),
        tags: upload_meta.tags.clone(),
        encryption: upload_meta.encryption.clone(),
        restored_until_micros: 0,
        tier: String::new(),
        restore_days: 0,
        brought_back: 0,
        lock: None,
        acl: upload_meta.acl.clone(),
    };
    check_size(meta.size, request.size)?;
    let draft = Draft {
        meta,
        content: chosen.iter().flat_map(|p| p.content.iter().cloned()).collect(),
        lock: LockRequest::kept(upload_meta.lock.as_ref()),
    };
    let closing = || close(upload, &parts);
    let name = key.as_str().as_bytes();
    commit_object(permit, name, &request.conditions, &draft, closing).await
}

/// The changes that close an upload: its entry and its parts, as they were read, go. A part that was committed
/// after they were read wrote the upload's entry again, so these changes are then refused.
fn close(upload: &Stored, parts: &[Loaded]) -> Changes {
    let changes = Changes::new()
        .expect_at(Kind::Upload, upload.key.name.clone(), upload.sequence)
        .remove(upload.clone());
    parts.iter().fold(changes, |changes, part| {
        let entry = &part.entry;
        changes
            .expect_at(Kind::Part, entry.key.name.clone(), entry.sequence)
            .remove(entry.clone())
    })
}

pub(super) fn check_order(parts: &[CompletedPart]) -> Result<()> {
    if parts.is_empty() || parts.len() > PARTS_MAX as usize {
        return Err(Error::fault(
            Fault::MalformedXML,
            format!("The list of parts must name 1 to {PARTS_MAX} parts."),
        ));
    }
    if parts.is_sorted_by(|a, b| a.number < b.number) {
        return Ok(());
    }
    Err(Error::fault(
        Fault::InvalidPartOrder,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ))
}

/// The stored parts that the client names, checked one by one.
pub(super) fn select<'a, P: Candidate>(named: &[CompletedPart], stored: &'a [P]) -> Result<Vec<&'a P>> {
    let mut out = Vec::with_capacity(named.len());
    let last = named.last().map(|p| p.number);
    for part in named {
        let found = stored
            .binary_search_by_key(&part.number, P::number)
            .ok()
            .and_then(|i| stored.get(i));
        let found = found.filter(|found| {
            let sum = part
                .checksum
                .as_ref()
                .is_none_or(|(_, value)| *value == found.meta().checksum);
            sum && hex::encode(&found.meta().md5) == part.etag
        });
        let Some(found) = found else {
            return Err(Error::fault(
                Fault::InvalidPart,
                format!(
                    "One or more of the specified parts could not be found. The part may not have been uploaded, or \
                     the specified entity tag may not match the part's entity tag: part {}.",
                    part.number
                ),
            )
            .naming("PartNumber", part.number.to_string())
            .naming("ETag", part.etag.clone()));
        };
        if found.meta().size < PART_BYTES_MIN && Some(part.number) != last {
            return Err(Error::fault(
                Fault::EntityTooSmall,
                format!(
                    "Your proposed upload is smaller than the minimum allowed size: part {}.",
                    part.number
                ),
            )
            .naming("ProposedSize", found.meta().size.to_string())
            .naming("MinSizeAllowed", PART_BYTES_MIN.to_string())
            .naming("PartNumber", part.number.to_string())
            .naming("ETag", part.etag.clone()));
        }
        out.push(found);
    }
    Ok(out)
}

pub(super) fn whole_checksum<P: Candidate>(
    request: &Complete,
    upload: &UploadMeta,
    parts: &[&P],
) -> Result<ChecksumRecord> {
    let (algorithm, scope) = upload.checksum()?;
    if request.scope.is_some_and(|stated| stated != scope) {
        return Err(Error::fault(
            Fault::InvalidRequest,
            format!("The upload was created with the {} checksum type.", scope.name()),
        ));
    }
    let value = match scope {
        Scope::Composite => checksum::composite(algorithm, parts.iter().map(|p| &*p.meta().checksum)),
        Scope::FullObject => {
            let parts = parts.iter().map(|p| (&*p.meta().checksum, p.meta().size));
            checksum::combine(algorithm, parts)
                .ok_or_else(|| craton_base::Error::corrupt("an upload's checksums do not combine"))?
        }
    };
    match &request.checksum {
        Some((stated, claim)) if *stated == algorithm && *claim != value => Err(mismatch(algorithm)),
        Some((stated, _)) if *stated != algorithm => Err(Error::fault(
            Fault::InvalidRequest,
            format!(
                "The upload was created with the {} checksum algorithm.",
                algorithm.name()
            ),
        )),
        _ => Ok(ChecksumRecord::new(algorithm, scope, value)),
    }
}

fn check_size(size: u64, stated: Option<u64>) -> Result<()> {
    if size > OBJECT_BYTES_MAX {
        let message =
            format!("Your proposed upload exceeds the maximum allowed size of {OBJECT_BYTES_MAX} bytes.");
        return Err(Error::fault(Fault::EntityTooLarge, message)
            .naming("ProposedSize", size.to_string())
            .naming("MaxSizeAllowed", OBJECT_BYTES_MAX.to_string()));
    }
    if stated.is_some_and(|stated| stated != size) {
        let message =
            format!("The provided x-amz-mp-object-size does not match the object's size of {size} bytes.");
        return Err(Error::fault(Fault::InvalidRequest, message));
    }
    Ok(())
}

pub(super) fn md5_of_md5s<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
    let mut md5 = Md5::default();
    parts.for_each(|p| md5.update(p));
    md5.finish()
}

/// The object that this upload was completed to before, if the same completion is sent again.
fn completed_before(
    permit: &WritePermit,
    key: &ObjectKey,
    id: UploadId,
    request: &Complete,
) -> Result<Option<Written>> {
    let Some(stored) = permit.entry(Kind::Object, key.as_str().as_bytes())? else {
        return Ok(None);
    };
    let meta = ObjectMeta::read(&stored.value.meta)?;
    let md5s: Vec<_> = request
        .parts
        .iter()
        .map(|p| hex::decode(&p.etag).unwrap_or_default())
        .collect();
    let same = meta.upload_id == id.0 && meta.md5 == md5_of_md5s(md5s.iter().map(|m| &**m));
    let versioned = permit.bucket()?.versioning != Versioning::Unversioned;
    Ok(same.then(|| Written {
        meta,
        version: versioned.then(|| VersionId::of(&stored)),
        sequence: stored.sequence,
    }))
}

/// Aborts an upload: it and its parts go.
///
/// # Errors
/// `NoSuchUpload`; the gate's own.
pub async fn abort(permit: &WritePermit, key: &ObjectKey, id: UploadId) -> Result<()> {
    for _ in 0..END_TRIES_MAX {
        let (upload, _) = open(permit, key, id)?;
        let parts = load(permit, key, id, None)?;
        match permit.commit(close(&upload, &parts)).await {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == ErrorKind::Precondition => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}

/// Aborts uploads of the bucket that `permit` is for, at most `limit`; the count.
///
/// # Errors
/// As [`abort`].
pub(crate) async fn abort_some(permit: &WritePermit, limit: usize) -> Result<usize> {
    let page = permit.scan(Kind::Upload, b"", None, Direction::Forward, limit)?;
    for upload in &page.entries {
        let (key, id) = split(&upload.key.name)?;
        match abort(permit, &ObjectKey::new(key)?, id).await {
            Err(Error::Fault(Fault::NoSuchUpload, ..)) | Ok(()) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(page.entries.len())
}

/// All parts of an upload, in order. Content that sits inline is kept only for the part that will be the
/// object's last, others being too small to complete: the memory is bounded by the number of parts, not
/// by their bytes.
fn load(permit: &WritePermit, key: &ObjectKey, id: UploadId, last: Option<u16>) -> Result<Vec<Loaded>> {
    let end = id.parts_end(key);
    let mut start = id.part_name(key, 0);
    let mut out: Vec<Loaded> = Vec::new();
    loop {
        let page = permit.scan(Kind::Part, &start, Some(&end), Direction::Forward, PARTS_PAGE)?;
        for stored in page.entries {
            out.push(loaded(stored, last)?);
        }
        match out.last() {
            Some(last) if page.more => start = id.part_name(key, last.number.saturating_add(1)),
            _ => return Ok(out),
        }
    }
}

fn loaded(mut stored: Stored, last: Option<u16>) -> Result<Loaded> {
    let meta = PartMeta::read(&stored.value.meta)?;
    let number = match stored.key.name.last_chunk::<2>() {
        Some(number) => u16::from_be_bytes(*number),
        None => return Err(craton_base::Error::corrupt("a part's name has no number").into()),
    };
    let mut content = std::mem::take(&mut stored.value.content);
    stored.value.meta = Bytes::new();
    stored.value.content = content.iter().filter(|e| e.inline.is_none()).cloned().collect();
    if last != Some(number) {
        content.clone_from(&stored.value.content);
    }
    Ok(Loaded {
        number,
        meta,
        content,
        entry: stored,
    })
}
