//! Columns: which columns of what was read the columns of a version came from, as a statement says that made it.
//!
//! ```text
//! statement ──▶ [`Derived`] ──▶ P row, in the commit of the version ──▶ when its record is followed: K row of the version, L rows of its sources
//! ```
//!
//! Invariants
//! - a version has what its statement said or nothing: what was said is in the version's own commit, and found again after a kill;
//! - of one statement at most [`COLUMN_EDGES_MAX`] edges in a MiB; of more it is only said that there were more;
//! - nobody is told of a column of a bucket whose lineage they may not read, unless the run is their own.
//!
//! Deliberately absent: how it is known (SQL's).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use craton_base::{Error, Result, Sequence};
use craton_store::namespace::{Change, Key};
use prost::Message;

use super::{
    follow::Lineage,
    rows::{self, EdgeKey, EdgeRow, Id, Touch},
};
use crate::{ledger::RecordId, permit::WritePermit};

/// The most edges between columns of one statement.
pub const COLUMN_EDGES_MAX: usize = 4096;

/// The most bytes that they take.
const COLUMNS_BYTES_MAX: usize = 1 << 20;

/// How a column came to be what it is by another. The numbers are on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, prost::Enumeration)]
#[repr(i32)]
pub enum ColumnUse {
    /// It is the other.
    Identity = 0,
    /// It is computed of it.
    Transformation = 1,
    /// It is computed of it in many rows.
    Aggregation = 2,
    /// It decides which value is taken.
    Conditional = 3,
    /// It decides which rows come together.
    Join = 4,
    /// It decides which rows there are.
    Filter = 5,
    /// It decides which rows are one.
    GroupBy = 6,
    /// It decides in which order rows are.
    Sort = 7,
    /// It decides which rows a value is computed of.
    Window = 8,
}

impl ColumnUse {
    /// Whether values come from it.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }

    /// `direct` or `indirect`, as OpenLineage has it in capitals.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        if self.is_direct() { "direct" } else { "indirect" }
    }

    /// As one word, as OpenLineage has it in capitals.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Transformation => "transformation",
            Self::Aggregation => "aggregation",
            Self::Conditional => "conditional",
            Self::Join => "join",
            Self::Filter => "filter",
            Self::GroupBy => "group_by",
            Self::Sort => "sort",
            Self::Window => "window",
        }
    }
}

/// What a statement read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnSource {
    /// The path of it, as records have it.
    pub resource: String,
    /// Its bucket.
    pub bucket: String,
    /// The version; 0 if it is not known.
    pub version: u64,
}

/// That a column came from a column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnEdge {
    /// The column that was written; none: all of them, as rows.
    pub column: Option<String>,
    /// Of which of the sources.
    pub source: usize,
    /// Which column of it.
    pub of: String,
    /// How.
    pub by: ColumnUse,
}

/// What the columns of a version came from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Derived {
    /// What was read.
    pub sources: Vec<ColumnSource>,
    /// Which columns came from which.
    pub edges: Vec<ColumnEdge>,
    /// The version of the same whose rows stay; 0 if there are none.
    pub kept: u64,
    /// Whether there are more edges than are told: then none are.
    pub more: bool,
}

/// What the columns of a version came from (`P`, `K`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct ColumnsRow {
    #[prost(message, repeated, tag = "1")]
    sources: Vec<SourceRow>,
    /// Names of columns, of any of them.
    #[prost(string, repeated, tag = "2")]
    names: Vec<String>,
    /// Four numbers for each edge: the column (0 for all, else its name's place from 1), the source, the name of its column, how.
    #[prost(uint32, repeated, tag = "3")]
    edges: Vec<u32>,
    #[prost(uint64, tag = "4")]
    kept: u64,
    #[prost(bool, tag = "5")]
    more: bool,
    /// The resource of the version.
    #[prost(string, tag = "6")]
    resource: String,
    #[prost(string, tag = "7")]
    bucket: String,
}

#[derive(Clone, PartialEq, Message)]
struct SourceRow {
    #[prost(string, tag = "1")]
    resource: String,
    #[prost(string, tag = "2")]
    bucket: String,
    #[prost(uint64, tag = "3")]
    version: u64,
}

