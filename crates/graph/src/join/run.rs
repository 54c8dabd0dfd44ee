//! Running a join whose patterns are in memory: the first variable's values are shared out to threads.
//!
//! Deliberately absent: loading, planning.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use craton_base::{Error, Result};

use super::{
    Resources,
    input::{Input, Inputs},
    load::Loaded,
    output::{Blocks, Merging, Outputs, Sink, Unmerged, merge},
    report::{OutputReport, StepReport},
    step::{Batch, Step, StepWork, feed, finish},
};
use crate::plan::Plan;

/// The most values of the first variable that a thread takes at once.
const SHARE_MAX: usize = 4096;
/// Shares for each thread at least, so that a heavy one does not keep the others waiting.
const SHARES: usize = 64;

/// What is done for a loaded plan, and by whom.
pub(super) struct Running<'a> {
    pub(super) plan: &'a Plan,
    pub(super) loaded: &'a Loaded,
    pub(super) resources: &'a Resources,
}

/// What one worker leaves.
struct Done<S> {
    sink: S,
    merging: Vec<Unmerged>,
    rows: Vec<u64>,
    work: Vec<StepWork>,
}

/// What all workers leave: their sinks, and what was done.
pub(super) struct Ended<S> {
    pub(super) sinks: Vec<S>,
    pub(super) steps: Vec<StepReport>,
    pub(super) outputs: Vec<OutputReport>,
}

/// Work to be taken by threads.
struct Shares<'v> {
    values: &'v [u32],
    size: usize,
    next: AtomicUsize,
    stop: AtomicBool,
}

impl Running<'_> {
    pub(super) fn run<S: Sink>(&self, make: &(impl Fn() -> Result<S> + Sync)) -> Result<Ended<S>> {
        let first = self.first_values();
        let threads = self.resources.threads.clamp(1, first.len().max(1));
        let shares = Shares {
            values: &first,
            size: (first.len() / (threads * SHARES)).clamp(1, SHARE_MAX),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        };
        let held = self.loaded.bytes;
        let sorted = self
            .plan
            .outputs
            .iter()
            .filter(|output| !output.in_order)
            .count()
            .max(1);
        let budget = self.resources.memory.saturating_sub(held) / (threads * sorted) as u64;
        let work = || {
            let done = self.work(&shares, budget, make()?);
            if done.is_err() {
                shares.stop.store(true, Ordering::Relaxed);
            }
            done
        };
        let done = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = vec![work()];
            for other in others {
                done.push(
                    other
                        .join()
                        .unwrap_or_else(|_| Err(Error::internal("a join's thread ended abruptly"))),
                );
            }
            done
        });
        self.end(done.into_iter().collect::<Result<Vec<_>>>()?, make)
    }

    /// The values of the first variable that all its patterns have.
    fn first_values(&self) -> Vec<u32> {
        let Some(step) = self.plan.steps.first() else {
            return Vec::new();
        };
        let tries = step
            .inputs
            .iter()
            .filter_map(|(pattern, _)| self.loaded.tries.get(*pattern));
        let inputs: Vec<Input<'_>> = tries.map(|trie| Input::new(trie, &[])).collect();
        let mut inputs = Inputs::new(inputs, 0, u32::MAX);
        inputs.resolve(&Batch {
            columns: Vec::new(),
            rows: 1,
        });
        inputs.values(0).to_vec()
    }

    fn steps(&self) -> Vec<Step<'_>> {
        let bound = self.loaded.domain.size();
        let mut columns = usize::from(self.plan.steps.first().is_some_and(|step| step.emit));
        let mut steps = Vec::new();
        for plan in self.plan.steps.iter().skip(1) {
            let inputs = plan
                .inputs
                .iter()
                .filter_map(|(pattern, path)| Some(Input::new(self.loaded.tries.get(*pattern)?, path)))
                .collect();
            steps.push(Step::new(plan, inputs, columns, bound));
            columns = plan.keep.len() + usize::from(plan.emit);
        }
        steps
    }

    fn work<S: Sink>(&self, shares: &Shares<'_>, budget: u64, sink: S) -> Result<Done<S>> {
        let control = &self.resources.control;
        let mut steps = self.steps();
        let storage = (budget, &self.resources.storage);
        let mut end = Outputs::new(&self.plan.outputs, &self.loaded.domain, control, storage, sink);
        let emit = self.plan.steps.first().map(|step| step.emit);
        while !shares.stop.load(Ordering::Relaxed) {
            let at = shares.next.fetch_add(1, Ordering::Relaxed);
            let batch = match emit {
                Some(true) => {
                    let from = at.saturating_mul(shares.size);
                    let to = shares.values.len().min(from.saturating_add(shares.size));
                    let Some(share) = shares.values.get(from..to).filter(|share| !share.is_empty()) else {
                        break;
                    };
                    Batch {
                        columns: vec![share.to_vec()],
                        rows: share.len(),
                    }
                }
                // Nothing is bound, or what is bound is not needed: one empty binding.
                Some(false) if shares.values.is_empty() => break,
                _ if at > 0 => break,
                _ => Batch {
                    columns: Vec::new(),
                    rows: 1,
                },
            };
            feed(&mut steps, &batch, &mut end, control)?;
        }
        finish(&mut steps, &mut end, control)?;
        let (sink, merging, rows) = end.finish();
        let work = steps.iter().map(|step| step.work).collect();
        Ok(Done {
            sink,
            merging,
            rows,
            work,
        })
    }

    /// Merges what was sorted, and adds up what was done.
    fn end<S: Sink>(&self, done: Vec<Done<S>>, make: &impl Fn() -> Result<S>) -> Result<Ended<S>> {
        let mut sinks = Vec::new();
        let mut steps = vec![StepWork::default(); self.plan.steps.len().saturating_sub(1)];
        let mut outputs = vec![OutputReport::default(); self.plan.outputs.len()];
        let mut parts: Vec<Vec<Merging>> = self.plan.outputs.iter().map(|_| Vec::new()).collect();
        for done in done {
            sinks.push(done.sink);
            for (sum, work) in steps.iter_mut().zip(done.work) {
                sum.rows_in += work.rows_in;
                sum.candidates += work.candidates;
                sum.rows_out += work.rows_out;
                sum.time += work.time;
            }
            let of_outputs = outputs
                .iter_mut()
                .zip(done.rows)
                .zip(done.merging)
                .zip(&mut parts);
            for (((report, rows), merging), parts) in of_outputs {
                report.rows += rows;
                if let Some((part, cost)) = merging {
                    parts.push(part);
                    report.sort.get_or_insert_default().add(cost);
                }
            }
        }
        if parts.iter().any(|parts| !parts.is_empty()) {
            let mut sink = make()?;
            let all = self.plan.outputs.iter().zip(parts).zip(&mut outputs).enumerate();
            for (at, ((plan, parts), report)) in all {
                let blocks = Blocks::new(plan, &self.loaded.domain, &self.resources.control);
                report.rows += merge(at, blocks, parts, &mut sink)?;
            }
            sinks.push(sink);
        }
        let variables = self.plan.steps.iter().skip(1);
        let steps = variables
            .zip(steps)
            .map(|(plan, work)| StepReport::new(plan, work))
            .collect();
        Ok(Ended {
            sinks,
            steps,
            outputs,
        })
    }
}
