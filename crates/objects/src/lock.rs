//! Object lock: what keeps a version from being deleted.
//!
//! A *retention* lasts until a time. In governance mode who may bypass it can end or shorten it and delete the
//! version; in compliance mode nobody can, root included. A *legal hold* lasts until it is taken away. Both are of one
//! version, and in a bucket that has object lock.
//!
//! Invariants
//! - a lock is checked against the row that the commit expects, so a lock that arrives in between wins;
//! - a compliance retention is never shortened, lifted, or turned into another one.
//!
//! Deliberately absent: who may bypass (the door asks the gate for it).

use craton_base::{ObjectKey, Timestamp};
use craton_gate::{
    BucketInfo, BucketLock, BucketSettings, DefaultRetention, Permit, RetentionPeriod, Versioning,
    WritePermit,
};
use prost::Message;

use crate::{
    Error, Fault, Result,
    version::{Located, Target, amend, locate},
};

/// The longest default retention: 100 years.
pub const DEFAULT_DAYS_MAX: u32 = 36_500;

const DAY_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

/// How strong a retention is. The number is on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Who may bypass it can end it.
    Governance = 1,
    /// Nobody can end it.
    Compliance = 2,
}

impl Mode {
    /// S3's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    /// From S3's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance]
            .into_iter()
            .find(|mode| mode.name() == name)
    }

    /// From its number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        [Self::Governance, Self::Compliance]
            .into_iter()
            .find(|mode| *mode as u32 == number)
    }
}

/// A retention.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retention {
    /// How strong it is.
    pub mode: Mode,
    /// When it ends.
    pub until: Timestamp,
}

/// What is stored of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct LockRecord {
    /// [`Mode`]'s number; 0 without a retention.
    #[prost(uint32, tag = "1")]
    pub mode: u32,
    /// When the retention ends, in microseconds since the epoch.
    #[prost(uint64, tag = "2")]
    pub until_micros: u64,
    /// The legal hold, if one was ever stated.
    #[prost(bool, optional, tag = "3")]
    pub legal_hold: Option<bool>,
}

impl LockRecord {
    /// The retention.
    #[must_use]
    pub fn retention(&self) -> Option<Retention> {
        Some(Retention {
            mode: Mode::from_number(self.mode)?,
            until: Timestamp(self.until_micros),
        })
    }

    /// The same with another retention.
    #[must_use]
    pub fn with_retention(self, retention: Option<Retention>) -> Self {
        Self {
            mode: retention.map_or(0, |r| r.mode as u32),
            until_micros: retention.map_or(0, |r| r.until.micros()),
            ..self
        }
    }

    /// Whether the version may go.
    ///
    /// # Errors
    /// `AccessDenied` while it is held or retained; `bypass` ends a retention in governance mode.
    pub fn check_removal(&self, now: Timestamp, bypass: bool) -> Result<()> {
        let retained = self.retention().filter(|r| r.until > now);
        let stays = match retained.map(|r| r.mode) {
            Some(Mode::Compliance) => true,
            Some(Mode::Governance) => !bypass,
            None => false,
        };
        if stays || self.legal_hold == Some(true) {
            return Err(protected());
        }
        Ok(())
    }

    /// Whether the retention may become `next`.
    ///
    /// # Errors
    /// `AccessDenied` for one that protects less than what stands.
    pub fn check_change(&self, next: Option<Retention>, now: Timestamp, bypass: bool) -> Result<()> {
        let Some(stands) = self.retention().filter(|r| r.until > now) else {
            return Ok(());
        };
        let longer = next.is_some_and(|next| next.mode == stands.mode && next.until >= stands.until);
        match stands.mode {
            _ if longer => Ok(()),
            Mode::Governance if bypass => Ok(()),
            _ => Err(protected()),
        }
    }
}

fn protected() -> Error {
    Error::fault(
        Fault::AccessDenied,
        "Access Denied because object protected by object lock.",
    )
}

/// What a request that makes a version states of its lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockRequest {
    /// The retention.
    pub retention: Option<Retention>,
    /// The legal hold.
    pub legal_hold: Option<bool>,
}

