//! Commits through a permit: each carries its record, lies under the permit's path, and is of the bucket as it is.
//!
//! Invariant: whoever changes what requests know of a bucket, of who may do what, or of named keys makes the gate forget
//! what it knew, in the task that commits.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use craton_base::{Error, Kind as ErrorKind, ResourcePath, Result};
use craton_store::{
    namespace::{Change, Committed, Key, Kind, Precondition},
    store::Transaction,
    value::Value,
};

use super::{
    Permit, WritePermit,
    buckets::{BUCKET_TRIES_MAX, bucket_is_busy},
};
use crate::{
    bucket::BucketInfo,
    changes::{Changes, Expectation, Says},
    directory::is_of_directory,
    ledger::{Effect, RecordKind, Verdict},
    lineage::pending_columns,
    shield::{Approved, Destroyed},
    tables,
};

/// How long a commit waits for work of the server itself that is in its way.
const PATIENCE: Duration = Duration::from_secs(60);

impl WritePermit {
    /// Makes the changes, with their record, durable and visible when it returns. They are those of whatever
    /// settings the bucket has; see [`WritePermit::commit_with`] for others.
    ///
    /// # Errors
    /// `Precondition` if an expectation does not hold: read again and retry. `Busy` if a lease of
    /// another covers the path. `OutsidePermit`; the store's own.
    pub async fn commit(&self, changes: Changes) -> Result<Committed> {
        let done: Result<_> = self.commit_with(|_| Ok(changes.clone())).await;
        done.map(|(committed, _)| committed)
    }

    /// Makes the changes that `build` gives for the bucket as it is when they are committed: if its settings
    /// change in between, they are built again. Gives that bucket back with the commit.
    ///
    /// # Errors
    /// What `build` says; as [`WritePermit::commit`].
    pub async fn commit_with<E: From<Error>>(
        &self,
        build: impl Fn(&BucketInfo) -> Result<Changes, E>,
    ) -> Result<(Committed, BucketInfo), E> {
        let mut bucket = self.bucket()?.clone();
        for _ in 0..BUCKET_TRIES_MAX {
            let changes = build(&bucket)?;
            let is_told = !changes.notices.is_empty();
            let is_copied = !changes.copies.is_empty();
            let says = changes.says;
            let mut transaction = self.transaction(changes)?;
            transaction
                .preconditions
                .push(Precondition::At(BucketInfo::key(&bucket.name), bucket.sequence));
            match self.commit_checked(transaction, says).await {
                Err(e) if e.kind() == ErrorKind::Precondition => bucket = self.moved(&bucket, e)?,
                Err(e) => return Err(e.into()),
                Ok(committed) => {
                    if is_told {
                        self.gate.notices.arrived();
                    }
                    if is_copied {
                        self.gate.copies.arrived();
                    }
                    return Ok((committed, bucket));
                }
            }
        }
        Err(bucket_is_busy(&bucket).into())
    }

    /// Makes the changes together with those of other permits of the same session in the same bucket, each with its own record: all of
    /// them or none. Who changes more than one path so has borrowed all of them ([`WritePermit::hold_with`]).
    ///
    /// # Errors
    /// As [`WritePermit::commit`]; `Internal` for a permit of another bucket.
    pub async fn commit_with_others(
        &self,
        changes: &Changes,
        others: &[(&WritePermit, Changes)],
    ) -> Result<Committed> {
        let mut bucket = self.bucket()?.clone();
        for _ in 0..BUCKET_TRIES_MAX {
            let mut transaction = self.transaction(changes.clone())?;
            let done = Done::of(&transaction);
            let mut destroyed = self.destroyed(&transaction, changes.says)?;
            for (other, changes) in others {
                if other.bucket()?.id != bucket.id {
                    return Err(Error::internal("permits of two buckets do not commit together"));
                }
                let says = changes.says;
                let of_other = other.transaction(changes.clone())?;
                destroyed.extend(other.destroyed(&of_other, says)?);
                let record = other.write_record(&Done::of(&of_other), None)?;
                transaction.join(of_other);
                transaction.plain.push(record);
            }
            let is_same = Precondition::At(BucketInfo::key(&bucket.name), bucket.sequence);
            transaction.preconditions.push(is_same);
            let with = others.iter().map(|(other, _)| other.permit.clone()).collect();
            match self.commit_joined(transaction, (done, destroyed), with).await {
                Err(e) if e.kind() == ErrorKind::Precondition => bucket = self.moved(&bucket, e)?,
                done => return done,
            }
        }
        Err(bucket_is_busy(&bucket))
    }

