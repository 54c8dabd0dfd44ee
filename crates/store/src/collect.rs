//! Collection: what no entry needs any more goes, in bounded steps that can be repeated after a crash.
//!
//! - *garbage*: blobs whose entry was removed; their files go, then their `Garbage` entries;
//! - *history*: versions that were superseded before the undo window began, with their blobs; a version that is
//!   kept ([`crate::value::Value::kept`]) supersedes nothing and is superseded by nothing;
//! - *orphans*: blob files that no entry owns and nobody is writing: what a crash left.
//!
//! Each step is idempotent: the entry that says "to be done" goes last.
//!
//! Which buckets' history goes from when on is for [`Windows`] to say; how far back it is whole is [`crate::past`].
//!
//! Deliberately absent: when to run ([`crate::Store`]'s owner decides) and which buckets keep every version.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use craton_base::{BlobId, BranchId, BucketId, Kind as ErrorKind, Result, Sequence, Timestamp};

use crate::{
    namespace::{Batch, Change, Direction, Flow, Key, Kind, Span, View, change},
    past::Windows,
    store::Store,
    transaction::{Transaction, system_key},
    value::{Standing, Stored, StoredVersion},
};

/// How many entries one step takes: bounds its memory and the size of its commit.
const STEP: usize = 256;

/// A commit of erasures is closed when it has about this many changes: many share a flush.
const ERASING_ITEMS: usize = 4096;

/// How often, and after which pause, a blob is tried again that is held by who moved it.
const HELD_TRIES_MAX: usize = 4;
const HELD_PAUSE: Duration = Duration::from_millis(100);

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

/// How far in the change feed each pass has come; nothing before that is due for it. Only in memory: after a start it is found again.
#[derive(Default)]
pub(crate) struct Passed {
    /// Which buckets are of which pass.
    groups: BTreeMap<BucketId, usize>,
    /// Where each goes on.
    starts: BTreeMap<usize, Bytes>,
}

/// Erasures that are to be committed together.
#[derive(Default)]
struct Erasing {
    transaction: Transaction,
    /// Changes in it.
    items: usize,
    /// Versions erased so far.
    versions: u64,
}

impl Erasing {
    /// A version with its blobs; of its value only they are kept in memory.
    fn remove(&mut self, mut stored: Stored) {
        stored.value.meta = Bytes::new();
        stored.value.content.retain(|extent| extent.inline.is_none());
        self.items = self
            .items
            .saturating_add(1)
            .saturating_add(stored.value.content.len().saturating_mul(2));
        self.versions = self.versions.saturating_add(1);
        self.transaction.removes.push(stored);
    }

    /// A deletion, which has no blobs.
    fn erase(&mut self, key: Key, sequence: Sequence) {
        self.versions = self.versions.saturating_add(1);
        self.add(vec![Change::Erase(key, sequence)]);
    }

    fn add(&mut self, changes: Vec<Change>) {
        self.items = self.items.saturating_add(changes.len());
        self.transaction.plain.extend(changes);
    }
}

