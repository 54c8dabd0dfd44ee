//! Tags as S3's headers say them: `x-amz-tagging` is a URL query.
//!
//! Deliberately absent: the limits, which are the gate's ([`craton_gate::tags`]), and XML.

use craton_gate::tags::{OBJECT_TAGS_MAX, Tag, Tags};

use crate::{Error, Fault, Result};

/// Reads and checks an `x-amz-tagging` header: `a=1&b=2`, percent-encoded, `+` for a space.
///
/// # Errors
/// `InvalidArgument` for what is no such text or names a tag twice; `BadRequest`, `InvalidTag` for the limits.
pub fn parse_header(header: &str) -> Result<Tags> {
    let bad = || {
        Error::fault(
            Fault::InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates.",
        )
    };
    let mut list: Vec<Tag> = Vec::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = decoded(key).ok_or_else(bad)?;
        let value = decoded(value).ok_or_else(bad)?;
        if list.iter().any(|tag| tag.key == key) {
            return Err(bad());
        }
        list.push(Tag { key, value });
        if list.len() > OBJECT_TAGS_MAX {
            break;
        }
    }
    let tags = Tags::new(list);
    tags.check(OBJECT_TAGS_MAX)?;
    Ok(tags)
}

/// Percent-decoded text; `None` for an escape that is none, or bytes that are not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                (high << 4) | low
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests;
