//! Object lock: what requests state of it, and the operations on it.

use craton_base::{ResourcePath, Timestamp};
use craton_gate::{Ask, DefaultRetention, Permit, RetentionPeriod, Session, WritePermit};
use craton_objects::{
    Error, Fault,
    body::Claims,
    lock::{self as engine, DEFAULT_DAYS_MAX, LockRecord, LockRequest, Mode, Retention},
    meta::ObjectMeta,
};
use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        self, GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectLockConfigurationInput,
        GetObjectLockConfigurationOutput, GetObjectRetentionInput, GetObjectRetentionOutput,
        ObjectLockConfiguration, ObjectLockEnabled, ObjectLockLegalHold, ObjectLockLegalHoldStatus,
        ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode, ObjectLockRule,
        PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
        PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
    },
    s3_error,
};

use super::{
    bucket::about, read, replica::with_replica, settle, stated::text, target, with, with_version, write,
};
use crate::s3::{
    answer::{argument, fail},
    call::Call,
    convert,
};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// The headers of a write that state a lock.
const MODE: &str = "x-amz-object-lock-mode";
const UNTIL: &str = "x-amz-object-lock-retain-until-date";
const HOLD: &str = "x-amz-object-lock-legal-hold";

/// The lock that a write states in its headers.
pub(super) fn request(headers: &HeaderMap) -> S3Result<LockRequest> {
    let retention = match (text(headers, MODE)?, text(headers, UNTIL)?) {
        (None, None) => None,
        (Some(mode), Some(until)) => Some(Retention {
            mode: Mode::from_name(mode).ok_or_else(|| argument(MODE, mode, "Unknown wormMode directive."))?,
            until: date(until).ok_or_else(|| {
                let message = "The retain until date must be provided in ISO 8601 format";
                argument(UNTIL, until, message)
            })?,
        }),
        _ => {
            return Err(s3_error!(
                InvalidArgument,
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
            ));
        }
    };
    let hold = text(headers, HOLD)?;
    let unknown = || {
        let message = "Legal Hold must be either of 'ON' or 'OFF'";
        argument(HOLD, hold.unwrap_or_default(), message)
    };
    Ok(LockRequest {
        retention,
        legal_hold: hold.map(|hold| on_or_off(hold).ok_or_else(unknown)).transpose()?,
    })
}

fn on_or_off(status: &str) -> Option<bool> {
    match status {
        ObjectLockLegalHoldStatus::ON => Some(true),
        ObjectLockLegalHoldStatus::OFF => Some(false),
        _ => None,
    }
}

fn date(text: &str) -> Option<Timestamp> {
    let at = dto::Timestamp::parse(dto::TimestampFormat::DateTime, text).ok()?;
    Some(time(&at))
}

/// A time as S3 keeps it: to the millisecond.
fn time(at: &dto::Timestamp) -> Timestamp {
    let at: time::OffsetDateTime = at.clone().into();
    let millis = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    Timestamp(millis.saturating_mul(1000))
}

/// Adds what a write needs that states a lock in its headers; what they say is among its facts already.
pub(super) fn with_lock(ask: Ask, headers: &HeaderMap, session: &Session) -> Ask {
    let stated = |name| headers.contains_key(name);
    let ask = if stated(MODE) || stated(UNTIL) {
        let until = text(headers, UNTIL).ok().flatten().and_then(date);
        let ask = with(ask, REMAINING, until.map(|until| remaining_days(until, session)));
        ask.and_action("s3:PutObjectRetention")
    } else {
        ask
    };
    if stated(HOLD) {
        ask.and_action("s3:PutObjectLegalHold")
    } else {
        ask
    }
}

/// The condition key of the days that a retention would last.
const REMAINING: &str = "s3:object-lock-remaining-retention-days";

fn remaining_days(until: Timestamp, session: &Session) -> String {
    let left = until.since(session.origin().time).as_secs();
    left.div_ceil(DAY_SECONDS).to_string()
}

fn with_retention(ask: Ask, retention: Retention, session: &Session) -> Ask {
    ask.with("s3:object-lock-mode", retention.mode.name())
        .with("s3:object-lock-retain-until-date", iso(retention.until))
        .with(REMAINING, remaining_days(retention.until, session))
}

const fn hold_name(held: bool) -> &'static str {
    if held {
        ObjectLockLegalHoldStatus::ON
    } else {
        ObjectLockLegalHoldStatus::OFF
    }
}

fn iso(at: Timestamp) -> String {
    let format = &time::format_description::well_known::Rfc3339;
    at.to_utc().format(format).unwrap_or_default()
}

