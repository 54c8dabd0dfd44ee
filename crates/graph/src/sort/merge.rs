//! Merging sorted keys from memory and from spilled runs; a key that several have comes once.
//!
//! Where many sources are interleaved key by key, a heap costs more than the keys. So some keys of each source are taken together, up to
//! the least of their last ones, and sorted by their digits in the processor's cache.
//!
//! Deliberately absent: what keys mean.

use craton_base::Result;

use super::{code, key::Key, pieces::PieceReader, radix};

/// Bytes of keys that are gathered at once, of all sources together.
const GATHERED_BYTES: usize = 1 << 20;
/// A source gives so many keys at a time at least.
const WINDOW_MIN: usize = 256;

/// Sorted, distinct keys: a buffer, and where it is filled from.
pub(crate) struct Source<K> {
    keys: Vec<K>,
    at: usize,
    reader: Option<PieceReader>,
}

impl<K: Key> Source<K> {
    pub(super) fn memory(keys: Vec<K>) -> Self {
        Self {
            keys,
            at: 0,
            reader: None,
        }
    }

    pub(super) fn spilled(reader: PieceReader) -> Self {
        Self {
            keys: Vec::new(),
            at: 0,
            reader: Some(reader),
        }
    }

    /// The key at hand; reads on where the buffer is used up.
    fn head(&mut self) -> Result<Option<K>> {
        if self.at >= self.keys.len() && !self.refill()? {
            return Ok(None);
        }
        Ok(self.keys.get(self.at).copied())
    }

    fn refill(&mut self) -> Result<bool> {
        let Some(reader) = &mut self.reader else {
            return Ok(false);
        };
        self.at = 0;
        self.keys.clear();
        while self.keys.is_empty() {
            let Some(piece) = reader.read()? else {
                self.reader = None;
                return Ok(false);
            };
            code::decode(&piece, &mut self.keys)?;
        }
        Ok(true)
    }

    /// Passes over the keys that are less than `least`.
    fn seek(&mut self, least: K) -> Result<()> {
        loop {
            let rest = self.keys.get(self.at..).unwrap_or_default();
            self.at += rest.partition_point(|key| *key < least);
            match self.head()? {
                Some(key) if key < least => {}
                _ => return Ok(()),
            }
        }
    }

    /// The last of the next `window` keys that are at hand.
    fn last_of(&mut self, window: usize) -> Result<Option<K>> {
        if self.head()?.is_none() {
            return Ok(None);
        }
        let end = self.keys.len().min(self.at.saturating_add(window));
        Ok(end.checked_sub(1).and_then(|last| self.keys.get(last)).copied())
    }

    /// Appends the keys at hand up to `bound` to `to`.
    fn take_to(&mut self, bound: K, to: &mut Vec<K>) {
        let rest = self.keys.get(self.at..).unwrap_or_default();
        let count = rest.partition_point(|key| *key <= bound);
        to.extend_from_slice(rest.get(..count).unwrap_or_default());
        self.at += count;
    }

    /// Copies up to `count` keys to `to`.
    fn take(&mut self, count: usize, to: &mut Vec<K>) -> Result<()> {
        if self.head()?.is_some() {
            let rest = self.keys.get(self.at..).unwrap_or_default();
            let part = rest.get(..count).unwrap_or(rest);
            to.extend_from_slice(part);
            self.at += part.len();
        }
        Ok(())
    }
}

/// A merge of sources.
pub(crate) struct Sorted<K> {
    sources: Vec<Source<K>>,
    /// The next keys of several sources, sorted and distinct, and how many of them were given.
    ready: Vec<K>,
    given: usize,
    scratch: Vec<K>,
}

impl<K: Key> Sorted<K> {
    /// Merges `sources`.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub(crate) fn new(mut sources: Vec<Source<K>>) -> Result<Self> {
        for source in &mut sources {
            source.head()?;
        }
        Ok(Self {
            sources,
            ready: Vec::new(),
            given: 0,
            scratch: Vec::new(),
        })
    }

    /// Puts the next keys, at most `most`, into `keys`, in place of what is there; `false` after the last.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub(crate) fn next(&mut self, most: usize, keys: &mut Vec<K>) -> Result<bool> {
        keys.clear();
        if let [only] = self.sources.as_mut_slice() {
            only.take(most, keys)?;
            return Ok(!keys.is_empty());
        }
        while keys.len() < most && (self.given < self.ready.len() || self.gather()?) {
            let rest = self.ready.get(self.given..).unwrap_or_default();
            let part = rest.get(..most - keys.len()).unwrap_or(rest);
            keys.extend_from_slice(part);
            self.given += part.len();
        }
        Ok(!keys.is_empty())
    }

    /// Makes the next keys ready; `false` after the last. All that are not greater than the bound are taken from every source, so no
    /// key comes again later.
    fn gather(&mut self) -> Result<bool> {
        let keys = GATHERED_BYTES / size_of::<K>() / self.sources.len().max(1);
        let mut bound: Option<K> = None;
        for source in &mut self.sources {
            if let Some(last) = source.last_of(keys.max(WINDOW_MIN))? {
                bound = Some(bound.map_or(last, |bound| bound.min(last)));
            }
        }
        self.ready.clear();
        self.given = 0;
        let Some(bound) = bound else { return Ok(false) };
        let mut parts = 0;
        for source in &mut self.sources {
            let before = self.ready.len();
            source.take_to(bound, &mut self.ready);
            parts += usize::from(self.ready.len() > before);
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

    /// Passes over the keys that are less than `least`.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub(crate) fn seek(&mut self, least: K) -> Result<()> {
        let rest = self.ready.get(self.given..).unwrap_or_default();
        self.given += rest.partition_point(|key| *key < least);
        if self.given >= self.ready.len() {
            for source in &mut self.sources {
                source.seek(least)?;
            }
        }
        Ok(())
    }
}
