//! Rows added: `INSERT INTO` and `CREATE TABLE … AS`.

use std::sync::Arc;

use craton_base::{BucketName, Error, Kind, Result};
use craton_tables::{TableName, What};
use datafusion::{
    arrow::datatypes::{DataType, Field, FieldRef, Schema},
    common::{DFSchema, Result as DfResult, ScalarValue},
    execution::SessionState,
    logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder},
    physical_plan::execute_stream,
    sql::{
        parser::Statement as Parsed,
        sqlparser::ast::{CreateTable, Ident, Insert, Statement as Sql, TableObject},
    },
};
use futures::StreamExt as _;

use super::{
    ddl, definition,
    names::{self, invalid},
    rows::Rows,
    snapshot::{self, Change, settled},
    target::{Target, ask_about},
};
use crate::{context::Context, error::own, iceberg::types::not_yet};

/// `INSERT INTO`: how many rows.
pub(super) async fn insert(context: &Arc<Context>, state: &SessionState, statement: Insert) -> Result<u64> {
    let odd = statement.overwrite
        || statement.partitioned.is_some()
        || statement.on.is_some()
        || statement.returning.is_some()
        || statement.replace_into;
    if odd {
        return Err(not_yet(
            "INSERT with OVERWRITE, PARTITION, ON CONFLICT or RETURNING",
        ));
    }
    let TableObject::TableName(name) = &statement.table else {
        return Err(not_yet("INSERT into a function"));
    };
    let (bucket, name) = names::table(state, name)?;
    let target = Arc::new(Target::load(context.clone(), bucket, name).await?);
    target.version()?;
    let Some(query) = statement.source else {
        return Err(invalid("what is inserted is no rows"));
    };
    let table = target.schema()?;
    // Rows are planned by themselves: nothing in them is read as what the table has.
    let query = Parsed::Statement(Box::new(Sql::Query(query)));
    let plan = state.statement_to_plan(query).await.map_err(|e| own(&e))?;
    let from = placed(&statement.columns, &table, plan.schema().fields().len())?;
    let plan = cast(plan, &table, &from).map_err(|e| own(&e))?;
    target.derive(&plan, 0)?;
    let done = add(&target, state, &plan).await;
    settled(target, done).await
}

/// Which value each column of a table takes.
fn placed(columns: &[Ident], table: &Schema, values: usize) -> Result<Vec<Option<usize>>> {
    let wanted = if columns.is_empty() {
        table.fields().len()
    } else {
        columns.len()
    };
    if wanted != values {
        return Err(invalid(format!(
            "{values} values are inserted into {wanted} columns"
        )));
    }
    if columns.is_empty() {
        return Ok((0..values).map(Some).collect());
    }
    let mut out = vec![None; table.fields().len()];
    for (value, name) in columns.iter().enumerate() {
        let name = names::plain(name);
        let at = table.index_of(&name);
        let at = at.map_err(|_| {
            Error::new(
                Kind::Invalid,
                "NoSuchColumn",
                format!("the table has no column {name:?}"),
            )
        })?;
        match out.get_mut(at) {
            Some(slot @ None) => *slot = Some(value),
            _ => return Err(invalid(format!("the column {name:?} is named twice"))),
        }
    }
    Ok(out)
}

/// `CREATE TABLE … AS`: how many rows.
pub(super) async fn create_as(
    context: &Arc<Context>,
    state: &SessionState,
    statement: &CreateTable,
) -> Result<u64> {
    let Some(query) = &statement.query else {
        return Err(invalid("there is no query"));
    };
    if statement.if_not_exists && is_there(context, names::table(state, &statement.name)?).await? {
        return Ok(0);
    }
    let query = Parsed::Statement(Box::new(Sql::Query(query.clone())));
    let plan = state.statement_to_plan(query).await.map_err(|e| own(&e))?;
    let properties = ddl::table_properties(statement)?;
    let version = properties
        .get("format-version")
        .and_then(|v| v.as_str()?.parse().ok());
    let schema = definition::of_query(plan.schema().as_arrow(), version.unwrap_or(2))?;
    let (bucket, wanted) = ddl::wanted(state, statement, Some(schema))?;
    let name = wanted.name.clone();
    let loaded = ddl::create(context, bucket.clone(), wanted, true).await?;
    let target = Arc::new(Target::staged(context.clone(), bucket, (name, &loaded))?);
    target.version()?;
    let done = async {
        let table = target.schema()?;
        let all: Vec<Option<usize>> = (0..table.fields().len()).map(Some).collect();
        let plan = cast(plan, &table, &all).map_err(|e| own(&e))?;
        target.derive(&plan, 0)?;
        add(&target, state, &plan).await
    };
    let done = done.await;
    settled(target, done).await
}

async fn is_there(context: &Arc<Context>, (bucket, name): (BucketName, TableName)) -> Result<bool> {
    let path = context.gate.table_named(&bucket, &name.row())?;
    let ask = ask_about(("TableExists", "s3tables:GetTable"), path, &name);
    let here = context.clone();
    let there = async move {
        let permit = here.gate.read(&here.session, ask).await?;
        here.tables.exists(&permit, (&name, What::Table))
    };
    match context.files.at_the_doors(there).await {
        Ok(()) => Ok(true),
        // Who may make a table here may not be told whether there is one: making it says so.
        Err(e) if matches!(e.kind(), Kind::NotFound | Kind::Denied) => Ok(false),
        Err(e) => Err(e),
    }
}

/// The columns of a plan as those of a table, each from one of the plan's or NULL.
fn cast(plan: LogicalPlan, table: &Schema, from: &[Option<usize>]) -> DfResult<LogicalPlan> {
    let schema = plan.schema().clone();
    let columns = schema.columns();
    let made = table.fields().iter().zip(from).map(|(field, from)| {
        let value = match from.and_then(|at| columns.get(at)) {
            Some(column) => Expr::Column(column.clone()),
            None => Expr::Literal(ScalarValue::Null, None),
        };
        to_type(value, field, &schema)
    });
    let made = made.collect::<DfResult<Vec<_>>>()?;
    LogicalPlanBuilder::from(plan).project(made)?.build()
}

/// A value as one of a column. Names and ids within nested types are the table's own, and given to rows when they are written.
pub(super) fn to_type(value: Expr, field: &Field, schema: &DFSchema) -> DfResult<Expr> {
    use datafusion::logical_expr::ExprSchemable as _;
    Ok(value
        .cast_to(&plain(field.data_type()), schema)?
        .alias(field.name()))
}

/// A type without what fields within it are known by.
fn plain(kind: &DataType) -> DataType {
    let of = |field: &FieldRef| {
        let inner = plain(field.data_type());
        Arc::new(Field::new(field.name(), inner, true))
    };
    match kind {
        DataType::List(element) => DataType::List(of(element)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect()),
        other => other.clone(),
    }
}

/// Adds the rows of a plan, whose columns are those of the table.
async fn add(target: &Arc<Target>, state: &SessionState, plan: &LogicalPlan) -> Result<u64> {
    let physical = state.create_physical_plan(plan).await.map_err(|e| own(&e))?;
    let mut batches = execute_stream(physical, state.task_ctx()).map_err(|e| own(&e))?;
    let mut rows = Rows::new(target, &[])?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|e| own(&e))?;
        if batch.num_rows() > 0 {
            rows.push(batch.columns().to_vec()).await?;
        }
    }
    let (added, count) = rows.finish().await?;
    if added.is_empty() && !target.is_staged() {
        return Ok(0);
    }
    let change = Change {
        added,
        ..Change::default()
    };
    snapshot::commit(target, &change).await?;
    Ok(count)
}
