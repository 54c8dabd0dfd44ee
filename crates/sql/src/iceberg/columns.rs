//! A table's columns found in its files: by their ids, whatever they are called there and wherever they stand.
//!
//! Invariants
//! - a column that a file does not have is null in all its rows; where the table's partitions would say its value, that is an error;
//! - a nested column whose parts differ from the table's is an error: it is not matched by names.
//!
//! Source: Apache Iceberg, table specification, "Column Projection".

use std::sync::Arc;

use datafusion::{
    arrow::datatypes::{DataType, Field, SchemaRef},
    common::{
        DataFusionError, Result, ScalarValue,
        tree_node::{Transformed, TransformedResult as _, TreeNode as _},
    },
    physical_expr::{
        PhysicalExpr,
        expressions::{CastColumnExpr, Column, lit},
    },
    physical_expr_adapter::{PhysicalExprAdapter, PhysicalExprAdapterFactory},
};

use super::types::{id_of, not_yet};
use crate::error::external;

/// Makes [`Adapter`]s for the files of a table.
#[derive(Debug)]
pub(crate) struct ById {
    /// As [`super::metadata::Snapshot::partitioned_by`].
    pub(crate) partitioned_by: Vec<i32>,
}

impl PhysicalExprAdapterFactory for ById {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        if !file.fields().is_empty() && file.fields().iter().all(|field| id_of(field).is_none()) {
            return Err(external(not_yet("files whose columns have no field ids")));
        }
        Ok(Arc::new(Adapter {
            table,
            file,
            partitioned_by: self.partitioned_by.clone(),
        }))
    }
}

/// Rewrites what is asked of a table to what is asked of one file.
#[derive(Debug)]
struct Adapter {
    table: SchemaRef,
    file: SchemaRef,
    partitioned_by: Vec<i32>,
}

impl PhysicalExprAdapter for Adapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        let rewritten = expr.transform_down(|expr| match expr.as_any().downcast_ref::<Column>() {
            // What a column became is not looked at again: it is about the file.
            Some(column) => Ok(Transformed::new(
                self.column(column)?,
                true,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            )),
            None => Ok(Transformed::no(expr)),
        });
        rewritten.data()
    }
}

impl Adapter {
    fn column(&self, column: &Column) -> Result<Arc<dyn PhysicalExpr>> {
        let wanted = self.table.field_with_name(column.name())?;
        let id = id_of(wanted).ok_or_else(|| lost(column.name()))?;
        let found = self.file.fields().iter().enumerate();
        let Some((at, found)) = found.into_iter().find(|(_, field)| id_of(field) == Some(id)) else {
            if self.partitioned_by.contains(&id) {
                let what = format!(
                    "files without the column {:?} that they are partitioned by",
                    column.name()
                );
                return Err(external(not_yet(what)));
            }
            return Ok(lit(ScalarValue::try_new_null(wanted.data_type())?));
        };
        let here: Arc<dyn PhysicalExpr> = Arc::new(Column::new(found.name(), at));
        if found.data_type() == wanted.data_type() {
            return Ok(here);
        }
        if !is_same(found, wanted) {
            let what = format!(
                "the column {:?}, which changed inside or in its type,",
                column.name()
            );
            return Err(external(not_yet(what)));
        }
        let cast = CastColumnExpr::new(here, found.clone(), Arc::new(wanted.clone()), None);
        Ok(Arc::new(cast))
    }
}

/// Whether a file's column is a table's, but for its width, and what only Arrow tells apart.
fn is_same(file: &Field, table: &Field) -> bool {
    use DataType as D;
    if id_of(file) != id_of(table) {
        return false;
    }
    match (file.data_type(), table.data_type()) {
        (D::Struct(in_file), D::Struct(in_table)) => {
            let mut pairs = in_file.iter().zip(in_table);
            in_file.len() == in_table.len()
                && pairs.all(|(file, table)| file.name() == table.name() && is_same(file, table))
        }
        (D::List(file) | D::LargeList(file), D::List(table)) => is_same(file, table),
        (D::Map(file, _), D::Map(table, _)) => match (file.data_type(), table.data_type()) {
            (D::Struct(file), D::Struct(table)) => {
                file.len() == table.len() && file.iter().zip(table).all(|(f, t)| is_same(f, t))
            }
            _ => false,
        },
        (D::Int32, D::Int64)
        | (D::Float32, D::Float64)
        | (D::LargeUtf8 | D::Utf8View, D::Utf8)
        | (D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_), D::Binary)
        | (D::Timestamp(_, _), D::Timestamp(_, _)) => true,
        (D::Decimal128(_, from), D::Decimal128(_, to)) => from == to,
        (D::Decimal32(_, from) | D::Decimal64(_, from), D::Decimal128(_, to)) => from == to,
        (file, table) => file == table,
    }
}

fn lost(name: &str) -> DataFusionError {
    DataFusionError::Internal(format!("the column {name:?} has no id"))
}

#[cfg(test)]
mod tests;
