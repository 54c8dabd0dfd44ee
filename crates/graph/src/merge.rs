//! Merging sorted tuples: several inputs, the newer ones in front, as one set. An input may add tuples or remove them.
//!
//! Many inputs that only add and are not wide are taken a few thousand tuples at a time, up to the least of their last ones, and those are
//! sorted by their digits ([`crate::sort::radix`]): where tuples of many inputs alternate, that is several times faster than a heap.
//!
//! Invariants: what comes out ascends strictly; a tuple comes out if and only if the newest input that has it adds it; a
//! merge holds one block of each input and one of its own.
//!
//! Deliberately absent: where inputs come from, when to merge.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use craton_base::Result;

use crate::{
    Block, Tuples,
    sort::{
        key::{Key, Wide},
        radix,
    },
};

/// One input of a merge.
pub struct Input {
    /// Its tuples.
    pub tuples: Box<dyn Tuples>,
    /// Whether they are removed, and not added.
    pub removes: bool,
}

impl Input {
    /// Tuples that are added.
    #[must_use]
    pub fn adds(tuples: Box<dyn Tuples>) -> Self {
        Self {
            tuples,
            removes: false,
        }
    }

    /// Tuples that are removed.
    #[must_use]
    pub fn removes(tuples: Box<dyn Tuples>) -> Self {
        Self {
            tuples,
            removes: true,
        }
    }
}

/// The union of adding inputs, less what newer inputs remove.
#[must_use]
pub fn union(width: usize, mut inputs: Vec<Input>) -> Box<dyn Tuples> {
    match inputs.pop() {
        Some(only) if inputs.is_empty() && !only.removes => only.tuples,
        Some(last) => {
            inputs.push(last);
            let only_adds = inputs.len() >= GATHER_MIN && inputs.iter().all(|input| !input.removes);
            match width {
                1 if only_adds => Box::new(Gather::<u64>::new(width, inputs)),
                2 if only_adds => Box::new(Gather::<u128>::new(width, inputs)),
                3 if only_adds => Box::new(Gather::<Wide<3>>::new(width, inputs)),
                4 if only_adds => Box::new(Gather::<Wide<4>>::new(width, inputs)),
                _ => Box::new(Merge::new(width, inputs)),
            }
        }
        None => Box::new(crate::tuples::InMemory::new(width, std::sync::Arc::default())),
    }
}

/// An input with the block that it is in.
struct Cursor {
    input: Input,
    block: Block,
    row: usize,
}

impl Cursor {
    /// Goes to the next block if this one is used up; `false` at the end.
    fn settle(&mut self) -> Result<bool> {
        if self.row < self.block.rows() {
            return Ok(true);
        }
        self.row = 0;
        self.input.tuples.next(&mut self.block)
    }
}

/// An input's place in the heap: its tuple, then its age.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    tuple: Vec<u64>,
    input: usize,
}

struct Merge {
    width: usize,
    cursors: Vec<Cursor>,
    heap: BinaryHeap<Reverse<Head>>,
    started: bool,
    /// The last tuple that was decided; older inputs that have it too are passed over.
    last: Vec<u64>,
}

impl Merge {
    fn new(width: usize, inputs: Vec<Input>) -> Self {
        let cursors = inputs
            .into_iter()
            .map(|input| Cursor {
                input,
                block: Block::new(width),
                row: 0,
            })
            .collect();
        Self {
            width,
            cursors,
            heap: BinaryHeap::new(),
            started: false,
            last: Vec::new(),
        }
    }

    fn start(&mut self) -> Result<()> {
        if !self.started {
            self.started = true;
            for input in 0..self.cursors.len() {
                self.enter(input, Vec::new())?;
            }
        }
        Ok(())
    }

    /// Puts an input into the heap by its next tuple, if it has one; `tuple` is a vector to use.
    fn enter(&mut self, input: usize, mut tuple: Vec<u64>) -> Result<()> {
        if let Some(cursor) = self.cursors.get_mut(input)
            && cursor.settle()?
        {
            tuple.clear();
            cursor.block.row(cursor.row, &mut tuple);
            self.heap.push(Reverse(Head { tuple, input }));
        }
        Ok(())
    }

    /// Takes what the least input has before the next one begins.
    fn step(&mut self, out: &mut Block) -> Result<bool> {
        let Some(Reverse(Head { tuple, input })) = self.heap.pop() else {
            return Ok(false);
        };
        let room = Block::rows_max(self.width).saturating_sub(out.rows());
        let Some(cursor) = self.cursors.get_mut(input) else {
            return Ok(false);
        };
        let mut from = cursor.row;
        if !self.last.is_empty() && self.last == tuple {
            from = from.saturating_add(1);
        }
        let to = match self.heap.peek() {
            Some(Reverse(next)) => {
                let mut to = cursor
                    .block
                    .lower_bound(from.min(cursor.block.rows()), &next.tuple);
                // Of equal tuples the newest input's decides.
                if input < next.input
                    && to < cursor.block.rows()
                    && cursor.block.compare(to, &next.tuple) == Ordering::Equal
                {
                    to = to.saturating_add(1);
                }
                to
            }
            None => cursor.block.rows(),
        };
        let to = to.clamp(from, from.saturating_add(room));
        if to > from {
            self.last.clear();
            cursor.block.row(to.saturating_sub(1), &mut self.last);
            if !cursor.input.removes {
                let block = &cursor.block;
                out.fill(|columns| {
                    for (out, column) in columns.iter_mut().zip(block.columns()) {
                        out.extend_from_slice(column.get(from..to).unwrap_or_default());
                    }
                });
            }
        }
        cursor.row = to.max(from);
        self.enter(input, tuple)?;
        Ok(true)
    }
}

