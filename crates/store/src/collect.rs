//! Collection: what no entry needs any more goes, in bounded steps that can be repeated after a crash.
//!
//! - *garbage*: blobs whose entry was removed; their files go, then their `Garbage` entries;
//! - *history*: versions that were superseded before the undo window began, with their blobs;
//! - *orphans*: blob files that no entry owns and nobody is writing: what a crash left.
//!
//! Each step is idempotent: the entry that says "to be done" goes last.
//!
//! Deliberately absent: when to run ([`crate::Store`]'s owner decides) and which buckets keep every version.

use std::collections::BTreeSet;

use bytes::Bytes;
use craton_base::{BlobId, BranchId, BucketId, Kind as ErrorKind, Result, Sequence, Timestamp};

use crate::{
    namespace::{Batch, Change, Direction, Key, Kind, Span, change},
    store::{Store, Transaction, system_key},
    value::{Stored, Value},
};

/// How many entries one step takes: bounds its memory and the size of its commit.
const STEP: usize = 256;

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Superseded versions erased.
    pub versions: u64,
    /// Blob files removed because their entry went.
    pub garbage: u64,
    /// Blob files removed because no entry ever came to own them.
    pub orphans: u64,
}

impl Store {
    /// Removes the files of these blobs and the entries that say they are garbage. What fails stays for
    /// the next collection.
    pub(crate) async fn drop_garbage(&self, blobs: Vec<BlobId>) {
        if blobs.is_empty() {
            return;
        }
        let store_blobs = self.parts().blobs.clone();
        let deleted = tokio::task::spawn_blocking(move || {
            blobs
                .into_iter()
                .filter(|id| store_blobs.delete(*id).is_ok())
                .collect::<Vec<_>>()
        });
        let Ok(deleted) = deleted.await else { return };
        let changes = deleted
            .into_iter()
            .map(|id| Change::Delete(system_key(Kind::Garbage, id)))
            .collect();
        if let Err(error) = self
            .parts()
            .committer
            .commit(Batch {
                preconditions: vec![],
                changes,
            })
            .await
        {
            tracing::warn!(%error, "removed blobs stay listed as garbage until the next collection");
        }
    }

    /// One whole collection: history that was superseded before `before`, garbage, orphans. Blocks.
    ///
    /// # Errors
    /// The store's own; what was done by then stays done.
    pub fn collect(&self, before: Timestamp) -> Result<Collected> {
        let mut out = Collected {
            versions: self.collect_history(before)?,
            ..Collected::default()
        };
        out.garbage = self.collect_garbage()?;
        out.orphans = self.sweep_orphans()?;
        Ok(out)
    }