/// Asks for the bypass of governance mode where a request states it.
pub(super) fn with_bypass(ask: Ask, bypass: Option<bool>) -> Ask {
    match bypass {
        Some(true) => ask.and_action("s3:BypassGovernanceRetention"),
        _ => ask,
    }
}

/// What is to be locked must not have changed on its way.
pub(super) fn check_claims(permit: &WritePermit, lock: &LockRequest, claims: &Claims) -> S3Result<()> {
    let default = permit.bucket().ok().and_then(|bucket| bucket.lock?.default);
    let locks = lock.retention.is_some() || lock.legal_hold == Some(true) || default.is_some();
    if locks && claims.md5.is_none() && claims.checksum.is_none() {
        return Err(s3_error!(
            InvalidRequest,
            "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
        ));
    }
    Ok(())
}

/// What a read tells of a lock.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) mode: Option<ObjectLockMode>,
    pub(super) until: Option<dto::Timestamp>,
    pub(super) hold: Option<ObjectLockLegalHoldStatus>,
}

impl Shown {
    /// Only to who may ask for it, as in S3.
    pub(super) fn of(permit: &Permit, meta: &ObjectMeta) -> Self {
        let Some(lock) = &meta.lock else {
            return Self::default();
        };
        let may = |actions: &[&'static str]| permit.also_all(actions, permit.resource());
        let (retention, hold) = (lock.retention(), lock.legal_hold);
        // Who may ask for one mostly may for the other: that is one question.
        let both =
            retention.is_some() && hold.is_some() && may(&["s3:GetObjectRetention", "s3:GetObjectLegalHold"]);
        let retention = retention.filter(|_| both || may(&["s3:GetObjectRetention"]));
        let hold = hold.filter(|_| both || may(&["s3:GetObjectLegalHold"]));
        Self {
            mode: retention.map(|r| ObjectLockMode::from_static(r.mode.name())),
            until: retention.map(|r| convert::time(r.until)),
            hold: hold.map(|held| ObjectLockLegalHoldStatus::from_static(hold_name(held))),
        }
    }
}

pub(in crate::s3) async fn get_object_lock_configuration(
    request: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<GetObjectLockConfigurationOutput> {
    let permit = about(
        &request,
        &request.input.bucket,
        "GetObjectLockConfiguration",
        "s3:GetBucketObjectLockConfiguration",
    )
    .await?;
    let bucket = settle(&permit, craton_objects::bucket::head(&permit))?;
    let Some(lock) = bucket.lock else {
        return Err(s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        ));
    };
    let rule = lock.default.and_then(|default| {
        let mode = Mode::from_number(default.mode)?;
        let (days, years) = match default.period {
            RetentionPeriod::Days(days) => (i32::try_from(days).ok(), None),
            RetentionPeriod::Years(years) => (None, i32::try_from(years).ok()),
        };
        Some(ObjectLockRule {
            default_retention: Some(dto::DefaultRetention {
                days,
                mode: Some(ObjectLockRetentionMode::from_static(mode.name())),
                years,
            }),
        })
    });
    Ok(GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(ObjectLockConfiguration {
            object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
            rule,
        }),
    })
}

pub(in crate::s3) async fn put_object_lock_configuration(
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<PutObjectLockConfigurationOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let path = ResourcePath::Bucket(convert::bucket(&input.bucket)?);
    let ask = Ask::new(
        "PutObjectLockConfiguration",
        "s3:PutBucketObjectLockConfiguration",
        path,
    );
    let permit = write(&call, ask).await?;
    let configuration = input
        .object_lock_configuration
        .ok_or_else(|| s3_error!(MalformedXML))?;
    let default = default_retention(&configuration)?;
    settle(&permit, engine::configure(&permit, default).await)?;
    Ok(PutObjectLockConfigurationOutput::default())
}

/// The default retention that a configuration states, checked.
fn default_retention(configuration: &ObjectLockConfiguration) -> S3Result<Option<DefaultRetention>> {
    let malformed = || s3_error!(MalformedXML);
    let enabled = configuration.object_lock_enabled.as_ref();
    if enabled.map(ObjectLockEnabled::as_str) != Some(ObjectLockEnabled::ENABLED) {
        return Err(malformed());
    }
    let Some(rule) = &configuration.rule else {
        return Ok(None);
    };
    let stated = rule.default_retention.as_ref().ok_or_else(malformed)?;
    let mode = stated
        .mode
        .as_ref()
        .and_then(|mode| Mode::from_name(mode.as_str()));
    let mode = mode.ok_or_else(malformed)?;
    let (length, years) = match (stated.days, stated.years) {
        (Some(days), None) => (days, false),
        (None, Some(years)) => (years, true),
        _ => return Err(malformed()),
    };
    let length = u32::try_from(length).ok().filter(|length| *length > 0);
    let length =
        length.ok_or_else(|| invalid_period("Default retention period must be a positive integer value."))?;
    let days = if years { length.saturating_mul(365) } else { length };
    if days > DEFAULT_DAYS_MAX {
        return Err(invalid_period(
            "Default retention period too large. (max 36500 days or 100 years)",
        ));
    }
    let period = if years {
        RetentionPeriod::Years(length)
    } else {
        RetentionPeriod::Days(length)
    };
    Ok(Some(DefaultRetention {
        mode: mode as u32,
        period,
    }))
}

