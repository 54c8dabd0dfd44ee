//! What a table's metadata names: its state as far as maintenance looks at it, the manifests of its snapshots, the files of those.
//!
//! Invariant: what a location names is compared without its scheme, and decoded too where it holds escapes, so that a file is rather
//! kept than deleted.

use std::collections::HashSet;

use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};
use craton_gate::{Kind, ReadPermit};
use serde_json::{Map, Value};

use super::{Candidates, Maintained, choose::Expired};
use crate::{
    avro,
    metadata::{Metadata, number},
    name::What,
    table::{METADATA_BYTES_MAX, PARSED, Tables, live, size},
};

/// The most manifests of all snapshots.
const MANIFESTS_MAX: usize = 500_000;

/// The largest manifest, in bytes.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// A table's metadata, as far as maintenance looks at it.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// The metadata file.
    pub(super) file: String,
    pub(super) properties: Map<String, Value>,
    pub(super) refs: Map<String, Value>,
    pub(super) snapshots: Vec<Snapshot>,
    /// Files that it names besides, each with the snapshot that it is about, if it is about one.
    files: Vec<(Option<i64>, String)>,
}

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) id: i64,
    pub(super) parent: Option<i64>,
    pub(super) made_ms: i64,
    /// Its list of manifests.
    pub(super) list: Option<String>,
    /// Its manifests, where version 1 names them without a list.
    manifests: Vec<String>,
}

/// What a file that is not there means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It went before: somebody else expires too, or an earlier run was ended.
    Skipped,
    /// The table is not whole, and nothing of it is deleted.
    Wrong,
}

/// Locations, each once.
#[derive(Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn add(&mut self, name: String) -> Result<()> {
        self.0.insert(name);
        match self.0.len() <= MANIFESTS_MAX {
            true => Ok(()),
            false => {
                let text =
                    format!("the table's snapshots have more than {MANIFESTS_MAX} manifests; rewrite them");
                Err(Error::new(ErrorKind::TooLarge, "TooManyManifests", text))
            }
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}

/// A location without its scheme: engines write `s3` and `s3a` for the same.
pub(super) fn plain(location: &str) -> &str {
    location.split_once("://").map_or(location, |(_, rest)| rest)
}

/// A location stays.
pub(super) fn strike(candidates: &mut Candidates, location: &str) {
    let name = plain(location);
    candidates.remove(name);
    if name.contains('%') {
        candidates.remove(&decoded(name));
    }
}

/// Escapes as what they stand for.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after
            .split_at_checked(2)
            .filter(|_| *first == b'%')
            .and_then(|(digits, after)| Some((hex::decode(digits).ok()?, after)));
        match escaped {
            Some((byte, after)) => {
                out.extend(byte);
                rest = after;
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What metadata itself names stays.
pub(super) fn strike_files(candidates: &mut Candidates, state: &State) {
    strike(candidates, &state.file);
    for (_, file) in &state.files {
        strike(candidates, file);
    }
    for list in state.snapshots.iter().filter_map(|s| s.list.as_ref()) {
        strike(candidates, list);
    }
}

impl State {
    /// Of a metadata file.
    ///
    /// # Errors
    /// `Corrupt`.
    pub(super) fn parse(bytes: &[u8], file: String) -> Result<Self> {
        let metadata = Metadata::parse(bytes)?;
        let map = |name: &str| metadata.get(name).and_then(Value::as_object).cloned();
        let mut refs = map("refs").unwrap_or_default();
        if let Some(current) = metadata.number("current-snapshot-id").filter(|id| *id >= 0)
            && !refs.contains_key("main")
        {
            // Version 1 does not say it.
            let main = serde_json::json!({ "snapshot-id": current, "type": "branch" });
            refs.insert("main".to_owned(), main);
        }
        let of = |list: &str, name: &'static str| -> Vec<(Option<i64>, String)> {
            let items = metadata.list(list).iter();
            let file =
                |item: &Value| Some((number(item, "snapshot-id"), item.get(name)?.as_str()?.to_owned()));
            items.filter_map(file).collect()
        };
        Ok(Self {
            file,
            properties: map("properties").unwrap_or_default(),
            refs,
            snapshots: metadata
                .list("snapshots")
                .iter()
                .map(Snapshot::of)
                .collect::<Result<_>>()?,
            files: [
                of("statistics", "statistics-path"),
                of("partition-statistics", "statistics-path"),
                of("metadata-log", "metadata-file"),
            ]
            .concat(),
        })
    }

    /// The snapshots that another state does not have.
    pub(super) fn not_in(&self, other: &Self) -> Vec<&Snapshot> {
        let there: HashSet<i64> = other.snapshots.iter().map(|s| s.id).collect();
        self.snapshots.iter().filter(|s| !there.contains(&s.id)).collect()
    }

    /// The files about snapshots that another state does not have.
    pub(super) fn files_not_in(&self, other: &Self) -> Vec<String> {
        let there: HashSet<i64> = other.snapshots.iter().map(|s| s.id).collect();
        let gone = self
            .files
            .iter()
            .filter(|(id, _)| id.is_some_and(|id| !there.contains(&id)));
        gone.map(|(_, file)| file.clone()).collect()
    }

    /// What a commit would leave.
    pub(super) fn without(&self, expired: &Expired) -> Self {
        let goes = |id: i64| expired.snapshots.contains(&id);
        let mut out = self.clone();
        out.snapshots.retain(|snapshot| !goes(snapshot.id));
        out.files.retain(|(id, _)| !id.is_some_and(goes));
        out
    }
}

impl Snapshot {
    fn of(value: &Value) -> Result<Self> {
        let odd = || Error::corrupt("a snapshot in the table's metadata does not read");
        let manifests = value.get("manifests").and_then(Value::as_array);
        let manifests = manifests.into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            id: number(value, "snapshot-id").ok_or_else(odd)?,
            parent: number(value, "parent-snapshot-id"),
            made_ms: number(value, "timestamp-ms").ok_or_else(odd)?,
            list: value
                .get("manifest-list")
                .and_then(Value::as_str)
                .map(str::to_owned),
            manifests: manifests.map(str::to_owned).collect(),
        })
    }
}

