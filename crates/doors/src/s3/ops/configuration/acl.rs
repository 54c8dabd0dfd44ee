//! Access control lists of buckets: as a name (`public-read`), as headers of grants, or as XML.
//!
//! Where the bucket's ownership has turned lists off, which is so for every new bucket, they are refused.

use craton_base::{Error, Kind, ResourcePath};
use craton_gate::{
    Acl, AclGrant, AclPermission, Ask, BucketAccess, ConfigurationChange, GRANTS_MAX, Grantee, Ownership,
    Permit,
};
use http::HeaderMap;
use s3s::{
    S3Error, S3Request, S3Result,
    dto::{
        AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, Grant, Grantee as GranteeDto, Permission,
        PutBucketAclInput, PutBucketAclOutput, Type,
    },
    s3_error,
};

use super::{changing_by, configure, reading, refused, settle};
use crate::s3::{
    answer::{argument, fail_base},
    call::Call,
    convert,
    ops::{stated::text, with},
};

const EVERYONE: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// A list as a request states it.
#[derive(Default)]
pub(in crate::s3) struct Stated {
    /// Its name.
    pub(in crate::s3) canned: Option<String>,
    /// The headers of grants.
    pub(in crate::s3) full_control: Option<String>,
    pub(in crate::s3) read: Option<String>,
    pub(in crate::s3) read_acp: Option<String>,
    pub(in crate::s3) write: Option<String>,
    pub(in crate::s3) write_acp: Option<String>,
}

/// Whose a list is.
#[derive(Clone, Copy)]
pub(in crate::s3) struct Owners<'a> {
    /// Of the bucket or object that the list is about.
    pub(in crate::s3) owner: &'a str,
    /// Of the bucket.
    pub(in crate::s3) bucket_owner: &'a str,
}

/// The names that `x-amz-acl` knows.
const CANNED: [&str; 8] = [
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-full-control",
    "bucket-owner-read",
    "log-delivery-write",
    "private",
    "public-read",
    "public-read-write",
];

impl Stated {
    /// Reads the headers of a request.
    pub(in crate::s3) fn of_headers(headers: &HeaderMap) -> S3Result<Self> {
        let own = |name: &str| text(headers, name).map(|t| t.map(ToOwned::to_owned));
        let canned = own("x-amz-acl")?;
        if let Some(other) = canned.as_deref().filter(|name| !CANNED.contains(name)) {
            let message = format!("The canned ACL {other:?} is not one of S3's");
            return Err(argument("x-amz-acl", other, message));
        }
        Ok(Self {
            canned,
            full_control: own("x-amz-grant-full-control")?,
            read: own("x-amz-grant-read")?,
            read_acp: own("x-amz-grant-read-acp")?,
            write: own("x-amz-grant-write")?,
            write_acp: own("x-amz-grant-write-acp")?,
        })
    }

    /// Whether nothing is stated.
    pub(in crate::s3) fn is_empty(&self) -> bool {
        self.canned.is_none() && self.grants().all(|(_, header)| header.is_none())
    }

    fn grants(&self) -> impl Iterator<Item = (AclPermission, Option<&str>)> {
        [
            (AclPermission::FullControl, &self.full_control),
            (AclPermission::Read, &self.read),
            (AclPermission::ReadAcp, &self.read_acp),
            (AclPermission::Write, &self.write),
            (AclPermission::WriteAcp, &self.write_acp),
        ]
        .into_iter()
        .map(|(permission, header)| (permission, header.as_deref()))
    }

    /// Adds the condition keys of what is stated.
    pub(in crate::s3) fn conditions(&self, ask: Ask) -> Ask {
        let ask = with(ask, "s3:x-amz-acl", self.canned.clone());
        let ask = with(ask, "s3:x-amz-grant-full-control", self.full_control.clone());
        let ask = with(ask, "s3:x-amz-grant-read", self.read.clone());
        let ask = with(ask, "s3:x-amz-grant-read-acp", self.read_acp.clone());
        let ask = with(ask, "s3:x-amz-grant-write", self.write.clone());
        with(ask, "s3:x-amz-grant-write-acp", self.write_acp.clone())
    }

