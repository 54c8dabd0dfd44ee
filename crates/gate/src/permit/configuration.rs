//! What is configured of the bucket that a permit's path lies in.
//!
//! Invariants
//! - every permit within a bucket may read its configuration, which is part of how the bucket behaves; showing
//!   it to a client takes a permit for that;
//! - only a permit to write the bucket itself changes it, all changes of one call in one commit.

use std::sync::Arc;

use craton_base::{BucketName, Error, Kind as ErrorKind, ResourcePath, Result};
use craton_store::{
    namespace::{Kind, Precondition},
    store::Transaction,
};
use prost::Message as _;

use super::{Permit, WritePermit};
use crate::{
    access,
    bucket::{BucketInfo, Versioning},
    configuration::{
        BucketAccess, Configuration, ConfigurationChange, NAMED_MAX, NamedConfiguration, Subresource,
        state::{self, BucketState},
    },
    notice::Notice,
    policy::{Limits, ResourcePolicy, s3_actions::bucket_arn},
    scope,
};

/// How often a commit that found the bucket's own record changed is tried again.
const COMMIT_TRIES_MAX: usize = 16;

impl Permit {
    /// What the bucket has one of, as it was when the permit was made.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn configuration(&self, subresource: Subresource) -> Result<Option<Arc<Configuration>>> {
        Ok(self.state()?.document(subresource).cloned())
    }

    /// One of several, as of the newest commit.
    ///
    /// # Errors
    /// `NoSuchBucket`; the store's own.
    pub fn named_configuration(&self, subresource: Subresource, id: &str) -> Result<Option<Configuration>> {
        state::named(&self.gate.store, self.bucket()?.id, subresource, id)
    }

    /// Those after an id, in order, at most `limit` and at most [`NAMED_MAX`].
    ///
    /// # Errors
    /// `NoSuchBucket`; the store's own.
    pub fn named_configurations(
        &self,
        subresource: Subresource,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<NamedConfiguration>> {
        state::all_named(&self.gate.store, self.bucket()?.id, subresource, after, limit)
    }

    /// Who may, as the bucket's own documents say it.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket_access(&self) -> Result<&BucketAccess> {
        Ok(&self.state()?.access)
    }

    /// Whether there is a principal with this id; for checking what a list grants to.
    ///
    /// # Errors
    /// The store's own.
    pub fn principal_exists(&self, id: &str) -> Result<bool> {
        Ok(self.gate.directory.user(&self.gate.store, id)?.is_some())
    }

    /// Whether another bucket exists; for checking a name that a configuration refers to.
    ///
    /// # Errors
    /// The store's own.
    pub fn bucket_exists(&self, name: &BucketName) -> Result<bool> {
        Ok(self.gate.bucket(name)?.is_some())
    }

    /// Whether another bucket keeps versions; `None` if there is none. As [`Permit::bucket_exists`].
    ///
    /// # Errors
    /// The store's own.
    pub fn versioning_of(&self, name: &BucketName) -> Result<Option<Versioning>> {
        Ok(self.gate.bucket(name)?.map(|state| state.info.versioning))
    }
}

impl WritePermit {
    /// Changes what is configured of the bucket, all of it or nothing.
    ///
    /// # Errors
    /// `EntityTooLarge`; `MalformedConfiguration`; `TooManyConfigurations`; `NoSuchBucket`; the store's own.
    pub async fn configure(&self, changes: &[ConfigurationChange]) -> Result<()> {
        self.configure_telling(changes, None).await
    }