impl Tuples for Merge {
    fn width(&self) -> usize {
        self.width
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.reset(self.width);
        self.start()?;
        let most = Block::rows_max(self.width);
        while block.rows() < most && self.step(block)? {}
        Ok(!block.is_empty())
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        // Tuples that were decided already stay decided.
        self.heap.clear();
        self.started = true;
        for input in 0..self.cursors.len() {
            if let Some(cursor) = self.cursors.get_mut(input) {
                let row = cursor.block.lower_bound(cursor.row, least);
                cursor.row = row;
                if row >= cursor.block.rows() {
                    cursor.input.tuples.seek(least)?;
                }
            }
            self.enter(input, Vec::new())?;
        }
        Ok(())
    }
}

/// Inputs that only add, gathered and sorted part by part.
struct Gather<K> {
    width: usize,
    cursors: Vec<Cursor>,
    /// The next tuples of all inputs, sorted and distinct, and how many of them were given.
    ready: Vec<K>,
    given: usize,
    scratch: Vec<K>,
}

/// With fewer inputs long stretches come from one of them, and are copied.
const GATHER_MIN: usize = 6;
/// Bytes of tuples that are gathered at once, of all inputs together.
const GATHERED_BYTES: usize = 2 << 20;
/// An input gives so many tuples at a time at least.
const WINDOW_MIN: usize = 256;

impl<K: Key> Gather<K> {
    fn new(width: usize, inputs: Vec<Input>) -> Self {
        let cursor = |input| Cursor {
            input,
            block: Block::new(width),
            row: 0,
        };
        Self {
            width,
            cursors: inputs.into_iter().map(cursor).collect(),
            ready: Vec::new(),
            given: 0,
            scratch: Vec::new(),
        }
    }

    /// Makes the next tuples ready; `false` after the last. All that are not greater than the bound are taken from every input, so no
    /// tuple comes again later.
    fn gather(&mut self) -> Result<bool> {
        let window = (GATHERED_BYTES / size_of::<K>() / self.cursors.len().max(1)).max(WINDOW_MIN);
        let (mut bound, mut last): (Option<Vec<u64>>, Vec<u64>) = (None, Vec::new());
        for cursor in &mut self.cursors {
            if cursor.settle()? {
                let end = cursor.block.rows().min(cursor.row.saturating_add(window));
                last.clear();
                cursor.block.row(end.saturating_sub(1), &mut last);
                if bound.as_ref().is_none_or(|bound| last < *bound) {
                    bound = Some(last.clone());
                }
            }
        }
        self.ready.clear();
        self.given = 0;
        let Some(bound) = bound else { return Ok(false) };
        let mut parts = 0;
        for cursor in &mut self.cursors {
            let from = cursor.row;
            let mut to = cursor.block.lower_bound(from.min(cursor.block.rows()), &bound);
            if to < cursor.block.rows() && cursor.block.compare(to, &bound) == Ordering::Equal {
                to = to.saturating_add(1);
            }
            if to > from {
                parts += 1;
                take(&cursor.block, from..to, &mut self.ready);
                cursor.row = to;
            }
        }
        if parts > 1 {
            if self.scratch.len() < self.ready.len() {
                self.scratch.resize(self.ready.len(), K::default());
            }
            radix::sort(&mut self.ready, &mut self.scratch);
            self.ready.dedup();
        }
        Ok(true)
    }
}

/// Appends rows of a block as keys.
fn take<K: Key>(block: &Block, rows: std::ops::Range<usize>, to: &mut Vec<K>) {
    let columns = || {
        block
            .columns()
            .iter()
            .filter_map(|column| column.get(rows.clone()))
    };
    let mut columns: Vec<_> = columns().map(|column| column.iter().copied()).collect();
    to.extend(rows.map(|_| K::from_words(columns.iter_mut().filter_map(Iterator::next))));
}

impl<K: Key> Tuples for Gather<K> {
    fn width(&self) -> usize {
        self.width
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.reset(self.width);
        if self.given >= self.ready.len() && !self.gather()? {
            return Ok(false);
        }
        let rest = self.ready.get(self.given..).unwrap_or_default();
        let part = rest.get(..Block::rows_max(self.width)).unwrap_or(rest);
        block.fill(|columns| {
            for (at, column) in columns.iter_mut().enumerate() {
                column.extend(part.iter().map(|key| key.word(at)));
            }
        });
        self.given = self.given.saturating_add(part.len());
        Ok(!block.is_empty())
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        // Missing words are 0, so the key of a shorter tuple is the least that begins so.
        let key = K::from_words(least.iter().copied());
        let rest = self.ready.get(self.given..).unwrap_or_default();
        self.given = self.given.saturating_add(rest.partition_point(|k| *k < key));
        if self.given < self.ready.len() {
            return Ok(());
        }
        for cursor in &mut self.cursors {
            cursor.row = cursor.block.lower_bound(cursor.row, least);
            if cursor.row >= cursor.block.rows() {
                cursor.input.tuples.seek(least)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
