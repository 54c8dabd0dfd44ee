//! Access control lists: who may do what with a bucket or an object, S3's oldest way to say it.
//!
//! Invariant: a list only adds; it counts where the bucket's ownership lets it and no policy denies.
//!
//! A list's owner has what the policies say, no more: like an account in AWS, which a grant to itself gives
//! nothing new. Grants to others name them by the id that is shown as owner.
//!
//! Source of the table: Amazon S3 User Guide, "Access control list (ACL) overview", "Mapping of ACL
//! permissions and access policy permissions".

use bytes::Bytes;
use craton_base::{Error, Result};
use prost::{Enumeration, Message};

use super::access::malformed;
use crate::policy::Caller;

/// The most grants in one list.
pub const GRANTS_MAX: usize = 100;

/// The kinds of grantees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Enumeration)]
#[repr(i32)]
pub enum Grantee {
    /// A principal, by the id that is shown as an owner's.
    User = 0,
    /// Everyone, without credentials too: the group `AllUsers`.
    Everyone = 1,
    /// Everyone with credentials: the group `AuthenticatedUsers`.
    Authenticated = 2,
    /// Who writes access logs: the group `LogDelivery`.
    LogDelivery = 3,
}

/// What is granted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Enumeration)]
#[repr(i32)]
pub enum AclPermission {
    /// All of the others.
    FullControl = 0,
    /// Listing a bucket, reading an object.
    Read = 1,
    /// Writing into a bucket.
    Write = 2,
    /// Reading the list.
    ReadAcp = 3,
    /// Writing the list.
    WriteAcp = 4,
}

/// A list.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Acl {
    /// Whose the bucket or object is.
    #[prost(string, tag = "1")]
    pub owner: String,
    /// Who may what.
    #[prost(message, repeated, tag = "2")]
    pub grants: Vec<AclGrant>,
}

/// One grant.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AclGrant {
    /// To what kind of grantee: a [`Grantee`].
    #[prost(enumeration = "Grantee", tag = "1")]
    pub grantee: i32,
    /// The id of a [`Grantee::User`].
    #[prost(string, tag = "2")]
    pub id: String,
    /// What: an [`AclPermission`].
    #[prost(enumeration = "AclPermission", tag = "3")]
    pub permission: i32,
}

impl AclPermission {
    /// S3's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullControl => "FULL_CONTROL",
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::FullControl,
            Self::Read,
            Self::Write,
            Self::ReadAcp,
            Self::WriteAcp,
        ]
        .into_iter()
        .find(|p| p.name() == name)
    }
}

impl AclGrant {
    /// A grant.
    #[must_use]
    pub fn new(grantee: Grantee, id: &str, permission: AclPermission) -> Self {
        Self {
            grantee: grantee.into(),
            id: id.to_owned(),
            permission: permission.into(),
        }
    }

    fn is_public(&self) -> bool {
        matches!(self.grantee(), Grantee::Everyone | Grantee::Authenticated)
    }

    fn is_for(&self, caller: &Caller<'_>) -> bool {
        match self.grantee() {
            Grantee::Everyone => true,
            Grantee::Authenticated => !matches!(caller, Caller::Anonymous),
            Grantee::User => caller.id() == Some(&*self.id),
            Grantee::LogDelivery => false,
        }
    }
}

impl Acl {
    /// The owner's alone.
    #[must_use]
    pub fn private(owner: &str) -> Self {
        Self {
            owner: owner.to_owned(),
            grants: vec![AclGrant::new(Grantee::User, owner, AclPermission::FullControl)],
        }
    }

    /// Whether only the owner is granted anything.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.grants
            .iter()
            .all(|g| g.grantee() == Grantee::User && g.id == self.owner)
    }

    /// Whether it grants anything to everyone, or to everyone with credentials.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.grants.iter().any(AclGrant::is_public)
    }

    /// What grants `action` to `caller`, public grants left out if they are to be ignored. `allows` is
    /// the table of a bucket's list or of an object's.
    pub(crate) fn granting(
        &self,
        caller: &Caller<'_>,
        action: &str,
        ignore_public: bool,
        allows: fn(AclPermission, &str) -> bool,
    ) -> Option<AclPermission> {
        self.grants
            .iter()
            .filter(|g| !(ignore_public && g.is_public()))
            .filter(|g| g.is_for(caller) && !(g.grantee() == Grantee::User && g.id == self.owner))
            .map(AclGrant::permission)
            .find(|permission| allows(*permission, action))
    }
}

/// What a permission in a bucket's list allows.
pub(crate) fn bucket_allows(permission: AclPermission, action: &str) -> bool {
    let read = matches!(
        action,
        "s3:ListBucket" | "s3:ListBucketVersions" | "s3:ListBucketMultipartUploads"
    );
    let write = matches!(
        action,
        "s3:PutObject" | "s3:DeleteObject" | "s3:AbortMultipartUpload" | "s3:ListMultipartUploadParts"
    );
    allows(
        permission,
        read,
        write,
        action == "s3:GetBucketAcl",
        action == "s3:PutBucketAcl",
    )
}

/// What a permission in an object's list allows.
pub(crate) fn object_allows(permission: AclPermission, action: &str) -> bool {
    let read = matches!(action, "s3:GetObject" | "s3:GetObjectVersion");
    let read_acp = matches!(action, "s3:GetObjectAcl" | "s3:GetObjectVersionAcl");
    let write_acp = matches!(action, "s3:PutObjectAcl" | "s3:PutObjectVersionAcl");
    allows(permission, read, false, read_acp, write_acp)
}

/// Whether an object's list can allow an action at all.
pub(crate) fn is_of_object(action: &str) -> bool {
    object_allows(AclPermission::FullControl, action)
}

/// The list in an object's description, which is the engine's but for this field.
#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(message, optional, tag = "16")]
    acl: Option<Acl>,
}

/// The list that an object's description holds.
///
/// # Errors
/// `Corrupt` if it is no description.
pub(crate) fn of_object(description: &Bytes) -> Result<Option<Acl>> {
    let described = Described::decode(description.clone())
        .map_err(|e| Error::corrupt("an object's description does not parse").with_source(e))?;
    Ok(described.acl)
}

fn allows(permission: AclPermission, read: bool, write: bool, read_acp: bool, write_acp: bool) -> bool {
    match permission {
        AclPermission::FullControl => read || write || read_acp || write_acp,
        AclPermission::Read => read,
        AclPermission::Write => write,
        AclPermission::ReadAcp => read_acp,
        AclPermission::WriteAcp => write_acp,
    }
}

/// Reads a stored list.
pub(crate) fn parse(document: &Bytes) -> Result<Acl> {
    let acl =
        Acl::decode(document.clone()).map_err(|e| malformed("an access control list").with_source(e))?;
    if acl.grants.len() > GRANTS_MAX {
        return Err(malformed("an access control list: it has too many grants"));
    }
    // A number that is none of ours would read as the first, which grants all.
    let known =
        |g: &AclGrant| Grantee::try_from(g.grantee).is_ok() && AclPermission::try_from(g.permission).is_ok();
    if !acl.grants.iter().all(known) {
        return Err(malformed("an access control list: a grant is not known"));
    }
    Ok(acl)
}
