//! A table that a statement writes to: its metadata, its files, its commits.
//!
//! Invariants
//! - the table is decided as one that is changed before anything is written; each file is written by a permit of its own;
//! - files that no snapshot came to name are deleted again, as far as that can be done.
//!
//! Deliberately absent: what is written into files, what a snapshot consists of.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use bytes::Bytes;
use craton_base::{BucketName, Error, Kind, ObjectKey, ResourcePath, Result};
use craton_gate::{
    Ask, ColumnSource, Derived, Kind as Entries,
    tables::{FOLDER, id_of},
};
use craton_objects::{
    body::Body,
    delete::{Delete, delete},
    encryption,
    put::{About, Put, put},
};
use craton_tables::{Loaded, Snapshots, TableChange, TableName, What, changes_labels};
use datafusion::{
    arrow::datatypes::SchemaRef,
    catalog::default_table_source::source_as_provider,
    logical_expr::{LogicalPlan, TableScan},
};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::{columns, partition::Spec};
use crate::{
    context::Context,
    iceberg::{
        Table,
        positions::Positions,
        types::{self, not_yet},
    },
    raw,
};

/// The action of changing a table.
pub(super) const UPDATE: &str = "s3tables:UpdateTableMetadataLocation";

/// The action of writing its files.
pub(super) const WRITE_DATA: &str = "s3tables:PutTableData";

/// The action of reading them.
pub(super) const READ_DATA: &str = "s3tables:GetTableData";

/// The largest manifest or list of them that is read to be written anew, in bytes.
const MANIFEST_BYTES_MAX: u64 = 128 << 20;

/// A table.
pub(super) struct Target {
    pub(super) context: Arc<Context>,
    pub(super) bucket: BucketName,
    pub(super) name: TableName,
    path: ResourcePath,
    pub(super) metadata: Json,
    /// Whether its first commit is to make it.
    staged: bool,
    /// The keys of files that no snapshot names yet.
    loose: Arc<Mutex<Vec<ObjectKey>>>,
    /// The newest time that was seen, in milliseconds since the epoch.
    seen_ms: Arc<AtomicI64>,
    /// The version that was loaded, as lineage has it; 0 for a table that is made.
    version: u64,
    /// What the columns of what is written come from.
    derived: Arc<Mutex<Option<Derived>>>,
}

/// What a scan reads, as lineage has it: a table, or objects; nothing for what is the system's own.
fn source_of(scan: &TableScan) -> Option<ColumnSource> {
    let provider = source_as_provider(&scan.source).ok()?;
    let any = provider.as_any();
    if let Some(table) = any.downcast_ref::<Table>() {
        return Some(table.source());
    }
    if let Some(table) = any.downcast_ref::<Positions>() {
        return Some(table.source());
    }
    let name = scan.table_name.table();
    raw::source(name).filter(|_| name.starts_with(raw::SCHEME))
}

/// An ask about a table.
pub(super) fn ask_about(
    (operation, action): (&'static str, &'static str),
    path: ResourcePath,
    name: &TableName,
) -> Ask {
    Ask::new(operation, action, path)
        .with("s3tables:namespace", name.namespace.text())
        .with("s3tables:tableName", name.name())
}

fn malformed() -> Error {
    Error::corrupt("the table's metadata does not read")
}

fn parsed(loaded: &Loaded) -> Result<Json> {
    serde_json::from_slice(&loaded.metadata).map_err(|e| malformed().with_source(e))
}

impl Target {
    /// A table that is there. Who may not change it is told the same whether it is there or not.
    ///
    /// # Errors
    /// `AccessDenied`; `NoSuchTableException`.
    pub(super) async fn load(context: Arc<Context>, bucket: BucketName, name: TableName) -> Result<Self> {
        let path = context.gate.table_named(&bucket, &name.row())?;
        let (metadata, version) = Self::metadata_of(&context, &path, &name).await?;
        Ok(Self {
            version,
            derived: Arc::default(),
            context,
            bucket,
            name,
            path,
            metadata,
            staged: false,
            loose: Arc::default(),
            seen_ms: Arc::default(),
        })
    }

