//! Writing a run: sorted blocks in, packed blocks to blobs.

use std::sync::Arc;

use craton_base::{Error, Result};

use super::{FENCE_EXTRA, Run, Segment, SegmentInfo, blocks_max, codec};
use crate::{BlobWrite, Block, Storage};

/// Packed bytes are handed on when there are so many.
const WRITE_BYTES: usize = 256 << 10;

/// Writes a run. Dropped before [`Writer::finish`], nothing stays.
pub struct Writer<'a> {
    storage: &'a dyn Storage,
    width: usize,
    /// Tuples that do not make a block yet.
    pending: Block,
    current: Option<Current>,
    done: Vec<Arc<Segment>>,
    scratch: Vec<u64>,
    last: Vec<u64>,
}

/// The segment that is being written.
struct Current {
    blob: Box<dyn BlobWrite>,
    buffer: Vec<u8>,
    /// Bytes handed on and in the buffer.
    bytes: u64,
    fences: Block,
    rows: u64,
    first: Vec<u64>,
}

impl<'a> Writer<'a> {
    /// A run of tuples of `width` columns.
    #[must_use]
    pub fn new(storage: &'a dyn Storage, width: usize) -> Self {
        Self {
            storage,
            width,
            pending: Block::new(width),
            current: None,
            done: Vec::new(),
            scratch: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Appends tuples, which ascend and are greater than all before.
    ///
    /// # Errors
    /// `Internal` if they are not in order; the storage's own.
    pub fn push(&mut self, block: &Block) -> Result<()> {
        let most = Block::rows_max(self.width);
        let mut from = 0;
        while from < block.rows() {
            if self.pending.is_empty() && block.rows().saturating_sub(from) >= most {
                self.write(block, from, from.saturating_add(most))?;
                from = from.saturating_add(most);
                continue;
            }
            let room = most.saturating_sub(self.pending.rows());
            let to = block.rows().min(from.saturating_add(room));
            self.pending.fill(|columns| {
                for (out, column) in columns.iter_mut().zip(block.columns()) {
                    out.extend_from_slice(column.get(from..to).unwrap_or_default());
                }
            });
            from = to;
            if self.pending.rows() >= most {
                self.write_pending()?;
            }
        }
        Ok(())
    }

    /// Appends all of `tuples`.
    ///
    /// # Errors
    /// As [`Writer::push`]; those of the tuples.
    pub fn push_all(&mut self, tuples: &mut dyn crate::Tuples) -> Result<()> {
        let mut block = Block::new(self.width);
        while tuples.next(&mut block)? {
            self.push(&block)?;
        }
        Ok(())
    }

    fn write_pending(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.write(&pending, 0, pending.rows())?;
        self.pending = pending;
        self.pending.reset(self.width);
        Ok(())
    }

    /// Writes one block.
    fn write(&mut self, block: &Block, from: usize, to: usize) -> Result<()> {
        self.check_order(block, from, to)?;
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.begin(block, from)?,
        };
        let mut fence = Vec::with_capacity(self.width.saturating_add(FENCE_EXTRA));
        block.row(from, &mut fence);
        let (distinct_1, distinct_2) = distinct(block, from, to);
        fence.extend([
            current.bytes,
            to.saturating_sub(from) as u64,
            distinct_1,
            distinct_2,
        ]);
        current.fences.push(&fence);
        let before = current.buffer.len();
        codec::write_block(block, from, to, &mut self.scratch, &mut current.buffer);
        let added = current.buffer.len().saturating_sub(before) as u64;
        current.bytes = current.bytes.saturating_add(added);
        current.rows = current.rows.saturating_add(to.saturating_sub(from) as u64);
        self.last.clear();
        block.row(to.saturating_sub(1), &mut self.last);
        if current.buffer.len() >= WRITE_BYTES {
            current.blob.write(&current.buffer)?;
            current.buffer.clear();
        }
        if current.fences.rows() >= blocks_max(self.width) {
            return self.end(current);
        }
        self.current = Some(current);
        Ok(())
    }

    fn check_order(&self, block: &Block, from: usize, to: usize) -> Result<()> {
        debug_assert!(is_ascending(block, from, to), "a block's tuples do not ascend");
        if self.last.is_empty() || block.compare(from, &self.last).is_gt() {
            return Ok(());
        }
        Err(Error::internal("a run's tuples are not in ascending order"))
    }

    fn begin(&self, block: &Block, from: usize) -> Result<Current> {
        let mut first = Vec::with_capacity(self.width);
        block.row(from, &mut first);
        Ok(Current {
            blob: self.storage.create()?,
            buffer: Vec::new(),
            bytes: 0,
            fences: Block::new(self.width.saturating_add(FENCE_EXTRA)),
            rows: 0,
            first,
        })
    }

    fn end(&mut self, mut current: Current) -> Result<()> {
        let index_at = current.bytes;
        codec::write_index(&current.fences, index_at, current.rows, &mut current.buffer);
        current.blob.write(&current.buffer)?;
        let blob = current.blob.finish()?;
        let info = SegmentInfo {
            width: self.width,
            rows: current.rows,
            bytes: blob.len(),
            index_at,
            first: current.first,
            last: self.last.clone(),
        };
        self.done.push(Segment::new(info, blob));
        Ok(())
    }

    /// Ends the run, which may be empty.
    ///
    /// # Errors
    /// As [`Writer::push`].
    pub fn finish(mut self) -> Result<Run> {
        if !self.pending.is_empty() {
            self.write_pending()?;
        }
        if let Some(current) = self.current.take() {
            self.end(current)?;
        }
        Ok(Run::new(self.width, self.done))
    }
}

/// How many of the tuples differ from the one before in the first column, and in the first two.
fn distinct(block: &Block, from: usize, to: usize) -> (u64, u64) {
    let column = |n: usize| block.column(n).get(from..to).unwrap_or_default();
    let (first, second) = (column(0), column(1));
    let changes = |values: &[u64]| {
        values
            .iter()
            .zip(values.iter().skip(1))
            .filter(|(a, b)| a != b)
            .count()
    };
    let firsts = changes(first);
    let both = if second.is_empty() {
        firsts
    } else {
        let pairs = first.iter().zip(second);
        let next = first.iter().skip(1).zip(second.iter().skip(1));
        pairs.zip(next).filter(|(a, b)| a != b).count()
    };
    (firsts.saturating_add(1) as u64, both.saturating_add(1) as u64)
}

fn is_ascending(block: &Block, from: usize, to: usize) -> bool {
    let row = |n: usize| {
        let mut out = Vec::new();
        block.row(n, &mut out);
        out
    };
    (from.saturating_add(1)..to).all(|n| row(n.saturating_sub(1)) < row(n))
}
