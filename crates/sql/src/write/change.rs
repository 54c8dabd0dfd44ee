//! Rows changed: `DELETE`, `UPDATE`, `MERGE`.
//!
//! ```text
//! statement ─▶ [`rewrite`] ─▶ query of rows with their file, their position and what becomes of them ─▶ deletes and new rows ─▶ commit
//! ```
//!
//! Invariants
//! - a statement changes the snapshot that it read: if that is not the newest any more when it ends, it is run again from its beginning,
//!   so the outcome is that of running alone;
//! - a row is changed once: a source that matches it twice is an error.

use std::{collections::BTreeMap, sync::Arc};

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::{
        array::{Array as _, AsArray as _, BooleanArray, RecordBatch},
        compute::filter_record_batch,
        datatypes::{Int64Type, UInt32Type, UInt64Type},
    },
    common::Result as DfResult,
    execution::{
        SessionState,
        memory_pool::{MemoryConsumer, MemoryReservation},
    },
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast},
    physical_plan::execute_stream,
    sql::{parser::Statement as Parsed, sqlparser::ast::Statement as Sql},
};
use futures::StreamExt as _;

use super::{
    deletes, insert, names,
    rewrite::{ACTION, Rewritten, UPDATED},
    rows::{Rows, row_id},
    snapshot::{self, Change, lost, settled},
    target::Target,
};
use crate::{context::Context, error::own, iceberg::positions::Scanned};

/// How often a statement is run.
const TRIES_MAX: usize = 5;

/// The most rows that a statement changes.
const ROWS_MAX: usize = 16 << 20;

/// The columns before those of the table: file, position, number, action.
const HEAD: usize = 4;

/// Positions of changed rows, by the index of their file.
#[derive(Default)]
pub(super) struct Changed {
    positions: BTreeMap<u32, Vec<u64>>,
    count: usize,
    /// With those that are new.
    rows: u64,
}

/// Changes rows: how many, those that came to be included.
pub(super) async fn change(
    context: &Arc<Context>,
    state: &SessionState,
    rewritten: &Rewritten,
) -> Result<u64> {
    let (bucket, name) = names::table(state, &rewritten.target)?;
    for _ in 0..TRIES_MAX {
        let target = Arc::new(Target::load(context.clone(), bucket.clone(), name.clone()).await?);
        target.version()?;
        let done = once(&target, state, rewritten).await;
        match settled(target, done).await {
            Err(e) if e.reason() == "CommitFailedException" => {}
            done => return done,
        }
    }
    Err(lost())
}

async fn once(target: &Arc<Target>, state: &SessionState, rewritten: &Rewritten) -> Result<u64> {
    let context = &target.context;
    *context.changed.lock() = None;
    let query = Parsed::Statement(Box::new(Sql::Query(Box::new(rewritten.query.clone()))));
    let plan = state.statement_to_plan(query).await.map_err(|e| own(&e))?;
    let plan = typed(plan, target).map_err(|e| own(&e))?;
    target.derive(&plan, HEAD)?;
    let plan = state.create_physical_plan(&plan).await.map_err(|e| own(&e))?;
    let scanned = context.changed.lock().take();
    let Some(scanned) = scanned else {
        // Nothing can be found: the condition is false for all rows.
        return Ok(0);
    };
    if scanned.snapshot != target.snapshot_id() {
        return Err(lost());
    }
    let mut batches = execute_stream(plan, state.task_ctx()).map_err(|e| own(&e))?;
    let memory = MemoryConsumer::new("positions of changed rows").register(&context.pool);
    let mut changed = Changed::default();
    let mut rows: Option<Rows> = None;
    let numbered = target.version()? >= 3;
    let numbers = numbered.then(row_id);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|e| own(&e))?;
        changed.add(&batch, &memory)?;
        if let Some(written) = written(&batch)? {
            let rows = match &mut rows {
                Some(rows) => rows,
                empty => empty.insert(Rows::new(target, numbers.as_slice())?),
            };
            rows.push(columns(&written, numbered)).await?;
        }
    }
    finish(target, rewritten, (&scanned, changed), rows).await
}