    /// Whether it is what a bucket without lists still accepts: that the owner has all, or nothing.
    pub(in crate::s3) fn is_owners(&self) -> bool {
        let canned = self.canned.as_deref();
        self.grants().all(|(_, header)| header.is_none())
            && matches!(
                canned,
                None | Some("private" | "bucket-owner-full-control" | "bucket-owner-read")
            )
    }

    /// The list that it stands for; `None` if nothing is stated.
    pub(in crate::s3) fn acl(&self, owners: Owners<'_>, permit: &Permit) -> S3Result<Option<Acl>> {
        if self.is_empty() {
            return Ok(None);
        }
        let mut acl = Acl::private(owners.owner);
        if let Some(canned) = &self.canned {
            if self.grants().any(|(_, header)| header.is_some()) {
                let message = "Specifying both Canned ACLs and Header Grants is not allowed";
                return Err(refused("InvalidRequest", message));
            }
            acl.grants.extend(canned_grants(canned, owners));
            return Ok(Some(acl));
        }
        // Grants in headers are all there is: the owner is not granted anything besides.
        acl.grants.clear();
        for (permission, header) in self.grants() {
            for text in header.into_iter().flat_map(|h| h.split(',')) {
                acl.grants.push(header_grant(text, permission, permit)?);
            }
        }
        check_count(&acl)?;
        Ok(Some(acl))
    }
}

fn canned_grants(name: &str, owners: Owners<'_>) -> Vec<AclGrant> {
    let group = |grantee, permission| AclGrant::new(grantee, "", permission);
    let to_bucket_owner = |permission| {
        let other = owners.bucket_owner != owners.owner;
        other.then(|| AclGrant::new(Grantee::User, owners.bucket_owner, permission))
    };
    match name {
        "public-read" => vec![group(Grantee::Everyone, AclPermission::Read)],
        "public-read-write" => vec![
            group(Grantee::Everyone, AclPermission::Read),
            group(Grantee::Everyone, AclPermission::Write),
        ],
        "authenticated-read" => vec![group(Grantee::Authenticated, AclPermission::Read)],
        "log-delivery-write" => vec![
            group(Grantee::LogDelivery, AclPermission::Write),
            group(Grantee::LogDelivery, AclPermission::ReadAcp),
        ],
        "bucket-owner-read" => to_bucket_owner(AclPermission::Read).into_iter().collect(),
        "bucket-owner-full-control" => to_bucket_owner(AclPermission::FullControl).into_iter().collect(),
        // `private` and `aws-exec-read`; others do not come here.
        _ => vec![],
    }
}

/// One grantee of a header: `id="…"`, `uri="…"` or `emailAddress="…"`.
fn header_grant(text: &str, permission: AclPermission, permit: &Permit) -> S3Result<AclGrant> {
    let malformed = || refused("InvalidArgument", "Argument format not recognized");
    let (kind, value) = text.trim().split_once('=').ok_or_else(malformed)?;
    let value = value.trim().trim_matches('"');
    match kind.trim().to_ascii_lowercase().as_str() {
        "id" => user_grant(value, permission, permit),
        "uri" => group_grant(value, permission),
        "emailaddress" => Err(no_email()),
        _ => Err(malformed()),
    }
}

fn user_grant(id: &str, permission: AclPermission, permit: &Permit) -> S3Result<AclGrant> {
    let exists = permit.principal_exists(id).map_err(Into::into);
    if settle(permit, exists)? {
        Ok(AclGrant::new(Grantee::User, id, permission))
    } else {
        Err(refused("InvalidArgument", "Invalid id"))
    }
}

fn group_grant(uri: &str, permission: AclPermission) -> S3Result<AclGrant> {
    let grantee = match uri {
        EVERYONE => Grantee::Everyone,
        AUTHENTICATED => Grantee::Authenticated,
        LOG_DELIVERY => Grantee::LogDelivery,
        _ => return Err(refused("InvalidArgument", "Invalid group uri")),
    };
    Ok(AclGrant::new(grantee, "", permission))
}

