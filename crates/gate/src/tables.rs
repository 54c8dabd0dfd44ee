//! Tables as the gate knows them: a table is its folder, `.tables/<id>/`, and all that lies in it.
//!
//! ```text
//! .tables/                  the catalog of a bucket's tables     arn:aws:s3tables:::bucket/<bucket>
//! .tables/<id>/…            a table, and its files               arn:aws:s3tables:::bucket/<bucket>/table/<id>
//! ```
//!
//! Invariants
//! - an S3 request for a key in a table's folder is decided as an access to that table: the table's action must be
//!   allowed, with the table's namespace and name as condition keys, and nothing may deny the S3 action;
//! - nothing is put under `.tables/` that belongs to no table, and what once was there is for root alone;
//! - a table's metadata files (`metadata/….metadata.json`) are written by the catalog and by nobody else, so that what was
//!   checked when one was committed still holds when it is read; once the table was dropped they can be deleted like its other files.
//!
//! Deliberately absent: what a commit means, formats of metadata (the tables engine).

use bytes::Bytes;
use craton_base::{BranchId, BucketName, ResourcePath, Result, Sequence};
use craton_guard::{
    Column, TableFacts,
    actions::{self, Level},
};
use craton_store::namespace::{Key, Kind};
use prost::Message as _;

use crate::{
    ask::Fact,
    configuration::state::BucketState,
    decide::Put,
    gate::{Gate, Inner},
    ledger::RecordedFact,
    session::{PrincipalKind, Session},
};

mod rows;

pub use rows::{ColumnRow, ColumnRows, NameRow, TableRow};

/// Where the files of a bucket's tables lie.
pub const FOLDER: &str = ".tables/";

/// The id of no table: what is asked about when a name has none, so that who may not is told the same either way.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// What every action on a table or a catalog begins with.
const SERVICE: &str = "s3tables:";

/// Actions of S3 on keys for which the right to a table's data is enough; others are needed besides it.
const DATA: [&str; 11] = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:GetObjectAttributes",
    "s3:GetObjectVersion",
    "s3:GetObjectVersionAttributes",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListBucketVersions",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
];

/// What reads a table or its files and does nothing else.
const READS: [&str; 3] = [
    "s3tables:GetTable",
    "s3tables:GetTableData",
    "s3tables:GetTableMetadataLocation",
];

/// Actions of S3 that take away and write nothing.
const DELETES: [&str; 2] = ["s3:DeleteObject", "s3:DeleteObjectVersion"];

/// What a record says which columns were read by: a list in JSON.
pub(crate) const COLUMNS_FACT: &str = "craton:columns";

/// The columns that a record says.
pub(crate) fn columns_told(facts: &[RecordedFact]) -> Option<Vec<String>> {
    serde_json::from_str(&facts.iter().find(|fact| fact.key == COLUMNS_FACT)?.value).ok()
}

/// The property whose value is a table's labels, with spaces between them.
pub const LABELS_PROPERTY: &str = "craton.labels";

/// The property that lets the system keep a table in order by itself: `true`.
pub const MAINTENANCE_PROPERTY: &str = "craton.maintenance.enabled";

/// The entry of a namespace of these levels, which hold no control characters.
#[must_use]
pub fn namespace_row(levels: &[String]) -> Vec<u8> {
    levels.join("\u{1f}").into_bytes()
}

/// The entry of a name among those of a bucket's tables.
#[must_use]
pub fn name_row(levels: &[String], name: &str) -> Vec<u8> {
    [&namespace_row(levels), &[0][..], name.as_bytes()].concat()
}

/// Whether a path is a bucket's catalog.
pub(crate) fn is_catalog(path: &ResourcePath) -> bool {
    place(path) == Some(Place::Catalog)
}

/// Whether a path as records have it is the catalog of a bucket.
pub(crate) fn is_text_of_catalog(path: &str) -> bool {
    let rest = path.strip_suffix('*').and_then(|path| path.strip_suffix(FOLDER));
    rest.is_some_and(|rest| rest.ends_with("/objects/"))
}

