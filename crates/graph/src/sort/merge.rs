//! Merging sorted keys from memory and from spilled runs; a key that several have comes once.
//!
//! Deliberately absent: what keys mean.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
};

use craton_base::Result;

use super::{code, key::Key, pieces::PieceReader};

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

    /// The first key that is not less than `least`.
    fn seek(&mut self, least: K) -> Result<Option<K>> {
        loop {
            let rest = self.keys.get(self.at..).unwrap_or_default();
            self.at += rest.partition_point(|key| *key < least);
            match self.head()? {
                Some(key) if key < least => {}
                other => return Ok(other),
            }
        }
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
    /// The least key of each source that is not used up; empty where there is one source only.
    heads: BinaryHeap<Reverse<(K, usize)>>,
    last: Option<K>,
}

impl<K: Key> Sorted<K> {
    /// Merges `sources`.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub(crate) fn new(mut sources: Vec<Source<K>>) -> Result<Self> {
        let mut heads = BinaryHeap::with_capacity(sources.len());
        if sources.len() > 1 {
            for (at, source) in sources.iter_mut().enumerate() {
                if let Some(key) = source.head()? {
                    heads.push(Reverse((key, at)));
                }
            }
        }
        Ok(Self {
            sources,
            heads,
            last: None,
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
        while keys.len() < most {
            let Some(mut least) = self.heads.peek_mut() else {
                break;
            };
            let Reverse((key, at)) = *least;
            if self.last != Some(key) {
                self.last = Some(key);
                keys.push(key);
            }
            let Some(source) = self.sources.get_mut(at) else {
                break;
            };
            source.at += 1;
            match source.head()? {
                Some(next) => *least = Reverse((next, at)),
                None => {
                    PeekMut::pop(least);
                }
            }
        }
        Ok(!keys.is_empty())
    }

    /// Passes over the keys that are less than `least`.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub(crate) fn seek(&mut self, least: K) -> Result<()> {
        self.heads.clear();
        let several = self.sources.len() > 1;
        for (at, source) in self.sources.iter_mut().enumerate() {
            if let Some(key) = source.seek(least)?.filter(|_| several) {
                self.heads.push(Reverse((key, at)));
            }
        }
        Ok(())
    }
}
