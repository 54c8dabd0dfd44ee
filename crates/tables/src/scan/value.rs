//! Single values of columns: from manifests, from and to JSON, compared.
//!
//! Source: Apache Iceberg, table specification, "Appendix D: Single-value serialization" (binary and JSON).

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use crate::avro;

/// A value that can be compared with others of its column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Single {
    /// Whole numbers, times and decimals, in the unit of their type.
    Whole(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Single {
    /// `None` for what has no order.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

fn scale(kind: &str) -> Option<u32> {
    let inner = kind.strip_prefix("decimal(")?.strip_suffix(')')?;
    inner.split_once(',')?.1.trim().parse().ok()
}

/// A bound as a manifest has it.
pub(super) fn of_bytes(kind: &str, bytes: &[u8]) -> Option<Single> {
    let four = || Some(i128::from(i32::from_le_bytes(bytes.try_into().ok()?)));
    let eight = || Some(i128::from(i64::from_le_bytes(bytes.try_into().ok()?)));
    Some(match kind {
        "boolean" => Single::Whole(i128::from(*bytes.first()? != 0)),
        "int" | "date" => Single::Whole(four()?),
        // A column that became wider has bounds of its earlier type.
        "long" => Single::Whole(eight().or_else(four)?),
        "time" | "timestamp" | "timestamptz" | "timestamp_ns" | "timestamptz_ns" => Single::Whole(eight()?),
        "float" => Single::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
        "double" => match bytes.len() {
            4 => Single::Float(f32::from_le_bytes(bytes.try_into().ok()?).into()),
            _ => Single::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        },
        "string" => Single::Text(std::str::from_utf8(bytes).ok()?.to_owned()),
        kind if kind.starts_with("decimal(") => Single::Whole(number(bytes)?),
        _ => Single::Bytes(bytes.to_vec()),
    })
}

/// Two's complement, the highest byte first.
fn number(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 != 0 { -1i128 } else { 0 };
    let fits = bytes.len() <= 16;
    fits.then(|| {
        bytes
            .iter()
            .fold(sign, |number, byte| number << 8 | i128::from(*byte))
    })
}

/// A partition's value as a manifest has it.
pub(super) fn of_avro(kind: &str, value: &avro::Value) -> Option<Single> {
    match value {
        avro::Value::Boolean(is) => Some(Single::Whole(i128::from(*is))),
        avro::Value::Integer(number) => Some(Single::Whole((*number).into())),
        avro::Value::Float(number) => Some(Single::Float((*number).into())),
        avro::Value::Double(number) => Some(Single::Float(*number)),
        avro::Value::Bytes(bytes) => of_bytes(kind, bytes),
        _ => None,
    }
}

/// A value of an expression; `None` for what is not understood.
pub(super) fn of_json(kind: &str, json: &Json) -> Option<Single> {
    let text = json.as_str();
    Some(match kind {
        "boolean" => Single::Whole(i128::from(json.as_bool()?)),
        "int" | "long" => Single::Whole(json.as_i64()?.into()),
        "float" => Single::Float((json.as_f64()? as f32).into()),
        "double" => Single::Float(json.as_f64()?),
        "string" => Single::Text(text?.to_owned()),
        "date" => Single::Whole(date(text?)?),
        "time" => Single::Whole(clock(text?, 6)?),
        "timestamp" | "timestamptz" => Single::Whole(moment(text?, 6)?),
        "timestamp_ns" | "timestamptz_ns" => Single::Whole(moment(text?, 9)?),
        "uuid" => Single::Bytes(hex::decode(text?.replace('-', "")).ok()?),
        "binary" => Single::Bytes(hex::decode(text?).ok()?),
        kind if kind.starts_with("fixed[") => Single::Bytes(hex::decode(text?).ok()?),
        kind => Single::Whole(decimal(text?, scale(kind)?)?),
    })
}

fn decimal(text: &str, scale: u32) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let missing = usize::try_from(scale).ok()?.checked_sub(part.len())?;
    let number: i128 = format!("{whole}{part}{}", "0".repeat(missing)).parse().ok()?;
    number.checked_mul(sign)
}

/// Days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date(text: &str) -> Option<i128> {
    let (rest, day) = text.rsplit_once('-')?;
    let (year, month) = rest.rsplit_once('-')?;
    let (year, month, day): (i128, i128, i128) = (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let is_one = (1..=12).contains(&month) && (1..=31).contains(&day) && (-290_000..=290_000).contains(&year);
    if !is_one {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + days - 719_468)
}

fn to_date(days: i128) -> String {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!("{:04}-{month:02}-{day:02}", year + era * 400 + carry)
}

/// A time of day, in so many digits of a second.
fn clock(text: &str, digits: u32) -> Option<i128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let mut parts = whole.split(':').map(str::parse::<i128>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().unwrap_or(Ok(0)).ok()?;
    let unit = 10i128.pow(digits);
    let missing = usize::try_from(digits).ok()?.checked_sub(part.len())?;
    let part: i128 = format!("0{part}{}", "0".repeat(missing)).parse().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * unit + part)
}

