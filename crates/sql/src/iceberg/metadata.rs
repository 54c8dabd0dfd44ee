//! What a statement needs of a table's metadata: one snapshot, its schema, the partition specs.
//!
//! Invariant: a snapshot is read with the schema that it was written with; the current one, or a branch's, with the current schema, as
//! other engines read them.
//!
//! Source: Apache Iceberg, table specification, "Table Metadata", "Point in Time Reads (Time Travel)".

use std::collections::{BTreeSet, HashMap};

use craton_base::{Error, Kind, Result};
use craton_tables::columns_of;
use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value as Json;

use super::{restricted::Meaning, types};

/// Which state of a table is read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) enum Moment {
    /// The newest.
    #[default]
    Now,
    /// A snapshot, by its id.
    Snapshot(i64),
    /// The newest at a time, in milliseconds since the epoch.
    At(i64),
    /// A branch or a tag.
    Named(String),
}

/// A snapshot of a table.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) schema: SchemaRef,
    /// `None` of a table that nothing was written to yet.
    pub(crate) id: Option<i64>,
    /// Where its manifests are listed.
    pub(crate) manifests: Option<String>,
    /// The columns by whose values the table is or was partitioned, by their ids.
    pub(crate) partitioned_by: Vec<i32>,
    /// The names that columns have or had in any schema, by their ids.
    called: HashMap<i32, Called>,
}

/// How a column is or was called.
#[derive(Debug, Default)]
struct Called {
    own: BTreeSet<String>,
    /// What is or was in it, with dots.
    inside: BTreeSet<String>,
}

/// The snapshot of a table at a moment.
///
/// # Errors
/// `NoSuchSnapshot`; `Corrupt`; `NotSupportedYet`.
pub(crate) fn snapshot(metadata: &[u8], moment: &Moment) -> Result<Snapshot> {
    let json: Json = serde_json::from_slice(metadata).map_err(|e| malformed().with_source(e))?;
    let version = json.get("format-version").and_then(Json::as_i64).unwrap_or(1);
    if version > 3 {
        return Err(types::not_yet(format!("tables of format version {version}")));
    }
    let found = find(&json, moment)?;
    let of_snapshot = found.and_then(|s| s.get("schema-id")).and_then(Json::as_i64);
    let current = json.get("current-schema-id").and_then(Json::as_i64);
    let wanted = if is_past(&json, moment) {
        of_snapshot.or(current)
    } else {
        current
    };
    let schema = item(&json, "schemas", "schema-id", wanted).or_else(|| json.get("schema"));
    let manifests = found.map(|snapshot| {
        let list = snapshot.get("manifest-list").and_then(Json::as_str);
        list.map(str::to_owned)
            .ok_or_else(|| types::not_yet("snapshots without a manifest list"))
    });
    if found.is_some_and(|snapshot| snapshot.get("key-id").is_some_and(|key| !key.is_null())) {
        return Err(types::not_yet("encrypted tables"));
    }
    Ok(Snapshot {
        schema: types::schema(schema.ok_or_else(malformed)?)?,
        id: found.and_then(|snapshot| snapshot.get("snapshot-id")?.as_i64()),
        manifests: manifests.transpose()?,
        partitioned_by: partitioned_by(&json),
        called: called(&json),
    })
}

impl Snapshot {
    /// All names that columns at these places have or had, and what is in them: what policies may call them.
    pub(crate) fn names(&self, places: &[usize]) -> Vec<String> {
        let mut names = BTreeSet::new();
        for field in places.iter().filter_map(|at| self.schema.fields().get(*at)) {
            names.insert(field.name().clone());
            let called = types::id_of(field).and_then(|id| self.called.get(&id));
            names.extend(
                called
                    .into_iter()
                    .flat_map(|c| c.own.iter().chain(&c.inside))
                    .cloned(),
            );
        }
        names.into_iter().collect()
    }

    /// How a name that a policy says is about the column at a place, if it is.
    pub(super) fn meaning(&self, place: usize, name: &str) -> Option<Meaning> {
        let field = self.schema.fields().get(place)?;
        let called = types::id_of(field).and_then(|id| self.called.get(&id));
        if field.name() == name || called.is_some_and(|c| c.own.contains(name)) {
            return Some(Meaning::Itself);
        }
        called
            .is_some_and(|c| c.inside.contains(name))
            .then_some(Meaning::Inside)
    }

