//! Snapshots: what a statement changed of a table's files becomes manifests, a list of them, and one commit of the catalog.
//!
//! Invariants
//! - a commit is made of the snapshot that it was planned on, or, where it only adds, of whichever is current;
//! - manifests that hold nothing that goes are listed as they were.
//!
//! Source: Apache Iceberg, table specification, "Snapshots", "Optimistic Concurrency".

use std::{collections::HashSet, sync::Arc};

use craton_base::{Error, Kind, Result};
use serde_json::{Map, Value as Json, json};

use super::{
    manifest::{self, Entry, Holds, Listed, Manifest, NewFile, NewKind, Status},
    target::Target,
};
use crate::iceberg::avro::{File, Value};

/// How often a commit that only adds is tried again, on what others committed.
const TRIES_MAX: usize = 100;

/// The number of what was there before numbers were.
const UNKNOWN_SEQUENCE: i64 = 0;

/// What changes.
#[derive(Default)]
pub(super) struct Change {
    /// New files of data and of deletes.
    pub(super) added: Vec<NewFile>,
    /// The data files that go, by what stands behind the scheme of their locations.
    pub(super) gone_data: HashSet<String>,
    /// The data files whose deletion vectors go.
    pub(super) gone_vectors: HashSet<String>,
    /// The files of positions that go, because no file is left that they are of.
    pub(super) gone_deletes: HashSet<String>,
    /// The manifests that go, because what they hold was written into [`Self::manifests`].
    pub(super) gone_manifests: HashSet<String>,
    pub(super) manifests: Vec<Listed>,
    /// Whether the rows stay the same: what others only add meanwhile is added to.
    pub(super) same_rows: bool,
    /// Whether rows were written that replace others, or the same in other files.
    pub(super) operation: Option<&'static str>,
}

/// What went, for the summary.
#[derive(Default)]
struct Gone {
    files: u64,
    rows: u64,
    bytes: u64,
    vectors: u64,
    deletes: u64,
    manifests: u64,
}

/// A location without its scheme.
pub(super) fn plain(location: &str) -> &str {
    location.split_once("://").map_or(location, |(_, rest)| rest)
}

/// Commits a change.
///
/// # Errors
/// `CommitFailedException` if others changed the table, and the change does not only add.
pub(super) async fn commit(target: &Arc<Target>, change: &Change) -> Result<()> {
    let id = snapshot_id(target)?;
    let new = new_manifests(target, change, id).await?;
    commit_as(target, change, (id, new)).await
}

/// Commits a change as a snapshot of this id, with manifests that were written for it.
///
/// # Errors
/// As [`commit`].
pub(super) async fn commit_as(
    target: &Arc<Target>,
    change: &Change,
    (id, new): (i64, Vec<Listed>),
) -> Result<()> {
    let mut current = target.clone();
    let only_adds = change.gone_data.is_empty()
        && change.gone_vectors.is_empty()
        && change.gone_manifests.is_empty()
        && change.added.iter().all(|file| matches!(file.kind, NewKind::Data));
    let deletes = match change.same_rows {
        true => manifests_of_deletes(target).await?,
        false => HashSet::new(),
    };
    for _ in 0..TRIES_MAX {
        let done = commit_once(&current, change, (id, &new)).await;
        match done {
            Err(e) if (only_adds || change.same_rows) && e.reason() == "CommitFailedException" => {
                current = Arc::new(current.reloaded().await?);
                // New deletes may be of rows that were written again.
                if change.same_rows && !manifests_of_deletes(&current).await?.is_subset(&deletes) {
                    return Err(lost());
                }
            }
            done => return done,
        }
    }
    Err(lost())
}

/// What a statement fails with that lost again and again.
pub(super) fn lost() -> Error {
    let text = "others changed the table while the statement ran, again and again; try again";
    Error::new(Kind::Precondition, "CommitFailedException", text)
}

/// The bits of a random UUID.
fn random(target: &Target) -> Result<u128> {
    let uuid: String = target
        .context
        .tables
        .uuid()?
        .chars()
        .filter(|c| *c != '-')
        .collect();
    u128::from_str_radix(&uuid, 16).map_err(|e| Error::internal("a UUID is none").with_source(e))
}

/// The manifests of deletes that the current snapshot has.
async fn manifests_of_deletes(target: &Target) -> Result<HashSet<String>> {
    let listed = listed(target).await?.into_iter();
    let of_deletes = listed.filter(|listed| listed.field(517).and_then(Value::integer) == Some(1));
    of_deletes
        .map(|listed| path_of(&listed).map(str::to_owned))
        .collect()
}

