//! Parameters of statements that write: put into the statement as literals, before anything of it is planned.
//!
//! Invariant: a value becomes one literal, whatever is in it; no text of a client is read as SQL.

use std::ops::ControlFlow;

use craton_base::{Error, Kind, Result};
use datafusion::{
    arrow::datatypes::DataType,
    common::ScalarValue,
    sql::{
        parser::Statement as Parsed,
        sqlparser::ast::{
            CastKind, DataType as SqlType, ExactNumberInfo, Expr, SetExpr, Statement as Sql, TimezoneInfo,
            Value, VisitMut, visit_expressions, visit_expressions_mut,
        },
    },
};

use crate::{
    iceberg::types::not_yet,
    parameters::{Given, place, rows, wrong},
};

/// How many parameters a statement has.
///
/// # Errors
/// `InvalidParameter` for one that is no number.
pub(crate) fn parameters(statement: &Parsed) -> Result<usize> {
    let Parsed::Statement(sql) = statement else {
        return Ok(0);
    };
    let mut most = 0;
    let done = visit_expressions(&**sql, |expression| match named(expression).map(place) {
        Some(Ok(at)) => {
            most = most.max(at.saturating_add(1));
            ControlFlow::Continue(())
        }
        Some(Err(error)) => ControlFlow::Break(error),
        None => ControlFlow::Continue(()),
    });
    match done {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(most),
    }
}

/// The statement with its values.
///
/// # Errors
/// `InvalidParameter`; `NotSupportedYet` for several rows of values, unless they are inserted.
pub(super) fn bound(mut statement: Parsed, given: &Given) -> Result<Parsed> {
    let rows = rows(given, &[])?;
    if let Parsed::Statement(sql) = &mut statement {
        match rows.as_slice() {
            [] => fill(&mut **sql, &[])?,
            [row] => fill(&mut **sql, row)?,
            rows => fill_rows(sql, rows)?,
        }
    }
    Ok(statement)
}

/// `INSERT … VALUES` with one row of parameters: as many rows as there are values.
fn fill_rows(sql: &mut Sql, given: &[Vec<ScalarValue>]) -> Result<()> {
    let only = || not_yet("several rows of parameters of a statement that is no INSERT of one row of VALUES");
    let Sql::Insert(insert) = sql else {
        return Err(only());
    };
    let body = insert.source.as_mut().map(|query| &mut *query.body);
    let Some(SetExpr::Values(values)) = body else {
        return Err(only());
    };
    let [template] = values.rows.as_slice() else {
        return Err(only());
    };
    let mut out = Vec::with_capacity(given.len());
    for row in given {
        let mut filled = template.clone();
        for expression in filled.iter_mut() {
            fill(expression, row)?;
        }
        out.push(filled);
    }
    values.rows = out;
    Ok(())
}

fn named(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn fill(part: &mut impl VisitMut, row: &[ScalarValue]) -> Result<()> {
    let done = visit_expressions_mut(part, |expression| {
        let Some(name) = named(expression) else {
            return ControlFlow::Continue(());
        };
        let filled = place(name).and_then(|at| {
            let value = row.get(at).ok_or_else(|| wrong(at, "has no value"))?;
            literal(at, value)
        });
        match filled {
            Ok(filled) => {
                *expression = filled;
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    });
    match done {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn of(value: Value) -> Expr {
    Expr::Value(value.into())
}

/// A value as a literal of its type.
fn literal(at: usize, value: &ScalarValue) -> Result<Expr> {
    if value.is_null() {
        return Ok(of(Value::Null));
    }
    let kind = value.data_type();
    let text = || -> Result<String> {
        let text = value.cast_to(&DataType::Utf8).map_err(|e| wrong(at, e))?;
        match text {
            ScalarValue::Utf8(Some(text)) => Ok(text),
            _ => Err(wrong(at, "has no text")),
        }
    };
    let typed = match &kind {
        DataType::Boolean => {
            return Ok(of(Value::Boolean(matches!(
                value,
                ScalarValue::Boolean(Some(true))
            ))));
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            return Ok(of(Value::SingleQuotedString(text()?)));
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            return bytes(value).ok_or_else(|| wrong(at, "has no bytes"));
        }
        kind if kind.is_integer() => SqlType::BigInt(None),
        DataType::Float16 | DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::Double(ExactNumberInfo::None),
        DataType::Decimal128(precision, scale) if *scale >= 0 => SqlType::Decimal(
            ExactNumberInfo::PrecisionAndScale((*precision).into(), (*scale).into()),
        ),
        DataType::Date32 | DataType::Date64 => SqlType::Date,
        DataType::Time32(_) | DataType::Time64(_) => SqlType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(_, None) => SqlType::Timestamp(None, TimezoneInfo::None),
        DataType::Timestamp(_, Some(_)) => SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        other => {
            let text = format!(
                "the parameter ${} is of the type {other}, which is not read",
                at.saturating_add(1)
            );
            return Err(Error::new(Kind::Invalid, "InvalidParameter", text));
        }
    };
    Ok(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(of(Value::SingleQuotedString(text()?))),
        data_type: typed,
        array: false,
        format: None,
    })
}

fn bytes(value: &ScalarValue) -> Option<Expr> {
    let bytes = match value.cast_to(&DataType::Binary).ok()? {
        ScalarValue::Binary(Some(bytes)) => bytes,
        _ => return None,
    };
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16);
    let hex: Option<String> = bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect();
    Some(of(Value::HexStringLiteral(hex?)))
}

#[cfg(test)]
mod tests;