/// The catalog of a bucket.
#[must_use]
pub fn catalog(bucket: BucketName) -> ResourcePath {
    ResourcePath::Objects(bucket, FOLDER.to_owned())
}

/// A table, by its id.
#[must_use]
pub fn table(bucket: BucketName, id: &str) -> ResourcePath {
    ResourcePath::Objects(bucket, format!("{FOLDER}{id}/"))
}

/// The id of the table that a path is, or lies in.
#[must_use]
pub fn id_of(path: &ResourcePath) -> Option<&str> {
    match place(path) {
        Some(Place::Table(id)) => Some(id),
        _ => None,
    }
}

/// Whether a path is what [`Gate::table_named`] gives for a name that nothing has.
#[must_use]
pub fn is_nobody(path: &ResourcePath) -> bool {
    id_of(path) == Some(NOBODY)
}

/// Where under `.tables/` a path lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place<'a> {
    Catalog,
    Table(&'a str),
    Astray,
}

fn place(path: &ResourcePath) -> Option<Place<'_>> {
    let text = match path {
        ResourcePath::Object(_, key) => key.as_str(),
        ResourcePath::Objects(_, prefix) => prefix,
        _ => return None,
    };
    let rest = text.strip_prefix(FOLDER)?;
    if rest.is_empty() {
        return Some(Place::Catalog);
    }
    let id = rest.split_once('/').map(|(id, _)| id).filter(|id| is_id(id));
    Some(id.map_or(Place::Astray, Place::Table))
}

/// Whether a text is a table's id: a UUID in lower case.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let fits = |(at, b): (usize, u8)| match at {
        8 | 13 | 18 | 23 => b == b'-',
        _ => hex(b),
    };
    text.len() == NOBODY.len() && text.bytes().enumerate().all(fits)
}

/// The ARN of what an action on tables is about; `None` for other actions and other paths.
pub(crate) fn arn(action: &str, path: &ResourcePath) -> Option<String> {
    let is_ours = action
        .get(..SERVICE.len())
        .is_some_and(|s| s.eq_ignore_ascii_case(SERVICE));
    let bucket = path.bucket().filter(|_| is_ours)?;
    let catalog = format!("arn:aws:s3tables:::bucket/{bucket}");
    match place(path) {
        Some(Place::Table(id)) => Some(format!("{catalog}/table/{id}")),
        _ => Some(catalog),
    }
}

/// The path that such an ARN names.
pub(crate) fn of_arn(arn: &str) -> Option<ResourcePath> {
    let rest = arn.strip_prefix("arn:aws:s3tables:::bucket/")?;
    match rest.split_once("/table/") {
        None => Some(catalog(BucketName::new(rest).ok()?)),
        Some((bucket, id)) => is_id(id).then_some(table(BucketName::new(bucket).ok()?, id)),
    }
}

/// What guard policies see of a table, or of a namespace of tables where there is no name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Where its files are, if there is one.
    pub(crate) folder: Option<String>,
    pub(crate) view: bool,
    pub(crate) labels: Vec<String>,
    /// The columns that are read of it, if it is said.
    pub(crate) reads: Option<Vec<String>>,
    columns: Bytes,
}

impl Shown {
    fn of(id: &str, row: &TableRow) -> Self {
        Self {
            namespace: row.namespace.join("."),
            name: row.name.clone(),
            folder: Some(format!("{FOLDER}{id}/")),
            view: row.view,
            labels: row.labels.clone(),
            reads: None,
            columns: row.columns.clone(),
        }
    }

    /// What is not there yet, by what an ask says of it.
    fn of_facts(place: Place<'_>, facts: &[Fact]) -> Option<Self> {
        let known = |key: &str| facts.iter().find(|(known, _)| known == key);
        let said = |key: &str| known(key).map(|(_, said)| said.clone());
        let name = said("s3tables:tableName").filter(|_| matches!(place, Place::Table(_)));
        Some(Self {
            namespace: said("s3tables:namespace")?,
            name: name.unwrap_or_default(),
            ..Self::default()
        })
    }

