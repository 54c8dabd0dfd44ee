//! Tables and views in the catalog: made, loaded, renamed, dropped; how a table is changed is in [`commit`].
//!
//! Invariant: whatever a row names as its metadata was written here and checked when it was.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, ObjectKey, Random, Result, random};
use craton_gate::{Changes, Kind, ReadPermit, WritePermit, tables::TableRow};
use craton_objects::put::Arrived;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

mod commit;
mod rows;

pub use commit::{TABLES_MAX, TableChange, staged_id};
use rows::{Found, Named, conflict, named, row_of};
pub(crate) use rows::{commit_rows, having, is_free, live, milliseconds, permitted, put_row, retried, size};

use crate::{
    error::{bad, exists},
    fresh,
    governed::Governed,
    location::{self, Folder},
    metadata::Metadata,
    name::{TableName, What},
    namespaces::entered,
};

/// The largest metadata file, in bytes.
pub const METADATA_BYTES_MAX: u64 = 16 << 20;

/// Bytes of metadata files that are read or written at once.
const ROOM_BYTES: u64 = 64 << 20;

/// Room is counted in so many bytes.
const ROOM_UNIT: u64 = 1 << 10;

/// What a parsed file takes, in its own bytes, about.
pub(crate) const PARSED: u64 = 4;

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

/// Metadata of a table or a view, and where it is.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The id of its folder.
    pub id: String,
    /// Where the metadata file is; `None` for a table that is staged.
    pub location: Option<String>,
    /// The metadata, as JSON.
    pub metadata: Bytes,
    /// The commit that made it, of what was loaded; else 0.
    pub version: u64,
}

/// A metadata file that is to be committed.
pub(crate) struct Written {
    file: Arrived,
    pub(crate) loaded: Loaded,
    key: String,
    governed: Governed,
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

