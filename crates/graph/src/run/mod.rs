//! Runs: sorted, immutable tuples as packed columns in blocks, with fences for seeking.
//!
//! A [`Run`] is a sequence of segments that follow each other in order; each is one blob. The byte map is in
//! `docs/formats.md`, section "Graph runs". Invariants:
//! - GR-1: tuples ascend strictly within a run: none is there twice;
//! - GR-2: a segment has at most [`blocks_max`] blocks, so its index fits in memory whatever the data's size;
//! - GR-3: a reader holds one index, one read-ahead buffer of at most [`READ_AHEAD_MAX`] bytes and one block.
//!
//! Deliberately absent: what the numbers mean, tables, deletions.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicU64, Ordering},
};

use craton_base::{Error, Result};
use parking_lot::Mutex;

use crate::{BlobRead, Block, Bounds};

pub(crate) mod codec;
pub(crate) mod column;
mod find;
mod pack;
mod scan;
mod write;

pub use find::Cache;
pub(crate) use find::places;
pub use scan::Scan;
pub use write::Writer;

/// The most bytes that a scan reads at once.
pub const READ_AHEAD_MAX: u64 = 512 << 10;

/// The first bytes that a scan reads after a seek; doubled with each read that follows on.
const READ_AHEAD_MIN: u64 = 64 << 10;

/// Columns of an index beyond those of the tuples: where a block begins, how many tuples it has, and how many of them differ
/// from the one before in the first column, and in the first two.
const FENCE_EXTRA: usize = 4;

/// The most numbers of a segment's index.
const INDEX_CELLS_MAX: usize = 1 << 20;

/// The most blocks of a segment with `width` columns.
#[must_use]
pub const fn blocks_max(width: usize) -> usize {
    let most = INDEX_CELLS_MAX / (width + FENCE_EXTRA);
    if most < 4096 { most } else { 4096 }
}

/// What is known of a segment without reading it; kept by whoever keeps the segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SegmentInfo {
    /// Columns of its tuples.
    pub width: usize,
    /// How many tuples it has.
    pub rows: u64,
    /// Bytes of the blob.
    pub bytes: u64,
    /// Where in the blob the index begins.
    pub index_at: u64,
    /// The first tuple.
    pub first: Vec<u64>,
    /// The last tuple.
    pub last: Vec<u64>,
}

/// A sorted part of a run: one blob.
pub struct Segment {
    /// Its own in this process, for caches.
    number: u64,
    info: SegmentInfo,
    blob: Arc<dyn BlobRead>,
    /// The index while a scan has it.
    index: Mutex<Weak<Index>>,
}

/// The fences of a segment: one row a block.
struct Index {
    fences: Block,
    width: usize,
    /// Where the last block ends.
    end: u64,
}

/// Sorted tuples, each once. Clones share everything.
#[derive(Clone)]
pub struct Run {
    width: usize,
    segments: Arc<Vec<Arc<Segment>>>,
}

/// What a part of a run holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Measure {
    /// Tuples.
    pub rows: u64,
    /// Bytes of the blocks that hold them.
    pub bytes: u64,
    /// Different beginnings of one column, about.
    pub distinct_1: u64,
    /// Different beginnings of two columns, about.
    pub distinct_2: u64,
}

impl Segment {
    /// A segment that was written before.
    #[must_use]
    pub fn new(info: SegmentInfo, blob: Arc<dyn BlobRead>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Arc::new(Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            info,
            blob,
            index: Mutex::default(),
        })
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> &SegmentInfo {
        &self.info
    }

    /// Its blob.
    #[must_use]
    pub fn blob(&self) -> &Arc<dyn BlobRead> {
        &self.blob
    }

    fn index(&self) -> Result<Arc<Index>> {
        if let Some(index) = self.index.lock().upgrade() {
            return Ok(index);
        }
        let bytes = self.blob.read(self.info.index_at..self.blob.len())?;
        let fences = codec::read_index(&bytes, self.info.width)
            .ok_or_else(|| Error::corrupt("the index of a graph's run does not parse"))?;
        let index = Arc::new(Index {
            fences,
            width: self.info.width,
            end: self.info.index_at,
        });
        *self.index.lock() = Arc::downgrade(&index);
        Ok(index)
    }
}

impl Index {
    fn blocks(&self) -> usize {
        self.fences.rows()
    }

    fn extra(&self, n: usize, block: usize) -> u64 {
        let column = self.fences.column(self.width.saturating_add(n));
        column
            .get(block)
            .copied()
            .unwrap_or(if n == 0 { self.end } else { 0 })
    }

