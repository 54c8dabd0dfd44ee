//! Changing a graph: names first, then facts, each in one commit of the namespace.
//!
//! Names are added under a lock of the graph, so that a name gets one id; they change no fact, and those of a change that is
//! given up stay unused. Facts are appended as levels; a commit that meets another's is made again over the newer manifest,
//! which is right because what two writers at once change does not overlap, or its order does not matter to them: whoever needs
//! more has borrowed it.
//!
//! Invariants
//! - GW-1: a commit of facts names only ids that an earlier commit made durable;
//! - GW-2: facts outside the permit's prefix are neither added nor removed;
//! - GW-3: within one commit removals come first, additions after them.
//!
//! Deliberately absent: what the facts are, programs.

use std::{collections::HashSet, sync::Arc};

use craton_base::{Error, FactPath, Kind as ErrorKind, ResourcePath, Result, Sequence};
use craton_gate::{Changes, Committed, Kind, Value, WritePermit};
use parking_lot::Mutex;
use tokio::runtime::Handle as Runtime;

use crate::{
    BlobRead, Bounds, Control, Order, Relation, Table,
    blobs::{GraphBlobs, RunId, run_name},
    dictionary::{self, Dictionary},
    engine::Graphs,
    interner::Interner,
    levels,
    manifest::{FactsManifest, Level, NamesManifest},
    merge::{Input, union},
    run::{Run, Writer},
    snapshot::{Scope, Snapshot, Versions, read_facts, read_names},
    storage::Reference,
};

/// How often a commit is made again because another came first.
const TRIES: usize = 64;

/// A tail of levels with more tuples than this is left to [`GraphWriter::compact`].
const TIDY_ROWS_MAX: u64 = 64 << 20;

/// What changes a graph, under one permit.
pub struct GraphWriter {
    graphs: Graphs,
    permit: Arc<WritePermit>,
    path: FactPath,
    blobs: GraphBlobs,
    runtime: Runtime,
    lock: Arc<Mutex<()>>,
}

/// Changes of facts: sorted runs by table.
#[derive(Clone, Default)]
pub struct Delta {
    /// Facts that are added.
    pub adds: Vec<(Table, Run)>,
    /// Facts that are removed.
    pub removes: Vec<(Table, Run)>,
}

impl GraphWriter {
    pub(crate) fn new(
        graphs: Graphs,
        permit: WritePermit,
        control: Control,
        lock: Arc<Mutex<()>>,
    ) -> Result<Self> {
        let ResourcePath::Facts(_, path) = permit.resource() else {
            return Err(Error::internal("a permit is for no graph"));
        };
        let path = path.clone();
        let random = Arc::clone(graphs.random());
        let blobs = GraphBlobs::new(permit.handle(), path.graph().clone(), random, control);
        let runtime = Runtime::try_current()
            .map_err(|e| Error::internal("a writer needs an async runtime").with_source(e))?;
        Ok(Self {
            graphs,
            permit: Arc::new(permit),
            path,
            blobs,
            runtime,
            lock,
        })
    }

    /// The engine.
    #[must_use]
    pub fn graphs(&self) -> &Graphs {
        &self.graphs
    }

    /// Where runs are written.
    #[must_use]
    pub fn blobs(&self) -> &GraphBlobs {
        &self.blobs
    }

    /// The graph, and the prefix of facts that it may change.
    #[must_use]
    pub fn path(&self) -> &FactPath {
        &self.path
    }

    /// The permit.
    #[must_use]
    pub fn permit(&self) -> &WritePermit {
        &self.permit
    }

