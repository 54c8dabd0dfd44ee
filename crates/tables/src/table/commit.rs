//! Commits to tables: of one that is there, of one that was staged, of several at once.
//!
//! Invariants
//! - all changes of a commit are one commit of the namespace: all of them are made, or none;
//! - a table's requirements are checked against the metadata that the commit replaces: the commit expects the row that named it.

use craton_base::{Result, Sequence};
use craton_gate::{
    Changes, Kind, Stored, Versioning, WritePermit,
    tables::{TableRow, is_id},
};
use serde_json::Value;

use super::{
    Loaded, METADATA_BYTES_MAX, PARSED, Tables, Written, commit_rows, milliseconds, retried,
    rows::{Found, having, live, put_row, row_of, size, taken},
};
use crate::{
    error::{bad, commit_failed, no_such},
    location::{Folder, of_metadata_file},
    metadata::{Before, Metadata},
    name::{Namespace, TableName, What},
    namespaces::entered,
    requirement,
    update::{Change, UPDATES_MAX},
};

/// The property by which a table's earlier metadata files go once its metadata does not name them any more.
const DELETE_AFTER_COMMIT: &str = "write.metadata.delete-after-commit.enabled";

/// The most tables in one commit.
pub const TABLES_MAX: usize = 16;

/// A change of one table.
#[derive(Clone, Debug)]
pub struct TableChange {
    /// Its id: that of the row which has the name, or the one that it was staged with.
    pub id: String,
    /// Its name.
    pub name: TableName,
    /// What must hold.
    pub requirements: Vec<Value>,
    /// What changes.
    pub updates: Vec<Value>,
    /// The metadata file that it was planned on, where it is to be changed in no other state: maintenance takes away what
    /// nothing names, and requirements can not say that nothing came to name it.
    pub on: Option<String>,
}

/// What stands before a change.
enum Standing {
    Live(Found, Stored),
    Staged(TableRow, Sequence),
}

/// A commit of several tables while it is put together.
#[derive(Default)]
struct Together {
    changes: Changes,
    files: Vec<Written>,
    loaded: Vec<Loaded>,
    entered: Vec<Namespace>,
}

/// The id of the staged table that updates which make a table are about; `None` also for one that is no id.
#[must_use]
pub fn staged_id(requirements: &[Value], updates: &[Value]) -> Option<String> {
    let assigns = |u: &&Value| u.get("action").and_then(Value::as_str) == Some("assign-uuid");
    let id = || updates.iter().find(assigns)?.get("uuid")?.as_str();
    let id = requirement::wants_none(requirements).then(id)?;
    id.filter(|id| is_id(id)).map(str::to_owned)
}

impl Tables {
    /// Changes tables, and makes those that were staged: all updates of all of them, if all requirements hold. The permit is for the one table,
    /// or for work on all of them, which it holds.
    ///
    /// # Errors
    /// `CommitFailedException`, `NoSuchTableException`, `BadRequestException`; `TooLarge`.
    pub async fn commit(&self, permit: &WritePermit, wanted: &[TableChange]) -> Result<Vec<Loaded>> {
        let Some(first) = wanted.first() else {
            return Err(bad("a commit is of at least one table"));
        };
        let updates = |change: &TableChange| change.requirements.len().max(change.updates.len());
        if wanted.len() > TABLES_MAX || wanted.iter().map(updates).sum::<usize>() > UPDATES_MAX {
            let text = format!("a commit has at most {TABLES_MAX} tables and {UPDATES_MAX} updates");
            return Err(bad(text));
        }
        let is_twice = |(at, change): (usize, &TableChange)| {
            let mut before = wanted.iter().take(at);
            before.any(|c| c.name == change.name)
        };
        if wanted.iter().enumerate().any(is_twice) {
            return Err(bad("a commit has each table once"));
        }
        retried(&first.name, || self.commit_once(permit, wanted)).await
    }

    async fn commit_once(&self, permit: &WritePermit, wanted: &[TableChange]) -> Result<Vec<Loaded>> {
        let find = |change: &TableChange| Standing::find(permit, change);
        let standing: Vec<Standing> = wanted.iter().map(find).collect::<Result<_>>()?;
        // For all of them at once: who holds some room never waits for more.
        let bytes: u64 = standing.iter().map(Standing::size).sum();
        let _room = self.room(bytes.saturating_mul(PARSED)).await?;
        let mut all = Together::default();
        for (change, standing) in wanted.iter().zip(standing) {
            all = match standing {
                Standing::Live(found, stored) => self.change(permit, change, (found, &stored), all).await?,
                Standing::Staged(row, at) => self.make_staged(permit, change, (row, at), all).await?,
            };
        }
        let files: Vec<&Written> = all.files.iter().collect();
        commit_rows(permit, &all.changes, &files).await?;
        Ok(all.loaded)
    }

