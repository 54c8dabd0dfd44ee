//! A version of an object by the number of its commit, also one that no name of S3 reaches any more, and the SHA-256 of its content.
//!
//! Invariant: a digest is the checksum that the object was stored with, where that is the SHA-256 of all of it, or of bytes that were read by the
//! permit now; it is never another's word.
//!
//! Deliberately absent: who may ask, where digests are kept.

use craton_base::{ObjectKey, Sequence};
use craton_gate::{Content, Digest, Kind, ReadPermit, Standing, Stored};
use futures::StreamExt as _;

use crate::{
    Result,
    checksum::{Algorithm, Hasher, Scope},
    encryption, get,
    meta::ObjectMeta,
    tiering,
    version::{VersionId, nulls},
};

/// How a version stands among the others of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It is what a request without a version gets.
    Current,
    /// A request that names it gets it.
    Older,
    /// It was written over, or deleted, in a bucket that kept no versions: it is there until it is collected.
    Replaced,
}

/// A version that a commit made.
#[derive(Clone, Debug)]
pub struct Past {
    stored: Stored,
    /// What is stored about it.
    pub meta: ObjectMeta,
    /// How it stands.
    pub place: Place,
}

impl Past {
    /// Its name, if it has one of its own.
    #[must_use]
    pub fn version_id(&self) -> Option<VersionId> {
        self.stored.value.kept.then(|| VersionId::of(&self.stored))
    }
}

/// The version of an object that a commit made; `None` if it is not there, or if it was a deletion.
///
/// # Errors
/// `Corrupt`; the gate's own.
pub fn at(permit: &ReadPermit, key: &ObjectKey, sequence: Sequence) -> Result<Option<Past>> {
    let name = key.as_str().as_bytes();
    let current = permit.entry(Kind::Object, name)?;
    let Some(found) = permit.version(Kind::Object, name, sequence)? else {
        return Ok(None);
    };
    if found.standing != Standing::Exists {
        return Ok(None);
    }
    let stored = found.stored;
    let place = if current.is_some_and(|current| current.sequence == sequence) {
        Place::Current
    } else if stored.value.kept || is_seen(permit, name, sequence)? {
        Place::Older
    } else {
        Place::Replaced
    };
    Ok(Some(Past {
        meta: ObjectMeta::of(&stored.value)?,
        place,
        stored,
    }))
}

/// Whether a version is the one that `null` names.
fn is_seen(permit: &ReadPermit, name: &[u8], sequence: Sequence) -> Result<bool> {
    let newest = nulls(permit, name, None)?.into_iter().next();
    Ok(newest.is_some_and(|null| null.stored.sequence == sequence && null.standing == Standing::Exists))
}

/// The SHA-256 that a version was stored with, if it is that of all of its content.
///
/// # Errors
/// `InvalidRequest` for what a client's own key seals: nothing of its content is told without that.
pub fn stored(past: &Past) -> Result<Option<Digest>> {
    encryption::check(past.meta.encryption.as_ref(), None)?;
    let known = past.meta.checksum();
    let known = known.filter(|c| c.algorithm == Algorithm::Sha256 && c.scope == Scope::FullObject);
    let sha256 = known.and_then(|known| known.value.try_into().ok());
    Ok(sha256.map(|sha256| Digest {
        sha256,
        size: past.meta.size,
    }))
}

/// Reads a version's content, and computes its SHA-256.
///
/// # Errors
/// `InvalidObjectState` for what is in an archive; `InvalidRequest` for what only a client's own key opens; `Corrupt`; the gate's own.
pub async fn computed(permit: &ReadPermit, past: &Past) -> Result<Digest> {
    tiering::check_readable(permit, &past.meta)?;
    encryption::open(permit, past.meta.encryption.as_ref(), None).await?;
    let mut hash = Hasher::new(Algorithm::Sha256);
    match get::content(permit, &past.stored, 0..past.meta.size)? {
        Content::Whole(bytes) => hash.update(&bytes),
        Content::Stream(mut pieces) => {
            while let Some(piece) = pieces.next().await {
                hash.update(&piece?);
            }
        }
    }
    let sha256 = hash.finish().try_into();
    Ok(Digest {
        sha256: sha256.map_err(|_| craton_base::Error::internal("a SHA-256 has the wrong length"))?,
        size: past.meta.size,
    })
}