    /// The graph as it is now, empty if there is none. Blocks.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn snapshot(&self) -> Result<Snapshot> {
        let random = Arc::clone(self.graphs.random());
        Snapshot::open_or_empty(&self.permit.handle(), random, self.blobs.control().clone())
    }

    /// Gives every name of `interner` its id in the graph, and makes the new ones durable. Blocks.
    ///
    /// # Errors
    /// The store's own; then the interner can not be used any more.
    pub fn resolve(&self, interner: &mut Interner) -> Result<()> {
        if interner.unknown().is_empty() {
            return Ok(());
        }
        let _one_at_a_time = self.lock.lock();
        let (old, version) = read_names(&self.blobs)?;
        let mut names = old.clone();
        dictionary::resolve(interner, &mut names, &self.blobs)?;
        if names.index.len() == old.index.len()
            && names.next_symbol == old.next_symbol
            && names.counters == old.counters
        {
            return Ok(());
        }
        let (before, after) = (references_of_names(&old)?, references_of_names(&names)?);
        let changes = self.changes(Kind::GraphNames, version, &names.encode()?, &before, &after)?;
        self.commit_changes(changes).map(drop)
    }

    /// Commits changes of facts. Blocks. Returns when they are durable.
    ///
    /// # Errors
    /// `Denied`, `OutsidePrefix`; `Busy` if other commits came first too often; the store's own.
    pub fn commit(&self, delta: Delta, orders: Vec<Level>) -> Result<Committed> {
        self.check_scope(&delta)?;
        for _ in 0..TRIES {
            self.blobs.control().check()?;
            let (old, version) = read_facts(&self.blobs)?;
            let new = apply(&old, &delta, &orders);
            match self.replace(&old, version, &new) {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                Ok(committed) => {
                    self.tidy(TIDY_ROWS_MAX);
                    return Ok(committed);
                }
                Err(e) => return Err(e),
            }
        }
        let message = "other commits to the graph came first too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// Commits changes that were made one after the other over a snapshot, if the graph's facts are still that. Blocks.
    ///
    /// # Errors
    /// `Busy`, `GraphChanged` if they are not; as [`GraphWriter::commit`].
    pub fn commit_over(&self, base: Versions, deltas: &[Delta]) -> Result<Committed> {
        deltas.iter().try_for_each(|d| self.check_scope(d))?;
        let changed = || {
            let message = "another changed the graph meanwhile; run it again";
            Error::new(ErrorKind::Busy, "GraphChanged", message)
        };
        let (old, version) = read_facts(&self.blobs)?;
        if version != base.facts {
            return Err(changed());
        }
        let new = deltas
            .iter()
            .fold(old.clone(), |manifest, delta| apply(&manifest, delta, &[]));
        match self.replace(&old, version, &new) {
            Err(e) if e.kind() == ErrorKind::Precondition => Err(changed()),
            Ok(committed) => {
                self.tidy(TIDY_ROWS_MAX);
                Ok(committed)
            }
            other => other,
        }
    }

    /// Merges all levels of each table into one. Blocks.
    ///
    /// # Errors
    /// `Busy` if the graph changes meanwhile; the store's own.
    pub fn compact(&self) -> Result<()> {
        let (old, version) = read_facts(&self.blobs)?;
        let mut new = old.clone();
        for table in tables(&old) {
            merge_from(&mut new, table, 0, &self.blobs)?;
        }
        match self.replace(&old, version, &new) {
            Err(e) if e.kind() == ErrorKind::Precondition => {
                let message = "the graph changed while it was compacted; try again";
                Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
            }
            other => other.map(drop),
        }
    }

    /// Removes the graph's facts, all of them; its names stay. Blocks.
    ///
    /// # Errors
    /// The store's own.
    pub fn clear(&self) -> Result<Committed> {
        let (old, version) = read_facts(&self.blobs)?;
        let new = FactsManifest {
            next_generation: old.next_generation.saturating_add(1),
            levels: Vec::new(),
        };
        self.replace(&old, version, &new)
    }

    /// Merges tails of levels that are due. What fails or comes too late is left for the next time.
    fn tidy(&self, rows_max: u64) {
        let tidied = || -> Result<()> {
            let (old, version) = read_facts(&self.blobs)?;
            let mut new = old.clone();
            let mut merged = false;
            for table in tables(&old) {
                let rows: Vec<u64> = natural(&old, table).map(|l| l.run.rows()).collect();
                if let Some(start) = levels::tail(&rows)
                    && rows.iter().skip(start).sum::<u64>() <= rows_max
                {
                    merge_from(&mut new, table, start, &self.blobs)?;
                    merged = true;
                }
            }
            match merged {
                true => self.replace(&old, version, &new).map(drop),
                false => Ok(()),
            }
        };
        if let Err(error) = tidied()
            && error.kind() != ErrorKind::Precondition
        {
            tracing::warn!(%error, graph = %self.path.graph(), "a graph's levels could not be merged");
        }
    }

    fn check_scope(&self, delta: &Delta) -> Result<()> {
        if self.path.prefix().is_empty() {
            return Ok(());
        }
        let scope = Scope::of(self.path.prefix(), &Dictionary::new(read_names(&self.blobs)?.0))?;
        for (table, run) in delta.adds.iter().chain(&delta.removes) {
            for segment in run.segments() {
                // Sorted: if the first and the last begin so, all do.
                let info = segment.info();
                if !scope.allows(*table, &info.first) || !scope.allows(*table, &info.last) {
                    let message = format!("a fact does not begin with {}", self.path.prefix());
                    return Err(Error::new(ErrorKind::Denied, "OutsidePrefix", message));
                }
            }
        }
        Ok(())
    }

    fn replace(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        new: &FactsManifest,
    ) -> Result<Committed> {
        let (before, after) = (references_of_facts(old)?, references_of_facts(new)?);
        let changes = self.changes(Kind::Graph, version, &new.encode()?, &before, &after)?;
        self.commit_changes(changes)
    }

    /// The changes that put one manifest in the place of another, with the runs that come and go.
    fn changes(
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
        for gone in before.iter().filter(|r| !kept.contains(&r.id)) {
            changes = changes.delete(Kind::GraphRun, run_name(graph, &gone.id));
        }
        Ok(changes.put(kind, name, value(extent)))
    }

    fn commit_changes(&self, changes: Changes) -> Result<Committed> {
        self.runtime.block_on(self.permit.commit(changes))
    }
}