    /// A table that was staged.
    pub(super) fn staged(
        context: Arc<Context>,
        bucket: BucketName,
        (name, loaded): (TableName, &Loaded),
    ) -> Result<Self> {
        Ok(Self {
            path: craton_gate::tables::table(bucket.clone(), &loaded.id),
            context,
            bucket,
            name,
            metadata: parsed(loaded)?,
            staged: true,
            version: 0,
            derived: Arc::default(),
            loose: Arc::default(),
            seen_ms: Arc::default(),
        })
    }

    async fn metadata_of(
        context: &Arc<Context>,
        path: &ResourcePath,
        name: &TableName,
    ) -> Result<(Json, u64)> {
        let ask = ask_about(("UpdateTable", UPDATE), path.clone(), name)
            .and_action(WRITE_DATA)
            .and_action(READ_DATA);
        let reading = ask_about(
            ("LoadTable", "s3tables:GetTableMetadataLocation"),
            path.clone(),
            name,
        )
        .and_action(READ_DATA);
        let (here, name) = (context.clone(), name.clone());
        let load = async move {
            // What may not be changed is refused before anything is planned or written.
            drop(here.gate.write(&here.session, ask).await?);
            let permit = here.gate.read(&here.session, reading).await?;
            let loaded = here
                .tables
                .load(&permit, (&name, What::Table), Snapshots::All)
                .await;
            loaded.inspect_err(|e| permit.failed(e.kind(), e.reason()))
        };
        let loaded = context.files.at_the_doors(load).await?;
        Ok((parsed(&loaded)?, loaded.version))
    }

    /// The same with what others committed since.
    pub(super) async fn reloaded(&self) -> Result<Self> {
        let (metadata, version) = Self::metadata_of(&self.context, &self.path, &self.name).await?;
        Ok(Self {
            metadata,
            version,
            derived: self.derived.clone(),
            context: self.context.clone(),
            bucket: self.bucket.clone(),
            name: self.name.clone(),
            path: self.path.clone(),
            staged: self.staged,
            loose: self.loose.clone(),
            seen_ms: self.seen_ms.clone(),
        })
    }

    /// Says what the columns come from that a plan writes, but for its first `head`: lineage is told with the commit.
    pub(super) fn derive(&self, plan: &LogicalPlan, head: usize) -> Result<()> {
        let schema = self.schema()?;
        let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        *self.derived.lock() = Some(columns::derived(plan, (head, &names), &source_of));
        Ok(())
    }

    /// The time of the newest write, or of the newest change if that was later, in milliseconds since the epoch.
    pub(super) fn now_ms(&self) -> i64 {
        let updated = self.number("last-updated-ms").unwrap_or(0);
        self.seen_ms.load(Ordering::Relaxed).max(updated)
    }

    /// Whether its first commit is to make it.
    pub(super) fn is_staged(&self) -> bool {
        self.staged
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.metadata.get(name)?.as_i64()
    }

    /// The format version.
    ///
    /// # Errors
    /// `NotSupportedYet` for one that is not written.
    pub(super) fn version(&self) -> Result<i64> {
        match self.number("format-version").unwrap_or(1) {
            version @ 2..=3 => Ok(version),
            1 => Err(not_yet(
                "writing to a table of format version 1 (ALTER TABLE … SET TBLPROPERTIES ('format-version' = '2') makes it one of version 2)",
            )),
            version => Err(not_yet(format!("tables of format version {version}"))),
        }
    }

    pub(super) fn property(&self, name: &str) -> Option<&str> {
        self.metadata.get("properties")?.get(name)?.as_str()
    }

    /// A property that is a number.
    pub(super) fn property_number(&self, name: &str, otherwise: u64) -> u64 {
        self.property(name)
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    }

    fn item(&self, list: &str, field: &str, id: i64) -> Option<&Json> {
        let list = self.metadata.get(list)?.as_array()?;
        list.iter()
            .find(|item| item.get(field).and_then(Json::as_i64) == Some(id))
    }

    /// The current schema, as metadata has it.
    pub(super) fn schema_json(&self) -> Result<&Json> {
        let id = self.number("current-schema-id").ok_or_else(malformed)?;
        self.item("schemas", "schema-id", id).ok_or_else(malformed)
    }

    /// The current schema.
    pub(super) fn schema(&self) -> Result<SchemaRef> {
        types::schema(self.schema_json()?)
    }

    /// A partition spec, as metadata has it.
    pub(super) fn spec_json(&self, id: i64) -> Result<&Json> {
        self.item("partition-specs", "spec-id", id).ok_or_else(malformed)
    }

