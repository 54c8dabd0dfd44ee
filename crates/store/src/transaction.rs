//! Transactions: changes to entries, turned into one batch of the namespace with the care of the blobs they name.
//!
//! Here hold ST-1, ST-2 and ST-4 of [`crate::store`]: a blob that an entry names gets its owner, one that loses its
//! entry becomes garbage, and what of an entry lies apart comes and goes with it, in the same batch.
//!
//! Deliberately absent: what entries mean; committing.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use craton_base::{BlobId, BranchId, BucketId, Error, Result};

use crate::{
    entries::detail_key,
    fresh::Fresh,
    namespace::{Batch, Change, Key, Kind, Precondition},
    tier::{Held, garbage_key},
    value::{Rows, Stored, Value},
};

/// Changes that are committed together, with the care of the blobs they name.
#[derive(Debug, Default)]
pub struct Transaction {
    /// What must hold.
    pub preconditions: Vec<Precondition>,
    /// Entries to write.
    pub puts: Vec<(Key, Value)>,
    /// Keys to delete.
    pub deletes: Vec<Key>,
    /// Keys of history kinds to delete with what is to be known of that.
    pub marks: Vec<(Key, Value)>,
    /// Versions as they were read, and what each is to hold from now on. Refused if one was amended since.
    pub amends: Vec<(Stored, Value)>,
    /// Versions to erase, with the blobs that no put here adopts.
    pub removes: Vec<Stored>,
    /// Changes whose values name no blobs.
    pub plain: Vec<Change>,
}

impl Transaction {
    /// Makes the changes of another part of this one.
    pub fn join(&mut self, other: Self) {
        self.preconditions.extend(other.preconditions);
        self.puts.extend(other.puts);
        self.deletes.extend(other.deletes);
        self.marks.extend(other.marks);
        self.amends.extend(other.amends);
        self.removes.extend(other.removes);
        self.plain.extend(other.plain);
    }

    /// The batch, with what is to be known of its blobs.
    ///
    /// # Errors
    /// `Internal` if one that no commit named before is not durable.
    pub(crate) fn assemble(self) -> Result<Assembled> {
        let mut out = Assembly {
            preconditions: self.preconditions,
            changes: self.plain,
            ..Assembly::default()
        };
        for (key, value) in self.puts {
            out.adopt(&key, &value);
            out.put(key, &value);
        }
        out.changes.extend(self.deletes.into_iter().map(Change::Delete));
        for (key, value) in self.marks {
            out.changes.push(Change::Mark(key, value.encode()));
        }
        for (stored, value) in self.amends {
            out.amend(stored, &value);
        }
        for stored in self.removes {
            out.let_go(&stored.value);
            if stored.apart {
                let detail = detail_key(&stored.key);
                out.changes.push(Change::Erase(detail, stored.sequence));
            }
            out.changes.push(Change::Erase(stored.key, stored.sequence));
        }
        if !out.named.iter().all(|fresh| fresh.is_durable()) {
            return Err(Error::internal("a commit names a blob that is not durable"));
        }
        out.named.iter().for_each(|fresh| fresh.set_maybe_named(true));
        let batch = Batch {
            preconditions: out.preconditions,
            changes: out.changes,
        };
        Ok(Assembled {
            batch,
            named: out.named,
            held: out.held,
            garbage: out.garbage,
            remote_garbage: out.remote_garbage,
        })
    }
}

/// A transaction as a batch.
pub(crate) struct Assembled {
    pub(crate) batch: Batch,
    /// Blobs in it that no commit named before.
    pub(crate) named: Vec<Arc<Fresh>>,
    /// Blobs in it that come from a tier or go to one: to be kept until the commit is decided.
    pub(crate) held: Vec<Arc<Held>>,
    /// Blobs on the disk that become garbage by it.
    pub(crate) garbage: Vec<BlobId>,
    /// Whether blobs at tiers do.
    pub(crate) remote_garbage: bool,
}

/// A transaction on its way to a batch.
#[derive(Default)]
struct Assembly {
    preconditions: Vec<Precondition>,
    changes: Vec<Change>,
    /// Blobs that entries of this transaction name.
    adopted: BTreeSet<BlobId>,
    /// Blobs at tiers that they name.
    adopted_remotes: BTreeSet<(Arc<str>, BlobId)>,
    named: Vec<Arc<Fresh>>,
    held: Vec<Arc<Held>>,
    garbage: Vec<BlobId>,
    remote_garbage: bool,
}