    /// The metadata of a table or a view, of a table with all its snapshots or with those that branches and tags name.
    ///
    /// # Errors
    /// `NoSuchTableException`, `NoSuchViewException`; `TooLarge`.
    pub async fn load(
        &self,
        permit: &ReadPermit,
        (name, what): (&TableName, What),
        snapshots: Snapshots,
    ) -> Result<Loaded> {
        let found = live(permit, &permitted(permit)?, (name, what))?;
        let stored = found.file(permit)?;
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
            id: found.id,
            metadata,
            version: stored.sequence.0,
        })
    }

    /// Fails unless the table or the view is there.
    ///
    /// # Errors
    /// `NoSuchTableException`, `NoSuchViewException`.
    pub fn exists(&self, permit: &ReadPermit, (name, what): (&TableName, What)) -> Result<()> {
        live(permit, &permitted(permit)?, (name, what)).map(drop)
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
        if !staged {
            return self.make(permit, (name, What::Table), &folder, &metadata).await;
        }
        is_free(permit, name)?;
        let changes = put_row(Changes::new(), &id, &row_of((name, What::Table)));
        let changes = entered(permit, changes, &name.namespace)?;
        permit.commit(changes).await.map_err(conflict)?;
        Ok(Loaded {
            id,
            location: None,
            metadata: metadata.to_bytes()?.into(),
            version: 0,
        })
    }

    /// Puts a new table or view into the catalog, by a permit for that.
    pub(crate) async fn make(
        &self,
        permit: &WritePermit,
        (name, what): Named<'_>,
        folder: &Folder,
        metadata: &Metadata,
    ) -> Result<Loaded> {
        let written = self.write(permit, folder, metadata, 0).await?;
        let row = written.named_by(row_of((name, what)));
        let id = folder.id();
        retried(name, || async {
            is_free(permit, name)?;
            let changes = put_row(named(permit, (name, what), id)?, id, &row);
            commit_rows(permit, &changes, &[&written]).await.map(drop)
        })
        .await?;
        Ok(written.loaded)
    }

    /// Makes a table or a view of a metadata file that the catalog wrote before, by a permit for its folder.
    ///
    /// # Errors
    /// `AlreadyExistsException`, `NoSuchNamespaceException`, `NotFoundException`, `BadRequestException`.
    pub async fn register(
        &self,
        permit: &WritePermit,
        (name, what): (&TableName, What),
        file: &ObjectKey,
    ) -> Result<Loaded> {
        let id = permitted(permit)?;
        let folder = Folder::new(&permit.bucket()?.name, &id);
        let stored = permit.entry(Kind::Object, file.as_str().as_bytes())?;
        let stored = stored.ok_or_else(no_such_file)?;
        let _room = self.room(size(&stored).saturating_mul(PARSED)).await?;
        let metadata = permit.whole(&stored, METADATA_BYTES_MAX).await?;
        let parsed = Metadata::parse(&metadata)?;
        folder.check_all(&parsed)?;
        let row = Governed::of(&parsed)?.put_into(TableRow {
            metadata: file.as_str().to_owned(),
            ..row_of((name, what))
        });
        drop(parsed);
        retried(name, || async {
            is_free(permit, name)?;
            let before = permit.entry(Kind::Table, id.as_bytes())?;
            let before = before.ok_or_else(no_such_file)?;
            let known = TableRow::read(&before.value.meta)?;
            if !known.dropped {
                return Err(exists(what.text(), "one of that metadata file"));
            }
            if What::of(known.view) != what {
                return Err(bad("the metadata file is not of a table, or not of a view"));
            }
            let changes = put_row(named(permit, (name, what), &id)?, &id, &row);
            let changes = changes.expect_at(Kind::Table, id.clone().into_bytes(), before.sequence);
            commit_rows(permit, &changes, &[]).await.map(drop)
        })
        .await?;
        Ok(Loaded {
            id,
            location: Some(folder.location_of(file.as_str())),
            metadata,
            version: 0,
        })
    }

    /// Gives a table or a view another name.
    ///
    /// # Errors
    /// `NoSuchTableException`, `NoSuchViewException`, `NoSuchNamespaceException`, `AlreadyExistsException`.
    pub async fn rename(
        &self,
        permit: &WritePermit,
        (from, what): (&TableName, What),
        to: &TableName,
    ) -> Result<()> {
        let id = permitted(permit)?;
        retried(from, || async {
            let found = live(permit, &id, (from, what))?;
            is_free(permit, to)?;
            let row = TableRow {
                namespace: to.namespace.levels().to_vec(),
                name: to.name().to_owned(),
                ..found.row.clone()
            };
            let changes = found.becomes(named(permit, (to, what), &id)?, &row);
            commit_rows(permit, &changes.delete(Kind::TableName, from.row()), &[])
                .await
                .map(drop)
        })
        .await
    }

    /// Takes a table or a view out of the catalog. Its files stay, governed by its name, and can be registered again.
    ///
    /// # Errors
    /// `NoSuchTableException`, `NoSuchViewException`.
    pub async fn drop(&self, permit: &WritePermit, (name, what): (&TableName, What)) -> Result<()> {
        let id = permitted(permit)?;
        retried(name, || async {
            let found = live(permit, &id, (name, what))?;
            leave(permit, found, name).await
        })
        .await
    }

    /// Takes a table out of the catalog, and tells the last of its metadata.
    ///
    /// # Errors
    /// `NoSuchTableException`; `TooLarge`.
    pub async fn unregister(&self, permit: &WritePermit, name: &TableName) -> Result<Loaded> {
        let id = permitted(permit)?;
        let folder = Folder::new(&permit.bucket()?.name, &id);
        retried(name, || async {
            let found = live(permit, &id, (name, What::Table))?;
            let stored = found.file(permit)?;
            let _room = self.room(size(&stored)).await?;
            let metadata = permit.whole(&stored, METADATA_BYTES_MAX).await?;
            let location = Some(folder.location_of(&found.row.metadata));
            leave(permit, found, name).await?;
            Ok(Loaded {
                id: id.clone(),
                location,
                metadata,
                version: 0,
            })
        })
        .await
    }

    pub(crate) async fn write(
        &self,
        permit: &WritePermit,
        folder: &Folder,
        metadata: &Metadata,
        number: u64,
    ) -> Result<Written> {
        let governed = Governed::of(metadata)?;
        let bytes = Bytes::from(metadata.to_bytes()?);
        if bytes.len() as u64 > METADATA_BYTES_MAX {
            let text = format!("a metadata file has at most {METADATA_BYTES_MAX} bytes; expire snapshots");
            return Err(too_large(text));
        }
        let name = format!("{number:05}-{}.metadata.json", self.uuid()?);
        let key = folder.metadata_key(&name)?;
        let arrived = Arrived::take_in(permit, key.clone(), "application/json", bytes.clone()).await;
        Ok(Written {
            file: arrived.map_err(|e| e.to_base())?,
            loaded: Loaded {
                id: folder.id().to_owned(),
                location: Some(folder.location_of(key.as_str())),
                metadata: bytes,
                version: 0,
            },
            key: key.as_str().to_owned(),
            governed,
        })
    }

    /// Room for so many bytes of metadata.
    pub(crate) async fn room(&self, bytes: u64) -> Result<SemaphorePermit<'_>> {
        if bytes > ROOM_BYTES {
            let text = format!(
                "the metadata of all tables of a request has at most {} bytes",
                ROOM_BYTES / PARSED
            );
            return Err(too_large(text));
        }
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        let room = self.room.acquire_many(units).await;
        room.map_err(|e| Error::internal("the room for metadata was closed").with_source(e))
    }

    /// A random UUID (RFC 9562, version 4).
    ///
    /// # Errors
    /// Those of the source of random bytes.
    pub fn uuid(&self) -> Result<String> {
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

impl Written {
    /// The row that names it as the newest.
    pub(crate) fn named_by(&self, row: TableRow) -> TableRow {
        self.governed.put_into(TableRow {
            metadata: self.key.clone(),
            brought_back: 0,
            ..row
        })
    }
}

/// Takes what has this name out of the catalog.
async fn leave(permit: &WritePermit, found: Found, name: &TableName) -> Result<()> {
    let row = TableRow {
        dropped: true,
        ..found.row.clone()
    };
    let changes = found.becomes(Changes::new(), &row);
    commit_rows(permit, &changes.delete(Kind::TableName, name.row()), &[])
        .await
        .map(drop)
}

fn no_such_file() -> Error {
    let text = "there is no such metadata file";
    Error::new(ErrorKind::NotFound, "NotFoundException", text)
}

fn too_large(text: String) -> Error {
    Error::new(ErrorKind::TooLarge, "BadRequestException", text)
}

/// The table's id and the key of the metadata file at a location in a bucket.
///
/// # Errors
/// `BadRequestException`.
pub fn metadata_file(bucket: &craton_base::BucketName, location: &str) -> Result<(String, ObjectKey)> {
    location::of_metadata_file(bucket, location)
}
