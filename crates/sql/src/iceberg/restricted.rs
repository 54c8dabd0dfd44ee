//! What guard policies leave of a table's rows and columns, put between its files and everything else of a plan.
//!
//! ```text
//! files ──▶ rows for which all conditions are true ──▶ masks ──▶ filters, joins, aggregates … of the statement
//! ```
//!
//! Invariants
//! - nothing of a statement is evaluated on a row that is kept back or on a value that is masked, whatever an optimiser moves: the node has
//!   no children that it could see ([`Restricted`]), tells no statistics and takes no filter, limit or projection;
//! - files are left out by the policies' own conditions; by a statement's filters only where no row is kept back, and by those on columns
//!   that are not masked;
//! - a policy that does not fit the table (a column that is not there, a value of another type) refuses.
//!
//! Deliberately absent: which policies there are for whom (the gate).

use std::{any::Any, collections::HashSet, fmt, sync::Arc};

use craton_base::{Error, Kind, Result};
use craton_gate::{Comparison, Condition, Mask, Restrictions, RowValue};
use datafusion::{
    arrow::{array::RecordBatch, compute::filter_record_batch, datatypes::SchemaRef},
    catalog::Session,
    common::{Column, DFSchema, Result as DfResult, ScalarValue, cast::as_boolean_array},
    execution::TaskContext,
    logical_expr::{Expr, Operator, binary_expr, ident, in_list, lit, not, utils::conjunction},
    physical_expr::{EquivalenceProperties, PhysicalExpr},
    physical_plan::{
        DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
        execution_plan::{Boundedness, EmissionType},
        stream::RecordBatchStreamAdapter,
    },
};
use futures::TryStreamExt as _;

use super::{mask, metadata::Snapshot};
use crate::error::external;

/// What is left of a snapshot to who asks.
pub(super) struct Left<'a> {
    snapshot: &'a Snapshot,
    /// True for the rows that stay, on the snapshot's columns; `None`: all stay.
    pub(super) rows: Option<Expr>,
    /// By the columns' places.
    masks: Vec<Option<Mask>>,
}

fn unfit(policy: &str) -> Error {
    let text = format!("the policy {policy} restricts what is read and does not fit this state of the table");
    Error::new(Kind::Denied, "AccessDenied", text)
}

impl<'a> Left<'a> {
    /// What these restrictions leave.
    ///
    /// # Errors
    /// `AccessDenied` for a policy that does not fit.
    pub(super) fn new(snapshot: &'a Snapshot, restrictions: &Restrictions) -> Result<Self> {
        let mut conditions = Vec::new();
        for (policy, condition) in &restrictions.rows {
            conditions.push(expression(snapshot, condition).ok_or_else(|| unfit(policy))?);
        }
        let mut masks = vec![None; snapshot.schema.fields().len()];
        for (at, found) in masks.iter_mut().enumerate() {
            for (_, column, mask) in &restrictions.masks {
                let mask = match snapshot.meaning(at, column) {
                    None => continue,
                    Some(Meaning::Itself) => mask.clone(),
                    Some(Meaning::Inside) => Mask::Null,
                };
                *found = Some(match found.take() {
                    None => mask,
                    Some(other) => mask.and(other),
                });
            }
        }
        Ok(Self {
            snapshot,
            rows: conjunction(conditions),
            masks,
        })
    }

    /// Of a statement's filters those that files may be left out by.
    pub(super) fn pruning(&self, filters: &[Expr]) -> Vec<Expr> {
        if let Some(rows) = &self.rows {
            return vec![rows.clone()];
        }
        let is_masked = |column: &Column| {
            let at = self.snapshot.schema.index_of(&column.name);
            at.map_or(true, |at| self.masks.get(at).is_none_or(Option::is_some))
        };
        let is_open = |filter: &&Expr| !filter.column_refs().into_iter().any(is_masked);
        filters.iter().filter(is_open).cloned().collect()
    }

    /// The columns to read for some that are wanted, in order of their places.
    pub(super) fn columns(&self, wanted: &[usize]) -> Vec<usize> {
        let schema = &self.snapshot.schema;
        let of_rows = self.rows.iter().flat_map(Expr::column_refs);
        let of_rows: HashSet<usize> = of_rows.filter_map(|c| schema.index_of(&c.name).ok()).collect();
        let open = |at: &usize| !matches!(self.masks.get(*at), Some(Some(Mask::Null | Mask::Text(_))));
        let mut all: Vec<usize> = wanted.iter().copied().filter(open).chain(of_rows).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The node over a plan that reads the columns `read`, which gives those that are wanted.
    pub(super) fn over(
        &self,
        state: &dyn Session,
        input: Arc<dyn ExecutionPlan>,
        (read, wanted): (&[usize], &[usize]),
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let here = DFSchema::try_from(input.schema().as_ref().clone())?;
        let rows = self
            .rows
            .clone()
            .map(|rows| state.create_physical_expr(rows, &here));
        let columns = wanted.iter().map(|at| mask::Column {
            from: read.iter().position(|r| r == at),
            mask: self.masks.get(*at).cloned().flatten(),
        });
        let schema = Arc::new(self.snapshot.schema.project(wanted)?);
        Ok(Arc::new(Restricted {
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(schema.clone()),
                Partitioning::UnknownPartitioning(input.properties().partitioning.partition_count()),
                EmissionType::Incremental,
                Boundedness::Bounded,
            )),
            shape: Arc::new(Shape {
                rows: rows.transpose()?,
                columns: columns.collect(),
                schema,
            }),
            input,
        }))
    }
}

