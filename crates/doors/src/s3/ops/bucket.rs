//! Buckets, and what stock tools ask about them.

use craton_base::{BucketName, ResourcePath};
use craton_gate::{Ask, ReadPermit};
use craton_objects::bucket::{self as engine, BUCKETS_PAGE_MAX};
use s3s::{
    S3Request, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
        DeleteBucketOutput, GetBucketAclInput, GetBucketAclOutput, GetBucketLocationInput,
        GetBucketLocationOutput, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput,
        GetBucketVersioningInput, GetBucketVersioningOutput, Grant, Grantee, HeadBucketInput,
        HeadBucketOutput, ListBucketsInput, ListBucketsOutput, Payer, Permission, Type,
    },
    s3_error,
};

use super::{check_acl, read, refuse_if, settle, with, write};
use crate::s3::{call::Call, convert};

pub(in crate::s3) async fn list_buckets(request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let limit = convert::limit(input.max_buckets, "max-buckets", BUCKETS_PAGE_MAX)?;
    let after = input
        .continuation_token
        .as_deref()
        .map(BucketName::new)
        .transpose();
    let after =
        after.map_err(|_| s3_error!(InvalidArgument, "The continuation token provided is incorrect."))?;
    let permit = read(
        &call,
        Ask::new("ListBuckets", "s3:ListAllMyBuckets", ResourcePath::Root),
    )
    .await?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let page = settle(&permit, engine::list(&permit, prefix, after.as_ref(), limit))?;
    let buckets = page
        .buckets
        .iter()
        .map(|b| Bucket {
            bucket_region: Some(b.region.clone()),
            creation_date: Some(convert::time(b.created)),
            name: Some(b.name.to_string()),
        })
        .collect();
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: page.next.map(|n| n.to_string()),
        owner: Some(convert::owner(call.session().principal())),
        prefix: input.prefix,
    })
}

pub(in crate::s3) async fn create_bucket(
    request: S3Request<CreateBucketInput>,
) -> S3Result<CreateBucketOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let name = convert::bucket(&input.bucket)?;
    let acl = input.acl.as_ref().map(|a| a.as_str().to_owned());
    let location = input
        .create_bucket_configuration
        .as_ref()
        .and_then(|c| c.location_constraint.as_ref());
    let ask = Ask::new(
        "CreateBucket",
        "s3:CreateBucket",
        ResourcePath::Bucket(name.clone()),
    );
    let ask = with(ask, "s3:x-amz-acl", acl.clone());
    let ask = with(
        ask,
        "s3:locationconstraint",
        location.map(|l| l.as_str().to_owned()),
    );
    let permit = write(&call, ask).await?;
    let grants = [
        &input.grant_full_control,
        &input.grant_read,
        &input.grant_read_acp,
        &input.grant_write_acp,
    ];
    check_acl(acl.map(Into::into).as_ref(), &grants)?;
    refuse_if(input.grant_write.is_some(), "A grant on a bucket")?;
    refuse_if(input.object_lock_enabled_for_bucket == Some(true), "Object lock")?;
    let region = &call.gate().settings().region;
    if location.is_some_and(|l| !l.as_str().is_empty() && l.as_str() != region) {
        return Err(s3_error!(
            InvalidLocationConstraint,
            "The specified location-constraint is not valid: {region} is."
        ));
    }
    settle(&permit, engine::create(&permit).await)?;
    Ok(CreateBucketOutput {
        location: Some(format!("/{name}")),
    })
}

pub(in crate::s3) async fn delete_bucket(
    request: S3Request<DeleteBucketInput>,
) -> S3Result<DeleteBucketOutput> {
    let call = Call::of(&request)?;
    let name = convert::bucket(&request.input.bucket)?;
    let permit = write(
        &call,
        Ask::new("DeleteBucket", "s3:DeleteBucket", ResourcePath::Bucket(name)),
    )
    .await?;
    settle(&permit, engine::delete(&permit).await)?;
    Ok(DeleteBucketOutput {})
}

/// A permit to read something about a bucket that exists.
async fn about<T>(
    request: &S3Request<T>,
    name: &str,
    operation: &'static str,
    action: &'static str,
) -> S3Result<ReadPermit> {
    let call = Call::of(request)?;
    let path = ResourcePath::Bucket(convert::bucket(name)?);
    let permit = read(&call, Ask::new(operation, action, path)).await?;
    settle(&permit, engine::head(&permit).map(drop))?;
    Ok(permit)
}

pub(in crate::s3) async fn head_bucket(request: S3Request<HeadBucketInput>) -> S3Result<HeadBucketOutput> {
    let permit = about(&request, &request.input.bucket, "HeadBucket", "s3:ListBucket").await?;
    let bucket = settle(&permit, engine::head(&permit))?;
    Ok(HeadBucketOutput {
        bucket_region: Some(bucket.region.clone()),
        ..HeadBucketOutput::default()
    })
}

pub(in crate::s3) async fn get_bucket_location(
    request: S3Request<GetBucketLocationInput>,
) -> S3Result<GetBucketLocationOutput> {
    let permit = about(
        &request,
        &request.input.bucket,
        "GetBucketLocation",
        "s3:GetBucketLocation",
    )
    .await?;
    let bucket = settle(&permit, engine::head(&permit))?;
    // In S3 the first region has no name here.
    let named = (bucket.region != "us-east-1").then(|| BucketLocationConstraint::from(bucket.region.clone()));
    Ok(GetBucketLocationOutput {
        location_constraint: named,
    })
}

pub(in crate::s3) async fn get_bucket_versioning(
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<GetBucketVersioningOutput> {
    about(
        &request,
        &request.input.bucket,
        "GetBucketVersioning",
        "s3:GetBucketVersioning",
    )
    .await?;
    Ok(GetBucketVersioningOutput::default())
}

pub(in crate::s3) async fn get_bucket_request_payment(
    request: S3Request<GetBucketRequestPaymentInput>,
) -> S3Result<GetBucketRequestPaymentOutput> {
    about(
        &request,
        &request.input.bucket,
        "GetBucketRequestPayment",
        "s3:GetBucketRequestPayment",
    )
    .await?;
    Ok(GetBucketRequestPaymentOutput {
        payer: Some(Payer::from_static(Payer::BUCKET_OWNER)),
    })
}

pub(in crate::s3) async fn get_bucket_acl(
    request: S3Request<GetBucketAclInput>,
) -> S3Result<GetBucketAclOutput> {
    let permit = about(&request, &request.input.bucket, "GetBucketAcl", "s3:GetBucketAcl").await?;
    let bucket = settle(&permit, engine::head(&permit))?;
    Ok(GetBucketAclOutput {
        grants: Some(vec![full_control(&bucket.owner)]),
        owner: Some(convert::owner(&bucket.owner)),
    })
}

/// The one grant of every list: the owner has full control.
pub(super) fn full_control(owner: &str) -> Grant {
    let grantee = Grantee {
        display_name: Some(owner.to_owned()),
        email_address: None,
        id: Some(owner.to_owned()),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    Grant {
        grantee: Some(grantee),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    }
}
