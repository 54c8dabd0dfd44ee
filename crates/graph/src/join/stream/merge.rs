//! One merge: bindings and a pattern's tuples, both sorted by what they share.
//!
//! Deliberately absent: which patterns, in what order.

use craton_base::{Error, Kind, Result};

use super::bindings::BindingSorter;
use crate::{Block, Tuples, join::Resources, sort::SortCost};

/// Bindings that are made before they are handed on.
const ROWS: usize = 4096;

/// Numbers of a group that are held whatever the memory.
const GROUP_NUMBERS_MIN: u64 = 64 << 10;

/// A sorter; none where nothing but whether there is a binding matters.
pub(super) struct Sorted {
    pub(super) inner: Option<BindingSorter>,
    pub(super) any: bool,
    /// Its variables' columns among those of [`Made`].
    pub(super) columns: Vec<usize>,
}

/// Bindings that were made: the left's columns, then the right's beyond the key.
#[derive(Default)]
pub(super) struct Made {
    columns: Vec<Vec<u64>>,
    rows: usize,
}

/// Takes bindings that were made.
pub(super) type Out<'a> = dyn FnMut(Made) -> Result<()> + 'a;

impl Sorted {
    pub(super) fn push(&mut self, made: &Made) -> Result<()> {
        self.any |= made.rows > 0;
        let Some(sorter) = &mut self.inner else {
            return Ok(());
        };
        let columns = self.columns.iter().filter_map(|at| made.columns.get(*at));
        let columns: Vec<&[u64]> = columns.map(Vec::as_slice).collect();
        sorter.push(&columns)
    }

    pub(super) fn finish(self) -> Result<(Box<dyn Tuples>, SortCost)> {
        match self.inner {
            Some(sorter) => sorter.finish(),
            None => Err(Error::internal("bindings without variables can not be merged")),
        }
    }
}

/// One merge.
pub(super) struct Joining {
    key: usize,
    left_width: usize,
    /// Columns of the right beyond the key.
    right_width: usize,
    made: Made,
}

impl Joining {
    /// For bindings of so many variables and a pattern of so many, the first `key` of which are the left's first too.
    pub(super) fn new(left_width: usize, right_width: usize, key: usize) -> Self {
        Self {
            key,
            left_width,
            right_width: right_width - key,
            made: Made::default(),
        }
    }

    /// Without a left side: every tuple is a binding.
    pub(super) fn copy(
        &mut self,
        mut right: Box<dyn Tuples>,
        out: &mut Out<'_>,
        control: &crate::Control,
    ) -> Result<()> {
        let mut block = Block::default();
        while right.next(&mut block)? {
            control.check()?;
            self.made.columns = block.columns().to_vec();
            self.made.rows = block.rows();
            self.hand_on(out)?;
        }
        Ok(())
    }

    /// Every tuple of the left with every one of the right that has its key.
    pub(super) fn merge(
        &mut self,
        left: Box<dyn Tuples>,
        right: Box<dyn Tuples>,
        out: &mut Out<'_>,
        resources: &Resources,
    ) -> Result<()> {
        let (mut left, mut right) = (Cursor::new(left)?, Cursor::new(right)?);
        let (mut key, mut group) = (Vec::new(), vec![Vec::new(); self.right_width]);
        let group_max = (resources.memory / 4 / 8).max(GROUP_NUMBERS_MIN);
        while left.more() && right.more() {
            resources.control.check()?;
            left.key(self.key, &mut key);
            right.advance(&key)?;
            if right.compare(&key).is_ne() {
                right.key(self.key, &mut key);
                if right.more() {
                    left.advance(&key)?;
                }
                continue;
            }
            group.iter_mut().for_each(Vec::clear);
            let rows = right.take_group(&key, &mut group, group_max)?;
            while left.more() && left.compare(&key).is_eq() {
                self.product(&left, &group, rows, out)?;
                left.step()?;
            }
        }
        self.hand_on(out)
    }

    /// The left's tuple at hand with each of the group.
    fn product(&mut self, left: &Cursor, group: &[Vec<u64>], rows: usize, out: &mut Out<'_>) -> Result<()> {
        self.made
            .columns
            .resize(self.left_width + self.right_width, Vec::new());
        // Without columns beyond the key all of the group are the same.
        let rows = if group.is_empty() { 1 } else { rows };
        let mut from = 0;
        while from < rows {
            let to = rows.min(from + ROWS);
            for (made, column) in self.made.columns.iter_mut().zip(left.block.columns()) {
                let value = column.get(left.at).copied().unwrap_or_default();
                made.extend(std::iter::repeat_n(value, to - from));
            }
            for (made, column) in self.made.columns.iter_mut().skip(self.left_width).zip(group) {
                made.extend_from_slice(column.get(from..to).unwrap_or_default());
            }
            self.made.rows += to - from;
            if self.made.rows >= ROWS {
                self.hand_on(out)?;
                self.made
                    .columns
                    .resize(self.left_width + self.right_width, Vec::new());
            }
            from = to;
        }
        Ok(())
    }

    fn hand_on(&mut self, out: &mut Out<'_>) -> Result<()> {
        match self.made.rows {
            0 => Ok(()),
            _ => out(std::mem::take(&mut self.made)),
        }
    }
}

/// A place in sorted tuples.
struct Cursor {
    tuples: Box<dyn Tuples>,
    block: Block,
    at: usize,
}

impl Cursor {
    fn new(tuples: Box<dyn Tuples>) -> Result<Self> {
        let mut cursor = Self {
            tuples,
            block: Block::default(),
            at: 0,
        };
        cursor.refill()?;
        Ok(cursor)
    }

    fn refill(&mut self) -> Result<()> {
        if self.at >= self.block.rows() {
            self.at = 0;
            self.tuples.next(&mut self.block)?;
        }
        Ok(())
    }

    fn more(&self) -> bool {
        self.at < self.block.rows()
    }

    fn key(&self, width: usize, key: &mut Vec<u64>) {
        key.clear();
        key.extend(
            self.block
                .columns()
                .iter()
                .take(width)
                .filter_map(|column| column.get(self.at).copied()),
        );
    }

    fn compare(&self, key: &[u64]) -> std::cmp::Ordering {
        match self.more() {
            true => self.block.compare(self.at, key),
            false => std::cmp::Ordering::Greater,
        }
    }

    fn step(&mut self) -> Result<()> {
        self.at += 1;
        self.refill()
    }

    /// Goes to the first tuple that is not less than the key.
    fn advance(&mut self, key: &[u64]) -> Result<()> {
        while self.more() {
            self.at = self.block.lower_bound(self.at, key);
            if self.more() {
                return Ok(());
            }
            self.refill()?;
        }
        Ok(())
    }

    /// Takes the columns beyond the key of all tuples with the key. How many there are.
    fn take_group(&mut self, key: &[u64], group: &mut [Vec<u64>], most: u64) -> Result<usize> {
        let mut rows = 0;
        while self.more() && self.compare(key).is_eq() {
            let rest = self.at..self.block.rows();
            let end = self.at
                + rest
                    .take_while(|row| self.block.compare(*row, key).is_eq())
                    .count();
            for (group, column) in group.iter_mut().zip(self.block.columns().iter().skip(key.len())) {
                group.extend_from_slice(column.get(self.at..end).unwrap_or_default());
            }
            rows += end - self.at;
            if (rows * group.len()) as u64 > most {
                return Err(Error::new(
                    Kind::TooLarge,
                    "GraphMemory",
                    "the tuples of a pattern that share one value do not fit in the memory that this join may use",
                ));
            }
            self.at = end;
            self.refill()?;
        }
        Ok(rows)
    }
}
