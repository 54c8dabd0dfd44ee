//! Values of a statement's parameters, `$1`, `$2` and so on, as clients of either protocol send them.
//!
//! What type one is says its client where it can, and the statement otherwise.
//!
//! Deliberately absent: values in PostgreSQL's forms ([`crate::postgres`]).

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::{
        array::{ArrayRef, RecordBatch},
        datatypes::{DataType, Field, Schema},
        ipc::{reader::StreamReader, writer::StreamWriter},
    },
    common::ScalarValue,
    logical_expr::LogicalPlan,
};

use crate::postgres::{self, Parameter};

/// The most parameters of a statement.
const PARAMETERS_MAX: usize = 1024;

/// The most rows of values that a client sends at once.
const ROWS_MAX: usize = 10_000;

/// The values of a statement's parameters.
#[derive(Clone, Debug)]
pub enum Given {
    /// One of each, as a client of PostgreSQL's sends it.
    Postgres(Vec<Parameter>),
    /// An Arrow stream with a column of each; only a statement that inserts takes several rows. Empty: none.
    Arrow(Bytes),
}

impl Default for Given {
    fn default() -> Self {
        Self::Postgres(Vec::new())
    }
}

pub(crate) fn wrong(at: usize, what: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::Invalid,
        "InvalidParameter",
        format!("the parameter ${} {what}", at.saturating_add(1)),
    )
}

fn invalid(text: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(Kind::Invalid, "InvalidParameter", text)
}

/// The place of a parameter by its name in a statement, from 0.
///
/// # Errors
/// `InvalidParameter` for one that is no number.
pub(crate) fn place(name: &str) -> Result<usize> {
    let number = name.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
    let at = number
        .and_then(|n| n.checked_sub(1))
        .filter(|at| *at < PARAMETERS_MAX);
    at.ok_or_else(|| {
        invalid(format!(
            "{name} is no parameter: they are $1 to ${PARAMETERS_MAX}"
        ))
    })
}

/// The types of a plan's parameters, `$1` first; `None` where the plan does not say one.
///
/// # Errors
/// `InvalidParameter` for one that is no number.
pub(crate) fn types(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>> {
    let named = plan.get_parameter_types().map_err(|e| crate::error::own(&e))?;
    let mut out = Vec::new();
    for (name, kind) in named {
        let at = place(&name)?;
        if out.len() <= at {
            out.resize(at.saturating_add(1), None);
        }
        if let Some(place) = out.get_mut(at) {
            *place = kind;
        }
    }
    Ok(out)
}

/// The values for a plan.
///
/// # Errors
/// `InvalidParameter`.
pub(crate) fn values(plan: &LogicalPlan, given: &Given) -> Result<Vec<ScalarValue>> {
    let types = types(plan)?;
    let mut rows = rows(given, &types)?.into_iter();
    let first = rows.next().unwrap_or_default();
    if rows.next().is_some() {
        return Err(invalid("only INSERT … VALUES takes several rows of parameters"));
    }
    if first.len() < types.len() {
        return Err(wrong(first.len(), "has no value"));
    }
    Ok(first.into_iter().take(types.len()).collect())
}

/// The rows of values that a client sends: those of a statement that says of no type, or only of the first ones, what it is, as they are.
///
/// # Errors
/// `InvalidParameter`.
pub(crate) fn rows(given: &Given, types: &[Option<DataType>]) -> Result<Vec<Vec<ScalarValue>>> {
    let wanted = |at: usize| types.get(at).and_then(Option::as_ref);
    match given {
        Given::Postgres(given) if given.is_empty() => Ok(Vec::new()),
        Given::Postgres(given) => {
            let values = given.iter().enumerate();
            let row: Result<_> = values
                .map(|(at, given)| postgres::value(at, wanted(at), given))
                .collect();
            Ok(vec![row?])
        }
        Given::Arrow(stream) if stream.is_empty() => Ok(Vec::new()),
        Given::Arrow(stream) => {
            let unread = |e| invalid(format!("the parameters can not be read: {e}"));
            let mut out = Vec::new();
            for batch in StreamReader::try_new(&**stream, None).map_err(unread)? {
                let batch = batch.map_err(unread)?;
                if out.len().saturating_add(batch.num_rows()) > ROWS_MAX {
                    return Err(invalid(format!(
                        "there are more than {ROWS_MAX} rows of parameters"
                    )));
                }
                for row in 0..batch.num_rows() {
                    out.push(of_row(&batch, row, wanted)?);
                }
            }
            Ok(out)
        }
    }
}

fn of_row<'t>(
    batch: &RecordBatch,
    row: usize,
    wanted: impl Fn(usize) -> Option<&'t DataType>,
) -> Result<Vec<ScalarValue>> {
    let columns = batch.columns().iter().enumerate();
    let value = |(at, column): (usize, &ArrayRef)| {
        let value = ScalarValue::try_from_array(column, row).map_err(|e| wrong(at, e))?;
        match wanted(at) {
            Some(kind) => value
                .cast_to(kind)
                .map_err(|_| wrong(at, format_args!("is no {kind}"))),
            None => Ok(value),
        }
    };
    columns.map(value).collect()
}

/// A schema as a message of Arrow's stream.
///
/// # Errors
/// `Internal` for a type that Arrow does not write.
pub fn message(schema: &Schema) -> Result<Bytes> {
    let written = StreamWriter::try_new(Vec::new(), schema);
    let written = written.map_err(|e| Error::internal("a schema can not be written").with_source(e))?;
    Ok(Bytes::copy_from_slice(written.get_ref()))
}

/// Types of parameters as a schema.
#[must_use]
pub fn schema(types: &[Option<DataType>]) -> Schema {
    let fields = types.iter().enumerate().map(|(at, kind)| {
        let kind = kind.clone().unwrap_or(DataType::Null);
        Arc::new(Field::new(format!("${}", at.saturating_add(1)), kind, true))
    });
    Schema::new(fields.collect::<Vec<_>>())
}
