//! Loading: facts in, any number of them, within a budget of memory; one commit at the end.
//!
//! Facts are gathered in batches that fit the budget. Each batch gives its names ids, sorts its tuples and writes them as runs; at
//! the end the runs of a table are merged. Reading and writing are sequential throughout.
//!
//! Invariants: memory is the reservation's, whatever the size of the data; nothing is visible before the commit; a load that is
//! given up leaves nothing but unused names, or, if it has a name, what it read, for going on ([`resume`]).
//!
//! Deliberately absent: syntax.

use std::collections::BTreeMap;

use craton_base::{Error, Result};
use craton_gate::{Committed, Reservation};

use crate::{
    Id, Table,
    interner::{Interner, Waiting},
    levels,
    run::Run,
    sink::{Builder, FactSink, Maker, Mark},
    sort,
    term::{Item, Term},
    writer::{Delta, GraphWriter},
};

mod resume;

use resume::Kept;

/// Memory that one run takes while it is merged: its read-ahead, sealed and open, and a block.
const MERGED_BYTES: u64 = 512 << 10;

/// The least memory that a load works in.
pub const MEMORY_MIN: u64 = 4 << 20;

/// Whether a load adds its facts or removes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// They are added.
    Add,
    /// They are removed.
    Remove,
}

/// What a load has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Facts that were read, doubles included.
    pub facts: u64,
    /// Batches that were written.
    pub batches: u64,
    /// Bytes of the runs that were committed, not sealed.
    pub bytes: u64,
    /// Facts that were committed, without doubles among themselves.
    pub distinct: u64,
    /// Facts that an earlier request had read already, under the same name.
    pub passed: u64,
}

/// Runs of facts that are in memory, with the ids of their names, which are made durable; nothing is committed. Blocks.
///
/// # Errors
/// As [`GraphWriter::resolve`].
pub fn runs_of<'a>(writer: &GraphWriter, facts: impl Iterator<Item = &'a Term>) -> Result<Vec<(Table, Run)>> {
    let mut builder = Builder::new(Batch::new(writer.graphs().seed()?));
    let mut text = Vec::new();
    for fact in facts {
        push(fact, &mut builder, &mut text)?;
    }
    builder.into_maker().write(writer)
}

/// Pushes a term as a fact.
fn push(fact: &Term, sink: &mut dyn FactSink, text: &mut Vec<u8>) -> Result<()> {
    let mut missing: Vec<u32> = Vec::new();
    let mut seen = 0u32;
    for item in fact.items() {
        let variable = match item {
            Item::Expression(width) => {
                sink.open()?;
                missing.push(width);
                None
            }
            Item::Symbol(symbol) => {
                sink.symbol(symbol)?;
                None
            }
            Item::NewVariable => {
                seen = seen.saturating_add(1);
                Some(seen.saturating_sub(1))
            }
            Item::Reference(number) => Some(number),
        };
        if let Some(number) = variable {
            text.clear();
            text.extend_from_slice(number.to_string().as_bytes());
            sink.variable(text)?;
        }
        if !matches!(item, Item::Expression(_)) {
            count(&mut missing);
        }
        while missing.last() == Some(&0) {
            missing.pop();
            sink.close()?;
            count(&mut missing);
        }
    }
    Ok(())
}

fn count(missing: &mut [u32]) {
    if let Some(items) = missing.last_mut() {
        *items = items.saturating_sub(1);
    }
}

/// A load under way; parsers push into it. Blocks.
pub struct Loader {
    writer: GraphWriter,
    mode: Mode,
    builder: Builder<Batch>,
    memory: Reservation,
    runs: BTreeMap<Table, Vec<Run>>,
    /// What many of them were merged to; a table that is here is in `runs` too.
    merged: BTreeMap<Table, Vec<Run>>,
    /// Runs of one table are merged when there are so many.
    fan_in: usize,
    progress: Progress,
    /// Facts that the control was not told of yet.
    untold: u64,
    /// Of a load that can be interrupted.
    kept: Option<Kept>,
    /// The last place of the input that its reader can begin at, and how many facts lie before it.
    mark: Mark,
    facts_at_mark: u64,
    /// What the reader remembers for that place.
    state: Vec<u8>,
}

/// The facts of a batch.
struct Batch {
    interner: Interner,
    /// Names of the last facts, which are looked up together.
    waiting: Waiting,
    /// By table the facts' tuples; those from `settled` on have names that wait.
    tables: Vec<Tuples>,
    /// Which of the tables the last fact was of.
    last: usize,
    cells: u64,
    facts: u64,
}

