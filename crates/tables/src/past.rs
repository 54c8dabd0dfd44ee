//! A table or a view as it was: what undoing a run, or going back to a time, makes of it.
//!
//! Each commit's row stays for the undo window, and names a metadata file. What was is had back by a commit of new metadata: the branches and
//! tags, the schema, the partitioning, the order and the properties are those of then; what was added since (snapshots, schemas) stays
//! listed, so that it can be had back in turn. What a run made is dropped, what it dropped stands again.
//!
//! Invariant: the commit expects the row that was looked at: nobody's commit is lost.
//!
//! Deliberately absent: which commits are a run's (who asks says); data files, which are objects of their own.

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{
    Changes, Kind, Permit, Standing, Stored, StoredVersion, Whose, WritePermit, tables::TableRow,
};
use serde_json::{Value, json};

use crate::{
    error::exists,
    location::Folder,
    metadata::{Before, Metadata},
    name::{Namespace, TableName, What},
    namespaces::entered,
    table::{
        METADATA_BYTES_MAX, PARSED, Tables, commit_rows, having, is_free, milliseconds, permitted, put_row,
        size,
    },
};

/// The most commits that are looked at.
const COMMITS_MAX: usize = 16_384;

/// What can be made of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as it would become.
    Same,
    /// It was done before, by this commit.
    Done(Sequence),
    /// Somebody changed it later, by this commit.
    Later(Sequence),
    /// What is to be undone is not there any more.
    Gone,
    /// What was before is not there any more.
    Passed,
    /// This is to be done.
    Step(Step),
}

/// What is to be done with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The row, which must still be that.
    pub newest: Sequence,
    /// The commit whose state is had back; `None`: the table is dropped.
    pub back: Option<Sequence>,
    /// Whether it stands again that was dropped.
    revives: bool,
    /// Whether it gets another name.
    renames: bool,
    /// Whether its labels change.
    relabels: bool,
}

impl Step {
    /// What one needs to be allowed.
    #[must_use]
    pub fn actions(&self) -> Vec<&'static str> {
        if self.back.is_none() {
            return vec!["s3tables:DeleteTable"];
        }
        let mut actions = vec![
            "s3tables:UpdateTableMetadataLocation",
            "s3tables:PutTableData",
            "s3tables:GetTableData",
        ];
        for (needs, action) in [
            (self.revives, "s3tables:RegisterTable"),
            (self.renames, "s3tables:RenameTable"),
            (self.relabels, "s3tables:TagResource"),
        ] {
            if needs {
                actions.push(action);
            }
        }
        actions
    }
}

/// A row of a table.
struct Row {
    sequence: Sequence,
    row: TableRow,
}

impl Row {
    fn of(version: StoredVersion) -> Result<Self> {
        let StoredVersion { stored, standing } = version;
        Ok(Self {
            sequence: stored.sequence,
            row: match standing {
                Standing::Exists => TableRow::read(&stored.value.meta)?,
                // It stands for nothing.
                Standing::Deleted | Standing::Marked => TableRow::default(),
            },
        })
    }

    /// Whether a table is there by it.
    fn is_live(&self) -> bool {
        is_live(&self.row)
    }
}

fn is_live(row: &TableRow) -> bool {
    !row.dropped && !row.metadata.is_empty()
}

fn older(permit: &Permit, id: &str, than: Sequence) -> Result<Option<Row>> {
    permit
        .before(Kind::Table, id.as_bytes(), than)?
        .map(Row::of)
        .transpose()
}

fn newest(permit: &Permit, id: &str) -> Result<Option<Row>> {
    permit
        .newest(Kind::Table, id.as_bytes())?
        .map(Row::of)
        .transpose()
}

/// What undoing a run makes of the table that a permit is for. `whole` is the newest commit of before history is whole.
///
/// # Errors
/// Those of `whose`; `TooManyCommits`; the store's own.
pub fn before_run(
    permit: &Permit,
    whole: Sequence,
    whose: impl Fn(Sequence) -> Result<Whose>,
) -> Result<Finding> {
    let id = permitted(permit)?;
    let Some(newest) = newest(permit, &id)? else {
        return Ok(Finding::Gone);
    };
    match whose(newest.sequence)? {
        Whose::Run => {}
        Whose::Undoing => return Ok(Finding::Done(newest.sequence)),
        Whose::Another => {
            let mut at = newest.sequence;
            for _ in 0..COMMITS_MAX {
                match older(permit, &id, at)? {
                    Some(row) if row.sequence > whole => {
                        if whose(row.sequence)? == Whose::Run {
                            return Ok(Finding::Later(newest.sequence));
                        }
                        at = row.sequence;
                    }
                    _ => return Ok(Finding::Gone),
                }
            }
            return Err(too_many());
        }
    }
    let mut of_run = newest.sequence;
    for _ in 0..COMMITS_MAX {
        if of_run <= whole {
            return Ok(Finding::Passed);
        }
        match older(permit, &id, of_run)? {
            Some(row) if whose(row.sequence)? == Whose::Run => of_run = row.sequence,
            before => return Ok(step(&newest, before.as_ref())),
        }
    }
    Err(too_many())
}