fn to_clock(number: i128, digits: u32) -> String {
    let unit = 10i128.pow(digits);
    let (seconds, part) = (number.div_euclid(unit), number.rem_euclid(unit));
    let (minutes, hours) = (seconds / 60 % 60, seconds / 3600);
    let width = usize::try_from(digits).unwrap_or(6);
    format!("{hours:02}:{minutes:02}:{:02}.{part:0width$}", seconds % 60)
}

fn moment(text: &str, digits: u32) -> Option<i128> {
    let (day, rest) = text.split_once('T')?;
    let plain = rest.trim_end_matches('Z');
    let (time, offset) = match plain.rsplit_once(['+', '-']) {
        Some((time, offset)) => (
            time,
            clock(offset, digits)? * if plain.contains('-') { -1 } else { 1 },
        ),
        None => (plain, 0),
    };
    Some(date(day)? * 86_400 * 10i128.pow(digits) + clock(time, digits)? - offset)
}

fn to_moment(number: i128, digits: u32) -> String {
    let day = 86_400 * 10i128.pow(digits);
    format!(
        "{}T{}",
        to_date(number.div_euclid(day)),
        to_clock(number.rem_euclid(day), digits)
    )
}

/// As JSON.
pub(super) fn to_json(kind: &str, value: &Single) -> Json {
    match (value, kind) {
        (Single::Whole(n), "boolean") => json!(*n != 0),
        (Single::Whole(n), "date") => json!(to_date(*n)),
        (Single::Whole(n), "time") => json!(to_clock(*n, 6)),
        (Single::Whole(n), "timestamp") => json!(to_moment(*n, 6)),
        (Single::Whole(n), "timestamptz") => json!(to_moment(*n, 6) + "+00:00"),
        (Single::Whole(n), "timestamp_ns") => json!(to_moment(*n, 9)),
        (Single::Whole(n), "timestamptz_ns") => json!(to_moment(*n, 9) + "+00:00"),
        (Single::Whole(n), kind) => match scale(kind) {
            Some(scale) => json!(to_decimal(*n, scale)),
            None => json!(i64::try_from(*n).unwrap_or(i64::MAX)),
        },
        (Single::Float(n), _) => json!(n),
        (Single::Text(text), _) => json!(text),
        (Single::Bytes(bytes), "uuid") => json!(to_uuid(bytes)),
        (Single::Bytes(bytes), _) => json!(hex::encode_upper(bytes)),
    }
}

fn to_decimal(number: i128, scale: u32) -> String {
    let width = usize::try_from(scale).unwrap_or(0).saturating_add(1);
    let digits = format!("{:0width$}", number.unsigned_abs());
    let (whole, part) = digits.split_at(digits.len().saturating_sub(width.saturating_sub(1)));
    let sign = if number < 0 { "-" } else { "" };
    match part {
        "" => format!("{sign}{whole}"),
        part => format!("{sign}{whole}.{part}"),
    }
}

fn to_uuid(bytes: &[u8]) -> String {
    let text = hex::encode(bytes);
    let cuts = [0..8, 8..12, 12..16, 16..20, 20..32];
    let parts: Vec<&str> = cuts.into_iter().filter_map(|cut| text.get(cut)).collect();
    parts.join("-")
}

#[cfg(test)]
mod tests;
