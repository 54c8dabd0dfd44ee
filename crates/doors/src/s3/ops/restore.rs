//! Restoring objects of the classes that S3 calls archives. Content that a tier holds is brought back by work that is
//! told of it; what is at hand counts as restored at once.
//!
//! Deliberately absent: bringing it back ([`craton_objects::tiering`]).

use craton_base::Timestamp;
use craton_gate::{Ask, Permit, Worker};
use craton_objects::{
    meta::ObjectMeta,
    tiering::{self, Asked, Restore},
};
use http::StatusCode;
use s3s::{
    S3Request, S3Result,
    dto::{OptionalObjectAttributes, RestoreObjectInput, RestoreObjectOutput, RestoreRequest, Tier},
    s3_error,
};

use super::{refuse_if, settle, target, with_version, write};
use crate::s3::{answer::argument, call::Call, convert};

const DAY_MICROS: u64 = 24 * 60 * 60 * 1_000_000;

pub(in crate::s3) async fn restore_object(
    request: S3Request<RestoreObjectInput>,
) -> S3Result<RestoreObjectOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let ask = Ask::new("RestoreObject", "s3:RestoreObject", path);
    let permit = write(&call, with_version(ask, input.version_id.as_deref())).await?;
    let days = days(input.restore_request.as_ref())?;
    let target = target(&permit, input.version_id.as_deref())?;
    let until = until(permit.now(), days);
    let asked = tiering::ask_restore(&permit, &key, target, days, until).await;
    let (located, asked) = settle(&permit, asked)?;
    if located.meta.restore_days > 0 {
        // Who is not told now comes upon it with the next look over the bucket.
        permit.tell(Worker::Lifecycle, format!("{}/{}", input.bucket, input.key));
    }
    if asked == Asked::Begun {
        call.succeed_with(StatusCode::ACCEPTED);
    }
    Ok(RestoreObjectOutput::default())
}

/// For how many days.
fn days(request: Option<&RestoreRequest>) -> S3Result<u32> {
    let malformed = || {
        s3_error!(
            MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema"
        )
    };
    let request = request.ok_or_else(malformed)?;
    let selects =
        request.type_.is_some() || request.select_parameters.is_some() || request.output_location.is_some();
    refuse_if(selects, "Selecting from archives")?;
    let tier = request.glacier_job_parameters.as_ref().map(|p| p.tier.as_str());
    let tier = tier.or(request.tier.as_ref().map(Tier::as_str));
    if tier.is_some_and(|t| !matches!(t, "Standard" | "Bulk" | "Expedited")) {
        return Err(malformed());
    }
    let days = request.days.ok_or_else(malformed)?;
    match u32::try_from(days) {
        Ok(days) if days > 0 => Ok(days),
        _ => Err(s3_error!(
            InvalidArgument,
            "restoration days should be at least 1"
        )),
    }
}

/// The midnight after so many days, as S3 counts.
fn until(now: Timestamp, days: u32) -> Timestamp {
    let after = now
        .micros()
        .saturating_add(u64::from(days).saturating_mul(DAY_MICROS));
    Timestamp(after.div_ceil(DAY_MICROS).saturating_mul(DAY_MICROS))
}

/// What reads answer in `x-amz-restore`.
pub(super) fn shown(permit: &Permit, meta: &ObjectMeta) -> Option<String> {
    match Restore::of(meta, permit.now()) {
        Restore::None => None,
        Restore::Ongoing => Some("ongoing-request=\"true\"".to_owned()),
        Restore::Until(until) => {
            let date = convert::http_date(until)?;
            let date = date.to_str().ok()?;
            Some(format!("ongoing-request=\"false\", expiry-date=\"{date}\""))
        }
    }
}

/// Whether a listing is asked for it.
///
/// # Errors
/// `InvalidArgument` for other attributes.
pub(super) fn listed(asked: Option<&[OptionalObjectAttributes]>) -> S3Result<bool> {
    let asked = asked.unwrap_or_default();
    let other = |a: &&OptionalObjectAttributes| a.as_str() != OptionalObjectAttributes::RESTORE_STATUS;
    match asked.iter().find(other) {
        Some(other) => Err(argument(
            "x-amz-optional-object-attributes",
            other.as_str(),
            "Invalid attribute name specified",
        )),
        None => Ok(!asked.is_empty()),
    }
}
