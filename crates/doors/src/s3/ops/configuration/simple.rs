//! Sub-resources that say little: who pays, transfer acceleration, the static website.

use craton_gate::{ConfigurationChange, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, GetBucketAccelerateConfigurationInput,
        GetBucketAccelerateConfigurationOutput, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput,
        GetBucketWebsiteInput, GetBucketWebsiteOutput, Payer, PutBucketRequestPaymentInput,
        PutBucketRequestPaymentOutput,
    },
};

use super::{absent, changing, configure, document, malformed_xml, reading};

pub(in crate::s3) async fn get_payment(
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<GetBucketRequestPaymentOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetBucketRequestPayment";
    let permit = reading(&request, bucket, "GetBucketRequestPayment", action).await?;
    let payer = match document(&permit, Subresource::RequestPayment)?.as_deref() {
        Some(b"Requester") => Payer::REQUESTER,
        _ => Payer::BUCKET_OWNER,
    };
    Ok(GetBucketRequestPaymentOutput {
        payer: Some(Payer::from_static(payer)),
    })
}

pub(in crate::s3) async fn put_payment(
    request: S3Request<PutBucketRequestPaymentInput>,
) -> S3Result<PutBucketRequestPaymentOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketRequestPayment";
    let permit = changing(&request, bucket, "PutBucketRequestPayment", action).await?;
    let payer = request.input.request_payment_configuration.payer.as_str();
    if payer != Payer::REQUESTER && payer != Payer::BUCKET_OWNER {
        return Err(malformed_xml());
    }
    let change = ConfigurationChange::set(Subresource::RequestPayment, payer.as_bytes().to_vec());
    configure(&permit, &[change]).await?;
    Ok(PutBucketRequestPaymentOutput {})
}

/// Acceleration is not implemented, so it is never set.
pub(in crate::s3) async fn get_accelerate(
    request: S3Request<GetBucketAccelerateConfigurationInput>,
) -> S3Result<GetBucketAccelerateConfigurationOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetAccelerateConfiguration";
    reading(&request, bucket, "GetBucketAccelerateConfiguration", action).await?;
    Ok(GetBucketAccelerateConfigurationOutput::default())
}

/// Websites are not implemented, so there is never one.
pub(in crate::s3) async fn get_website(
    request: S3Request<GetBucketWebsiteInput>,
) -> S3Result<GetBucketWebsiteOutput> {
    let bucket = &request.input.bucket;
    reading(&request, bucket, "GetBucketWebsite", "s3:GetBucketWebsite").await?;
    Err(absent(
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ))
}

/// There is nothing to delete, which succeeds as in S3.
pub(in crate::s3) async fn delete_website(
    request: S3Request<DeleteBucketWebsiteInput>,
) -> S3Result<DeleteBucketWebsiteOutput> {
    let bucket = &request.input.bucket;
    reading(&request, bucket, "DeleteBucketWebsite", "s3:DeleteBucketWebsite").await?;
    Ok(DeleteBucketWebsiteOutput {})
}