    /// The place of the column that a condition on rows means: the one of that name; or the only one that had it.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        if let Ok(place) = self.schema.index_of(name) {
            return Some(place);
        }
        let mut had = self.called.iter().filter(|(_, called)| called.own.contains(name));
        let (id, _) = had.next()?;
        let mut places = self.schema.fields().iter();
        let place = places.position(|field| types::id_of(field) == Some(*id))?;
        had.next().is_none().then_some(place)
    }
}

/// The names of all schemas.
fn called(json: &Json) -> HashMap<i32, Called> {
    let mut all: HashMap<i32, Called> = HashMap::new();
    let schemas = json.get("schemas").and_then(Json::as_array);
    let fields = schemas.into_iter().flatten().chain(json.get("schema"));
    let fields = fields
        .filter_map(|schema| schema.get("fields")?.as_array())
        .flatten();
    for field in fields {
        let id = field
            .get("id")
            .and_then(Json::as_i64)
            .and_then(|id| i32::try_from(id).ok());
        let (Some(id), Some(name)) = (id, field.get("name").and_then(Json::as_str)) else {
            continue;
        };
        let called = all.entry(id).or_default();
        called.own.insert(name.to_owned());
        called
            .inside
            .extend(columns_of(field).into_iter().filter(|inner| inner != name));
    }
    all
}

fn malformed() -> Error {
    Error::corrupt("the table's metadata does not read")
}

/// Whether a moment is read with the schema of its snapshot: all but the newest state of a branch.
fn is_past(json: &Json, moment: &Moment) -> bool {
    match moment {
        Moment::Now => false,
        Moment::Snapshot(_) | Moment::At(_) => true,
        Moment::Named(name) => {
            let kind = json
                .get("refs")
                .and_then(|refs| refs.get(name)?.get("type")?.as_str());
            kind == Some("tag")
        }
    }
}

fn find<'a>(json: &'a Json, moment: &Moment) -> Result<Option<&'a Json>> {
    let by_id = |id: i64| {
        let none = || no_such(format!("the table has no snapshot {id}"));
        item(json, "snapshots", "snapshot-id", Some(id)).ok_or_else(none)
    };
    let current = json
        .get("current-snapshot-id")
        .and_then(Json::as_i64)
        .filter(|id| *id >= 0);
    match moment {
        Moment::Now => current.map(by_id).transpose(),
        Moment::Snapshot(id) => by_id(*id).map(Some),
        Moment::At(time) => {
            let log = json.get("snapshot-log").and_then(Json::as_array);
            let mut before = log.into_iter().flatten().filter(|entry| {
                let at = entry.get("timestamp-ms").and_then(Json::as_i64);
                at.is_some_and(|at| at <= *time)
            });
            let last = before
                .next_back()
                .and_then(|entry| entry.get("snapshot-id")?.as_i64());
            let none = || no_such("the table's history does not reach back to that time".to_owned());
            by_id(last.ok_or_else(none)?).map(Some)
        }
        Moment::Named(name) => {
            let reference = json
                .get("refs")
                .and_then(|refs| refs.get(name)?.get("snapshot-id")?.as_i64());
            match (reference, current) {
                (Some(id), _) => by_id(id).map(Some),
                // The main branch is there even if no metadata says so.
                (None, current) if name == "main" => current.map(by_id).transpose(),
                _ => Err(no_such(format!("the table has no branch and no tag {name:?}"))),
            }
        }
    }
}

/// The sources of identity partitions.
fn partitioned_by(json: &Json) -> Vec<i32> {
    let specs = json.get("partition-specs").and_then(Json::as_array);
    let fields = specs
        .into_iter()
        .flatten()
        .filter_map(|spec| spec.get("fields")?.as_array());
    let identities = fields
        .flatten()
        .filter(|field| field.get("transform").and_then(Json::as_str) == Some("identity"));
    let ids = identities.filter_map(|field| i32::try_from(field.get("source-id")?.as_i64()?).ok());
    ids.collect()
}

fn item<'a>(json: &'a Json, list: &str, field: &str, id: Option<i64>) -> Option<&'a Json> {
    let list = json.get(list)?.as_array()?;
    list.iter()
        .find(|item| item.get(field).and_then(Json::as_i64) == id && id.is_some())
}

fn no_such(text: String) -> Error {
    Error::new(Kind::NotFound, "NoSuchSnapshot", text)
}

#[cfg(test)]
mod tests;
