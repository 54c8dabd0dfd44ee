//! Buckets as the gate knows them: a name, an identity, and the settings that decide how access is
//! recorded.
//!
//! Deliberately absent: S3's bucket sub-resources, which are the objects engine's.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, BucketName, Error, Result, Sequence, Timestamp};
use craton_store::{
    namespace::{Key, Kind},
    value::{Stored, Value},
};
use prost::Message;

/// A bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// Its identity; another bucket of the same name has another.
    pub id: BucketId,
    /// When it was made.
    pub created: Timestamp,
    /// The principal that made it.
    pub owner: String,
    /// The region it was made in.
    pub region: String,
    /// Whether a read's record is flushed before the first byte leaves.
    pub strict: bool,
    /// What becomes of an object's version when there is a newer one.
    pub versioning: Versioning,
    /// Whether versions can be locked, and how those are that say nothing of it.
    pub lock: Option<BucketLock>,
    /// The commit that last changed it.
    pub sequence: Sequence,
}

/// What of a bucket can be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BucketSettings {
    /// See [`BucketInfo::strict`].
    pub strict: bool,
    /// See [`BucketInfo::versioning`].
    pub versioning: Versioning,
    /// See [`BucketInfo::lock`].
    pub lock: Option<BucketLock>,
}

/// Whether a bucket keeps the versions of its objects. The number is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Versioning {
    /// It never did: every object has one version, which is replaced.
    #[default]
    Unversioned = 0,
    /// Each write makes a version that stays until it is deleted by name.
    Enabled = 1,
    /// It did: those versions stay, and new writes replace the one version that has no name.
    Suspended = 2,
}

/// Object lock of a bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BucketLock {
    /// The retention of new versions that state none.
    pub default: Option<DefaultRetention>,
}

/// The retention that new versions get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DefaultRetention {
    /// Its mode, as the objects engine numbers it.
    pub mode: u32,
    /// Its length.
    pub period: RetentionPeriod,
}

/// How long a retention is. A year has 365 days, as in S3.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetentionPeriod {
    /// Days.
    Days(u32),
    /// Years.
    Years(u32),
}

#[derive(Clone, PartialEq, Message)]
struct BucketRecord {
    #[prost(fixed64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    created_micros: u64,
    #[prost(string, tag = "3")]
    owner: String,
    #[prost(string, tag = "4")]
    region: String,
    #[prost(bool, tag = "5")]
    strict: bool,
    #[prost(uint32, tag = "6")]
    versioning: u32,
    #[prost(message, optional, tag = "7")]
    lock: Option<LockRecord>,
}

/// Object lock. Without a mode there is no default retention; of days and years one is not zero.
#[derive(Clone, Copy, PartialEq, Message)]
struct LockRecord {
    #[prost(uint32, tag = "1")]
    mode: u32,
    #[prost(uint32, tag = "2")]
    days: u32,
    #[prost(uint32, tag = "3")]
    years: u32,
}

impl LockRecord {
    fn of(lock: BucketLock) -> Self {
        let Some(DefaultRetention { mode, period }) = lock.default else {
            return Self::default();
        };
        let (days, years) = match period {
            RetentionPeriod::Days(days) => (days, 0),
            RetentionPeriod::Years(years) => (0, years),
        };
        Self { mode, days, years }
    }

    fn read(self) -> BucketLock {
        let period = match self.years {
            0 => RetentionPeriod::Days(self.days),
            years => RetentionPeriod::Years(years),
        };
        let mode = self.mode;
        BucketLock {
            default: (mode != 0).then_some(DefaultRetention { mode, period }),
        }
    }
}

impl Versioning {
    fn from_number(number: u32) -> Option<Self> {
        [Self::Unversioned, Self::Enabled, Self::Suspended]
            .into_iter()
            .find(|v| *v as u32 == number)
    }
}

impl BucketInfo {
    pub(crate) fn key(name: &BucketName) -> Key {
        Key {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: Kind::Bucket,
            name: Bytes::copy_from_slice(name.as_str().as_bytes()),
        }
    }

    /// What of it can be changed, as it is.
    #[must_use]
    pub const fn settings(&self) -> BucketSettings {
        BucketSettings {
            strict: self.strict,
            versioning: self.versioning,
            lock: self.lock,
        }
    }

    /// The same bucket with other settings.
    pub(crate) fn with(&self, settings: BucketSettings) -> Self {
        let BucketSettings {
            strict,
            versioning,
            lock,
        } = settings;
        Self {
            strict,
            versioning,
            lock,
            ..self.clone()
        }
    }

    pub(crate) fn to_value(&self) -> Value {
        let record = BucketRecord {
            id: self.id.0,
            created_micros: self.created.micros(),
            owner: self.owner.clone(),
            region: self.region.clone(),
            strict: self.strict,
            versioning: self.versioning as u32,
            lock: self.lock.map(LockRecord::of),
        };
        Value::of_meta(record.encode_to_vec())
    }

    pub(crate) fn from_stored(stored: &Stored) -> Result<Self> {
        let name = std::str::from_utf8(&stored.key.name).map_err(|e| unreadable().with_source(e))?;
        Self::read(&BucketName::new(name)?, &stored.value.meta, stored.sequence)
    }

    /// What a value says of the bucket of this name.
    pub(crate) fn read(name: &BucketName, meta: &Bytes, sequence: Sequence) -> Result<Self> {
        let record = BucketRecord::decode(meta.clone()).map_err(|e| unreadable().with_source(e))?;
        Ok(Self {
            name: name.clone(),
            id: BucketId(record.id),
            created: Timestamp(record.created_micros),
            owner: record.owner,
            region: record.region,
            strict: record.strict,
            versioning: Versioning::from_number(record.versioning).ok_or_else(unreadable)?,
            lock: record.lock.map(LockRecord::read),
            sequence,
        })
    }
}

fn unreadable() -> Error {
    Error::corrupt("a bucket's entry does not parse")
}
