//! The namespace: ordered keys, versions by sequence, atomic durable commits.
//!
//! A key is `(bucket, branch, kind, name)`. Each commit gets the next [`Sequence`], and each put or
//! delete in it makes a new version of its key at that sequence. A read is at a sequence: it sees
//! the newest version that is not later. So a snapshot is a number, and reads wait for nobody.
//!
//! Kinds that keep no history ([`Kind::keeps_history`]) hold only their newest version: a read before
//! it sees nothing, and a deletion leaves nothing.
//!
//! A version stays as its commit made it, but for one thing: its value can be *amended* in place
//! ([`Change::Amend`]), which every reader sees from then on, whatever it reads at. Each amendment gives the
//! version another *revision*, the sequence of the commit that wrote it.
//!
//! Two implementations stand: [`redb::RedbNamespace`], on a [`crate::disk::File`], and
//! [`memory::MemoryNamespace`], the model. [`conformance`] holds both to the trait. What is on disk, and
//! why a crash leaves it whole, is `docs/formats.md`, section "Namespace".
//!
//! Deliberately absent: what the values mean, blobs, policy.

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Result, Sequence, Timestamp};

pub mod change;
pub mod committer;
pub mod conformance;
mod encoding;
mod kind;
pub mod memory;
pub mod redb;
mod rules;
#[cfg(test)]
pub(crate) mod tests;

pub use encoding::Says;
pub use kind::Kind;

/// A key without its version. Names are bytes; order is by `(bucket, branch, kind, name)`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// The bucket, or [`BucketId::SYSTEM`].
    pub bucket: BucketId,
    /// The branch.
    pub branch: BranchId,
    /// What the entry is.
    pub kind: Kind,
    /// The name within its kind; at most [`NAME_BYTES_MAX`] bytes, any bytes.
    pub name: Bytes,
}

/// The longest name, in bytes: an object key, an upload id, a part number and separators.
pub const NAME_BYTES_MAX: usize = 1200;

/// The largest value, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// The most preconditions and changes of one batch together: a completed upload of 10,000 parts and
/// what goes with each.
pub const BATCH_ITEMS_MAX: usize = 1 << 16;

/// The most bytes of names and values in one batch.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// About the most bytes of values in the answer to one scan or history; one entry is always answered.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// One version of a key that exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The commit that made this version.
    pub sequence: Sequence,
    /// The commit that wrote its value: the same, or that of the last amendment.
    pub revision: Sequence,
    /// Its value.
    pub value: Bytes,
}

/// One version of a key in its history.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    /// The key.
    pub key: Key,
    /// The commit that made this version.
    pub sequence: Sequence,
    /// The commit that wrote what it says: the same, or that of the last amendment.
    pub revision: Sequence,
    /// What it says of the key.
    pub state: State,
}

/// What a version says of its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It exists and has this value.
    Value(Bytes),
    /// It does not exist.
    Deleted,
    /// It does not exist, and this is to be known of its deletion.
    Marked(Bytes),
}

impl State {
    /// The value, or what is to be known of a deletion.
    #[must_use]
    pub const fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Value(bytes) | Self::Marked(bytes) => Some(bytes),
            Self::Deleted => None,
        }
    }
}

/// What must hold when a batch is applied; checked against the newest versions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Precondition {
    /// The key does not exist.
    Absent(Key),
    /// The key exists.
    Present(Key),
    /// The key's newest version is an existing one made by exactly this commit.
    At(Key, Sequence),
    /// No version of the key, deletion included, is later than this sequence. (A deletion of a kind
    /// without history leaves no version, so it is not noticed.)
    UnchangedSince(Key, Sequence),
    /// The version of the key that the first commit made, newest or not, has the revision of the second.
    Revision(Key, Sequence, Sequence),
    /// No key in `[start, end)` of one bucket, branch and kind exists or is marked as deleted (for "the bucket
    /// is empty").
    Empty(Span),
}

/// A change to one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A new version with this value. Not for [`Kind::Change`]: a commit writes its own.
    Put(Key, Bytes),
    /// A new version that says "deleted". For a kind without history: the key is gone.
    Delete(Key),
    /// A new version that says "deleted" and keeps this about the deletion. Only for a kind with history.
    Mark(Key, Bytes),
    /// The version made by exactly this commit, newest or not, has this value (or mark) from now on: its revision is
    /// this commit. Only for a kind with history; a batch whose version is gone, or is a plain deletion, is
    /// refused as one whose precondition fails.
    Amend(Key, Sequence, Bytes),
    /// The version made by exactly this commit is removed from history, for good. No error if it is gone already.
    Erase(Key, Sequence),
}

/// Changes that are applied together or not at all. At most one `Put`, `Delete` or `Mark` for a key, and one `Amend`
/// for a version; at most
/// [`BATCH_ITEMS_MAX`] items and [`BATCH_BYTES_MAX`] bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Batch {
    /// What must hold.
    pub preconditions: Vec<Precondition>,
    /// What is changed.
    pub changes: Vec<Change>,
}