fn no_email() -> S3Error {
    refused(
        "UnresolvableGrantByEmailAddress",
        "The e-mail address you provided does not match any account on record.",
    )
}

fn check_count(acl: &Acl) -> S3Result<()> {
    if acl.grants.len() > GRANTS_MAX {
        let message = format!("An access control list has at most {GRANTS_MAX} grants.");
        return Err(refused("InvalidRequest", message));
    }
    Ok(())
}

/// The list that a document states.
pub(in crate::s3) fn of_document(
    stated: &AccessControlPolicy,
    owner: &str,
    permit: &Permit,
) -> S3Result<Acl> {
    let named = stated.owner.as_ref().and_then(|o| o.id.as_deref());
    if named.ok_or_else(malformed)? != owner {
        return Err(denied());
    }
    let grants = stated.grants.as_deref().unwrap_or_default();
    let grants = grants
        .iter()
        .map(|g| document_grant(g, permit))
        .collect::<S3Result<_>>()?;
    let acl = Acl {
        owner: owner.to_owned(),
        grants,
    };
    check_count(&acl)?;
    Ok(acl)
}

fn malformed() -> S3Error {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    refused("MalformedACLError", message)
}

fn document_grant(grant: &Grant, permit: &Permit) -> S3Result<AclGrant> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema";
        refused("MalformedACLError", message)
    };
    let grantee = grant.grantee.as_ref().ok_or_else(malformed)?;
    let permission = grant
        .permission
        .as_ref()
        .and_then(|p| AclPermission::from_name(p.as_str()));
    let permission = permission.ok_or_else(malformed)?;
    match grantee.type_.as_str() {
        Type::CANONICAL_USER => user_grant(grantee.id.as_deref().ok_or_else(malformed)?, permission, permit),
        Type::GROUP => group_grant(grantee.uri.as_deref().ok_or_else(malformed)?, permission),
        Type::AMAZON_CUSTOMER_BY_EMAIL => Err(no_email()),
        _ => Err(malformed()),
    }
}

fn denied() -> S3Error {
    fail_base(&Error::new(Kind::Denied, "AccessDenied", "Access Denied"))
}

/// The list of an object that is written with what is stated; `None` where it is its owner's alone.
pub(in crate::s3) fn of_new_object(stated: &Stated, permit: &Permit) -> S3Result<Option<Acl>> {
    if stated.is_empty() {
        return Ok(None);
    }
    let access = settle(permit, permit.bucket_access().map_err(Into::into))?;
    if !access.ownership().has_acls() {
        return if stated.is_owners() {
            Ok(None)
        } else {
            Err(not_supported())
        };
    }
    let bucket_owner = settle(permit, permit.bucket().map_err(Into::into))?.owner.clone();
    let writer = permit.session().principal();
    let gives_away = stated.canned.as_deref() == Some("bucket-owner-full-control")
        && access.ownership() == Ownership::BucketOwnerPreferred;
    let owners = Owners {
        owner: if gives_away { &bucket_owner } else { writer },
        bucket_owner: &bucket_owner,
    };
    let Some(acl) = stated.acl(owners, permit)? else {
        return Ok(None);
    };
    check_block(access, &acl)?;
    Ok((acl != Acl::private(writer)).then_some(acl))
}

/// Refuses what a bucket does whose lists are off: all but that the owner has full control.
pub(in crate::s3) fn check_enforced(
    stated: &Stated,
    document: Option<&AccessControlPolicy>,
    owner: &str,
    permit: &Permit,
) -> S3Result<()> {
    let plain = match document {
        Some(document) => of_document(document, owner, permit)? == Acl::private(owner),
        None => stated.canned.as_deref() == Some("bucket-owner-full-control"),
    };
    if plain { Ok(()) } else { Err(not_supported()) }
}