/// The manifest with the changes of one commit.
pub(crate) fn apply(old: &FactsManifest, delta: &Delta, orders: &[Level]) -> FactsManifest {
    let mut new = old.clone();
    let generation = old.next_generation;
    // Removals first, so that of a fact that is both the addition stays.
    let parts = [(&delta.removes, true), (&delta.adds, false)];
    for (at, (runs, removes)) in (generation..).zip(parts) {
        let some = runs.iter().filter(|(_, run)| run.rows() > 0);
        new.levels.extend(some.map(|(table, run)| Level {
            relation: Relation::whole(*table),
            order: Order::natural(table.width()),
            generation: at,
            removes,
            run: run.clone(),
        }));
    }
    new.next_generation = generation.saturating_add(2);
    let kept = |l: &Level| (l.relation, l.order.clone());
    let known: HashSet<_> = new.levels.iter().map(kept).collect();
    new.levels
        .extend(orders.iter().filter(|l| !known.contains(&kept(l))).cloned());
    new
}

fn tables(manifest: &FactsManifest) -> Vec<Table> {
    let mut out: Vec<Table> = manifest.levels.iter().map(|l| l.relation.table).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The levels of a table in its natural order, the oldest first.
fn natural(manifest: &FactsManifest, table: Table) -> impl Iterator<Item = &Level> {
    let whole = Relation::whole(table);
    manifest
        .levels
        .iter()
        .filter(move |l| l.relation == whole && l.order.is_natural())
}

/// Merges a table's levels from the `start`th on.
fn merge_from(manifest: &mut FactsManifest, table: Table, start: usize, blobs: &GraphBlobs) -> Result<()> {
    let tail: Vec<Level> = natural(manifest, table).skip(start).cloned().collect();
    let (Some(oldest), Some(newest)) = (tail.first(), tail.last()) else {
        return Ok(());
    };
    if tail.len() < 2 && !(start == 0 && newest.removes) {
        return Ok(());
    }
    let (from, to) = (oldest.generation, newest.generation);
    let mut merged = Vec::new();
    // Below the oldest level there is nothing that a removal could remove.
    for removes in [true, false].into_iter().skip(usize::from(start == 0)) {
        let run = merge(table, &tail, removes, blobs)?;
        if run.rows() > 0 {
            merged.push(Level {
                relation: Relation::whole(table),
                order: Order::natural(table.width()),
                // The additions are in no older generation than the removals.
                generation: if removes { to.saturating_sub(1) } else { to },
                removes,
                run,
            });
        }
    }
    let gone: HashSet<u64> = tail.iter().map(|l| l.generation).collect();
    manifest.levels.retain(|l| {
        let its = l.relation.table == table;
        let is_merged =
            its && l.relation.head.is_none() && l.order.is_natural() && gone.contains(&l.generation);
        // An order that was made between two merged levels can not be brought up to date any more.
        let is_stale = its && !l.order.is_natural() && l.generation >= from && l.generation < to;
        !is_merged && !is_stale
    });
    manifest.levels.extend(merged);
    Ok(())
}

/// The tuples of levels whose newest mention adds them, or removes them.
fn merge(table: Table, levels: &[Level], removed: bool, blobs: &GraphBlobs) -> Result<Run> {
    let inputs = levels.iter().rev().map(|l| Input {
        tuples: Box::new(l.run.scan(&Bounds::all())),
        removes: l.removes != removed,
    });
    let mut merged = union(table.width(), inputs.collect());
    let mut writer = Writer::new(blobs, table.width());
    writer.push_all(&mut *merged)?;
    writer.finish()
}

fn references_of_facts(manifest: &FactsManifest) -> Result<Vec<Reference>> {
    references(manifest.levels.iter().map(|l| &l.run), std::iter::empty())
}

fn references_of_names(manifest: &NamesManifest) -> Result<Vec<Reference>> {
    let runs = manifest
        .index
        .iter()
        .chain(manifest.expressions.iter().map(|l| &l.run));
    references(runs, manifest.texts.iter().map(|t| &t.blob))
}

fn references<'a>(
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
