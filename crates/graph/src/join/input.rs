//! Where a step finds a variable's values: tries at the end of a path of values bound before, and the intersection of several.
//!
//! Invariant: values come out ascending, each once.
//!
//! Deliberately absent: what becomes of them.

use super::{group::MARKS_BOUND_MAX, marks::Marks, step::Batch, trie::Trie};

/// A slice this many times longer than another is searched, not walked.
const SKEW: usize = 16;
/// Searching for a value costs about as much as marking so many.
const SEARCH_COST: usize = 8;

/// One pattern's say in a variable.
pub(super) struct Input<'a> {
    trie: &'a Trie,
    path: &'a [usize],
    /// All values of the level that the path ends at.
    values: &'a [u32],
    /// Where each binding's values lie among them.
    ranges: Vec<(u32, u32)>,
    /// Whether neighbouring bindings mostly have the same range: then it is marked in a bitmap.
    stable: bool,
    marks: Marks,
    marked: (u32, u32),
    /// A range that was searched in, and what that cost so far.
    searched: ((u32, u32), usize),
}

impl<'a> Input<'a> {
    /// The values below `path`, columns of the bindings.
    pub(super) fn new(trie: &'a Trie, path: &'a [usize]) -> Self {
        Self {
            trie,
            path,
            values: trie.values(path.len()),
            ranges: Vec::new(),
            stable: false,
            marks: Marks::default(),
            marked: (0, 0),
            searched: ((0, 0), 0),
        }
    }

    fn resolve(&mut self, batch: &Batch) {
        self.ranges.clear();
        match self.path {
            [] => self
                .ranges
                .resize(batch.rows, self.trie.range(std::iter::empty())),
            [only] => {
                let column = batch.columns.get(*only).map(Vec::as_slice).unwrap_or_default();
                self.ranges
                    .extend(column.iter().map(|value| self.trie.below_head(*value)));
            }
            path => {
                let columns: Vec<&[u32]> = path
                    .iter()
                    .filter_map(|at| batch.columns.get(*at).map(Vec::as_slice))
                    .collect();
                let range = |row: usize| {
                    self.trie
                        .range(columns.iter().filter_map(|column| column.get(row).copied()))
                };
                self.ranges.extend((0..batch.rows).map(range));
            }
        }
    }

    #[inline]
    fn range(&self, row: usize) -> (u32, u32) {
        self.ranges.get(row).copied().unwrap_or_default()
    }

    #[inline]
    fn slice(&self, (start, end): (u32, u32)) -> &'a [u32] {
        self.values.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Puts those of `from` into `common` that this input has for binding `row` too.
    fn keep_common(&mut self, row: usize, from: &[u32], common: &mut Vec<u32>) {
        let range = self.range(row);
        let slice = self.slice(range);
        if self.stable && self.worth_marking(range, from.len()) {
            self.mark(range);
            marked_in(from, &self.marks, common);
            return;
        }
        common.clear();
        if slice.len() / SKEW > from.len() {
            search_in(from, slice, common);
        } else if from.len() / SKEW > slice.len() {
            search_in(slice, from, common);
        } else {
            walk_in(from, slice, common);
        }
    }

    /// Whether a range is marked, or asked often enough by now that marking pays.
    fn worth_marking(&mut self, range: (u32, u32), asked: usize) -> bool {
        if self.marked == range {
            return true;
        }
        if self.searched.0 != range {
            self.searched = (range, 0);
        }
        self.searched.1 += asked * SEARCH_COST;
        self.searched.1 >= (range.1 - range.0) as usize
    }

    /// Marks the values of a range in place of those marked before.
    fn mark(&mut self, range: (u32, u32)) {
        if self.marked != range {
            self.marks.clear(self.slice(self.marked));
            for value in self.slice(range) {
                self.marks.insert(*value);
            }
            self.marked = range;
        }
    }
}

