//! One step of a join: bindings come in, a variable is added to each of them, what is not needed any more is left out.
//!
//! Invariants: bindings go out in the order in which they came in, the new variable ascending; batches have at most
//! [`BATCH_ROWS`] of them; a group whose duplicates are dropped may span batches.
//!
//! Deliberately absent: choosing the order of steps, ids.

use std::time::Duration;

use craton_base::Result;

use super::{
    group::Group,
    input::{Input, Inputs},
};
use crate::{Control, plan::StepPlan};

/// The most bindings of a batch.
pub(super) const BATCH_ROWS: usize = 4096;

/// Bindings as columns, one for each variable that is still needed.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) columns: Vec<Vec<u32>>,
    pub(super) rows: usize,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new(columns: usize) -> Self {
        Self {
            columns: vec![Vec::with_capacity(BATCH_ROWS); columns],
            rows: 0,
        }
    }

    fn clear(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
        self.rows = 0;
    }

    fn room(&self) -> usize {
        BATCH_ROWS.saturating_sub(self.rows)
    }

    /// Appends `count` bindings that begin with `key` and end with `values`, if that is a column.
    #[inline]
    fn append(&mut self, key: impl Iterator<Item = u32>, values: &[u32], count: usize) {
        let mut columns = self.columns.iter_mut();
        for (value, column) in key.zip(columns.by_ref()) {
            column.extend(std::iter::repeat_n(value, count));
        }
        if let Some(column) = columns.next() {
            column.extend_from_slice(values);
        }
        self.rows += count;
    }
}

/// Where the last bindings go.
pub(super) trait End {
    /// Takes a batch.
    fn take(&mut self, batch: &Batch) -> Result<()>;
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct StepWork {
    pub(super) rows_in: u64,
    pub(super) candidates: u64,
    pub(super) rows_out: u64,
    pub(super) time: Duration,
}

/// A step of one worker.
pub(super) struct Step<'a> {
    plan: &'a StepPlan,
    inputs: Inputs<'a>,
    out: Batch,
    group: Group,
    pub(super) work: StepWork,
}

impl<'a> Step<'a> {
    /// A step over these inputs, of local numbers below `bound`, for bindings of `columns` columns.
    pub(super) fn new(plan: &'a StepPlan, inputs: Vec<Input<'a>>, columns: usize, bound: u32) -> Self {
        Self {
            plan,
            inputs: Inputs::new(inputs, columns, bound),
            out: Batch::new(plan.keep.len() + usize::from(plan.emit)),
            group: Group::new(bound),
            work: StepWork::default(),
        }
    }

    /// Binds the variable where each binding goes out by itself.
    fn each(&mut self, batch: &Batch, rest: &mut Passing<'_, '_, '_>) -> Result<()> {
        for row in 0..batch.rows {
            let values = self.inputs.values(row);
            self.work.candidates += values.len() as u64;
            let key = self
                .plan
                .keep
                .iter()
                .filter_map(|at| batch.columns.get(*at)?.get(row).copied());
            if !self.plan.emit {
                self.out.append(key, &[], usize::from(!values.is_empty()));
                if self.out.room() == 0 {
                    rest.pass(&mut self.out, &mut self.work)?;
                }
                continue;
            }
            let mut values = values;
            while !values.is_empty() {
                let (now, later) = values.split_at_checked(self.out.room()).unwrap_or((values, &[]));
                self.out.append(key.clone(), now, now.len());
                values = later;
                if self.out.room() == 0 {
                    rest.pass(&mut self.out, &mut self.work)?;
                }
            }
        }
        Ok(())
    }

