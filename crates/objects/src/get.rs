//! Reading an object, or what is stored about it.

use std::ops::Range;

use craton_base::ObjectKey;
use craton_gate::{Content, Permit, ReadPermit, Stored};

use crate::{
    Result,
    condition::{IfRange, ReadConditions},
    encryption::{self, CustomerKey},
    meta::ObjectMeta,
    range::Selection,
    tiering,
    version::{Located, Target, VersionId, locate},
};

/// What a read asks for.
#[derive(Clone, Debug, Default)]
pub struct ReadRequest {
    /// Which version.
    pub target: Target,
    /// The conditions.
    pub conditions: ReadConditions,
    /// Which bytes.
    pub selection: Selection,
    /// Of which object a range is given; else all of it is.
    pub if_range: Option<IfRange>,
}

/// An object, or a part of it, that a read found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What is stored about it.
    pub meta: ObjectMeta,
    /// Which version it is; `None` in a bucket whose versions have no names.
    pub version: Option<VersionId>,
    /// Which bytes were asked for.
    pub range: Range<u64>,
    /// Whether less than the whole object was asked for by name: a range or a part.
    pub partial: bool,
}

/// Finds an object without its bytes. `customer` is the client's own key for it.
///
/// # Errors
/// As [`locate`]; the conditions' faults; `InvalidRange`; `InvalidRequest`, `AccessDenied` for a client's own key
/// that is missing, needless or another's; the gate's own.
pub fn head(
    permit: &Permit,
    key: &ObjectKey,
    request: &ReadRequest,
    customer: Option<&CustomerKey>,
) -> Result<Found> {
    let (_, found) = find(permit, key, request)?;
    encryption::check(found.meta.encryption.as_ref(), customer)?;
    Ok(found)
}

/// Reads an object, or the selected part of it.
///
/// # Errors
/// As [`head`]; the key service's own; `Corrupt` in the stream if stored bytes do not verify.
pub async fn get(
    permit: &ReadPermit,
    key: &ObjectKey,
    request: &ReadRequest,
    customer: Option<&CustomerKey>,
) -> Result<(Found, Content)> {
    let (stored, found) = find(permit, key, request)?;
    tiering::check_readable(permit, &found.meta)?;
    encryption::open(permit, found.meta.encryption.as_ref(), customer).await?;
    let content = content(permit, &stored, found.range.clone())?;
    Ok((found, content))
}

pub(crate) fn content(permit: &ReadPermit, stored: &Stored, range: Range<u64>) -> Result<Content> {
    if range.is_empty() {
        return Ok(Content::Whole(bytes::Bytes::new()));
    }
    Ok(permit.content(stored, range)?)
}

pub(crate) fn find(permit: &Permit, key: &ObjectKey, request: &ReadRequest) -> Result<(Stored, Found)> {
    let Located {
        stored,
        meta,
        version,
    } = locate(permit, key, request.target)?;
    request.conditions.check(&meta)?;
    let changed = request
        .if_range
        .as_ref()
        .is_some_and(|condition| !condition.holds(&meta));
    let selection = match request.selection {
        Selection::Range(_) if changed => Selection::Whole,
        selection => selection,
    };
    let range = selection.within(&meta)?;
    let found = Found {
        meta,
        version,
        range,
        partial: selection != Selection::Whole,
    };
    Ok((stored, found))
}
