//! The run of a program: step by step until no `exec` is left.

use craton_base::Result;

use super::{
    collect::Collector,
    rule::{EXEC_PREFIX, Rule},
    search::for_each_match,
    space::FactSpace,
};
use crate::Control;

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Stop, without an error, after so many steps.
    pub steps: u64,
    /// How many bytes the sinks of one step may gather.
    pub gathered_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            steps: u64::MAX,
            gathered_bytes_max: 1 << 30,
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many `exec` facts were run.
    pub steps: u64,
    /// How many matches they had.
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
}

const FAILURES_SHOWN: usize = 16;

impl Report {
    pub(super) fn failed(&mut self, expression: &[u8], why: &str) {
        self.failed_evaluations += 1;
        if self.failures.len() < FAILURES_SHOWN {
            let mut shown = Vec::new();
            crate::print::write(expression, &mut shown);
            let mut shown = String::from_utf8_lossy(&shown).into_owned();
            if let Some((cut, _)) = shown.char_indices().nth(200) {
                shown.truncate(cut);
            }
            self.failures.push(format!("{shown}: {why}"));
        }
    }
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
        report.steps += 1;
        control.at_step(report.steps);
        let left = options.steps.saturating_sub(report.steps).saturating_add(1);
        if space.shortcut(&rule, left, &mut report)? {
            continue;
        }
        let mut collector = Collector::new(&rule, options.gathered_bytes_max);
        report.matches += for_each_match(&*space, &rule, control, &mut |unifier, root| {
            collector.take(unifier, root)
        })?;
        space.remove(&rule.exec)?;
        collector.apply(space, control, &mut report)?;
    }
    report.finished = space.first(&EXEC_PREFIX)?.is_none();
    Ok(report)
}
