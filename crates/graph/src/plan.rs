//! Plans: in which order a query's variables are bound, how each pattern is read for that, and what can be forgotten when.
//!
//! Invariants
//! - a plan is a function of the query and its statistics;
//! - a variable that nothing else needs is not read at all (it only has to exist);
//! - bindings stay sorted as long as what is dropped leaves a prefix of them; then duplicates are next to each other and are
//!   dropped on the way.
//!
//! Deliberately absent: reading tuples; how a step finds its values (`join`).

use craton_base::{Error, Result};

use crate::{
    Facts,
    join::{Query, Slot},
};

mod choose;
mod compile;
mod scan;

pub(crate) use compile::{OutputPlan, Plan, StepPlan};
pub(crate) use scan::Scan;

/// The plan of a query.
///
/// # Errors
/// `Invalid` if a slot is missing or an output's variable is in no pattern; the storage's own.
pub(crate) fn plan(query: &Query, facts: &dyn Facts) -> Result<Plan> {
    check(query)?;
    let order = choose::order(query, facts)?;
    compile::compile(query, facts, &order)
}

/// Whether the query is one.
fn check(query: &Query) -> Result<()> {
    for atom in &query.atoms {
        if atom.slots.len() != atom.relation.width() {
            return Err(Error::invalid(format!(
                "a pattern has {} columns where its relation has {}",
                atom.slots.len(),
                atom.relation.width()
            )));
        }
    }
    let known = |variable: u16| {
        query
            .atoms
            .iter()
            .any(|atom| atom.slots.contains(&Slot::Variable(variable)))
    };
    for variable in query.outputs.iter().flatten().filter_map(variable) {
        if !known(variable) {
            return Err(Error::invalid(format!(
                "variable {variable} of an output is in no pattern"
            )));
        }
    }
    Ok(())
}

fn variable(slot: &Slot) -> Option<u16> {
    match slot {
        Slot::Variable(variable) => Some(*variable),
        Slot::Constant(_) => None,
    }
}

/// The variables of slots, each once, in order of appearance.
pub(crate) fn variables<'a>(slots: impl IntoIterator<Item = &'a Slot>) -> Vec<u16> {
    let mut found = Vec::new();
    for variable in slots.into_iter().filter_map(variable) {
        if !found.contains(&variable) {
            found.push(variable);
        }
    }
    found
}

/// The variables that have to be bound: those of outputs and those that patterns share.
pub(crate) fn bound(query: &Query) -> Vec<u16> {
    let wanted = variables(query.outputs.iter().flatten());
    let mut all = variables(query.atoms.iter().flat_map(|atom| &atom.slots));
    let patterns_with = |variable: &u16| {
        query
            .atoms
            .iter()
            .filter(|atom| atom.slots.contains(&Slot::Variable(*variable)))
            .count()
    };
    all.retain(|variable| wanted.contains(variable) || patterns_with(variable) > 1);
    all
}