    /// A partition spec. Columns that are gone are looked up in earlier schemas.
    pub(super) fn spec(&self, id: i64) -> Result<Spec> {
        let json = self.spec_json(id)?;
        let current = Spec::parse(json, &*self.schema()?);
        let schemas = self.metadata.get("schemas").and_then(Json::as_array);
        let earlier = schemas.into_iter().flatten().rev();
        let mut earlier = earlier.filter_map(|schema| Spec::parse(json, &*types::schema(schema).ok()?).ok());
        current.or_else(|e| earlier.next().ok_or(e))
    }

    /// The spec of new files.
    pub(super) fn default_spec(&self) -> Result<Spec> {
        self.spec(self.number("default-spec-id").unwrap_or(0))
    }

    /// The sort order of new files, as metadata has it; `None` where there is none.
    pub(super) fn sort_order(&self) -> Option<&Json> {
        let id = self.number("default-sort-order-id").filter(|id| *id > 0)?;
        self.item("sort-orders", "order-id", id)
    }

    /// The current snapshot.
    pub(super) fn snapshot(&self) -> Option<&Json> {
        let id = self.snapshot_id()?;
        self.item("snapshots", "snapshot-id", id)
    }

    /// Its id.
    pub(super) fn snapshot_id(&self) -> Option<i64> {
        self.number("current-snapshot-id").filter(|id| *id >= 0)
    }

    /// Where a new file of data, or of metadata, lies.
    pub(super) fn place(&self, of_metadata: bool, file: &str) -> Result<String> {
        let (property, folder) = match of_metadata {
            true => ("write.metadata.path", "metadata"),
            false => ("write.data.path", "data"),
        };
        let location = self
            .metadata
            .get("location")
            .and_then(Json::as_str)
            .ok_or_else(malformed)?;
        Ok(match self.property(property) {
            Some(path) => format!("{}/{file}", path.trim_end_matches('/')),
            None => format!("{}/{folder}/{file}", location.trim_end_matches('/')),
        })
    }

    /// The key of a location in the table's folder.
    pub(super) fn key(&self, location: &str) -> Result<ObjectKey> {
        let within = || {
            let (_, rest) = location.split_once("://")?;
            let key = rest.strip_prefix(self.bucket.as_str())?.strip_prefix('/')?;
            let inside = key.strip_prefix(FOLDER)?.strip_prefix(id_of(&self.path)?)?;
            inside.starts_with('/').then_some(key)
        };
        let key = within().ok_or_else(|| {
            let text = format!("{location:?} does not lie in the table's own folder");
            Error::new(Kind::Invalid, "ForeignFile", text)
        })?;
        ObjectKey::new(key)
    }

    /// Writes a file; it is deleted again unless a commit comes to name it.
    pub(super) async fn put(&self, location: &str, content_type: &'static str, body: Body) -> Result<u64> {
        let key = self.key(location)?;
        self.loose.lock().push(key.clone());
        let context = self.context.clone();
        let path = ResourcePath::Object(self.bucket.clone(), key.clone());
        let ask = ask_about(("PutObject", "s3:PutObject"), path, &self.name);
        let seen_ms = self.seen_ms.clone();
        let write = async move {
            let permit = context.gate.write(&context.session, ask).await?;
            let now_ms = i64::try_from(permit.now().micros() / 1000).unwrap_or(i64::MAX);
            seen_ms.fetch_max(now_ms, Ordering::Relaxed);
            let written = async {
                let wanted = encryption::by_default(&permit.bucket_access()?.encryption());
                let encryption = encryption::seal(&permit, &key, &wanted)
                    .await
                    .map_err(|e| e.to_base())?;
                let mut about = About {
                    encryption,
                    ..About::default()
                };
                about.attributes.headers.content_type = Some(content_type.to_owned());
                let request = Put {
                    about,
                    ..Put::default()
                };
                put(&permit, &key, request, body).await.map_err(|e| e.to_base())
            };
            let written = written
                .await
                .inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
            Ok(written.meta.size)
        };
        self.context.files.at_the_doors(write).await
    }

    /// Writes a file that is in memory.
    pub(super) async fn put_bytes(&self, location: &str, content: Bytes) -> Result<()> {
        self.put(location, "application/octet-stream", Body::of(content))
            .await
            .map(drop)
    }

