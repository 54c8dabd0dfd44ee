//! The run of a program: step by step until no `exec` is left; and the account of each step, where it is asked for.

use std::time::Duration;

use craton_base::Result;

use super::{
    collect::Collector,
    rule::{EXEC_PREFIX, Rule},
    search::for_each_match,
    space::FactSpace,
};
use crate::{Control, control::Done};

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Stop, without an error, after so many steps.
    pub steps: u64,
    /// How many bytes the sinks of one step may gather.
    pub gathered_bytes_max: usize,
    /// Of how many steps, the first ones, the report tells one by one.
    pub told_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: u64::MAX,
            gathered_bytes_max: 1 << 30,
            told_max: 0,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many `exec` facts were run.
    pub steps: u64,
    /// How many matches they had; where joins did a step, the tuples that the join with the most of them found, duplicates counted:
    /// matches that differ in nothing that is wanted are one to it.
    pub matches: u64,
    /// How many facts were added that were not there.
    pub added: u64,
    /// How many facts were removed, `exec` facts that ran not counted.
    pub removed: u64,
    /// How many expressions of `pure` sinks had no value.
    pub failed_evaluations: u64,
    /// The first of them, as text with the reason.
    pub failures: Vec<String>,
    /// Whether the run ended because no `exec` was left.
    pub finished: bool,
    /// The first steps one by one, as many as were asked for.
    pub each: Vec<Told>,
}

/// What one step did; or several that ran at once, which are told as one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The `exec`, or the first of them, as text; a long one is cut.
    pub exec: String,
    /// How many `exec` facts it was.
    pub steps: u64,
    /// Whether joins did it, and not one match after another.
    pub joined: bool,
    /// How many matches there were, as in [`Report::matches`].
    pub matches: u64,
    /// How many facts were added that were not there.
    pub added: u64,
    /// How many facts were removed.
    pub removed: u64,
    /// Bytes read from storage.
    pub read_bytes: u64,
    /// Bytes written beside because they did not fit in memory.
    pub spilled_bytes: u64,
    /// The most bytes that a join held in memory.
    pub peak_bytes: u64,
    /// How long it took.
    pub time: Duration,
}

const FAILURES_SHOWN: usize = 16;
/// The most characters of a fact that a report shows.
const SHOWN_MAX: usize = 200;

impl Report {
    pub(super) fn failed(&mut self, expression: &[u8], why: &str) {
        self.failed_evaluations += 1;
        if self.failures.len() < FAILURES_SHOWN {
            self.failures.push(format!("{}: {why}", shown(expression)));
        }
    }

    /// Tells of a step, with `self` as it was before it.
    fn tell(
        self,
        rule: &Rule,
        joined: bool,
        control: &Control,
        (done, began): (Done, Duration),
        now: &mut Self,
    ) {
        let since = control.done();
        now.each.push(Told {
            exec: shown(rule.exec.as_bytes()),
            steps: now.steps.saturating_sub(self.steps),
            joined,
            matches: now.matches.saturating_sub(self.matches),
            added: now.added.saturating_sub(self.added),
            removed: now.removed.saturating_sub(self.removed),
            read_bytes: since.read_bytes.saturating_sub(done.read_bytes),
            spilled_bytes: since.spilled_bytes.saturating_sub(done.spilled_bytes),
            peak_bytes: control.take_peak(),
            time: control.elapsed().saturating_sub(began),
        });
    }
}

fn shown(term: &[u8]) -> String {
    let mut shown = Vec::new();
    crate::print::write(term, &mut shown);
    let mut shown = String::from_utf8_lossy(&shown).into_owned();
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(cut);
    }
    shown
}

/// Runs the `exec` facts of the space until none is left or the steps are used up.
///
/// # Errors
/// `Invalid` for a malformed `exec` or a value that is no number; `TooLarge` where a limit is reached;
/// the control's and the space's own. What the space holds after an error is not to be kept.
pub fn run(space: &mut dyn FactSpace, options: Options, control: &Control) -> Result<Report> {
    let mut report = Report::default();
    while report.steps < options.steps {
        control.check()?;
        let Some(exec) = space.first(&EXEC_PREFIX)? else {
            report.finished = true;
            return Ok(report);
        };
        let rule = Rule::read(exec)?;
        if report.each.len() >= options.told_max {
            step(space, &rule, options, control, &mut report)?;
            continue;
        }
        let before = Report {
            each: Vec::new(),
            failures: Vec::new(),
            ..report
        };
        let start = (control.done(), control.elapsed());
        control.take_peak();
        let joined = step(space, &rule, options, control, &mut report)?;
        before.tell(&rule, joined, control, start, &mut report);
    }
    report.finished = space.first(&EXEC_PREFIX)?.is_none();
    Ok(report)
}

/// Runs one rule, and what can run with it; whether joins did it.
fn step(
    space: &mut dyn FactSpace,
    rule: &Rule,
    options: Options,
    control: &Control,
    report: &mut Report,
) -> Result<bool> {
    report.steps += 1;
    control.at_step(report.steps);
    let left = options.steps.saturating_sub(report.steps).saturating_add(1);
    if space.shortcut(rule, left, report)? {
        return Ok(true);
    }
    let mut collector = Collector::new(rule, options.gathered_bytes_max);
    report.matches += for_each_match(&*space, rule, control, &mut |unifier, root| {
        collector.take(unifier, root)
    })?;
    space.remove(&rule.exec)?;
    collector.apply(space, control, report)?;
    Ok(false)
}
