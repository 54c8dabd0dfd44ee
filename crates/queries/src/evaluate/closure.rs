//! Walks: which nodes are reached over edges, from where the query says or from everywhere.
//!
//! Edges that fit in memory are walked breadth first from one beginning after the other; others round by round: the pairs found last, joined with
//! the edges, less what is known (semi-naive evaluation, as rules are run).
//!
//! Deliberately absent: the walks themselves; each pair of ends is told once.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use craton_base::Result;
use craton_graph::{
    Bounds,
    merge::{Input, union},
    run::{Run, Writer},
};

use super::{
    Evaluator,
    rows::{Rows, at},
};
use crate::algebra::{Closure, Slot, Variable, of_slots};

/// Bytes that an edge takes in memory, about.
const EDGE_BYTES: u64 = 16;
/// Bytes that a node takes while it is walked to, about.
const NODE_BYTES: u64 = 32;

/// Where walks begin.
struct Start {
    /// The nodes, in one column; everywhere an edge does, if none.
    nodes: Option<Rows>,
    /// Whether it is the end that the query calls the last.
    is_backward: bool,
}

/// The least and the greatest number of edges.
type Length = (u32, Option<u32>);

impl Evaluator<'_> {
    /// The ends of walks: rows of the variables among the slots.
    pub(super) fn closure(&mut self, closure: &Closure, current: Option<&Rows>) -> Result<Rows> {
        let start = self.start(closure, current)?;
        let edges = self.evaluate(&closure.edges, None)?;
        let [from, to] = closure.ends;
        let ends = if start.is_backward { [to, from] } else { [from, to] };
        let edges = self.project(&edges, &ends)?;
        let pairs = [self.fresh()?, self.fresh()?];
        let mut runs = self.walked(&edges, start.nodes.as_ref(), closure.length, pairs)?;
        if closure.length.0 == 0 {
            runs.extend(self.standing(closure, &start)?);
        }
        let inputs = runs
            .iter()
            .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))));
        let mut writer = Writer::new(&*self.storage, 2);
        writer.push_all(&mut *union(2, inputs.collect()))?;
        let run = writer.finish()?;
        let variables = pairs.to_vec();
        let walked = Rows {
            runs: if run.rows() > 0 { vec![run] } else { Vec::new() },
            ..Rows::none(variables)
        };
        self.between(&walked, closure, start.is_backward)
    }

    /// Where to begin: at a constant, at what is bound, or everywhere.
    fn start(&mut self, closure: &Closure, current: Option<&Rows>) -> Result<Start> {
        let is_term = |slot: &Slot| matches!(slot, Slot::Term(_));
        let is_bound = |slot: &Slot| match slot {
            Slot::Term(_) => true,
            Slot::Variable(v) => current.is_some_and(|rows| rows.is_certain(*v)),
        };
        let [first, last] = &closure.slots;
        let is_backward = match (is_term(first), is_term(last)) {
            (true, _) => false,
            (false, true) => true,
            (false, false) => !is_bound(first) && is_bound(last),
        };
        let slot = if is_backward { last } else { first };
        let nodes = match (slot, current) {
            (Slot::Term(term), _) => {
                let id = self.terms.id(term)?;
                let variable = self.fresh()?;
                let mut gather = self.gather(1)?;
                gather.push(&[id])?;
                Some(Rows {
                    runs: gather.finish(&*self.storage)?,
                    ..Rows::none(vec![variable])
                })
            }
            (Slot::Variable(v), Some(rows)) if rows.is_certain(*v) => Some(self.project(rows, &[*v])?),
            _ => None,
        };
        Ok(Start { nodes, is_backward })
    }

    /// Walks of one edge or more, as pairs.
    fn walked(
        &mut self,
        edges: &Rows,
        start: Option<&Rows>,
        length: Length,
        pairs: [Variable; 2],
    ) -> Result<Vec<Run>> {
        let nodes = match start {
            Some(nodes) => nodes.clone(),
            None => {
                let from = edges.variables.first().copied();
                self.project(edges, from.as_slice())?
            }
        };
        let bytes = edges.count().saturating_mul(EDGE_BYTES + NODE_BYTES);
        match bytes <= self.memory / 2 {
            true => self.in_memory(edges, &nodes, length),
            false => self.in_rounds(edges, &nodes, length, pairs),
        }
    }

    /// From one node after the other.
    fn in_memory(&mut self, edges: &Rows, nodes: &Rows, (least, most): Length) -> Result<Vec<Run>> {
        let control = self.control().clone();
        let mut sorted: Vec<(u64, u64)> =
            Vec::with_capacity(usize::try_from(edges.count()).unwrap_or_default());
        edges.each(&control, |row| {
            sorted.push((at(row, 0), at(row, 1)));
            Ok(true)
        })?;
        let next = |node: u64| {
            let begin = sorted.partition_point(|(from, _)| *from < node);
            let rest = sorted.get(begin..).unwrap_or_default();
            rest.iter()
                .take_while(move |(from, _)| *from == node)
                .map(|(_, to)| *to)
        };
        let mut gather = self.gather(2)?;
        nodes.each(&control, |row| {
            let node = at(row, 0);
            let mut level: BTreeSet<u64> = BTreeSet::from([node]);
            let mut known: HashSet<u64> = HashSet::new();
            let mut count = 0u32;
            while !level.is_empty() && most.is_none_or(|most| count < most) {
                control.check()?;
                count = count.saturating_add(1);
                let mut after: BTreeSet<u64> = level.iter().flat_map(|node| next(*node)).collect();
                if count >= least.max(1) {
                    after.retain(|node| known.insert(*node));
                    after
                        .iter()
                        .try_for_each(|reached| gather.push(&[node, *reached]))?;
                }
                level = after;
            }
            Ok(true)
        })?;
        gather.finish(&*self.storage)
    }

    /// All pairs at once, round by round.
    fn in_rounds(
        &mut self,
        edges: &Rows,
        nodes: &Rows,
        (least, most): Length,
        [from, to]: [Variable; 2],
    ) -> Result<Vec<Run>> {
        let middle = self.fresh()?;
        let (variables, maybe) = (vec![from, middle], vec![false; 2]);
        let mut level = self.map(nodes, (variables, maybe), |_, row, out| {
            out.extend([at(row, 0), at(row, 0)]);
            Ok(true)
        })?;
        let step = Rows {
            variables: vec![middle, to],
            ..edges.clone()
        };
        let mut known: Vec<Run> = Vec::new();
        let mut count = 0u32;
        while level.count() > 0 && most.is_none_or(|most| count < most) {
            count = count.saturating_add(1);
            let joined = self.strict(&[], vec![level, step.clone()], None)?;
            let after = self.project(&joined, &[from, to])?;
            let mut runs = after.runs;
            if count >= least.max(1) {
                runs = self.without(&runs, &known)?;
                known.extend(runs.iter().cloned());
                known = self.merged(known)?;
            }
            level = Rows {
                runs,
                ..Rows::none(vec![from, middle])
            };
        }
        Ok(known)
    }

    /// The pairs of runs that are not among known ones.
    fn without(&self, runs: &[Run], known: &[Run]) -> Result<Vec<Run>> {
        let scan = |run: &Run| Box::new(run.scan(&Bounds::all()));
        let removes = known.iter().map(|run| Input::removes(scan(run)));
        let adds = runs.iter().map(|run| Input::adds(scan(run)));
        self.written(removes.chain(adds).collect())
    }

    /// One run in the place of many.
    fn merged(&self, runs: Vec<Run>) -> Result<Vec<Run>> {
        const RUNS_MAX: usize = 8;
        if runs.len() <= RUNS_MAX {
            return Ok(runs);
        }
        self.written(
            runs.iter()
                .map(|run| Input::adds(Box::new(run.scan(&Bounds::all()))))
                .collect(),
        )
    }

    fn written(&self, inputs: Vec<Input>) -> Result<Vec<Run>> {
        let storage = Arc::clone(&self.storage);
        let mut writer = Writer::new(&*storage, 2);
        writer.push_all(&mut *union(2, inputs))?;
        let run = writer.finish()?;
        Ok(if run.rows() > 0 { vec![run] } else { Vec::new() })
    }

    /// Walks without edges: a node and itself.
    fn standing(&mut self, closure: &Closure, start: &Start) -> Result<Vec<Run>> {
        let [node, _] = closure.ends;
        let [first, last] = &closure.slots;
        let slot = if start.is_backward { last } else { first };
        let mut at_nodes: Vec<Rows> = Vec::new();
        match (&start.nodes, slot) {
            (Some(constant), Slot::Term(_)) => at_nodes.push(constant.clone()),
            (bound, _) => {
                for plan in &closure.nodes {
                    let rows = match bound {
                        None => self.evaluate(plan, None)?,
                        Some(bound) => {
                            let bound = Rows {
                                variables: vec![node],
                                ..bound.clone()
                            };
                            self.join_with(bound, plan)?
                        }
                    };
                    at_nodes.push(self.project(&rows, &[node])?);
                }
            }
        }
        let mut gather = self.gather(2)?;
        let control = self.control().clone();
        for rows in &at_nodes {
            rows.each(&control, |row| {
                gather.push(&[at(row, 0), at(row, 0)]).map(|()| true)
            })?;
        }
        gather.finish(&*self.storage)
    }

    /// The pairs whose ends are as the slots say, as rows of their variables.
    fn between(&mut self, pairs: &Rows, closure: &Closure, is_backward: bool) -> Result<Rows> {
        let mut slots = closure.slots.clone();
        if is_backward {
            slots.reverse();
        }
        let [first, last] = slots;
        let mut wanted = Vec::new();
        for slot in [&first, &last] {
            wanted.push(match slot {
                Slot::Term(term) => Some(self.terms.id(term)?),
                Slot::Variable(_) => None,
            });
        }
        let is_same = matches!((&first, &last), (Slot::Variable(a), Slot::Variable(b)) if a == b);
        let mut variables = of_slots(&[first, last]);
        let columns: Vec<usize> = wanted
            .iter()
            .enumerate()
            .filter(|(_, w)| w.is_none())
            .map(|(at, _)| at)
            .collect();
        let keep = if is_same { 1 } else { columns.len() };
        variables.truncate(keep);
        let is_bare = variables.is_empty();
        if is_bare {
            variables.push(self.fresh()?);
        }
        let maybe = vec![false; variables.len()];
        self.map(pairs, (variables, maybe), |_, row, out| {
            let fits = wanted
                .iter()
                .enumerate()
                .all(|(n, w)| w.is_none_or(|w| w == at(row, n)));
            match is_bare {
                true => out.push(super::nothing()),
                false => out.extend(columns.iter().take(keep).map(|column| at(row, *column))),
            }
            Ok(fits && (!is_same || at(row, 0) == at(row, 1)))
        })
    }
}