    /// All of a manifest, or of a list of them.
    pub(super) async fn manifest(&self, location: &str) -> Result<Bytes> {
        let key = self.key(location)?;
        let context = self.context.clone();
        let ask = Ask::new("ScanTable", READ_DATA, self.path.clone());
        let read = async move {
            let permit = context.gate.read(&context.session, ask).await?;
            let stored = permit.entry(Entries::Object, key.as_str().as_bytes())?;
            let gone = || {
                Error::new(
                    Kind::NotFound,
                    "NoSuchManifest",
                    format!("the manifest {key} is not there any more"),
                )
            };
            permit.whole(&stored.ok_or_else(gone)?, MANIFEST_BYTES_MAX).await
        };
        self.context.files.at_the_doors(read).await
    }

    /// Commits updates, and makes a table that is staged.
    ///
    /// # Errors
    /// `CommitFailedException` if somebody else was first.
    pub(super) async fn commit(&self, requirements: Vec<Json>, updates: Vec<Json>) -> Result<()> {
        let (requirements, updates) = match self.staged {
            true => (
                vec![json!({ "type": "assert-create" })],
                [self.making()?, updates].concat(),
            ),
            false => (requirements, updates),
        };
        let mut ask =
            ask_about(("UpdateTable", UPDATE), self.path.clone(), &self.name).and_action(WRITE_DATA);
        if !self.staged {
            ask = ask.and_action(READ_DATA);
        }
        if changes_labels(&updates) {
            ask = ask.and_action("s3tables:TagResource");
        }
        let change = TableChange {
            id: id_of(&self.path).unwrap_or_default().to_owned(),
            name: self.name.clone(),
            requirements,
            updates,
            on: None,
        };
        let context = self.context.clone();
        let derived = self.derived.lock().clone().map(|derived| Derived {
            kept: self.version,
            ..derived
        });
        let commit = async move {
            let permit = context.gate.write(&context.session, ask).await?;
            if let Some(derived) = derived {
                permit.derived(&derived);
            }
            let done = context
                .tables
                .commit(&permit, std::slice::from_ref(&change))
                .await;
            done.map(drop)
                .inspect_err(|e| permit.failed(e.kind(), e.reason()))
        };
        self.context.files.at_the_doors(commit).await
    }

    /// The updates that make a table what it was staged as.
    fn making(&self) -> Result<Vec<Json>> {
        let of = |name: &str| self.metadata.get(name).cloned().unwrap_or_default();
        let spec = self.number("default-spec-id").unwrap_or(0);
        let order = self.number("default-sort-order-id").unwrap_or(0);
        let order = self
            .item("sort-orders", "order-id", order)
            .ok_or_else(malformed)?;
        Ok(vec![
            json!({ "action": "assign-uuid", "uuid": of("table-uuid") }),
            json!({ "action": "upgrade-format-version", "format-version": of("format-version") }),
            json!({ "action": "set-location", "location": of("location") }),
            json!({ "action": "add-schema", "schema": self.schema_json()? }),
            json!({ "action": "set-current-schema", "schema-id": -1 }),
            json!({ "action": "add-spec", "spec": self.spec_json(spec)? }),
            json!({ "action": "set-default-spec", "spec-id": -1 }),
            json!({ "action": "add-sort-order", "sort-order": order }),
            json!({ "action": "set-default-sort-order", "sort-order-id": -1 }),
            json!({ "action": "set-properties", "updates": of("properties") }),
        ])
    }

    /// Keeps the files that were written so far.
    pub(super) fn keep_files(&self) {
        self.loose.lock().clear();
    }

    /// Deletes the files that were written and that no snapshot names.
    pub(super) async fn delete_files(&self) {
        let loose = std::mem::take(&mut *self.loose.lock());
        for key in loose {
            let context = self.context.clone();
            let path = ResourcePath::Object(self.bucket.clone(), key.clone());
            let ask = ask_about(("DeleteObject", "s3:DeleteObject"), path, &self.name);
            let gone = async move {
                let permit = context.gate.write(&context.session, ask).await?;
                delete(&permit, &key, &Delete::default())
                    .await
                    .map_err(|e| e.to_base())
            };
            // What is left behind is an orphan, which maintenance removes; the statement's own error is what counts.
            drop(self.context.files.at_the_doors(gone).await);
        }
    }
}