/// What going back to a commit makes of the table that a permit is for. History is whole since before it.
///
/// # Errors
/// The store's own.
pub fn as_of(permit: &Permit, at: Sequence) -> Result<Finding> {
    let id = permitted(permit)?;
    let Some(newest) = newest(permit, &id)? else {
        return Ok(Finding::Same);
    };
    let then = older(permit, &id, Sequence(at.0.saturating_add(1)))?;
    Ok(step(&newest, then.as_ref()))
}

fn too_many() -> Error {
    let text = format!("a table of more than {COMMITS_MAX} commits since then is not had back");
    Error::new(ErrorKind::TooLarge, "TooManyCommits", text)
}

/// From what is to what was.
fn step(newest: &Row, was: Option<&Row>) -> Finding {
    let step = |back: Option<&Row>| {
        let is = |differs: fn(&TableRow, &TableRow) -> bool| {
            back.is_some_and(|was| differs(&newest.row, &was.row))
        };
        Finding::Step(Step {
            newest: newest.sequence,
            back: back.map(|was| was.sequence),
            revives: back.is_some() && !newest.is_live(),
            renames: newest.is_live() && is(|a, b| (&a.namespace, &a.name) != (&b.namespace, &b.name)),
            relabels: is(|a, b| a.labels != b.labels),
        })
    };
    let Some(was) = was.filter(|was| was.is_live()) else {
        return match newest.is_live() {
            true => step(None),
            false => Finding::Same,
        };
    };
    let is_it = newest.sequence == was.sequence || newest.row.brought_back == was.sequence.0;
    match is_it && newest.is_live() {
        true => Finding::Same,
        false => step(Some(was)),
    }
}

/// The tables of a bucket that commits changed, by a permit for its catalog: those of `versions` that are still known.
///
/// # Errors
/// The store's own.
pub fn changed_by(permit: &Permit, versions: &[u64]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    permit.visit_versions::<Error>(Kind::Table, (b"", None), None, |head| {
        if versions.contains(&head.sequence.0)
            && let Ok(id) = std::str::from_utf8(head.name)
            && found.last().is_none_or(|last: &String| last != id)
        {
            found.push(id.to_owned());
        }
        Ok(craton_gate::Flow::Next)
    })?;
    Ok(found)
}

impl Tables {
    /// Does it. The commit.
    ///
    /// # Errors
    /// `Precondition` if somebody committed meanwhile; `AlreadyExistsException` if something else has the name by now;
    /// `NoSuchNamespaceException`; `UndoWindowPassed` if what was is not there any more; `TooLarge`; the store's own.
    pub async fn bring_back(&self, permit: &WritePermit, step: &Step) -> Result<Sequence> {
        let id = permitted(permit)?;
        let now = newest(permit, &id)?.filter(|now| now.sequence == step.newest);
        let now = now.ok_or_else(|| {
            let text = "the table was changed meanwhile";
            Error::new(ErrorKind::Precondition, "Changed", text)
        })?;
        let changes = Changes::new().expect_at(Kind::Table, id.clone().into_bytes(), now.sequence);
        let Some(back) = step.back else {
            let name = name_of(&now.row)?;
            let dropped = TableRow {
                dropped: true,
                ..now.row
            };
            let changes = put_row(changes, &id, &dropped).delete(Kind::TableName, name.row());
            return commit_rows(permit, &changes, &[]).await;
        };
        let then = permit.version(Kind::Table, id.as_bytes(), back)?;
        let then = Row::of(then.ok_or_else(passed)?)?;
        let changes = named_again(permit, changes, (&now, &then), &id)?;
        let metadata = file_at(permit, &then)?;
        let _room = self
            .room(size(&metadata).saturating_mul(PARSED.saturating_mul(2)))
            .await?;
        let metadata = Metadata::parse(&permit.whole(&metadata, METADATA_BYTES_MAX).await?)?;
        let newer = match permit.entry(Kind::Object, now.row.metadata.as_bytes())? {
            Some(stored) => Some(Metadata::parse(
                &permit.whole(&stored, METADATA_BYTES_MAX).await?,
            )?),
            // Its file was deleted with it.
            None => None,
        };
        let folder = Folder::new(&permit.bucket()?.name, &id);
        let metadata = self.again(permit, (&now, &then), (newer, metadata), &folder)?;
        let written = self
            .write(permit, &folder, &metadata, next_number(&now.row.metadata))
            .await?;
        let row = TableRow {
            namespace: then.row.namespace,
            name: then.row.name,
            dropped: false,
            view: then.row.view,
            ..now.row
        };
        let row = TableRow {
            brought_back: back.0,
            ..written.named_by(row)
        };
        commit_rows(permit, &put_row(changes, &id, &row), &[&written]).await
    }

