//! Tables: made, loaded, changed, renamed, dropped.
//!
//! Invariant: whatever a table's row names as its metadata was written here and checked when it was.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, ObjectKey, Random, Result, random};
use craton_gate::{
    Changes, Kind, ReadPermit, WritePermit,
    tables::{TableRow, is_id},
};
use craton_objects::put::Arrived;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

mod rows;

use rows::{
    busy, commit, conflict, is_free, live, lost, lost_race, milliseconds, named, number_of, permitted,
    put_row, row_of, size,
};

use crate::{
    error::{bad, commit_failed, exists, no_such_table},
    fresh,
    location::{self, Folder},
    metadata::{Before, Metadata},
    name::TableName,
    namespaces::entered,
    requirement,
    update::{Change, UPDATES_MAX},
};

/// The largest metadata file, in bytes.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;

/// Bytes of metadata files that are read or written at once.
const ROOM_BYTES: u64 = 64 << 20;

/// Room is counted in so many bytes.
const ROOM_UNIT: u64 = 1 << 10;

/// What a parsed file takes, in its own bytes, about.
const PARSED: u64 = 4;

/// How often a commit that lost a race is tried again.
const TRIES_MAX: usize = 100;

/// The engine. Clones are the same.
#[derive(Clone)]
pub struct Tables {
    random: Arc<dyn Random>,
    room: Arc<Semaphore>,
}

/// What a client asks of a new table.
#[derive(Clone, Debug)]
pub struct CreateTable {
    /// Its name.
    pub name: TableName,
    /// Its location, which can only be its own folder; `None`: that.
    pub location: Option<String>,
    /// Its schema.
    pub schema: Value,
    /// How it is partitioned.
    pub partition_spec: Option<Value>,
    /// How its files are sorted.
    pub write_order: Option<Value>,
    /// Its properties.
    pub properties: Map<String, Value>,
}

/// Which snapshots metadata is loaded with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Snapshots {
    /// All.
    All,
    /// Those that branches and tags name.
    Named,
}

/// A table's metadata, and where it is.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Where the metadata file is; `None` for a table that is staged.
    pub location: Option<String>,
    /// The metadata, as JSON.
    pub metadata: Bytes,
}

/// A metadata file that is to be committed.
struct Written {
    file: Arrived,
    loaded: Loaded,
    key: String,
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
    /// The engine, with its source of ids.
    #[must_use]
    pub fn new(random: Arc<dyn Random>) -> Self {
        let units = usize::try_from(ROOM_BYTES / ROOM_UNIT).unwrap_or(1);
        Self {
            random,
            room: Arc::new(Semaphore::new(units)),
        }
    }

    /// A table's metadata, with all its snapshots or with those that branches and tags name.
    ///
    /// # Errors
    /// `NoSuchTableException`; `TooLarge`.
    pub async fn load(&self, permit: &ReadPermit, name: &TableName, snapshots: Snapshots) -> Result<Loaded> {
        let found = live(permit, name)?;
        let stored = permit.entry(Kind::Object, found.row.metadata.as_bytes())?;
        let stored = stored.ok_or_else(|| lost(&found.row))?;
        let parsed = match snapshots {
            Snapshots::All => 1,
            Snapshots::Named => PARSED,
        };
        let _room = self.room(size(&stored).saturating_mul(parsed)).await?;
        let mut metadata = permit.whole(&stored, METADATA_BYTES_MAX).await?;
        if snapshots == Snapshots::Named {
            let mut of_refs = Metadata::parse(&metadata)?;
            of_refs.keep_named_snapshots();
            metadata = of_refs.to_bytes()?.into();
        }
        let folder = Folder::new(&permit.bucket()?.name, &found.id);
        Ok(Loaded {
            location: Some(folder.location_of(&found.row.metadata)),
            metadata,
        })
    }

    /// Fails unless the table is there.
    ///
    /// # Errors
    /// `NoSuchTableException`.
    pub fn exists(&self, permit: &ReadPermit, name: &TableName) -> Result<()> {
        live(permit, name).map(drop)
    }