/// All patterns that have a say.
pub(super) struct Inputs<'a> {
    inputs: Vec<Input<'a>>,
    found: Vec<u32>,
    spare: Vec<u32>,
    /// Keeps the compiler from leaving out reads that only warm the cache.
    touched: u32,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(mut inputs: Vec<Input<'a>>, columns: usize, bound: u32) -> Self {
        if inputs.len() > 1 && bound <= MARKS_BOUND_MAX {
            for input in &mut inputs {
                input.stable = input.path.iter().all(|column| column + 1 < columns);
                if input.stable {
                    input.marks = Marks::new(bound);
                }
            }
        }
        Self {
            inputs,
            found: Vec::new(),
            spare: Vec::new(),
            touched: 0,
        }
    }

    /// Finds the ranges of a batch's bindings, all at once: the reads do not wait for each other.
    pub(super) fn resolve(&mut self, batch: &Batch) {
        for input in &mut self.inputs {
            input.resolve(batch);
        }
        for input in self
            .inputs
            .iter()
            .filter(|input| !input.stable && !input.path.is_empty())
        {
            let firsts = input
                .ranges
                .iter()
                .map(|(start, _)| input.values.get(*start as usize));
            self.touched ^= firsts.fold(0, |all, value| all ^ value.copied().unwrap_or_default());
        }
    }

    /// How many values binding `row` has at most.
    #[inline]
    pub(super) fn most(&self, row: usize) -> usize {
        let lengths = self.inputs.iter().map(|input| {
            let (start, end) = input.range(row);
            (end - start) as usize
        });
        lengths.min().unwrap_or_default()
    }

    /// The values of binding `row`.
    #[inline]
    pub(super) fn values(&mut self, row: usize) -> &[u32] {
        if let [only] = self.inputs.as_slice() {
            return only.slice(only.range(row));
        }
        self.intersect(row);
        &self.found
    }

    fn intersect(&mut self, row: usize) {
        let driver = self.driver(row);
        let Self {
            inputs, found, spare, ..
        } = self;
        found.clear();
        let walked = driver
            .and_then(|at| inputs.get(at))
            .map(|input| input.slice(input.range(row)));
        let Some(walked) = walked else { return };
        let mut narrowed = false;
        for (at, input) in inputs.iter_mut().enumerate() {
            if Some(at) == driver {
                continue;
            }
            let from: &[u32] = if narrowed { spare } else { walked };
            input.keep_common(row, from, found);
            narrowed = true;
            std::mem::swap(found, spare);
        }
        std::mem::swap(found, spare);
    }

    /// The input whose values are walked: the shortest of those that change from binding to binding, unless another is far shorter.
    fn driver(&self, row: usize) -> Option<usize> {
        let length = |input: &Input<'_>| {
            let (start, end) = input.range(row);
            (end - start) as usize
        };
        let inputs = || {
            self.inputs
                .iter()
                .enumerate()
                .map(|(at, input)| (length(input), at, input.stable))
        };
        let (least, shortest, _) = inputs().min()?;
        if least == 0 {
            return None;
        }
        let changing = inputs().filter(|(_, _, stable)| !stable).min();
        match changing {
            Some((length, at, _)) if length <= SKEW.saturating_mul(least) => Some(at),
            _ => Some(shortest),
        }
    }
}

/// Those of `from` that are marked.
fn marked_in(from: &[u32], marks: &Marks, common: &mut Vec<u32>) {
    common.resize(from.len(), 0);
    let mut count = 0;
    for value in from {
        // Written always, kept if marked: nothing for the processor to guess.
        if let Some(slot) = common.get_mut(count) {
            *slot = *value;
        }
        count += usize::from(marks.contains(*value));
    }
    common.truncate(count);
}

/// Those of `few` that are among `many`, by galloping.
fn search_in(few: &[u32], many: &[u32], common: &mut Vec<u32>) {
    let mut rest = many;
    for value in few {
        let mut step = 1;
        while rest.get(step).is_some_and(|ahead| ahead < value) {
            step *= 2;
        }
        let window = rest.get(..=step).unwrap_or(rest);
        let skip = window.partition_point(|other| other < value);
        rest = rest.get(skip..).unwrap_or_default();
        match rest.first() {
            Some(other) if other == value => common.push(*value),
            Some(_) => {}
            None => return,
        }
    }
}

/// Those that both have, step by step.
fn walk_in(a: &[u32], b: &[u32], common: &mut Vec<u32>) {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    while let (Some(x), Some(y)) = (a.peek().copied(), b.peek().copied()) {
        if x == y {
            common.push(x);
        }
        if x <= y {
            a.next();
        }
        if y <= x {
            b.next();
        }
    }
}
