//! Scan planning: which files of a snapshot a reader has to read, and which deletes apply to each.
//!
//! ```text
//! plan ─▶ few files: tasks at once
//!     └▶ many: a plan task for each group of manifests ─▶ tasks of those
//! ```
//!
//! Invariants
//! - nothing is kept between requests: a plan task says what it is about, and is decided and checked as a plan is, so there is nothing
//!   to wait for and nothing to cancel;
//! - a file is left out only if no row of it can match ([`filter`]); readers get the whole filter as what is left to do.
//!
//! Source: Iceberg REST catalog, `planTableScan`, `fetchScanTasks`; table specification, "Scan Planning".

use std::collections::{HashMap, HashSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use craton_base::{Error, Kind as ErrorKind, Result};
use craton_gate::{Kind, ReadPermit};
use serde_json::{Value as Json, json};

use crate::{
    avro::{File, Value},
    error::bad,
    location::Folder,
    metadata::{Metadata, number},
    name::{TableName, What},
    table::{METADATA_BYTES_MAX, PARSED, Tables, live, permitted, size},
};

mod filter;
mod told;
mod value;

use filter::{Columns, may_match};

/// The largest manifest or list of them, in bytes.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// About so many files are in one answer.
const FILES_AT_ONCE: i64 = 2000;

/// The most files that one answer tells.
const FILES_MAX: usize = 50_000;

/// A scan of a table.
struct Scan<'a> {
    permit: &'a ReadPermit,
    folder: Folder,
    metadata: Metadata,
    request: &'a Json,
    snapshot: i64,
    /// The snapshots whose new files alone are read, where the scan is of what was added.
    added_by: Option<HashSet<i64>>,
    /// Columns by their names, as the request writes them.
    columns: Columns,
    filter: Json,
    /// The columns whose numbers the reader wants.
    stats: Vec<(i32, String)>,
}

/// A manifest of a snapshot.
struct Listed {
    path: String,
    value: Value,
}

impl Listed {
    fn number(&self, id: i32) -> i64 {
        self.value.field(id).and_then(Value::integer).unwrap_or(0)
    }

    fn holds_deletes(&self) -> bool {
        self.number(517) == 1
    }
}

/// A file of deletes, and to what it applies.
struct Deletes {
    sequence: i64,
    file: Value,
    spec: i64,
}

fn corrupt(what: &'static str) -> Error {
    Error::corrupt(format!("a manifest does not say {what}"))
}

impl Tables {
    /// Plans a scan, as the protocol asks and answers it.
    ///
    /// # Errors
    /// `NoSuchTableException`; `BadRequestException`; `NoSuchSnapshotException`; `TooLarge`.
    pub async fn plan_scan(&self, permit: &ReadPermit, name: &TableName, request: &Json) -> Result<Json> {
        let mut answer = self.planned(permit, name, request, None).await?;
        if let Json::Object(map) = &mut answer {
            map.insert("status".to_owned(), json!("completed"));
        }
        Ok(answer)
    }

    /// The tasks that a plan task stands for.
    ///
    /// # Errors
    /// `NoSuchPlanTaskException`; as [`Self::plan_scan`].
    pub async fn scan_tasks(&self, permit: &ReadPermit, name: &TableName, task: &str) -> Result<Json> {
        let gone = || {
            Error::new(
                ErrorKind::NotFound,
                "NoSuchPlanTaskException",
                "there is no such plan task",
            )
        };
        let read = || -> Option<(Json, Vec<usize>)> {
            let json: Json = serde_json::from_slice(&BASE64.decode(task).ok()?).ok()?;
            let list = json.get("manifests")?.as_array()?.iter();
            let at: Option<Vec<usize>> = list.map(|n| usize::try_from(n.as_u64()?).ok()).collect();
            Some((json.get("request")?.clone(), at?))
        };
        let (request, manifests) = read().ok_or_else(gone)?;
        self.planned(permit, name, &request, Some(&manifests)).await
    }