    async fn change(
        &self,
        permit: &WritePermit,
        wanted: &TableChange,
        (found, stored): (Found, &Stored),
        mut all: Together,
    ) -> Result<Together> {
        let folder = Folder::new(&permit.bucket()?.name, &found.id);
        let bytes = permit.whole(stored, METADATA_BYTES_MAX).await?;
        let metadata = Metadata::parse(&bytes)?;
        let mut requirements = wanted.requirements.iter();
        requirements.try_for_each(|requirement| requirement::check(&metadata, requirement))?;
        let file = folder.location_of(&found.row.metadata);
        if wanted.on.as_ref().is_some_and(|on| *on != file) {
            return Err(commit_failed("the table was changed since this was planned"));
        }
        if wanted.updates.is_empty() {
            // Nothing changes, and what was required holds when the others change.
            all.changes = all
                .changes
                .expect_at(Kind::Table, found.id.clone().into_bytes(), found.sequence);
            all.loaded.push(Loaded {
                id: found.id,
                location: Some(file),
                metadata: bytes,
                version: 0,
            });
            return Ok(all);
        }
        let before = Before {
            file,
            updated_ms: metadata.number("last-updated-ms").unwrap_or(0),
        };
        let change = Change::new(metadata, false, milliseconds(permit));
        let (metadata, unnamed) = changed(change, &wanted.updates, Some(before), &folder)?;
        for key in outdated(permit, &metadata, &found.id, &unnamed)? {
            all.changes = all.changes.delete(Kind::Object, key);
        }
        let written = self
            .write(permit, &folder, &metadata, found.next_number())
            .await?;
        all.changes = found.renewed(all.changes, &written);
        Ok(all.with(written))
    }

    async fn make_staged(
        &self,
        permit: &WritePermit,
        wanted: &TableChange,
        (row, at): (TableRow, Sequence),
        mut all: Together,
    ) -> Result<Together> {
        let (id, name) = (&*wanted.id, &wanted.name);
        let folder = Folder::new(&permit.bucket()?.name, id);
        let empty = Metadata::empty(id, &folder.location());
        let mut others = wanted
            .requirements
            .iter()
            .filter(|r| !requirement::is_for_none(r));
        others.try_for_each(|requirement| requirement::check(&empty, requirement))?;
        let change = Change::new(empty, true, milliseconds(permit));
        let (metadata, _) = changed(change, &wanted.updates, None, &folder)?;
        let written = self.write(permit, &folder, &metadata, 0).await?;
        let row = written.named_by(row);
        let changes = having(all.changes, (name, What::Table), id);
        all.changes = put_row(changes, id, &row).expect_at(Kind::Table, id.as_bytes().to_vec(), at);
        if !all.entered.contains(&name.namespace) {
            all.changes = entered(permit, all.changes, &name.namespace)?;
            all.entered.push(name.namespace.clone());
        }
        Ok(all.with(written))
    }
}

impl Standing {
    fn find(permit: &WritePermit, wanted: &TableChange) -> Result<Self> {
        let (id, name) = (&*wanted.id, &wanted.name);
        if !requirement::wants_none(&wanted.requirements) {
            let found = live(permit, id, (name, What::Table))?;
            let stored = found.file(permit)?;
            return Ok(Self::Live(found, stored));
        }
        if taken(permit, name)?.is_some() {
            let text = format!("Requirement failed: table already exists: {}", name.text());
            return Err(commit_failed(text));
        }
        if staged_id(&wanted.requirements, &wanted.updates).as_deref() != Some(id) {
            return Err(bad("what makes a table assigns the UUID that it was staged with"));
        }
        let stored = permit.entry(Kind::Table, id.as_bytes())?;
        let stored = stored.ok_or_else(|| no_such(What::Table, name))?;
        let row = TableRow::read(&stored.value.meta)?;
        match row == row_of((name, What::Table)) {
            true => Ok(Self::Staged(row, stored.sequence)),
            false => Err(bad(
                "the table that was staged has another name, or is there already",
            )),
        }
    }

    fn size(&self) -> u64 {
        match self {
            Self::Live(_, stored) => size(stored),
            Self::Staged(..) => 0,
        }
    }
}

impl Together {
    fn with(mut self, written: Written) -> Self {
        self.loaded.push(written.loaded.clone());
        self.files.push(written);
        self
    }
}

fn changed(
    mut change: Change,
    updates: &[Value],
    before: Option<Before>,
    folder: &Folder,
) -> Result<(Metadata, Vec<String>)> {
    let now_ms = change.now_ms;
    updates.iter().try_for_each(|update| change.apply(update))?;
    let unnamed = change.metadata.finish(before, now_ms)?;
    folder.check_all(&change.metadata)?;
    Ok((change.metadata, unnamed))
}

/// The keys of earlier metadata files that go with a commit, because the table wants it so: those that its log came not to name.
/// Where versions are kept, they stay.
fn outdated(permit: &WritePermit, metadata: &Metadata, id: &str, unnamed: &[String]) -> Result<Vec<Vec<u8>>> {
    let bucket = permit.bucket()?;
    let wanted = metadata.property(DELETE_AFTER_COMMIT) == Some("true");
    if !wanted || bucket.versioning != Versioning::Unversioned {
        return Ok(Vec::new());
    }
    let key = |file: &String| {
        let (of, key) = of_metadata_file(&bucket.name, file).ok()?;
        (of == id).then(|| key.as_str().as_bytes().to_vec())
    };
    Ok(unnamed.iter().filter_map(key).collect())
}