impl ColumnsRow {
    pub(super) fn of(derived: &Derived, resource: &str, bucket: &str) -> Self {
        let source = |s: &ColumnSource| SourceRow {
            resource: s.resource.clone(),
            bucket: s.bucket.clone(),
            version: s.version,
        };
        let mut row = Self {
            sources: derived.sources.iter().map(source).collect(),
            kept: derived.kept,
            more: derived.more || derived.edges.len() > COLUMN_EDGES_MAX,
            resource: resource.to_owned(),
            bucket: bucket.to_owned(),
            ..Self::default()
        };
        if !row.more {
            row.put_edges(&derived.edges);
        }
        if row.encoded_len() > COLUMNS_BYTES_MAX {
            (row.more, row.names, row.edges) = (true, Vec::new(), Vec::new());
        }
        row
    }

    fn put_edges(&mut self, edges: &[ColumnEdge]) {
        let mut places: HashMap<&str, u32> = HashMap::new();
        for edge in edges {
            let mut place = |name| {
                let next = u32::try_from(places.len()).unwrap_or(u32::MAX).saturating_add(1);
                *places.entry(name).or_insert_with(|| {
                    self.names.push(String::from(name));
                    next
                })
            };
            let column = edge.column.as_deref().map_or(0, &mut place);
            let of = place(edge.of.as_str());
            let source = u32::try_from(edge.source).unwrap_or(u32::MAX);
            self.edges
                .extend([column, source, of, i32::from(edge.by).unsigned_abs()]);
        }
    }

    /// What it says.
    fn read(self) -> Result<Derived> {
        let wrong = || Error::corrupt("a row of columns has numbers that stand for nothing");
        let at = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let name = |n: u32| at(n).checked_sub(1).and_then(|n| self.names.get(n)).cloned();
        let (numbers, rest) = self.edges.as_chunks::<4>();
        let mut edges = Vec::with_capacity(numbers.len());
        for [column, source, of, by] in numbers.iter().copied() {
            edges.push(ColumnEdge {
                column: match column {
                    0 => None,
                    place => Some(name(place).ok_or_else(wrong)?),
                },
                source: at(source),
                of: name(of).ok_or_else(wrong)?,
                by: i32::try_from(by)
                    .ok()
                    .and_then(|n| ColumnUse::try_from(n).ok())
                    .ok_or_else(wrong)?,
            });
        }
        if !rest.is_empty() || edges.iter().any(|edge| edge.source >= self.sources.len()) {
            return Err(wrong());
        }
        let source = |s: SourceRow| ColumnSource {
            resource: s.resource,
            bucket: s.bucket,
            version: s.version,
        };
        Ok(Derived {
            sources: self.sources.into_iter().map(source).collect(),
            edges,
            kept: self.kept,
            more: self.more,
        })
    }
}

/// The row of a statement whose record is not followed yet.
pub(crate) fn pending(record: &[u8]) -> Key {
    rows::key(&[b"P", record])
}

fn at_version(resource: &Id, version: u64) -> Key {
    rows::key(&[b"K", resource, &version.to_be_bytes()])
}

/// The row that leads from a source to what came of it.
fn led(source: &Id, version: u64, (resource, made): (&Id, u64)) -> Key {
    rows::key(&[
        b"L",
        source,
        &version.to_be_bytes(),
        resource,
        &made.to_be_bytes(),
    ])
}

impl WritePermit {
    /// Says what the columns of the version came from that the next commit makes. Of a session that is of no run nothing is kept.
    pub fn derived(&self, derived: &Derived) {
        let (resource, bucket) = {
            let outcome = self.outcome.lock();
            if outcome.record.run_name().is_none() {
                return;
            }
            (outcome.record.resource.clone(), outcome.record.bucket.clone())
        };
        let row = ColumnsRow::of(derived, &resource, &bucket);
        *self.columns.lock() = Some(rows::encode(&row));
    }
}

/// What came of a version, by its columns: where, and what its statement said.
pub(super) struct Made {
    pub(super) resource: String,
    pub(super) bucket: String,
    pub(super) version: u64,
    pub(super) derived: Derived,
}

impl Lineage {
    /// The changes that move what a statement said to the version that it made.
    pub(super) fn place_columns(
        &self,
        record: RecordId,
        (resource, version): (&Id, u64),
    ) -> Result<Vec<Change>> {
        let key = pending(&record.to_bytes());
        let Some(found) = self.namespace.get(&key, Sequence::MAX)? else {
            return Ok(Vec::new());
        };
        let row: ColumnsRow = rows::decode(&found.value)?;
        let mut changes = vec![
            Change::Delete(key),
            Change::Put(at_version(resource, version), found.value),
        ];
        let leads = leads(&row, (resource, version));
        changes.extend(leads.into_iter().map(|key| Change::Put(key, Bytes::new())));
        Ok(changes)
    }