    async fn planned(
        &self,
        permit: &ReadPermit,
        name: &TableName,
        request: &Json,
        some: Option<&[usize]>,
    ) -> Result<Json> {
        let found = live(permit, &permitted(permit)?, (name, What::Table))?;
        let stored = found.file(permit)?;
        let _room = self.room(size(&stored).saturating_mul(PARSED)).await?;
        let metadata = Metadata::parse(&permit.whole(&stored, METADATA_BYTES_MAX).await?)?;
        let folder = Folder::new(&permit.bucket()?.name, &found.id);
        let Some(scan) = Scan::new(permit, (folder, metadata), request)? else {
            return Ok(json!({ "file-scan-tasks": [], "delete-files": [] }));
        };
        scan.answer(self, some).await
    }
}

impl<'a> Scan<'a> {
    /// `None` of a table that has no snapshot.
    fn new(
        permit: &'a ReadPermit,
        (folder, metadata): (Folder, Metadata),
        request: &'a Json,
    ) -> Result<Option<Self>> {
        let asked = |name: &str| number(request, name);
        let current = metadata.number("current-snapshot-id").filter(|id| *id >= 0);
        let snapshot = asked("snapshot-id").or(asked("end-snapshot-id")).or(current);
        let Some(snapshot) = snapshot else {
            return Ok(None);
        };
        let of_snapshot = snapshot_of(&metadata, snapshot)?;
        let past = request.get("use-snapshot-schema").and_then(Json::as_bool) == Some(true);
        let schema_id = number(of_snapshot, "schema-id").filter(|_| past);
        let schema = schema_id.or(metadata.number("current-schema-id")).unwrap_or(0);
        let schema = metadata
            .item("schemas", "schema-id", schema)
            .or_else(|| metadata.get("schema"));
        let schema = schema.ok_or_else(|| bad("the table has no such schema"))?;
        let is_sensitive = request.get("case-sensitive").and_then(Json::as_bool) != Some(false);
        let mut columns = Columns::new();
        named(schema, "", 0, &mut columns);
        let mut filter = request.get("filter").cloned().unwrap_or(Json::Bool(true));
        if !is_sensitive {
            columns = columns
                .into_iter()
                .map(|(name, of)| (name.to_lowercase(), of))
                .collect();
            lower_terms(&mut filter, 0);
        }
        let wanted = request
            .get("stats-fields")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let stats = wanted
            .filter_map(|name| columns.get(name.as_str()?).cloned())
            .collect();
        let added_by = match asked("start-snapshot-id") {
            Some(start) => Some(between(&metadata, start, snapshot)?),
            None => None,
        };
        Ok(Some(Self {
            permit,
            folder,
            metadata,
            request,
            snapshot,
            added_by,
            columns,
            filter,
            stats,
        }))
    }

    async fn read(&self, tables: &Tables, location: &str) -> Result<Bytes> {
        self.folder.check("a manifest", location)?;
        let key = self
            .folder
            .key_of(location)
            .ok_or_else(|| bad("a manifest is not in the table's bucket"))?;
        let stored = self.permit.entry(Kind::Object, key.as_bytes())?;
        let gone = || {
            Error::new(
                ErrorKind::NotFound,
                "NotFoundException",
                format!("the manifest {key} is not there any more"),
            )
        };
        let stored = stored.ok_or_else(gone)?;
        let _room = tables.room(size(&stored)).await?;
        self.permit.whole(&stored, MANIFEST_BYTES_MAX).await
    }

    async fn manifests(&self, tables: &Tables) -> Result<Vec<Listed>> {
        let snapshot = snapshot_of(&self.metadata, self.snapshot)?;
        let list = snapshot.get("manifest-list").and_then(Json::as_str);
        let list = list.ok_or_else(|| bad("a snapshot without a list of manifests is not planned"))?;
        let mut file = File::open(self.read(tables, list).await?)?;
        let mut out = Vec::new();
        while let Some(block) = file.block()? {
            for value in block {
                let value = value?;
                let path = value
                    .field(500)
                    .and_then(Value::text)
                    .ok_or_else(|| corrupt("where it is"))?
                    .to_owned();
                out.push(Listed { path, value });
            }
        }
        Ok(out)
    }

