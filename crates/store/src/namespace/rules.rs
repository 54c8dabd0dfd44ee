//! What every implementation checks and answers in the same words: the limits of a batch, the limits of
//! a page, a failed precondition, a poisoned store.
//!
//! Deliberately absent: how entries are kept.

use std::collections::HashSet;

use craton_base::{Error, Kind as ErrorKind, Result};

use super::{
    BATCH_BYTES_MAX, BATCH_ITEMS_MAX, Batch, Change, Key, Kind, NAME_BYTES_MAX, PAGE_BYTES_MAX, Precondition,
    Span, VALUE_BYTES_MAX,
};

/// Whether a batch keeps the limits and says only one thing about each key.
pub(super) fn check(batch: &Batch) -> Result<()> {
    let items = batch.preconditions.len() + batch.changes.len();
    if items > BATCH_ITEMS_MAX {
        return Err(too_large(format!(
            "a batch has {items} items, more than {BATCH_ITEMS_MAX}"
        )));
    }
    let bytes = batch.bytes();
    if bytes > BATCH_BYTES_MAX {
        return Err(too_large(format!(
            "a batch has {bytes} bytes, more than {BATCH_BYTES_MAX}"
        )));
    }
    batch.preconditions.iter().try_for_each(check_precondition)?;
    let mut changed = HashSet::with_capacity(batch.changes.len());
    for change in &batch.changes {
        let key = check_change(change)?;
        let what = match change {
            Change::Put(..) | Change::Delete(_) | Change::Mark(..) => (key, None),
            Change::Amend(_, version, _) => (key, Some(version)),
            Change::Erase(..) => continue,
        };
        if !changed.insert(what) {
            return Err(Error::invalid("a batch changes one key twice"));
        }
    }
    Ok(())
}

fn check_precondition(precondition: &Precondition) -> Result<()> {
    match precondition {
        Precondition::Absent(key)
        | Precondition::Present(key)
        | Precondition::At(key, _)
        | Precondition::UnchangedSince(key, _)
        | Precondition::Revision(key, ..) => check_name(&key.name),
        Precondition::Empty(Span { start, end, .. }) => {
            check_name(start)?;
            end.as_deref().map_or(Ok(()), check_name)
        }
    }
}

fn check_change(change: &Change) -> Result<&Key> {
    let (key, value) = match change {
        Change::Put(key, value) | Change::Mark(key, value) | Change::Amend(key, _, value) => {
            (key, Some(value))
        }
        Change::Delete(key) | Change::Erase(key, _) => (key, None),
    };
    check_name(&key.name)?;
    let bytes = value.map_or(0, |value| value.len());
    if bytes > VALUE_BYTES_MAX {
        return Err(too_large(format!(
            "a value has {bytes} bytes, more than {VALUE_BYTES_MAX}"
        )));
    }
    if key.kind == Kind::Change && value.is_some() {
        return Err(Error::invalid(
            "the change feed is written by the namespace alone",
        ));
    }
    if matches!(change, Change::Mark(..) | Change::Amend(..)) && !key.kind.keeps_history() {
        return Err(Error::invalid(
            "only versions of a kind with history are marked or amended",
        ));
    }
    Ok(key)
}

fn check_name(name: &[u8]) -> Result<()> {
    if name.len() > NAME_BYTES_MAX {
        let bytes = name.len();
        return Err(too_large(format!(
            "a name has {bytes} bytes, more than {NAME_BYTES_MAX}"
        )));
    }
    Ok(())
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, "EntryTooLarge", message)
}

/// The error of a batch whose precondition at `index` does not hold.
pub(super) fn unmet(index: usize, precondition: &Precondition) -> Error {
    let what = match precondition {
        Precondition::Absent(_) => "the key exists",
        Precondition::Present(_) => "the key does not exist",
        Precondition::At(..) => "the key's newest version is another one",
        Precondition::UnchangedSince(..) => "the key has a later version",
        Precondition::Revision(..) => "the version was amended or is gone",
        Precondition::Empty(_) => "the span is not empty",
    };
    Error::new(
        ErrorKind::Precondition,
        "PreconditionFailed",
        format!("precondition {index} does not hold: {what}"),
    )
}

/// The error of a batch that amends a version which is not there.
pub(super) fn nothing_to_amend() -> Error {
    Error::new(
        ErrorKind::Precondition,
        "PreconditionFailed",
        "a version that is to be amended is gone",
    )
}

/// The error of every commit after one that failed.
pub(super) fn poisoned() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "StorePoisoned",
        "an earlier commit failed; nothing is written until the store is opened again",
    )
}

/// Counts what goes into a page.
pub(super) struct Room {
    entries: usize,
    bytes: usize,
    empty: bool,
}

impl Room {
    /// Room for `limit` entries and [`PAGE_BYTES_MAX`].
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: limit,
            bytes: PAGE_BYTES_MAX,
            empty: true,
        }
    }

    /// Takes room for an entry; `false` if there is none left. The first entry may have any size.
    pub(super) fn take(&mut self, value_bytes: usize) -> bool {
        if self.entries == 0 || (value_bytes > self.bytes && !self.empty) {
            return false;
        }
        self.entries -= 1;
        self.bytes = self.bytes.saturating_sub(value_bytes);
        self.empty = false;
        true
    }
}
