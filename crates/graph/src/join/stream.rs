//! Joining what does not fit in memory: pattern by pattern, both sides sorted by what they share, merged, and the result
//! sorted for the next pattern. Everything is read and written in order.
//!
//! Invariant: memory is a quarter of what is given for each of: the bindings so far, the next pattern, the result.
//! The tuples of the next pattern that share one key have to fit in it.
//!
//! Deliberately absent: cyclic patterns' worst-case bounds (what is bound so far can be more than the result).

use craton_base::{Error, Result};

mod bindings;
mod merge;
mod pipe;

use std::sync::Arc;

use bindings::BindingSorter;
use merge::{Joining, Made, Sorted};
use pipe::piped;

use super::{
    Query, Resources, Sink, Slot,
    domain::{Domain, Survey},
    report::OutputReport,
};
use crate::{
    Block, Facts, Tuples,
    plan::{Scan, bound, variables},
};

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
    /// Small numbers for the ids of all patterns, if they lie close together.
    domain: Option<Arc<Domain>>,
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
        domain: None,
        done: Streamed::default(),
    };
    streaming.domain = streaming.survey()?.dense().map(Arc::new);
    streaming.run(sink)?;
    Ok(streaming.done)
}

impl Streaming<'_> {
    fn run(&mut self, sink: &mut dyn Sink) -> Result<()> {
        let mut patterns = self.patterns()?;
        for at in patterns.iter().filter(|at| self.of(**at).is_empty()) {
            if !self.exists(*at)? {
                return Ok(());
            }
        }
        patterns.retain(|at| !self.of(*at).is_empty());
        let mut rest = patterns.as_slice();
        let mut left: Option<Bindings> = None;
        while let Some((at, later)) = rest.split_first() {
            rest = later;
            let known = left
                .as_ref()
                .map(|left| left.variables.clone())
                .unwrap_or_default();
            let targets = self.targets(&known, &self.of(*at), rest);
            if let (None, [variables], false) = (&left, targets.as_slice(), rest.is_empty())
                && variables.len() == self.of(*at).len()
            {
                // Sorted by what comes next as it is read.
                let variables = variables.clone();
                let tuples = self.open(*at, &variables)?;
                left = Some(Bindings { variables, tuples });
                continue;
            }
            let sorters = self.join(left.take(), *at, &targets)?;
            if rest.is_empty() {
                return self.push(sorters, sink);
            }
            // Where nothing of what is bound so far is needed, only whether there is any matters.
            if sorters.iter().all(|sorter| !sorter.any) {
                return Ok(());
            }
            left = self.next_left(sorters, targets)?;
        }
        // No pattern has a variable: the outputs are constants.
        let query = self.query;
        for (at, slots) in query.outputs.iter().enumerate() {
            self.push_constants(at, slots, sink)?;
        }
        Ok(())
    }

    /// Joins a pattern to the bindings, or begins with it, and sorts what comes of it by each of the targets.
    fn join(&mut self, left: Option<Bindings>, at: usize, targets: &[Vec<u16>]) -> Result<Vec<Sorted>> {
        let mut of_pattern = self.of(at);
        let (known, key) = match &left {
            // The key is what the bindings are sorted by, as far as the pattern has it.
            Some(left) => {
                let key = left
                    .variables
                    .iter()
                    .take_while(|v| of_pattern.contains(v))
                    .count();
                (left.variables.clone(), key)
            }
            None => (targets.first().cloned().unwrap_or_default(), 0),
        };
        of_pattern.sort_by_key(|v| known.iter().position(|k| k == v).unwrap_or(usize::MAX));
        let right = self.open(at, &of_pattern)?;
        // What is bound so far is sorted and read; what is made now has most of the memory, shared by its sorters.
        let budget = self.resources.memory / 2 / targets.len().max(1) as u64;
        let left_width = left.as_ref().map_or(0, |left| left.variables.len());
        let mut all = known.get(..left_width).unwrap_or_default().to_vec();
        all.extend(of_pattern.iter().skip(key));
        let sorter = |target: &Vec<u16>| self.sorter(target, &all, budget);
        let mut sorters = targets.iter().map(sorter).collect::<Result<Vec<_>>>()?;
        let mut joining = Joining::new(left_width, of_pattern.len(), key);
        let resources = self.resources;
        piped(
            resources.threads,
            |out| match left {
                Some(left) => joining.merge(left.tuples, right, out, resources),
                None => joining.copy(right, out, &resources.control),
            },
            |made: Made| sorters.iter_mut().try_for_each(|sorter| sorter.push(&made)),
        )?;
        Ok(sorters)
    }

    /// A sorter of bindings of the variables of `target`, from columns of `all`.
    fn sorter(&self, target: &[u16], all: &[u16], budget: u64) -> Result<Sorted> {
        let inner = match target.len() {
            0 => None,
            width => Some(BindingSorter::new(
                width,
                budget,
                self.domain.as_ref(),
                self.resources,
            )?),
        };
        let place = |v: &u16| all.iter().position(|a| a == v);
        let columns = target.iter().filter_map(place).collect();
        Ok(Sorted {
            inner,
            any: false,
            columns,
        })
    }

    /// The ids that bindings can have: those of the patterns.
    fn survey(&self) -> Result<Survey> {
        let (mut survey, mut seen) = (Survey::default(), Vec::new());
        for (at, atom) in self.query.atoms.iter().enumerate() {
            let scan = Scan::new(atom, &self.of(at), &self.query.ranges, self.facts)?;
            if scan.columns.is_empty() || seen.contains(&scan) {
                continue;
            }
            scan.read(self.facts, &self.resources.control, &mut |columns, _| {
                columns.iter().for_each(|column| survey.show(column));
                Ok(true)
            })?;
            seen.push(scan);
        }
        Ok(survey)
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
    fn targets(&self, known: &[u16], of_pattern: &[u16], rest: &[usize]) -> Vec<Vec<u16>> {
        let Some(next) = rest.first() else {
            return self.query.outputs.iter().map(variables).collect();
        };
        let next_of = self.of(*next);
        let wanted = variables(self.query.outputs.iter().flatten());
        let mut all = known.to_vec();
        all.extend(of_pattern.iter().filter(|v| !known.contains(v)));
        all.retain(|v| wanted.contains(v) || rest.iter().any(|at| self.of(*at).contains(v)));
        let (mut key, others): (Vec<u16>, Vec<u16>) = all.iter().partition(|v| next_of.contains(v));
        key.extend(others);
        vec![key]
    }

    /// A pattern's tuples, sorted by the variables.
    fn open(&mut self, pattern: usize, of: &[u16]) -> Result<Box<dyn Tuples>> {
        let missing = || Error::internal("a pattern is missing");
        let atom = self.query.atoms.get(pattern).ok_or_else(missing)?;
        let scan = Scan::new(atom, of, &self.query.ranges, self.facts)?;
        if !scan.sort {
            return scan.open(self.facts);
        }
        let budget = self.resources.memory / 4;
        let mut sorter = BindingSorter::new(of.len(), budget, self.domain.as_ref(), self.resources)?;
        scan.read(self.facts, &self.resources.control, &mut |columns, _| {
            sorter.push(columns)?;
            Ok(true)
        })?;
        let (sorted, cost) = sorter.finish()?;
        self.done.spilled_bytes += cost.spilled_bytes;
        Ok(sorted)
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

    fn next_left(&mut self, sorters: Vec<Sorted>, targets: Vec<Vec<u16>>) -> Result<Option<Bindings>> {
        for (sorter, variables) in sorters.into_iter().zip(targets) {
            if sorter.inner.is_some() {
                let (tuples, cost) = sorter.finish()?;
                self.done.spilled_bytes += cost.spilled_bytes;
                return Ok(Some(Bindings { variables, tuples }));
            }
        }
        Ok(None)
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
            let (mut to, mut rows) = (Block::default(), 0);
            let control = &self.resources.control;
            piped(
                self.resources.threads,
                |out| {
                    let mut from = Block::default();
                    while tuples.next(&mut from)? {
                        rows += from.rows() as u64;
                        control.made_facts(from.rows() as u64)?;
                        out(std::mem::take(&mut from))?;
                    }
                    Ok(())
                },
                |from: Block| push_block(slots, &of, &from, &mut to, at, sink),
            )?;
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