    pub(crate) fn facts<'a>(&'a self, columns: &'a dyn Fn() -> Vec<Column>) -> TableFacts<'a> {
        TableFacts {
            namespace: &self.namespace,
            name: &self.name,
            folder: self.folder.as_deref(),
            view: self.view,
            labels: &self.labels,
            columns,
            reads: self.reads.as_deref(),
        }
    }

    /// The columns.
    pub(crate) fn columns(&self) -> Vec<Column> {
        decoded(&self.columns)
    }
}

/// The columns of a row.
pub(crate) fn columns(row: &TableRow) -> Vec<Column> {
    decoded(&row.columns)
}

/// Of columns that can not be read, none; those that policies name count all the same.
fn decoded(columns: &Bytes) -> Vec<Column> {
    let rows = ColumnRows::decode(columns.clone()).unwrap_or_default();
    let column = |row: ColumnRow| Column {
        name: row.name,
        data_type: row.data_type,
    };
    rows.columns.into_iter().map(column).collect()
}

/// Why a session that is for a table's files alone may not ask this, if it may not.
pub(crate) fn beyond(session: &Session, put: &Put<'_>) -> Option<&'static str> {
    let files = session.identity().files()?;
    let bucket = put.resource.bucket().map(BucketName::as_str);
    let is_within = bucket == Some(&*files.bucket) && id_of(put.resource) == Some(&*files.table);
    let is_data = |action: &&str| DATA.contains(action) && (files.writes || !writes(action));
    (!is_within || !put.actions.iter().all(is_data)).then_some("beyond-the-table-it-is-for")
}

/// A question about what lies under `.tables/`, as it is put to the planes.
#[derive(Default)]
pub(crate) struct Seen<'a> {
    /// All of them must be allowed.
    pub(crate) actions: Vec<&'a str>,
    /// None of them may be denied.
    pub(crate) undenied: Vec<&'a str>,
    /// The request's condition keys, with the table's.
    pub(crate) facts: Vec<Fact>,
    /// Why it is refused, whatever policies say.
    pub(crate) refusal: Option<&'static str>,
    /// The table as guard policies see it.
    pub(crate) shown: Option<Shown>,
}

impl Inner {
    /// How a question is put if it is about tables or lies under `.tables/`.
    pub(crate) fn about_tables<'a>(&self, session: &Session, put: &Put<'a>) -> Option<Seen<'a>> {
        let place = place(put.resource)?;
        let mut seen = Seen {
            facts: put.extra.to_vec(),
            shown: Shown::of_facts(place, put.extra),
            ..Seen::default()
        };
        for action in put.actions {
            seen.translate(action);
        }
        let by_s3 = put.actions.iter().any(|a| !a.starts_with(SERVICE));
        let (mut is_table, mut is_live) = (false, false);
        let row = match place {
            Place::Table(id) => self.table_row(put.bucket, id),
            Place::Catalog | Place::Astray => Ok(None),
        };
        match row {
            Ok(Some(row)) => {
                // What the catalog says it is called counts, not what it was asked for as.
                seen.facts.retain(|(key, _)| !key.starts_with(SERVICE));
                seen.facts.extend(row.facts());
                seen.shown = id_of(put.resource).map(|id| Shown::of(id, &row));
                (is_table, is_live) = (true, !row.dropped);
            }
            Ok(None) if by_s3 && session.kind() != PrincipalKind::Root => {
                seen.refusal = Some("no-such-table");
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "a table's row can not be read: what lies in its folder is refused");
                seen.refusal = Some("unreadable-table");
            }
        }
        let only_reads = seen.actions.iter().all(|action| READS.contains(action));
        if let Some(shown) = &mut seen.shown {
            shown.reads = put.columns.map(<[String]>::to_vec);
            if shown.reads.is_none() && only_reads && session.is_trusted_engine() {
                // It promised to apply to all of them what is left.
                shown.reads = Some(shown.columns().into_iter().map(|column| column.name).collect());
            }
        }
        let adds = |action: &&str| writes(action) && !DELETES.contains(action);
        let is_kept = |action: &&str| adds(action) || (is_live && writes(action));
        if by_s3 && put.actions.iter().any(is_kept) && is_metadata(put.resource) {
            seen.refusal = Some("written-by-the-catalog");
        }
        if by_s3 && !is_table && put.actions.iter().any(adds) {
            seen.refusal = Some("kept-for-tables");
        }
        Some(seen)
    }

    pub(crate) fn table_row(&self, bucket: Option<&BucketState>, id: &str) -> Result<Option<TableRow>> {
        let Some(bucket) = bucket else {
            return Ok(None);
        };
        let key = Key {
            bucket: bucket.info.id,
            branch: BranchId::MAIN,
            kind: Kind::Table,
            name: bytes::Bytes::copy_from_slice(id.as_bytes()),
        };
        let found = self.store.get(&key, Sequence::MAX)?;
        found.map(|stored| TableRow::read(&stored.value.meta)).transpose()
    }
}

