//! Copying an object: a read by one permit, a write by another. The bytes are sealed anew, since
//! content is bound to the name it was sealed for.

use craton_base::ObjectKey;
use craton_gate::{Acl, Changes, Content, ReadPermit, Stored, WritePermit, tags::Tags};
use futures::StreamExt as _;

use crate::{
    Error, Fault, Result,
    body::{self, Body, Claims, PUT_BYTES_MAX},
    checksum::Algorithm,
    condition::{ReadConditions, WriteConditions},
    encryption::{self, CustomerKey, Wanted},
    get::{Found, ReadRequest, content, find},
    lock::LockRequest,
    meta::{Attributes, ObjectMeta},
    put::{About, Draft, Written, commit_object},
    tiering,
    version::{Target, VersionId},
};

/// A copy.
#[derive(Clone, Debug, Default)]
pub struct Copy {
    /// Which version of the source.
    pub source: Target,
    /// The conditions on the source.
    pub source_conditions: ReadConditions,
    /// The conditions on the destination.
    pub conditions: WriteConditions,
    /// What is kept with the copy (`REPLACE`); `None`: what the source has (`COPY`).
    pub attributes: Option<Attributes>,
    /// Where the copy redirects to; a source's redirection is not copied.
    pub redirect: Option<String>,
    /// The copy's tags (`REPLACE`); `None`: the source's (`COPY`).
    pub tags: Option<Tags>,
    /// The client's own key for the source.
    pub source_key: Option<CustomerKey>,
    /// How the copy is to be encrypted besides its sealing.
    pub encryption: Wanted,
    /// The copy's access control list; a source's is not copied.
    pub acl: Option<Acl>,
    /// Whether the request itself asks for that encryption: then a copy onto itself changes something.
    pub states_encryption: bool,
    /// The copy's storage class; empty: `STANDARD`.
    pub storage_class: String,
    /// The copy's checksum algorithm; `None`: the source's.
    pub algorithm: Option<Algorithm>,
    /// The lock that the request states for the copy.
    pub lock: LockRequest,
}

/// A copy that was made.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The copy.
    pub written: Written,
    /// Which version the source was; `None` in a bucket whose versions have no names.
    pub source: Option<VersionId>,
}

/// Copies an object.
///
/// # Errors
/// `NoSuchKey`, `PreconditionFailed`; `InvalidRequest` for a copy of an object to itself that changes
/// nothing, and for more than 5 GiB; the gate's own.
pub async fn copy(
    source: &ReadPermit,
    source_key: &ObjectKey,
    permit: &WritePermit,
    key: &ObjectKey,
    copy: Copy,
) -> Result<Copied> {
    copy.lock.check(permit.bucket()?, permit.now())?;
    let (stored, found) = find_source(source, source_key, copy.source)?;
    copy.source_conditions.check_source(&found.meta)?;
    if found.meta.size > PUT_BYTES_MAX {
        return Err(source_too_large());
    }
    // A version that is named is brought back: that is a change.
    let same_place =
        copy.source == Target::Current && source.bucket()?.id == permit.bucket()?.id && source_key == key;
    let attributes = attributes(&copy, &found.meta, same_place)?;
    attributes.check()?;
    encryption::open(source, found.meta.encryption.as_ref(), copy.source_key.as_ref()).await?;
    let tags = match copy.tags {
        Some(tags) => tags,
        None => tags_of_source(source, copy.source, permit, &found.meta)?,
    };
    let about = About {
        attributes,
        tags,
        encryption: encryption::seal(permit, key, &copy.encryption).await?,
        lock: copy.lock,
        acl: copy.acl,
        replica: None,
    };
    let name = key.as_str().as_bytes();
    let algorithm = copy
        .algorithm
        .or_else(|| found.meta.checksum().map(|c| c.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    let body = body_of(content(source, &stored, found.range.clone())?, found.meta.size);
    let received = body::receive(permit, name, body, algorithm, &Claims::default(), PUT_BYTES_MAX).await?;
    let draft = Draft::new(permit, about, algorithm, received);
    let written = commit_object(permit, name, &copy.conditions, &draft, Changes::new).await?;
    Ok(Copied {
        written,
        source: found.version,
    })
}

/// The tags that a copy takes over: for who may read them there and put them here.
fn tags_of_source(
    source: &ReadPermit,
    target: Target,
    permit: &WritePermit,
    meta: &ObjectMeta,
) -> Result<Tags> {
    let Some(tags) = &meta.tags else {
        return Ok(Tags::default());
    };
    let reads = match target {
        Target::Current => "s3:GetObjectTagging",
        Target::Version(_) => "s3:GetObjectVersionTagging",
    };
    if source.also(reads, source.resource()) && permit.also("s3:PutObjectTagging", permit.resource()) {
        return Ok(tags.clone());
    }
    Err(Error::fault(Fault::AccessDenied, "Access Denied"))
}

/// The source of a copy. Its conditions are another's, and it can not be a delete marker.
pub(crate) fn find_source(permit: &ReadPermit, key: &ObjectKey, target: Target) -> Result<(Stored, Found)> {
    let request = ReadRequest {
        target,
        ..ReadRequest::default()
    };
    let found = find(permit, key, &request).map_err(|e| match e {
        Error::DeleteMarker { named: true, .. } => Error::fault(
            Fault::InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id.",
        ),
        Error::DeleteMarker { .. } => Error::no_such_key(),
        other => other,
    })?;
    tiering::check_readable(permit, &found.1.meta)?;
    Ok(found)
}

fn attributes(copy: &Copy, source: &ObjectMeta, same_place: bool) -> Result<Attributes> {
    let storage_class = copy.storage_class.clone();
    let Some(replacement) = &copy.attributes else {
        let mut attributes = source.attributes.clone();
        let changes_class = {
            let class = Attributes {
                storage_class: storage_class.clone(),
                ..Attributes::default()
            };
            class.storage_class() != source.attributes.storage_class()
        };
        let changes =
            copy.states_encryption || copy.redirect.is_some() || (!storage_class.is_empty() && changes_class);
        if same_place && !changes {
            return Err(Error::fault(
                Fault::InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        attributes.storage_class = storage_class;
        attributes.headers.website_redirect = copy.redirect.clone();
        return Ok(attributes);
    };
    Ok(Attributes {
        storage_class,
        ..replacement.clone()
    })
}

pub(crate) fn source_too_large() -> Error {
    Error::fault(
        Fault::InvalidRequest,
        format!(
            "The specified copy source is larger than the maximum allowable size for a copy source: {PUT_BYTES_MAX}"
        ),
    )
}

/// Content that was read, as a body to be written.
pub(crate) fn body_of(content: Content, len: u64) -> Body {
    match content {
        Content::Whole(bytes) => Body::of(bytes),
        Content::Stream(stream) => Body {
            pieces: stream.boxed(),
            len: Some(len),
            trailers: None,
        },
    }
}
