//! Sorting tuples of ids, without duplicates, within a budget of memory.
//!
//! Invariants: what comes out is strictly ascending, column by column; a [`Sorter`] holds at most its budget and
//! spills the rest; tuples have at most [`ARITY_MAX`] columns.
//!
//! Deliberately absent: what ids mean, relations, runs.

use std::sync::Arc;

use craton_base::{Error, Result};

pub(crate) mod code;
pub(crate) mod key;
pub(crate) mod keys;
pub(crate) mod merge;
pub(crate) mod pieces;
pub(crate) mod radix;

use key::{Key, Wide};
pub(crate) use keys::KeySorter;
pub use keys::SortCost;
pub(crate) use merge::Sorted;

use crate::{Block, Storage, Tuples};

#[cfg(test)]
mod tests;

/// Columns that a sorted tuple can have.
pub(crate) const ARITY_MAX: usize = 64;

/// Calls a macro's arm for the narrowest key that holds the columns.
macro_rules! each_width {
    ($enum:ident, $value:expr, $inner:ident => $body:expr) => {
        match $value {
            $enum::W1($inner) => $body,
            $enum::W2($inner) => $body,
            $enum::W3($inner) => $body,
            $enum::W4($inner) => $body,
            $enum::W6($inner) => $body,
            $enum::W8($inner) => $body,
            $enum::W12($inner) => $body,
            $enum::W16($inner) => $body,
            $enum::W32($inner) => $body,
            $enum::W64($inner) => $body,
        }
    };
}

/// Makes an enum with one variant for each key width, around `$inner`.
macro_rules! widths {
    ($name:ident, $inner:ident) => {
        #[allow(
            clippy::large_enum_variant,
            reason = "there is one for each sort, and it stays where it is"
        )]
        enum $name {
            W1($inner<u64>),
            W2($inner<u128>),
            W3($inner<Wide<3>>),
            W4($inner<Wide<4>>),
            W6($inner<Wide<6>>),
            W8($inner<Wide<8>>),
            W12($inner<Wide<12>>),
            W16($inner<Wide<16>>),
            W32($inner<Wide<32>>),
            W64($inner<Wide<64>>),
        }
    };
}

widths!(Sorters, KeySorter);
widths!(Merged, Reader);

/// Takes tuples in any order, gives them back sorted and distinct.
pub struct Sorter {
    arity: usize,
    inner: Sorters,
}

impl Sorter {
    /// A sorter of tuples with `arity` columns that holds at most `budget` bytes.
    ///
    /// # Errors
    /// `Invalid` if there is no column or more than [`ARITY_MAX`].
    pub fn new(arity: usize, budget: u64, storage: Arc<dyn Storage>) -> Result<Self> {
        let inner = match arity {
            1 => Sorters::W1(KeySorter::new(budget, storage)),
            2 => Sorters::W2(KeySorter::new(budget, storage)),
            3 => Sorters::W3(KeySorter::new(budget, storage)),
            4 => Sorters::W4(KeySorter::new(budget, storage)),
            5..=6 => Sorters::W6(KeySorter::new(budget, storage)),
            7..=8 => Sorters::W8(KeySorter::new(budget, storage)),
            9..=12 => Sorters::W12(KeySorter::new(budget, storage)),
            13..=16 => Sorters::W16(KeySorter::new(budget, storage)),
            17..=32 => Sorters::W32(KeySorter::new(budget, storage)),
            33..=ARITY_MAX => Sorters::W64(KeySorter::new(budget, storage)),
            _ => {
                return Err(Error::invalid(format!(
                    "tuples have 1 to {ARITY_MAX} columns, not {arity}"
                )));
            }
        };
        Ok(Self { arity, inner })
    }

    /// Takes a block of tuples: the columns, equally long, as many as the arity.
    ///
    /// # Errors
    /// `Internal` if the columns do not fit; those of spilling.
    pub fn push(&mut self, columns: &[&[u64]]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        if columns.len() != self.arity || columns.iter().any(|column| column.len() != rows) {
            return Err(Error::internal(
                "a block to be sorted does not have the sorter's shape",
            ));
        }
        if let (Sorters::W2(sorter), [first, second]) = (&mut self.inner, columns) {
            let pairs = first.iter().zip(second.iter());
            return sorter.extend(pairs.map(|(a, b)| u128::from(*a) << 64 | u128::from(*b)));
        }
        each_width!(Sorters, &mut self.inner, sorter => push(sorter, columns, rows))
    }

    /// The tuples in order, and what sorting cost.
    ///
    /// # Errors
    /// Those of reading spilled runs.
    pub fn finish(self) -> Result<(SortedTuples, SortCost)> {
        Self::merge(vec![self])
    }

