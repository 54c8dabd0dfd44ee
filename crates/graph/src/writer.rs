//! Changing a graph: names first, then facts, each in one commit of the namespace.
//!
//! Names are added under a lock of the graph, so that a name gets one id; they change no fact, and those of a change that is
//! given up stay unused. Facts are appended as levels; a commit that meets another's is made again over the newer manifest, with
//! the same runs. That is right because whoever commits has borrowed what it changes, and whoever changes by what is there has borrowed
//! that too, from before its snapshot on: what came in between touches neither.
//!
//! Invariants
//! - GW-1: a commit of facts names only ids that an earlier commit made durable;
//! - GW-2: facts outside the permit's prefixes are neither added nor removed;
//! - GW-3: within one commit removals come first, additions after them;
//! - GW-4: what is committed is borrowed: a program holds its parts, a load waits for its turn with the prefixes of its facts, and either holds
//!   with that what live programs derive ([`crate::stored::live`]).
//!
//! Deliberately absent: what the facts are, programs, when levels are merged.

use std::{future::Future, sync::Arc, time::Duration};

use craton_base::{Error, FactPath, Kind as ErrorKind, ResourcePath, Result};
use craton_gate::{Committed, Kind, Parts, WritePermit};
use tokio::runtime::Handle as Runtime;

use crate::{
    Control, Limits, Order, Relation, Table,
    blobs::GraphBlobs,
    dictionary::{self, Dictionary, hashing::Hashing},
    engine::{Graphs, Turns},
    interner::Interner,
    manifest::{FactsManifest, Level, Unfinished},
    merging::{self, Plan},
    run::Run,
    snapshot::{Scope, Snapshot, read_facts, read_names},
};

mod back;
mod covering;
mod kept;
mod live;
mod replace;

pub(crate) use live::put_order;
pub use replace::Replaced;
use replace::references_of_names;

/// How often a commit is made again because another came first.
const TRIES: usize = 256;
/// How long a merge in the background may take.
const MERGING_MAX: Duration = Duration::from_hours(24);
/// How often somebody who waits for a borrow looks whether the work was cancelled.
const LOOK: Duration = Duration::from_millis(100);

