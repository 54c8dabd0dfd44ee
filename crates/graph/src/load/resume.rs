//! Loads that can be interrupted: under a name, what was read so far is kept in the graph, unseen, after each batch and where the input
//! breaks off; the next request of that name passes over as many facts of the same input and goes on. Where the reader says from which place
//! on its input can be read ([`Mark`]), that is kept too: then it is enough to send the input from there on.
//!
//! Invariants: nothing is visible before the commit at the end, which comes with the load's end as one; what is passed over is parsed and
//! nothing else; a fact that is read twice, because a reader counts what its sink refused, does no harm in a set.
//!
//! Deliberately absent: whether the input is the same, which is the caller's to see to.

use craton_base::{Error, Kind, Result};

use super::{Loader, Mode};
use crate::{
    Order, Relation, Table,
    manifest::{Level, Unfinished},
    run::Run,
    sink::{FactSink as _, Mark, Start},
};

/// The generation of levels that were merged of many, as the manifest notes it: 0 is a batch's own.
const MERGED: u64 = 1;

/// What a load that can be interrupted knows of itself.
pub(super) struct Kept {
    /// As the manifest has it.
    load: Unfinished,
    /// How many facts are still to be passed over.
    left: u64,
    /// How many expressions of a fact that is passed over are open.
    depth: usize,
}

impl Kept {
    pub(super) fn load(&self) -> &Unfinished {
        &self.load
    }
}

impl Loader {
    /// The same load under a name, which goes on where an earlier one of that name was when it ended too soon. Blocks.
    ///
    /// `at` is where the input goes on, in bytes: its beginning, or the place that the load itself named ([`Unfinished::mark`]).
    ///
    /// # Errors
    /// `Invalid`, `InvalidName`, `LoadDiffers`; `TooLarge`, `TooManyLoads`; `Precondition`, `LoadMoved` if the load goes on elsewhere;
    /// the store's own.
    pub fn resumable(mut self, name: &str, at: u64) -> Result<(Self, Start)> {
        let [holder, _] = self.writer.graphs().seed()?;
        let load = self.writer.take_load(&Unfinished {
            name: name.to_owned(),
            prefix: self.writer.path().prefix().to_owned(),
            mode: self.mode,
            facts: 0,
            mark: Mark::default(),
            facts_at_mark: 0,
            state: Vec::new(),
            holder,
            levels: Vec::new(),
        })?;
        if at > 0 && at != load.mark.bytes {
            let message = format!("the load {name} goes on at byte {}, not {at}", load.mark.bytes);
            return Err(Error::new(Kind::Precondition, "LoadMoved", message));
        }
        let start = match at {
            0 => Start::default(),
            _ => Start {
                mark: load.mark,
                state: load.state.clone(),
            },
        };
        (self.mark, self.facts_at_mark) = (load.mark, load.facts_at_mark);
        self.state.clone_from(&load.state);
        if at > 0 {
            self.progress.facts = load.facts_at_mark;
            self.progress.passed = load.facts_at_mark;
        }
        self.adopt(load);
        Ok((self, start))
    }

    /// Goes on from what the manifest has.
    fn adopt(&mut self, load: Unfinished) {
        (self.runs, self.merged) = Default::default();
        for level in &load.levels {
            let runs = match level.generation {
                MERGED => &mut self.merged,
                _ => &mut self.runs,
            };
            let table = level.relation.table;
            runs.entry(table).or_default().push(level.run.clone());
            // A table that is merged is among the others too.
            self.runs.entry(table).or_default();
        }
        let left = load.facts.saturating_sub(self.progress.facts);
        self.kept = Some(Kept { load, left, depth: 0 });
    }

    /// Keeps what was written, if the load has a name.
    pub(super) fn keep(&mut self) -> Result<()> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        let removes = self.mode == Mode::Remove;
        let level = |(table, run, generation): (&Table, &Run, u64)| Level {
            relation: Relation::whole(*table),
            order: Order::natural(table.width()),
            generation,
            removes,
            run: run.clone(),
        };
        let of = |runs: &std::collections::BTreeMap<Table, Vec<Run>>, generation: u64| -> Vec<Level> {
            let each = runs
                .iter()
                .flat_map(|(table, runs)| runs.iter().map(move |run| (table, run, generation)));
            each.map(level).collect()
        };
        let mut levels = of(&self.merged, MERGED);
        levels.extend(of(&self.runs, 0));
        let load = self.writer.keep_load(&Unfinished {
            facts: self.progress.facts,
            mark: self.mark,
            facts_at_mark: self.facts_at_mark,
            state: self.state.clone(),
            levels,
            ..kept.load.clone()
        })?;
        self.adopt(load);
        Ok(())
    }

    /// Keeps what was read, after the input broke off or the work was stopped; how many facts of the input are kept. Blocks.
    ///
    /// # Errors
    /// `Busy`, `LoadTaken`; the store's own.
    pub fn interrupt(mut self) -> Result<u64> {
        let Some(known) = self.kept.as_ref().map(|kept| kept.load.facts) else {
            return Ok(0);
        };
        if self.progress.facts <= known {
            return Ok(known);
        }
        // The work itself may have been cancelled.
        self.writer = self.writer.detached();
        self.builder.abandon();
        self.write_batch()?;
        self.keep()?;
        Ok(self.progress.facts)
    }

    /// Whether the fact that is being read is passed over; `step` is how many of its expressions open.
    pub(super) fn passes(&mut self, step: isize) -> bool {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.left > 0) else {
            return false;
        };
        kept.depth = kept.depth.saturating_add_signed(step);
        true
    }

    pub(super) fn is_passing_a_fact(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.depth > 0)
    }

    /// After an item of a fact that is passed over: counts the fact, if that was its end.
    pub(super) fn settle_passed(&mut self) -> Result<()> {
        let Some(kept) = self.kept.as_mut().filter(|kept| kept.depth == 0) else {
            return Ok(());
        };
        kept.left = kept.left.saturating_sub(1);
        self.progress.facts = self.progress.facts.saturating_add(1);
        self.progress.passed = self.progress.passed.saturating_add(1);
        match self.progress.passed.is_multiple_of(1024) {
            true => self.writer.blobs().control().check(),
            false => Ok(()),
        }
    }

    pub(super) fn abandon_passed(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.depth = 0;
        }
    }
}