async fn finish(
    target: &Arc<Target>,
    rewritten: &Rewritten,
    (scanned, changed): (&Scanned, Changed),
    rows: Option<Rows>,
) -> Result<u64> {
    let (added, new) = match rows {
        Some(rows) => rows.finish().await?,
        None => (Vec::new(), 0),
    };
    let (gone, all) = (changed.count as u64, changed.rows);
    let mut change = Change {
        operation: Some(match (gone, new) {
            (0, _) => "append",
            (_, 0) => "delete",
            _ => "overwrite",
        }),
        added,
        ..Change::default()
    };
    let changed = changed.in_order(rewritten.once)?;
    let count = match rewritten.once {
        true => all,
        false => changed.values().map(|positions| positions.len() as u64).sum(),
    };
    if changed.is_empty() && change.added.is_empty() {
        return Ok(0);
    }
    deletes::add(target, &mut change, (scanned, &changed)).await?;
    snapshot::commit(target, &change).await?;
    Ok(count)
}

/// The query with its columns cast to those of the table.
fn typed(plan: LogicalPlan, target: &Target) -> DfResult<LogicalPlan> {
    use datafusion::arrow::datatypes::DataType;
    let table = target.schema().map_err(crate::error::external)?;
    let head = plan.schema().columns().into_iter().take(HEAD).map(|column| {
        let name = column.name.clone();
        match name == ACTION {
            true => cast(Expr::Column(column), DataType::Int64).alias(name),
            false => Expr::Column(column),
        }
    });
    let mut columns: Vec<Expr> = head.collect();
    if plan.schema().fields().len() > HEAD {
        let values = plan.schema().columns().into_iter().skip(HEAD).zip(table.fields());
        for (column, field) in values {
            columns.push(insert::to_type(Expr::Column(column), field, plan.schema())?);
        }
    }
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn odd() -> Error {
    Error::internal("a statement that changes rows has other columns than it was given")
}

impl Changed {
    fn add(&mut self, batch: &RecordBatch, memory: &MemoryReservation) -> Result<()> {
        let columns = batch.columns();
        let files = columns
            .first()
            .and_then(|c| c.as_primitive_opt::<UInt32Type>())
            .ok_or_else(odd)?;
        let positions = columns
            .get(1)
            .and_then(|c| c.as_primitive_opt::<UInt64Type>())
            .ok_or_else(odd)?;
        // What matched no row is new.
        let more = files.len().saturating_sub(files.null_count());
        self.count = self.count.saturating_add(more);
        self.rows = self.rows.saturating_add(files.len() as u64);
        if self.count > ROWS_MAX {
            let text = format!("a statement changes at most {ROWS_MAX} rows; change fewer at once");
            return Err(Error::new(Kind::TooLarge, "TooManyRows", text));
        }
        memory
            .try_grow(more.saturating_mul(size_of::<u64>()))
            .map_err(|e| own(&e))?;
        for (file, position) in files.iter().zip(positions) {
            if let (Some(file), Some(position)) = (file, position) {
                self.positions.entry(file).or_default().push(position);
            }
        }
        Ok(())
    }

    /// The positions in order, each once.
    fn in_order(mut self, once: bool) -> Result<BTreeMap<u32, Vec<u64>>> {
        for positions in self.positions.values_mut() {
            positions.sort_unstable();
            let all = positions.len();
            positions.dedup();
            if once && positions.len() < all {
                let text = "a row is changed more than once: more than one row of the source matches it";
                return Err(Error::new(Kind::Invalid, "RowChangedTwice", text));
            }
        }
        Ok(self.positions)
    }
}

/// The rows of a batch that are written, new or in the place of others.
fn written(batch: &RecordBatch) -> Result<Option<RecordBatch>> {
    if batch.num_columns() == HEAD {
        return Ok(None);
    }
    let actions = batch
        .columns()
        .get(3)
        .and_then(|c| c.as_primitive_opt::<Int64Type>())
        .ok_or_else(odd)?;
    let are: BooleanArray = actions
        .iter()
        .map(|action| Some(action >= Some(UPDATED)))
        .collect();
    let rows = filter_record_batch(batch, &are).map_err(|e| odd().with_source(e))?;
    Ok((rows.num_rows() > 0).then_some(rows))
}

/// The table's columns, and the rows' numbers behind them.
fn columns(rows: &RecordBatch, numbered: bool) -> Vec<datafusion::arrow::array::ArrayRef> {
    let number = rows.columns().get(2).filter(|_| numbered);
    rows.columns().iter().skip(HEAD).chain(number).cloned().collect()
}
