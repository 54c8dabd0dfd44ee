//! What masks leave of a column's values.
//!
//! Invariant: a mask always gives something of the column's own type, and where it has no meaning for that type, nothing.

use std::sync::Arc;

use craton_gate::Mask;
use datafusion::{
    arrow::{
        array::{
            Array as _, ArrayRef, Date32Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
        },
        compute::{DatePart, cast, date_part},
        datatypes::{DataType, Int32Type, SchemaRef},
    },
    common::{DataFusionError, Result, ScalarValue, cast::as_string_array},
};

/// A column of what comes out.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// Its place among what is read; `None` if nothing of it has to be.
    pub(super) from: Option<usize>,
    pub(super) mask: Option<Mask>,
}

/// A batch with masked columns, of a schema.
pub(super) fn masked(batch: &RecordBatch, columns: &[Column], schema: &SchemaRef) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = columns.iter().zip(schema.fields()).map(|(column, field)| {
        let kind = field.data_type();
        let read = column.from.and_then(|at| batch.columns().get(at));
        match (&column.mask, read) {
            (None, Some(read)) => Ok(read.clone()),
            (None, None) => Err(DataFusionError::Internal("a column was not read".to_owned())),
            (Some(Mask::Text(text)), _) => text_for(text, kind, rows),
            (Some(mask), Some(read)) => Ok(part(mask, read)?.unwrap_or_else(|| new_null_array(kind, rows))),
            (Some(_), None) => Ok(new_null_array(kind, rows)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        schema.clone(),
        columns,
        &options,
    )?)
}

/// A text instead of every value, of whatever type it can be.
fn text_for(text: &str, kind: &DataType, rows: usize) -> Result<ArrayRef> {
    match ScalarValue::from(text).cast_to(kind) {
        Ok(value) => value.to_array_of_size(rows),
        Err(_) => Ok(new_null_array(kind, rows)),
    }
}

/// A part of each value; `None` if the type has none.
fn part(mask: &Mask, values: &ArrayRef) -> Result<Option<ArrayRef>> {
    let kind = values.data_type();
    Ok(match (mask, kind) {
        (Mask::First(_) | Mask::Last(_), DataType::Utf8) => {
            let stars = as_string_array(values)?
                .iter()
                .map(|v| v.map(|v| starred(v, mask)));
            Some(Arc::new(stars.collect::<StringArray>()))
        }
        (Mask::Year, DataType::Date32 | DataType::Timestamp(..)) => {
            let years = date_part(values, DatePart::Year)?;
            let years = datafusion::arrow::array::AsArray::as_primitive::<Int32Type>(&years);
            let days: Date32Array = years.unary(first_day);
            Some(cast(&days, kind)?)
        }
        _ => None,
    })
}

/// A star for each character that is not left. A text that would be left as a whole has nothing left.
fn starred(text: &str, mask: &Mask) -> String {
    let count = text.chars().count();
    let is_left = |at: usize| match mask {
        Mask::First(left) if *left < count => at < *left,
        Mask::Last(left) if *left < count => at >= count.saturating_sub(*left),
        _ => false,
    };
    let characters = text.chars().enumerate();
    characters
        .map(|(at, c)| if is_left(at) { c } else { '*' })
        .collect()
}

/// The first day of a year, in days since the epoch.
fn first_day(year: i32) -> i32 {
    let before = i64::from(year).saturating_sub(1);
    let leap = before
        .div_euclid(4)
        .saturating_sub(before.div_euclid(100))
        .saturating_add(before.div_euclid(400));
    let days = before
        .saturating_mul(365)
        .saturating_add(leap)
        .saturating_sub(719_162);
    i32::try_from(days).unwrap_or_default()
}

#[cfg(test)]
mod tests;
