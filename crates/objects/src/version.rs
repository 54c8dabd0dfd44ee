//! Versions of an object: their names, finding one, and changing what is said of one.
//!
//! Every row of an object's name is a version. In a bucket that keeps versions each has a name of its own, made from
//! the number of its commit. Rows that were written while the bucket did not are the *null* version: only the newest
//! of them is to be seen, those before it were superseded by it.
//!
//! ```text
//! rows of "a", newest first      9 kept   7 null   5 kept   3 null   2 null
//! versions that S3 shows         9        null     5
//! ```
//!
//! A deletion is a row like the others: a *delete marker* has a name and an owner and is listed; the plain deletion of
//! an unversioned bucket only hides the null rows before it.
//!
//! Invariant: a row that was superseded is reached by no name.

use craton_base::{ObjectKey, ResourcePath, Sequence, Timestamp};
use craton_gate::{
    Changes, Kind, Permit, Standing, Stored, StoredVersion, Value, Versioning, WritePermit, tables,
};

use crate::{
    Error, Fault, Result,
    checksum::{self, Algorithm},
    meta::{MarkerMeta, ObjectMeta},
    notice::{self, Happened},
    put::conflict,
    replica,
};

/// How often an amendment that lost a race is tried again.
const AMEND_TRIES_MAX: usize = 32;

/// How many rows are read at once where the null version is looked for.
const ROWS_AT_ONCE: usize = 64;

/// The name of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VersionId {
    /// The one that was written while its bucket did not keep versions.
    Null,
    /// The one that this commit made.
    Number(Sequence),
}

impl VersionId {
    /// Reads the text form.
    ///
    /// # Errors
    /// `InvalidArgument` for what [`VersionId::to_text`] did not make.
    pub fn parse(text: &str) -> Result<Self> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let mut raw = [0; 12];
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        if lower
            && hex::decode_to_slice(text, &mut raw).is_ok()
            && let Some((check, number)) = raw.split_first_chunk::<4>()
            && let Ok(number) = <[u8; 8]>::try_from(number)
            && *check == check_of(number)
        {
            return Ok(Self::Number(Sequence(u64::from_be_bytes(number))));
        }
        let message = match text {
            "" => "Version id cannot be the empty string",
            _ => "Invalid version id specified",
        };
        Err(Error::argument("versionId", text, message))
    }

    /// The text form, opaque to clients: `null`, or a check and the number as 24 hexadecimal digits.
    #[must_use]
    pub fn to_text(self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Number(sequence) => {
                let number = sequence.0.to_be_bytes();
                hex::encode([&check_of(number)[..], &number].concat())
            }
        }
    }

    /// The name of a row.
    #[must_use]
    pub fn of(stored: &Stored) -> Self {
        Self::of_row(stored.value.kept, stored.sequence)
    }

    pub(crate) const fn of_row(kept: bool, sequence: Sequence) -> Self {
        if kept { Self::Number(sequence) } else { Self::Null }
    }

    /// The name of the version that a commit to a bucket made; `None` where versions have no names.
    #[must_use]
    pub fn made(versioning: Versioning, sequence: Sequence) -> Option<Self> {
        match versioning {
            Versioning::Unversioned => None,
            Versioning::Enabled => Some(Self::Number(sequence)),
            Versioning::Suspended => Some(Self::Null),
        }
    }
}

fn check_of(number: [u8; 8]) -> [u8; 4] {
    let text = [&b"version "[..], &number].concat();
    let check = checksum::of(Algorithm::Crc32c, &text);
    <[u8; 4]>::try_from(check).unwrap_or_default()
}

/// Which version of an object is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Target {
    /// The one that a request without a version gets.
    #[default]
    Current,
    /// The one of this name.
    Version(VersionId),
}

impl Target {
    /// From a request's version id.
    ///
    /// # Errors
    /// `InvalidArgument` if it is none.
    pub fn parse(version_id: Option<&str>) -> Result<Self> {
        version_id.map_or(Ok(Self::Current), |id| VersionId::parse(id).map(Self::Version))
    }
}

/// A version of an object that was found.
#[derive(Clone, Debug)]
pub struct Located {
    /// The row.
    pub stored: Stored,
    /// What is stored about it.
    pub meta: ObjectMeta,
    /// Its name; `None` in a bucket whose versions have none.
    pub version: Option<VersionId>,
}

