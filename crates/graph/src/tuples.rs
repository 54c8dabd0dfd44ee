//! Reading sorted tuples: block after block, or from a key on. The one interface that joins are written against.
//!
//! Deliberately absent: where tuples come from.

use craton_base::Result;

use crate::Block;

/// Tuples in ascending order, each once.
pub trait Tuples: Send {
    /// How many columns.
    fn width(&self) -> usize;

    /// Puts the next tuples into `block`, in place of what is in it: at least one, at most [`Block::rows_max`];
    /// or returns `false` at the end, and leaves the block empty.
    ///
    /// # Errors
    /// The storage's own.
    fn next(&mut self, block: &mut Block) -> Result<bool>;

    /// Passes over the tuples that are less than `least`, which is compared on its own columns and may have fewer than the
    /// tuples. Never goes back: what `next` gave does not come again. For steps within a block use [`Block::lower_bound`].
    ///
    /// # Errors
    /// The storage's own.
    fn seek(&mut self, least: &[u64]) -> Result<()>;
}

impl<T: Tuples + ?Sized> Tuples for Box<T> {
    fn width(&self) -> usize {
        (**self).width()
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        (**self).next(block)
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        (**self).seek(least)
    }
}

/// Sorted tuples in memory.
pub struct InMemory {
    width: usize,
    tuples: std::sync::Arc<Vec<u64>>,
    at: usize,
    end: usize,
}

impl InMemory {
    /// From rows one after the other, which must be sorted and distinct.
    #[must_use]
    pub fn new(width: usize, tuples: std::sync::Arc<Vec<u64>>) -> Self {
        let end = tuples.len().checked_div(width).unwrap_or_default();
        Self {
            width,
            tuples,
            at: 0,
            end,
        }
    }

    fn tuple(&self, row: usize) -> &[u64] {
        let start = row.saturating_mul(self.width);
        self.tuples
            .get(start..start.saturating_add(self.width))
            .unwrap_or_default()
    }
}

impl Tuples for InMemory {
    fn width(&self) -> usize {
        self.width
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        block.reset(self.width);
        let to = self.end.min(self.at.saturating_add(Block::rows_max(self.width)));
        for row in self.at..to {
            block.push(self.tuple(row));
        }
        self.at = to;
        Ok(!block.is_empty())
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        let (mut low, mut high) = (self.at, self.end);
        while low < high {
            let middle = low.midpoint(high);
            let tuple = self.tuple(middle);
            if tuple.get(..least.len().min(self.width)).unwrap_or_default() < least {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        self.at = low;
        Ok(())
    }
}

/// Several, one after the other: all tuples of one come before those of the next.
pub struct InTurn {
    width: usize,
    parts: std::collections::VecDeque<Box<dyn Tuples>>,
}

impl InTurn {
    /// Of parts of one width that ascend.
    #[must_use]
    pub fn new(parts: Vec<Box<dyn Tuples>>) -> Self {
        Self {
            width: parts.first().map_or(0, |part| part.width()),
            parts: parts.into(),
        }
    }
}

impl Tuples for InTurn {
    fn width(&self) -> usize {
        self.width
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        while let Some(part) = self.parts.front_mut() {
            if part.next(block)? {
                return Ok(true);
            }
            self.parts.pop_front();
        }
        block.reset(self.width);
        Ok(false)
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        self.parts.iter_mut().try_for_each(|part| part.seek(least))
    }
}

/// All tuples, one after the other in one vector: for tests and for what is known to be small.
///
/// # Errors
/// As [`Tuples::next`].
pub fn collect(tuples: &mut dyn Tuples) -> Result<Vec<Vec<u64>>> {
    let mut out = Vec::new();
    let mut block = Block::new(tuples.width());
    while tuples.next(&mut block)? {
        for row in 0..block.rows() {
            let mut tuple = Vec::with_capacity(block.width());
            block.row(row, &mut tuple);
            out.push(tuple);
        }
    }
    Ok(out)
}
