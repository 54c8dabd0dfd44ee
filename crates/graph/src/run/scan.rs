//! Reading a run: in order, from a key on, within bounds.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Result};

use super::{Cache, Index, READ_AHEAD_MAX, READ_AHEAD_MIN, Run, Segment, codec, is_less};
use crate::{Block, Bounds, Tuples};

/// The tuples of a run within bounds.
pub struct Scan {
    run: Run,
    /// The segment, and the block in it, that is read next.
    segment: usize,
    block: usize,
    index: Option<Arc<Index>>,
    /// What is passed over: everything less than this. Empty: nothing.
    least: Vec<u64>,
    /// Everything from here on is out.
    end: Option<Vec<u64>>,
    buffer: Bytes,
    /// Where in the segment the buffer begins.
    buffer_at: u64,
    ahead: u64,
    ahead_max: u64,
    /// Where the blocks up to the first tuples that are given come from.
    cache: Option<Arc<Cache>>,
}

impl Scan {
    pub(super) fn new(run: Run, bounds: &Bounds) -> Self {
        let mut out = Self {
            run,
            segment: 0,
            block: 0,
            index: None,
            least: Vec::new(),
            end: bounds.end(),
            buffer: Bytes::new(),
            buffer_at: 0,
            ahead: READ_AHEAD_MIN,
            ahead_max: READ_AHEAD_MAX,
            cache: None,
        };
        out.pass_over(bounds.first());
        out
    }

    /// Reads at most so many bytes at once: for many scans side by side.
    #[must_use]
    pub fn with_read_ahead(mut self, bytes: u64) -> Self {
        self.ahead_max = bytes.clamp(READ_AHEAD_MIN, READ_AHEAD_MAX);
        self
    }

    /// Takes the block that it begins in from a cache: for few tuples of many places.
    #[must_use]
    pub fn with_cache(mut self, cache: Arc<Cache>) -> Self {
        self.cache = Some(cache);
        self
    }

    fn pass_over(&mut self, least: Vec<u64>) {
        let rest = self.run.segments.get(self.segment..).unwrap_or_default();
        let skipped = rest.partition_point(|s| is_less(&s.info.last, &least));
        if skipped > 0 {
            self.enter(self.segment.saturating_add(skipped));
        }
        self.least = least;
    }

    fn enter(&mut self, segment: usize) {
        self.segment = segment;
        self.block = 0;
        self.index = None;
        self.buffer = Bytes::new();
    }

    fn is_out(&self, tuple: &[u64]) -> bool {
        self.end.as_deref().is_some_and(|end| !is_less(tuple, end))
    }

    /// The block that is read next, with its segment; `None` at the end.
    fn position(&mut self) -> Result<Option<(Arc<Segment>, Arc<Index>)>> {
        loop {
            let Some(segment) = self.run.segments.get(self.segment).cloned() else {
                return Ok(None);
            };
            if self.is_out(&segment.info.first) {
                return Ok(None);
            }
            let index = match &self.index {
                Some(index) => Arc::clone(index),
                None => {
                    let index = match &self.cache {
                        Some(cache) => cache.index(&segment)?,
                        None => segment.index()?,
                    };
                    Arc::clone(self.index.insert(index))
                }
            };
            if !self.least.is_empty() {
                self.block = self.block.max(index.block_of(&self.least));
            }
            if self.block < index.blocks() {
                let out = match self.end.as_deref() {
                    Some(end) => index.fences.compare(self.block, end).is_ge(),
                    None => false,
                };
                return Ok((!out).then_some((segment, index)));
            }
            self.enter(self.segment.saturating_add(1));
        }
    }

    /// Which tuples of a block are within the bounds.
    fn within(&self, block: &Block) -> (usize, usize) {
        let from = match self.least.is_empty() {
            true => 0,
            false => block.lower_bound(0, &self.least),
        };
        let last = block.rows().saturating_sub(1);
        let to = match self.end.as_deref() {
            Some(end) if block.compare(last, end).is_ge() => block.lower_bound(from, end),
            _ => block.rows(),
        };
        (from, to)
    }

    /// The packed bytes of the block, from the buffer or read with some that follow.
    fn bytes(&mut self, segment: &Segment, index: &Index) -> Result<Bytes> {
        let (from, to) = (
            index.offset(self.block),
            index.offset(self.block.saturating_add(1)),
        );
        let buffered = |b: &Bytes, at: u64| at <= from && to <= at.saturating_add(b.len() as u64);
        if !buffered(&self.buffer, self.buffer_at) {
            let follows =
                self.buffer_at.saturating_add(self.buffer.len() as u64) >= from && from >= self.buffer_at;
            self.ahead = match follows && !self.buffer.is_empty() {
                true => self.ahead.saturating_mul(2).min(self.ahead_max),
                false => READ_AHEAD_MIN,
            };
            let until = from.saturating_add(self.ahead).clamp(to, index.end.max(to));
            self.buffer = segment.blob.read(from..until)?;
            self.buffer_at = from;
        }
        let start = usize::try_from(from.saturating_sub(self.buffer_at)).unwrap_or(usize::MAX);
        let len = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        let end = start.saturating_add(len);
        if end > self.buffer.len() || start > end {
            return Err(damaged());
        }
        Ok(self.buffer.slice(start..end))
    }
}

impl Tuples for Scan {
    fn width(&self) -> usize {
        self.run.width
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        loop {
            let Some((segment, index)) = self.position()? else {
                block.reset(self.run.width);
                return Ok(false);
            };
            match self.cache.clone() {
                Some(cache) => {
                    let cached = cache.block(&segment, &index, self.block)?;
                    let (from, to) = self.within(&cached);
                    block.copy(&cached, from, to);
                }
                None => {
                    let bytes = self.bytes(&segment, &index)?;
                    codec::read_block(&bytes, self.run.width, block).ok_or_else(damaged)?;
                    let (from, to) = self.within(block);
                    if from > 0 || to < block.rows() {
                        block.cut(from, to);
                    }
                }
            }
            self.block = self.block.saturating_add(1);
            if !block.is_empty() {
                // Whatever comes after this block is not less.
                self.least.clear();
                self.cache = None;
                return Ok(true);
            }
        }
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        if least > self.least.as_slice() {
            self.pass_over(least.to_vec());
        }
        Ok(())
    }
}

/// How many tuples of a block are less than `key`; 0 for an empty key.
pub(super) fn rows_below(segment: &Segment, index: &Index, block: usize, key: &[u64]) -> Result<u64> {
    if key.is_empty() || block >= index.blocks() {
        return Ok(0);
    }
    let mut out = Block::default();
    read_one(segment, index, block, &mut out)?;
    Ok(out.lower_bound(0, key) as u64)
}

/// Reads one block.
pub(super) fn read_one(segment: &Segment, index: &Index, block: usize, out: &mut Block) -> Result<()> {
    let range = index.offset(block)..index.offset(block.saturating_add(1));
    let bytes = segment.blob.read(range)?;
    codec::read_block(&bytes, segment.info.width, out).ok_or_else(damaged)?;
    Ok(())
}

fn damaged() -> Error {
    Error::corrupt("a block of a graph's run does not parse")
}
