//! Texts of symbols: bytes by number. A run holds the texts of consecutive numbers, in blocks.
//!
//! ```text
//! block    count u16 | lengths, a column | the texts, one after the other
//! index    one row a block: the first text's place in the run, where the block begins
//! ```
//!
//! Invariants: a block holds at most [`BLOCK_TEXTS`] texts, and only one if that is longer than [`BLOCK_BYTES`]; a run has at
//! most [`BLOCKS_MAX`] blocks, so its index fits in memory.
//!
//! Deliberately absent: ids, finding a text by its bytes ([`crate::dictionary`]).

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Result};
use lru::LruCache;
use parking_lot::Mutex;

use crate::{
    BlobWrite, Block, Storage,
    manifest::TextRun,
    run::{codec, column, places},
};

/// About the bytes of texts in a block.
const BLOCK_BYTES: usize = 32 << 10;

/// The most texts of a block.
const BLOCK_TEXTS: usize = 4096;

/// The most blocks of a run.
const BLOCKS_MAX: usize = 8192;

/// Texts of a block longer than this are not kept in the cache.
const CACHED_BYTES_MAX: usize = 128 << 10;

/// Columns of the index.
const INDEX_WIDTH: usize = 2;

/// The most blocks that are kept, and about the bytes of one: its texts, and where each ends.
const CACHED_BLOCKS_MAX: u64 = 48;
const CACHED_BLOCK_BYTES: u64 = (BLOCK_BYTES + 8 * BLOCK_TEXTS) as u64;

/// The most indexes that are kept, and the most bytes of one.
const CACHED_INDEXES_MAX: u64 = 8;
const INDEX_BYTES: u64 = (BLOCKS_MAX * INDEX_WIDTH * 8) as u64;

/// Writes texts with consecutive numbers.
pub struct Writer<'a> {
    storage: &'a dyn Storage,
    /// The number of the next text.
    next: u64,
    lengths: Vec<u64>,
    bytes: Vec<u8>,
    current: Option<Current>,
    done: Vec<TextRun>,
}

struct Current {
    blob: Box<dyn BlobWrite>,
    first: u64,
    /// Texts in finished blocks.
    count: u64,
    written: u64,
    index: Block,
}

impl<'a> Writer<'a> {
    /// The first text gets the number `first`.
    #[must_use]
    pub fn new(storage: &'a dyn Storage, first: u64) -> Self {
        Self {
            storage,
            next: first,
            lengths: Vec::new(),
            bytes: Vec::new(),
            current: None,
            done: Vec::new(),
        }
    }

    /// Appends a text.
    ///
    /// # Errors
    /// The storage's own.
    pub fn push(&mut self, text: &[u8]) -> Result<()> {
        let full =
            self.bytes.len().saturating_add(text.len()) > BLOCK_BYTES || self.lengths.len() >= BLOCK_TEXTS;
        if full && !self.lengths.is_empty() {
            self.write_block()?;
        }
        self.lengths.push(text.len() as u64);
        self.bytes.extend_from_slice(text);
        self.next = self.next.saturating_add(1);
        Ok(())
    }

    fn write_block(&mut self) -> Result<()> {
        let count = self.lengths.len() as u64;
        let mut current = match self.current.take() {
            Some(current) => current,
            None => Current {
                blob: self.storage.create()?,
                first: self.next.saturating_sub(count),
                count: 0,
                written: 0,
                index: Block::new(INDEX_WIDTH),
            },
        };
        let mut out = Vec::with_capacity(self.bytes.len().saturating_add(BLOCK_TEXTS));
        out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
        column::encode(&self.lengths, &mut Vec::new(), &mut out);
        out.extend_from_slice(&self.bytes);
        current.index.push(&[current.count, current.written]);
        current.blob.write(&out)?;
        current.written = current.written.saturating_add(out.len() as u64);
        current.count = current.count.saturating_add(count);
        self.lengths.clear();
        self.bytes.clear();
        if current.index.rows() >= BLOCKS_MAX {
            return self.end(current);
        }
        self.current = Some(current);
        Ok(())
    }

    fn end(&mut self, mut current: Current) -> Result<()> {
        let mut out = Vec::new();
        codec::write_blocks(&current.index, &mut out);
        current.blob.write(&out)?;
        self.done.push(TextRun {
            first: current.first,
            count: current.count,
            index_at: current.written,
            blob: current.blob.finish()?,
        });
        Ok(())
    }

