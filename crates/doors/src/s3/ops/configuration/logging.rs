//! Server access logging: where to.

use craton_base::BucketName;
use craton_gate::{ConfigurationChange, Subresource, WritePermit};
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        BucketLoggingStatus, GetBucketLoggingInput, GetBucketLoggingOutput, PutBucketLoggingInput,
        PutBucketLoggingOutput,
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
            check_target(&permit, &enabled.target_bucket)?;
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

fn check_target(permit: &WritePermit, target: &str) -> S3Result<()> {
    let invalid = || -> S3Error {
        refused(
            "InvalidTargetBucketForLogging",
            "The target bucket for logging does not exist",
        )
    };
    let target = BucketName::new(target).map_err(|_| invalid())?;
    let exists = permit.bucket_exists(&target).map_err(Into::into);
    if settle(permit, exists)? {
        Ok(())
    } else {
        Err(invalid())
    }
}
