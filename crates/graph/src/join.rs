//! Joins: patterns over relations, answered with the instances of some columns, sorted and without duplicates.
//!
//! ```text
//! query ─▶ plan: an order of the variables, one scan for each pattern, one step for each variable
//!       ─▶ load: scans become tries of local numbers (`domain`, `trie`), each once however many patterns share it
//!       ─▶ steps: batches of bindings grow by a variable at a time; what is not needed any more is dropped at once
//!       ─▶ output: in order where the plan made it so, else sorted, spilling what does not fit
//! ```
//! A variable that several patterns constrain takes the intersection of their sorted values (leapfrog triejoin, breadth
//! first: Veldhuizen 2014), so cyclic patterns cost no more than their worst case. The work is shared out to threads by the
//! first variable's values. What does not fit in memory is joined pattern by pattern on sorted streams (`stream`).
//!
//! Invariants
//! - an output's tuples come in ascending order, each once, from each worker; what workers give does not overlap;
//! - everything checks its [`Control`] once a batch, and holds at most its memory.
//!
//! Deliberately absent: texts, unification (its leftovers are the language's), where results go.

use std::sync::Arc;

use craton_base::Result;

use crate::{Control, Facts, Id, Relation, Storage, plan};

mod domain;
mod group;
mod input;
mod load;
mod marks;
mod output;
mod report;
mod run;
mod step;
mod stream;
mod trie;

pub use output::Sink;
pub use report::{OutputReport, Report, StepReport};

use load::Loading;

#[cfg(test)]
mod tests;

/// A column of a pattern or of an output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Slot {
    /// This id.
    Constant(Id),
    /// A variable of the query.
    Variable(u16),
}

/// A pattern: a tuple of the relation, with a slot for each of the relation's columns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Atom {
    /// Where the tuples are.
    pub relation: Relation,
    /// What its columns must be.
    pub slots: Vec<Slot>,
}

/// The ids that a variable may be, least and greatest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// The variable.
    pub variable: u16,
    /// The least id.
    pub least: Id,
    /// The greatest id.
    pub most: Id,
}

/// Patterns that must all match, and what is wanted of their matches.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// The patterns.
    pub atoms: Vec<Atom>,
    /// What variables are limited to.
    pub ranges: Vec<Range>,
    /// The tuples wanted, each a set of its own. Their variables occur in patterns.
    pub outputs: Vec<Vec<Slot>>,
}

/// What a join may use.
#[derive(Clone)]
pub struct Resources {
    /// Bytes of memory.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Where what does not fit goes.
    pub storage: Arc<dyn Storage>,
    /// Limits and cancelling.
    pub control: Control,
}

/// Answers a query. `make` makes a sink for each worker, and one for what has to be merged; all are given back.
///
/// # Errors
/// `Invalid` for a query that is none; limits and cancelling ([`Control`]); the storage's and the sinks' own.
pub fn join<S: Sink>(
    query: &Query,
    facts: &dyn Facts,
    resources: &Resources,
    make: impl Fn() -> Result<S> + Sync,
) -> Result<(Vec<S>, Report)> {
    let start = resources.control.elapsed();
    let plan = plan::plan(query, facts)?;
    let loading = load::load(facts, &plan, resources)?;
    let reading = resources.control.elapsed().saturating_sub(start);
    let mut report = Report {
        plan: report::words(&plan),
        reading,
        ..Report::default()
    };
    let sinks = match loading {
        Loading::Nothing => Vec::new(),
        Loading::TooLarge => {
            let mut sink = make()?;
            let streamed = stream::stream(query, facts, resources, &mut sink)?;
            report.plan = streamed.words;
            report.streamed = true;
            report.spilled_bytes = streamed.spilled_bytes;
            report.outputs = streamed.outputs;
            vec![sink]
        }
        Loading::Loaded(loaded) => {
            report.read = loaded.read;
            report.held_bytes = loaded.bytes;
            report.spilled_bytes = loaded.spilled_bytes;
            let (plan, loaded) = (&plan, &loaded);
            let ended = run::Running {
                plan,
                loaded,
                resources,
            }
            .run(&make)?;
            report.steps = ended.steps;
            report.outputs = ended.outputs;
            ended.sinks
        }
    };
    report.time = resources.control.elapsed().saturating_sub(start);
    let sorted = report.outputs.iter().map(OutputReport::spilled_bytes);
    let spilled = sorted.fold(report.spilled_bytes, u64::saturating_add);
    resources.control.joined(report.held_bytes, spilled);
    Ok((sinks, report))
}

/// How a query would be answered, in words.
///
/// # Errors
/// `Invalid` for a query that is none; the storage's own.
pub fn explain(query: &Query, facts: &dyn Facts) -> Result<Vec<String>> {
    Ok(report::words(&plan::plan(query, facts)?))
}
