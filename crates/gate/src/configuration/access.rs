//! The documents that decide who may: bucket policy, public access block, ownership, access control list,
//! cross-origin rules; compiled together once for each change.

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};
use prost::Message;

use super::{Acl, Configuration, Cors, DefaultEncryption, GraphLabels, Subresource, acl, cors, encryption};
use crate::{
    past,
    policy::{Limits, ResourcePolicy},
    shield::Shield,
};

/// Who owns the objects of a bucket, and with that whether access control lists mean anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ownership {
    /// The bucket's owner; lists are off. What a new bucket has.
    BucketOwnerEnforced,
    /// The bucket's owner, if the writer grants full control; lists are on.
    BucketOwnerPreferred,
    /// Who writes them; lists are on. What a bucket without a statement has.
    ObjectWriter,
}

impl Ownership {
    /// S3's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BucketOwnerEnforced => "BucketOwnerEnforced",
            Self::BucketOwnerPreferred => "BucketOwnerPreferred",
            Self::ObjectWriter => "ObjectWriter",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::BucketOwnerEnforced,
            Self::BucketOwnerPreferred,
            Self::ObjectWriter,
        ]
        .into_iter()
        .find(|o| o.name() == name)
    }

    /// Whether access control lists count.
    #[must_use]
    pub fn has_acls(self) -> bool {
        self != Self::BucketOwnerEnforced
    }
}

/// Which public access is blocked, whatever policies and lists say.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct PublicAccessBlock {
    /// Lists that grant public access are refused.
    #[prost(bool, tag = "1")]
    pub block_public_acls: bool,
    /// Public grants in lists do not count.
    #[prost(bool, tag = "2")]
    pub ignore_public_acls: bool,
    /// Policies that grant public access are refused.
    #[prost(bool, tag = "3")]
    pub block_public_policy: bool,
    /// What a public policy allows counts only for the account's own users.
    #[prost(bool, tag = "4")]
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All of it: what a new bucket has.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
}

/// Who may, as the bucket's own documents say it.
#[derive(Debug, Default)]
pub struct BucketAccess {
    ownership: Option<Ownership>,
    block: PublicAccessBlock,
    policy: Option<ResourcePolicy>,
    acl: Option<Acl>,
    cors: Option<Cors>,
    encryption: Option<DefaultEncryption>,
    requester_pays: bool,
    graph_labels: GraphLabels,
    shield: Option<Shield>,
}

impl BucketAccess {
    /// Who owns objects.
    #[must_use]
    pub fn ownership(&self) -> Ownership {
        self.ownership.unwrap_or(Ownership::ObjectWriter)
    }

    /// Which public access is blocked.
    #[must_use]
    pub const fn public_access_block(&self) -> PublicAccessBlock {
        self.block
    }

    /// The bucket policy.
    #[must_use]
    pub const fn policy(&self) -> Option<&ResourcePolicy> {
        self.policy.as_ref()
    }

    /// The bucket's access control list, where one other than the owner's alone was set.
    #[must_use]
    pub const fn acl(&self) -> Option<&Acl> {
        self.acl.as_ref()
    }

    /// The cross-origin rules.
    #[must_use]
    pub const fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// How what is written without saying so is encrypted.
    #[must_use]
    pub fn encryption(&self) -> DefaultEncryption {
        self.encryption.clone().unwrap_or_else(DefaultEncryption::unset)
    }

    /// Whether who asks pays, which nobody without a name can.
    #[must_use]
    pub const fn requester_pays(&self) -> bool {
        self.requester_pays
    }

    /// What agents may not destroy alone.
    #[must_use]
    pub const fn shield(&self) -> Option<Shield> {
        self.shield
    }

    /// The labels of the graph that a path is about; none of another path.
    #[must_use]
    pub fn graph_labels(&self, path: &ResourcePath) -> &[String] {
        match path {
            ResourcePath::Facts(_, facts) => self.graph_labels.of(facts.graph()),
            _ => &[],
        }
    }

    /// The labels of all graphs.
    pub(crate) const fn all_graph_labels(&self) -> &GraphLabels {
        &self.graph_labels
    }

    /// Another policy instead, to be tried.
    pub(crate) fn replace_policy(&mut self, policy: Option<ResourcePolicy>) {
        self.policy = policy;
    }

    /// Takes one document in.
    pub(super) fn take(&mut self, subresource: Subresource, configuration: &Configuration) -> Result<()> {
        let document = configuration.document();
        match subresource {
            Subresource::Ownership => self.ownership = Some(ownership(document)?),
            Subresource::PublicAccessBlock => self.block = block(document)?,
            Subresource::Policy => self.policy = Some(policy(document)?),
            Subresource::Acl => self.acl = Some(acl::parse(document)?),
            Subresource::Cors => self.cors = Some(cors::parse(document)?),
            Subresource::Encryption => self.encryption = Some(encryption::parse(document)?),
            Subresource::GraphLabels => self.graph_labels = GraphLabels::parse(document)?,
            Subresource::Shield => self.shield = Some(Shield::parse(document)?),
            Subresource::RequestPayment => self.requester_pays = &**document == b"Requester",
            _ => {}
        }
        Ok(())
    }
}

/// Refuses a document of the gate's that the gate could not read again.
pub(super) fn check(subresource: Subresource, document: &Bytes) -> Result<()> {
    match subresource {
        Subresource::Ownership => ownership(document).map(drop),
        Subresource::PublicAccessBlock => block(document).map(drop),
        Subresource::Policy => policy(document).map(drop),
        Subresource::Acl => acl::parse(document).map(drop),
        Subresource::Cors => cors::parse(document).map(drop),
        Subresource::Encryption => encryption::parse(document).map(drop),
        Subresource::GraphLabels => GraphLabels::parse(document).map(drop),
        Subresource::UndoWindow => past::parse(document).map(drop),
        Subresource::Shield => Shield::parse(document).map(drop),
        _ => Ok(()),
    }
}

fn ownership(document: &Bytes) -> Result<Ownership> {
    std::str::from_utf8(document)
        .ok()
        .and_then(Ownership::from_name)
        .ok_or_else(|| malformed("an ownership"))
}

fn block(document: &Bytes) -> Result<PublicAccessBlock> {
    PublicAccessBlock::decode(document.clone()).map_err(|e| malformed("a public access block").with_source(e))
}

fn policy(document: &Bytes) -> Result<ResourcePolicy> {
    ResourcePolicy::parse(document, &Limits::default())
}

pub(super) fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        "MalformedConfiguration",
        format!("the document is not {what}"),
    )
}
