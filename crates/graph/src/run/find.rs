//! Finding single tuples, with a cache of blocks: for looking names up.

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::Result;
use lru::LruCache;
use parking_lot::Mutex;

use super::{Index, Run, Segment, is_less, scan};
use crate::Block;

/// The most blocks that are kept unpacked, and about the bytes of one, of three columns.
const BLOCKS_MAX: u64 = 8;
const BLOCK_BYTES: u64 = 200 << 10;

/// The most indexes that are kept, and the bytes of one, of three columns.
const INDEXES_MAX: u64 = 4;
const INDEX_BYTES: u64 = 240 << 10;

/// Blocks and indexes that were read lately.
pub struct Cache {
    blocks: Mutex<LruCache<(u64, usize), Arc<Block>>>,
    indexes: Mutex<LruCache<u64, Arc<Index>>>,
}

impl Cache {
    /// The most memory that one holds, about, in bytes.
    pub const MEMORY: u64 = BLOCKS_MAX * BLOCK_BYTES + INDEXES_MAX * INDEX_BYTES;

    /// One that holds about so many bytes, but a block and an index at least.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let share = |most: u64| places(most.saturating_mul(bytes) / Self::MEMORY, most);
        Self {
            blocks: Mutex::new(LruCache::new(share(BLOCKS_MAX))),
            indexes: Mutex::new(LruCache::new(share(INDEXES_MAX))),
        }
    }

    fn index(&self, segment: &Segment) -> Result<Arc<Index>> {
        if let Some(index) = self.indexes.lock().get(&segment.number) {
            return Ok(Arc::clone(index));
        }
        let index = segment.index()?;
        self.indexes.lock().put(segment.number, Arc::clone(&index));
        Ok(index)
    }

    fn block(&self, segment: &Segment, index: &Index, block: usize) -> Result<Arc<Block>> {
        let key = (segment.number, block);
        if let Some(found) = self.blocks.lock().get(&key) {
            return Ok(Arc::clone(found));
        }
        let mut out = Block::default();
        scan::read_one(segment, index, block, &mut out)?;
        let out = Arc::new(out);
        self.blocks.lock().put(key, Arc::clone(&out));
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
