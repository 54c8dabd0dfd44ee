//! A block: some tuples as columns. What is read, joined and written moves in blocks.
//!
//! Invariant: all columns have the same length, at most [`Block::rows_max`] of the width.
//!
//! Deliberately absent: what the numbers mean, any order.

/// The most tuples of a block.
pub const ROWS_MAX: usize = 8192;

/// The most numbers of a block, all columns together: bounds the blocks of wide tables.
pub const CELLS_MAX: usize = 32 << 10;

/// Tuples as columns.
#[derive(Clone, Debug, Default)]
pub struct Block {
    columns: Vec<Vec<u64>>,
    rows: usize,
    /// Memory of columns that were taken away, for the next reset.
    spare: Vec<Vec<u64>>,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.columns == other.columns
    }
}

impl Eq for Block {}

impl Block {
    /// An empty block of `width` columns.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            columns: vec![Vec::new(); width],
            rows: 0,
            spare: Vec::new(),
        }
    }

    /// From columns of one length; the shortest decides.
    #[must_use]
    pub fn from_columns(mut columns: Vec<Vec<u64>>) -> Self {
        let rows = columns.iter().map(Vec::len).min().unwrap_or_default();
        columns.iter_mut().for_each(|c| c.truncate(rows));
        Self {
            columns,
            rows,
            spare: Vec::new(),
        }
    }

    /// The most tuples of a block of `width` columns.
    #[must_use]
    pub const fn rows_max(width: usize) -> usize {
        if width <= CELLS_MAX / ROWS_MAX {
            return ROWS_MAX;
        }
        let rows = CELLS_MAX / width;
        if rows == 0 { 1 } else { rows }
    }

    /// How many columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// How many tuples.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Vec<u64>] {
        &self.columns
    }

    /// Column `n`; empty if there is none.
    #[must_use]
    pub fn column(&self, n: usize) -> &[u64] {
        self.columns.get(n).map(Vec::as_slice).unwrap_or_default()
    }

    /// Tuple `row`, appended to `out`.
    pub fn row(&self, row: usize, out: &mut Vec<u64>) {
        out.extend(self.columns.iter().filter_map(|c| c.get(row).copied()));
    }

    /// Appends a tuple; numbers beyond the width are left out, missing ones are 0.
    pub fn push(&mut self, tuple: &[u64]) {
        for (n, column) in self.columns.iter_mut().enumerate() {
            column.push(tuple.get(n).copied().unwrap_or_default());
        }
        self.rows = self.rows.saturating_add(1);
    }

    /// Empties it, keeping its memory and making it `width` wide.
    pub fn reset(&mut self, width: usize) {
        let spare = &mut self.spare;
        self.columns
            .resize_with(width, || spare.pop().unwrap_or_default());
        self.columns.iter_mut().for_each(Vec::clear);
        self.rows = 0;
    }

    /// Hands the columns to `fill`, which leaves them all of one length, and takes that as the tuples' number.
    pub fn fill<T>(&mut self, fill: impl FnOnce(&mut [Vec<u64>]) -> T) -> T {
        let done = fill(&mut self.columns);
        self.rows = self.columns.iter().map(Vec::len).min().unwrap_or_default();
        let rows = self.rows;
        self.columns.iter_mut().for_each(|c| c.truncate(rows));
        done
    }

    /// Keeps the tuples `from..to` only.
    pub fn cut(&mut self, from: usize, to: usize) {
        let to = to.min(self.rows);
        let from = from.min(to);
        for column in &mut self.columns {
            column.truncate(to);
            if from > 0 {
                column.drain(..from);
            }
        }
        self.rows = to.saturating_sub(from);
    }

    /// Makes it the tuples `from..to` of another, keeping its memory.
    pub fn copy(&mut self, other: &Self, from: usize, to: usize) {
        self.reset(other.width());
        self.fill(|columns| {
            for (column, values) in columns.iter_mut().zip(other.columns()) {
                column.extend_from_slice(values.get(from..to).unwrap_or_default());
            }
        });
    }

    /// Takes the first `n` columns away.
    pub fn drop_columns(&mut self, n: usize) {
        let n = n.min(self.columns.len());
        self.spare.extend(self.columns.drain(..n));
    }

    /// Tuple `row` compared with `key` on the key's columns.
    #[must_use]
    pub fn compare(&self, row: usize, key: &[u64]) -> std::cmp::Ordering {
        let tuple = self.columns.iter().filter_map(|c| c.get(row));
        for (a, b) in tuple.zip(key) {
            match a.cmp(b) {
                std::cmp::Ordering::Equal => {}
                other => return other,
            }
        }
        std::cmp::Ordering::Equal
    }

    /// The first tuple at or after `from` that is not less than `key` on the key's columns, by galloping;
    /// the number of tuples if there is none. For a sorted block.
    #[must_use]
    pub fn lower_bound(&self, from: usize, key: &[u64]) -> usize {
        let less = |row: usize| self.compare(row, key).is_lt();
        let mut low = from.min(self.rows);
        let mut step = 1;
        while low.saturating_add(step) <= self.rows && less(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = low.saturating_add(step).min(self.rows);
        while low < high {
            let middle = low.midpoint(high);
            if less(middle) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests;