/// What changes a graph, under one permit. Clones are the same.
#[derive(Clone)]
pub struct GraphWriter {
    graphs: Graphs,
    permit: Arc<WritePermit>,
    path: FactPath,
    blobs: GraphBlobs,
    runtime: Runtime,
    turns: Arc<Turns>,
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
        turns: Arc<Turns>,
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
            turns,
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
        Snapshot::open_or_empty(
            &self.permit.handle().pinned(),
            random,
            self.blobs.control().clone(),
            self.graphs.caches(),
        )
    }

    /// The blobs as of now, whatever is committed later.
    pub(crate) fn pinned(&self) -> GraphBlobs {
        let random = Arc::clone(self.graphs.random());
        let (graph, control) = (self.path.graph().clone(), self.blobs.control().clone());
        GraphBlobs::new(self.permit.handle().pinned(), graph, random, control)
    }

    /// The same, as work of its own that goes on when this one has ended.
    pub(crate) fn detached(&self) -> Self {
        let limits = Limits {
            time: MERGING_MAX,
            ..Limits::default()
        };
        let random = Arc::clone(self.graphs.random());
        let control = self.graphs.control(limits);
        Self {
            blobs: GraphBlobs::new(self.permit.handle(), self.path.graph().clone(), random, control),
            ..self.clone()
        }
    }

    /// Holds parts of the graph from here on, waiting for its turn: what the work reads stays as it is, and nobody else changes what it
    /// writes. Blocks.
    ///
    /// # Errors
    /// `Busy`, `Borrowed`; limits and cancelling.
    pub fn hold(&self, parts: &Parts) -> Result<()> {
        self.hold_with(parts, &[])
    }

    /// The same, and with it all of what others may change. Blocks.
    ///
    /// # Errors
    /// As [`GraphWriter::hold`].
    pub fn hold_with(&self, parts: &Parts, others: &[&Self]) -> Result<()> {
        let others: Vec<&WritePermit> = others.iter().map(|other| &*other.permit).collect();
        let hold = || self.wait(self.permit.hold_with(parts, &others, self.patience()));
        match parts.writes.is_empty() {
            true => hold(),
            false => self.hold_and_derived(hold),
        }
    }

    /// How long the work may still take.
    fn patience(&self) -> Duration {
        let control = self.blobs.control();
        control.limits().time.saturating_sub(control.elapsed())
    }

    /// Waits for a borrow, and for the end of the work.
    fn wait(&self, borrow: impl Future<Output = Result<()>>) -> Result<()> {
        self.runtime.block_on(async {
            let mut borrow = std::pin::pin!(borrow);
            loop {
                match tokio::time::timeout(LOOK, &mut borrow).await {
                    Ok(done) => return done,
                    Err(_) => self.blobs.control().check()?,
                }
            }
        })
    }

    /// Gives every name of `interner` its id in the graph, and makes the new ones durable. Blocks.
    ///
    /// # Errors
    /// The store's own; then the interner can not be used any more.
    pub fn resolve(&self, interner: &mut Interner) -> Result<()> {
        if interner.unknown().is_empty() {
            return Ok(());
        }
        let _one_at_a_time = self.turns.names.lock();
        let (old, version) = read_names(&self.blobs)?;
        let mut names = old.clone();
        if version.is_none() {
            names.hashing = Hashing::Keyed(self.graphs.seed()?);
        }
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

    /// Commits changes of facts that do not depend on what is there, with what follows from them, for which there is so much memory; `load` is at
    /// its end with that, and not kept any longer. Waits for who holds what they touch. Blocks. Returns when they are durable.
    ///
    /// # Errors
    /// `Denied`, `OutsidePrefix`, `LiveRelation`; `Busy` if a client's lease is in the way, or other commits came first too often; the store's
    /// own.
    pub fn commit(&self, delta: Delta, load: Option<&Unfinished>, memory: u64) -> Result<Committed> {
        self.check_scope(&[&delta])?;
        let names = Dictionary::new(read_names(&self.pinned())?.0, 0);
        let touched = covering::covering(&delta, &names)?;
        let paths: Result<Vec<ResourcePath>> = touched.iter().map(|prefix| self.part(prefix)).collect();
        let paths = paths?;
        self.hold_and_derived(|| self.wait(self.permit.hold_to_write(&paths, self.patience())))?;
        let committed = self.commit_followed(&[delta], load, &[], memory);
        self.permit.give_back();
        committed
    }

    /// Commits changes, which are held, with what follows from them.
    fn commit_followed(
        &self,
        deltas: &[Delta],
        load: Option<&Unfinished>,
        others: &[Replaced],
        memory: u64,
    ) -> Result<Committed> {
        let following = self.following(deltas, memory)?;
        let mut all = deltas.to_vec();
        all.extend(following.deltas);
        self.commit_held(&all, &following.orders, load, others)
    }

    /// Commits changes that were made one after the other over a snapshot, whose parts the permit holds since before it was taken
    /// ([`GraphWriter::hold_with`]), and gives them back; other graphs get other facts in the same commit. There is so much memory for what
    /// follows. Blocks.
    ///
    /// # Errors
    /// As [`GraphWriter::commit`].
    pub fn commit_over(&self, deltas: &[Delta], others: &[Replaced], memory: u64) -> Result<Committed> {
        self.check_scope(&deltas.iter().collect::<Vec<_>>())?;
        let committed = self.commit_followed(deltas, None, others, memory);
        self.permit.give_back();
        committed
    }

    fn commit_held(
        &self,
        deltas: &[Delta],
        orders: &[Level],
        load: Option<&Unfinished>,
        others: &[Replaced],
    ) -> Result<Committed> {
        let runs = deltas.iter().flat_map(|d| d.adds.iter().chain(&d.removes));
        let orders_runs = orders.iter().map(|level| &level.run);
        self.flush(runs.map(|(_, run)| run).chain(orders_runs))?;
        others.iter().try_for_each(Replaced::flush)?;
        for _ in 0..TRIES {
            self.blobs.control().check()?;
            let turn = self.turns.facts.lock();
            let (old, version) = read_facts(&self.blobs)?;
            let mut new = deltas
                .iter()
                .fold(old.clone(), |manifest, delta| apply(&manifest, delta));
            orders
                .iter()
                .cloned()
                .for_each(|level| put_order(&mut new, level));
            if let Some(load) = load {
                kept::end_load(&mut new, load)?;
            }
            let replaced = self.replace_with(&old, version, &new, others);
            drop(turn);
            match replaced {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                Ok(committed) => {
                    self.merge_later(&new);
                    return Ok(committed);
                }
                Err(e) => return Err(e),
            }
        }
        let message = "other commits to the graph came first too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// A part of the graph as a path.
    fn part(&self, prefix: &str) -> Result<ResourcePath> {
        let ResourcePath::Facts(bucket, _) = self.permit.resource() else {
            return Err(Error::internal("a permit is for no graph"));
        };
        // Not narrower than the permit would be wider than it.
        let prefix = match prefix.starts_with(self.path.prefix()) {
            true => prefix,
            false => self.path.prefix(),
        };
        Ok(ResourcePath::Facts(
            bucket.clone(),
            FactPath::new(self.path.graph().clone(), prefix)?,
        ))
    }

    /// Merges what is due: in the background, unless it is much or background work is off.
    fn merge_later(&self, manifest: &FactsManifest) {
        let worker = self.detached();
        let much = merging::deepest(manifest) > merging::LEVELS_MAX;
        let looker = worker.clone();
        // What can not be read says so when it is merged.
        let is_urgent = move || {
            let now = read_facts(&looker.pinned());
            now.map_or(true, |(manifest, _)| {
                merging::deepest(&manifest) > merging::LEVELS_CALM
            })
        };
        let merge = move |inputs| {
            let merged = worker.merge_due(inputs);
            merged.unwrap_or_else(|error| {
                tracing::warn!(%error, graph = %worker.path.graph(), "a graph's levels could not be merged");
                false
            })
        };
        self.graphs
            .merge_later(self.permit.resource(), much, is_urgent, merge);
    }

    /// Merges the levels of a table that are due, at most so many at once; whether there were any. Blocks.
    ///
    /// # Errors
    /// The store's own.
    pub fn merge_due(&self, inputs: usize) -> Result<bool> {
        match merging::due(&read_facts(&self.pinned())?.0, inputs) {
            Some(plan) => self.merge(&plan).map(|()| true),
            None => Ok(false),
        }
    }

    /// Merges, and puts the result in place, unless what was merged is gone by then.
    fn merge(&self, plan: &Plan) -> Result<()> {
        let merged = plan.merge(&self.blobs)?;
        self.flush(merged.iter().map(|level| &level.run))?;
        for _ in 0..TRIES {
            self.blobs.control().check()?;
            let _turn = self.turns.facts.lock();
            let (old, version) = read_facts(&self.blobs)?;
            let Some(new) = plan.put(&old, &merged) else {
                return Ok(());
            };
            match self.rearrange(&old, version, &new) {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                other => return other.map(drop),
            }
        }
        let message = "other commits to the graph came first too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// Merges all levels of each table into one. Blocks.
    ///
    /// # Errors
    /// `Busy` if the graph changes too often meanwhile; the store's own.
    pub fn compact(&self) -> Result<()> {
        let (manifest, _) = read_facts(&self.pinned())?;
        for table in merging::tables(&manifest) {
            let (manifest, _) = read_facts(&self.pinned())?;
            if let Some(plan) = merging::whole(&manifest, table) {
                self.merge(&plan)?;
            }
        }
        Ok(())
    }

    /// Removes the graph's facts, all of them; its names stay. Blocks.
    ///
    /// # Errors
    /// The store's own.
    pub fn clear(&self) -> Result<Committed> {
        let all = [self.permit.resource().clone()];
        self.hold_and_derived(|| self.wait(self.permit.hold_to_write(&all, self.patience())))?;
        let (old, version) = read_facts(&self.blobs)?;
        let new = FactsManifest {
            next_generation: old.next_generation.saturating_add(1),
            levels: Vec::new(),
            brought_back: 0,
            ..old.clone()
        };
        let committed = self.replace(&old, version, &new);
        self.permit.give_back();
        committed
    }

    /// Whether all changes are within what the permit may write.
    fn check_scope(&self, deltas: &[&Delta]) -> Result<()> {
        let prefix = |path: &ResourcePath| match path {
            ResourcePath::Facts(_, facts) => Some(facts.prefix().to_owned()),
            _ => None,
        };
        let allowed: Vec<String> = match self.permit.parts() {
            Some(parts) => parts.writes.iter().filter_map(prefix).collect(),
            None => vec![self.path.prefix().to_owned()],
        };
        if allowed.iter().any(String::is_empty) {
            return Ok(());
        }
        let names = Dictionary::new(read_names(&self.pinned())?.0, 0);
        let scope = Scope::of(allowed.iter().map(String::as_str), &names)?;
        for (table, run) in deltas.iter().flat_map(|d| d.adds.iter().chain(&d.removes)) {
            if scope.is_left_by(*table, run)? {
                let message = format!("a fact does not begin with {}", allowed.join(" or "));
                return Err(Error::new(ErrorKind::Denied, "OutsidePrefix", message));
            }
        }
        Ok(())
    }
}

/// The manifest with the changes of one commit.
pub(crate) fn apply(old: &FactsManifest, delta: &Delta) -> FactsManifest {
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
    new.brought_back = 0;
    new
}
