//! Finding single tuples, with a cache of blocks: for looking names up.

use std::{hash::Hash, num::NonZeroUsize, sync::Arc};

use craton_base::Result;
use lru::LruCache;
use parking_lot::Mutex;

use super::{Index, Run, Segment, is_less, scan};
use crate::Block;

/// Bytes of the blocks that are kept unpacked, and of the indexes: eight and four large ones, or many that are small.
const BLOCKS_BYTES: u64 = 8 * (200 << 10);
const INDEXES_BYTES: u64 = 4 * (240 << 10);

/// What keeping one takes besides its numbers, about, in bytes.
const ENTRY_BYTES: u64 = 256;

/// Blocks and indexes that were read lately.
pub struct Cache {
    blocks: Mutex<Lately<(u64, usize), Block>>,
    indexes: Mutex<Lately<u64, Index>>,
}

/// What was used lately, up to so many bytes, but one at least.
struct Lately<K: Hash + Eq, V> {
    kept: LruCache<K, (Arc<V>, u64)>,
    bytes: u64,
    bytes_max: u64,
}

impl<K: Hash + Eq, V> Lately<K, V> {
    fn new(bytes_max: u64) -> Self {
        Self {
            kept: LruCache::unbounded(),
            bytes: 0,
            bytes_max,
        }
    }

    fn get(&mut self, key: &K) -> Option<Arc<V>> {
        self.kept.get(key).map(|(value, _)| Arc::clone(value))
    }

    fn put(&mut self, key: K, value: &Arc<V>, cells: usize) {
        let bytes = (cells as u64).saturating_mul(8).saturating_add(ENTRY_BYTES);
        let before = self.kept.put(key, (Arc::clone(value), bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.lose(before);
        while self.bytes > self.bytes_max && self.kept.len() > 1 {
            let oldest = self.kept.pop_lru().map(|(_, entry)| entry);
            self.lose(oldest);
        }
    }

    fn lose(&mut self, entry: Option<(Arc<V>, u64)>) {
        let bytes = entry.map(|(_, bytes)| bytes).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Cache {
    /// The most memory that one holds, about, in bytes.
    pub const MEMORY: u64 = BLOCKS_BYTES + INDEXES_BYTES;

    /// One that holds about so many bytes, but a block and an index at least.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let share = |most: u64| (most.saturating_mul(bytes) / Self::MEMORY).min(most);
        Self {
            blocks: Mutex::new(Lately::new(share(BLOCKS_BYTES))),
            indexes: Mutex::new(Lately::new(share(INDEXES_BYTES))),
        }
    }

    pub(super) fn index(&self, segment: &Segment) -> Result<Arc<Index>> {
        if let Some(index) = self.indexes.lock().get(&segment.number) {
            return Ok(index);
        }
        let index = segment.index()?;
        let cells = index.fences.rows().saturating_mul(index.fences.width());
        self.indexes.lock().put(segment.number, &index, cells);
        Ok(index)
    }

    pub(super) fn block(&self, segment: &Segment, index: &Index, block: usize) -> Result<Arc<Block>> {
        let key = (segment.number, block);
        if let Some(found) = self.blocks.lock().get(&key) {
            return Ok(found);
        }
        let mut out = Block::default();
        scan::read_one(segment, index, block, &mut out)?;
        let out = Arc::new(out);
        let cells = out.rows().saturating_mul(out.width());
        self.blocks.lock().put(key, &out, cells);
        Ok(out)
    }
}

/// How many places a cache has: one at least.
pub(crate) fn places(wanted: u64, most: u64) -> NonZeroUsize {
    let places = usize::try_from(wanted.min(most)).unwrap_or(1);
    NonZeroUsize::new(places).unwrap_or(NonZeroUsize::MIN)
}

impl Run {
    /// Appends the first tuple that begins with `prefix` to `out`; whether there is one.
    ///
    /// # Errors
    /// The blobs' own.
    pub fn find(&self, prefix: &[u64], cache: &Cache, out: &mut Vec<u64>) -> Result<bool> {
        let at = self.segments.partition_point(|s| is_less(&s.info.last, prefix));
        let Some(segment) = self.segments.get(at) else {
            return Ok(false);
        };
        let first = segment.info.first.get(..prefix.len());
        if first.is_some_and(|first| prefix < first) {
            return Ok(false);
        }
        let index = cache.index(segment)?;
        let start = index.block_of(prefix);
        for number in [start, start.saturating_add(1)] {
            if number >= index.blocks() {
                break;
            }
            let block = cache.block(segment, &index, number)?;
            let row = block.lower_bound(0, prefix);
            if row < block.rows() {
                if !block.compare(row, prefix).is_eq() {
                    return Ok(false);
                }
                block.row(row, out);
                return Ok(true);
            }
        }
        Ok(false)
    }
}