    /// For who makes several commits of one operation: asks before the first what the shield says of these changes, which are the last
    /// of them. Once they are approved, those before them pass too.
    ///
    /// # Errors
    /// `Denied`, [`crate::OPERATION_PENDING`].
    pub async fn pass_ahead(&self, changes: &Changes) -> Result<()> {
        let transaction = self.transaction(changes.clone())?;
        let destroyed = self.destroyed(&transaction, changes.says)?;
        if self.pass_shield(&destroyed).await?.is_some() {
            self.passed_ahead.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The record of a commit that is about to be made, for that commit.
    fn write_record(&self, done: &Done, approved: Option<&Approved>) -> Result<Change> {
        let permit = &self.permit;
        let (mut record, bytes) = {
            let outcome = permit.outcome.lock();
            (outcome.record.clone(), outcome.bytes())
        };
        record.kind = RecordKind::Write.into();
        record.effect = done.effect.into();
        record.version = done.version;
        record.verdict = Verdict::Allow.into();
        record.bytes = bytes;
        record.lease_token = permit.gate.lending.token_of(&permit.session).unwrap_or_default();
        permit.describe(&mut record);
        permit.end(&mut record, None);
        if let Some(approved) = approved {
            approved.describe(&mut record);
        }
        if let (true, Some(bucket)) = (tables::is_catalog(&permit.resource), permit.resource.bucket())
            && record.writes.is_empty()
        {
            let path = |id: &String| tables::table(bucket.clone(), id).to_string();
            record.writes = done.tables.iter().map(path).collect();
        }
        permit.gate.ledger.write_change(&mut record)
    }

    /// Commits with the record, once the path is free of other holders' leases. Goes on to its end, with the
    /// claim held and the outcome noted, if the caller stops waiting.
    pub(crate) async fn commit_transaction(&self, transaction: Transaction) -> Result<Committed> {
        self.commit_checked(transaction, Says::Nothing).await
    }

    /// The same, with what is said of the changes.
    async fn commit_checked(&self, transaction: Transaction, says: Says) -> Result<Committed> {
        let done = Done::of(&transaction);
        let destroyed = self.destroyed(&transaction, says)?;
        self.commit_joined(transaction, (done, destroyed), Vec::new())
            .await
    }

    /// The same; `others` have their changes and records in it too, and end with it.
    async fn commit_joined(
        &self,
        mut transaction: Transaction,
        (done, destroyed): (Done, Vec<Destroyed>),
        others: Vec<Arc<Permit>>,
    ) -> Result<Committed> {
        let permit = self.permit.clone();
        let approved = self.pass_shield(&destroyed).await?;
        // Who changes facts or several tables has borrowed them for longer, and what changes no facts needs nobody's stillness.
        let claim = match &permit.resource {
            ResourcePath::Facts(..) => None,
            _ if permit.holds() => None,
            path => Some(
                permit
                    .gate
                    .lending
                    .claim(&permit.session, path, PATIENCE, permit.now())
                    .await?,
            ),
        };
        if !permit.gate.is_in_force(&permit.session)? {
            let text = "the session ended while the request was under way";
            return Err(Error::new(ErrorKind::Denied, "AccessDenied", text));
        }
        self.seal(
            &mut transaction,
            &done,
            approved.map(|approved| (approved, &*destroyed)),
        )?;
        let changes_bucket = changes_bucket(&transaction);
        let makes_version = transaction.puts.iter().any(|(key, _)| key.kind == Kind::Graph);
        let changes_directory = changes_directory(&transaction);
        let changes_keys = changes_keys(&transaction);
        let task = tokio::spawn(async move {
            let committed = permit.gate.store.commit(transaction).await;
            if changes_bucket && let Some(bucket) = permit.resource.bucket() {
                // Also after an error: what it left is decided by what is read next.
                permit.gate.buckets.forget(bucket);
            }
            if changes_directory {
                permit.gate.directory.forget();
            }
            if changes_keys {
                permit.gate.local_keys.forget();
            }
            let committed = committed?;
            for ended in others.iter().chain([&permit]) {
                ended.outcome.lock().close();
            }
            drop(claim);
            Ok(committed)
        });
        let done = task
            .await
            .map_err(|e| Error::internal("a commit's task ended").with_source(e))?;
        if let Ok(committed) = &done
            && makes_version
        {
            self.made(committed.sequence);
        }
        done
    }

    /// Puts into a transaction what goes with it: its record, the columns of what it makes, the approval that it uses up.
    fn seal(
        &self,
        transaction: &mut Transaction,
        done: &Done,
        approved: Option<(Approved, &[Destroyed])>,
    ) -> Result<()> {
        let permit = &self.permit;
        let record = self.write_record(done, approved.as_ref().map(|(approved, _)| approved))?;
        if done.effect == Effect::Made
            && let Some(columns) = permit.columns.lock().clone()
            && let Change::Put(key, _) = &record
        {
            transaction
                .plain
                .push(Change::Put(pending_columns(&key.name), columns));
        }
        if let Some((approved, destroyed)) = approved {
            approved.use_up(transaction, destroyed);
        }
        if let Some(once) = &*permit.once.lock() {
            once.put(transaction);
        }
        transaction.plain.push(record);
        Ok(())
    }

    pub(super) fn transaction(&self, changes: Changes) -> Result<Transaction> {
        let mut out = Transaction::default();
        for (kind, name, expectation) in changes.expectations {
            let key = self.key(kind, &name)?;
            out.preconditions.push(match expectation {
                Expectation::Absent => Precondition::Absent(key),
                Expectation::Present => Precondition::Present(key),
                Expectation::At(sequence) => Precondition::At(key, sequence),
                Expectation::UnchangedSince(sequence) => Precondition::UnchangedSince(key, sequence),
                Expectation::Revision(version, revision) => Precondition::Revision(key, version, revision),
            });
        }
        for (kind, name, value) in changes.puts {
            out.puts.push((self.key(kind, &name)?, value));
        }
        for (kind, name) in changes.deletes {
            out.deletes.push(self.key(kind, &name)?);
        }
        for (kind, name, value) in changes.marks {
            out.marks.push((self.key(kind, &name)?, value));
        }
        for (stored, value) in changes.amends {
            self.reached(&stored)?;
            out.amends.push((stored, value));
        }
        for stored in changes.removes {
            self.reached(&stored)?;
            out.removes.push(stored);
        }
        for notice in changes.notices {
            out.puts.push(self.outbox_entry(self.bucket()?, notice)?);
        }
        for copy in changes.copies {
            out.puts.push(self.queue_entry(self.bucket()?, copy)?);
        }
        for queued in changes.settled {
            out.deletes.push(self.queued(queued)?);
        }
        Ok(out)
    }
}

/// What a commit does to versions of its permit's resource, for its record.
struct Done {
    effect: Effect,
    /// The version that it erases; 0 if the commit itself is the version.
    version: u64,
    /// The ids of tables that it makes or changes.
    tables: Vec<String>,
}

impl Done {
    fn of(transaction: &Transaction) -> Self {
        let is_data = |key: &Key| matches!(key.kind, Kind::Object | Kind::Graph | Kind::Table);
        let puts = |all: &[(Key, Value)]| all.iter().any(|(key, _)| is_data(key));
        let removed = transaction.removes.iter().find(|stored| is_data(&stored.key));
        let (effect, version) = match removed {
            _ if puts(&transaction.puts) => (Effect::Made, 0),
            Some(removed) => (Effect::Deleted, removed.sequence.0),
            None if transaction.deletes.iter().any(is_data) || puts(&transaction.marks) => {
                (Effect::Deleted, 0)
            }
            None => (Effect::Nothing, 0),
        };
        let tables = transaction.puts.iter().filter(|(key, _)| key.kind == Kind::Table);
        Self {
            effect,
            version,
            tables: tables
                .map(|(key, _)| String::from_utf8_lossy(&key.name).into_owned())
                .collect(),
        }
    }
}

/// Whether a transaction changes what requests know of a bucket.
fn changes_bucket(transaction: &Transaction) -> bool {
    let puts = transaction.puts.iter().map(|(key, _)| key);
    puts.chain(&transaction.deletes)
        .any(|key| matches!(key.kind, Kind::Bucket | Kind::Configuration))
}

/// Whether a transaction makes or changes a named key.
fn changes_keys(transaction: &Transaction) -> bool {
    let puts = transaction.puts.iter().map(|(key, _)| key);
    puts.chain(&transaction.deletes)
        .any(|key| key.kind == Kind::KmsKey)
}

/// Whether a transaction changes who may do what. A new session changes nothing of what is known.
fn changes_directory(transaction: &Transaction) -> bool {
    let is_new = |key: &Key| {
        transaction
            .preconditions
            .contains(&Precondition::Absent(key.clone()))
    };
    let puts = transaction.puts.iter().map(|(key, _)| key);
    puts.chain(&transaction.deletes)
        .any(|key| is_of_directory(key.kind) && !(key.kind == Kind::Session && is_new(key)))
}