    /// The tasks of some of the manifests, or of all if those are few; else plan tasks for them.
    async fn answer(&self, tables: &Tables, some: Option<&[usize]>) -> Result<Json> {
        let manifests = self.manifests(tables).await?;
        let files = |listed: &Listed| listed.number(504).saturating_add(listed.number(505));
        let data = || manifests.iter().enumerate().filter(|(_, m)| !m.holds_deletes());
        let all: i64 = data().map(|(_, m)| files(m)).sum();
        if some.is_none() && all > FILES_AT_ONCE && data().count() > 1 {
            let mut groups: Vec<(i64, Vec<usize>)> = Vec::new();
            for (at, listed) in data() {
                match groups.last_mut().filter(|(n, _)| *n < FILES_AT_ONCE) {
                    Some((n, group)) => {
                        *n = n.saturating_add(files(listed));
                        group.push(at);
                    }
                    None => groups.push((files(listed), vec![at])),
                }
            }
            let mut request = self.request.clone();
            if let Json::Object(map) = &mut request {
                // What is planned is one snapshot, whatever is committed meanwhile.
                let pinned = if self.added_by.is_some() {
                    "end-snapshot-id"
                } else {
                    "snapshot-id"
                };
                map.insert(pinned.to_owned(), json!(self.snapshot));
            }
            let task = |(_, group): &(i64, Vec<usize>)| {
                BASE64.encode(json!({ "request": request, "manifests": group }).to_string())
            };
            return Ok(json!({ "plan-tasks": groups.iter().map(task).collect::<Vec<_>>() }));
        }
        let mut chosen = Vec::new();
        for (_, listed) in data().filter(|(at, _)| some.is_none_or(|some| some.contains(at))) {
            chosen.push(listed);
        }
        self.tasks(tables, (&manifests, chosen)).await
    }

    async fn tasks(&self, tables: &Tables, (manifests, chosen): (&[Listed], Vec<&Listed>)) -> Result<Json> {
        let mut deletes = Vec::new();
        if self.added_by.is_none() {
            for listed in manifests.iter().filter(|m| m.holds_deletes()) {
                self.entries(tables, listed, |sequence, file, _| {
                    let spec = listed.number(502);
                    deletes.push(Deletes { sequence, file, spec });
                    enough(deletes.len())
                })
                .await?;
            }
        }
        let mut told: HashMap<usize, usize> = HashMap::new();
        let mut delete_files = Vec::new();
        let mut tasks = Vec::new();
        for listed in chosen {
            let spec = listed.number(502);
            self.entries(tables, listed, |sequence, file, first_row| {
                if !may_match(&self.filter, &file, &self.columns) {
                    return Ok(());
                }
                let mut references = Vec::new();
                for (at, of) in deletes.iter().enumerate().filter(|(_, d)| applies(d, (sequence, spec, &file))) {
                    let next = told.len();
                    let index = *told.entry(at).or_insert(next);
                    if index == next {
                        delete_files.push(self.delete_file(of)?);
                    }
                    references.push(index);
                }
                let mut task = json!({ "data-file": self.data_file(&file, spec, first_row)?, "residual-filter": self.filter });
                if let (false, Json::Object(map)) = (references.is_empty(), &mut task) {
                    map.insert("delete-file-references".to_owned(), json!(references));
                }
                tasks.push(task);
                enough(tasks.len())
            })
            .await?;
        }
        Ok(json!({ "file-scan-tasks": tasks, "delete-files": delete_files }))
    }

    /// The live entries of a manifest: sequence number, file, the number of its first row.
    async fn entries(
        &self,
        tables: &Tables,
        listed: &Listed,
        mut take: impl FnMut(i64, Value, Option<i64>) -> Result<()>,
    ) -> Result<()> {
        let mut next_row = listed.value.field(520).and_then(Value::integer);
        let mut file = File::open(self.read(tables, &listed.path).await?)?;
        while let Some(block) = file.block()? {
            for record in block {
                let record = record?;
                let number = |id: i32| record.field(id).and_then(Value::integer);
                let status = number(0).ok_or_else(|| corrupt("whether a file is there"))?;
                if status == 2 {
                    continue;
                }
                let file = record.field(2).ok_or_else(|| corrupt("which file it is about"))?;
                let mut first_row = file.field(142).and_then(Value::integer);
                if let (None, Some(next)) = (first_row, next_row.as_mut()) {
                    first_row = Some(*next);
                    *next = next.saturating_add(file.field(103).and_then(Value::integer).unwrap_or(0));
                }
                let snapshot = number(1).unwrap_or_else(|| listed.number(503));
                let is_wanted = |by: &HashSet<i64>| status == 1 && by.contains(&snapshot);
                if self.added_by.as_ref().is_none_or(is_wanted) {
                    take(
                        number(3).unwrap_or_else(|| listed.number(515)),
                        file.clone(),
                        first_row,
                    )?;
                }
            }
        }
        Ok(())
    }
}

