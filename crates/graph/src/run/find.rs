//! Finding single tuples, with a cache of blocks: for looking names up.

use std::{num::NonZeroUsize, sync::Arc};

use craton_base::Result;
use lru::LruCache;
use parking_lot::Mutex;

use super::{Index, Run, Segment, is_less, scan};
use crate::Block;

/// Blocks that are kept unpacked: about 200 KB each for three columns.
const BLOCKS: NonZeroUsize = match NonZeroUsize::new(8) {
    Some(n) => n,
    None => NonZeroUsize::MIN,
};

/// Indexes that are kept: at most 240 KB each for three columns.
const INDEXES: NonZeroUsize = match NonZeroUsize::new(4) {
    Some(n) => n,
    None => NonZeroUsize::MIN,
};

/// Blocks and indexes that were read lately. Bounded: about 2.5 MB.
pub struct Cache {
    blocks: Mutex<LruCache<(u64, usize), Arc<Block>>>,
    indexes: Mutex<LruCache<u64, Arc<Index>>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            blocks: Mutex::new(LruCache::new(BLOCKS)),
            indexes: Mutex::new(LruCache::new(INDEXES)),
        }
    }
}

impl Cache {
    /// About the most memory that one holds, in bytes.
    pub const MEMORY: u64 = 3 << 20;

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
