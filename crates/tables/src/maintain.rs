//! Maintenance of a table as runs of the system's own: snapshots expire, files that nothing names go.
//!
//! ```text
//! expire    metadata ─▶ which snapshots ([`choose`]) ─▶ one commit ─▶ what only they named ([`read`]) ─▶ deleted
//! orphans   the folder, page by page ─▶ old enough ─▶ without what metadata names ([`read`]) ─▶ deleted
//! ```
//!
//! Invariants
//! - a snapshot that a branch or a tag keeps is never expired: the commit expects the very metadata that the choice was made on;
//! - a file is deleted only after a commit that does not name it, and only if nothing that is left does: whatever can not be read ends the
//!   run before anything goes. Killed in between, files are left over, which are orphans;
//! - an orphan is older than a safe age when it is listed, and what the table names is read after that;
//! - memory is that of [`AT_ONCE`] names, whatever the table's size: more are done in several passes;
//! - metadata files are the catalog's own and stay.
//!
//! Source: Apache Iceberg, table specification, "Snapshot Retention Policy"; documentation, "Maintenance".
//!
//! Deliberately absent: who asks for it and when, and what writes data files anew (the SQL engine).

use std::collections::HashMap;

use craton_base::{BucketName, Error, Kind as ErrorKind, ObjectKey, ResourcePath, Result, Timestamp};
use craton_gate::{Ask, Run};
use craton_objects::{
    condition::{DeleteConditions, Tag},
    delete::{Delete, delete},
    list::{Listed, Listing, PAGE_KEYS_MAX, list},
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{
    TableChange, TableName, Tables,
    error::{COMMIT_FAILED, commit_failed},
    location::Folder,
};

mod choose;
mod opted;
mod read;

pub use choose::Keep;
pub use opted::{Opted, opted};
use read::{Missing, Names, Reader, State, plain, strike, strike_files};

/// Files that are looked at together.
const AT_ONCE: usize = 100_000;

/// Deletions that are under way at once, and share a flush.
const DELETES_AT_ONCE: usize = 16;

/// How often a commit is planned anew because others changed the table.
const TRIES_MAX: usize = 20;

/// The action of changing a table.
const UPDATE: &str = "s3tables:UpdateTableMetadataLocation";

/// A table, for one run.
pub struct Maintained<'a> {
    run: &'a Run,
    tables: &'a Tables,
    bucket: BucketName,
    name: TableName,
    path: ResourcePath,
    folder: Folder,
    dry: bool,
}

/// Files that may go, by their locations without the scheme.
type Candidates = HashMap<String, Candidate>;

/// A file that may go.
#[derive(Clone, Debug, Default)]
struct Candidate {
    key: String,
    conditions: DeleteConditions,
    size: u64,
}

impl<'a> Maintained<'a> {
    /// The table of a name. `dry`: nothing is changed, and counts tell what would be.
    ///
    /// # Errors
    /// The store's own.
    pub fn find(
        (run, tables): (&'a Run, &'a Tables),
        (bucket, name): (BucketName, TableName),
        dry: bool,
    ) -> Result<Self> {
        let path = run.gate().table_named(&bucket, &name.row())?;
        let id = craton_gate::tables::id_of(&path).unwrap_or_default();
        Ok(Self {
            run,
            tables,
            folder: Folder::new(&bucket, id),
            bucket,
            name,
            path,
            dry,
        })
    }

    fn ask(&self, operation: &'static str, action: &'static str) -> Ask {
        Ask::new(operation, action, self.path.clone())
            .with("s3tables:namespace", self.name.namespace.text())
            .with("s3tables:tableName", self.name.name())
    }

    /// Expires snapshots, and branches and tags that are older than they may become; what only they named is deleted.
    ///
    /// # Errors
    /// `NoSuchTableException`; `CommitFailedException` if others change the table all the time; `Busy` when the run is told to end.
    pub async fn expire(&self, keep: &Keep) -> Result<()> {
        for _ in 0..TRIES_MAX {
            self.run.go_on()?;
            let before = self.state().await?;
            let expired = choose::expired(&before, keep, self.now_ms());
            if expired.is_empty() {
                return Ok(());
            }
            let after = match self.dry {
                true => before.without(&expired),
                false => match self.forget(&before, &expired).await {
                    Err(e) if e.reason() == COMMIT_FAILED => continue,
                    done => done?,
                },
            };
            self.run.count("snapshots", expired.snapshots.len() as u64);
            self.run.count("branches and tags", expired.refs.len() as u64);
            return self.delete_named_by(&before, &after).await;
        }
        let text = format!("{} is being changed by others; try again", self.name.text());
        Err(commit_failed(text))
    }

