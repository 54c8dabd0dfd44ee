//! Reading entries: whole, or only what is said of each in brief.
//!
//! Invariant: an entry that is answered whole has its content and detail, wherever they lie; where they went with the
//! entry while it was read, it is as if it had been read a moment later.
//!
//! Deliberately absent: writing ([`crate::store::Transaction`]).

use bytes::Bytes;
use craton_base::{Error, Result, Sequence};

use crate::{
    namespace::{Direction, Entry, Flow, Key, Kind, PAGE_BYTES_MAX, Span, State, Version, View},
    store::{Page, Store},
    value::{Head, Standing, Stored, StoredVersion, Value},
};

/// How often a read begins again because what it read was removed meanwhile.
const TRIES_MAX: usize = 16;

/// The key of the row that holds what of an entry lies apart.
pub(crate) fn detail_key(key: &Key) -> Key {
    Key {
        kind: Kind::Detail,
        ..key.clone()
    }
}

/// What was read, with its details; cut where they became too many.
struct Whole<T> {
    found: Vec<T>,
    cut: bool,
}

impl Store {
    /// A version of an entry.
    ///
    /// # Errors
    /// The engine's own; `Corrupt`.
    pub fn get(&self, key: &Key, at: Sequence) -> Result<Option<Stored>> {
        again(|| {
            let Some(entry) = self.parts.namespace.get(key, at)? else {
                return Ok(Some(None));
            };
            let found = self.stored(key.clone(), entry)?;
            Ok(found.map(|(stored, _)| Some(stored)))
        })
    }

    /// Versions of the keys of a span, deletions included: by ascending name, newest first within a name; at most
    /// `limit`, after `after`. Only an empty answer means the end. See [`crate::namespace::Namespace::history`].
    ///
    /// # Errors
    /// The engine's own; `Corrupt`.
    pub fn history(
        &self,
        span: &Span,
        after: Option<(&[u8], Sequence)>,
        limit: usize,
    ) -> Result<Vec<StoredVersion>> {
        again(|| {
            let versions = self.parts.namespace.history(span, after, limit)?;
            let whole = whole(versions, |version| self.stored_version(version))?;
            Ok(whole.map(|whole| whole.found))
        })
    }

    /// Entries of a span.
    ///
    /// # Errors
    /// The engine's own; `Corrupt`.
    pub fn scan(&self, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Result<Page> {
        again(|| {
            let page = self.parts.namespace.scan(span, at, direction, limit)?;
            let whole = whole(page.entries, |(key, entry)| self.stored(key, entry))?;
            Ok(whole.map(|whole| Page {
                entries: whole.found,
                more: page.more || whole.cut,
            }))
        })
    }

    /// Shows what is said of the names of a span in brief, one after the other, without copying anything, until `visitor`
    /// stops it or there are no more. How many it looks at is for the visitor to bound.
    ///
    /// # Errors
    /// The engine's own; `Corrupt`; the visitor's.
    pub fn visit(
        &self,
        span: &Span,
        view: View<'_>,
        visitor: &mut dyn FnMut(Head<'_>) -> Result<Flow>,
    ) -> Result<()> {
        let namespace = &self.parts.namespace;
        namespace.visit(span, view, &mut |seen| visitor(Head::of(seen)?))
    }

    fn stored_version(&self, version: Version) -> Result<Option<(StoredVersion, usize)>> {
        let (standing, value) = match version.state {
            State::Value(bytes) => (Standing::Exists, bytes),
            State::Deleted => (Standing::Deleted, Bytes::new()),
            State::Marked(bytes) => (Standing::Marked, bytes),
        };
        let entry = Entry {
            sequence: version.sequence,
            revision: version.revision,
            value,
        };
        let found = self.stored(version.key, entry)?;
        Ok(found.map(|(stored, bytes)| (StoredVersion { stored, standing }, bytes)))
    }

    /// An entry with what lies apart, and how many bytes did; `None` if it was removed meanwhile.
    fn stored(&self, key: Key, entry: Entry) -> Result<Option<(Stored, usize)>> {
        let (mut value, apart) = Value::decode(entry.value)?;
        let mut bytes = 0;
        if apart {
            let found = self.parts.namespace.get(&detail_key(&key), entry.sequence)?;
            let Some(detail) = found.filter(|detail| detail.sequence == entry.sequence) else {
                return Ok(None);
            };
            bytes = detail.value.len();
            value.complete(detail.value)?;
        }
        let stored = Stored {
            key,
            sequence: entry.sequence,
            revision: entry.revision,
            value,
            apart,
        };
        Ok(Some((stored, bytes)))
    }
}

/// Reads until nothing was removed while it was read.
fn again<T>(read: impl Fn() -> Result<Option<T>>) -> Result<T> {
    for _ in 0..TRIES_MAX {
        if let Some(found) = read()? {
            return Ok(found);
        }
    }
    Err(Error::corrupt("what an entry says lies apart is not there"))
}

/// All of them with their details, up to about [`PAGE_BYTES_MAX`] of those; `None` if one was removed meanwhile.
fn whole<T, U>(read: Vec<T>, complete: impl Fn(T) -> Result<Option<(U, usize)>>) -> Result<Option<Whole<U>>> {
    let (mut found, mut bytes) = (Vec::with_capacity(read.len()), 0usize);
    for one in read {
        if bytes > PAGE_BYTES_MAX {
            return Ok(Some(Whole { found, cut: true }));
        }
        let Some((one, more)) = complete(one)? else {
            return Ok(None);
        };
        bytes = bytes.saturating_add(more);
        found.push(one);
    }
    Ok(Some(Whole { found, cut: false }))
}