/// Reads what a table's metadata names, by one permit.
pub(super) struct Reader<'a> {
    of: &'a Maintained<'a>,
    permit: ReadPermit,
}

impl Maintained<'_> {
    /// The table as it is.
    pub(super) async fn state(&self) -> Result<State> {
        let ask = self
            .ask("LoadTable", "s3tables:GetTableMetadataLocation")
            .and_action("s3tables:GetTableData");
        let permit = self.run.read(ask).await?;
        let read = self.state_by(self.tables, &permit).await;
        read.inspect_err(|e| permit.failed(e.kind(), e.reason()))
    }

    async fn state_by(&self, tables: &Tables, permit: &ReadPermit) -> Result<State> {
        let found = live(permit, self.folder.id(), (&self.name, What::Table))?;
        let stored = found.file(permit)?;
        let _room = tables.room(size(&stored).saturating_mul(PARSED)).await?;
        let bytes = permit.whole(&stored, METADATA_BYTES_MAX).await?;
        State::parse(&bytes, self.folder.location_of(&found.row.metadata))
    }

    pub(super) async fn reader(&self) -> Result<Reader<'_>> {
        let permit = self
            .run
            .read(self.ask("ScanTable", "s3tables:GetTableData"))
            .await?;
        Ok(Reader { of: self, permit })
    }
}

impl Reader<'_> {
    async fn file(&self, location: &str, missing: Missing) -> Result<Option<Bytes>> {
        let key = self.of.key(location);
        let key = key.ok_or_else(|| {
            let text = format!("the table names {location:?}, which does not lie in its own folder");
            Error::new(ErrorKind::Invalid, "ForeignFile", text)
        })?;
        // Others have their turn on the processor between two of them.
        tokio::task::yield_now().await;
        let stored = self.permit.entry(Kind::Object, key.as_bytes())?;
        match (stored, missing) {
            (Some(stored), _) => {
                let _room = self.of.tables.room(size(&stored)).await?;
                self.permit.whole(&stored, MANIFEST_BYTES_MAX).await.map(Some)
            }
            (None, Missing::Skipped) => Ok(None),
            (None, Missing::Wrong) => {
                let text = format!("{key} is named by the table and is not there: nothing is deleted");
                Err(Error::corrupt(text))
            }
        }
    }

    /// The manifests of a snapshot.
    pub(super) async fn manifests_of(&self, snapshot: &Snapshot, missing: Missing) -> Result<Vec<String>> {
        let mut out = snapshot.manifests.clone();
        let Some(list) = &snapshot.list else {
            return Ok(out);
        };
        let Some(bytes) = self.file(list, missing).await? else {
            return Ok(out);
        };
        each(bytes, |record| {
            let path = record.field(500).and_then(avro::Value::text);
            out.push(path.ok_or_else(unnamed)?.to_owned());
            Ok(())
        })?;
        Ok(out)
    }

    /// The manifests of all snapshots.
    pub(super) async fn manifests(&self, state: &State) -> Result<Names> {
        let mut names = Names::default();
        for snapshot in &state.snapshots {
            self.of.run.go_on()?;
            for manifest in self.manifests_of(snapshot, Missing::Wrong).await? {
                names.add(manifest)?;
            }
        }
        Ok(names)
    }

    /// The files that are there as of a manifest.
    pub(super) async fn files_of(
        &self,
        manifest: &str,
        missing: Missing,
        mut take: impl FnMut(&str),
    ) -> Result<()> {
        const DELETED: i64 = 2;
        let Some(bytes) = self.file(manifest, missing).await? else {
            return Ok(());
        };
        each(bytes, |record| {
            let status = record.field(0).and_then(avro::Value::integer);
            if status != Some(DELETED) {
                let path = record.field(2).and_then(|file| file.field(100)?.text());
                take(path.ok_or_else(unnamed)?);
            }
            Ok(())
        })
    }
}

fn unnamed() -> Error {
    Error::corrupt("a manifest names no file: nothing is deleted")
}

/// The records of a file, one by one.
fn each(bytes: Bytes, mut take: impl FnMut(&avro::Value) -> Result<()>) -> Result<()> {
    let mut file = avro::File::open(bytes)?;
    while let Some(block) = file.block()? {
        for record in block {
            take(&record?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