    /// The metadata of then as the newest.
    fn again(
        &self,
        permit: &Permit,
        (now, then): (&Row, &Row),
        (newer, older): (Option<Metadata>, Metadata),
        folder: &Folder,
    ) -> Result<Metadata> {
        let now_ms = milliseconds(permit);
        let newer = newer.unwrap_or_else(|| older.clone());
        let mut metadata = match then.row.view {
            true => view_again(&newer, older, now_ms),
            false => table_again(&newer, older, now_ms),
        };
        if !then.row.view {
            let before = Before {
                file: folder.location_of(&now.row.metadata),
                updated_ms: newer.number("last-updated-ms").unwrap_or(0),
            };
            metadata.finish(Some(before), now_ms)?;
        }
        folder.check_all(&metadata)?;
        Ok(metadata)
    }
}

fn passed() -> Error {
    let text = "what the table was is not there any more";
    Error::new(ErrorKind::NotFound, "UndoWindowPassed", text)
}

/// The metadata file of a row, as it was then: it may be deleted since.
fn file_at(permit: &WritePermit, then: &Row) -> Result<Stored> {
    let until = Sequence(then.sequence.0.saturating_add(1));
    let found = permit.before(Kind::Object, then.row.metadata.as_bytes(), until)?;
    found.and_then(StoredVersion::existing).ok_or_else(passed)
}

fn name_of(row: &TableRow) -> Result<TableName> {
    TableName::new(Namespace::new(row.namespace.clone())?, &row.name)
}

fn next_number(metadata: &str) -> u64 {
    let file = metadata.rsplit('/').next().unwrap_or_default();
    let number: Option<u64> = file.split('-').next().and_then(|n| n.parse().ok());
    number.unwrap_or(0).saturating_add(1)
}

/// That the table has the name of then.
fn named_again(
    permit: &WritePermit,
    changes: Changes,
    (now, then): (&Row, &Row),
    id: &str,
) -> Result<Changes> {
    let name = name_of(&then.row)?;
    let what = What::of(then.row.view);
    if now.is_live() {
        let other = name_of(&now.row)?;
        if other.row() == name.row() {
            return Ok(changes);
        }
        is_free(permit, &name)?;
        let changes = having(changes.delete(Kind::TableName, other.row()), (&name, what), id);
        return entered(permit, changes, &name.namespace);
    }
    is_free(permit, &name).map_err(|_| exists(what.text(), &name.text()))?;
    entered(permit, having(changes, (&name, what), id), &name.namespace)
}

/// Adds to a list what only another has.
fn united(out: &mut Metadata, other: &Metadata, list: &str, id: &str) {
    let known: Vec<Value> = out
        .list(list)
        .iter()
        .filter_map(|item| item.get(id).cloned())
        .collect();
    for item in other.list(list) {
        if item.get(id).is_none_or(|its| !known.contains(its)) {
            out.push(list, item.clone());
        }
    }
}

/// A table's metadata of then, with what was added since, and numbers that only grow.
fn table_again(newer: &Metadata, older: Metadata, now_ms: i64) -> Metadata {
    let mut out = older;
    let growing = [
        "format-version",
        "last-sequence-number",
        "last-updated-ms",
        "last-column-id",
        "last-partition-id",
        "next-row-id",
    ];
    for name in growing {
        if let Some(newer) = newer.number(name)
            && out.number(name).is_none_or(|then| then < newer)
        {
            out.set(name, newer);
        }
    }
    for (list, id) in [
        ("schemas", "schema-id"),
        ("partition-specs", "spec-id"),
        ("sort-orders", "order-id"),
        ("snapshots", "snapshot-id"),
        ("statistics", "snapshot-id"),
        ("partition-statistics", "snapshot-id"),
        ("encryption-keys", "key-id"),
    ] {
        united(&mut out, newer, list, id);
    }
    let current = |metadata: &Metadata| metadata.number("current-snapshot-id").filter(|id| *id >= 0);
    let (was, is) = (current(&out), current(newer));
    for log in ["snapshot-log", "metadata-log"] {
        out.set(log, newer.list(log).to_vec());
    }
    if let Some(was) = was.filter(|was| Some(*was) != is) {
        out.push(
            "snapshot-log",
            json!({ "snapshot-id": was, "timestamp-ms": now_ms }),
        );
    }
    out
}

/// A view's metadata of then, with what was added since.
fn view_again(newer: &Metadata, older: Metadata, now_ms: i64) -> Metadata {
    let mut out = older;
    united(&mut out, newer, "versions", "version-id");
    united(&mut out, newer, "schemas", "schema-id");
    let (was, is) = (
        out.number("current-version-id"),
        newer.number("current-version-id"),
    );
    out.set("version-log", newer.list("version-log").to_vec());
    if let Some(was) = was.filter(|was| Some(*was) != is) {
        out.push(
            "version-log",
            json!({ "version-id": was, "timestamp-ms": now_ms }),
        );
    }
    out
}

#[cfg(test)]
mod tests;
