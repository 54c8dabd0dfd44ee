//! What the levels of a snapshot give to a merge.
//!
//! Deliberately absent: which levels, which bounds.

use craton_base::Result;

use crate::{
    Block, Bounds, Id, Tuples,
    manifest::Level,
    merge::Input,
    run::{Run, Scan},
};

/// How a run is read within bounds.
pub(super) type Open<'a> = dyn Fn(&Run, &Bounds) -> Scan + 'a;

/// What levels hold within bounds, the newest first.
pub(super) fn inputs<'a>(
    levels: impl DoubleEndedIterator<Item = &'a Level>,
    bounds: &Bounds,
    open: &Open<'_>,
) -> Vec<Input> {
    let input = |level: &Level| Input {
        tuples: Box::new(open(&level.run, bounds)),
        removes: level.removes,
    };
    levels.rev().map(input).collect()
}

/// The tuples of one head, without it.
pub(crate) struct WithoutHead {
    inner: Box<dyn Tuples>,
    head: Id,
}

impl WithoutHead {
    pub(crate) fn new(inner: Box<dyn Tuples>, head: Id) -> Self {
        Self { inner, head }
    }
}

impl Tuples for WithoutHead {
    fn width(&self) -> usize {
        self.inner.width().saturating_sub(1)
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        let some = self.inner.next(block)?;
        block.drop_columns(1);
        Ok(some)
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        let mut key = Vec::with_capacity(least.len().saturating_add(1));
        key.push(self.head.0);
        key.extend_from_slice(least);
        self.inner.seek(&key)
    }
}
