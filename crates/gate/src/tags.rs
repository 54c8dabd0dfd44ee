//! Tags: names and values that people put on objects and buckets, and that policies may ask about.
//! They are the gate's, since a decision reads an object's tags before any engine does.
//!
//! The limits and words are S3's ("Categorizing your storage using tags"). The prost tags are on disk
//! (`docs/formats.md`, "Objects").
//!
//! Deliberately absent: how tags come in (a header, XML) and where they are kept.

use std::collections::BTreeSet;

use craton_base::{Error, Kind, Result};
use prost::Message;

/// The most tags of an object.
pub const OBJECT_TAGS_MAX: usize = 10;

/// The most tags of a bucket.
pub const BUCKET_TAGS_MAX: usize = 50;

/// The longest name, in UTF-16 units, as S3 counts.
pub const TAG_KEY_UNITS_MAX: usize = 128;

/// The longest value, in UTF-16 units.
pub const TAG_VALUE_UNITS_MAX: usize = 256;

/// A tag.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct Tag {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value, which may be empty.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// The tags of one thing.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Tags {
    /// The tags, sorted by name.
    #[prost(message, repeated, tag = "1")]
    pub list: Vec<Tag>,
}

/// What the gate reads of an object's description.
#[derive(Clone, PartialEq, Message)]
struct Tagged {
    #[prost(message, optional, tag = "11")]
    tags: Option<Tags>,
}

impl Tags {
    /// Takes tags over, sorted.
    #[must_use]
    pub fn new(mut list: Vec<Tag>) -> Self {
        list.sort();
        Self { list }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Checks the limits, for a thing that may have `most` tags.
    ///
    /// # Errors
    /// `Invalid`, `BadRequest` for too many, `InvalidTag` for one that is not well-formed or is there twice.
    pub fn check(&self, most: usize) -> Result<()> {
        if self.list.len() > most {
            let what = if most == OBJECT_TAGS_MAX {
                "Object tags"
            } else {
                "Tags"
            };
            let message = format!("{what} cannot be greater than {most}");
            return Err(Error::new(Kind::Invalid, "BadRequest", message));
        }
        let mut seen = BTreeSet::new();
        for tag in &self.list {
            tag.check()?;
            if !seen.insert(&tag.key) {
                return Err(invalid("Cannot provide multiple Tags with the same key"));
            }
        }
        Ok(())
    }

    /// The tags in an object's stored description; an object whose description does not parse has none that
    /// could allow anything, and its reading fails later.
    pub(crate) fn of_object(meta: &[u8]) -> Self {
        Tagged::decode(meta).ok().and_then(|t| t.tags).unwrap_or_default()
    }
}

impl Tag {
    fn check(&self) -> Result<()> {
        let units = |text: &str| text.encode_utf16().count();
        if !(1..=TAG_KEY_UNITS_MAX).contains(&units(&self.key)) || !well_formed(&self.key) {
            return Err(invalid("The TagKey you have provided is invalid"));
        }
        if self
            .key
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("aws:"))
        {
            return Err(invalid("System tags cannot be added/updated by requester"));
        }
        if units(&self.value) > TAG_VALUE_UNITS_MAX || !well_formed(&self.value) {
            return Err(invalid("The TagValue you have provided is invalid"));
        }
        Ok(())
    }
}

/// Letters, digits and spaces of any script, and a few signs.
fn well_formed(text: &str) -> bool {
    let signs = |c| matches!(c, '+' | '-' | '=' | '.' | '_' | ':' | '/' | '@');
    text.chars()
        .all(|c| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || signs(c))
}

fn invalid(message: &'static str) -> Error {
    Error::new(Kind::Invalid, "InvalidTag", message)
}

#[cfg(test)]
mod tests;