pub(in crate::s3) async fn get_object_retention(
    request: S3Request<GetObjectRetentionInput>,
) -> S3Result<GetObjectRetentionOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("GetObjectRetention", "s3:GetObjectRetention", path);
    let permit = read(&call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let (lock, _) = settle(&permit, engine::lock_of(&permit, &key, target))?;
    let retention = lock.retention().ok_or_else(not_locked)?;
    Ok(GetObjectRetentionOutput {
        retention: Some(ObjectLockRetention {
            mode: Some(ObjectLockRetentionMode::from_static(retention.mode.name())),
            retain_until_date: Some(convert::time(retention.until)),
        }),
    })
}

pub(in crate::s3) async fn put_object_retention(
    request: S3Request<PutObjectRetentionInput>,
) -> S3Result<PutObjectRetentionOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let retention = retention_of(input.retention)?;
    let ask = Ask::new("PutObjectRetention", "s3:PutObjectRetention", path);
    let ask = with_version(ask, input.version_id.as_deref());
    let ask = match retention {
        Some(retention) => with_retention(ask, retention, call.session()),
        None => ask,
    };
    let ask = with_replica(ask, &headers, "ReplicateLock", "s3:ReplicateObject");
    let permit = write(&call, with_bypass(ask, input.bypass_governance_retention)).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let bypass = input.bypass_governance_retention == Some(true);
    let done = engine::set_retention(&permit, &key, target, retention, bypass).await;
    settle(&permit, done)?;
    Ok(PutObjectRetentionOutput::default())
}

/// The retention that a document states; an empty one ends it.
fn retention_of(stated: Option<ObjectLockRetention>) -> S3Result<Option<Retention>> {
    let malformed = || s3_error!(MalformedXML);
    let stated = stated.ok_or_else(malformed)?;
    match (stated.mode, stated.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => Ok(Some(Retention {
            mode: Mode::from_name(mode.as_str()).ok_or_else(malformed)?,
            until: time(&until),
        })),
        _ => Err(malformed()),
    }
}

pub(in crate::s3) async fn get_object_legal_hold(
    request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<GetObjectLegalHoldOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("GetObjectLegalHold", "s3:GetObjectLegalHold", path);
    let permit = read(&call, with_version(ask, input.version_id.as_deref())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let (lock, _): (LockRecord, _) = settle(&permit, engine::lock_of(&permit, &key, target))?;
    let held = lock.legal_hold.ok_or_else(not_locked)?;
    Ok(GetObjectLegalHoldOutput {
        legal_hold: Some(ObjectLockLegalHold {
            status: Some(ObjectLockLegalHoldStatus::from_static(hold_name(held))),
        }),
    })
}

pub(in crate::s3) async fn put_object_legal_hold(
    request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<PutObjectLegalHoldOutput> {
    let call = Call::of(&request)?;
    let (headers, input) = (request.headers, request.input);
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let status = input.legal_hold.and_then(|hold| hold.status);
    let held = status.as_ref().and_then(|status| on_or_off(status.as_str()));
    let held = held.ok_or_else(|| s3_error!(MalformedXML))?;
    let ask = Ask::new("PutObjectLegalHold", "s3:PutObjectLegalHold", path);
    let ask = with_version(ask, input.version_id.as_deref());
    let ask = ask.with("s3:object-lock-legal-hold", hold_name(held));
    let ask = with_replica(ask, &headers, "ReplicateLock", "s3:ReplicateObject");
    let permit = write(&call, ask).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let done = engine::set_legal_hold(&permit, &key, target, held).await;
    settle(&permit, done)?;
    Ok(PutObjectLegalHoldOutput::default())
}

fn invalid_period(message: &'static str) -> S3Error {
    fail(Error::fault(Fault::InvalidRetentionPeriod, message))
}

fn not_locked() -> S3Error {
    fail(engine::not_locked())
}
