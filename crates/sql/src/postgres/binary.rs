//! Values in PostgreSQL's binary format.

use datafusion::arrow::{
    array::{Array, ArrayRef, AsArray as _},
    compute::cast,
    datatypes::{
        DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
        Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
    },
    error::ArrowError,
    util::display::{ArrayFormatter, FormatOptions},
};

use super::{id, type_of};

/// From 1970 to 2000, where PostgreSQL's time begins.
pub(super) const EPOCH_DAYS: i32 = 10_957;

/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Writes one value that is not null.
pub(super) fn put(column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let one = column.slice(row, 1);
    let type_id = type_of(column.data_type());
    let as_type = |kind: DataType| cast(&one, &kind);
    match type_id {
        id::BOOL => out.push(u8::from(one.as_boolean().value(0))),
        id::INT2 => out.extend(
            as_type(DataType::Int16)?
                .as_primitive::<Int16Type>()
                .value(0)
                .to_be_bytes(),
        ),
        id::INT4 => out.extend(
            as_type(DataType::Int32)?
                .as_primitive::<Int32Type>()
                .value(0)
                .to_be_bytes(),
        ),
        id::INT8 => out.extend(
            as_type(DataType::Int64)?
                .as_primitive::<Int64Type>()
                .value(0)
                .to_be_bytes(),
        ),
        id::FLOAT4 => out.extend(
            as_type(DataType::Float32)?
                .as_primitive::<Float32Type>()
                .value(0)
                .to_be_bytes(),
        ),
        id::FLOAT8 => out.extend(
            as_type(DataType::Float64)?
                .as_primitive::<Float64Type>()
                .value(0)
                .to_be_bytes(),
        ),
        id::BYTEA => out.extend(as_type(DataType::Binary)?.as_binary::<i32>().value(0)),
        id::DATE | id::TIME | id::TIMESTAMP | id::TIMESTAMPTZ => temporal(&one, out)?,
        id::NUMERIC => {
            let text = ArrayFormatter::try_new(&one, &FormatOptions::default())?
                .value(0)
                .try_to_string()?;
            numeric(&text, out);
        }
        _ => {
            let text = ArrayFormatter::try_new(&one, &FormatOptions::default())?
                .value(0)
                .try_to_string()?;
            out.extend(text.as_bytes());
        }
    }
    Ok(())
}

/// A date or a time, alone in its array.
fn temporal(one: &ArrayRef, out: &mut Vec<u8>) -> Result<(), ArrowError> {
    let micros = match one.data_type() {
        DataType::Date32 => {
            let days = one.as_primitive::<Date32Type>().value(0);
            out.extend(days.saturating_sub(EPOCH_DAYS).to_be_bytes());
            return Ok(());
        }
        DataType::Timestamp(_, zone) => {
            let time = cast(one, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
            let micros = time.as_primitive::<TimestampMicrosecondType>().value(0);
            micros.saturating_sub(EPOCH_MICROS)
        }
        _ => {
            let time = cast(one, &DataType::Time64(TimeUnit::Microsecond))?;
            time.as_primitive::<Time64MicrosecondType>().value(0)
        }
    };
    out.extend(micros.to_be_bytes());
    Ok(())
}

/// A decimal number as groups of four digits.
fn numeric(text: &str, out: &mut Vec<u8>) {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (0x4000u16, rest),
        None => (0, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let before = whole.len().div_ceil(4);
    let after = part.len().div_ceil(4);
    let padded = format!(
        "{}{whole}{part}{}",
        "0".repeat(before.saturating_mul(4).saturating_sub(whole.len())),
        "0".repeat(after.saturating_mul(4).saturating_sub(part.len()))
    );
    let groups = padded.as_bytes().chunks(4);
    let groups = groups.map(|group| {
        group.iter().fold(0u16, |n, digit| {
            n.wrapping_mul(10).wrapping_add(u16::from(digit & 0xf))
        })
    });
    let mut groups: Vec<u16> = groups.collect();
    let mut weight = i16::try_from(before).unwrap_or(i16::MAX).saturating_sub(1);
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight = weight.saturating_sub(1);
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.extend(u16::try_from(groups.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(weight.to_be_bytes());
    out.extend(sign.to_be_bytes());
    out.extend(u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
    groups.iter().for_each(|group| out.extend(group.to_be_bytes()));
}