impl Batch {
    /// Bytes of all names and values: what the batch holds of memory, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let conditions = self.preconditions.iter().map(|condition| match condition {
            Precondition::Absent(key)
            | Precondition::Present(key)
            | Precondition::At(key, _)
            | Precondition::UnchangedSince(key, _)
            | Precondition::Revision(key, ..) => key.name.len(),
            Precondition::Empty(span) => span.start.len() + span.end.as_ref().map_or(0, Bytes::len),
        });
        let changes = self.changes.iter().map(|change| match change {
            Change::Put(key, value) | Change::Mark(key, value) | Change::Amend(key, _, value) => {
                key.name.len() + value.len()
            }
            Change::Delete(key) | Change::Erase(key, _) => key.name.len(),
        });
        conditions.chain(changes).sum()
    }
}

/// A range of names `[start, end)` within one bucket, branch and kind. `end` of `None`: to the last name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Span {
    /// The bucket.
    pub bucket: BucketId,
    /// The branch.
    pub branch: BranchId,
    /// The kind.
    pub kind: Kind,
    /// The first name that is in.
    pub start: Bytes,
    /// The first name that is out.
    pub end: Option<Bytes>,
}

/// Which way a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Ascending names.
    Forward,
    /// Descending names.
    Backward,
}

/// What a visit shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View<'a> {
    /// Of each name the newest version that is not later, whatever it says.
    At(Sequence),
    /// Every version, newest first within a name, after this version of a name (which need not exist) if given.
    Versions(Option<(&'a [u8], Sequence)>),
}

/// A row as it lies in the engine, for as long as it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The commit that made this version.
    pub sequence: Sequence,
    /// The commit that wrote what it says.
    pub revision: Sequence,
    /// What it says of its key.
    pub says: Says<'a>,
}

impl Seen<'_> {
    /// A copy of it.
    fn to_version(self, span: &Span) -> Version {
        Version {
            key: Key {
                bucket: span.bucket,
                branch: span.branch,
                kind: span.kind,
                name: Bytes::copy_from_slice(self.name),
            },
            sequence: self.sequence,
            revision: self.revision,
            state: match self.says {
                Says::Value(bytes) => State::Value(Bytes::copy_from_slice(bytes)),
                Says::Deleted => State::Deleted,
                Says::Marked(bytes) => State::Marked(Bytes::copy_from_slice(bytes)),
            },
        }
    }
}

/// How a visit goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flow {
    /// With the next row.
    Next,
    /// With the first row whose name is not before this one, which is after the name just seen.
    Skip(Bytes),
    /// Not at all.
    Stop,
}

/// Who looks at rows.
pub type Visitor<'v> = dyn FnMut(Seen<'_>) -> Result<Flow> + 'v;

/// A bounded piece of a scan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Existing entries, in the scan's direction.
    pub entries: Vec<(Key, Entry)>,
    /// Whether the span holds a further entry: the page was cut by a limit.
    pub more: bool,
}

/// A commit's result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The commit's number.
    pub sequence: Sequence,
    /// When it was applied.
    pub time: Timestamp,
}

/// Ordered, versioned keys with atomic commits. Calls may block on a disk or a network, for
/// microseconds on a local engine; [`Namespace::is_local`] tells callers on an async thread which.
pub trait Namespace: Send + Sync + 'static {
    /// The newest durable commit.
    fn latest(&self) -> Sequence;

    /// The newest version at or before `at`, if it exists (is not a deletion).
    ///
    /// # Errors
    /// The engine's own.
    fn get(&self, key: &Key, at: Sequence) -> Result<Option<Entry>>;

    /// At most `limit` existing entries of `span` as of `at`, and at most [`PAGE_BYTES_MAX`] of values
    /// (but always one entry if there is one and `limit` is not 0).
    ///
    /// # Errors
    /// The engine's own.
    fn scan(&self, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Result<Page>;

    /// Versions of the keys of `span`, deletions included: by ascending name, newest first within a
    /// name; at most `limit`, and at most [`PAGE_BYTES_MAX`] of values (but always one version if there
    /// is one), so that only an empty answer means the end. It begins after `after` (a name and a
    /// version of it, which need not exist) if given.
    ///
    /// # Errors
    /// The engine's own.
    fn history(&self, span: &Span, after: Option<(&[u8], Sequence)>, limit: usize) -> Result<Vec<Version>>;

    /// Shows rows of `span` to `visitor`, by ascending name, without copying them, until it stops or there are no more. How
    /// many there are is for the visitor to bound.
    ///
    /// # Errors
    /// The engine's own; the visitor's.
    fn visit(&self, span: &Span, view: View<'_>, visitor: &mut Visitor<'_>) -> Result<()>;

    /// Applies each batch in order, each atomically and at its own sequence, and makes all of
    /// them durable together with one flush. The result of a batch is at its index; a batch whose
    /// precondition fails ([`craton_base::Kind::Precondition`], the message names which by its index), or
    /// which breaks a limit, changes nothing and takes no sequence.
    ///
    /// A batch with a put or delete whose kind is [`Kind::in_change_feed`] also writes a [`Kind::Change`]
    /// entry: see [`change`].
    ///
    /// # Errors
    /// The engine's own. None of the batches is visible then; what is found after the engine is opened
    /// again is either all of them or none. Until then every further commit is refused
    /// (`Unavailable`, reason `StorePoisoned`) and reads go on as of the last good commit.
    fn commit(&self, batches: &[Batch]) -> Result<Vec<Result<Committed>>>;

    /// Whether calls end within about a disk read, so that they may run on an async thread.
    fn is_local(&self) -> bool {
        true
    }
}