impl Store {
    /// Removes the files of these blobs and the entries that say they are garbage. What fails stays for
    /// the next collection.
    pub(crate) async fn drop_garbage(self: Arc<Self>, blobs: Vec<BlobId>) {
        if blobs.is_empty() {
            return;
        }
        let mut left = blobs;
        let mut deleted = Vec::with_capacity(left.len());
        for _ in 0..HELD_TRIES_MAX {
            let store = self.clone();
            let tried = tokio::task::spawn_blocking(move || {
                left.into_iter()
                    .partition::<Vec<_>, _>(|id| store.delete_garbage(*id).is_ok_and(|done| done))
            });
            let Ok((gone, still)) = tried.await else { return };
            deleted.extend(gone);
            left = still;
            if left.is_empty() {
                break;
            }
            // Who has just moved a blob lets go of it in a moment; what fails otherwise waits for the collection.
            tokio::time::sleep(HELD_PAUSE).await;
        }
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

    /// One whole collection: history that was superseded before the undo windows began, garbage, orphans. Blocks.
    ///
    /// # Errors
    /// The store's own; what was done by then stays done.
    pub fn collect(&self, windows: impl Into<Windows>) -> Result<Collected> {
        let mut out = Collected {
            versions: self.collect_history(&windows.into())?,
            ..Collected::default()
        };
        out.garbage = self.collect_garbage()?;
        out.orphans = self.sweep_orphans()?;
        Ok(out)
    }

    /// Removes a blob's file if it is garbage, and not a copy that has come back from a tier since.
    fn delete_garbage(&self, id: BlobId) -> Result<bool> {
        if !self.tiers().is_empty() {
            let _held = match self.tiers().hold(id) {
                Err(e) if e.kind() == ErrorKind::Busy => return Ok(false),
                held => held?,
            };
            let listed = self
                .parts()
                .namespace
                .get(&system_key(Kind::Garbage, id), Sequence::MAX)?;
            if listed.is_none() {
                return Ok(false);
            }
            return self.parts().blobs.delete(id).map(|()| true);
        }
        self.parts().blobs.delete(id).map(|()| true)
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
                if self.delete_garbage(blob_id(key)?)? {
                    changes.push(Change::Delete(key.clone()));
                }
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

    /// One pass over the change feed for each moment at which a window begins, the latest first; the last takes the feed's entries
    /// away, which nobody needs then.
    fn collect_history(&self, windows: &Windows) -> Result<u64> {
        let mut passed = self.passed.write();
        let moments: BTreeSet<Timestamp> = windows.moments().collect();
        let groups = windows.groups();
        if passed.groups != groups {
            // Somebody has another window now, and what others have passed may be due for it.
            *passed = Passed {
                groups,
                starts: BTreeMap::new(),
            };
        }
        if !self.is_feed_older(windows.latest())? {
            return Ok(0);
        }
        self.note_collected(windows)?;
        let mut erased = 0_u64;
        let last = moments.len().saturating_sub(1);
        for (group, moment) in moments.into_iter().rev().enumerate() {
            let is_due = |bucket| windows.before(bucket) == moment;
            let start = passed.starts.get(&group).cloned().unwrap_or_default();
            let (versions, reached) = self.pass(start, moment, &is_due, group == last)?;
            erased = erased.saturating_add(versions);
            passed.starts.insert(group, reached);
        }
        Ok(erased)
    }

    /// Whether the feed's first entry is of before a moment.
    fn is_feed_older(&self, moment: Timestamp) -> Result<bool> {
        let page = self.parts().namespace.scan(
            &system_span(Kind::Change, Bytes::new()),
            Sequence::MAX,
            Direction::Forward,
            1,
        )?;
        let first = page.entries.first();
        first.map_or(Ok(false), |(_, entry)| {
            Ok(change::Changes::parse(&entry.value)?.time_micros < moment.micros())
        })
    }

    /// Erases what commits before a moment superseded in the buckets that are due, from a place in the feed on; how many versions, and
    /// the place of the first commit that is not before it.
    fn pass(
        &self,
        mut start: Bytes,
        before: Timestamp,
        is_due: &dyn Fn(BucketId) -> bool,
        takes_feed: bool,
    ) -> Result<(u64, Bytes)> {
        let mut erasing = Erasing::default();
        loop {
            let span = system_span(Kind::Change, start.clone());
            let page = self
                .parts()
                .namespace
                .scan(&span, Sequence::MAX, Direction::Forward, STEP)?;
            // Of each key, the last commit of this page that superseded versions of it.
            let mut changed = BTreeMap::new();
            let mut done = Vec::with_capacity(page.entries.len());
            for (key, entry) in &page.entries {
                let changes = change::Changes::parse(&entry.value)?;
                if changes.time_micros >= before.micros() {
                    break;
                }
                let sequence = change::sequence_of(key)?;
                for key in changes.parse_keys()? {
                    if is_due(key.bucket) && self.supersedes(&key, sequence)? {
                        changed.insert(key, sequence);
                    }
                }
                done.push(key.clone());
            }
            for (key, by) in &changed {
                self.erase_superseded(key, *by, &mut erasing)?;
            }
            let last = done.len() < page.entries.len() || !page.more;
            if let Some(key) = done.last() {
                start = after(&key.name);
            }
            if takes_feed {
                // A crash before this finds the same to do again, of which some is done.
                erasing.add(done.into_iter().map(Change::Delete).collect());
            }
            self.commit_erasing(&mut erasing)?;
            if last {
                return Ok((erasing.versions, start));
            }
        }
    }

    /// Whether the version of `key` that a commit made is there and is not kept. One that is gone was superseded
    /// itself, or whoever removed it removed what it had superseded before.
    fn supersedes(&self, key: &Key, sequence: Sequence) -> Result<bool> {
        if !key.kind.keeps_history() {
            return Ok(false);
        }
        let mut supersedes = false;
        self.visit(&versions_of(key), View::At(sequence), &mut |head| {
            supersedes = head.sequence == sequence && !head.kept;
            Ok(Flow::Stop)
        })?;
        Ok(supersedes)
    }

    /// Erases the versions of `key` that the commit `by` or one before it superseded, and what says no more than that
    /// the key is deleted, if nothing is left that it hides.
    fn erase_superseded(&self, key: &Key, by: Sequence, erasing: &mut Erasing) -> Result<()> {
        let span = versions_of(key);
        // The next newer version that is not kept: it is what supersedes.
        let mut newer: Option<Sequence> = None;
        let mut tombstone = None;
        let mut seen: Option<Sequence> = None;
        loop {
            let from = seen.map(|sequence| (&*key.name, sequence));
            let versions = self.history(&span, from, STEP)?;
            let Some(last) = versions.last() else {
                // After everything that it hides, which may be in several commits: else that would stand again.
                if let Some(sequence) = tombstone {
                    erasing.erase(key.clone(), sequence);
                }
                return Ok(());
            };
            seen = Some(last.stored.sequence);
            for StoredVersion { stored, standing } in versions {
                if stored.value.kept {
                    continue;
                }
                let superseded = newer.replace(stored.sequence);
                match (superseded, standing) {
                    (Some(newer), Standing::Deleted) if newer <= by => {
                        erasing.erase(stored.key, stored.sequence);
                    }
                    (Some(newer), _) if newer <= by => erasing.remove(stored),
                    (None, Standing::Deleted) if stored.sequence <= by => tombstone = Some(stored.sequence),
                    _ => {}
                }
                // After each: one version alone may have thousands of blobs, and a batch has a limit.
                if erasing.items >= ERASING_ITEMS {
                    self.commit_erasing(erasing)?;
                }
            }
        }
    }

    fn commit_erasing(&self, erasing: &mut Erasing) -> Result<()> {
        let transaction = std::mem::take(&mut erasing.transaction);
        if std::mem::take(&mut erasing.items) > 0 {
            self.commit_blocking(transaction)?;
        }
        Ok(())
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

/// All versions of one name.
fn versions_of(key: &Key) -> Span {
    Span {
        bucket: key.bucket,
        branch: key.branch,
        kind: key.kind,
        start: key.name.clone(),
        end: Some(after(&key.name)),
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
