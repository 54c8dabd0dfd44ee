//! Joining what does not fit in memory: pattern by pattern, both sides sorted by what they share, merged, and the result
//! sorted for the next pattern. Everything is read and written in order.
//!
//! Invariant: memory is a quarter of what is given for each of: the bindings so far, the next pattern, the result.
//! The tuples of the next pattern that share one key have to fit in it.
//!
//! Deliberately absent: cyclic patterns' worst-case bounds (what is bound so far can be more than the result).

use craton_base::{Error, Kind, Result};

use super::{Query, Resources, Sink, Slot, report::OutputReport};
use crate::{
    Block, Facts, Tuples,
    plan::{Scan, bound, variables},
    sort::{SortCost, SortedTuples, Sorter},
};

/// Bindings that are made before they are handed on.
const ROWS: usize = 4096;

/// Numbers of a group that are held whatever the memory.
const GROUP_NUMBERS_MIN: u64 = 64 << 10;

/// What it took.
#[derive(Default)]
pub(super) struct Streamed {
    pub(super) outputs: Vec<OutputReport>,
    pub(super) words: Vec<String>,
    pub(super) spilled_bytes: u64,
}

/// One join after the other.
struct Streaming<'a> {
    query: &'a Query,
    facts: &'a dyn Facts,
    resources: &'a Resources,
    bound: Vec<u16>,
    done: Streamed,
}

/// Bindings of variables, sorted by them in this order.
struct Bindings {
    variables: Vec<u16>,
    tuples: Box<dyn Tuples>,
}

/// Answers a query and pushes each output to the sink.
pub(super) fn stream(
    query: &Query,
    facts: &dyn Facts,
    resources: &Resources,
    sink: &mut dyn Sink,
) -> Result<Streamed> {
    let mut streaming = Streaming {
        query,
        facts,
        resources,
        bound: bound(query),
        done: Streamed::default(),
    };
    streaming.run(sink)?;
    Ok(streaming.done)
}

