//! Sorting bindings on their way from one merge to the next: where the ids that there are lie close together, as keys of a few bits for
//! each variable, of which more fit in memory and fewer bytes are spilled.
//!
//! Invariant: local numbers have the order of the ids, so that keys sort as tuples do.
//!
//! Deliberately absent: what is joined.

use std::sync::Arc;

use craton_base::Result;

use crate::{
    Block, Tuples,
    join::{
        Resources,
        domain::Domain,
        load::{Packed, extend, unpack},
    },
    sort::{KeySorter, SortCost, Sorted, Sorter},
};

/// A sorter of bindings.
pub(super) enum BindingSorter {
    Ids(Sorter),
    Narrow(Numbered<KeySorter<u64>>),
    Middle(Numbered<KeySorter<u128>>),
}

/// Keys of local numbers: their sorter, or what it gives.
pub(super) struct Numbered<T> {
    domain: Arc<Domain>,
    locals: Vec<Vec<u32>>,
    inner: T,
}

impl<T> Numbered<T> {
    fn new(width: usize, domain: &Arc<Domain>, inner: T) -> Self {
        Self {
            domain: domain.clone(),
            locals: vec![Vec::new(); width],
            inner,
        }
    }
}

impl BindingSorter {
    /// Of so many variables, in `budget` bytes; `domain` knows every id that comes.
    pub(super) fn new(
        width: usize,
        budget: u64,
        domain: Option<&Arc<Domain>>,
        resources: &Resources,
    ) -> Result<Self> {
        let storage = resources.storage.clone();
        let bits = domain.map(|domain| width as u32 * domain.bits());
        Ok(match (domain, bits) {
            (Some(domain), Some(..=64)) => {
                Self::Narrow(Numbered::new(width, domain, KeySorter::new(budget, storage)))
            }
            (Some(domain), Some(65..=128)) => {
                Self::Middle(Numbered::new(width, domain, KeySorter::new(budget, storage)))
            }
            _ => Self::Ids(Sorter::new(width, budget, storage)?),
        })
    }

    /// Takes bindings: a column for each variable.
    pub(super) fn push(&mut self, columns: &[&[u64]]) -> Result<()> {
        match self {
            Self::Ids(sorter) => sorter.push(columns),
            Self::Narrow(sorter) => sorter.push(columns),
            Self::Middle(sorter) => sorter.push(columns),
        }
    }

    /// The bindings in order, each once, and what sorting cost.
    pub(super) fn finish(self) -> Result<(Box<dyn Tuples>, SortCost)> {
        match self {
            Self::Ids(sorter) => {
                let (tuples, cost) = sorter.finish()?;
                Ok((Box::new(tuples), cost))
            }
            Self::Narrow(sorter) => sorter.finish(),
            Self::Middle(sorter) => sorter.finish(),
        }
    }
}

impl<K: Packed> Numbered<KeySorter<K>> {
    fn push(&mut self, columns: &[&[u64]]) -> Result<()> {
        for (locals, column) in self.locals.iter_mut().zip(columns) {
            locals.clear();
            self.domain.locals(column, locals);
        }
        extend(&mut self.inner, &self.locals, self.domain.bits())
    }

    fn finish(self) -> Result<(Box<dyn Tuples>, SortCost)> {
        let (sources, cost) = self.inner.finish();
        let tuples = NumberedTuples {
            numbered: Numbered {
                domain: self.domain,
                locals: self.locals,
                inner: Sorted::new(sources)?,
            },
            keys: Vec::new(),
            least: Vec::new(),
        };
        Ok((Box::new(tuples), cost))
    }
}

/// Sorted keys as tuples of ids again.
struct NumberedTuples<K> {
    numbered: Numbered<Sorted<K>>,
    keys: Vec<K>,
    /// What is less is passed over.
    least: Vec<u64>,
}

impl<K: Packed> Tuples for NumberedTuples<K> {
    fn width(&self) -> usize {
        self.numbered.locals.len()
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        let width = self.width();
        let Numbered {
            domain,
            locals,
            inner,
        } = &mut self.numbered;
        loop {
            let some = inner.next(Block::rows_max(width), &mut self.keys)?;
            unpack(&self.keys, domain.bits(), locals);
            block.reset(width);
            block.fill(|columns| {
                for (column, locals) in columns.iter_mut().zip(&*locals) {
                    domain.ids(locals, column);
                }
            });
            if !some || self.least.is_empty() {
                return Ok(some);
            }
            let from = block.lower_bound(0, &self.least);
            if from < block.rows() {
                block.cut(from, block.rows());
                self.least.clear();
                return Ok(true);
            }
        }
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        if least > self.least.as_slice() {
            self.least = least.to_vec();
        }
        Ok(())
    }
}
