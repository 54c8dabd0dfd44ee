//! Conditional requests: the read conditions with S3's precedence, and conditional writes.
//!
//! Invariant: a write condition that holds becomes a precondition of the commit, so a condition that
//! was true when it was read and false when it is committed loses.

use craton_base::{Sequence, Timestamp};
use craton_gate::{Changes, Kind};

use crate::{Error, Result, meta::ObjectMeta};

const IF_MATCH: &str = "If-Match";
const IF_NONE_MATCH: &str = "If-None-Match";

/// What an entity tag is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tag {
    /// `*`: any existing object.
    Any,
    /// This tag, without quotes.
    Is(String),
    /// One of these tags.
    Among(Vec<String>),
}

impl Tag {
    /// Whether the tag of an existing object satisfies it.
    #[must_use]
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Is(tag) => tag == etag,
            Self::Among(tags) => tags.iter().any(|tag| tag == etag),
        }
    }

    /// Of a list of tags, with or without quotes, strong or weak.
    #[must_use]
    pub fn of_list(list: &str) -> Self {
        let bare = |tag: &str| {
            let tag = tag.trim();
            tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"').to_owned()
        };
        let mut tags: Vec<String> = list.split(',').map(bare).collect();
        match tags.len() {
            1 => Self::Is(tags.pop().unwrap_or_default()),
            _ => Self::Among(tags),
        }
    }
}

/// The conditions of a read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadConditions {
    /// `If-Match`.
    pub matches: Option<Tag>,
    /// `If-None-Match`.
    pub none_match: Option<Tag>,
    /// `If-Modified-Since`, in seconds since the epoch.
    pub modified_since: Option<i64>,
    /// `If-Unmodified-Since`, in seconds since the epoch.
    pub unmodified_since: Option<i64>,
}

/// `If-Range`: a range is given only of the object that the caller has the rest of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfRange {
    /// The object with this tag, without quotes.
    Tag(String),
    /// The object that was written in exactly this second since the epoch.
    Written(i64),
    /// None: a weak tag, which names no bytes, or nothing that can be read.
    Nothing,
}

impl IfRange {
    /// Whether the range is given.
    #[must_use]
    pub fn holds(&self, meta: &ObjectMeta) -> bool {
        match self {
            Self::Tag(tag) => *tag == meta.etag(),
            Self::Written(seconds) => i64::try_from(meta.modified().seconds()) == Ok(*seconds),
            Self::Nothing => false,
        }
    }
}

/// A read condition's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Go on.
    Holds,
    /// The caller has it already, by the condition of this header.
    NotModified(&'static str),
    /// The precondition of this header does not hold.
    Failed(&'static str),
}

impl ReadConditions {
    /// Decides: an entity tag outweighs a time of the same sense, and a failed precondition
    /// outweighs "not modified" (RFC 9110, section 13.2.2, and S3's `GetObject`).
    #[must_use]
    pub fn decide(&self, etag: &str, modified: Timestamp) -> Outcome {
        let seconds = i64::try_from(modified.seconds()).unwrap_or(i64::MAX);
        match (&self.matches, self.unmodified_since) {
            (Some(tag), _) if !tag.matches(etag) => return Outcome::Failed(IF_MATCH),
            (None, Some(since)) if seconds > since => return Outcome::Failed("If-Unmodified-Since"),
            _ => {}
        }
        match (&self.none_match, self.modified_since) {
            (Some(tag), _) if tag.matches(etag) => Outcome::NotModified(IF_NONE_MATCH),
            (None, Some(since)) if seconds <= since => Outcome::NotModified("If-Modified-Since"),
            _ => Outcome::Holds,
        }
    }

    /// Checks a read of `meta`.
    ///
    /// # Errors
    /// [`Error::NotModified`] or `PreconditionFailed`.
    pub fn check(&self, meta: &ObjectMeta) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        let etag = meta.etag();
        match self.decide(&etag, meta.modified()) {
            Outcome::Holds => Ok(()),
            Outcome::NotModified(_) => Err(Error::NotModified {
                etag,
                modified: meta.modified(),
            }),
            Outcome::Failed(condition) => Err(Error::precondition(condition)),
        }
    }

    /// Checks the source of a copy, for which "not modified" is a failed precondition too.
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub fn check_source(&self, meta: &ObjectMeta) -> Result<()> {
        match self.decide(&meta.etag(), meta.modified()) {
            Outcome::Holds => Ok(()),
            Outcome::NotModified(condition) | Outcome::Failed(condition) => {
                Err(Error::precondition(format!("x-amz-copy-source-{condition}")))
            }
        }
    }
}

/// The conditions of a write or a delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteConditions {
    /// `If-Match`: the object as it is must have this tag.
    pub matches: Option<Tag>,
    /// `If-None-Match: *`: there must be no object.
    pub absent: bool,
}

/// The conditions of a deletion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteConditions {
    /// `If-Match`: the object must have this tag.
    pub matches: Option<Tag>,
    /// `x-amz-if-match-size`: it must have this size, in bytes.
    pub size: Option<u64>,
    /// `x-amz-if-match-last-modified-time`: it must have been written in this second since the epoch.
    pub modified: Option<i64>,
}

impl DeleteConditions {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Decides against what is to be deleted.
    ///
    /// # Errors
    /// `PreconditionFailed`; `NoSuchKey` if there is nothing.
    pub fn check(&self, meta: Option<&ObjectMeta>) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let meta = meta.ok_or_else(Error::no_such_key)?;
        let seconds = i64::try_from(meta.modified().seconds()).unwrap_or(i64::MAX);
        let conditions = [
            (
                IF_MATCH,
                self.matches.as_ref().is_none_or(|tag| tag.matches(&meta.etag())),
            ),
            (
                "x-amz-if-match-size",
                self.size.is_none_or(|size| size == meta.size),
            ),
            (
                "x-amz-if-match-last-modified-time",
                self.modified.is_none_or(|time| time == seconds),
            ),
        ];
        match conditions.iter().find(|(_, holds)| !holds) {
            Some((condition, _)) => Err(Error::precondition(*condition)),
            None => Ok(()),
        }
    }
}

/// What the commit of a conditional write expects of the object's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Anything,
    /// That there is no object.
    Absent,
    /// That the newest version is this one.
    Version(Sequence),
}

impl WriteConditions {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.matches.is_none() && !self.absent
    }

    /// Decides against the object as it is now.
    ///
    /// # Errors
    /// `PreconditionFailed`; `NoSuchKey` for `If-Match` without an object.
    pub fn decide(&self, current: Option<(&str, Sequence)>) -> Result<Expected> {
        if self.absent && current.is_some() {
            return Err(Error::precondition(IF_NONE_MATCH));
        }
        match (&self.matches, current) {
            (None, _) if self.absent => Ok(Expected::Absent),
            (None, _) => Ok(Expected::Anything),
            (Some(_), None) => Err(Error::no_such_key()),
            (Some(tag), Some((etag, sequence))) if tag.matches(etag) => Ok(Expected::Version(sequence)),
            (Some(_), Some(_)) => Err(Error::precondition(IF_MATCH)),
        }
    }
}

impl Expected {
    /// Adds itself to a commit.
    #[must_use]
    pub(crate) fn apply(self, changes: Changes, name: &[u8]) -> Changes {
        match self {
            Self::Anything => changes,
            Self::Absent => changes.expect_absent(Kind::Object, name.to_vec()),
            Self::Version(sequence) => changes.expect_at(Kind::Object, name.to_vec(), sequence),
        }
    }
}

#[cfg(test)]
mod tests;
