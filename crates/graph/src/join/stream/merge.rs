//! One merge: bindings and a pattern's tuples, both sorted by what they share.
//!
//! Deliberately absent: which patterns, in what order.

use craton_base::{Error, Kind, Result};

use crate::{
    Block, Tuples,
    join::Resources,
    sort::{SortCost, SortedTuples, Sorter},
};

/// Bindings that are made before they are handed on.
const ROWS: usize = 4096;

/// Numbers of a group that are held whatever the memory.
const GROUP_NUMBERS_MIN: u64 = 64 << 10;

/// A sorter; none where nothing but whether there is a binding matters.
pub(super) struct Sorted {
    pub(super) inner: Option<Sorter>,
    pub(super) any: bool,
}

impl Sorted {
    fn push(&mut self, columns: &[&[u64]], rows: usize) -> Result<()> {
        self.any |= rows > 0;
        match &mut self.inner {
            Some(sorter) => sorter.push(columns),
            None => Ok(()),
        }
    }

    pub(super) fn finish(self) -> Result<(SortedTuples, SortCost)> {
        match self.inner {
            Some(sorter) => sorter.finish(),
            None => Err(Error::internal("bindings without variables can not be merged")),
        }
    }
}

/// One merge.
pub(super) struct Joining {
    key: usize,
    /// For each target and each of its variables: the column among the left's columns followed by the right's.
    columns: Vec<Vec<usize>>,
    left_width: usize,
    /// Columns of the right beyond the key.
    right_width: usize,
    /// Bindings made: the left's columns, then the right's beyond the key.
    made: Vec<Vec<u64>>,
    rows: usize,
}

impl Joining {
    /// For bindings of the `left` variables and a pattern of the `right` ones, the first `key` of which are the left's
    /// first too; each target is what bindings made are sorted by.
    pub(super) fn new(left: Option<&[u16]>, right: &[u16], key: usize, targets: &[Vec<u16>]) -> Self {
        let left = left.unwrap_or_default();
        let mut all = left.to_vec();
        all.extend(right.iter().skip(key));
        let column = |v: &u16| all.iter().position(|a| a == v);
        let columns = targets
            .iter()
            .map(|target| target.iter().filter_map(column).collect())
            .collect();
        Self {
            key,
            columns,
            left_width: left.len(),
            right_width: right.len() - key,
            made: vec![Vec::new(); all.len()],
            rows: 0,
        }
    }

    /// Without a left side: every tuple is a binding.
    pub(super) fn copy(
        &mut self,
        mut right: Box<dyn Tuples>,
        sorters: &mut [Sorted],
        control: &crate::Control,
    ) -> Result<()> {
        let mut block = Block::default();
        while right.next(&mut block)? {
            control.check()?;
            for (made, column) in self.made.iter_mut().zip(block.columns()) {
                made.extend_from_slice(column);
            }
            self.rows = block.rows();
            self.hand_on(sorters)?;
        }
        Ok(())
    }

    /// Every tuple of the left with every one of the right that has its key.
    pub(super) fn merge(
        &mut self,
        left: Box<dyn Tuples>,
        right: Box<dyn Tuples>,
        sorters: &mut [Sorted],
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
                self.product(&left, &group, rows, sorters)?;
                left.step()?;
            }
        }
        self.hand_on(sorters)
    }

    /// The left's tuple at hand with each of the group.
    fn product(
        &mut self,
        left: &Cursor,
        group: &[Vec<u64>],
        rows: usize,
        sorters: &mut [Sorted],
    ) -> Result<()> {
        // Without columns beyond the key all of the group are the same.
        let rows = if group.is_empty() { 1 } else { rows };
        let mut from = 0;
        while from < rows {
            let to = rows.min(from + ROWS);
            for (made, column) in self.made.iter_mut().zip(left.block.columns()) {
                let value = column.get(left.at).copied().unwrap_or_default();
                made.extend(std::iter::repeat_n(value, to - from));
            }
            for (made, column) in self.made.iter_mut().skip(self.left_width).zip(group) {
                made.extend_from_slice(column.get(from..to).unwrap_or_default());
            }
            self.rows += to - from;
            if self.rows >= ROWS {
                self.hand_on(sorters)?;
            }
            from = to;
        }
        Ok(())
    }

    fn hand_on(&mut self, sorters: &mut [Sorted]) -> Result<()> {
        for (sorter, columns) in sorters.iter_mut().zip(&self.columns) {
            let columns: Vec<&[u64]> = columns
                .iter()
                .filter_map(|at| self.made.get(*at).map(Vec::as_slice))
                .collect();
            sorter.push(&columns, self.rows)?;
        }
        self.made.iter_mut().for_each(Vec::clear);
        self.rows = 0;
        Ok(())
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