    /// The tuples of all of several sorters of one arity.
    ///
    /// # Errors
    /// `Internal` if there is none or their arities differ; those of reading spilled runs.
    pub fn merge(sorters: Vec<Self>) -> Result<(SortedTuples, SortCost)> {
        let arity = sorters.first().map_or(0, |sorter| sorter.arity);
        if arity == 0 || sorters.iter().any(|sorter| sorter.arity != arity) {
            return Err(Error::internal("sorters of different shapes can not be merged"));
        }
        let mut parts = sorters.into_iter().map(|sorter| sorter.inner).peekable();
        macro_rules! merge {
            ($($width:ident),*) => {
                match parts.peek() {
                    $(Some(Sorters::$width(_)) => {
                        let same = parts.filter_map(|part| match part {
                            Sorters::$width(sorter) => Some(sorter),
                            _ => None,
                        });
                        let (reader, cost) = Reader::new(same)?;
                        (Merged::$width(reader), cost)
                    })*
                    None => return Err(Error::internal("there is no sorter to read from")),
                }
            };
        }
        let (inner, cost) = merge!(W1, W2, W3, W4, W6, W8, W12, W16, W32, W64);
        Ok((SortedTuples { arity, inner }, cost))
    }
}

fn push<K: Key>(sorter: &mut KeySorter<K>, columns: &[&[u64]], rows: usize) -> Result<()> {
    let key = |row: usize| {
        K::from_words(
            columns
                .iter()
                .map(|column| column.get(row).copied().unwrap_or_default()),
        )
    };
    sorter.extend((0..rows).map(key))
}

/// Sorted tuples, block by block.
pub struct SortedTuples {
    arity: usize,
    inner: Merged,
}

struct Reader<K> {
    sorted: Sorted<K>,
    keys: Vec<K>,
}

impl<K: Key> Reader<K> {
    fn new(sorters: impl Iterator<Item = KeySorter<K>>) -> Result<(Self, SortCost)> {
        let (mut sources, mut cost) = (Vec::new(), SortCost::default());
        for sorter in sorters {
            let (more, its) = sorter.finish();
            sources.extend(more);
            cost.add(its);
        }
        let sorted = Sorted::new(sources)?;
        let keys = Vec::new();
        Ok((Self { sorted, keys }, cost))
    }

    fn next(&mut self, arity: usize, block: &mut Block) -> Result<bool> {
        let more = self.sorted.next(Block::rows_max(arity), &mut self.keys)?;
        block.reset(arity);
        block.fill(|columns| {
            for (at, column) in columns.iter_mut().enumerate() {
                column.extend(self.keys.iter().map(|key| key.word(at)));
            }
        });
        Ok(more)
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        self.sorted.seek(K::from_words(least.iter().copied()))
    }
}

impl Tuples for SortedTuples {
    fn width(&self) -> usize {
        self.arity
    }

    fn next(&mut self, block: &mut Block) -> Result<bool> {
        each_width!(Merged, &mut self.inner, reader => reader.next(self.arity, block))
    }

    fn seek(&mut self, least: &[u64]) -> Result<()> {
        each_width!(Merged, &mut self.inner, reader => reader.seek(least))
    }
}

/// Sorts the tuples of `width` numbers in `tuples`, one after the other, and drops duplicates. In memory: needs as
/// much again twice.
pub(crate) fn sort_tuples(width: usize, tuples: &mut Vec<u64>) {
    match width {
        0 => {}
        1 => sort_rows::<u64>(width, tuples),
        2 => sort_rows::<u128>(width, tuples),
        3 => sort_rows::<Wide<3>>(width, tuples),
        4 => sort_rows::<Wide<4>>(width, tuples),
        5..=8 => sort_rows::<Wide<8>>(width, tuples),
        9..=16 => sort_rows::<Wide<16>>(width, tuples),
        _ => {
            let mut rows: Vec<&[u64]> = tuples.chunks_exact(width).collect();
            rows.sort_unstable();
            rows.dedup();
            *tuples = rows.concat();
        }
    }
}

fn sort_rows<K: Key>(width: usize, tuples: &mut Vec<u64>) {
    let mut keys: Vec<K> = tuples
        .chunks_exact(width)
        .map(|row| K::from_words(row.iter().copied()))
        .collect();
    if !keys.is_sorted() {
        let mut scratch = vec![K::default(); keys.len()];
        radix::sort(&mut keys, &mut scratch);
    }
    keys.dedup();
    tuples.clear();
    for key in keys {
        tuples.extend((0..width).map(|at| key.word(at)));
    }
}
