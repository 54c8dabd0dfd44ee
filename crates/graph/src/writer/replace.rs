//! Putting one manifest in the place of another, with the runs that come and go.
//!
//! Deliberately absent: what the manifests say.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{Changes, Committed, Kind, Value, WritePermit};

use super::{Delta, GraphWriter, apply};
use crate::{
    BlobRead, Table,
    blobs::{RunId, run_name},
    manifest::{FactsManifest, NamesManifest},
    run::Run,
    snapshot::read_facts,
    storage::Reference,
};

/// A graph that gets other facts in place of those that it has.
pub struct Replaced {
    /// What changes it; it may change all of it, and holds it.
    pub writer: GraphWriter,
    /// Its facts.
    pub runs: Vec<(Table, Run)>,
}

impl Replaced {
    pub(super) fn flush(&self) -> Result<()> {
        self.writer.flush(self.runs.iter().map(|(_, run)| run))
    }

    fn change(&self) -> Result<Changes> {
        let (old, version) = read_facts(&self.writer.blobs)?;
        if !old.live.is_empty() {
            let graph = self.writer.path.graph();
            let message = format!(
                "the graph {graph} has live programs: ACT does not put other facts in the place of all of its own"
            );
            return Err(Error::new(ErrorKind::Denied, "LiveRelation", message));
        }
        let empty = FactsManifest {
            levels: Vec::new(),
            ..old.clone()
        };
        let delta = Delta {
            adds: self.runs.clone(),
            removes: Vec::new(),
        };
        self.writer.change(&old, version, &apply(&empty, &delta))
    }
}

impl GraphWriter {
    /// Makes new runs durable, side by side with other commits: a commit that names them then takes a short turn.
    pub(super) fn flush<'a>(&self, runs: impl Iterator<Item = &'a Run>) -> Result<()> {
        let references = references(runs, std::iter::empty())?;
        let extents = references.iter().filter_map(|r| r.extent.as_ref());
        self.blobs.handle().make_durable(extents)
    }

    pub(super) fn replace(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
    ) -> Result<Committed> {
        self.commit_changes(self.change(old, version, new)?)
    }

    /// The same; `gives_up`: something that was kept under a name is not any longer.
    pub(super) fn replace_kept(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
        gives_up: bool,
    ) -> Result<Committed> {
        let changes = self.change(old, version, new)?;
        self.commit_changes(if gives_up { changes.destroying() } else { changes })
    }

    /// The same, of what says the same in other runs.
    pub(super) fn rearrange(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
    ) -> Result<Committed> {
        self.commit_changes(self.change(old, version, new)?.rearranging())
    }

    /// The same, with other graphs in the same commit.
    pub(super) fn replace_with(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
        others: &[Replaced],
    ) -> Result<Committed> {
        let changes = self.change(old, version, new)?;
        if others.is_empty() {
            return self.commit_changes(changes);
        }
        let others: Vec<(&WritePermit, Changes)> = others
            .iter()
            .map(|other| Ok((other.writer.permit(), other.change()?)))
            .collect::<Result<_>>()?;
        self.runtime
            .block_on(self.permit.commit_with_others(&changes, &others))
    }

    pub(super) fn change(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
    ) -> Result<Changes> {
        let (before, after) = (references_of_facts(old)?, references_of_facts(new)?);
        self.changes(Kind::Graph, version, &new.encode()?, &before, &after)
    }

    /// The changes that put one manifest in the place of another, with the runs that come and go.
    pub(super) fn changes(
        &self,
        kind: Kind,
        version: Option<Sequence>,
        manifest: &[u8],
        before: &[Reference],
        after: &[Reference],
    ) -> Result<Changes> {
        let handle = self.blobs.handle();
        let graph = self.path.graph();
        let name = graph.as_str().as_bytes().to_vec();
        let extent = handle.seal(kind, &name, manifest)?;
        let new: Vec<_> = after
            .iter()
            .filter_map(|r| r.extent.clone().map(|e| (r.id, e)))
            .collect();
        handle.make_durable(new.iter().map(|(_, e)| e).chain([&extent]))?;
        let mut changes = match version {
            Some(sequence) => Changes::new().expect_at(kind, name.clone(), sequence),
            None => Changes::new().expect_absent(kind, name.clone()),
        };
        let value = |extent| Value {
            meta: bytes::Bytes::new(),
            content: vec![extent],
            ..Value::default()
        };
        for (id, extent) in new {
            changes = changes.put(Kind::GraphRun, run_name(graph, &id), value(extent));
        }
        let kept: HashSet<RunId> = after.iter().map(|r| r.id).collect();
        // One may be named more than once.
        let named: BTreeSet<RunId> = before.iter().map(|r| r.id).collect();
        for id in named.iter().filter(|id| !kept.contains(*id)) {
            changes = changes.delete(Kind::GraphRun, run_name(graph, id));
        }
        Ok(changes.put(kind, name, value(extent)))
    }

    pub(super) fn commit_changes(&self, changes: Changes) -> Result<Committed> {
        self.runtime.block_on(self.permit.commit(changes))
    }
}

pub(super) fn references_of_facts(manifest: &FactsManifest) -> Result<Vec<Reference>> {
    references(manifest.runs(), std::iter::empty())
}

pub(super) fn references_of_names(manifest: &NamesManifest) -> Result<Vec<Reference>> {
    let runs = manifest
        .index
        .iter()
        .chain(manifest.expressions.iter().map(|l| &l.run));
    references(runs, manifest.texts.iter().map(|t| &t.blob))
}

pub(super) fn references<'a>(
    runs: impl Iterator<Item = &'a Run>,
    blobs: impl Iterator<Item = &'a Arc<dyn BlobRead>>,
) -> Result<Vec<Reference>> {
    runs.flat_map(|run| run.segments().iter().map(|s| s.blob()))
        .chain(blobs)
        .map(|blob| {
            blob.reference()
                .ok_or_else(|| Error::internal("a run that is not in the store can not be committed"))
        })
        .collect()
}
