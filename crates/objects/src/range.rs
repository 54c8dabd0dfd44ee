//! Which bytes of an object are asked for: the `Range` header's one useful form (RFC 9110,
//! section 14) and S3's part numbers.
//!
//! Deliberately absent: several ranges at once, which S3 answers with the whole object; parsing says
//! "no range" for them and for whatever else is not one range of bytes.

use std::ops::Range;

use crate::{Error, Fault, Result, meta::ObjectMeta};

/// Farther than any object reaches, and still a number for all who read the header.
const FAR: u64 = u64::MAX >> 1;

/// One range of bytes, before the object's size is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From an offset, to an offset that is included, or to the end.
    From(u64, Option<u64>),
    /// The last bytes.
    Last(u64),
}

/// What of an object is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Selection {
    /// All of it.
    #[default]
    Whole,
    /// A range of bytes.
    Range(ByteRange),
    /// The bytes of one part, numbered from 1.
    Part(u32),
}

impl ByteRange {
    /// Reads a `Range` header; `None` for anything but one range of bytes.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, spec) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = spec.trim().split_once('-')?;
        // A number that is beyond every object is a number all the same.
        let digits = |s: &str| {
            let is_number = !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| s.parse::<u64>().map_or(FAR, |n| n.min(FAR)))
        };
        match (first, last) {
            ("", last) => digits(last).map(Self::Last),
            (first, "") => digits(first).map(|f| Self::From(f, None)),
            (first, last) => {
                let (first, last) = (digits(first)?, digits(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// As a `Range` header.
    #[must_use]
    pub fn to_header(self) -> String {
        match self {
            Self::From(first, Some(last)) => format!("bytes={first}-{last}"),
            Self::From(first, None) => format!("bytes={first}-"),
            Self::Last(n) => format!("bytes=-{n}"),
        }
    }

    /// The bytes of an object of `size` bytes that it names.
    ///
    /// # Errors
    /// [`Error::RangeNotSatisfiable`] if it names none.
    pub fn within(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::From(first, last) => first..last.map_or(size, |l| l.saturating_add(1).min(size)),
            Self::Last(n) => size.saturating_sub(n)..size,
        };
        if range.start < range.end {
            Ok(range)
        } else {
            Err(Error::RangeNotSatisfiable { size })
        }
    }
}

impl Selection {
    /// The bytes of the object that it names.
    ///
    /// # Errors
    /// [`Error::RangeNotSatisfiable`], or `InvalidPartNumber` for a part that the object does not have.
    pub fn within(self, meta: &ObjectMeta) -> Result<Range<u64>> {
        match self {
            Self::Whole => Ok(0..meta.size),
            Self::Range(r) => r.within(meta.size),
            Self::Part(number) => part(number, meta),
        }
    }
}

fn part(number: u32, meta: &ObjectMeta) -> Result<Range<u64>> {
    let missing = || {
        Error::fault(
            Fault::InvalidPartNumber,
            "The requested partnumber is not satisfiable.",
        )
    };
    let index = usize::try_from(number)
        .ok()
        .and_then(|n| n.checked_sub(1))
        .ok_or_else(missing)?;
    if meta.parts.is_empty() {
        return if index == 0 {
            Ok(0..meta.size)
        } else {
            Err(missing())
        };
    }
    let this = meta.parts.get(index).ok_or_else(missing)?;
    let start = meta
        .parts
        .iter()
        .take(index)
        .map(|p| p.size)
        .fold(0, u64::saturating_add);
    Ok(start..start.saturating_add(this.size))
}

#[cfg(test)]
mod tests;
