//! Percent encoding as Signature Version 4 wants it: every byte except `A-Z a-z 0-9 - . _ ~`
//! becomes `%XX` with upper-case digits.
//!
//! The wire form is decoded once and encoded again, so that two spellings of the same bytes
//! (`*` and `%2A`) are one canonical form: the bytes that are signed are the bytes that a door
//! gets by decoding once.

use std::borrow::Cow;

use craton_base::Result;

use super::refuse;

/// What is kept beyond the unreserved characters, and how `+` reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// `/` is kept, `+` is itself.
    Path,
    /// `/` is encoded, `+` is a space, as in a form: doors decode queries so.
    Query,
}

/// Decodes `raw` once.
pub(super) fn decode(raw: &str, part: Part) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'%' => hex_pair(bytes.next(), bytes.next())?,
            b'+' if part == Part::Query => b' ',
            b => b,
        });
    }
    Ok(out)
}

/// Appends the canonical form of `bytes`.
pub(super) fn encode_into(out: &mut String, bytes: &[u8], part: Part) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or('0');
    for &b in bytes {
        if is_kept(b, part) {
            out.push(char::from(b));
        } else {
            out.extend(['%', digit(b >> 4), digit(b)]);
        }
    }
}

/// Whether a byte stands for itself.
const fn is_kept(b: u8, part: Part) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'-' | b'.' | b'_' | b'~')
        || (b == b'/' && matches!(part, Part::Path))
}

/// Decodes once and encodes again.
pub(super) fn recode(raw: &str, part: Part) -> Result<Cow<'_, str>> {
    if raw.bytes().all(|b| is_kept(b, part)) {
        return Ok(raw.into());
    }
    let mut out = String::with_capacity(raw.len() + 16);
    encode_into(&mut out, &decode(raw, part)?, part);
    Ok(out.into())
}

fn hex_pair(high: Option<u8>, low: Option<u8>) -> Result<u8> {
    let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
    digit(high)
        .zip(digit(low))
        .and_then(|(h, l)| u8::try_from(h * 16 + l).ok())
        .ok_or_else(|| {
            refuse::invalid(
                "InvalidURI",
                "a '%' in the address is not followed by two hex digits",
            )
        })
}

#[cfg(test)]
mod tests;