    /// The changes that remove what is known of a version's columns.
    pub(super) fn forget_columns(&self, edge: &EdgeKey) -> Result<Vec<Change>> {
        if edge.touch != Touch::Write {
            return Ok(Vec::new());
        }
        let key = at_version(&edge.resource, edge.version);
        let Some(found) = self.namespace.get(&key, Sequence::MAX)? else {
            return Ok(Vec::new());
        };
        let leads = leads(&rows::decode(&found.value)?, (&edge.resource, edge.version));
        Ok(leads.into_iter().chain([key]).map(Change::Delete).collect())
    }

    /// What the columns of a version came from.
    pub(super) fn columns_of(&self, resource: &Id, version: u64) -> Result<Option<Made>> {
        let found = self
            .namespace
            .get(&at_version(resource, version), Sequence::MAX)?;
        found.map(|entry| made(&entry.value, version)).transpose()
    }

    /// The versions whose columns came from a version's, or from one that was not known.
    pub(super) fn columns_from(&self, resource: &Id, version: u64, most: usize) -> Result<Vec<(Id, u64)>> {
        let mut out = BTreeSet::new();
        for version in [version, 0] {
            self.each(&[b"L", resource, &version.to_be_bytes()], |name, _| {
                out.insert(led_to(name)?);
                Ok(out.len() <= most)
            })?;
        }
        Ok(out.into_iter().collect())
    }

    /// Rows of columns, of a resource and a version if they are known, after one of them.
    pub(super) fn columns_page(
        &self,
        resource: Option<&str>,
        version: Option<u64>,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<(Vec<Made>, Option<Bytes>)> {
        let mut prefix = b"K".to_vec();
        if let Some(resource) = resource {
            prefix.extend_from_slice(&rows::resource_id(resource));
            prefix.extend(version.iter().flat_map(|version| version.to_be_bytes()));
        }
        let page = self.page(&rows::span(&[&prefix], after), limit)?;
        let mut out = Vec::with_capacity(page.entries.len());
        for (key, entry) in &page.entries {
            let version = key.name.last_chunk::<8>().copied().map(u64::from_be_bytes);
            out.push(made(&entry.value, version.unwrap_or_default())?);
        }
        let last = page.entries.last().filter(|_| page.more);
        Ok((out, last.map(|(key, _)| key.name.clone())))
    }

    /// The edge of the run that made a version.
    pub(super) fn maker(&self, resource: &Id, version: u64) -> Result<Option<EdgeRow>> {
        let mut found = None;
        let version = version.to_be_bytes();
        self.each(&[b"V", resource, &version, &[Touch::Write as u8]], |name, _| {
            found = Some(EdgeKey::read(name)?);
            Ok(false)
        })?;
        found.map_or(Ok(None), |key| self.edge(&key))
    }
}

fn made(value: &[u8], version: u64) -> Result<Made> {
    let mut row: ColumnsRow = rows::decode(value)?;
    Ok(Made {
        resource: std::mem::take(&mut row.resource),
        bucket: std::mem::take(&mut row.bucket),
        version,
        derived: row.read()?,
    })
}

/// The rows that lead to a version from what its columns came from.
fn leads(row: &ColumnsRow, to: (&Id, u64)) -> Vec<Key> {
    let sources = row
        .sources
        .iter()
        .map(|s| (rows::resource_id(&s.resource), s.version));
    let kept = (row.kept > 0).then_some((*to.0, row.kept));
    let all: BTreeMap<(Id, u64), ()> = sources.chain(kept).map(|source| (source, ())).collect();
    all.keys()
        .map(|(source, version)| led(source, *version, to))
        .collect()
}

/// Where such a row leads.
fn led_to(name: &[u8]) -> Result<(Id, u64)> {
    let wrong = || Error::corrupt("a row of columns has a name of no known form");
    let rest = name.get(25..).ok_or_else(wrong)?;
    let (resource, rest) = rest.split_first_chunk::<16>().ok_or_else(wrong)?;
    let version = rest.first_chunk::<8>().ok_or_else(wrong)?;
    Ok((*resource, u64::from_be_bytes(*version)))
}

#[cfg(test)]
mod tests;