/// The manifests of the current snapshot, as its list has them.
pub(super) async fn listed(target: &Target) -> Result<Vec<Value>> {
    let mut out = Vec::new();
    let Some(list) = target.snapshot().and_then(|s| s.get("manifest-list")?.as_str()) else {
        return Ok(out);
    };
    let mut file = File::open(target.manifest(list).await?)?;
    while let Some(block) = file.block()? {
        out.extend(block.collect::<Result<Vec<_>>>()?);
    }
    Ok(out)
}

/// Where a manifest is.
pub(super) fn path_of(listed: &Value) -> Result<&str> {
    let path = listed.field(500).and_then(Value::text);
    path.ok_or_else(|| Error::corrupt("a list of manifests has one without a path"))
}

/// A number from a random UUID, as other writers make them.
pub(super) fn snapshot_id(target: &Target) -> Result<i64> {
    let number = random(target)?;
    let mixed = (number >> 64) as u64 ^ number as u64;
    Ok((mixed & i64::MAX as u64).cast_signed())
}

/// Random bytes between the blocks of a file.
fn sync(target: &Target) -> Result<[u8; 16]> {
    random(target).map(u128::to_be_bytes)
}

/// A manifest of each kind and spec of what is new.
async fn new_manifests(target: &Target, change: &Change, id: i64) -> Result<Vec<Listed>> {
    let mut out = Vec::new();
    for holds in [Holds::Data, Holds::Deletes] {
        let of_kind = || change.added.iter().filter(|file| file.holds() == holds);
        let mut specs: Vec<i32> = of_kind().map(|file| file.spec).collect();
        specs.sort_unstable();
        specs.dedup();
        for spec_id in specs {
            let spec = target.spec(spec_id.into())?;
            let mut manifest = begin(target, &spec, holds)?;
            for file in of_kind().filter(|file| file.spec == spec_id) {
                manifest.push(&Entry {
                    status: Status::Added,
                    snapshot: id,
                    sequences: None,
                    file: file.value(),
                })?;
            }
            out.push(end(target, manifest, id).await?);
        }
    }
    Ok(out)
}

pub(super) fn begin<'a>(
    target: &Target,
    spec: &'a super::partition::Spec,
    holds: Holds,
) -> Result<Manifest<'a>> {
    let table = (target.version()?, target.schema_json()?);
    Manifest::new(
        table,
        (spec, target.spec_json(spec.id.into())?),
        holds,
        sync(target)?,
    )
}

pub(super) async fn end(target: &Target, manifest: Manifest<'_>, id: i64) -> Result<Listed> {
    let name = format!("{}-m.avro", target.context.tables.uuid()?);
    let location = target.place(true, &name)?;
    let (bytes, listed) = manifest.finish(&location, id)?;
    target.put_bytes(&location, bytes).await?;
    Ok(listed)
}

