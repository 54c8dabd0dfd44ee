//! The system's own entries through permits on [`ResourcePath::System`]: notices that wait, deliveries, and
//! what the workers remember. And how workers and listeners hear of notices.
//!
//! Deliberately absent: what is told to whom, and how.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, BucketName, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_store::{
    namespace::{Change, Committed, Direction, Key, Kind, Precondition, Span},
    value::Stored,
};

use super::{Permit, ReadPermit, WritePermit};
use crate::{
    bucket::BucketInfo,
    changes::Changes,
    configuration::{Subresource, state::all_named},
    gate::Inner,
    notice::{self, Listener, Notice, Told},
    replication::{self, QueuedCopy, QueuedPlace},
    scope,
    session::PrincipalKind,
    tables::TableRow,
    worker::Workers,
};

/// How many buckets are looked at in one go.
const BUCKETS_AT_ONCE: usize = 1000;

/// Rows of tables that are looked at together.
const ROWS_AT_ONCE: usize = 1000;

impl Permit {
    /// The bucket that the entries under the permit's path are stored under.
    pub(super) fn home(&self) -> Result<BucketId> {
        match &self.resource {
            ResourcePath::System(_) => Ok(BucketId::SYSTEM),
            _ => Ok(self.bucket()?.id),
        }
    }

    /// The door's operation that it was made for.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether someone listens to the bucket right now, and so is to be told of everything.
    #[must_use]
    pub fn is_listened(&self) -> bool {
        self.resource
            .bucket()
            .is_some_and(|bucket| self.gate.notices.is_listened(bucket))
    }

    /// The entry that keeps a notice, with what the gate knows about it.
    pub(super) fn outbox_entry(
        &self,
        bucket: &BucketInfo,
        notice: Notice,
    ) -> Result<(Key, craton_store::value::Value)> {
        let now = self.now();
        let notice = Notice {
            bucket: bucket.name.to_string(),
            bucket_owner: bucket.owner.clone(),
            region: bucket.region.clone(),
            principal: self.session.principal().to_owned(),
            source_ip: self.session.origin().source_ip.to_string(),
            request_id: self.session.origin().request_id.to_string(),
            operation: self.operation.to_owned(),
            time_micros: now.micros(),
            ..notice
        };
        let key = Key {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: notice::KIND,
            name: notice::name(now, &*self.gate.random)?.into(),
        };
        Ok((key, notice.to_value()))
    }
}

impl Permit {
    /// The entry that keeps a copy to be made of something in the permit's bucket.
    pub(super) fn queue_entry(
        &self,
        bucket: &BucketInfo,
        copy: QueuedCopy,
    ) -> Result<(Key, craton_store::value::Value)> {
        let copy = QueuedCopy {
            bucket: bucket.name.to_string(),
            // One that was queued before keeps its place.
            time_micros: match copy.time_micros {
                0 => self.now().micros(),
                before => before,
            },
            ..copy
        };
        let key = Key {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: replication::KIND,
            name: copy.name(&*self.gate.random)?.into(),
        };
        Ok((key, copy.to_value()))
    }

    /// The key of an entry of the queue that is done with: for those who empty it.
    pub(super) fn queued(&self, queued: Stored) -> Result<Key> {
        let is_queued = queued.key.kind == replication::KIND && queued.key.bucket == BucketId::SYSTEM;
        match is_queued && self.session.kind() == PrincipalKind::System {
            true => Ok(queued.key),
            false => Err(scope::outside(&self.resource, queued.key.kind)),
        }
    }
}

impl Inner {
    /// How many entries of the replication queue begin so, counted up to a limit.
    pub(crate) fn count_queued(&self, prefix: &[u8]) -> Result<u64> {
        let mut span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: replication::KIND,
            start: prefix.to_vec().into(),
            end: scope::successor(prefix),
        };
        let mut count = 0u64;
        while count < replication::WAITING_COUNTED_MAX {
            let page = self
                .store
                .scan(&span, Sequence::MAX, Direction::Forward, BUCKETS_AT_ONCE)?;
            count = count.saturating_add(page.entries.len() as u64);
            let Some(last) = page.entries.last().filter(|_| page.more) else {
                break;
            };
            span.start = [&*last.key.name, &[0]].concat().into();
        }
        Ok(count)
    }
}

impl ReadPermit {
    /// Listens to the bucket that the permit is for.
    ///
    /// # Errors
    /// `NoSuchBucket`; `Busy`, `TooManyListeners`; `OutsidePermit` for a permit on less.
    pub fn listen(&self) -> Result<Listener> {
        let ResourcePath::Bucket(_) = &self.permit.resource else {
            return Err(scope::outside(&self.permit.resource, notice::KIND));
        };
        Listener::new(&self.permit.gate, &self.bucket()?.name)
    }
}

impl WritePermit {
    /// Makes changes to the system's own entries under the permit's path, with their record.
    ///
    /// # Errors
    /// As [`WritePermit::commit`]; `OutsidePermit` for a permit on anything else.
    pub async fn commit_system(&self, changes: Changes) -> Result<Committed> {
        if !matches!(self.permit.resource, ResourcePath::System(_)) {
            return Err(scope::outside(&self.permit.resource, notice::KIND));
        }
        self.commit_system_with(changes, Vec::new(), Vec::new()).await
    }