    /// The commit after which snapshots are not there.
    async fn forget(&self, before: &State, expired: &choose::Expired) -> Result<State> {
        let refs = expired.refs.iter();
        let mut updates: Vec<Value> = refs
            .map(|name| json!({ "action": "remove-snapshot-ref", "ref-name": name }))
            .collect();
        if !expired.snapshots.is_empty() {
            updates.push(json!({ "action": "remove-snapshots", "snapshot-ids": expired.snapshots }));
        }
        let ask = self
            .ask("ExpireSnapshots", UPDATE)
            .and_action("s3tables:PutTableData")
            .and_action("s3tables:GetTableData");
        let permit = self.run.write(ask).await?;
        let change = TableChange {
            id: self.folder.id().to_owned(),
            name: self.name.clone(),
            requirements: Vec::new(),
            updates,
            on: Some(before.file.clone()),
        };
        let done = self.tables.commit(&permit, std::slice::from_ref(&change)).await;
        let done = done.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
        let loaded = done.first();
        let loaded = loaded.ok_or_else(|| Error::internal("a commit made nothing"))?;
        let file = loaded.location.clone().unwrap_or_default();
        State::parse(&loaded.metadata, file)
    }

    /// Deletes what one state of the table names and another does not.
    async fn delete_named_by(&self, before: &State, after: &State) -> Result<()> {
        let reader = self.reader().await?;
        let kept = reader.manifests(after).await?;
        let mut gone = Names::default();
        let mut few: Vec<String> = Vec::new();
        for snapshot in before.not_in(after) {
            few.extend(snapshot.list.clone());
            for manifest in reader.manifests_of(snapshot, Missing::Skipped).await? {
                if !kept.has(&manifest) {
                    gone.add(manifest)?;
                }
            }
        }
        few.extend(before.files_not_in(after));
        // What a list or a manifest names goes before it: what is left over when this is ended can still be told from it.
        let mut candidates = Candidates::new();
        for manifest in gone.iter() {
            self.run.go_on()?;
            let mut found = Vec::new();
            let take = |path: &str| found.push(path.to_owned());
            reader.files_of(manifest, Missing::Skipped, take).await?;
            self.add(&mut candidates, found);
            if candidates.len() >= AT_ONCE {
                let some = std::mem::take(&mut candidates);
                self.delete_unnamed(&reader, some, &kept).await?;
            }
        }
        self.delete_unnamed(&reader, candidates, &kept).await?;
        let rest = gone.iter().cloned().chain(few).collect();
        let mut candidates = Candidates::new();
        self.add(&mut candidates, rest);
        strike_files(&mut candidates, after);
        self.delete(candidates.into_values().collect()).await
    }

    fn add(&self, candidates: &mut Candidates, locations: Vec<String>) {
        for location in locations {
            // What lies elsewhere is not this table's to delete.
            if let Some(key) = self.key(&location) {
                let candidate = Candidate {
                    key: key.to_owned(),
                    ..Candidate::default()
                };
                candidates.insert(plain(&location).to_owned(), candidate);
            }
        }
    }

    /// Deletes those of them that no manifest names.
    async fn delete_unnamed(
        &self,
        reader: &Reader<'_>,
        mut candidates: Candidates,
        kept: &Names,
    ) -> Result<()> {
        for manifest in kept.iter() {
            if candidates.is_empty() {
                return Ok(());
            }
            self.run.go_on()?;
            let take = |path: &str| strike(&mut candidates, path);
            reader.files_of(manifest, Missing::Wrong, take).await?;
        }
        self.delete(candidates.into_values().collect()).await
    }