    /// Ends it: the runs, in order.
    ///
    /// # Errors
    /// The storage's own.
    pub fn finish(mut self) -> Result<Vec<TextRun>> {
        if !self.lengths.is_empty() {
            self.write_block()?;
        }
        if let Some(current) = self.current.take() {
            self.end(current)?;
        }
        Ok(self.done)
    }
}

/// The texts of a block.
struct TextBlock {
    /// Where each text ends.
    ends: Vec<usize>,
    bytes: Bytes,
}

impl TextBlock {
    fn parse(bytes: &Bytes) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<2>()?;
        let mut lengths = Vec::new();
        let rest = column::decode(rest, usize::from(u16::from_le_bytes(*count)), &mut lengths)?;
        let mut end = 0usize;
        let mut ends = Vec::with_capacity(lengths.len());
        for length in lengths {
            end = end.checked_add(usize::try_from(length).ok()?)?;
            ends.push(end);
        }
        (end == rest.len()).then(|| Self {
            ends,
            bytes: bytes.slice_ref(rest),
        })
    }

    fn text(&self, place: usize) -> Option<&[u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(place)?)
    }
}

/// Reads texts by number, keeping blocks that were read lately.
pub struct Texts {
    runs: Vec<TextRun>,
    blocks: Mutex<LruCache<(usize, usize), Arc<TextBlock>>>,
    indexes: Mutex<LruCache<usize, Arc<Block>>>,
}

impl Texts {
    /// The most memory that one holds, about, in bytes.
    pub const MEMORY: u64 = CACHED_BLOCKS_MAX * CACHED_BLOCK_BYTES + CACHED_INDEXES_MAX * INDEX_BYTES;

    /// Of runs in ascending order of their numbers; holds about so many bytes, but a block and an index at least.
    #[must_use]
    pub fn new(runs: Vec<TextRun>, bytes: u64) -> Self {
        let share = |most: u64| places(most.saturating_mul(bytes) / Self::MEMORY, most);
        Self {
            runs,
            blocks: Mutex::new(LruCache::new(share(CACHED_BLOCKS_MAX))),
            indexes: Mutex::new(LruCache::new(share(CACHED_INDEXES_MAX))),
        }
    }

    /// Appends the text with this number.
    ///
    /// # Errors
    /// `Corrupt` if there is none; the storage's own.
    pub fn text(&self, number: u64, out: &mut Vec<u8>) -> Result<()> {
        let unknown = || Error::corrupt(format!("the graph has no symbol with the number {number}"));
        let at = self.runs.partition_point(|r| r.first <= number).checked_sub(1);
        let (at, run) = at
            .and_then(|at| Some((at, self.runs.get(at)?)))
            .ok_or_else(unknown)?;
        let place = number.saturating_sub(run.first);
        let index = self.index(at, run)?;
        let firsts = index.column(0);
        let block = firsts
            .partition_point(|f| *f <= place)
            .checked_sub(1)
            .ok_or_else(unknown)?;
        let first = firsts.get(block).copied().unwrap_or_default();
        let texts = self.block(at, run, &index, block)?;
        let place = usize::try_from(place.saturating_sub(first)).unwrap_or(usize::MAX);
        out.extend_from_slice(texts.text(place).ok_or_else(unknown)?);
        Ok(())
    }

    fn index(&self, at: usize, run: &TextRun) -> Result<Arc<Block>> {
        if let Some(index) = self.indexes.lock().get(&at) {
            return Ok(Arc::clone(index));
        }
        let bytes = run.blob.read(run.index_at..run.blob.len())?;
        let index = codec::read_blocks(&bytes, INDEX_WIDTH).ok_or_else(damaged)?;
        let index = Arc::new(index);
        self.indexes.lock().put(at, Arc::clone(&index));
        Ok(index)
    }

    fn block(&self, at: usize, run: &TextRun, index: &Block, block: usize) -> Result<Arc<TextBlock>> {
        if let Some(found) = self.blocks.lock().get(&(at, block)) {
            return Ok(Arc::clone(found));
        }
        let offset = |n: usize| index.column(1).get(n).copied().unwrap_or(run.index_at);
        let bytes = run.blob.read(offset(block)..offset(block.saturating_add(1)))?;
        let texts = Arc::new(TextBlock::parse(&bytes).ok_or_else(damaged)?);
        if bytes.len() <= CACHED_BYTES_MAX {
            self.blocks.lock().put((at, block), Arc::clone(&texts));
        }
        Ok(texts)
    }
}

fn damaged() -> Error {
    Error::corrupt("a run of symbols' texts does not parse")
}

#[cfg(test)]
mod tests;