fn enough(files: usize) -> Result<()> {
    match files <= FILES_MAX {
        true => Ok(()),
        false => {
            let text =
                format!("one answer of a plan has at most {FILES_MAX} files; rewrite the table's manifests");
            Err(Error::new(ErrorKind::TooLarge, "PlanTooLarge", text))
        }
    }
}

/// Whether deletes apply to a data file.
fn applies(deletes: &Deletes, (sequence, spec, file): (i64, i64, &Value)) -> bool {
    let by_value = deletes.file.field(134).and_then(Value::integer) == Some(2);
    if let Some(of) = deletes.file.field(143).and_then(Value::text) {
        return deletes.sequence >= sequence && file.field(100).and_then(Value::text) == Some(of);
    }
    let partition = |file: &Value| file.field(102).cloned().unwrap_or(Value::Null);
    let is_global = by_value
        && matches!(deletes.file.field(102), None | Some(Value::Record(_)))
        && is_empty(&deletes.file);
    let is_there = is_global || (deletes.spec == spec && partition(&deletes.file) == partition(file));
    match by_value {
        // Those by value are of what was there before.
        true => deletes.sequence > sequence && is_there,
        false => deletes.sequence >= sequence && is_there,
    }
}

/// Whether a file is of a spec without fields.
fn is_empty(file: &Value) -> bool {
    !matches!(file.field(102), Some(Value::Record(fields)) if !fields.is_empty())
}

fn snapshot_of(metadata: &Metadata, id: i64) -> Result<&Json> {
    let found = metadata.item("snapshots", "snapshot-id", id);
    found.ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "NoSuchSnapshotException",
            format!("there is no snapshot {id}"),
        )
    })
}

/// The snapshots after one, up to another.
fn between(metadata: &Metadata, start: i64, end: i64) -> Result<HashSet<i64>> {
    let mut out = HashSet::new();
    let mut at = end;
    while at != start {
        let snapshot = snapshot_of(metadata, at)?;
        out.insert(at);
        let parent = number(snapshot, "parent-snapshot-id").filter(|parent| !out.contains(parent));
        at = parent.ok_or_else(|| bad(format!("the snapshot {start} does not come before {end}")))?;
    }
    Ok(out)
}

/// The primitive columns of a struct, by their names with dots.
fn named(of: &Json, above: &str, depth: usize, out: &mut Columns) {
    let fields = of.get("fields").and_then(Json::as_array);
    for field in fields.into_iter().flatten().filter(|_| depth < 32) {
        let name = field.get("name").and_then(Json::as_str).unwrap_or_default();
        let id = number(field, "id").and_then(|id| i32::try_from(id).ok());
        match (field.get("type"), id) {
            (Some(Json::String(kind)), Some(id)) => {
                out.insert(format!("{above}{name}"), (id, kind.clone()));
            }
            (Some(nested), _) => named(nested, &format!("{above}{name}."), depth.saturating_add(1), out),
            _ => {}
        }
    }
}

/// The names of columns in a filter, in lower case.
fn lower_terms(filter: &mut Json, depth: usize) {
    let Json::Object(map) = filter else {
        return;
    };
    if let Some(Json::String(term)) = map.get_mut("term") {
        *term = term.to_lowercase();
    }
    for part in ["left", "right", "child"] {
        if let Some(inner) = map.get_mut(part).filter(|_| depth < 64) {
            lower_terms(inner, depth.saturating_add(1));
        }
    }
}
