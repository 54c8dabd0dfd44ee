//! From an order of variables to scans, steps and outputs.
//!
//! Deliberately absent: choosing the order.

use craton_base::Result;

use super::{Scan, bound, variables};
use crate::{
    Facts,
    join::{Query, Slot},
};

/// What is done for a query.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How each pattern is read.
    pub(crate) scans: Vec<Scan>,
    /// One step for each variable of the order.
    pub(crate) steps: Vec<StepPlan>,
    /// One for each output of the query.
    pub(crate) outputs: Vec<OutputPlan>,
}

/// Binding one variable.
#[derive(Clone, Debug)]
pub(crate) struct StepPlan {
    pub(crate) variable: u16,
    /// The patterns that say what the variable can be, with the columns of the bindings so far that their tuples begin with.
    pub(crate) inputs: Vec<(usize, Vec<usize>)>,
    /// The columns of the bindings so far that are needed later.
    pub(crate) keep: Vec<usize>,
    /// Whether the variable itself is needed later.
    pub(crate) emit: bool,
    /// Whether duplicates are dropped: bindings with the same kept columns are next to each other.
    pub(crate) distinct: bool,
}

/// Making one output from the last bindings.
#[derive(Clone, Debug)]
pub(crate) struct OutputPlan {
    /// The output's columns.
    pub(crate) slots: Vec<Slot>,
    /// Its variables in order of appearance: the columns of the last bindings.
    pub(crate) columns: Vec<usize>,
    /// For each variable slot its place in `columns`.
    pub(crate) places: Vec<Option<usize>>,
    /// Whether the last bindings have it in order.
    pub(crate) in_order: bool,
    /// Whether in-order tuples can repeat.
    pub(crate) repeats: bool,
}

pub(super) fn compile(query: &Query, facts: &dyn Facts, order: &[u16]) -> Result<Plan> {
    let bound = bound(query);
    let place = |variable: &u16| order.iter().position(|v| v == variable);
    let mut scans = Vec::new();
    let mut pattern_variables = Vec::new();
    for atom in &query.atoms {
        let mut of_atom = variables(&atom.slots);
        of_atom.retain(|variable| bound.contains(variable));
        of_atom.sort_by_key(place);
        scans.push(Scan::new(atom, &of_atom, &query.ranges, facts)?);
        pattern_variables.push(of_atom);
    }
    let wanted = variables(query.outputs.iter().flatten());
    let mut live: Vec<u16> = Vec::new();
    let mut sorted = true;
    let mut steps = Vec::new();
    for (at, variable) in order.iter().enumerate() {
        // Needed later: wanted, or in a pattern that has a variable which is bound later.
        let needed = |v: &u16| {
            let bound_later = |other: &u16| place(other) > Some(at);
            wanted.contains(v)
                || pattern_variables
                    .iter()
                    .any(|of| of.contains(v) && of.iter().any(bound_later))
        };
        let mut step = step(*variable, &live, &pattern_variables, needed, &mut sorted);
        // A pattern that only says which first values it has, and is asked for their children in the next step anyway.
        let asked_next = |of: &[u16]| of.get(1).is_some_and(|second| order.get(at + 1) == Some(second));
        if step.inputs.iter().any(|(_, path)| !path.is_empty()) {
            let of = |pattern: usize| {
                pattern_variables
                    .get(pattern)
                    .map(Vec::as_slice)
                    .unwrap_or_default()
            };
            step.inputs
                .retain(|(pattern, path)| !path.is_empty() || !asked_next(of(*pattern)));
        }
        live = step
            .keep
            .iter()
            .filter_map(|column| live.get(*column).copied())
            .collect();
        if step.emit {
            live.push(*variable);
        }
        steps.push(step);
    }
    let from_first = live.first() == order.first();
    let outputs = query
        .outputs
        .iter()
        .map(|slots| output(slots, &live, sorted && from_first))
        .collect();
    Ok(Plan {
        scans,
        steps,
        outputs,
    })
}

fn step(
    variable: u16,
    live: &[u16],
    patterns: &[Vec<u16>],
    needed: impl Fn(&u16) -> bool,
    sorted: &mut bool,
) -> StepPlan {
    let column = |v: &u16| live.iter().position(|l| l == v);
    let mut inputs = Vec::new();
    for (pattern, of) in patterns.iter().enumerate() {
        if let Some(at) = of.iter().position(|v| *v == variable) {
            inputs.push((pattern, of.iter().take(at).filter_map(column).collect()));
        }
    }
    let keep: Vec<usize> = live
        .iter()
        .enumerate()
        .filter(|(_, v)| needed(v))
        .map(|(at, _)| at)
        .collect();
    let emit = needed(&variable);
    let prefix = keep.iter().enumerate().all(|(at, column)| at == *column);
    let drops = keep.len() < live.len() || !emit;
    let distinct = drops && prefix && *sorted;
    *sorted = *sorted && (!drops || distinct);
    StepPlan {
        variable,
        inputs,
        keep,
        emit,
        distinct,
    }
}

fn output(slots: &[Slot], live: &[u16], sorted: bool) -> OutputPlan {
    let of = variables(slots);
    let columns: Vec<usize> = of
        .iter()
        .filter_map(|v| live.iter().position(|l| l == v))
        .collect();
    let places = slots
        .iter()
        .map(|slot| match slot {
            Slot::Variable(variable) => of.iter().position(|v| v == variable),
            Slot::Constant(_) => None,
        })
        .collect();
    let prefix = !columns.is_empty() && columns.iter().enumerate().all(|(at, column)| at == *column);
    OutputPlan {
        slots: slots.to_vec(),
        in_order: prefix && sorted,
        repeats: columns.len() < live.len(),
        columns,
        places,
    }
}
