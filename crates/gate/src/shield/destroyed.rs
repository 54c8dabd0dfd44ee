//! What a commit destroys, read off its changes.
//!
//! | change | destroys |
//! |---|---|
//! | a version is erased | it, unless it is a delete marker |
//! | an object's name is deleted, by a deletion that nothing keeps | its newest version, if that is not one that is kept |
//! | a table or view leaves the catalog | it |
//! | a graph loses runs and gets none for them, but by a merge; it loses a snapshot's name | the graph as it is |
//! | a document that says who may, or what stays, changes | what it says |
//! | versioning ends, or an object lock changes | what these keep |
//! | a bucket is deleted | it |
//!
//! Not among them: a new version in the place of another, rows and facts that a statement or a program takes away, metadata files that a
//! table's own commit lets go of. Of all of these the version before is kept, by versioning or for the undo window, and they are what
//! writers do all day.
//!
//! Deliberately absent: who commits, and what follows.

use bytes::Bytes;
use craton_base::{Result, Sequence};
use craton_store::{
    Store,
    namespace::{Key, Kind, Precondition, Span},
    store::Transaction,
    value::Standing,
};

use crate::{
    bucket::{BucketInfo, Versioning},
    changes::Says,
    configuration::{Configuration, Subresource},
    tables::TableRow,
};

/// Something that a commit destroys, as it is before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Destroyed {
    /// What sort of thing it is: `version`, `object`, `table`, `graph`, `configuration`, `bucket`.
    pub(crate) sort: &'static str,
    /// Its name, as it is stored.
    pub(crate) name: Bytes,
    /// Its version; 0 if there is none yet.
    pub(crate) version: u64,
    /// What it is to become, of a document or of settings.
    pub(crate) becomes: String,
    /// What must hold for the commit to destroy exactly this, where the changes do not say so themselves.
    pub(crate) expects: Option<Precondition>,
}

impl Destroyed {
    fn new(sort: &'static str, name: impl Into<Bytes>, version: Sequence) -> Self {
        Self {
            sort,
            name: name.into(),
            version: version.0,
            becomes: String::new(),
            expects: None,
        }
    }

    fn expecting(self, key: &Key) -> Self {
        let expects = match self.version {
            0 => Precondition::Absent(key.clone()),
            version => Precondition::At(key.clone(), Sequence(version)),
        };
        Self {
            expects: Some(expects),
            ..self
        }
    }

    fn becoming(self, becomes: String) -> Self {
        Self { becomes, ..self }
    }
}

/// Documents that say who may, or what stays.
const GUARDED: [Subresource; 6] = [
    Subresource::Acl,
    Subresource::Lifecycle,
    Subresource::Ownership,
    Subresource::Policy,
    Subresource::PublicAccessBlock,
    Subresource::Shield,
];

/// What of a bucket these changes destroy, by their rows and by what is said of them.
pub(crate) fn destroyed(
    store: &Store,
    info: &BucketInfo,
    transaction: &Transaction,
    says: Says,
) -> Result<Vec<Destroyed>> {
    let look = Look { store, transaction };
    if transaction.deletes.iter().any(|key| key.kind == Kind::Bucket) {
        return Ok(vec![Destroyed::new(
            "bucket",
            info.name.to_string(),
            info.sequence,
        )]);
    }
    let mut out = Vec::new();
    look.versions(&mut out)?;
    look.objects(info, &mut out)?;
    look.tables(&mut out)?;
    if says != Says::Rearranges {
        look.graphs(says == Says::Destroys, &mut out)?;
    }
    look.documents(info, &mut out)?;
    look.settings(info, &mut out)?;
    Ok(out)
}

struct Look<'a> {
    store: &'a Store,
    transaction: &'a Transaction,
}