async fn commit_once(target: &Target, change: &Change, (id, new): (i64, &[Listed])) -> Result<()> {
    let version = target.version()?;
    let parent = target.snapshot_id();
    let (kept, rewritten, gone) = before(target, change, id).await?;
    let is_there =
        gone.files == change.gone_data.len() as u64 && gone.manifests == change.gone_manifests.len() as u64;
    if change.same_rows && !is_there {
        // Others took away what was written again.
        return Err(lost());
    }
    let sequence = target
        .number("last-sequence-number")
        .unwrap_or(UNKNOWN_SEQUENCE)
        .saturating_add(1);
    let first_row = target.number("next-row-id").unwrap_or(0);
    let mut next_row = first_row;
    let all = [new, &rewritten].concat();
    let numbers = (version, id, parent, sequence);
    let list = manifest::list(numbers, (&kept, &all), &mut next_row, sync(target)?)?;
    let location = target.place(true, &format!("snap-{id}-{}.avro", target.context.tables.uuid()?))?;
    target.put_bytes(&location, list).await?;
    let mut snapshot = json!({
        "snapshot-id": id, "sequence-number": sequence, "timestamp-ms": target.now_ms(), "manifest-list": location,
        "summary": summary(target, change, &gone), "schema-id": target.number("current-schema-id"),
    });
    if let Json::Object(map) = &mut snapshot {
        if let Some(parent) = parent {
            map.insert("parent-snapshot-id".into(), parent.into());
        }
        if version >= 3 {
            map.insert("first-row-id".into(), first_row.into());
            map.insert("added-rows".into(), next_row.saturating_sub(first_row).into());
        }
    }
    let requirements = vec![
        json!({ "type": "assert-table-uuid", "uuid": target.metadata.get("table-uuid") }),
        json!({ "type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": parent }),
        json!({ "type": "assert-current-schema-id", "current-schema-id": target.number("current-schema-id") }),
        json!({ "type": "assert-default-spec-id", "default-spec-id": target.number("default-spec-id") }),
    ];
    let updates = vec![
        json!({ "action": "add-snapshot", "snapshot": snapshot }),
        json!({ "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id }),
    ];
    target.commit(requirements, updates).await?;
    target.keep_files();
    Ok(())
}

/// The manifests of the current snapshot that stay, those that are written anew without what goes, and what goes.
async fn before(target: &Target, change: &Change, id: i64) -> Result<(Vec<Value>, Vec<Listed>, Gone)> {
    let (mut kept, mut rewritten, mut gone) = (Vec::new(), Vec::new(), Gone::default());
    for listed in listed(target).await? {
        let number = |field: i32| listed.field(field).and_then(Value::integer);
        if change.gone_manifests.contains(path_of(&listed)?) {
            gone.manifests = gone.manifests.saturating_add(1);
            continue;
        }
        // What held nothing but what went with an earlier snapshot has nothing to say any more.
        if (number(504), number(505)) == (Some(0), Some(0)) {
            continue;
        }
        let touched = match number(517) {
            Some(1) => {
                let gone = [&change.gone_vectors, &change.gone_data, &change.gone_deletes];
                gone.iter().any(|gone| !gone.is_empty())
            }
            _ => !change.gone_data.is_empty(),
        };
        match touched {
            false => kept.push(listed),
            true => match rewrite(target, change, (&listed, id), &mut gone).await? {
                Some(new) => rewritten.extend(new),
                None => kept.push(listed),
            },
        }
    }
    Ok((kept, rewritten, gone))
}

/// A manifest without what goes; `None` if nothing of it goes.
async fn rewrite(
    target: &Target,
    change: &Change,
    (listed, id): (&Value, i64),
    gone: &mut Gone,
) -> Result<Option<Option<Listed>>> {
    let number = |field: i32| listed.field(field).and_then(Value::integer);
    let path = path_of(listed)?;
    let spec = target.spec(number(502).unwrap_or(0))?;
    let holds = if number(517) == Some(1) {
        Holds::Deletes
    } else {
        Holds::Data
    };
    let mut next_row = number(520);
    let mut manifest = begin(target, &spec, holds)?;
    let mut is_touched = false;
    let mut file = File::open(target.manifest(path).await?)?;
    while let Some(block) = file.block()? {
        for record in block {
            let record = record?;
            let Some(mut entry) = standing(&record, listed, &mut next_row)? else {
                continue;
            };
            if goes(change, &entry.file) {
                is_touched = true;
                entry.status = Status::Deleted;
                entry.snapshot = id;
                gone.add(&entry.file, holds);
            }
            manifest.push(&entry)?;
        }
    }
    match (is_touched, manifest.files == [0; 3]) {
        (false, _) => Ok(None),
        (true, true) => Ok(Some(None)),
        (true, false) => end(target, manifest, id).await.map(|listed| Some(Some(listed))),
    }
}

/// A live entry as one that was there before, with all that it inherits written out.
pub(super) fn standing(record: &Value, listed: &Value, next_row: &mut Option<i64>) -> Result<Option<Entry>> {
    let number = |field: i32| record.field(field).and_then(Value::integer);
    if number(0) == Some(Status::Deleted as i64) {
        return Ok(None);
    }
    let of_list = |field: i32| listed.field(field).and_then(Value::integer);
    let sequence = number(3).or(of_list(515)).unwrap_or(UNKNOWN_SEQUENCE);
    let of_file = number(4).or(of_list(515)).unwrap_or(sequence);
    let file = record
        .field(2)
        .ok_or_else(|| Error::corrupt("an entry of a manifest has no file"))?;
    Ok(Some(Entry {
        status: Status::Existing,
        snapshot: number(1).or(of_list(503)).unwrap_or(0),
        sequences: Some((sequence, of_file)),
        file: with_first_row(file, next_row)?,
    }))
}

/// A file with the number of its first row, which it may have by its place in the manifest.
fn with_first_row(file: &Value, next_row: &mut Option<i64>) -> Result<Value> {
    let Value::Record(fields) = file else {
        return Err(Error::corrupt("an entry of a manifest has no file"));
    };
    let mut fields = fields.clone();
    if !fields.iter().any(|(id, _)| *id == 134) {
        // Version 1 has data files alone.
        fields.push((134, Value::Integer(0)));
    }
    if let (None, Some(next)) = (file.field(142), next_row.as_mut()) {
        fields.retain(|(id, _)| *id != 142);
        fields.push((142, Value::Integer(*next)));
        let records = file.field(103).and_then(Value::integer).unwrap_or(0);
        *next = next.saturating_add(records);
    }
    Ok(Value::Record(fields))
}

fn goes(change: &Change, file: &Value) -> bool {
    let text = |field: i32| {
        file.field(field)
            .and_then(Value::text)
            .map(plain)
            .unwrap_or_default()
    };
    match file.field(134).and_then(Value::integer) {
        // Deletes of one file alone go with it.
        Some(1) => {
            change.gone_data.contains(text(143))
                || (file.field(144).is_some() && change.gone_vectors.contains(text(143)))
                || change.gone_deletes.contains(text(100))
        }
        Some(0) | None => change.gone_data.contains(text(100)),
        Some(_) => false,
    }
}

impl Gone {
    fn add(&mut self, file: &Value, holds: Holds) {
        let number = |field: i32| {
            let number = file.field(field).and_then(Value::integer);
            number.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
        };
        match holds {
            Holds::Data => {
                self.files = self.files.saturating_add(1);
                self.rows = self.rows.saturating_add(number(103));
                self.bytes = self.bytes.saturating_add(number(104));
            }
            Holds::Deletes => {
                self.vectors = self.vectors.saturating_add(1);
                self.deletes = self.deletes.saturating_add(number(103));
            }
        }
    }
}

/// What the snapshot did, in numbers.
fn summary(target: &Target, change: &Change, gone: &Gone) -> Json {
    let sum = |of: &dyn Fn(&NewFile) -> u64| change.added.iter().map(of).sum::<u64>();
    let is_data = |file: &NewFile| file.holds() == Holds::Data;
    let new_files = sum(&|f| u64::from(is_data(f)));
    let new_rows = sum(&|f| if is_data(f) { f.records } else { 0 });
    let new_bytes = sum(&|f| if is_data(f) { f.size } else { 0 });
    let new_deletes = sum(&|f| u64::from(!is_data(f)));
    let deleted = sum(&|f| if is_data(f) { 0 } else { f.records });
    let operation = change.operation.unwrap_or("append");
    let mut out = Map::from_iter([
        ("operation".to_owned(), json!(operation)),
        ("engine-name".to_owned(), json!("craton")),
    ]);
    let mut put = |name: &str, number: u64| {
        if number > 0 {
            out.insert(name.to_owned(), json!(number.to_string()));
        }
    };
    put("added-data-files", new_files);
    put("added-records", new_rows);
    put("added-files-size", new_bytes);
    put("deleted-data-files", gone.files);
    put("deleted-records", gone.rows);
    put("removed-files-size", gone.bytes);
    put("added-delete-files", new_deletes);
    put("added-position-deletes", deleted);
    put("removed-delete-files", gone.vectors);
    put("removed-position-deletes", gone.deletes);
    put("manifests-replaced", gone.manifests);
    let before = target.snapshot().and_then(|s| s.get("summary"));
    let was = |name: &str| -> Option<u64> {
        match target.snapshot() {
            None => Some(0),
            Some(_) => before?.get(name)?.as_str()?.parse().ok(),
        }
    };
    let totals = [
        ("total-data-files", new_files, gone.files),
        ("total-records", new_rows, gone.rows),
        ("total-files-size", new_bytes, gone.bytes),
        ("total-delete-files", new_deletes, gone.vectors),
        ("total-position-deletes", deleted, gone.deletes),
    ];
    for (name, more, less) in totals {
        if let Some(total) = was(name) {
            out.insert(
                name.to_owned(),
                json!(total.saturating_add(more).saturating_sub(less).to_string()),
            );
        }
    }
    if let Some(total) = was("total-equality-deletes") {
        out.insert("total-equality-deletes".to_owned(), json!(total.to_string()));
    }
    Json::Object(out)
}

/// Ends what a statement wrote: what was not committed is deleted.
pub(super) async fn settled<T>(target: Arc<Target>, done: Result<T>) -> Result<T> {
    if done.is_err() {
        target.delete_files().await;
    }
    done
}
