//! Spans of time as people write them: `500ms`, `30s`, `15m`, `24h`, `7d`.

use std::time::Duration;

use craton_base::{Error, Result};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Reads a span of time, longer than none and at most ten years.
pub(crate) fn parse(text: &str) -> Result<Duration> {
    let bad = || {
        Error::invalid(format!(
            "{text:?} is not a time; write for example 500ms, 30s, 15m, 24h or 7d"
        ))
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or_else(bad)?;
    let number: u64 = number.parse().map_err(|_| bad())?;
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
    let millis = number
        .checked_mul(*millis)
        .filter(|m| (1..=315_360_000_000).contains(m))
        .ok_or_else(bad)?;
    Ok(Duration::from_millis(millis))
}
