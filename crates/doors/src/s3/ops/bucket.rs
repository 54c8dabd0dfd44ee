//! Buckets, and what stock tools ask about them.

use craton_base::{BucketName, Error, Kind, ResourcePath};
use craton_gate::{Ask, ConfigurationChange, Ownership, PublicAccessBlock, ReadPermit, WritePermit};
use craton_objects::bucket::{self as engine, BUCKETS_PAGE_MAX};
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
        DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
        HeadBucketOutput, ListBucketsInput, ListBucketsOutput, ObjectOwnership,
    },
    s3_error,
};

use super::{
    configuration::{
        access,
        acl::{Owners, Stated},
    },
    read, settle, with, write,
};
use crate::s3::{
    answer::{argument, fail_base},
    call::Call,
    convert,
};

pub(in crate::s3) async fn list_buckets(request: S3Request<ListBucketsInput>) -> S3Result<ListBucketsOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let limit = buckets_limit(input.max_buckets)?;
    let after = input
        .continuation_token
        .as_deref()
        .map(BucketName::new)
        .transpose();
    let after = after.map_err(|_| {
        let token = input.continuation_token.clone().unwrap_or_default();
        let message = "The continuation token provided is incorrect";
        argument("continuation-token", token, message)
    })?;
    let permit = read(
        &call,
        Ask::new("ListBuckets", "s3:ListAllMyBuckets", ResourcePath::Root),
    )
    .await?;
    let wanted = engine::Wanted {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        region: input.bucket_region.as_deref(),
    };
    let page = settle(&permit, engine::list(&permit, wanted, after.as_ref(), limit))?;
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

fn buckets_limit(asked: Option<i32>) -> S3Result<usize> {
    let Some(asked) = asked else {
        return Ok(BUCKETS_PAGE_MAX);
    };
    let limit = usize::try_from(asked).ok();
    limit
        .filter(|limit| (1..=BUCKETS_PAGE_MAX).contains(limit))
        .ok_or_else(|| {
            let message = format!("Argument maxBuckets must be an integer between 1 and {BUCKETS_PAGE_MAX}");
            argument("maxBuckets", asked.to_string(), message)
        })
}

/// What is said of a region that a bucket can not be made in: S3 has other words for what is none.
fn wrong_region(asked: &str, ours: &str) -> S3Error {
    let parts: Vec<&str> = asked.split('-').collect();
    let numbered = parts.last().is_some_and(|last| last.parse::<u8>().is_ok());
    if parts.len() >= 3 && numbered {
        return s3_error!(
            IllegalLocationConstraintException,
            "The {asked} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
    }
    s3_error!(
        InvalidLocationConstraint,
        "The specified location-constraint is not valid: {ours} is."
    )
}

pub(in crate::s3) async fn create_bucket(
    request: S3Request<CreateBucketInput>,
) -> S3Result<CreateBucketOutput> {
    let call = Call::of(&request)?;
    let stated = Stated::of_headers(&request.headers)?;
    let input = request.input;
    let name = convert::bucket(&input.bucket)?;
    let ownership = input.object_ownership.as_ref().map(named_ownership).transpose()?;
    let location = input
        .create_bucket_configuration
        .as_ref()
        .and_then(|c| c.location_constraint.as_ref());
    let mut ask = Ask::new(
        "CreateBucket",
        "s3:CreateBucket",
        ResourcePath::Bucket(name.clone()),
    );
    if !stated.is_owners() {
        ask = ask.and_action("s3:PutBucketAcl");
    }
    if ownership.is_some() {
        ask = ask.and_action("s3:PutBucketOwnershipControls");
    }
    let ask = with(
        stated.conditions(ask),
        "s3:x-amz-object-ownership",
        ownership.map(Ownership::name),
    );
    let ask = with(
        ask,
        "s3:locationconstraint",
        location.map(|l| l.as_str().to_owned()),
    );
    let lock = input.object_lock_enabled_for_bucket == Some(true);
    let ask = if lock {
        ask.and_action("s3:PutBucketObjectLockConfiguration")
            .and_action("s3:PutBucketVersioning")
    } else {
        ask
    };
    let permit = write(&call, ask).await?;
    let region = &call.gate().settings().region;
    let asked = location.map(BucketLocationConstraint::as_str).unwrap_or_default();
    if !asked.is_empty() && asked != region {
        return Err(wrong_region(asked, region));
    }
    let configurations = initial(&permit, &stated, ownership)?;
    settle(&permit, engine::create(&permit, lock, &configurations).await)?;
    Ok(CreateBucketOutput {
        location: Some(format!("/{name}")),
    })
}

/// Who owns what, as a header says.
fn named_ownership(named: &ObjectOwnership) -> S3Result<Ownership> {
    let wrong = || {
        let message = format!("Invalid x-amz-object-ownership header: {}", named.as_str());
        argument("x-amz-object-ownership", named.as_str(), message)
    };
    Ownership::from_name(named.as_str()).ok_or_else(wrong)
}

/// What a new bucket is configured like: lists are off and no public access is let through, as in S3 since 2023,
/// but for what its maker says otherwise.
fn initial(
    permit: &WritePermit,
    stated: &Stated,
    ownership: Option<Ownership>,
) -> S3Result<Vec<ConfigurationChange>> {
    let ownership = ownership.unwrap_or(Ownership::BucketOwnerEnforced);
    let mut configurations = vec![
        ConfigurationChange::ownership(ownership),
        ConfigurationChange::public_access_block(PublicAccessBlock::ALL),
    ];
    if stated.is_owners() {
        return Ok(configurations);
    }
    let refused =
        |(code, message): (&'static str, &'static str)| fail_base(&Error::new(Kind::Invalid, code, message));
    let owner = permit.session().principal();
    let owners = Owners {
        owner,
        bucket_owner: owner,
    };
    let acl = stated.acl(owners, permit)?;
    if !ownership.has_acls() {
        return Err(refused(access::ACL_AND_ENFORCED));
    }
    if let Some(acl) = acl {
        if acl.is_public() {
            return Err(refused(ACL_AND_BLOCK));
        }
        configurations.push(ConfigurationChange::acl(&acl));
    }
    Ok(configurations)
}

/// Public lists come after the bucket's public access block has been changed to let them.
const ACL_AND_BLOCK: (&str, &str) = (
    "InvalidBucketAclWithBlockPublicAccessError",
    "Bucket cannot have public ACLs set with BlockPublicAccess enabled",
);

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
pub(super) async fn about<T>(
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
