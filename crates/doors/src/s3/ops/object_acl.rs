//! Access control lists of objects. Where the bucket's ownership has turned lists off, an object has its owner's
//! alone, and only that is accepted.

use craton_gate::{Acl, Ask, Permit};
use craton_objects::version::{Located, amend, locate};
use s3s::{
    S3Request, S3Result,
    dto::{GetObjectAclInput, GetObjectAclOutput, PutObjectAclInput, PutObjectAclOutput},
};

use super::{
    configuration::acl::{Stated, check_block, check_enforced, one_of, shown},
    read, settle, target, with, write,
};
use crate::s3::{call::Call, convert};

/// The plain action, or the one for a version.
fn action(version: Option<&String>, plain: &'static str, versioned: &'static str) -> &'static str {
    if version.is_some() { versioned } else { plain }
}

/// Whose an object is: its writer's where lists are on, else the bucket's owner's.
fn owner(permit: &Permit, located: &Located) -> S3Result<String> {
    let bucket = settle(permit, permit.bucket().map_err(Into::into))?;
    let access = settle(permit, permit.bucket_access().map_err(Into::into))?;
    if !access.ownership().has_acls() {
        return Ok(bucket.owner.clone());
    }
    let listed = located.meta.acl.as_ref().map(|acl| &acl.owner);
    Ok(listed.unwrap_or(&located.meta.owner).clone())
}

pub(in crate::s3) async fn get(request: S3Request<GetObjectAclInput>) -> S3Result<GetObjectAclOutput> {
    let call = Call::of(&request)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let wanted = action(
        input.version_id.as_ref(),
        "s3:GetObjectAcl",
        "s3:GetObjectVersionAcl",
    );
    let ask = with(
        Ask::new("GetObjectAcl", wanted, path),
        "s3:VersionId",
        input.version_id.clone(),
    );
    let permit = read(&call, ask).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let located = settle(&permit, locate(&permit, &key, target))?;
    let owner = owner(&permit, &located)?;
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let listed = located.meta.acl.filter(|_| access.ownership().has_acls());
    let acl = listed.unwrap_or_else(|| Acl::private(&owner));
    Ok(GetObjectAclOutput {
        grants: Some(shown(&acl)),
        owner: Some(convert::owner(&owner)),
        request_charged: None,
    })
}

pub(in crate::s3) async fn put(request: S3Request<PutObjectAclInput>) -> S3Result<PutObjectAclOutput> {
    let call = Call::of(&request)?;
    let stated = Stated::of_headers(&request.headers)?;
    let input = request.input;
    let (path, key) = convert::object(&input.bucket, &input.key)?;
    let wanted = action(
        input.version_id.as_ref(),
        "s3:PutObjectAcl",
        "s3:PutObjectVersionAcl",
    );
    let ask = stated.conditions(Ask::new("PutObjectAcl", wanted, path));
    let permit = write(&call, with(ask, "s3:VersionId", input.version_id.clone())).await?;
    let target = target(&permit, input.version_id.as_deref())?;
    let located = settle(&permit, locate(&permit, &key, target))?;
    let owner = owner(&permit, &located)?;
    let document = input.access_control_policy.as_ref();
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    if !access.ownership().has_acls() {
        check_enforced(&stated, document, &owner, &permit)?;
        return Ok(PutObjectAclOutput::default());
    }
    let acl = one_of(&stated, document, &owner, &permit)?;
    check_block(access, &acl)?;
    let kept = (acl != Acl::private(&located.meta.owner)).then_some(acl);
    let amended = amend(&permit, &key, target, |meta| {
        meta.acl.clone_from(&kept);
        Ok(())
    });
    settle(&permit, amended.await)?;
    Ok(PutObjectAclOutput::default())
}
