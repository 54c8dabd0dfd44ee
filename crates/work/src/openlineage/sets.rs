//! What a run touched, as data sets: named as OpenLineage names them and as the door for its events understands them.
//!
//! ```text
//! /lab/objects/a/b.csv               s3://lab        a/b.csv
//! /lab/objects/.tables/<id>/…        craton://lab    tables/ns.t, or objects/.tables/<id> of one that is gone
//! /lab/graphs/g                      craton://lab    graphs/g
//! ```
//!
//! Invariant: there are at most [`DATA_SETS_MAX`]; when there would be more, all names lose their last part until they fit, and buckets
//! that are too many are counted.
//!
//! Deliberately absent: events.

use std::collections::BTreeMap;

use craton_base::BucketName;
use craton_gate::{
    Edge,
    tables::{FOLDER, TableRow, is_id},
};

use super::DATA_SETS_MAX;

/// A data set's namespace and name.
pub(super) type Name = (String, String);

/// What is known of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Set {
    /// How many versions.
    pub(super) versions: u64,
    /// The version, if it is one.
    pub(super) version: u64,
    /// Bytes of content that moved.
    pub(super) bytes: u64,
}

/// Data sets.
#[derive(Clone, Debug)]
pub(super) struct Sets {
    pub(super) all: BTreeMap<Name, Set>,
    /// How many parts of a name are kept.
    parts: usize,
    /// Versions that are in no data set.
    pub(super) left_out: u64,
}

impl Default for Sets {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            parts: usize::MAX,
            left_out: 0,
        }
    }
}

impl Set {
    fn add(&mut self, more: Self) {
        self.versions = self.versions.saturating_add(more.versions);
        self.version = more.version;
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}

impl Sets {
    pub(super) fn add(&mut self, edge: &Edge) {
        let set = Set {
            versions: 1,
            version: edge.version,
            bytes: edge.bytes,
        };
        self.put(name_of(edge), set);
    }

    fn put(&mut self, name: Name, set: Set) {
        let name = self.cut(name);
        if let Some(known) = self.all.get_mut(&name) {
            known.add(set);
            return;
        }
        if self.all.len() >= DATA_SETS_MAX && !self.fold() {
            self.left_out = self.left_out.saturating_add(set.versions);
            return;
        }
        let name = self.cut(name);
        self.all.entry(name).or_default().add(set);
    }

    /// Takes names' last parts away; `false` if there is none left to take.
    fn fold(&mut self) -> bool {
        let parts = |(_, name): &Name| name.split('/').filter(|part| !part.is_empty()).count();
        while self.all.len() >= DATA_SETS_MAX {
            let most = self.all.keys().map(parts).max().unwrap_or_default();
            if most == 0 {
                return false;
            }
            self.parts = most.saturating_sub(1);
            for (name, set) in std::mem::take(&mut self.all) {
                let name = self.cut(name);
                self.all.entry(name).or_default().add(set);
            }
        }
        true
    }

    /// A name without the parts that are not kept; `/` stands for a whole bucket.
    fn cut(&self, (namespace, name): Name) -> Name {
        let parts = name.split('/').filter(|part| !part.is_empty());
        if parts.clone().count() <= self.parts {
            return (namespace, name);
        }
        let kept: Vec<&str> = parts.take(self.parts).collect();
        match kept.is_empty() {
            true => (namespace, "/".to_owned()),
            false => (namespace, kept.join("/")),
        }
    }

    /// The tables, by bucket and id.
    pub(super) fn tables(&self) -> Vec<(BucketName, String)> {
        let table = |(namespace, name): &Name| {
            let bucket = BucketName::new(namespace.strip_prefix("craton://")?).ok()?;
            let id = name.strip_prefix("objects/")?.strip_prefix(FOLDER)?;
            Some((bucket, id.to_owned()))
        };
        self.all.keys().filter_map(table).collect()
    }

    /// Calls a table as it is called.
    pub(super) fn call(&mut self, bucket: &BucketName, id: &str, row: &TableRow) {
        let namespace = format!("craton://{bucket}");
        let known = (namespace.clone(), format!("objects/{FOLDER}{id}"));
        if let Some(set) = self.all.remove(&known) {
            let name = format!("tables/{}.{}", row.namespace.join("."), row.name);
            self.all.entry((namespace, name)).or_default().add(set);
        }
    }
}

/// The data set that a version is of.
fn name_of(edge: &Edge) -> Name {
    let rest = edge
        .resource
        .strip_prefix('/')
        .and_then(|rest| rest.strip_prefix(&edge.bucket));
    let rest = rest.unwrap_or_default().trim_start_matches('/');
    let ours = |name: &str| (format!("craton://{}", edge.bucket), name.to_owned());
    let Some(key) = rest.strip_prefix("objects/") else {
        // Of a graph's facts those of a prefix are no data set of their own.
        let graph: Vec<&str> = rest.splitn(3, '/').take(2).collect();
        return ours(&graph.join("/"));
    };
    let id = key.strip_prefix(FOLDER).and_then(|rest| rest.split('/').next());
    match id.filter(|id| is_id(id)) {
        Some(id) => ours(&format!("objects/{FOLDER}{id}")),
        None => (format!("s3://{}", edge.bucket), key.to_owned()),
    }
}