    /// As [`WritePermit::configure`]; someone is to be told of it.
    ///
    /// # Errors
    /// As [`WritePermit::configure`].
    pub async fn configure_telling(
        &self,
        changes: &[ConfigurationChange],
        notice: Option<Notice>,
    ) -> Result<()> {
        let ResourcePath::Bucket(name) = &self.permit.resource else {
            return Err(scope::outside(&self.permit.resource, Kind::Configuration));
        };
        let mut bucket = self.bucket()?.clone();
        for _ in 0..COMMIT_TRIES_MAX {
            let mut transaction = self.configuring(&bucket, changes)?;
            if let Some(notice) = &notice {
                transaction.puts.push(self.outbox_entry(&bucket, notice.clone())?);
            }
            match self.commit_transaction(transaction).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                other => {
                    self.permit.gate.notices.arrived();
                    return other.map(drop);
                }
            }
            // The bucket's own record has changed; the documents do not depend on what it says.
            let stored = self
                .permit
                .gate
                .store
                .get(&BucketInfo::key(name), craton_base::Sequence::MAX)?;
            let now = stored.as_ref().map(BucketInfo::from_stored).transpose()?;
            bucket = now
                .filter(|now| now.id == bucket.id)
                .ok_or_else(|| super::no_such_bucket(Some(name)))?;
        }
        let message = "The bucket is being changed by others. Try again.";
        Err(Error::new(ErrorKind::Busy, "OperationAborted", message))
    }

    fn configuring(&self, bucket: &BucketInfo, changes: &[ConfigurationChange]) -> Result<Transaction> {
        let mut transaction = Transaction::default();
        let unmoved = Precondition::At(BucketInfo::key(&bucket.name), bucket.sequence);
        transaction.preconditions.push(unmoved);
        for change in changes {
            let key = change.key(bucket.id);
            match change.value(self.now())? {
                Some(value) => transaction.puts.push((key, value)),
                None => transaction.deletes.push(key),
            }
        }
        Ok(transaction)
    }

    /// Sets the labels of the graph that the permit is for, as a whole.
    ///
    /// # Errors
    /// `InvalidLabel`; `EntityTooLarge`; `Busy` while others change the bucket; the store's own.
    pub async fn set_graph_labels(&self, labels: &[String]) -> Result<()> {
        let path = &self.permit.resource;
        let graph = match path {
            ResourcePath::Facts(_, facts) if facts.prefix().is_empty() => facts.graph(),
            _ => return Err(scope::outside(path, Kind::Configuration)),
        };
        let name = &self.bucket()?.name;
        for _ in 0..COMMIT_TRIES_MAX {
            let state = BucketState::load(&self.permit.gate.store, name)?;
            let state = state.ok_or_else(|| super::no_such_bucket(Some(name)))?;
            let all = state.access.all_graph_labels().with(graph, labels)?;
            let change = ConfigurationChange::set(Subresource::GraphLabels, all.encode_to_vec());
            let mut transaction = self.configuring(&state.info, std::slice::from_ref(&change))?;
            let key = change.key(state.info.id);
            let before = state.document(Subresource::GraphLabels);
            transaction.preconditions.push(match before {
                Some(before) => Precondition::At(key, before.sequence()),
                None => Precondition::Absent(key),
            });
            match self.commit_transaction(transaction).await {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                other => return other.map(drop),
            }
        }
        let message = "The bucket is being changed by others. Try again.";
        Err(Error::new(ErrorKind::Busy, "OperationAborted", message))
    }

    /// Whether one more of several fits into the bucket.
    ///
    /// # Errors
    /// `TooManyConfigurations`; the store's own.
    pub fn require_room(&self, subresource: Subresource, id: &str) -> Result<()> {
        let all = self.named_configurations(subresource, None, NAMED_MAX)?;
        if all.len() < NAMED_MAX || all.iter().any(|named| named.id == id) {
            return Ok(());
        }
        let message = format!("A bucket has at most {NAMED_MAX} configurations of one kind.");
        Err(Error::new(ErrorKind::Invalid, "TooManyConfigurations", message))
    }

    /// Sets the bucket policy. A policy that the bucket's public access block refuses, or one that would take
    /// the right to change it from the caller who has not confirmed that, is refused.
    ///
    /// # Errors
    /// `MalformedPolicy`; `AccessDenied`; those of [`WritePermit::configure`].
    pub async fn set_policy(&self, document: bytes::Bytes, confirmed: bool) -> Result<()> {
        let bucket = &self.bucket()?.name;
        let policy = ResourcePolicy::of_bucket(&document, &Limits::default(), &bucket_arn(bucket))?;
        if self.bucket_access()?.public_access_block().block_public_policy && policy.is_public() {
            let message = "The bucket's public access block prevents public policies \
                           (the BlockPublicPolicy setting).";
            return Err(Error::new(ErrorKind::Denied, "AccessDenied", message));
        }
        if !confirmed && access::locks_out(self.session(), &policy, &self.permit.resource) {
            let message = "The policy would take the right to change it from you. \
                           Confirm with x-amz-confirm-remove-self-bucket-access.";
            return Err(Error::new(ErrorKind::Denied, "AccessDenied", message));
        }
        self.configure(&[ConfigurationChange::set(Subresource::Policy, document)])
            .await
    }
}