/// How a name that a policy says is about a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// It is or was its own name.
    Itself,
    /// Something in it is or was called so.
    Inside,
}

/// A condition on a snapshot's columns; `None` where it does not fit.
fn expression(snapshot: &Snapshot, condition: &Condition) -> Option<Expr> {
    let all = |list: &[Condition]| {
        list.iter()
            .map(|c| expression(snapshot, c))
            .collect::<Option<Vec<_>>>()
    };
    let column = |name: &str| {
        let field = snapshot.schema.fields().get(snapshot.place(name)?)?;
        Some((ident(field.name()), field.data_type().clone()))
    };
    Some(match condition {
        Condition::All(list) => all(list)?.into_iter().reduce(Expr::and)?,
        Condition::Any(list) => all(list)?.into_iter().reduce(Expr::or)?,
        Condition::Not(inner) => not(expression(snapshot, inner)?),
        Condition::IsNull(name) => column(name)?.0.is_null(),
        Condition::Compare(name, how, value) => {
            let (column, kind) = column(name)?;
            binary_expr(column, operator(*how), lit(literal(value, &kind)?))
        }
        Condition::In(name, values) => {
            let (column, kind) = column(name)?;
            let values = values.iter().map(|value| Some(lit(literal(value, &kind)?)));
            match values.collect::<Option<Vec<_>>>()? {
                none if none.is_empty() => lit(false),
                values => in_list(column, values, false),
            }
        }
    })
}

const fn operator(how: Comparison) -> Operator {
    match how {
        Comparison::Equal => Operator::Eq,
        Comparison::Unequal => Operator::NotEq,
        Comparison::Less => Operator::Lt,
        Comparison::AtMost => Operator::LtEq,
        Comparison::More => Operator::Gt,
        Comparison::AtLeast => Operator::GtEq,
    }
}

/// A value as a column's type has it.
fn literal(value: &RowValue, kind: &datafusion::arrow::datatypes::DataType) -> Option<ScalarValue> {
    match value {
        RowValue::Text(text) | RowValue::Number(text) => ScalarValue::from(text.as_str()).cast_to(kind).ok(),
        RowValue::Bool(value) => ScalarValue::from(*value).cast_to(kind).ok(),
        RowValue::Null => ScalarValue::try_new_null(kind).ok(),
        RowValue::Variable(_) => None,
    }
}

/// What becomes of a batch.
#[derive(Debug)]
struct Shape {
    rows: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<mask::Column>,
    schema: SchemaRef,
}

impl Shape {
    fn apply(&self, batch: RecordBatch) -> DfResult<RecordBatch> {
        let batch = match &self.rows {
            None => batch,
            Some(rows) => {
                let keep = rows.evaluate(&batch)?.into_array(batch.num_rows())?;
                filter_record_batch(&batch, as_boolean_array(&keep)?)?
            }
        };
        mask::masked(&batch, &self.columns, &self.schema)
    }
}

/// The node. A leaf to all who look at a plan.
#[derive(Debug)]
struct Restricted {
    input: Arc<dyn ExecutionPlan>,
    shape: Arc<Shape>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for Restricted {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Restricted")
    }
}

impl ExecutionPlan for Restricted {
    fn name(&self) -> &str {
        "Restricted"
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let shape = self.shape.clone();
        // What a file's reader says of values that are kept back is not told.
        let rows = self.input.execute(partition, context)?.map_err(hidden);
        let rows = rows.and_then(move |batch| {
            let shaped = shape.apply(batch);
            async move { shaped }
        });
        let stream = RecordBatchStreamAdapter::new(self.shape.schema.clone(), rows);
        Ok(Box::pin(stream))
    }
}

/// An error below the node: ours stays, of others only that there is one.
fn hidden(error: datafusion::common::DataFusionError) -> datafusion::common::DataFusionError {
    let own = crate::error::own(&error);
    match own.reason() {
        "StatementFailed" | "UnreadableFile" => {
            let text = "a file of a table with restrictions can not be read";
            external(Error::new(own.kind(), "UnreadableFile", text))
        }
        _ => external(own),
    }
}
