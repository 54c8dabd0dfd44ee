//! Who may, as the bucket says it: its policy, what public access it blocks, who owns objects.

use bytes::Bytes;
use craton_gate::{ConfigurationChange, Ownership, PublicAccessBlock, Subresource};
use s3s::{
    S3Request, S3Result,
    dto::{
        DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, DeleteBucketPolicyInput,
        DeleteBucketPolicyOutput, DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput,
        GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput, GetBucketPolicyInput,
        GetBucketPolicyOutput, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput,
        GetPublicAccessBlockInput, GetPublicAccessBlockOutput, ObjectOwnership, OwnershipControls,
        OwnershipControlsRule, PolicyStatus, PublicAccessBlockConfiguration, PutBucketOwnershipControlsInput,
        PutBucketOwnershipControlsOutput, PutBucketPolicyInput, PutBucketPolicyOutput,
        PutPublicAccessBlockInput, PutPublicAccessBlockOutput,
    },
};

use super::{absent, changing, configure, document, malformed_xml, reading, refused, settle};

const NO_POLICY: (&str, &str) = ("NoSuchBucketPolicy", "The bucket policy does not exist");

pub(in crate::s3) async fn get_policy(
    request: S3Request<GetBucketPolicyInput>,
) -> S3Result<GetBucketPolicyOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(&request, bucket, "GetBucketPolicy", "s3:GetBucketPolicy").await?;
    let found = document(&permit, Subresource::Policy)?;
    let policy = found.ok_or_else(|| absent(NO_POLICY.0, NO_POLICY.1))?;
    Ok(GetBucketPolicyOutput {
        policy: Some(String::from_utf8_lossy(&policy).into_owned()),
    })
}

pub(in crate::s3) async fn get_policy_status(
    request: S3Request<GetBucketPolicyStatusInput>,
) -> S3Result<GetBucketPolicyStatusOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(
        &request,
        bucket,
        "GetBucketPolicyStatus",
        "s3:GetBucketPolicyStatus",
    )
    .await?;
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let policy = access.policy().ok_or_else(|| absent(NO_POLICY.0, NO_POLICY.1))?;
    Ok(GetBucketPolicyStatusOutput {
        policy_status: Some(PolicyStatus {
            is_public: Some(policy.is_public()),
        }),
    })
}

pub(in crate::s3) async fn put_policy(
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<PutBucketPolicyOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "PutBucketPolicy", "s3:PutBucketPolicy").await?;
    let confirmed = request.input.confirm_remove_self_bucket_access == Some(true);
    let document = Bytes::from(request.input.policy);
    settle(
        &permit,
        permit.set_policy(document, confirmed).await.map_err(Into::into),
    )?;
    Ok(PutBucketPolicyOutput {})
}

pub(in crate::s3) async fn delete_policy(
    request: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<DeleteBucketPolicyOutput> {
    let bucket = &request.input.bucket;
    let permit = changing(&request, bucket, "DeleteBucketPolicy", "s3:DeleteBucketPolicy").await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Policy)]).await?;
    Ok(DeleteBucketPolicyOutput {})
}

pub(in crate::s3) async fn get_block(
    request: S3Request<GetPublicAccessBlockInput>,
) -> S3Result<GetPublicAccessBlockOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetBucketPublicAccessBlock";
    let permit = reading(&request, bucket, "GetPublicAccessBlock", action).await?;
    if document(&permit, Subresource::PublicAccessBlock)?.is_none() {
        let message = "The public access block configuration was not found";
        return Err(absent("NoSuchPublicAccessBlockConfiguration", message));
    }
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let block = access.public_access_block();
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            block_public_policy: Some(block.block_public_policy),
            ignore_public_acls: Some(block.ignore_public_acls),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        }),
    })
}

pub(in crate::s3) async fn put_block(
    request: S3Request<PutPublicAccessBlockInput>,
) -> S3Result<PutPublicAccessBlockOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketPublicAccessBlock";
    let permit = changing(&request, bucket, "PutPublicAccessBlock", action).await?;
    let stated = &request.input.public_access_block_configuration;
    let block = PublicAccessBlock {
        block_public_acls: stated.block_public_acls.unwrap_or_default(),
        ignore_public_acls: stated.ignore_public_acls.unwrap_or_default(),
        block_public_policy: stated.block_public_policy.unwrap_or_default(),
        restrict_public_buckets: stated.restrict_public_buckets.unwrap_or_default(),
    };
    configure(&permit, &[ConfigurationChange::public_access_block(block)]).await?;
    Ok(PutPublicAccessBlockOutput {})
}

pub(in crate::s3) async fn delete_block(
    request: S3Request<DeletePublicAccessBlockInput>,
) -> S3Result<DeletePublicAccessBlockOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketPublicAccessBlock";
    let permit = changing(&request, bucket, "DeletePublicAccessBlock", action).await?;
    configure(
        &permit,
        &[ConfigurationChange::remove(Subresource::PublicAccessBlock)],
    )
    .await?;
    Ok(DeletePublicAccessBlockOutput {})
}

pub(in crate::s3) async fn get_ownership(
    request: S3Request<GetBucketOwnershipControlsInput>,
) -> S3Result<GetBucketOwnershipControlsOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:GetBucketOwnershipControls";
    let permit = reading(&request, bucket, "GetBucketOwnershipControls", action).await?;
    if document(&permit, Subresource::Ownership)?.is_none() {
        let message = "The bucket ownership controls were not found";
        return Err(absent("OwnershipControlsNotFoundError", message));
    }
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let rule = OwnershipControlsRule {
        object_ownership: ObjectOwnership::from_static(access.ownership().name()),
    };
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    })
}

/// Lists that grant anything to others must be taken back before they are turned off.
pub(in crate::s3) const ACL_AND_ENFORCED: (&str, &str) = (
    "InvalidBucketAclWithObjectOwnership",
    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
);

pub(in crate::s3) async fn put_ownership(
    request: S3Request<PutBucketOwnershipControlsInput>,
) -> S3Result<PutBucketOwnershipControlsOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketOwnershipControls";
    let permit = changing(&request, bucket, "PutBucketOwnershipControls", action).await?;
    let [rule] = request.input.ownership_controls.rules.as_slice() else {
        return Err(malformed_xml());
    };
    let ownership = ownership(&rule.object_ownership)?;
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    if !ownership.has_acls() && access.acl().is_some_and(|acl| !acl.is_private()) {
        return Err(refused(ACL_AND_ENFORCED.0, ACL_AND_ENFORCED.1));
    }
    configure(&permit, &[ConfigurationChange::ownership(ownership)]).await?;
    Ok(PutBucketOwnershipControlsOutput {})
}

/// The ownership that a request names.
pub(in crate::s3) fn ownership(named: &ObjectOwnership) -> S3Result<Ownership> {
    Ownership::from_name(named.as_str()).ok_or_else(malformed_xml)
}

pub(in crate::s3) async fn delete_ownership(
    request: S3Request<DeleteBucketOwnershipControlsInput>,
) -> S3Result<DeleteBucketOwnershipControlsOutput> {
    let bucket = &request.input.bucket;
    let action = "s3:PutBucketOwnershipControls";
    let permit = changing(&request, bucket, "DeleteBucketOwnershipControls", action).await?;
    configure(&permit, &[ConfigurationChange::remove(Subresource::Ownership)]).await?;
    Ok(DeleteBucketOwnershipControlsOutput {})
}