    /// Makes a table, by a permit for the catalog; staged: what its first commit will be, which makes it.
    ///
    /// # Errors
    /// `AlreadyExistsException`, `NoSuchNamespaceException`, `BadRequestException`.
    pub async fn create(&self, permit: &WritePermit, request: &CreateTable, staged: bool) -> Result<Loaded> {
        let name = &request.name;
        let id = self.uuid()?;
        let folder = Folder::new(&permit.bucket()?.name, &id);
        if let Some(location) = &request.location {
            folder.check("location", location)?;
        }
        let now_ms = milliseconds(permit);
        let mut metadata = fresh::metadata(request, &id, &folder.location(), now_ms)?;
        metadata.finish(None, now_ms)?;
        folder.check_all(&metadata)?;
        let mut row = row_of(name);
        if staged {
            is_free(permit, name)?;
            let changes = put_row(Changes::new(), &id, &row);
            let changes = entered(permit, changes, &name.namespace)?;
            permit.commit(changes).await.map_err(conflict)?;
            return Ok(Loaded {
                location: None,
                metadata: metadata.to_bytes()?.into(),
            });
        }
        let written = self.write(permit, &folder, &metadata, 0).await?;
        row.metadata.clone_from(&written.key);
        for _ in 0..TRIES_MAX {
            is_free(permit, name)?;
            let changes = put_row(named(permit, name, &id)?, &id, &row);
            match commit(permit, &changes, Some(&written)).await {
                Err(e) if lost_race(&e) => {}
                done => return done.map(|()| written.loaded),
            }
        }
        Err(busy(name))
    }

    /// Makes a table of a metadata file that the catalog wrote before, by a permit for that table's folder.
    ///
    /// # Errors
    /// `AlreadyExistsException`, `NoSuchNamespaceException`, `NotFoundException`, `BadRequestException`.
    pub async fn register(&self, permit: &WritePermit, name: &TableName, file: &ObjectKey) -> Result<Loaded> {
        let id = permitted(permit)?;
        let folder = Folder::new(&permit.bucket()?.name, &id);
        let stored = permit.entry(Kind::Object, file.as_str().as_bytes())?;
        let none = || {
            Error::new(
                ErrorKind::NotFound,
                "NotFoundException",
                "there is no such metadata file",
            )
        };
        let stored = stored.ok_or_else(none)?;
        let _room = self.room(size(&stored)).await?;
        let bytes = permit.whole(&stored, METADATA_BYTES_MAX).await?;
        folder.check_all(&Metadata::parse(&bytes)?)?;
        let row = TableRow {
            metadata: file.as_str().to_owned(),
            ..row_of(name)
        };
        for _ in 0..TRIES_MAX {
            is_free(permit, name)?;
            let before = permit.entry(Kind::Table, id.as_bytes())?;
            let before = before.ok_or_else(none)?;
            if !TableRow::read(&before.value.meta)?.dropped {
                return Err(exists("Table", "one of that metadata file"));
            }
            let changes = put_row(named(permit, name, &id)?, &id, &row);
            let changes = changes.expect_at(Kind::Table, id.clone().into_bytes(), before.sequence);
            match commit(permit, &changes, None).await {
                Err(e) if lost_race(&e) => {}
                Err(e) => return Err(e),
                Ok(()) => {
                    return Ok(Loaded {
                        location: Some(folder.location_of(file.as_str())),
                        metadata: bytes,
                    });
                }
            }
        }
        Err(busy(name))
    }

    /// Changes a table, or makes one that was staged: all updates, if all requirements hold.
    ///
    /// # Errors
    /// `CommitFailedException`, `NoSuchTableException`, `BadRequestException`; `TooLarge`.
    pub async fn commit(
        &self,
        permit: &WritePermit,
        name: &TableName,
        requirements: &[Value],
        updates: &[Value],
    ) -> Result<Loaded> {
        if requirements.len().max(updates.len()) > UPDATES_MAX {
            return Err(bad(format!("a commit has at most {UPDATES_MAX} updates")));
        }
        let makes = requirement::wants_none(requirements);
        for _ in 0..TRIES_MAX {
            let done = match makes {
                true => self.commit_staged(permit, name, requirements, updates).await,
                false => self.commit_once(permit, name, requirements, updates).await,
            };
            match done {
                Err(e) if lost_race(&e) => {}
                done => return done,
            }
        }
        Err(busy(name))
    }