    /// Binds the variable where bindings with the same key are joined into one group without duplicates.
    fn grouped(&mut self, batch: &Batch, rest: &mut Passing<'_, '_, '_>) -> Result<()> {
        let keys: Vec<&[u32]> = self
            .plan
            .keep
            .iter()
            .filter_map(|at| batch.columns.get(*at).map(Vec::as_slice))
            .collect();
        let mut row = 0;
        while row < batch.rows {
            let end = group_end(&keys, row, batch.rows);
            if !self.group.is(&keys, row) {
                self.close(rest)?;
                self.group.open(&keys, row);
            }
            if self.plan.emit {
                let expected: usize = (row..end).map(|row| self.inputs.most(row)).sum();
                self.work.candidates += expected as u64;
                self.group.expect(expected);
                for row in row..end {
                    self.group.add(self.inputs.values(row));
                }
            } else if !self.group.found {
                self.group.found = (row..end).any(|row| !self.inputs.values(row).is_empty());
            }
            row = end;
        }
        Ok(())
    }

    /// Lets the open group go out.
    fn close(&mut self, rest: &mut Passing<'_, '_, '_>) -> Result<()> {
        if !self.group.is_open {
            return Ok(());
        }
        self.group.is_open = false;
        if !self.plan.emit {
            self.out
                .append(self.group.key.iter().copied(), &[], usize::from(self.group.found));
            return rest.pass_full(&mut self.out, &mut self.work);
        }
        let (key, mut values) = self.group.take();
        while !values.is_empty() {
            let (now, later) = values.split_at_checked(self.out.room()).unwrap_or((values, &[]));
            self.out.append(key.iter().copied(), now, now.len());
            values = later;
            rest.pass_full(&mut self.out, &mut self.work)?;
        }
        Ok(())
    }
}

fn group_end(keys: &[&[u32]], row: usize, rows: usize) -> usize {
    match keys {
        [] => rows,
        [only] => {
            let rest = only.get(row..rows).unwrap_or_default();
            let first = rest.first();
            row + rest.iter().take_while(|value| Some(*value) == first).count()
        }
        _ => {
            let same = |a: &usize| keys.iter().all(|key| key.get(row) == key.get(*a));
            row + 1 + (row + 1..rows).take_while(same).count()
        }
    }
}

/// The steps after one, and the end.
struct Passing<'s, 'a, 'e> {
    steps: &'s mut [Step<'a>],
    end: &'e mut dyn End,
    control: &'s Control,
    /// Time that the steps after took.
    after: Duration,
}

impl Passing<'_, '_, '_> {
    /// Gives bindings to the next step and empties the batch.
    fn pass(&mut self, batch: &mut Batch, work: &mut StepWork) -> Result<()> {
        let start = self.control.elapsed();
        work.rows_out += batch.rows as u64;
        feed(self.steps, batch, self.end, self.control)?;
        batch.clear();
        self.after += self.control.elapsed().saturating_sub(start);
        Ok(())
    }

    fn pass_full(&mut self, batch: &mut Batch, work: &mut StepWork) -> Result<()> {
        if batch.room() == 0 {
            return self.pass(batch, work);
        }
        Ok(())
    }
}

/// Gives bindings to the first of the steps.
pub(super) fn feed(
    steps: &mut [Step<'_>],
    batch: &Batch,
    end: &mut dyn End,
    control: &Control,
) -> Result<()> {
    control.check()?;
    let Some((step, steps)) = steps.split_first_mut() else {
        return end.take(batch);
    };
    let start = control.elapsed();
    let after = Duration::ZERO;
    let mut rest = Passing {
        steps,
        end,
        control,
        after,
    };
    step.work.rows_in += batch.rows as u64;
    step.inputs.resolve(batch);
    match step.plan.distinct {
        true => step.grouped(batch, &mut rest)?,
        false => step.each(batch, &mut rest)?,
    }
    step.work.time += control.elapsed().saturating_sub(start).saturating_sub(rest.after);
    Ok(())
}

/// Lets everything that steps hold back go out.
pub(super) fn finish(steps: &mut [Step<'_>], end: &mut dyn End, control: &Control) -> Result<()> {
    let Some((step, steps)) = steps.split_first_mut() else {
        return Ok(());
    };
    let after = Duration::ZERO;
    let mut rest = Passing {
        steps: &mut *steps,
        end: &mut *end,
        control,
        after,
    };
    step.close(&mut rest)?;
    if step.out.rows > 0 {
        rest.pass(&mut step.out, &mut step.work)?;
    }
    finish(steps, end, control)
}
