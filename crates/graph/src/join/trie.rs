//! Tries: a relation's tuples in memory, each column a level, the values under one parent sorted and next to each other.
//!
//! ```text
//! (1 5) (1 7) (4 5)      level 0: values 1 4      children start at 0 2 3
//!                        level 1: values 5 7 5
//! ```
//! Where the values of level 0 are dense, a table by value takes the place of the search.
//!
//! Deliberately absent: where tuples come from, ids (see `domain`).

/// No place.
const ABSENT: (u32, u32) = (0, 0);
/// Level 0 has a table where that takes at most so many entries a value.
pub(super) const TABLE_SPARSE: u32 = 4;

#[derive(Default)]
struct Level {
    values: Vec<u32>,
    /// Where the children of each value begin, and where the last one's end; empty on the last level.
    starts: Vec<u32>,
}

/// Tuples of local numbers.
#[derive(Default)]
pub(super) struct Trie {
    levels: Vec<Level>,
    /// Where the children of each value of level 0 begin, by the value itself.
    table: Vec<u32>,
}

impl Trie {
    /// How many different values the first column has.
    pub(super) fn heads(&self) -> usize {
        self.levels.first().map_or(0, |level| level.values.len())
    }

    /// The values of a level, all of them.
    #[inline]
    pub(super) fn values(&self, level: usize) -> &[u32] {
        self.levels
            .get(level)
            .map(|level| level.values.as_slice())
            .unwrap_or_default()
    }

    /// The values under the path, and where in their level they lie: `(start, end)`.
    #[inline]
    pub(super) fn range(&self, mut path: impl Iterator<Item = u32>) -> (u32, u32) {
        let Some(first) = path.next() else {
            return (0, self.heads() as u32);
        };
        let mut range = self.below_head(first);
        for (level, value) in self.levels.iter().skip(1).zip(path) {
            range = level.below(range, value);
        }
        range
    }

    /// The children of a value of level 0.
    #[inline]
    pub(super) fn below_head(&self, value: u32) -> (u32, u32) {
        let at = value as usize;
        if self.table.is_empty() {
            let all = (0, self.heads() as u32);
            return self
                .levels
                .first()
                .map_or(ABSENT, |level| level.below(all, value));
        }
        match self.table.get(at..at + 2) {
            Some([start, end]) => (*start, *end),
            _ => ABSENT,
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> u64 {
        let levels = self
            .levels
            .iter()
            .map(|level| level.values.capacity() + level.starts.capacity());
        4 * (levels.sum::<usize>() + self.table.capacity()) as u64
    }
}

impl Level {
    /// The children of `value`, which is looked for in a range of this level.
    #[inline]
    fn below(&self, (start, end): (u32, u32), value: u32) -> (u32, u32) {
        let values = self.values.get(start as usize..end as usize).unwrap_or_default();
        let Ok(found) = values.binary_search(&value) else {
            return ABSENT;
        };
        let at = start as usize + found;
        match self.starts.get(at..at + 2) {
            Some([start, end]) => (*start, *end),
            // The last level: no children. A path never leads here.
            _ => ABSENT,
        }
    }
}

/// Builds a trie from tuples in order. Duplicates are dropped.
pub(super) struct TrieBuilder {
    trie: Trie,
    last: Vec<u32>,
}

impl TrieBuilder {
    /// A builder for tuples of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        let mut trie = Trie::default();
        trie.levels.resize_with(columns, Level::default);
        Self {
            trie,
            last: Vec::new(),
        }
    }

    /// Makes room for so many tuples on the last level, and not for more: growing would take twice as much.
    pub(super) fn reserve(&mut self, tuples: u64) {
        if let (Some(leaves), Ok(tuples)) = (self.trie.levels.last_mut(), usize::try_from(tuples)) {
            leaves.values.reserve_exact(tuples);
        }
    }

    /// Takes tuples, not less than those before: their columns.
    pub(super) fn push(&mut self, columns: &[Vec<u32>]) {
        match columns {
            [only] => self.push_one(only),
            [first, second] => self.push_two(first, second),
            _ => self.push_many(columns),
        }
    }

    fn push_one(&mut self, column: &[u32]) {
        let Some(level) = self.trie.levels.first_mut() else {
            return;
        };
        for value in column {
            if level.values.last() != Some(value) {
                level.values.push(*value);
            }
        }
    }

    fn push_two(&mut self, first: &[u32], second: &[u32]) {
        let [heads, leaves] = self.trie.levels.as_mut_slice() else {
            return;
        };
        let mut last = heads.values.last().copied();
        for (a, b) in first.iter().zip(second) {
            if last != Some(*a) {
                heads.values.push(*a);
                heads.starts.push(leaves.values.len() as u32);
                last = Some(*a);
            } else if leaves.values.last() == Some(b) {
                continue;
            }
            leaves.values.push(*b);
        }
    }

    fn push_many(&mut self, columns: &[Vec<u32>]) {
        let rows = columns.first().map_or(0, Vec::len);
        let mut row = Vec::with_capacity(columns.len());
        for at in 0..rows {
            row.clear();
            row.extend(columns.iter().filter_map(|column| column.get(at).copied()));
            let same = row.iter().zip(&self.last).take_while(|(a, b)| a == b).count();
            if same == columns.len() {
                continue;
            }
            let mut levels = self.trie.levels.iter_mut().zip(&row).skip(same).peekable();
            while let Some((level, value)) = levels.next() {
                level.values.push(*value);
                if let Some((below, _)) = levels.peek() {
                    level.starts.push(below.values.len() as u32);
                }
            }
            std::mem::swap(&mut self.last, &mut row);
        }
    }

    /// The trie, of local numbers below `bound`.
    pub(super) fn finish(self, bound: u32) -> Trie {
        let mut trie = self.trie;
        let ends: Vec<u32> = trie
            .levels
            .iter()
            .skip(1)
            .map(|level| level.values.len() as u32)
            .collect();
        for (level, end) in trie.levels.iter_mut().zip(ends) {
            level.starts.push(end);
        }
        if trie.levels.len() > 1 && u64::from(bound) <= u64::from(TABLE_SPARSE) * trie.heads() as u64 + 64 {
            trie.make_table(bound);
        }
        for level in &mut trie.levels {
            level.values.shrink_to_fit();
            level.starts.shrink_to_fit();
        }
        trie
    }
}

impl Trie {
    fn make_table(&mut self, bound: u32) {
        let Some(level) = self.levels.first_mut() else {
            return;
        };
        let mut table = Vec::with_capacity(bound as usize + 1);
        for (value, start) in level.values.iter().zip(&level.starts) {
            // Values that are not there have the start of the next one: no children.
            table.resize(*value as usize + 1, *start);
        }
        table.resize(
            bound as usize + 1,
            level.starts.last().copied().unwrap_or_default(),
        );
        self.table = table;
        level.starts = Vec::new();
    }
}