/// Refuses a list that the bucket's public access block does.
pub(in crate::s3) fn check_block(access: &BucketAccess, acl: &Acl) -> S3Result<()> {
    if access.public_access_block().block_public_acls && acl.is_public() {
        let message = "The bucket's public access block prevents public access control lists \
                       (the BlockPublicAcls setting).";
        return Err(fail_base(&Error::new(Kind::Denied, "AccessDenied", message)));
    }
    Ok(())
}

/// What is said where lists are off.
pub(in crate::s3) fn not_supported() -> S3Error {
    s3_error!(AccessControlListNotSupported, "The bucket does not allow ACLs")
}

/// A list's grants, as `s3s` sends them.
pub(in crate::s3) fn shown(acl: &Acl) -> Vec<Grant> {
    let grant = |grant: &AclGrant| {
        let group = match grant.grantee() {
            Grantee::User => None,
            Grantee::Everyone => Some(EVERYONE),
            Grantee::Authenticated => Some(AUTHENTICATED),
            Grantee::LogDelivery => Some(LOG_DELIVERY),
        };
        let user = group.is_none().then(|| grant.id.clone());
        let kind = if group.is_some() {
            Type::GROUP
        } else {
            Type::CANONICAL_USER
        };
        Grant {
            grantee: Some(GranteeDto {
                display_name: user.clone(),
                email_address: None,
                id: user,
                type_: Type::from_static(kind),
                uri: group.map(ToOwned::to_owned),
            }),
            permission: Some(Permission::from_static(grant.permission().name())),
        }
    };
    acl.grants.iter().map(grant).collect()
}

pub(in crate::s3) async fn get(request: S3Request<GetBucketAclInput>) -> S3Result<GetBucketAclOutput> {
    let bucket = &request.input.bucket;
    let permit = reading(&request, bucket, "GetBucketAcl", "s3:GetBucketAcl").await?;
    let owner = settle(&permit, permit.bucket().map_err(Into::into))?
        .owner
        .clone();
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let acl = match access.acl().filter(|_| access.ownership().has_acls()) {
        Some(acl) => acl.clone(),
        None => Acl::private(&owner),
    };
    Ok(GetBucketAclOutput {
        grants: Some(shown(&acl)),
        owner: Some(convert::owner(&owner)),
    })
}

pub(in crate::s3) async fn put(request: S3Request<PutBucketAclInput>) -> S3Result<PutBucketAclOutput> {
    let call = Call::of(&request)?;
    let input = &request.input;
    let stated = Stated::of_headers(&request.headers)?;
    let path = ResourcePath::Bucket(convert::bucket(&input.bucket)?);
    let ask = stated.conditions(Ask::new("PutBucketAcl", "s3:PutBucketAcl", path));
    let permit = changing_by(&call, ask).await?;
    let owner = settle(&permit, permit.bucket().map_err(Into::into))?
        .owner
        .clone();
    let access = settle(&permit, permit.bucket_access().map_err(Into::into))?;
    let document = input.access_control_policy.as_ref();
    if !access.ownership().has_acls() {
        check_enforced(&stated, document, &owner, &permit)?;
        return Ok(PutBucketAclOutput {});
    }
    let acl = one_of(&stated, document, &owner, &permit)?;
    check_block(access, &acl)?;
    configure(&permit, &[ConfigurationChange::acl(&acl)]).await?;
    Ok(PutBucketAclOutput {})
}

/// The list that a request states in one of the three ways.
pub(in crate::s3) fn one_of(
    stated: &Stated,
    document: Option<&AccessControlPolicy>,
    owner: &str,
    permit: &Permit,
) -> S3Result<Acl> {
    let bucket_owner = settle(permit, permit.bucket().map_err(Into::into))?.owner.clone();
    let owners = Owners {
        owner,
        bucket_owner: &bucket_owner,
    };
    match (document, stated.acl(owners, permit)?) {
        (Some(_), Some(_)) => Err(refused(
            "UnexpectedContent",
            "This request does not support content",
        )),
        (Some(document), None) => of_document(document, owner, permit),
        (None, Some(acl)) => Ok(acl),
        (None, None) => Err(refused(
            "MissingSecurityHeader",
            "Your request was missing a required header",
        )),
    }
}