/// The tuples of a table.
struct Tuples {
    table: Table,
    cells: Vec<u64>,
    settled: usize,
}

impl Maker for Batch {
    fn symbol(&mut self, text: &[u8]) -> Result<Id> {
        Ok(self.waiting.symbol(text))
    }

    fn expression(&mut self, items: &[u64]) -> Result<Id> {
        Ok(self.waiting.expression(items))
    }

    fn fact(&mut self, table: Table, tuple: &[u64]) -> Result<()> {
        self.facts = self.facts.saturating_add(1);
        // A tuple without columns takes no cell.
        self.cells = self.cells.saturating_add(tuple.len() as u64);
        if self.tables.get(self.last).is_none_or(|its| its.table != table) {
            self.last = self.place_of(table);
        }
        if let Some(its) = self.tables.get_mut(self.last) {
            its.cells.extend_from_slice(tuple);
        }
        Ok(())
    }

    fn settle(&mut self, held: &mut [u64]) -> Result<()> {
        match self.waiting.is_full() {
            true => self.settle_all(held),
            false => Ok(()),
        }
    }
}

impl Batch {
    fn new(seed: [u64; 2]) -> Self {
        Self {
            interner: Interner::new(seed),
            waiting: Waiting::default(),
            tables: Vec::new(),
            last: 0,
            cells: 0,
            facts: 0,
        }
    }

    /// Where the tuples of a table are.
    fn place_of(&mut self, table: Table) -> usize {
        let at = self.tables.iter().position(|its| its.table == table);
        at.unwrap_or_else(|| {
            self.tables.push(Tuples {
                table,
                cells: Vec::new(),
                settled: 0,
            });
            self.tables.len().saturating_sub(1)
        })
    }

    /// Looks the names up that wait, and puts what they came to in their place.
    fn settle_all(&mut self, held: &mut [u64]) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.waiting.settle(&mut self.interner)?;
        self.waiting.put(held);
        for its in &mut self.tables {
            self.waiting
                .put(its.cells.get_mut(its.settled..).unwrap_or_default());
            its.settled = its.cells.len();
        }
        Ok(())
    }

    /// Gives the names their ids, and writes the tuples as runs; empty after that, but for the names.
    fn write(&mut self, writer: &GraphWriter) -> Result<Vec<(Table, Run)>> {
        self.settle_all(&mut [])?;
        writer.resolve(&mut self.interner)?;
        self.cells = 0;
        self.last = 0;
        let mut out = Vec::new();
        for Tuples { table, mut cells, .. } in std::mem::take(&mut self.tables) {
            for cell in &mut cells {
                *cell = self
                    .interner
                    .settled(*cell)
                    .ok_or_else(|| Error::internal("a name of a batch has no id"))?;
            }
            sort::sort_tuples(table.width(), &mut cells);
            out.push((table, levels::write_rows(writer.blobs(), table.width(), &cells)?));
        }
        Ok(out)
    }

    /// About the memory that it and its sorting take.
    fn memory(&self) -> u64 {
        self.interner
            .memory()
            .saturating_add(self.cells.saturating_mul(8 * 3))
    }
}

impl Loader {
    /// A load through `writer`, in `memory`.
    ///
    /// # Errors
    /// `TooLarge` if there is too little memory; if no randomness is to be had.
    pub fn new(writer: GraphWriter, mode: Mode, memory: Reservation) -> Result<Self> {
        if memory.bytes() < MEMORY_MIN {
            let message = format!(
                "a load needs {MEMORY_MIN} bytes of memory, not {}",
                memory.bytes()
            );
            return Err(Error::new(craton_base::Kind::TooLarge, "MemoryBudget", message));
        }
        let batch = Batch::new(writer.graphs().seed()?);
        Ok(Self {
            writer,
            mode,
            builder: Builder::new(batch),
            fan_in: usize::try_from(memory.bytes() / MERGED_BYTES)
                .unwrap_or(64)
                .clamp(4, 64),
            memory,
            runs: BTreeMap::new(),
            merged: BTreeMap::new(),
            progress: Progress::default(),
            untold: 0,
            kept: None,
            mark: Mark::default(),
            facts_at_mark: 0,
            state: Vec::new(),
        })
    }

