//! What a join does and what it did: EXPLAIN before, the account after.
//!
//! Deliberately absent: names of variables and relations (the language has them).

use std::{fmt, time::Duration};

use super::step::StepWork;
use crate::{
    plan::{Plan, StepPlan},
    sort::SortCost,
};

/// What binding one variable took, all threads together.
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    /// The variable.
    pub variable: u16,
    /// The patterns that say what it can be.
    pub patterns: Vec<usize>,
    /// Bindings that came in.
    pub rows_in: u64,
    /// Values looked at.
    pub candidates: u64,
    /// Bindings that went out.
    pub rows_out: u64,
    /// Time of all threads.
    pub time: Duration,
}

impl StepReport {
    pub(super) fn new(plan: &StepPlan, work: StepWork) -> Self {
        Self {
            variable: plan.variable,
            patterns: plan.inputs.iter().map(|(pattern, _)| *pattern).collect(),
            rows_in: work.rows_in,
            candidates: work.candidates,
            rows_out: work.rows_out,
            time: work.time,
        }
    }
}

/// What making one output took.
#[derive(Clone, Debug, Default)]
pub struct OutputReport {
    /// Tuples, each once.
    pub rows: u64,
    pub(super) sort: Option<SortCost>,
}

impl OutputReport {
    /// Whether it had to be sorted.
    #[must_use]
    pub fn sorted(&self) -> bool {
        self.sort.is_some()
    }

    /// Bytes that sorting it spilled.
    #[must_use]
    pub fn spilled_bytes(&self) -> u64 {
        self.sort.map_or(0, |cost| cost.spilled_bytes)
    }

    /// Tuples before duplicates were dropped by sorting; as many as there are where it was not sorted.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.sort.map_or(self.rows, |cost| cost.taken)
    }
}

/// What a join took.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The plan in words, a line for each part.
    pub plan: Vec<String>,
    /// Whether patterns were joined on sorted streams, because they did not fit in memory.
    pub streamed: bool,
    /// Tuples read.
    pub read: u64,
    /// Bytes of patterns held in memory.
    pub held_bytes: u64,
    /// Bytes spilled while reading.
    pub spilled_bytes: u64,
    /// Time of reading.
    pub reading: Duration,
    /// Each variable but the first.
    pub steps: Vec<StepReport>,
    /// Each output.
    pub outputs: Vec<OutputReport>,
    /// Time of it all.
    pub time: Duration,
}

/// The plan in words.
pub(super) fn words(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, scan) in plan.scans.iter().enumerate() {
        lines.push(format!("read pattern {at}: {scan}"));
    }
    for step in &plan.steps {
        let patterns: Vec<String> = step
            .inputs
            .iter()
            .map(|(pattern, _)| pattern.to_string())
            .collect();
        let how = match (step.distinct, step.emit) {
            (true, true) => ", duplicates dropped",
            (true, false) => ", only whether there is one",
            (false, false) => ", only whether there is one for each",
            (false, true) => "",
        };
        lines.push(format!(
            "bind variable {} from patterns {}{how}",
            step.variable,
            patterns.join(" ∩ ")
        ));
    }
    for (at, output) in plan.outputs.iter().enumerate() {
        lines.push(format!(
            "output {at}: {}",
            if output.in_order { "in order" } else { "sorted" }
        ));
    }
    lines
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.plan {
            writeln!(f, "{line}")?;
        }
        let (read, held) = (self.read, self.held_bytes >> 10);
        writeln!(
            f,
            "read {read} tuples in {:.3?}, {held} KiB held, {} bytes spilled",
            self.reading, self.spilled_bytes
        )?;
        for step in &self.steps {
            let StepReport {
                variable,
                rows_in,
                candidates,
                rows_out,
                time,
                ..
            } = step;
            writeln!(
                f,
                "variable {variable}: {rows_in} bindings, {candidates} values, {rows_out} bindings out, {time:.3?}"
            )?;
        }
        for (at, output) in self.outputs.iter().enumerate() {
            let (rows, taken, spilled) = (output.rows, output.taken(), output.spilled_bytes());
            writeln!(
                f,
                "output {at}: {rows} tuples of {taken}, {spilled} bytes spilled"
            )?;
        }
        write!(f, "{:.3?} in all", self.time)
    }
}