impl Streaming<'_> {
    fn run(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let patterns = self.patterns()?;
        let mut rest = patterns.as_slice();
        let mut left: Option<Bindings> = None;
        while let Some((at, later)) = rest.split_first() {
            rest = later;
            let mut of_pattern = self.of(*at);
            if of_pattern.is_empty() {
                if !self.exists(*at)? {
                    return Ok(());
                }
                continue;
            }
            let known: &[u16] = left
                .as_ref()
                .map(|left| left.variables.as_slice())
                .unwrap_or_default();
            let (key, targets) = match left {
                // The key is what the bindings are sorted by, as far as the pattern has it.
                Some(_) => (
                    known.iter().take_while(|v| of_pattern.contains(v)).count(),
                    self.targets(known, &of_pattern, rest),
                ),
                None => (0, self.targets(&[], &of_pattern, rest)),
            };
            let place = |v: &u16| known.iter().position(|k| k == v).unwrap_or(usize::MAX);
            let first_sort = targets
                .first()
                .map(|target| target.variables.clone())
                .unwrap_or_default();
            of_pattern.sort_by_key(|v| match left {
                Some(_) => place(v),
                None => first_sort.iter().position(|k| k == v).unwrap_or(usize::MAX),
            });
            let right = self.open(*at, &of_pattern)?;
            let mut sorters = targets
                .iter()
                .map(|target| target.sorter(self.resources))
                .collect::<Result<Vec<_>>>()?;
            let mut joining = Joining::new(
                left.as_ref().map(|left| left.variables.as_slice()),
                &right,
                key,
                &targets,
            );
            let control = &self.resources.control;
            match left.take() {
                Some(left) => joining.merge(left.tuples, right.tuples, &mut sorters, self.resources)?,
                None => joining.copy(right.tuples, &mut sorters, control)?,
            }
            if rest.iter().all(|at| self.of(*at).is_empty()) {
                for at in rest {
                    if !self.exists(*at)? {
                        return Ok(());
                    }
                }
                return self.push(sorters, sink);
            }
            // Where nothing of what is bound so far is needed, only whether there is any matters.
            if sorters.iter().all(|sorter| !sorter.any) {
                return Ok(());
            }
            left = self.next_left(sorters, first_sort)?;
        }
        // No pattern has a variable: the outputs are constants.
        let outputs = self.query.outputs.iter().enumerate();
        for (at, slots) in outputs {
            self.push_constants(at, slots, sink)?;
        }
        Ok(())
    }

    /// The bound variables of a pattern.
    fn of(&self, pattern: usize) -> Vec<u16> {
        let slots = self
            .query
            .atoms
            .get(pattern)
            .map(|atom| atom.slots.as_slice())
            .unwrap_or_default();
        let mut of = variables(slots);
        of.retain(|v| self.bound.contains(v));
        of
    }

    /// The patterns in the order in which they are joined: the smallest first, then the smallest that shares a variable.
    fn patterns(&mut self) -> Result<Vec<usize>> {
        let mut rest = Vec::new();
        for (at, atom) in self.query.atoms.iter().enumerate() {
            let scan = Scan::new(atom, &self.of(at), &self.query.ranges, self.facts)?;
            rest.push((scan.rows(self.facts)?, at));
        }
        rest.sort_unstable();
        let (mut order, mut known): (Vec<usize>, Vec<u16>) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            let shares = |at: usize| known.is_empty() || self.of(at).iter().any(|v| known.contains(v));
            let next = rest.iter().position(|(_, at)| shares(*at)).unwrap_or(0);
            let (_, at) = rest.remove(next);
            known.extend(self.of(at));
            order.push(at);
        }
        for at in &order {
            self.done
                .words
                .push(format!("merge with pattern {at}, sorted by what is shared"));
        }
        Ok(order)
    }

    /// How the bindings after a join have to be sorted: for the next pattern, or, after the last, for each output.
    fn targets(&self, known: &[u16], of_pattern: &[u16], rest: &[usize]) -> Vec<Target> {
        let mut all = known.to_vec();
        all.extend(of_pattern.iter().filter(|v| !known.contains(v)));
        let rest: Vec<usize> = rest
            .iter()
            .copied()
            .filter(|at| !self.of(*at).is_empty())
            .collect();
        let Some(next) = rest.first() else {
            return self
                .query
                .outputs
                .iter()
                .map(|slots| Target {
                    variables: variables(slots),
                })
                .collect();
        };
        let next_of = self.of(*next);
        let wanted = variables(self.query.outputs.iter().flatten());
        all.retain(|v| wanted.contains(v) || rest.iter().any(|at| self.of(*at).contains(v)));
        let (mut key, others): (Vec<u16>, Vec<u16>) = all.iter().partition(|v| next_of.contains(v));
        key.extend(others);
        vec![Target { variables: key }]
    }

    /// A pattern's tuples, sorted by the variables.
    fn open(&mut self, pattern: usize, of: &[u16]) -> Result<Bindings> {
        let atom = self
            .query
            .atoms
            .get(pattern)
            .ok_or_else(|| Error::internal("a pattern is missing"))?;
        let scan = Scan::new(atom, of, &self.query.ranges, self.facts)?;
        let mut sorter = Sorter::new(
            of.len(),
            self.resources.memory / 4,
            self.resources.storage.clone(),
        )?;
        if !scan.sort {
            let tuples = scan.open(self.facts)?;
            return Ok(Bindings {
                variables: of.to_vec(),
                tuples,
            });
        }
        scan.read(self.facts, &self.resources.control, &mut |columns, _| {
            sorter.push(columns)?;
            Ok(true)
        })?;
        let (sorted, cost) = sorter.finish()?;
        self.done.spilled_bytes += cost.spilled_bytes;
        Ok(Bindings {
            variables: of.to_vec(),
            tuples: Box::new(sorted),
        })
    }

    fn exists(&self, pattern: usize) -> Result<bool> {
        let mut found = false;
        if let Some(atom) = self.query.atoms.get(pattern) {
            let scan = Scan::new(atom, &[], &self.query.ranges, self.facts)?;
            scan.read(self.facts, &self.resources.control, &mut |_, rows| {
                found |= rows > 0;
                Ok(false)
            })?;
        }
        Ok(found)
    }

    fn next_left(&mut self, sorters: Vec<Sorted>, variables: Vec<u16>) -> Result<Option<Bindings>> {
        let Some(sorter) = sorters.into_iter().find(|sorter| sorter.inner.is_some()) else {
            return Ok(None);
        };
        let (tuples, cost) = sorter.finish()?;
        self.done.spilled_bytes += cost.spilled_bytes;
        Ok(Some(Bindings {
            variables,
            tuples: Box::new(tuples),
        }))
    }

    /// Pushes the outputs, which are sorted now.
    fn push(&mut self, sorters: Vec<Sorted>, sink: &mut dyn Sink) -> Result<()> {
        let query = self.query;
        for ((at, slots), sorter) in query.outputs.iter().enumerate().zip(sorters) {
            if variables(slots).is_empty() {
                if sorter.any {
                    self.push_constants(at, slots, sink)?;
                } else {
                    self.done.outputs.push(OutputReport::default());
                }
                continue;
            }
            let (mut tuples, cost) = sorter.finish()?;
            let of = variables(slots);
            let (mut from, mut to) = (Block::default(), Block::default());
            let mut rows = 0;
            while tuples.next(&mut from)? {
                rows += from.rows() as u64;
                self.resources.control.made_facts(from.rows() as u64)?;
                push_block(slots, &of, &from, &mut to, at, sink)?;
            }
            let sort = Some(cost);
            self.done.outputs.push(OutputReport { rows, sort });
        }
        Ok(())
    }

    fn push_constants(&mut self, at: usize, slots: &[Slot], sink: &mut dyn Sink) -> Result<()> {
        let mut one = Block::new(1);
        one.push(&[0]);
        self.resources.control.made_facts(1)?;
        push_block(slots, &[], &one, &mut Block::default(), at, sink)?;
        self.done.outputs.push(OutputReport { rows: 1, sort: None });
        Ok(())
    }
}

