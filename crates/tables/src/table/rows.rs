//! The rows of tables and views and of their names, and commits of them.

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{
    BucketInfo, Changes, Kind, Permit, Stored, Value as Entry, WritePermit,
    tables::{NameRow, TableRow, id_of},
};
use prost::Message as _;

use super::Written;
use crate::{
    error::{COMMIT_FAILED, commit_failed, exists, no_such},
    name::{TableName, What},
    namespaces::entered,
};

/// How often a commit that lost a race is tried again.
const TRIES_MAX: usize = 100;

/// A name, and what has it.
pub(crate) type Named<'a> = (&'a TableName, What);

/// A table's row, as it was read.
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) row: TableRow,
    pub(crate) sequence: Sequence,
}

impl Found {
    /// The newest metadata file.
    pub(crate) fn file(&self, permit: &Permit) -> Result<Stored> {
        let stored = permit.entry(Kind::Object, self.row.metadata.as_bytes())?;
        stored.ok_or_else(|| Error::corrupt(format!("the metadata file {} is not there", self.row.metadata)))
    }

    /// The number that the next metadata file's name begins with.
    pub(crate) fn next_number(&self) -> u64 {
        let file = self.row.metadata.rsplit('/').next().unwrap_or_default();
        let number: Option<u64> = file.split('-').next().and_then(|n| n.parse().ok());
        number.unwrap_or(0).saturating_add(1)
    }

    /// That the row, as it was read, becomes this one.
    pub(crate) fn becomes(self, changes: Changes, row: &TableRow) -> Changes {
        put_row(changes, &self.id, row).expect_at(Kind::Table, self.id.into_bytes(), self.sequence)
    }

    /// That a new metadata file is the newest.
    pub(crate) fn renewed(self, changes: Changes, written: &Written) -> Changes {
        let row = written.named_by(self.row.clone());
        self.becomes(changes, &row)
    }
}

/// The id of the table that a permit is for.
pub(crate) fn permitted(permit: &Permit) -> Result<String> {
    let id = id_of(permit.resource()).map(str::to_owned);
    id.ok_or_else(|| Error::internal("a permit is for no table"))
}

/// The row with this id, if it still has that name.
pub(crate) fn live(permit: &Permit, id: &str, (name, what): Named<'_>) -> Result<Found> {
    let stored = permit
        .entry(Kind::Table, id.as_bytes())?
        .ok_or_else(|| no_such(what, name))?;
    let row = TableRow::read(&stored.value.meta)?;
    let is_it = row.namespace == name.namespace.levels() && row.name == name.name();
    if !is_it || row.dropped || row.metadata.is_empty() || What::of(row.view) != what {
        return Err(no_such(what, name));
    }
    Ok(Found {
        id: id.to_owned(),
        row,
        sequence: stored.sequence,
    })
}

pub(super) fn row_of((name, what): Named<'_>) -> TableRow {
    TableRow {
        namespace: name.namespace.levels().to_vec(),
        name: name.name().to_owned(),
        view: what == What::View,
        ..TableRow::default()
    }
}

pub(crate) fn put_row(changes: Changes, id: &str, row: &TableRow) -> Changes {
    changes.put(
        Kind::Table,
        id.as_bytes().to_vec(),
        Entry::of_meta(row.encode_to_vec()),
    )
}

/// What has a name.
pub(super) fn taken(permit: &Permit, name: &TableName) -> Result<Option<What>> {
    let found = permit.entry(Kind::TableName, &name.row())?;
    found
        .map(|stored| Ok(What::of(NameRow::read(&stored.value.meta)?.view)))
        .transpose()
}

pub(crate) fn is_free(permit: &Permit, name: &TableName) -> Result<()> {
    match taken(permit, name)? {
        Some(what) => Err(exists(what.text(), &name.text())),
        None => Ok(()),
    }
}

/// That a table comes to have a name that is free, in a namespace that is there.
pub(super) fn named(permit: &Permit, (name, what): Named<'_>, id: &str) -> Result<Changes> {
    entered(permit, having(Changes::new(), (name, what), id), &name.namespace)
}

/// That a table comes to have a name that is free.
pub(crate) fn having(changes: Changes, (name, what): Named<'_>, id: &str) -> Changes {
    let row = NameRow {
        id: id.to_owned(),
        view: what == What::View,
    };
    changes.expect_absent(Kind::TableName, name.row()).put(
        Kind::TableName,
        name.row(),
        Entry::of_meta(row.encode_to_vec()),
    )
}

/// Tries again what lost a race, a hundred times at most.
pub(crate) async fn retried<T, F>(name: &TableName, once: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for _ in 0..TRIES_MAX {
        match once().await {
            Err(e) if lost_race(&e) => {}
            done => return done,
        }
    }
    let text = format!("{} is being changed by others; try again", name.text());
    Err(commit_failed(text))
}

/// Commits changes with the metadata files that they name.
pub(crate) async fn commit_rows(
    permit: &WritePermit,
    changes: &Changes,
    files: &[&Written],
) -> Result<Sequence> {
    let build = |bucket: &BucketInfo| {
        files.iter().try_fold(changes.clone(), |changes, written| {
            written.file.put(bucket, changes).map_err(|e| e.to_base())
        })
    };
    let done: Result<_> = permit.commit_with(build).await;
    done.map(|(committed, _)| committed.sequence)
}

/// Whether the store says that somebody else was first; a requirement that does not hold is another matter.
fn lost_race(error: &Error) -> bool {
    error.kind() == ErrorKind::Precondition && error.reason() != COMMIT_FAILED
}

pub(super) fn conflict(error: Error) -> Error {
    match lost_race(&error) {
        true => commit_failed("the namespace is being changed by others; try again"),
        false => error,
    }
}

pub(crate) fn size(stored: &Stored) -> u64 {
    stored
        .value
        .content
        .iter()
        .fold(0, |sum, extent| sum.saturating_add(extent.len))
}

pub(crate) fn milliseconds(permit: &Permit) -> i64 {
    i64::try_from(permit.now().micros() / 1000).unwrap_or(i64::MAX)
}