impl Gate {
    /// The path to ask about for the table or view whose entry among the names of a bucket's tables is `name`. It tells nobody whether
    /// there is one: for a name that is none it is the path of no table.
    ///
    /// # Errors
    /// The store's own.
    pub fn table_named(&self, bucket: &BucketName, name: &[u8]) -> Result<ResourcePath> {
        self.inner.table_named(bucket, name)
    }
}

impl Inner {
    pub(crate) fn table_named(&self, bucket: &BucketName, name: &[u8]) -> Result<ResourcePath> {
        let nobody = table(bucket.clone(), NOBODY);
        let Some(state) = self.bucket(bucket)? else {
            return Ok(nobody);
        };
        let key = Key {
            bucket: state.info.id,
            branch: BranchId::MAIN,
            kind: Kind::TableName,
            name: bytes::Bytes::copy_from_slice(name),
        };
        let found = self.store.get(&key, Sequence::MAX)?;
        let row = found
            .map(|stored| NameRow::read(&stored.value.meta))
            .transpose()?;
        let id = row.map(|row| row.id).filter(|id| is_id(id));
        Ok(id.map_or(nobody, |id| table(bucket.clone(), &id)))
    }
}

impl TableRow {
    fn facts(&self) -> [Fact; 2] {
        [
            ("s3tables:namespace".into(), self.namespace.join(".")),
            ("s3tables:tableName".into(), self.name.clone()),
        ]
    }
}

impl<'a> Seen<'a> {
    fn translate(&mut self, action: &'a str) {
        if action.starts_with(SERVICE) {
            self.actions.push(action);
            return;
        }
        self.actions.extend(data_action(action));
        match DATA.contains(&action) {
            true => self.undenied.push(action),
            false => self.actions.push(action),
        }
    }
}

/// What an action of S3 on a table's files does to the table; `None` for what is an action on tables itself.
pub(crate) fn data_action(action: &str) -> Option<&'static str> {
    (!action.starts_with(SERVICE)).then(|| match writes(action) {
        true => "s3tables:PutTableData",
        false => "s3tables:GetTableData",
    })
}

/// Whether an action of S3 changes something; one that is not known does.
fn writes(action: &str) -> bool {
    !actions::find(action).is_some_and(|a| matches!(a.level, Level::List | Level::Read))
}

/// Whether a path is a metadata file of a table.
fn is_metadata(path: &ResourcePath) -> bool {
    let ResourcePath::Object(_, key) = path else {
        return false;
    };
    let rest = key
        .as_str()
        .strip_prefix(FOLDER)
        .and_then(|rest| rest.split_once('/'));
    let file = rest.and_then(|(_, file)| file.strip_prefix("metadata/"));
    file.is_some_and(|file| file.contains(".metadata.json"))
}

/// Whether a permit for what begins with `prefix` must not see what lies under `.tables/`.
pub(crate) fn hides(prefix: &str) -> bool {
    !prefix.starts_with(FOLDER) && FOLDER.starts_with(prefix)
}

#[cfg(test)]
mod tests;