/// Makes an output's blocks from its variables' columns.
fn push_block(
    slots: &[Slot],
    of: &[u16],
    from: &Block,
    to: &mut Block,
    at: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    let most = Block::rows_max(slots.len());
    let mut start = 0;
    while start < from.rows() {
        let end = from.rows().min(start + most);
        to.reset(slots.len());
        to.fill(|columns| {
            for (column, slot) in columns.iter_mut().zip(slots) {
                match slot {
                    Slot::Constant(id) => column.resize(end - start, id.0),
                    Slot::Variable(v) => {
                        let place = of.iter().position(|o| o == v).unwrap_or_default();
                        column.extend_from_slice(from.column(place).get(start..end).unwrap_or_default());
                    }
                }
            }
        });
        sink.push(at, to)?;
        start = end;
    }
    Ok(())
}

/// What bindings are sorted by.
struct Target {
    variables: Vec<u16>,
}

impl Target {
    fn sorter(&self, resources: &Resources) -> Result<Sorted> {
        let inner = match self.variables.len() {
            0 => None,
            width => Some(Sorter::new(
                width,
                resources.memory / 4,
                resources.storage.clone(),
            )?),
        };
        Ok(Sorted { inner, any: false })
    }
}

/// A sorter; none where nothing but whether there is a binding matters.
struct Sorted {
    inner: Option<Sorter>,
    any: bool,
}

impl Sorted {
    fn push(&mut self, columns: &[&[u64]], rows: usize) -> Result<()> {
        self.any |= rows > 0;
        match &mut self.inner {
            Some(sorter) => sorter.push(columns),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<(SortedTuples, SortCost)> {
        match self.inner {
            Some(sorter) => sorter.finish(),
            None => Err(Error::internal("bindings without variables can not be merged")),
        }
    }
}

/// One merge.
struct Joining {
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
    fn new(left: Option<&[u16]>, right: &Bindings, key: usize, targets: &[Target]) -> Self {
        let left = left.unwrap_or_default();
        let mut all = left.to_vec();
        all.extend(right.variables.iter().skip(key));
        let column = |v: &u16| all.iter().position(|a| a == v);
        let columns = targets
            .iter()
            .map(|target| target.variables.iter().filter_map(column).collect())
            .collect();
        Self {
            key,
            columns,
            left_width: left.len(),
            right_width: right.variables.len() - key,
            made: vec![Vec::new(); all.len()],
            rows: 0,
        }
    }

    /// Without a left side: every tuple is a binding.
    fn copy(
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

    fn merge(
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