impl Look<'_> {
    fn now(&self, key: &Key) -> Result<Option<craton_store::value::Stored>> {
        self.store.get(key, Sequence::MAX)
    }

    fn puts(&self, kind: Kind) -> impl Iterator<Item = &(Key, craton_store::value::Value)> {
        self.transaction
            .puts
            .iter()
            .filter(move |(key, _)| key.kind == kind)
    }

    fn deletes(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.transaction
            .deletes
            .iter()
            .filter(move |key| key.kind == kind)
    }

    /// Versions that are erased.
    fn versions(&self, out: &mut Vec<Destroyed>) -> Result<()> {
        for stored in &self.transaction.removes {
            let is_data = matches!(stored.key.kind, Kind::Object | Kind::Graph | Kind::Table);
            if is_data && self.is_content(&stored.key, stored.sequence)? {
                out.push(Destroyed::new(
                    "version",
                    stored.key.name.clone(),
                    stored.sequence,
                ));
            }
        }
        Ok(())
    }

    /// Whether a version is one, and not a marker that says something was deleted.
    fn is_content(&self, key: &Key, sequence: Sequence) -> Result<bool> {
        let span = Span {
            bucket: key.bucket,
            branch: key.branch,
            kind: key.kind,
            start: key.name.clone(),
            end: Some([&*key.name, &[0]].concat().into()),
        };
        let after = (&*key.name, Sequence(sequence.0.saturating_add(1)));
        let found = self.store.history(&span, Some(after), 1)?.pop();
        let found = found.filter(|version| version.stored.sequence == sequence);
        Ok(found.is_none_or(|version| version.standing == Standing::Exists))
    }

    /// Objects whose name is deleted without anything that keeps the version.
    fn objects(&self, info: &BucketInfo, out: &mut Vec<Destroyed>) -> Result<()> {
        if self.puts(Kind::Table).next().is_some() {
            // A table's own commit, which lets go of metadata files that its log came not to name.
            return Ok(());
        }
        let deleted = self.deletes(Kind::Object);
        let unkept = self.transaction.marks.iter();
        let unkept = unkept.filter(|(key, mark)| {
            key.kind == Kind::Object && !mark.kept && info.versioning != Versioning::Enabled
        });
        for key in deleted.chain(unkept.map(|(key, _)| key)) {
            if let Some(stored) = self.now(key)?.filter(|stored| !stored.value.kept) {
                out.push(Destroyed::new("object", key.name.clone(), stored.sequence).expecting(key));
            }
        }
        Ok(())
    }

    /// Tables and views that leave the catalog.
    fn tables(&self, out: &mut Vec<Destroyed>) -> Result<()> {
        let before = out.len();
        for (key, value) in self.puts(Kind::Table) {
            let row = TableRow::read(&value.meta)?;
            let Some(stored) = self.now(key)?.filter(|_| row.dropped) else {
                continue;
            };
            if !TableRow::read(&stored.value.meta)?.dropped {
                let named = [&row.namespace[..], std::slice::from_ref(&row.name)]
                    .concat()
                    .join(".");
                let table = Destroyed::new("table", named, stored.sequence).expecting(key);
                out.push(table.becoming(String::from_utf8_lossy(&key.name).into_owned()));
            }
        }
        let is_renamed = self.puts(Kind::TableName).next().is_some();
        if out.len() == before && !is_renamed {
            for key in self.deletes(Kind::TableName) {
                if let Some(stored) = self.now(key)? {
                    out.push(Destroyed::new("table", key.name.clone(), stored.sequence).expecting(key));
                }
            }
        }
        Ok(())
    }

    /// Graphs that lose what they have.
    fn graphs(&self, is_said: bool, out: &mut Vec<Destroyed>) -> Result<()> {
        let loses = self.deletes(Kind::GraphRun).next().is_some();
        let gets = self.puts(Kind::GraphRun).next().is_some();
        if !is_said && (!loses || gets) {
            return Ok(());
        }
        for (key, _) in self.puts(Kind::Graph) {
            let version = self
                .now(key)?
                .map_or(Sequence::default(), |stored| stored.sequence);
            out.push(Destroyed::new("graph", key.name.clone(), version).expecting(key));
        }
        Ok(())
    }

    /// Documents of the bucket that change.
    fn documents(&self, info: &BucketInfo, out: &mut Vec<Destroyed>) -> Result<()> {
        let sets = self
            .puts(Kind::Configuration)
            .map(|(key, value)| (key, Some(value)));
        for (key, value) in sets.chain(self.deletes(Kind::Configuration).map(|key| (key, None))) {
            let found = GUARDED.into_iter().find(|s| s.is_named_by(&key.name));
            let Some(subresource) = found.filter(|_| key.bucket == info.id) else {
                continue;
            };
            let stored = self.now(key)?;
            let before = stored.as_ref().map(Configuration::from_stored).transpose()?;
            let after = value
                .map(|value| Configuration::of_value(&value.meta))
                .transpose()?;
            if before.as_ref().map(Configuration::document) == after.as_ref() {
                continue;
            }
            let becomes = after.map_or_else(|| "nothing".to_owned(), |document| sha256(&document));
            let version = stored.map_or(Sequence::default(), |stored| stored.sequence);
            let document = Destroyed::new("configuration", subresource.name(), version).expecting(key);
            out.push(document.becoming(becomes));
        }
        Ok(())
    }

    /// Settings of the bucket that keep versions.
    fn settings(&self, info: &BucketInfo, out: &mut Vec<Destroyed>) -> Result<()> {
        for (key, value) in self.puts(Kind::Bucket) {
            // Who makes a bucket expects that there is none.
            let is_new = self
                .transaction
                .preconditions
                .contains(&Precondition::Absent(key.clone()));
            let Some(stored) = self.now(key)?.filter(|_| !is_new) else {
                continue;
            };
            let before = BucketInfo::from_stored(&stored)?;
            let after = BucketInfo::read(&info.name, &value.meta, stored.sequence)?;
            let ends = before.versioning == Versioning::Enabled && after.versioning != Versioning::Enabled;
            if ends || (before.lock.is_some() && before.lock != after.lock) {
                let becomes = format!("versioning {:?}, object lock {:?}", after.versioning, after.lock);
                let settings = Destroyed::new("settings", info.name.to_string(), stored.sequence);
                out.push(settings.expecting(key).becoming(becomes));
            }
        }
        Ok(())
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = craton_crypto::hash::sha256(bytes);
    format!("sha256:{}", hex::encode(digest))
}
