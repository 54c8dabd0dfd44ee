//! Server access logging: where to.

use craton_base::{BucketName, ObjectKey, ResourcePath};
use craton_gate::{ConfigurationChange, Subresource, WritePermit};
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        BucketLoggingStatus, GetBucketLoggingInput, GetBucketLoggingOutput, LoggingEnabled,
        PutBucketLoggingInput, PutBucketLoggingOutput,
    },
};

use super::{changing, configure, decode, document, encode, reading, refused, settle};

const ROOT: &str = "BucketLoggingStatus";

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketLoggingInput>,
) -> S3Result<GetBucketLoggingOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(&request, bucket, "GetBucketLogging", "s3:GetBucketLogging").await?;
    let status: BucketLoggingStatus = match document(&permit, Subresource::Logging)? {
        Some(found) => decode(ROOT, &found)?,
        None => BucketLoggingStatus::default(),
    };
    Ok(GetBucketLoggingOutput {
        logging_enabled: status.logging_enabled,
    })
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketLoggingInput>,
) -> S3Result<PutBucketLoggingOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "PutBucketLogging", "s3:PutBucketLogging").await?;
    let status = &request.input.bucket_logging_status;
    let change = match &status.logging_enabled {
        None => ConfigurationChange::remove(Subresource::Logging),
        Some(enabled) => {
            check_target(&permit, enabled)?;
            let has_grants = enabled
                .target_grants
                .as_ref()
                .is_some_and(|grants| !grants.is_empty());
            super::super::refuse_if(has_grants, "Granting access to logs in a list")?;
            ConfigurationChange::set(Subresource::Logging, encode(ROOT, status)?)
        }
    };
    configure(&permit, &[change]).await?;
    Ok(PutBucketLoggingOutput {})
}

/// Logs go only where the caller could write them: else who may configure one bucket could write into every other.
fn check_target(permit: &WritePermit, enabled: &LoggingEnabled) -> S3Result<()> {
    let invalid = |message: &'static str| -> S3Error { refused("InvalidTargetBucketForLogging", message) };
    let missing = "The target bucket for logging does not exist";
    let target = BucketName::new(&enabled.target_bucket).map_err(|_| invalid(missing))?;
    let exists = permit.bucket_exists(&target).map_err(Into::into);
    if !settle(permit, exists)? {
        return Err(invalid(missing));
    }
    let key = ObjectKey::new(&format!("{}log", enabled.target_prefix))
        .map_err(|_| refused("InvalidArgument", "The target prefix is not one of keys"))?;
    if permit.also("s3:PutObject", &ResourcePath::Object(target, key)) {
        return Ok(());
    }
    Err(invalid("You must be allowed to write to the target bucket"))
}