    async fn commit_once(
        &self,
        permit: &WritePermit,
        name: &TableName,
        requirements: &[Value],
        updates: &[Value],
    ) -> Result<Loaded> {
        let found = live(permit, name)?;
        let folder = Folder::new(&permit.bucket()?.name, &found.id);
        let stored = permit.entry(Kind::Object, found.row.metadata.as_bytes())?;
        let stored = stored.ok_or_else(|| lost(&found.row))?;
        let _room = self.room(size(&stored).saturating_mul(PARSED)).await?;
        let bytes = permit.whole(&stored, METADATA_BYTES_MAX).await?;
        let metadata = Metadata::parse(&bytes)?;
        requirements
            .iter()
            .try_for_each(|requirement| requirement::check(&metadata, requirement))?;
        let location = folder.location_of(&found.row.metadata);
        if updates.is_empty() {
            // It changed nothing, and its record says that it ended well.
            permit.commit(Changes::new()).await?;
            return Ok(Loaded {
                location: Some(location),
                metadata: bytes,
            });
        }
        let before = Before {
            file: location,
            updated_ms: metadata.number("last-updated-ms").unwrap_or(0),
        };
        let metadata = changed(
            Change::new(metadata, false, milliseconds(permit)),
            updates,
            Some(before),
            &folder,
        )?;
        let written = self
            .write(
                permit,
                &folder,
                &metadata,
                number_of(&found.row.metadata).saturating_add(1),
            )
            .await?;
        let row = TableRow {
            metadata: written.key.clone(),
            ..found.row
        };
        let changes = put_row(Changes::new(), &found.id, &row).expect_at(
            Kind::Table,
            found.id.into_bytes(),
            found.sequence,
        );
        commit(permit, &changes, Some(&written)).await?;
        Ok(written.loaded)
    }

    async fn commit_staged(
        &self,
        permit: &WritePermit,
        name: &TableName,
        requirements: &[Value],
        updates: &[Value],
    ) -> Result<Loaded> {
        let id = permitted(permit)?;
        if permit.entry(Kind::TableName, &name.row())?.is_some() {
            return Err(commit_failed(format!(
                "Requirement failed: table already exists: {}",
                name.text()
            )));
        }
        if staged_id(requirements, updates).as_deref() != Some(&*id) {
            return Err(bad("what makes a table assigns the UUID that it was staged with"));
        }
        let stored = permit
            .entry(Kind::Table, id.as_bytes())?
            .ok_or_else(|| no_such_table(name))?;
        let row = TableRow::read(&stored.value.meta)?;
        if row != row_of(name) {
            return Err(bad(
                "the table that was staged has another name, or is there already",
            ));
        }
        let folder = Folder::new(&permit.bucket()?.name, &id);
        let empty = Metadata::empty(&id, &folder.location());
        let others = requirements.iter().filter(|r| !requirement::is_for_none(r));
        others
            .into_iter()
            .try_for_each(|requirement| requirement::check(&empty, requirement))?;
        let metadata = changed(
            Change::new(empty, true, milliseconds(permit)),
            updates,
            None,
            &folder,
        )?;
        let written = self.write(permit, &folder, &metadata, 0).await?;
        let row = TableRow {
            metadata: written.key.clone(),
            ..row
        };
        let changes = put_row(named(permit, name, &id)?, &id, &row).expect_at(
            Kind::Table,
            id.into_bytes(),
            stored.sequence,
        );
        commit(permit, &changes, Some(&written)).await?;
        Ok(written.loaded)
    }

