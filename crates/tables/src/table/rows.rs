//! The rows of tables and of their names, and commits of them.

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{
    BucketInfo, Changes, Kind, Permit, Stored, Value as Entry, WritePermit,
    tables::{TableRow, id_of},
};
use prost::Message as _;

use super::Written;
use crate::{
    error::{COMMIT_FAILED, commit_failed, exists, no_such_table},
    name::TableName,
    namespaces::entered,
};

/// A table's row, as it was read.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) row: TableRow,
    pub(super) sequence: Sequence,
}

/// The id of the table that a permit is for.
pub(super) fn permitted(permit: &Permit) -> Result<String> {
    let id = id_of(permit.resource()).map(str::to_owned);
    id.ok_or_else(|| Error::internal("a permit is for no table"))
}

/// The row of the table that a permit is for, if it still has that name.
pub(super) fn live(permit: &Permit, name: &TableName) -> Result<Found> {
    let id = permitted(permit)?;
    let stored = permit
        .entry(Kind::Table, id.as_bytes())?
        .ok_or_else(|| no_such_table(name))?;
    let row = TableRow::read(&stored.value.meta)?;
    let is_it = row.namespace == name.namespace.levels() && row.name == name.name();
    if !is_it || row.dropped || row.metadata.is_empty() {
        return Err(no_such_table(name));
    }
    Ok(Found {
        id,
        row,
        sequence: stored.sequence,
    })
}

pub(super) fn row_of(name: &TableName) -> TableRow {
    TableRow {
        namespace: name.namespace.levels().to_vec(),
        name: name.name().to_owned(),
        ..TableRow::default()
    }
}

pub(super) fn put_row(changes: Changes, id: &str, row: &TableRow) -> Changes {
    changes.put(
        Kind::Table,
        id.as_bytes().to_vec(),
        Entry::of_meta(row.encode_to_vec()),
    )
}

pub(super) fn is_free(permit: &Permit, name: &TableName) -> Result<()> {
    match permit.entry(Kind::TableName, &name.row())? {
        Some(_) => Err(exists("Table", &name.text())),
        None => Ok(()),
    }
}

/// That a table comes to have a name that is free.
pub(super) fn named(permit: &Permit, name: &TableName, id: &str) -> Result<Changes> {
    let changes = Changes::new().expect_absent(Kind::TableName, name.row()).put(
        Kind::TableName,
        name.row(),
        Entry::of_meta(id.as_bytes().to_vec()),
    );
    entered(permit, changes, &name.namespace)
}

pub(super) async fn commit(permit: &WritePermit, changes: &Changes, file: Option<&Written>) -> Result<()> {
    let build = |bucket: &BucketInfo| match file {
        None => Ok(changes.clone()),
        Some(written) => written.file.put(bucket, changes.clone()).map_err(|e| e.to_base()),
    };
    permit.commit_with(build).await.map(drop)
}

/// Whether the store says that somebody else was first; a requirement that does not hold is another matter.
pub(super) fn lost_race(error: &Error) -> bool {
    error.kind() == ErrorKind::Precondition && error.reason() != COMMIT_FAILED
}

pub(super) fn conflict(error: Error) -> Error {
    match lost_race(&error) {
        true => commit_failed("the namespace is being changed by others; try again"),
        false => error,
    }
}

pub(super) fn busy(name: &TableName) -> Error {
    commit_failed(format!("{} is being changed by others; try again", name.text()))
}

pub(super) fn lost(row: &TableRow) -> Error {
    Error::corrupt(format!("the metadata file {} is not there", row.metadata))
}

pub(super) fn size(stored: &Stored) -> u64 {
    stored
        .value
        .content
        .iter()
        .fold(0, |sum, extent| sum.saturating_add(extent.len))
}

pub(super) fn milliseconds(permit: &Permit) -> i64 {
    i64::try_from(permit.now().micros() / 1000).unwrap_or(i64::MAX)
}

/// The number that a metadata file's name begins with.
pub(super) fn number_of(key: &str) -> u64 {
    let file = key.rsplit('/').next().unwrap_or_default();
    let number = file.split('-').next().and_then(|n| n.parse().ok());
    number.unwrap_or(0)
}
