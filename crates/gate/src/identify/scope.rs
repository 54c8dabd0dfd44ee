//! Dates and credential scopes of Signature Version 4.

use craton_base::{Timestamp, clock::Clock};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc2822};

/// Names the service that a request is signed for, and with it the rules of canonicalisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Objects: the path is encoded once and not normalised; the payload's hash is a header.
    S3,
    /// Sessions.
    Sts,
    /// Users and policies.
    Iam,
    /// Table buckets.
    S3Tables,
    /// Keys: only to sign for, since nobody asks that of us.
    Kms,
}

impl Service {
    /// Every service that is served.
    pub const ALL: [Self; 4] = [Self::S3, Self::Sts, Self::Iam, Self::S3Tables];

    /// The name as it stands in a credential scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::S3Tables => "s3tables",
            Self::Kms => "kms",
        }
    }

    /// The service with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == name)
    }
}

/// Where and when a signing key is good: `<date>/<region>/<service>/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The day in UTC, `YYYYMMDD`.
    pub date: String,
    /// The region, as the client wrote it.
    pub region: String,
    /// The service, as the client wrote it.
    pub service: String,
}

impl Scope {
    /// As it stands in the string to sign.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// A signature's time: whole seconds, with its basic ISO 8601 text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AmzDate {
    pub(super) text: String,
    pub(super) at: Timestamp,
}

impl AmzDate {
    /// Reads `YYYYMMDDTHHMMSSZ`; `None` if it is anything else or before 1970.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T')?;
        let time = rest.strip_suffix('Z')?;
        let time = Time::from_hms(digits(time, 0, 2)?, digits(time, 2, 2)?, digits(time, 4, 2)?).ok()?;
        if date.len() != 8 || rest.len() != 7 {
            return None;
        }
        let year = i32::from(digits::<u16>(date, 0, 4)?);
        let month = Month::try_from(digits::<u8>(date, 4, 2)?).ok()?;
        let date = Date::from_calendar_date(year, month, digits(date, 6, 2)?).ok()?;
        let seconds = PrimitiveDateTime::new(date, time).assume_utc().unix_timestamp();
        let at = Timestamp::from_seconds(u64::try_from(seconds).ok()?);
        Some(Self {
            text: text.to_owned(),
            at,
        })
    }

    /// Reads an HTTP date such as `Fri, 24 May 2013 00:00:00 GMT`, or the basic form.
    pub(super) fn parse_http(text: &str) -> Option<Self> {
        if let Some(basic) = Self::parse(text) {
            return Some(basic);
        }
        let seconds = OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp();
        Some(Self::from_timestamp(Timestamp::from_seconds(
            u64::try_from(seconds).ok()?,
        )))
    }

    /// The date of a moment, cut to whole seconds.
    pub(super) fn from_timestamp(at: Timestamp) -> Self {
        let at = Timestamp::from_seconds(at.seconds());
        let t = at.to_utc();
        let text = format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        );
        Self { text, at }
    }

    /// The day, `YYYYMMDD`.
    pub(super) fn day(&self) -> &str {
        self.text.get(..8).unwrap_or_default()
    }

    /// How far the signature is behind the clock; zero if it is ahead.
    pub(super) fn age(&self, clock: &dyn Clock) -> std::time::Duration {
        clock.now().since(self.at)
    }
}

fn digits<T: std::str::FromStr>(text: &str, start: usize, len: usize) -> Option<T> {
    let part = text.get(start..start.checked_add(len)?)?;
    part.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| part.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests;