    /// The same, with rows of the gate's own.
    pub(crate) async fn commit_system_with(
        &self,
        changes: Changes,
        plain: Vec<Change>,
        preconditions: Vec<Precondition>,
    ) -> Result<Committed> {
        let mut transaction = self.transaction(changes)?;
        transaction.plain.extend(plain);
        transaction.preconditions.extend(preconditions);
        self.commit_transaction(transaction).await
    }
}

impl Workers {
    /// Ready when notices may have arrived since the last time.
    pub async fn notices_arrived(&self) {
        self.gate.inner.notices.wait().await;
    }

    /// Tells those who listen in this process.
    pub fn tell(&self, told: &Told) {
        self.gate.inner.notices.tell(told);
    }

    /// The buckets that have such a configuration, with the commit that set it. Says nothing else about them: to
    /// read one takes a permit.
    ///
    /// # Errors
    /// The store's own.
    pub fn buckets_with(&self, subresource: Subresource) -> Result<Vec<(BucketName, Sequence)>> {
        let found = self.buckets_and(subresource)?;
        Ok(found
            .into_iter()
            .filter_map(|(name, sequence)| Some((name, sequence?)))
            .collect())
    }

    /// All buckets, each with the commit that set its document of a kind, if it has one. Says nothing else about them:
    /// to read one takes a permit.
    ///
    /// # Errors
    /// The store's own.
    pub fn buckets_and(&self, subresource: Subresource) -> Result<Vec<(BucketName, Option<Sequence>)>> {
        self.each_bucket(|inner, bucket| {
            let state = inner.bucket(&bucket.name)?;
            let found = state.as_ref().and_then(|state| state.document(subresource));
            let sequence = found.map(|found| found.sequence());
            Ok(Some((bucket.name, sequence)))
        })
    }

    /// The buckets that have such configurations by id. As [`Workers::buckets_with`].
    ///
    /// # Errors
    /// The store's own.
    pub fn buckets_with_named(&self, subresource: Subresource) -> Result<Vec<BucketName>> {
        self.each_bucket(|inner, bucket| {
            let found = all_named(&inner.store, bucket.id, subresource, None, 1)?;
            Ok((!found.is_empty()).then_some(bucket.name))
        })
    }

    /// The buckets with tables that are to be kept in order. As [`Workers::buckets_with`].
    ///
    /// # Errors
    /// The store's own.
    pub fn buckets_with_maintained(&self) -> Result<Vec<BucketName>> {
        self.each_bucket(|inner, bucket| {
            let mut span = Span {
                bucket: bucket.id,
                branch: BranchId::MAIN,
                kind: Kind::Table,
                start: Bytes::new(),
                end: None,
            };
            loop {
                let page = inner
                    .store
                    .scan(&span, Sequence::MAX, Direction::Forward, ROWS_AT_ONCE)?;
                for stored in &page.entries {
                    if TableRow::read(&stored.value.meta)?.maintained {
                        return Ok(Some(bucket.name));
                    }
                }
                let Some(last) = page.entries.last().filter(|_| page.more) else {
                    return Ok(None);
                };
                span.start = [&*last.key.name, &[0]].concat().into();
            }
        })
    }

    /// What is told of each bucket, by name.
    fn each_bucket<T>(&self, mut of: impl FnMut(&Inner, BucketInfo) -> Result<Option<T>>) -> Result<Vec<T>> {
        let inner = &self.gate.inner;
        let mut out = Vec::new();
        let mut after: Option<BucketName> = None;
        loop {
            let page = inner.list_buckets(after.as_ref(), Sequence::MAX, BUCKETS_AT_ONCE)?;
            let Some(last) = page.last() else {
                return Ok(out);
            };
            after = Some(last.name.clone());
            for bucket in page {
                out.extend(of(inner, bucket)?);
            }
        }
    }

    /// The destinations that versions wait to be copied to. Says nothing else about them: to read them takes a permit.
    ///
    /// # Errors
    /// `Corrupt`; the store's own.
    pub fn queued_places(&self) -> Result<Vec<QueuedPlace>> {
        let mut out = Vec::new();
        let mut span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind: replication::KIND,
            start: Bytes::new(),
            end: None,
        };
        loop {
            let page = self
                .gate
                .inner
                .store
                .scan(&span, Sequence::MAX, Direction::Forward, 1)?;
            let Some(first) = page.entries.first() else {
                return Ok(out);
            };
            let place = QueuedPlace::of(first)?;
            let Some(next) = scope::successor(&place.prefix) else {
                return Ok(out);
            };
            span.start = next;
            out.push(place);
        }
    }

    /// Whether there is any of the system's own entries of a kind that workers empty or keep, with a name that begins so.
    /// Says nothing about them: to read them takes a permit.
    ///
    /// # Errors
    /// `Internal` for other kinds; the store's own.
    pub fn is_any(&self, kind: Kind, prefix: &[u8]) -> Result<bool> {
        if !matches!(
            kind,
            Kind::Outbox | Kind::Delivery | Kind::Replication | Kind::Work
        ) {
            return Err(craton_base::Error::new(
                ErrorKind::Internal,
                "OutsidePermit",
                "workers have only the outbox, the deliveries, the replication queue and what they remember",
            ));
        }
        let span = Span {
            bucket: BucketId::SYSTEM,
            branch: BranchId::MAIN,
            kind,
            start: prefix.to_vec().into(),
            end: scope::successor(prefix),
        };
        let store: &Arc<_> = &self.gate.inner.store;
        let page = store.scan(&span, Sequence::MAX, Direction::Forward, 1)?;
        Ok(!page.entries.is_empty())
    }
}
