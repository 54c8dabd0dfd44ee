//! What an engine wants changed, in names within its permit; the permit turns it into a transaction.
//!
//! Deliberately absent: buckets and branches, which come from the permit.

use bytes::Bytes;
use craton_base::Sequence;
use craton_store::{
    namespace::Kind,
    value::{Stored, Value},
};

use crate::{notice::Notice, replication::QueuedCopy};

/// What must hold of a name for the changes to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expectation {
    Absent,
    Present,
    At(Sequence),
    UnchangedSince(Sequence),
    Revision(Sequence, Sequence),
}

/// What whoever makes changes says of them that the rows do not show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Says {
    #[default]
    Nothing,
    /// [`Changes::rearranging`].
    Rearranges,
    /// [`Changes::destroying`].
    Destroys,
}

/// Changes that are made together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub(crate) expectations: Vec<(Kind, Bytes, Expectation)>,
    pub(crate) puts: Vec<(Kind, Bytes, Value)>,
    pub(crate) deletes: Vec<(Kind, Bytes)>,
    pub(crate) marks: Vec<(Kind, Bytes, Value)>,
    pub(crate) amends: Vec<(Stored, Value)>,
    pub(crate) removes: Vec<Stored>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) copies: Vec<QueuedCopy>,
    pub(crate) settled: Vec<Stored>,
    pub(crate) says: Says,
}

impl Changes {
    /// No changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name must not exist.
    #[must_use]
    pub fn expect_absent(mut self, kind: Kind, name: impl Into<Bytes>) -> Self {
        self.expectations.push((kind, name.into(), Expectation::Absent));
        self
    }

    /// The name must exist.
    #[must_use]
    pub fn expect_present(mut self, kind: Kind, name: impl Into<Bytes>) -> Self {
        self.expectations.push((kind, name.into(), Expectation::Present));
        self
    }

    /// The name's newest version must be the one that this commit made.
    #[must_use]
    pub fn expect_at(mut self, kind: Kind, name: impl Into<Bytes>, sequence: Sequence) -> Self {
        self.expectations
            .push((kind, name.into(), Expectation::At(sequence)));
        self
    }

    /// The name must not have changed after this sequence, existing or not.
    #[must_use]
    pub fn expect_unchanged_since(mut self, kind: Kind, name: impl Into<Bytes>, sequence: Sequence) -> Self {
        self.expectations
            .push((kind, name.into(), Expectation::UnchangedSince(sequence)));
        self
    }

    /// This version must be there, newest or not, and not amended since it was read.
    #[must_use]
    pub fn expect_unamended(mut self, stored: &Stored) -> Self {
        let expectation = Expectation::Revision(stored.sequence, stored.revision);
        self.expectations
            .push((stored.key.kind, stored.key.name.clone(), expectation));
        self
    }

    /// A new version of the name.
    #[must_use]
    pub fn put(mut self, kind: Kind, name: impl Into<Bytes>, value: Value) -> Self {
        self.puts.push((kind, name.into(), value));
        self
    }

    /// The name is deleted: for a kind with history, a version that says so.
    #[must_use]
    pub fn delete(mut self, kind: Kind, name: impl Into<Bytes>) -> Self {
        self.deletes.push((kind, name.into()));
        self
    }

    /// The name is deleted by a version that keeps this about it. For a kind with history.
    #[must_use]
    pub fn mark(mut self, kind: Kind, name: impl Into<Bytes>, value: Value) -> Self {
        self.marks.push((kind, name.into(), value));
        self
    }

    /// This version, newest or not, holds `value` from now on, if it was not amended since it was read.
    #[must_use]
    pub fn amend(mut self, stored: Stored, value: Value) -> Self {
        self.amends.push((stored, value));
        self
    }

    /// This version is erased for good, with the blobs that no put of the same changes adopts.
    #[must_use]
    pub fn remove(mut self, stored: Stored) -> Self {
        self.removes.push(stored);
        self
    }

    /// Someone is to be told of these changes.
    #[must_use]
    pub fn notice(mut self, notice: Notice) -> Self {
        self.notices.push(notice);
        self
    }

    /// What these changes make is to be copied.
    #[must_use]
    pub fn copy(mut self, copy: QueuedCopy) -> Self {
        self.copies.push(copy);
        self
    }

    /// They put what there is into other rows and take nothing away: merges of a graph's runs. Else a graph that loses runs and gets
    /// none for them is taken for one that loses what it has.
    #[must_use]
    pub const fn rearranging(mut self) -> Self {
        self.says = Says::Rearranges;
        self
    }

    /// They take something away that their rows do not show: a name of a graph's snapshot, under which it was kept.
    #[must_use]
    pub const fn destroying(mut self) -> Self {
        self.says = Says::Destroys;
        self
    }

    /// This entry of the replication queue is done with. For workers.
    #[must_use]
    pub fn settle(mut self, queued: Stored) -> Self {
        self.settled.push(queued);
        self
    }
}
