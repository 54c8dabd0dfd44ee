//! Default encryption. Where none is configured S3 answers the one that every bucket has: SSE-S3.

use craton_gate::{ConfigurationChange, Permit, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, GetBucketEncryptionInput,
        GetBucketEncryptionOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    },
};

use super::{changing, configure, decode, document, encode, malformed_xml, reading, refused};

const ROOT: &str = "ServerSideEncryptionConfiguration";

/// What encrypts where a request does not say: the bucket's one rule.
pub(in crate::s3) fn default_of(permit: &Permit) -> S3Result<ServerSideEncryptionRule> {
    let configured = match document(permit, Subresource::Encryption)? {
        Some(found) => decode::<ServerSideEncryptionConfiguration>(ROOT, &found)?
            .rules
            .pop(),
        None => None,
    };
    Ok(configured.unwrap_or_else(|| ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        }),
        bucket_key_enabled: Some(false),
    }))
}

pub(in crate::s3) async fn get(
    request: S3Request<GetBucketEncryptionInput>,
) -> S3Result<GetBucketEncryptionOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetEncryptionConfiguration";
    let permit = reading(&request, bucket, "GetBucketEncryption", action).await?;
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![default_of(&permit)?],
        }),
    })
}

pub(in crate::s3) async fn put(
    request: S3Request<PutBucketEncryptionInput>,
) -> S3Result<PutBucketEncryptionOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutEncryptionConfiguration";
    let permit = changing(&request, bucket, "PutBucketEncryption", action).await?;
    let mut stated = request.input.server_side_encryption_configuration;
    let [rule] = stated.rules.as_mut_slice() else {
        return Err(malformed_xml());
    };
    check(rule)?;
    rule.bucket_key_enabled.get_or_insert(false);
    let change = ConfigurationChange::set(Subresource::Encryption, encode(ROOT, &stated)?);
    configure(&permit, &[change]).await?;
    Ok(PutBucketEncryptionOutput {})
}

fn check(rule: &ServerSideEncryptionRule) -> S3Result<()> {
    let Some(default) = &rule.apply_server_side_encryption_by_default else {
        return Err(malformed_xml());
    };
    let key = default.kms_master_key_id.as_deref();
    match default.sse_algorithm.as_str() {
        ServerSideEncryption::AES256 if key.is_some() => Err(refused(
            "InvalidArgument",
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        ServerSideEncryption::AES256 => Ok(()),
        ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE => match key {
            Some("") => Err(malformed_xml()),
            _ => Ok(()),
        },
        _ => Err(malformed_xml()),
    }
}

pub(in crate::s3) async fn delete(
    request: S3Request<DeleteBucketEncryptionInput>,
) -> S3Result<DeleteBucketEncryptionOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutEncryptionConfiguration";
    let permit = changing(&request, bucket, "DeleteBucketEncryption", action).await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Encryption)]).await?;
    Ok(DeleteBucketEncryptionOutput {})
}