    fn collect_garbage(&self) -> Result<u64> {
        let mut removed = 0u64;
        let mut start = Bytes::new();
        loop {
            let span = system_span(Kind::Garbage, start);
            let page = self
                .parts()
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, STEP)?;
            let Some((last, _)) = page.entries.last() else {
                return Ok(removed);
            };
            start = after(&last.name);
            let mut changes = Vec::with_capacity(page.entries.len());
            for (key, _) in &page.entries {
                self.parts().blobs.delete(blob_id(key)?)?;
                changes.push(Change::Delete(key.clone()));
            }
            removed = removed.saturating_add(changes.len() as u64);
            self.parts().committer.commit_blocking(Batch {
                preconditions: vec![],
                changes,
            })?;
        }
    }

    fn sweep_orphans(&self) -> Result<u64> {
        let mut removed = 0u64;
        let mut orphans = Vec::new();
        self.parts().blobs.list(&mut |id| {
            // The set is asked first: a blob leaves it only after its commit is decided, so one that is not in it
            // and that the namespace does not know was never named and never will be.
            if !self.fresh.contains(id)
                && self
                    .parts()
                    .namespace
                    .get(&system_key(Kind::BlobOwner, id), Sequence::MAX)?
                    .is_none()
            {
                orphans.push(id);
            }
            Ok(())
        })?;
        if orphans.is_empty() {
            return Ok(0);
        }
        // After a commit that failed, whether it happened is known only when the store is opened again, and what it
        // named looks like orphans until then. Then this fails too, and they stay.
        self.parts().committer.commit_blocking(Batch::default())?;
        for id in orphans {
            self.parts().blobs.delete(id)?;
            removed = removed.saturating_add(1);
        }
        Ok(removed)
    }

    fn collect_history(&self, before: Timestamp) -> Result<u64> {
        let mut erased = 0u64;
        let mut start = Bytes::new();
        loop {
            let span = system_span(Kind::Change, start);
            let page = self
                .parts()
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, STEP)?;
            let Some((last, _)) = page.entries.last() else {
                return Ok(erased);
            };
            start = after(&last.name);
            for (key, entry) in &page.entries {
                let changes = change::Changes::parse(&entry.value)?;
                if changes.time_micros >= before.micros() {
                    return Ok(erased);
                }
                let sequence = change::sequence_of(key)?;
                let mut seen = BTreeSet::new();
                for changed in changes.parse_keys()? {
                    if changed.kind.keeps_history() && seen.insert(changed.clone()) {
                        erased = erased.saturating_add(self.erase_superseded(&changed, sequence)?);
                    }
                }
                let done = Batch {
                    preconditions: vec![],
                    changes: vec![Change::Delete(key.clone())],
                };
                self.parts().committer.commit_blocking(done)?;
            }
        }
    }

    /// Erases the versions of `key` that the commit `by` superseded, and the newest if it is a deletion,
    /// `by`'s own or an earlier one.
    fn erase_superseded(&self, key: &Key, by: Sequence) -> Result<u64> {
        let mut end = key.name.to_vec();
        end.push(0);
        let span = Span {
            bucket: key.bucket,
            branch: key.branch,
            kind: key.kind,
            start: key.name.clone(),
            end: Some(end.into()),
        };
        let mut erased = 0u64;
        loop {
            let versions = self.parts().namespace.history(&span, None, STEP)?;
            let newest = versions.first().map(|v| v.sequence);
            let mut transaction = Transaction::default();
            let mut older = false;
            for version in versions {
                // What superseded the newest may have been erased since: then it is what stands again.
                let stands = newest == Some(version.sequence);
                let superseded = version.sequence < by && !stands;
                let dead = version.sequence <= by && version.value.is_none() && stands;
                older |= superseded;
                match version.value {
                    Some(value) if superseded => {
                        let value = Value::decode(value)?;
                        transaction.removes.push(Stored {
                            key: version.key,
                            sequence: version.sequence,
                            value,
                        });
                    }
                    None if superseded || dead => {
                        transaction
                            .plain
                            .push(Change::Erase(version.key, version.sequence));
                    }
                    _ => {}
                }
            }
            let count = transaction.removes.len().saturating_add(transaction.plain.len());
            if count == 0 {
                return Ok(erased);
            }
            erased = erased.saturating_add(count as u64);
            self.commit_blocking(transaction)?;
            if !older {
                return Ok(erased);
            }
        }
    }

    /// Wraps every bucket's key under the active root key; the count of those that were not.
    ///
    /// # Errors
    /// The store's own; what was done by then stays done.
    pub fn rewrap_keys(&self) -> Result<u64> {
        let mut rewrapped = 0u64;
        let mut start = Bytes::new();
        loop {
            let span = system_span(Kind::BucketKey, start);
            let page = self
                .parts()
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, STEP)?;
            let Some((last, _)) = page.entries.last() else {
                return Ok(rewrapped);
            };
            start = after(&last.name);
            for (key, _) in &page.entries {
                let id = <[u8; 8]>::try_from(&*key.name)
                    .map(u64::from_be_bytes)
                    .map(BucketId);
                let id = id.map_err(|_| craton_base::Error::corrupt("a bucket key's name is not 8 bytes"))?;
                if let Some(change) = self.bucket_keys.rewrap(id)? {
                    rewrapped = rewrapped.saturating_add(1);
                    self.parts().committer.commit_blocking(Batch {
                        preconditions: vec![],
                        changes: vec![change],
                    })?;
                }
            }
        }
    }
}

fn system_span(kind: Kind, start: Bytes) -> Span {
    Span {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind,
        start,
        end: None,
    }
}

fn after(name: &[u8]) -> Bytes {
    let mut out = name.to_vec();
    out.push(0);
    out.into()
}

fn blob_id(key: &Key) -> Result<BlobId> {
    let raw = <[u8; 16]>::try_from(&*key.name);
    raw.map(BlobId).map_err(|_| {
        craton_base::Error::new(
            ErrorKind::Corrupt,
            "Corrupt",
            "a blob's entry is not named by an id",
        )
    })
}