    /// Gives a table another name.
    ///
    /// # Errors
    /// `NoSuchTableException`, `NoSuchNamespaceException`, `AlreadyExistsException`.
    pub async fn rename(&self, permit: &WritePermit, from: &TableName, to: &TableName) -> Result<()> {
        for _ in 0..TRIES_MAX {
            let found = live(permit, from)?;
            is_free(permit, to)?;
            let row = TableRow {
                metadata: found.row.metadata,
                ..row_of(to)
            };
            let changes = put_row(named(permit, to, &found.id)?, &found.id, &row)
                .expect_at(Kind::Table, found.id.into_bytes(), found.sequence)
                .delete(Kind::TableName, from.row());
            match commit(permit, &changes, None).await {
                Err(e) if lost_race(&e) => {}
                done => return done,
            }
        }
        Err(busy(from))
    }

    /// Takes a table out of the catalog. Its files stay, governed by its name, and can be registered again.
    ///
    /// # Errors
    /// `NoSuchTableException`.
    pub async fn drop(&self, permit: &WritePermit, name: &TableName) -> Result<()> {
        for _ in 0..TRIES_MAX {
            let found = live(permit, name)?;
            let row = TableRow {
                dropped: true,
                ..found.row
            };
            let changes = put_row(Changes::new(), &found.id, &row)
                .expect_at(Kind::Table, found.id.into_bytes(), found.sequence)
                .delete(Kind::TableName, name.row());
            match commit(permit, &changes, None).await {
                Err(e) if lost_race(&e) => {}
                done => return done,
            }
        }
        Err(busy(name))
    }

    async fn write(
        &self,
        permit: &WritePermit,
        folder: &Folder,
        metadata: &Metadata,
        number: u64,
    ) -> Result<Written> {
        let bytes = Bytes::from(metadata.to_bytes()?);
        if bytes.len() as u64 > METADATA_BYTES_MAX {
            let text = format!("a table's metadata has at most {METADATA_BYTES_MAX} bytes; expire snapshots");
            return Err(Error::new(ErrorKind::TooLarge, "BadRequestException", text));
        }
        let name = format!("{number:05}-{}.metadata.json", self.uuid()?);
        let key = folder.metadata_key(&name)?;
        let arrived = Arrived::take_in(permit, key.clone(), "application/json", bytes.clone()).await;
        Ok(Written {
            file: arrived.map_err(|e| e.to_base())?,
            loaded: Loaded {
                location: Some(folder.location_of(key.as_str())),
                metadata: bytes,
            },
            key: key.as_str().to_owned(),
        })
    }

    async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        let units = bytes.min(ROOM_BYTES).div_ceil(ROOM_UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = self.room.acquire_many(units).await;
        room.map_err(|e| Error::internal("the room for metadata was closed").with_source(e))
    }

    /// A random UUID (RFC 9562, version 4).
    fn uuid(&self) -> Result<String> {
        let mut bytes = random::bytes::<16>(&*self.random)?;
        for (at, byte) in bytes.iter_mut().enumerate() {
            match at {
                6 => *byte = (*byte & 0x0f) | 0x40,
                8 => *byte = (*byte & 0x3f) | 0x80,
                _ => {}
            }
        }
        let mut out = String::with_capacity(36);
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                out.push('-');
            }
            out.push_str(&hex::encode([*byte]));
        }
        Ok(out)
    }
}

fn changed(
    mut change: Change,
    updates: &[Value],
    before: Option<Before>,
    folder: &Folder,
) -> Result<Metadata> {
    let now_ms = change.now_ms;
    updates.iter().try_for_each(|update| change.apply(update))?;
    change.metadata.finish(before, now_ms)?;
    folder.check_all(&change.metadata)?;
    Ok(change.metadata)
}

/// The table's id and the key of the metadata file at a location in a bucket.
///
/// # Errors
/// `BadRequestException`.
pub fn metadata_file(bucket: &craton_base::BucketName, location: &str) -> Result<(String, ObjectKey)> {
    location::of_metadata_file(bucket, location)
}
