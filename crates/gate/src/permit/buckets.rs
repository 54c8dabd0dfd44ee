//! Making, changing and deleting the bucket that a permit's path names.
//!
//! Invariant: a bucket's entry and its key are made in one commit, and it is deleted only while it is empty.

use craton_base::{BranchId, Error, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_store::{
    namespace::{Committed, Kind, Precondition, Span},
    store::Transaction,
};

use super::{WritePermit, no_such_bucket};
use crate::{
    bucket::{BucketInfo, BucketSettings},
    configuration::{ConfigurationChange, state},
    scope,
};

/// How often a commit is tried again because the bucket's own entry was changed meanwhile.
pub(super) const BUCKET_TRIES_MAX: usize = 32;

impl WritePermit {
    /// Makes the bucket that the permit's path names, configured like this from its first moment.
    ///
    /// # Errors
    /// `Exists`, `BucketAlreadyExists`; those of [`WritePermit::configure`]; the store's own.
    pub async fn create_bucket(
        &self,
        settings: BucketSettings,
        configurations: &[ConfigurationChange],
    ) -> Result<BucketInfo> {
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
            strict: settings.strict,
            versioning: settings.versioning,
            lock: settings.lock,
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

    /// Changes the bucket's settings to what `change` makes of them as they are, against which it may be tried
    /// several times.
    ///
    /// # Errors
    /// What `change` says; `NoSuchBucket`; the store's own.
    pub async fn change_bucket<E: From<Error>>(
        &self,
        change: impl Fn(BucketSettings) -> Result<BucketSettings, E>,
    ) -> Result<BucketInfo, E> {
        let mut bucket = self.bucket()?.clone();
        for _ in 0..BUCKET_TRIES_MAX {
            let changed = bucket.with(change(bucket.settings())?);
            let key = BucketInfo::key(&bucket.name);
            let mut transaction = Transaction::default();
            transaction
                .preconditions
                .push(Precondition::At(key.clone(), bucket.sequence));
            transaction.puts.push((key, changed.to_value()));
            match self.commit_transaction(transaction).await {
                Err(e) if e.kind() == ErrorKind::Precondition => bucket = self.moved(&bucket, e)?,
                Err(e) => return Err(e.into()),
                Ok(Committed { sequence, .. }) => return Ok(BucketInfo { sequence, ..changed }),
            }
        }
        Err(bucket_is_busy(&bucket).into())
    }

    /// The bucket as it is now, if a commit failed because its entry has another sequence; else that failure.
    pub(super) fn moved(&self, before: &BucketInfo, failed: Error) -> Result<BucketInfo> {
        // From the store: what the gate keeps of a bucket is let go of after the commit that changed it.
        let store = &self.permit.gate.store;
        let now = store.get(&BucketInfo::key(&before.name), Sequence::MAX)?;
        match now.as_ref().map(BucketInfo::from_stored).transpose()? {
            Some(now) if now.id != before.id => Err(no_such_bucket(Some(&before.name))),
            Some(now) if now.sequence == before.sequence => Err(failed),
            Some(now) => Ok(now),
            None => Err(no_such_bucket(Some(&before.name))),
        }
    }

    /// Whether the bucket holds nothing but uploads that are open, or not even these.
    ///
    /// # Errors
    /// `NoSuchBucket`; the store's own.
    pub async fn holds_only_uploads(&self) -> Result<bool> {
        let mut transaction = Transaction::default();
        for kind in [Kind::Object, Kind::Graph] {
            transaction.preconditions.push(self.is_empty(kind)?);
        }
        let store = self.permit.gate.store.clone();
        match store.commit(transaction).await {
            Err(e) if e.kind() == ErrorKind::Precondition => Ok(false),
            other => other.map(|_| true),
        }
    }

    /// That the bucket holds nothing of this kind.
    fn is_empty(&self, kind: Kind) -> Result<Precondition> {
        let (start, end) = scope::clip(&self.permit.resource, kind, b"", None)?;
        Ok(Precondition::Empty(Span {
            bucket: self.bucket()?.id,
            branch: BranchId::MAIN,
            kind,
            start,
            end,
        }))
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
        for kind in [Kind::Object, Kind::Upload, Kind::Graph, Kind::TableNamespace] {
            transaction.preconditions.push(self.is_empty(kind)?);
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

pub(super) fn bucket_is_busy(bucket: &BucketInfo) -> Error {
    Error::new(
        ErrorKind::Busy,
        "OperationAborted",
        format!("the settings of the bucket {} change all the time", bucket.name),
    )
}