/// Finds a version of an object.
///
/// # Errors
/// `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker by its name; `AccessDenied` for a caller who
/// may not know which; the gate's own.
pub fn locate(permit: &Permit, key: &ObjectKey, target: Target) -> Result<Located> {
    let versioned = permit.bucket()?.versioning != Versioning::Unversioned;
    let name = key.as_str().as_bytes();
    let found = match target {
        Target::Current => permit.entry(Kind::Object, name)?,
        Target::Version(id) => match row(permit, name, id)? {
            Some(StoredVersion {
                stored,
                standing: Standing::Marked,
            }) => {
                return Err(marker(&stored, true)?);
            }
            other => other.and_then(StoredVersion::existing),
        },
    };
    let Some(stored) = found else {
        return Err(missing(permit, name, target)?);
    };
    let meta = ObjectMeta::of(&stored.value)?;
    let named = versioned || target != Target::Current;
    let version = named.then(|| VersionId::of(&stored));
    Ok(Located {
        stored,
        meta,
        version,
    })
}

/// The row of this name, which may be a deletion.
pub(crate) fn row(permit: &Permit, name: &[u8], id: VersionId) -> Result<Option<StoredVersion>> {
    match id {
        VersionId::Number(sequence) => {
            let found = permit.version(Kind::Object, name, sequence)?;
            Ok(found.filter(|version| version.stored.value.kept))
        }
        VersionId::Null => Ok(nulls(permit, name, None)?.into_iter().next()),
    }
}

/// Rows that are not kept, newest first: at least one, if there is one after the version `after` of the name.
pub(crate) fn nulls(permit: &Permit, name: &[u8], mut after: Option<Sequence>) -> Result<Vec<StoredVersion>> {
    let end = [name, &[0]].concat();
    let mut at_once = 1;
    loop {
        let from = after.map(|sequence| (name, sequence));
        let mut rows = permit.history(Kind::Object, (name, Some(&end)), from, at_once)?;
        let Some(last) = rows.last() else {
            return Ok(rows);
        };
        after = Some(last.stored.sequence);
        rows.retain(|version| !version.stored.value.kept);
        if !rows.is_empty() {
            return Ok(rows);
        }
        at_once = ROWS_AT_ONCE;
    }
}

/// Who may list the bucket may know that something does not exist; for others it is as if denied.
fn missing(permit: &Permit, name: &[u8], target: Target) -> Result<Error> {
    let bucket = permit.bucket()?;
    let name_of = || bucket.name.clone();
    // A table's files are listed as those of its folder.
    let listed = match tables::id_of(permit.resource()) {
        Some(id) => tables::table(name_of(), id),
        None => ResourcePath::Bucket(name_of()),
    };
    if !permit.also("s3:ListBucket", &listed) {
        return Ok(Error::fault(Fault::AccessDenied, "Access Denied"));
    }
    if target != Target::Current {
        return Ok(Error::fault(
            Fault::NoSuchVersion,
            "The specified version does not exist.",
        ));
    }
    if bucket.versioning != Versioning::Unversioned
        && let Some(newest) = permit.newest(Kind::Object, name)?
        && newest.standing == Standing::Marked
    {
        return marker(&newest.stored, false);
    }
    Ok(Error::no_such_key())
}

/// The error of a read that came upon a delete marker.
fn marker(stored: &Stored, named: bool) -> Result<Error> {
    Ok(Error::DeleteMarker {
        version: VersionId::of(stored),
        named,
        modified: Timestamp(MarkerMeta::read(&stored.value.meta)?.modified_micros),
    })
}

/// Changes what is said of a version, which stays the same version: `change` is given what stands, and is tried again
/// on what stands by then if somebody else was faster.
///
/// # Errors
/// What `change` says; as [`locate`]; `ConditionalRequestConflict` if others are always faster.
pub async fn amend(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    change: impl Fn(&mut ObjectMeta) -> Result<()>,
) -> Result<Located> {
    for _ in 0..AMEND_TRIES_MAX {
        let mut located = locate(permit, key, target)?;
        change(&mut located.meta)?;
        let copies = replica::plan_change(permit, key.as_str(), located.stored.sequence, &mut located.meta);
        let Value { content, kept, .. } = located.stored.value.clone();
        let value = located.meta.to_value(content, kept);
        let changes = Changes::new().amend(located.stored.clone(), value.clone());
        let changes = copies.into_iter().fold(changes, Changes::copy);
        let changes = match notice::amended(permit) {
            Some(event) => {
                let happened = Happened {
                    event,
                    name: key.as_str().as_bytes(),
                    meta: Some(&located.meta),
                    version: Some(located.stored.sequence),
                    versioned: located.stored.value.kept,
                };
                notice::note(permit, changes, &happened)
            }
            None => changes,
        };
        match permit.commit(changes).await {
            Ok(committed) => {
                located.stored.revision = committed.sequence;
                located.stored.value = value;
                return Ok(located);
            }
            Err(e) if e.kind() == craton_base::Kind::Precondition => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(conflict())
}

#[cfg(test)]
mod tests;
