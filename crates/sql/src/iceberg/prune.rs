//! Which files can hold rows that are wanted, by the bounds that manifests say of their columns.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use datafusion::{
    arrow::{
        array::{ArrayRef, BooleanArray, UInt64Array},
        datatypes::SchemaRef,
    },
    common::{Column, Result, ScalarValue, pruning::PruningStatistics},
    physical_expr::PhysicalExpr,
    physical_optimizer::pruning::PruningPredicate,
};

use super::{
    manifest::DataFile,
    types::{bound, id_of},
};

/// The files that may hold rows for which a predicate holds.
///
/// # Errors
/// DataFusion's own.
pub(crate) struct Pruner {
    schema: SchemaRef,
    predicate: Option<PruningPredicate>,
}

impl Pruner {
    /// For a predicate on a table's columns.
    pub(crate) fn new(schema: &SchemaRef, predicate: Option<Arc<dyn PhysicalExpr>>) -> Self {
        // What can not be pruned by is not: all files stay.
        let pruning = |p| PruningPredicate::try_new(p, schema.clone()).ok();
        let predicate = predicate.and_then(pruning).filter(|p| !p.always_true());
        Self {
            schema: schema.clone(),
            predicate,
        }
    }

    /// Takes out the files that hold nothing that is wanted.
    pub(crate) fn prune(&self, files: &mut Vec<DataFile>) -> Result<()> {
        let Some(predicate) = &self.predicate else {
            return Ok(());
        };
        let bounds = Bounds {
            schema: &self.schema,
            files,
        };
        let mut keep = predicate.prune(&bounds)?.into_iter();
        files.retain(|_| keep.next().unwrap_or(true));
        Ok(())
    }
}

struct Bounds<'a> {
    schema: &'a SchemaRef,
    files: &'a [DataFile],
}

impl Bounds<'_> {
    fn values(&self, column: &Column, of: impl Fn(&DataFile) -> &[(i32, Bytes)]) -> Option<ArrayRef> {
        let field = self.schema.field_with_name(&column.name).ok()?;
        let id = id_of(field)?;
        let none = ScalarValue::try_new_null(field.data_type()).ok()?;
        let values = self.files.iter().map(|file| {
            let bytes = of(file).iter().find(|(column, _)| *column == id);
            bytes
                .and_then(|(_, bytes)| bound(field.data_type(), bytes))
                .unwrap_or_else(|| none.clone())
        });
        ScalarValue::iter_to_array(values).ok()
    }
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |file| &file.lower)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |file| &file.upper)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let id = id_of(self.schema.field_with_name(&column.name).ok()?)?;
        let counts = self.files.iter().map(|file| {
            let count = file.nulls.iter().find(|(column, _)| *column == id);
            count.and_then(|(_, count)| u64::try_from(*count).ok())
        });
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self, _: &Column) -> Option<ArrayRef> {
        let counts = self.files.iter().map(|file| Some(file.records));
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests;