impl LockRequest {
    /// Whether it states anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.retention.is_none() && self.legal_hold.is_none()
    }

    /// What it states, to be kept until the version is written.
    #[must_use]
    pub fn stated(&self) -> Option<LockRecord> {
        let lock = LockRecord {
            legal_hold: self.legal_hold,
            ..LockRecord::default()
        };
        (!self.is_empty()).then(|| lock.with_retention(self.retention))
    }

    /// What was kept by [`LockRequest::stated`].
    #[must_use]
    pub fn kept(stated: Option<&LockRecord>) -> Self {
        stated.map_or_else(Self::default, |lock| Self {
            retention: lock.retention(),
            legal_hold: lock.legal_hold,
        })
    }

    /// Checks the request against the bucket.
    ///
    /// # Errors
    /// `InvalidRequest` in a bucket without object lock; `InvalidArgument` for a time that has passed.
    pub fn check(&self, bucket: &BucketInfo, now: Timestamp) -> Result<()> {
        if !self.is_empty() {
            enabled(bucket)?;
        }
        self.retention
            .map_or(Ok(()), |retention| in_future(retention.until, now))
    }

    /// The lock of a version that is written to the bucket at `written`: what the request states, else the bucket's
    /// default.
    #[must_use]
    pub fn of(&self, bucket: &BucketInfo, written: Timestamp) -> Option<LockRecord> {
        let default = || default_of(bucket.lock?.default?, written);
        let retention = self.retention.or_else(default);
        Self { retention, ..*self }.stated()
    }
}

fn default_of(default: DefaultRetention, written: Timestamp) -> Option<Retention> {
    let days = match default.period {
        RetentionPeriod::Days(days) => u64::from(days),
        RetentionPeriod::Years(years) => u64::from(years).saturating_mul(365),
    };
    let length = days.saturating_mul(DAY_MICROS);
    Some(Retention {
        mode: Mode::from_number(default.mode)?,
        until: Timestamp(written.micros().saturating_add(length)),
    })
}

/// Whether the bucket has object lock.
///
/// # Errors
/// `InvalidRequest`.
pub fn enabled(bucket: &BucketInfo) -> Result<BucketLock> {
    bucket.lock.ok_or_else(|| {
        Error::fault(
            Fault::InvalidRequest,
            "Bucket is missing Object Lock Configuration",
        )
    })
}

/// Whether a retention's end is to come.
///
/// # Errors
/// `InvalidArgument`.
pub fn in_future(until: Timestamp, now: Timestamp) -> Result<()> {
    if until > now {
        return Ok(());
    }
    Err(Error::fault(
        Fault::InvalidArgument,
        "The retain until date must be in the future!",
    ))
}

/// Gives the bucket that `permit` is for object lock, or another default retention.
///
/// # Errors
/// `InvalidBucketState` unless it keeps versions; the gate's own.
pub async fn configure(permit: &WritePermit, default: Option<DefaultRetention>) -> Result<BucketInfo> {
    permit
        .change_bucket(|settings| match settings.versioning {
            Versioning::Enabled => Ok(BucketSettings {
                lock: Some(BucketLock { default }),
                ..settings
            }),
            _ => Err(Error::fault(
                Fault::InvalidBucketState,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            )),
        })
        .await
}

/// Sets or ends the retention of a version.
///
/// # Errors
/// `InvalidRequest` in a bucket without object lock; `InvalidArgument` for a time that has passed; `AccessDenied` for
/// what protects less than what stands; as [`amend`].
pub async fn set_retention(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    retention: Option<Retention>,
    bypass: bool,
) -> Result<Located> {
    enabled(permit.bucket()?)?;
    let now = permit.now();
    retention.map_or(Ok(()), |retention| in_future(retention.until, now))?;
    amend(permit, key, target, |meta| {
        let lock = meta.lock.unwrap_or_default();
        lock.check_change(retention, now, bypass)?;
        meta.lock = Some(lock.with_retention(retention));
        Ok(())
    })
    .await
}

/// Sets or takes away the legal hold of a version.
///
/// # Errors
/// `InvalidRequest` in a bucket without object lock; as [`amend`].
pub async fn set_legal_hold(
    permit: &WritePermit,
    key: &ObjectKey,
    target: Target,
    held: bool,
) -> Result<Located> {
    enabled(permit.bucket()?)?;
    amend(permit, key, target, |meta| {
        let lock = meta.lock.unwrap_or_default();
        meta.lock = Some(LockRecord {
            legal_hold: Some(held),
            ..lock
        });
        Ok(())
    })
    .await
}

/// What locks a version.
///
/// # Errors
/// `InvalidRequest` in a bucket without object lock; as [`locate`].
pub fn lock_of(permit: &Permit, key: &ObjectKey, target: Target) -> Result<(LockRecord, Located)> {
    enabled(permit.bucket()?)?;
    let located = locate(permit, key, target)?;
    Ok((located.meta.lock.unwrap_or_default(), located))
}

/// The error where a version has no such lock.
#[must_use]
pub fn not_locked() -> Error {
    Error::fault(
        Fault::NoSuchObjectLockConfiguration,
        "The specified object does not have a ObjectLock configuration",
    )
}

#[cfg(test)]
mod tests;
