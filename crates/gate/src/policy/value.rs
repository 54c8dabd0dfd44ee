//! The typed values of conditions: decimal numbers, dates, networks, binary. Each has one parser
//! for the policy's side and the request's side. Pure; knows nothing of operators.

use std::net::IpAddr;

use base64::Engine as _;
use craton_base::Timestamp;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset, format_description::well_known::Rfc3339};

/// Digits kept after the decimal point; numbers compare exactly, never as floating point.
const FRACTION_DIGITS: usize = 15;
/// Digits allowed before the decimal point.
const WHOLE_DIGITS_MAX: usize = 20;

/// A decimal number in units of 10⁻¹⁵.
pub(super) fn number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if whole.len() > WHOLE_DIGITS_MAX || fraction.len() > FRACTION_DIGITS {
        return None;
    }
    let scaled: i128 = format!("{whole}{fraction:0<FRACTION_DIGITS$}").parse().ok()?;
    Some(if negative { -scaled } else { scaled })
}

/// A point in time in nanoseconds since 1970: a whole number is epoch seconds, everything else
/// ISO 8601 in the forms of the W3C note (year and month, date, date and time with an offset).
pub(super) fn date(text: &str) -> Option<i128> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(i128::from(seconds) * 1_000_000_000);
    }
    let at = match text.len() {
        7 => day(&format!("{text}-01"))?,
        10 => day(text)?,
        _ => instant(text)?,
    };
    Some(at.unix_timestamp_nanos())
}

fn day(text: &str) -> Option<OffsetDateTime> {
    let mut fields = text.splitn(3, '-');
    let year = digits(fields.next()?, 4)?;
    let month = Month::try_from(u8::try_from(digits(fields.next()?, 2)?).ok()?).ok()?;
    let day = u8::try_from(digits(fields.next()?, 2)?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
    Some(date.with_time(Time::MIDNIGHT).assume_offset(UtcOffset::UTC))
}

fn digits(text: &str, count: usize) -> Option<u16> {
    let plain = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok().or_else(|| {
        // The W3C note allows hours and minutes without seconds; RFC 3339 does not.
        let (start, offset) = text.split_at_checked("2026-11-22T21:00".len())?;
        OffsetDateTime::parse(&format!("{start}:00{offset}"), &Rfc3339).ok()
    })
}

/// Whole seconds since 1970.
pub(super) fn epoch_seconds(at: Timestamp) -> u64 {
    at.seconds()
}

/// `2026-11-22T21:00:00Z`.
pub(super) fn iso_8601(seconds: u64) -> String {
    let at = Timestamp::from_seconds(seconds).to_utc();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// `true` or `false` in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Base64 as in JSON policies, with padding.
pub(super) fn binary(text: &str) -> Option<Vec<u8>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// An address from a request. An IPv4 address inside IPv6 (`::ffff:192.0.2.1`) is the IPv4
/// address, so that the form of a socket cannot step around a rule.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|a| a.to_canonical())
}

/// A CIDR range, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl std::str::FromStr for Network {
    type Err = craton_base::Error;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::parse(s).ok_or_else(|| {
            craton_base::Error::invalid(format!("{s:?} is not an address or a network such as 10.0.0.0/8"))
        })
    }
}

impl Network {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(p) if !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) => p.parse().ok()?,
            Some(_) => return None,
        };
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// Whether S3 takes it for a place and not for the public: /8 and narrower, /32 and narrower for IPv6.
    pub(super) fn is_narrow(&self) -> bool {
        let least = if self.address.is_ipv4() { 8 } else { 32 };
        self.prefix >= least
    }

    /// Whether an address is in it; an IPv4 address inside IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match (self.address, address) {
            (IpAddr::V4(net), IpAddr::V4(a)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == a.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(a)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                net.to_bits() & mask == a.to_bits() & mask
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
