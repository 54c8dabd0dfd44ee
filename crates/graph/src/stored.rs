//! A stored graph as programs see it: a snapshot, and over it what the program changed so far.
//!
//! Steps on few facts run one match at a time, their changes kept in memory. A step whose patterns and templates are flat and that
//! reads many facts runs as a join ([`bulk`]): what was kept in memory becomes runs first, the step's results are runs too,
//! and later steps read them beside the snapshot's. Nothing is visible to others before [`StoredSpace::commit`].
//!
//! Invariants
//! - SS-1: a fact that was added is not also a visible fact of the snapshot, so each is found once;
//! - SS-2: the graph's own `exec` facts are held in memory from the start, so the next one is found without reading;
//! - SS-3: one commit makes all changes; what was read and is written is held from before the snapshot until then.
//!
//! Deliberately absent: what programs mean ([`crate::exec`]), who may run them.

use std::collections::{BTreeMap, BTreeSet};

use craton_base::{GraphName, Result};
use craton_gate::{Committed, Parts};

use crate::{
    Table,
    exec::{EXEC_PREFIX, FactSpace, Goal, Report, Rule, Visit, no_other},
    load::runs_of,
    memory::MemorySpace,
    run::Run,
    snapshot::Snapshot,
    term::Term,
    writer::{Delta, GraphWriter, Replaced},
};

mod bulk;
pub mod explain;
pub(crate) mod find;
pub mod fixpoint;
mod lines;
pub mod live;
pub mod program;
pub mod query;
mod read;
mod reduce;

pub use find::ground_id;

/// A graph under a program.
pub struct StoredSpace {
    writer: GraphWriter,
    base: Snapshot,
    /// Facts that are there and not visible in the base.
    added: MemorySpace,
    /// Facts of the base that are not there, or are in `added`.
    removed: BTreeSet<Term>,
    /// What was written as runs so far, in order; the base has it too.
    deltas: Vec<Delta>,
    /// Bytes of memory for joins: what is left beside the snapshots' caches.
    memory: u64,
    /// How many facts a step reads, at least, that runs as a join.
    joins_from: u64,
    /// Other graphs that it reads, by name.
    others: BTreeMap<Vec<u8>, Snapshot>,
    /// Other graphs that it writes, by name, and what they are to hold once that is known.
    targets: BTreeMap<Vec<u8>, Target>,
}

/// Another graph that a program writes.
struct Target {
    writer: GraphWriter,
    runs: Option<Vec<(Table, Run)>>,
}

impl StoredSpace {
    /// All of what `writer` may change as it is now, held until the commit, with `memory` bytes for joins. Blocks. For a program, which
    /// touches less, see [`program::Program::open`].
    ///
    /// # Errors
    /// As [`GraphWriter::hold`] and [`Snapshot::open_or_empty`].
    pub fn open(writer: GraphWriter, memory: u64) -> Result<Self> {
        writer.hold(&Parts {
            reads: Vec::new(),
            writes: vec![writer.permit().resource().clone()],
        })?;
        let base = writer.snapshot()?;
        Self::over(writer, base, memory)
    }

    /// A snapshot of what is held.
    fn over(writer: GraphWriter, base: Snapshot, memory: u64) -> Result<Self> {
        let base_caches = base.caches();
        let mut space = Self {
            writer,
            base,
            added: MemorySpace::new(),
            removed: BTreeSet::new(),
            deltas: Vec::new(),
            memory: memory.saturating_sub(base_caches),
            joins_from: bulk::ROWS_MIN,
            others: BTreeMap::new(),
            targets: BTreeMap::new(),
        };
        for exec in program::execs_of(&space.base)? {
            space.removed.insert(exec.clone());
            space.added.insert(exec)?;
        }
        Ok(space)
    }

    /// Runs steps as joins that read so many facts or more.
    pub fn joins_from(&mut self, rows: u64) {
        self.joins_from = rows;
    }

    /// Lets `ACT` sources read another graph, as of a snapshot.
    pub fn reads(&mut self, name: &GraphName, snapshot: Snapshot) {
        self.memory = self.memory.saturating_sub(snapshot.caches());
        self.others.insert(name.as_str().as_bytes().to_vec(), snapshot);
    }

    /// Lets `ACT` sinks write another graph, which the program's own writer holds.
    fn writes(&mut self, name: &GraphName, writer: GraphWriter) {
        let target = Target { writer, runs: None };
        self.targets.insert(name.as_str().as_bytes().to_vec(), target);
    }

    /// The names and facts, without what is only in memory.
    #[must_use]
    pub fn base(&self) -> &Snapshot {
        &self.base
    }