    fn offset(&self, block: usize) -> u64 {
        self.extra(0, block)
    }

    /// The first block that may hold a tuple which is not less than `key`.
    fn block_of(&self, key: &[u64]) -> usize {
        self.fences.lower_bound(0, key).saturating_sub(1)
    }

    fn measure(&self, blocks: std::ops::Range<usize>) -> Measure {
        let sum = |n: usize| {
            blocks
                .clone()
                .map(|b| self.extra(n, b))
                .fold(0, u64::saturating_add)
        };
        Measure {
            rows: sum(1),
            bytes: self.offset(blocks.end).saturating_sub(self.offset(blocks.start)),
            distinct_1: sum(2),
            distinct_2: sum(3),
        }
    }
}

impl Run {
    /// Of segments in ascending order.
    #[must_use]
    pub fn new(width: usize, segments: Vec<Arc<Segment>>) -> Self {
        Self {
            width,
            segments: Arc::new(segments),
        }
    }

    /// How many columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many tuples.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.segments
            .iter()
            .map(|s| s.info.rows)
            .fold(0, u64::saturating_add)
    }

    /// Bytes of all its blobs, not sealed.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments
            .iter()
            .map(|s| s.info.bytes)
            .fold(0, u64::saturating_add)
    }

    /// Its segments.
    #[must_use]
    pub fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    /// The tuples within `bounds`.
    #[must_use]
    pub fn scan(&self, bounds: &Bounds) -> Scan {
        Scan::new(self.clone(), bounds)
    }

    /// What is within `bounds`: the tuples exactly, the rest by whole blocks. Reads at most two blocks.
    ///
    /// # Errors
    /// The blobs' own.
    pub fn measure(&self, bounds: &Bounds) -> Result<Measure> {
        let (first, end) = (bounds.first(), bounds.end());
        let mut out = Measure::default();
        for segment in self.segments.iter() {
            let info = &segment.info;
            let before = !first.is_empty() && is_less(&info.last, &first);
            let after = end.as_deref().is_some_and(|end| !is_less(&info.first, end));
            if before || after {
                continue;
            }
            let index = segment.index()?;
            let from = if first.is_empty() {
                0
            } else {
                index.block_of(&first)
            };
            let to = end
                .as_deref()
                .map_or(index.blocks(), |end| index.fences.lower_bound(from, end));
            let whole = index.measure(from..to);
            out.bytes = out.bytes.saturating_add(whole.bytes);
            out.distinct_1 = out.distinct_1.saturating_add(whole.distinct_1);
            out.distinct_2 = out.distinct_2.saturating_add(whole.distinct_2);
            let below = scan::rows_below(segment, &index, from, &first)?;
            let above = match end.as_deref() {
                Some(end) if to > 0 => {
                    let last = to.saturating_sub(1);
                    let rows = index.extra(1, last);
                    rows.saturating_sub(scan::rows_below(segment, &index, last, end)?)
                }
                _ => 0,
            };
            out.rows = out
                .rows
                .saturating_add(whole.rows.saturating_sub(below).saturating_sub(above));
        }
        Ok(out)
    }

    /// Values of the first column after the `prefix` that cut what has the prefix into at most `parts` parts of about one
    /// size: the first value of each part but the first.
    ///
    /// # Errors
    /// The blobs' own.
    pub fn split(&self, prefix: &[u64], parts: usize) -> Result<Vec<u64>> {
        let bounds = Bounds::prefix(prefix.to_vec());
        let end = bounds.end();
        let mut values = Vec::new();
        for segment in self.segments.iter() {
            let outside = is_less(&segment.info.last, prefix)
                || end.as_deref().is_some_and(|e| !is_less(&segment.info.first, e));
            if outside {
                continue;
            }
            let index = segment.index()?;
            for block in 0..index.blocks() {
                if index.fences.compare(block, prefix).is_eq() {
                    values.extend(index.fences.column(prefix.len()).get(block));
                }
            }
        }
        values.dedup();
        let step = values.len().div_ceil(parts.max(1)).max(1);
        let mut out: Vec<u64> = values.into_iter().step_by(step).skip(1).collect();
        out.dedup();
        Ok(out)
    }
}

/// Whether a tuple is less than a key, on the key's columns.
fn is_less(tuple: &[u64], key: &[u64]) -> bool {
    tuple.get(..key.len()).unwrap_or(tuple) < key
}

#[cfg(test)]
mod tests;
