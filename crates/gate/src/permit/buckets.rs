//! Making, changing and deleting the bucket that a permit's path names.
//!
//! Invariant: a bucket's entry and its key are made in one commit, and it is deleted only while it is empty.

use craton_base::{BranchId, Error, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_store::{
    namespace::{Kind, Precondition, Span},
    store::Transaction,
};

use super::WritePermit;
use crate::{
    bucket::BucketInfo,
    configuration::{ConfigurationChange, state},
    scope,
};

impl WritePermit {
    /// Makes the bucket that the permit's path names, configured like this from its first moment.
    ///
    /// # Errors
    /// `Exists`, `BucketAlreadyExists`; those of [`WritePermit::configure`]; the store's own.
    pub async fn create_bucket(&self, configurations: &[ConfigurationChange]) -> Result<BucketInfo> {
        let gate = &self.permit.gate;
        let ResourcePath::Bucket(name) = &self.permit.resource else {
            return Err(scope::outside(&self.permit.resource, Kind::Bucket));
        };
        let info = BucketInfo {
            name: name.clone(),
            id: gate.store.make_bucket_id()?,
            created: self.now(),
            owner: self.permit.session.principal().to_owned(),
            region: gate.settings.region.clone(),
            strict: false,
            sequence: Sequence::default(),
        };
        let key = BucketInfo::key(name);
        let mut transaction = Transaction::default();
        transaction.preconditions.push(Precondition::Absent(key.clone()));
        transaction.puts.push((key, info.to_value()));
        transaction.plain.push(gate.store.make_bucket_key(info.id)?);
        for change in configurations {
            if let Some(value) = change.value(self.now())? {
                transaction.puts.push((change.key(info.id), value));
            }
        }
        let exists = |e: Error| match e.kind() {
            ErrorKind::Precondition => Error::new(
                ErrorKind::Exists,
                "BucketAlreadyExists",
                format!("the bucket {name} exists already"),
            ),
            _ => e,
        };
        let committed = self.commit_transaction(transaction).await.map_err(exists)?;
        Ok(BucketInfo {
            sequence: committed.sequence,
            ..info
        })
    }

    /// Changes whether reads of the bucket are recorded durably before their first byte.
    ///
    /// # Errors
    /// `NoSuchBucket`; the store's own.
    pub async fn set_strict(&self, strict: bool) -> Result<()> {
        let bucket = self.bucket()?;
        let key = BucketInfo::key(&bucket.name);
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::At(key.clone(), bucket.sequence));
        transaction.puts.push((
            key,
            BucketInfo {
                strict,
                ..bucket.clone()
            }
            .to_value(),
        ));
        self.commit_transaction(transaction).await.map(drop)
    }

    /// Deletes the bucket, which must be empty.
    ///
    /// # Errors
    /// `Precondition`, `BucketNotEmpty`; `NoSuchBucket`; the store's own.
    pub async fn delete_bucket(&self) -> Result<()> {
        let bucket = self.bucket()?;
        let key = BucketInfo::key(&bucket.name);
        let mut transaction = Transaction::default();
        transaction
            .preconditions
            .push(Precondition::At(key.clone(), bucket.sequence));
        for kind in [Kind::Object, Kind::Upload, Kind::Graph] {
            let (start, end) = scope::clip(&self.permit.resource, kind, b"", None)?;
            let span = Span {
                bucket: bucket.id,
                branch: BranchId::MAIN,
                kind,
                start,
                end,
            };
            transaction.preconditions.push(Precondition::Empty(span));
        }
        transaction.deletes.push(key);
        transaction
            .deletes
            .extend(state::keys(&self.permit.gate.store, bucket.id)?);
        match self.commit_transaction(transaction).await {
            Err(e) if e.kind() == ErrorKind::Precondition => Err(Error::new(
                ErrorKind::Precondition,
                "BucketNotEmpty",
                format!("the bucket {} is not empty", bucket.name),
            )),
            other => other.map(drop),
        }
    }
}
