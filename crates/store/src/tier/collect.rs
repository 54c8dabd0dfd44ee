//! Deleting at the tiers what no entry names there any more.
//!
//! Invariant: a blob is deleted only while it is held, and is listed then: who sends it there holds it from before it
//! is listed until the commit that names it is decided.

use bytes::Bytes;
use craton_base::{Kind as ErrorKind, Result, Sequence};
use futures::{StreamExt as _, stream};

use super::{garbage_key, parse_garbage};
use crate::{
    namespace::{Batch, Change, Direction, Key},
    store::Store,
};

/// How many entries one step takes.
const STEP: usize = 256;

/// How many blobs are deleted at once.
const AT_ONCE: usize = 16;

impl Store {
    /// Deletes at the tiers what is listed; the count. What a tier does not delete now, and what is of a tier that is
    /// not configured, stays listed.
    ///
    /// # Errors
    /// The store's own; what was done by then stays done.
    pub async fn collect_tiers(&self) -> Result<u64> {
        let mut removed = 0u64;
        let mut start = Bytes::new();
        loop {
            let mut span = garbage_span();
            span.start = start;
            let page = self
                .parts()
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, STEP)?;
            let Some((last, _)) = page.entries.last() else {
                return Ok(removed);
            };
            start = [&*last.name, &[0]].concat().into();
            let done: Vec<Option<Key>> = stream::iter(page.entries)
                .map(|(key, _)| self.collect_one(key))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            removed = removed.saturating_add(done.iter().flatten().count() as u64);
        }
    }

    /// One of them: its key if it is gone. The entry goes while the blob is held.
    async fn collect_one(&self, key: Key) -> Option<Key> {
        let done = self.try_collect(&key).await;
        match done {
            Ok(gone) => gone.then_some(key),
            Err(error) => {
                tracing::warn!(%error, "a blob can not be deleted at its tier now; it stays listed");
                None
            }
        }
    }

    async fn try_collect(&self, key: &Key) -> Result<bool> {
        let (tier, id) = parse_garbage(&key.name)?;
        let Ok((_, place)) = self.tiers().get(tier) else {
            return Ok(false);
        };
        let _held = match self.tiers().hold(id) {
            Err(e) if e.kind() == ErrorKind::Busy => return Ok(false),
            held => held?,
        };
        // Again, now that it is held: it may have been named since the list was read.
        if self.parts().namespace.get(key, Sequence::MAX)?.is_none() {
            return Ok(false);
        }
        place.delete(id).await?;
        let batch = Batch {
            preconditions: vec![],
            changes: vec![Change::Delete(garbage_key(tier, id))],
        };
        self.parts().committer.commit(batch).await?;
        Ok(true)
    }

    /// How many blobs are listed to be deleted at tiers, those included that are on their way there; counts to `most`.
    ///
    /// # Errors
    /// The store's own.
    pub fn listed_at_tiers(&self, most: usize) -> Result<usize> {
        let page = self
            .parts()
            .namespace
            .scan(&garbage_span(), Sequence::MAX, Direction::Forward, most)?;
        Ok(page.entries.len())
    }
}

fn garbage_span() -> crate::namespace::Span {
    crate::namespace::Span {
        bucket: craton_base::BucketId::SYSTEM,
        branch: craton_base::BranchId::MAIN,
        kind: crate::namespace::Kind::RemoteGarbage,
        start: Bytes::new(),
        end: None,
    }
}