    /// Deletes what lies in the table's folder since before a time and is named by nothing.
    ///
    /// # Errors
    /// `NoSuchTableException`; `Corrupt` and others if what the table names can not all be read; `Busy` when the run is told to end.
    pub async fn remove_orphans(&self, before: Timestamp) -> Result<()> {
        // A table that is none has no orphans, and its folder is not looked at.
        self.state().await?;
        let mut listing = Listing {
            prefix: self.folder_key(),
            limit: PAGE_KEYS_MAX,
            ..Listing::default()
        };
        let mut candidates = Candidates::new();
        loop {
            self.run.go_on()?;
            let path = ResourcePath::Objects(self.bucket.clone(), listing.prefix.clone());
            let permit = self
                .run
                .read(Ask::new("ListObjectsV2", "s3:ListBucket", path))
                .await?;
            let page = list(&permit, &listing).await.map_err(|e| e.to_base());
            let page = page.inspect_err(|e| permit.failed(e.kind(), e.reason()))?;
            drop(permit);
            self.run.count("seen", page.entries.len() as u64);
            let old = page.entries.into_iter().filter(|o| is_old(o, before));
            candidates.extend(old.map(|object| {
                let name = format!("{}/{}", self.bucket, object.key);
                (name, Candidate::of(object))
            }));
            listing.after = page.next;
            if candidates.len() >= AT_ONCE || listing.after.is_none() {
                self.delete_orphans(std::mem::take(&mut candidates)).await?;
            }
            if listing.after.is_none() {
                return Ok(());
            }
        }
    }

    async fn delete_orphans(&self, mut candidates: Candidates) -> Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        // What was committed until now is read now: what is committed later was written later than the safe age.
        let state = self.state().await?;
        strike_files(&mut candidates, &state);
        let reader = self.reader().await?;
        let manifests = reader.manifests(&state).await?;
        for manifest in manifests.iter() {
            strike(&mut candidates, manifest);
        }
        self.delete_unnamed(&reader, candidates, &manifests).await
    }

    async fn delete(&self, candidates: Vec<Candidate>) -> Result<()> {
        let mut done = stream::iter(candidates)
            .map(|candidate| self.delete_one(candidate))
            .buffer_unordered(DELETES_AT_ONCE);
        while let Some(done) = done.next().await {
            done?;
        }
        Ok(())
    }

    async fn delete_one(&self, candidate: Candidate) -> Result<()> {
        self.run.go_on()?;
        if !self.dry {
            let key = ObjectKey::new(&candidate.key)?;
            let path = ResourcePath::Object(self.bucket.clone(), key.clone());
            let ask = Ask::new("DeleteObject", "s3:DeleteObject", path)
                .with("s3tables:namespace", self.name.namespace.text())
                .with("s3tables:tableName", self.name.name());
            let permit = self.run.write(ask).await?;
            let wanted = Delete {
                conditions: candidate.conditions,
                ..Delete::default()
            };
            let done = delete(&permit, &key, &wanted).await.map_err(|e| e.to_base());
            match done.inspect_err(|e| permit.failed(e.kind(), e.reason())) {
                Ok(_) => {}
                Err(e) if matches!(e.kind(), ErrorKind::Precondition | ErrorKind::NotFound) => {
                    self.run.count("changed", 1);
                    return Ok(());
                }
                // Somebody holds it, or a lock keeps it.
                Err(e) if matches!(e.kind(), ErrorKind::Busy | ErrorKind::Denied) => {
                    self.run.count("kept", 1);
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
        }
        self.run.count("files", 1);
        self.run.count("bytes", candidate.size);
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        i64::try_from(self.run.now().micros() / 1000).unwrap_or(i64::MAX)
    }

    fn folder_key(&self) -> String {
        format!("{}{}/", craton_gate::tables::FOLDER, self.folder.id())
    }

    /// The key of a location in the table's own folder.
    fn key<'l>(&self, location: &'l str) -> Option<&'l str> {
        let key = self.folder.key_of(location)?;
        key.strip_prefix(&self.folder_key()).map(|_| key)
    }
}

impl Candidate {
    fn of(object: Listed) -> Self {
        let modified = Timestamp(object.meta.modified_micros);
        Self {
            conditions: DeleteConditions {
                matches: Some(Tag::Is(object.meta.etag())),
                size: Some(object.meta.size),
                modified: i64::try_from(modified.seconds()).ok(),
            },
            size: object.meta.size,
            key: object.key,
        }
    }
}

/// Whether a file was written before a time, and is not the catalog's own.
fn is_old(object: &Listed, before: Timestamp) -> bool {
    object.meta.modified_micros < before.micros() && !object.key.ends_with(".metadata.json")
}