    /// What it has done so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether no fact has begun.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.builder.is_between() && !self.is_passing_a_fact()
    }

    fn settle_if_between(&mut self) -> Result<()> {
        match self.builder.is_between() {
            true => self.settle(),
            false => Ok(()),
        }
    }

    /// After a fact: counts it, and writes the batch if it is full.
    fn settle(&mut self) -> Result<()> {
        self.progress.facts = self.progress.facts.saturating_add(1);
        self.untold = self.untold.saturating_add(1);
        if self.untold >= 1024 {
            let told = std::mem::take(&mut self.untold);
            self.writer.blobs().control().made_facts(told)?;
        }
        // An eighth is for what the estimate does not see.
        let room = self.memory.bytes().saturating_sub(self.memory.bytes() / 8);
        if self.builder.maker().memory() > room {
            self.write_batch()?;
            self.merge_many()?;
            self.keep()?;
        }
        Ok(())
    }

    /// Writes the batch.
    fn write_batch(&mut self) -> Result<()> {
        let batch = self.builder.maker();
        self.progress.batches = self.progress.batches.saturating_add(1);
        for (table, run) in batch.write(&self.writer)? {
            self.runs.entry(table).or_default().push(run);
        }
        // Names that were seen stay, so that they need not be looked up again, while there is room for new ones.
        if batch.interner.memory() > self.memory.bytes() / 3 {
            batch.interner.clear();
        }
        Ok(())
    }

    /// Merges where there are many runs: in two tiers, so that what was merged is not merged again with each further batch.
    fn merge_many(&mut self) -> Result<()> {
        for (table, runs) in &mut self.runs {
            if runs.len() < self.fan_in {
                continue;
            }
            let merged = self.merged.entry(*table).or_default();
            merged.push(levels::merge_runs(runs, self.writer.blobs())?);
            runs.clear();
            if merged.len() >= self.fan_in {
                *merged = vec![levels::merge_runs(merged, self.writer.blobs())?];
            }
        }
        Ok(())
    }

    /// Writes what is left, merges, and commits.
    ///
    /// # Errors
    /// `Invalid`, `Unbalanced` if a fact was not closed; the store's own; as [`GraphWriter::commit`].
    pub fn finish(mut self) -> Result<(Progress, Committed)> {
        if !self.builder.is_between() {
            let message = "the input ends within a fact";
            return Err(Error::new(craton_base::Kind::Invalid, "Unbalanced", message));
        }
        self.write_batch()?;
        let mut whole = Vec::new();
        let mut merged = std::mem::take(&mut self.merged);
        for (table, mut runs) in std::mem::take(&mut self.runs) {
            runs.extend(merged.remove(&table).unwrap_or_default());
            let run = match <[Run; 1]>::try_from(runs) {
                Ok([only]) => only,
                Err(runs) => levels::merge_runs(&runs, self.writer.blobs())?,
            };
            self.progress.distinct = self.progress.distinct.saturating_add(run.rows());
            self.progress.bytes = self.progress.bytes.saturating_add(run.bytes());
            whole.push((table, run));
        }
        let delta = match self.mode {
            Mode::Add => Delta {
                adds: whole,
                removes: Vec::new(),
            },
            Mode::Remove => Delta {
                adds: Vec::new(),
                removes: whole,
            },
        };
        let load = self.kept.as_ref().map(Kept::load);
        let committed = self.writer.commit(delta, load, self.memory.bytes())?;
        Ok((self.progress, committed))
    }
}

impl FactSink for Loader {
    fn open(&mut self) -> Result<()> {
        match self.passes(1) {
            true => Ok(()),
            false => self.builder.open(),
        }
    }

    fn symbol(&mut self, text: &[u8]) -> Result<()> {
        if self.passes(0) {
            return self.settle_passed();
        }
        self.builder.symbol(text)?;
        self.settle_if_between()
    }

    fn variable(&mut self, name: &[u8]) -> Result<()> {
        if self.passes(0) {
            return self.settle_passed();
        }
        self.builder.variable(name)?;
        self.settle_if_between()
    }

    fn close(&mut self) -> Result<()> {
        if self.passes(-1) {
            return self.settle_passed();
        }
        self.builder.close()?;
        self.settle_if_between()
    }

    fn abandon(&mut self) {
        self.builder.abandon();
        self.abandon_passed();
    }

    #[inline]
    fn reached(&mut self, mark: Mark) {
        (self.mark, self.facts_at_mark) = (mark, self.progress.facts);
    }

    fn remember(&mut self, state: &[u8]) {
        self.state = state.to_vec();
    }
}
