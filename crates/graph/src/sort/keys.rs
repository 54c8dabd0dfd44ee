//! Sorting more keys than fit in memory: full buffers are sorted, deduplicated and spilled, and merged at the end.
//!
//! Invariants: a sorter holds at most its budget, the copy that sorting needs included; a buffer whose
//! duplicates leave room is filled on instead of being spilled.
//!
//! Deliberately absent: what keys mean, where spilled pieces lie.

use std::sync::Arc;

use craton_base::Result;

use crate::Storage;

use super::{
    code,
    key::Key,
    merge::{Sorted, Source},
    pieces::PieceWriter,
    radix,
};

/// Keys of a spilled piece.
const PIECE_KEYS: usize = 4096;
/// A buffer is at least this many keys, whatever the budget.
const BUFFER_KEYS_MIN: usize = 1024;
/// Keys by which a buffer grows until its budget.
const GROWTH_KEYS: usize = 1 << 16;
/// Runs that are merged at once; more are merged in turns.
const FAN_IN: usize = 128;

/// What sorting cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortCost {
    /// Keys taken, duplicates included.
    pub taken: u64,
    /// Bytes written to spilled runs.
    pub spilled_bytes: u64,
    /// Spilled runs.
    pub runs: u64,
    /// The most bytes held.
    pub peak_bytes: u64,
}

impl SortCost {
    /// The cost of both.
    pub(crate) fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.spilled_bytes += other.spilled_bytes;
        self.runs += other.runs;
        self.peak_bytes += other.peak_bytes;
    }
}

/// Takes keys in any order.
pub(crate) struct KeySorter<K> {
    buffer: Vec<K>,
    scratch: Vec<K>,
    /// The buffer's keys up to here are sorted and distinct.
    sorted: usize,
    capacity: usize,
    runs: Vec<Source<K>>,
    storage: Arc<dyn Storage>,
    cost: SortCost,
}

impl<K: Key> KeySorter<K> {
    /// A sorter that holds at most `budget` bytes.
    pub(crate) fn new(budget: u64, storage: Arc<dyn Storage>) -> Self {
        let budget = usize::try_from(budget).unwrap_or(usize::MAX);
        Self {
            buffer: Vec::new(),
            scratch: Vec::new(),
            sorted: 0,
            capacity: (budget / (2 * size_of::<K>())).max(BUFFER_KEYS_MIN),
            runs: Vec::new(),
            storage,
            cost: SortCost::default(),
        }
    }

    /// Takes keys.
    pub(crate) fn extend(&mut self, mut keys: impl ExactSizeIterator<Item = K>) -> Result<()> {
        self.cost.taken += keys.len() as u64;
        while keys.len() > 0 {
            if self.buffer.len() >= self.capacity {
                self.shrink()?;
            }
            let room = (self.capacity - self.buffer.len()).min(keys.len());
            self.grow(room);
            self.buffer.extend(keys.by_ref().take(room));
        }
        Ok(())
    }

    /// Makes room for more keys: doubling, but never beyond the capacity.
    fn grow(&mut self, more: usize) {
        let (length, held) = (self.buffer.len(), self.buffer.capacity());
        if held - length < more {
            let wanted = (length + more)
                .max(held * 2)
                .max(GROWTH_KEYS)
                .min(self.capacity.max(length + more));
            self.buffer.reserve_exact(wanted - length);
        }
    }

    fn sort_buffer(&mut self) {
        if self.sorted == self.buffer.len() {
            return;
        }
        if !self.buffer.is_sorted() {
            let length = self.buffer.len();
            if self.scratch.len() < length {
                self.scratch.reserve_exact(length - self.scratch.len());
                self.scratch.resize(length, K::default());
            }
            radix::sort(&mut self.buffer, &mut self.scratch);
        }
        self.buffer.dedup();
        self.sorted = self.buffer.len();
        let held = (self.buffer.capacity() + self.scratch.capacity()) * size_of::<K>();
        self.cost.peak_bytes = self.cost.peak_bytes.max(held as u64);
    }

    /// Drops duplicates from a full buffer and spills it if that did not halve it.
    fn shrink(&mut self) -> Result<()> {
        self.sort_buffer();
        if self.buffer.len() <= self.capacity / 2 {
            return Ok(());
        }
        let mut writer = PieceWriter::new(&*self.storage)?;
        let mut piece = Vec::new();
        for keys in self.buffer.chunks(PIECE_KEYS) {
            piece.clear();
            code::encode(keys, &mut piece);
            writer.write(&piece)?;
            self.cost.spilled_bytes += piece.len() as u64;
        }
        self.buffer.clear();
        self.sorted = 0;
        self.cost.runs += 1;
        self.runs.push(Source::spilled(writer.finish()?));
        if self.runs.len() >= FAN_IN {
            self.merge_runs()?;
        }
        Ok(())
    }

    /// Merges the runs into one, so that no more than [`FAN_IN`] are ever open.
    fn merge_runs(&mut self) -> Result<()> {
        let mut merged = Sorted::new(std::mem::take(&mut self.runs))?;
        let mut writer = PieceWriter::new(&*self.storage)?;
        let (mut keys, mut piece) = (Vec::new(), Vec::new());
        while merged.next(PIECE_KEYS, &mut keys)? {
            piece.clear();
            code::encode(&keys, &mut piece);
            writer.write(&piece)?;
            self.cost.spilled_bytes += piece.len() as u64;
        }
        self.cost.runs += 1;
        self.runs.push(Source::spilled(writer.finish()?));
        Ok(())
    }

    /// What there is to merge, and what it cost so far. The last buffer stays in memory.
    pub(crate) fn finish(mut self) -> (Vec<Source<K>>, SortCost) {
        self.sort_buffer();
        let mut sources = self.runs;
        if !self.buffer.is_empty() {
            sources.push(Source::memory(self.buffer));
        }
        (sources, self.cost)
    }
}
