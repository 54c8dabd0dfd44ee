//! The typed values of conditions: decimal numbers, dates, networks, binary. Each has one parser
//! for the policy's side and the request's side. Pure; knows nothing of operators.

use std::net::IpAddr;

use base64::Engine as _;
use craton_base::Timestamp;
use time::{Date, Month, OffsetDateTime, Time, UtcOffset, format_description::well_known::Rfc3339};

/// Digits kept after the decimal point; numbers compare exactly, never as floating point.
const FRACTION_DIGITS: usize = 15;
/// Nanoseconds in a second.
const NANOS: i128 = 1_000_000_000;
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
        return Some(i128::from(seconds) * NANOS);
    }
    let at = match text.len() {
        7 => day(&format!("{text}-01"))?,
        10 => day(text)?,
        _ => instant(text)?,
    };
    Some(at.unix_timestamp_nanos())
}

/// The same of whole seconds since 1970.
pub(super) fn nanos(seconds: u64) -> i128 {
    i128::from(seconds).saturating_mul(NANOS)
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

    /// Its first and last address, as numbers.
    fn span(&self) -> Span {
        let bits = if self.address.is_ipv4() { 32 } else { 128 };
        let free = bits - u32::from(self.prefix);
        let inside = u128::MAX.checked_shr(128 - free).unwrap_or(0);
        let number = bits_of(self.address);
        (number & !inside, number | inside)
    }

    /// Whether an address is in it; an IPv4 address inside IPv6 is the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let (first, last) = self.span();
        address.is_ipv4() == self.address.is_ipv4() && (first..=last).contains(&bits_of(address))
    }
}

/// Several networks, of which one search finds the one that an address is in.
#[derive(Clone, Debug)]
pub(super) struct Networks {
    v4: Vec<Span>,
    v6: Vec<Span>,
    narrow: bool,
}

/// From the first address to the last, as numbers.
type Span = (u128, u128);

impl Networks {
    pub(super) fn new(networks: &[Network]) -> Self {
        let of = |v4: bool| disjoint(networks.iter().filter(|n| n.address.is_ipv4() == v4));
        Self {
            v4: of(true),
            v6: of(false),
            narrow: networks.iter().all(Network::is_narrow),
        }
    }

    /// Whether S3 takes all of them for places.
    pub(super) const fn are_narrow(&self) -> bool {
        self.narrow
    }

    /// Whether an address is in one of them; an IPv4 address inside IPv6 is the IPv4 address.
    pub(super) fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let spans = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        let number = bits_of(address);
        let after = spans.partition_point(|(first, _)| *first <= number);
        let nearest = after.checked_sub(1).and_then(|at| spans.get(at));
        nearest.is_some_and(|(_, last)| number <= *last)
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => a.to_bits().into(),
        IpAddr::V6(a) => a.to_bits(),
    }
}

/// The networks as spans in ascending order, those that overlap as one.
fn disjoint<'n>(networks: impl Iterator<Item = &'n Network>) -> Vec<Span> {
    let mut spans: Vec<Span> = networks.map(Network::span).collect();
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
    spans
}

#[cfg(test)]
mod tests;
