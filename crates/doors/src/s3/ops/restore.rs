//! Restoring objects of the classes that S3 calls archives. Their content is at hand all the time here, so a
//! restore is done when it is asked for: what is kept is until when S3 would show it as restored.
//!
//! Deliberately absent: what a transition moved to another store, which is read through without being asked.

use craton_base::Timestamp;
use craton_gate::Ask;
use craton_objects::{Error, Fault, meta::ObjectMeta, version::amend};
use http::StatusCode;
use s3s::{
    S3Request, S3Result,
    dto::{RestoreObjectInput, RestoreObjectOutput, RestoreRequest, Tier},
    s3_error,
};

use super::{refuse_if, settle, target, with_version, write};
use crate::s3::{call::Call, convert};

/// The classes that are restored.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

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
    let now = permit.now();
    let until = until(now, days);
    let again = std::sync::atomic::AtomicBool::new(false);
    let changed = amend(&permit, &key, target, |meta| {
        if !ARCHIVES.contains(&meta.attributes.storage_class()) {
            return Err(Error::fault(
                Fault::InvalidObjectState,
                "Restore is not allowed for the object's current storage class",
            ));
        }
        again.store(
            meta.restored_until_micros > now.micros(),
            std::sync::atomic::Ordering::Relaxed,
        );
        meta.restored_until_micros = until.micros();
        Ok(())
    })
    .await;
    settle(&permit, changed)?;
    if !again.into_inner() {
        call.succeed_with(StatusCode::ACCEPTED);
    }
    Ok(RestoreObjectOutput::default())
}

/// For how many days.
fn days(request: Option<&RestoreRequest>) -> S3Result<u64> {
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
    match u64::try_from(days) {
        Ok(days) if days > 0 => Ok(days),
        _ => Err(s3_error!(
            InvalidArgument,
            "restoration days should be at least 1"
        )),
    }
}

/// The midnight after so many days, as S3 counts.
fn until(now: Timestamp, days: u64) -> Timestamp {
    let after = now.micros().saturating_add(days.saturating_mul(DAY_MICROS));
    Timestamp(after.div_ceil(DAY_MICROS).saturating_mul(DAY_MICROS))
}

/// What reads answer in `x-amz-restore`.
pub(super) fn shown(meta: &ObjectMeta) -> Option<String> {
    if meta.restored_until_micros == 0 {
        return None;
    }
    let date = convert::http_date(Timestamp(meta.restored_until_micros))?;
    let date = date.to_str().ok()?;
    Some(format!("ongoing-request=\"false\", expiry-date=\"{date}\""))
}