    /// Whether the base has a fact, removed or not.
    fn in_base(&self, fact: &Term) -> Result<bool> {
        match find::tuple_of(&self.base, fact.as_bytes())? {
            Some((table, tuple)) => self.base.contains(table, &tuple),
            None => Ok(false),
        }
    }

    /// Writes what is in memory as runs, but for `exec` facts, and lets the base have it.
    fn flush(&mut self) -> Result<()> {
        let is_exec = |f: &&Term| f.as_bytes().starts_with(&EXEC_PREFIX);
        let adds: Vec<Term> = self.added.facts().filter(|f| !is_exec(f)).cloned().collect();
        let removes: Vec<Term> = self.removed.iter().filter(|f| !is_exec(f)).cloned().collect();
        if adds.is_empty() && removes.is_empty() {
            return Ok(());
        }
        let delta = Delta {
            adds: runs_of(&self.writer, adds.iter())?,
            removes: runs_of(&self.writer, removes.iter())?,
        };
        for fact in &adds {
            self.added.remove(fact)?;
        }
        for fact in &removes {
            self.removed.remove(fact);
        }
        self.take(delta)
    }

    /// Lets the base have changes that are written.
    fn take(&mut self, delta: Delta) -> Result<()> {
        self.base.advance(&delta, &self.writer)?;
        self.deltas.push(delta);
        Ok(())
    }

    /// Makes the changes durable and visible, all at once. Blocks.
    ///
    /// # Errors
    /// As [`GraphWriter::commit_over`].
    pub fn commit(mut self) -> Result<Committed> {
        self.flush()?;
        let is_exec = |f: &&Term| f.as_bytes().starts_with(&EXEC_PREFIX);
        let (mut adds, mut removes) = (Vec::new(), Vec::new());
        for exec in self.added.facts().filter(is_exec) {
            if !self.removed.contains(exec) {
                adds.push(exec.clone());
            }
        }
        for exec in &self.removed {
            if !self.added.contains(exec) {
                removes.push(exec.clone());
            }
        }
        let last = Delta {
            adds: runs_of(&self.writer, adds.iter())?,
            removes: runs_of(&self.writer, removes.iter())?,
        };
        self.deltas.push(last);
        let written = self.targets.into_values().filter_map(|target| {
            Some(Replaced {
                writer: target.writer,
                runs: target.runs?,
            })
        });
        self.writer
            .commit_over(&self.deltas, &written.collect::<Vec<_>>(), self.memory)
    }
}

impl FactSpace for StoredSpace {
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        find::candidates(&self.base, goal, &mut |fact| match self.removed.contains(fact) {
            true => Ok(()),
            false => visit(fact),
        })?;
        self.added.candidates(goal, visit)
    }

    fn estimate(&self, goal: &Goal<'_>) -> u64 {
        // A goal that can not be estimated is taken for a large one.
        let base = find::estimate(&self.base, goal).unwrap_or_else(|_| self.base.rows());
        base.saturating_add(self.added.estimate(goal))
    }

    fn first(&self, prefix: &[u8]) -> Result<Option<Term>> {
        let mut least = self.added.first(prefix)?;
        if prefix == EXEC_PREFIX.as_slice() {
            return Ok(least);
        }
        find::every(&self.base, &mut |fact| {
            let less = least.as_ref().is_none_or(|l| fact < l.as_bytes());
            if fact.starts_with(prefix) && less && !self.removed.contains(fact) {
                least = Some(Term::from_bytes(fact)?);
            }
            Ok(())
        })?;
        Ok(least)
    }

    fn insert(&mut self, fact: Term) -> Result<bool> {
        if self.added.contains(&fact) {
            return Ok(false);
        }
        if !fact.as_bytes().starts_with(&EXEC_PREFIX) && self.in_base(&fact)? {
            return Ok(self.removed.remove(&fact));
        }
        self.added.insert(fact)
    }

    fn remove(&mut self, fact: &Term) -> Result<bool> {
        if self.added.remove(fact)? {
            return Ok(true);
        }
        if self.removed.contains(fact) || !self.in_base(fact)? {
            return Ok(false);
        }
        Ok(self.removed.insert(fact.clone()))
    }

    fn other(&self, name: &[u8]) -> Result<&dyn FactSpace> {
        match self.others.get(name) {
            Some(snapshot) => Ok(snapshot),
            None => Err(no_other(name)),
        }
    }

    fn write_other(&mut self, name: &[u8], facts: Vec<Term>) -> Result<()> {
        let target = self.targets.get_mut(name).ok_or_else(|| no_other(name))?;
        target.runs = Some(runs_of(&target.writer, facts.iter())?);
        Ok(())
    }

    fn shortcut(&mut self, rule: &Rule, steps: u64, report: &mut Report) -> Result<bool> {
        bulk::steps(self, rule, steps, report)
    }
}