impl Assembly {
    /// ST-1: the blobs of an entry that is written are owned by it.
    fn adopt(&mut self, key: &Key, value: &Value) {
        self.name(value);
        for blob in value.blobs() {
            if self.adopted.insert(blob) {
                self.own(key, blob);
            }
        }
        self.adopt_remotes(value, &BTreeSet::new());
    }

    fn name(&mut self, value: &Value) {
        let content = &value.content;
        self.named.extend(content.iter().filter_map(|e| e.fresh.clone()));
        self.held.extend(content.iter().filter_map(|e| e.held.clone()));
    }

    fn own(&mut self, key: &Key, blob: BlobId) {
        let owner = owner_bytes(key).into();
        self.changes
            .push(Change::Put(system_key(Kind::BlobOwner, blob), owner));
    }

    /// TR-1: blobs at tiers that an entry names are not to be deleted there. `stay` were named by it before.
    fn adopt_remotes(&mut self, value: &Value, stay: &BTreeSet<(Arc<str>, BlobId)>) {
        for (tier, blob) in value.remote_blobs() {
            let named = (tier.clone(), blob);
            if !stay.contains(&named) {
                self.changes.push(Change::Delete(garbage_key(tier, blob)));
            }
            self.adopted_remotes.insert(named);
        }
    }

    fn put(&mut self, key: Key, value: &Value) {
        let Rows { row, detail } = value.to_rows(key.kind);
        if let Some(detail) = detail {
            self.changes.push(Change::Put(detail_key(&key), detail));
        }
        self.changes.push(Change::Put(key, row));
    }

    /// The row of an amended version. A row apart stays apart while it is long, and none is made: it would have to be of an
    /// older commit.
    fn amended(&mut self, old: &Stored, value: &Value) -> Bytes {
        if !old.apart {
            return value.encode();
        }
        let key = detail_key(&old.key);
        let Rows { row, detail } = value.to_rows(old.key.kind);
        let Some(detail) = detail else {
            self.changes.push(Change::Erase(key, old.sequence));
            return row;
        };
        if old.value.to_two_rows().detail.as_ref() != Some(&detail) {
            self.changes.push(Change::Amend(key, old.sequence, detail));
        }
        row
    }

    fn amend(&mut self, old: Stored, value: &Value) {
        // Those that stay have their owner already.
        let stay: BTreeSet<BlobId> = old.value.blobs().collect();
        self.name(value);
        for blob in value.blobs() {
            if self.adopted.insert(blob) && !stay.contains(&blob) {
                // A copy from a tier may be garbage of the time when it went there.
                self.changes.push(Change::Delete(system_key(Kind::Garbage, blob)));
                self.own(&old.key, blob);
            }
        }
        let remotes = old.value.remote_blobs();
        let stay = remotes.map(|(tier, blob)| (tier.clone(), blob)).collect();
        self.adopt_remotes(value, &stay);
        self.let_go(&old.value);
        self.preconditions.push(Precondition::Revision(
            old.key.clone(),
            old.sequence,
            old.revision,
        ));
        let row = self.amended(&old, value);
        self.changes.push(Change::Amend(old.key, old.sequence, row));
    }

    /// ST-2: blobs that lose their entry, and that no other entry adopts, become garbage.
    fn let_go(&mut self, value: &Value) {
        for blob in value.blobs().filter(|blob| !self.adopted.contains(blob)) {
            self.changes
                .push(Change::Delete(system_key(Kind::BlobOwner, blob)));
            self.changes
                .push(Change::Put(system_key(Kind::Garbage, blob), Bytes::new()));
            self.garbage.push(blob);
        }
        for (tier, blob) in value.remote_blobs() {
            if !self.adopted_remotes.contains(&(tier.clone(), blob)) {
                self.changes
                    .push(Change::Put(garbage_key(tier, blob), Bytes::new()));
                self.remote_garbage = true;
            }
        }
    }
}

pub(crate) fn system_key(kind: Kind, blob: BlobId) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind,
        name: Bytes::copy_from_slice(&blob.0),
    }
}

/// A key as bytes, not ambiguous: bucket, branch, kind, name. Owners are stored and bound to in this form.
pub(crate) fn owner_bytes(key: &Key) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.name.len() + 13);
    out.extend_from_slice(&key.bucket.0.to_be_bytes());
    out.extend_from_slice(&key.branch.0.to_be_bytes());
    out.push(key.kind as u8);
    out.extend_from_slice(&key.name);
    out
}
