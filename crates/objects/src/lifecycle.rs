//! Lifecycle rules: what becomes of a version of an object, and when. Functions of facts.
//!
//! Worked example. A rule with the prefix `logs/` and an expiration of 3 days, an object `logs/a` written on
//! 15 January at 10:30: it is due at the midnight after 18 January 10:30, which is 19 January 00:00 UTC.
//!
//! Invariants
//! - a rule that is disabled, or whose filter does not hold, has no say;
//! - an expiration that is due wins over every transition, and a transition never goes back to a warmer class;
//! - delete markers have no tags and no size: a rule that asks for either does not reach them.
//!
//! Deliberately absent: finding versions, deleting them, locks (who deletes is refused), pacing.

use std::{sync::Arc, time::Duration};

use craton_base::Timestamp;
use craton_gate::{Permit, Subresource};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::{format_description::BorrowedFormatItem, macros::format_description};

use crate::meta::ObjectMeta;

mod document;

pub use crate::filter::Filter;
pub use document::parse;

/// How long a day is.
pub const DAY: Duration = Duration::from_hours(24);

/// The smallest object that is moved to another class if its rule says nothing about sizes, in bytes.
pub const TRANSITION_BYTES_MIN: u64 = 128 << 10;

/// A date as HTTP writes it.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// What is not escaped in a rule's name.
const NON_ALPHANUMERIC_BUT_DASHES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The storage classes, from the warmest to the coldest; one that is not here counts as colder than all.
const CLASSES: [&str; 8] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
];

/// The classes that objects of any size may move to, if the bucket says so.
const ARCHIVES: [&str; 2] = ["GLACIER", "DEEP_ARCHIVE"];

/// A bucket's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// The rules.
    pub rules: Vec<Rule>,
    /// Whether objects of any size move to the archives (`varies_by_storage_class`).
    pub small_to_archives: bool,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it is in force.
    pub enabled: bool,
    /// What it is about.
    pub filter: Filter,
    /// When current versions expire.
    pub expiration: Option<Expiration>,
    /// When versions that are no longer current go for good.
    pub noncurrent_expiration: Option<Noncurrent>,
    /// When current versions move to another class.
    pub transitions: Vec<Transition>,
    /// When versions that are no longer current move to another class.
    pub noncurrent_transitions: Vec<(Noncurrent, String)>,
    /// After how many days an upload that was not completed is aborted.
    pub abort_days: Option<u32>,
}

/// When current versions expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiration {
    /// So many days after they were written.
    Days(u32),
    /// From this date on.
    Date(Timestamp),
    /// Never; but a delete marker that hides nothing any more goes.
    Markers,
}

/// When versions that are no longer current are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noncurrent {
    /// So many days after they were superseded.
    pub days: u32,
    /// Only if at least so many newer ones, which are not current either, stay.
    pub newer: u32,
}

/// When current versions move to another class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub when: When,
    /// The class.
    pub class: String,
}

/// A time that a rule states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So many days after the object was written.
    Days(u32),
    /// From this date on.
    Date(Timestamp),
}

/// What rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The key.
    pub key: &'a str,
    /// The size, in bytes; 0 for a delete marker.
    pub size: u64,
    /// The tags.
    pub tags: &'a [(String, String)],
    /// The storage class.
    pub class: &'a str,
    /// When the version was written.
    pub modified: Timestamp,
    /// Where it stands among the key's versions.
    pub standing: Standing,
    /// Whether it is a delete marker.
    pub marker: bool,
}

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the newest.
    Current {
        /// Whether it is the only one.
        alone: bool,
    },
    /// A newer one stands before it.
    Noncurrent {
        /// When it was superseded.
        since: Timestamp,
        /// How many newer ones are not current either.
        newer: u32,
    },
}

/// What is to be done with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// A current version expires: it is deleted, in a versioned bucket by a delete marker.
    Expire,
    /// A version, or a delete marker that hides nothing, goes for good.
    Remove,
    /// It moves to this class.
    Move(&'a str),
}

/// An action with its time and the rule that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due<'a> {
    /// What is to be done.
    pub action: Action<'a>,
    /// From when on.
    pub at: Timestamp,
    /// The rule's name.
    pub rule: &'a str,
}

/// How long a day is, and whether days begin at midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    day: Duration,
}

impl Default for Calendar {
    fn default() -> Self {
        Self { day: DAY }
    }
}

impl Calendar {
    /// Days of another length, counted from the moment and not from midnight: for tests.
    #[must_use]
    pub const fn with_day(day: Duration) -> Self {
        Self { day }
    }

    /// How long a day is.
    #[must_use]
    pub const fn day(self) -> Duration {
        self.day
    }

    /// `days` after `from`: with days of 24 hours, the midnight UTC at or after it.
    #[must_use]
    pub fn after(self, from: Timestamp, days: u32) -> Timestamp {
        let due = from.plus(self.day.saturating_mul(days));
        if self.day != DAY {
            return due;
        }
        let day = u64::try_from(DAY.as_micros()).unwrap_or(u64::MAX);
        Timestamp(due.micros().div_ceil(day).saturating_mul(day))
    }
}

impl Filter {
    /// Whether a version is what the rule is about.
    #[must_use]
    pub fn takes(&self, facts: &Facts<'_>) -> bool {
        let Self {
            prefix,
            tags,
            larger_than,
            smaller_than,
        } = self;
        if facts.marker && (!tags.is_empty() || larger_than.is_some() || smaller_than.is_some()) {
            return false;
        }
        facts.key.starts_with(prefix.as_str())
            && tags.iter().all(|tag| facts.tags.contains(tag))
            && larger_than.is_none_or(|least| facts.size > least)
            && smaller_than.is_none_or(|most| facts.size < most)
    }

    const fn is_about_sizes(&self) -> bool {
        self.larger_than.is_some() || self.smaller_than.is_some()
    }
}

impl Rule {
    /// When this rule says that the version goes.
    fn expires(&self, facts: &Facts<'_>, calendar: Calendar) -> Option<Due<'_>> {
        let (action, at) = match facts.standing {
            Standing::Current { alone } if facts.marker => {
                let at = match self.expiration? {
                    Expiration::Markers => facts.modified,
                    Expiration::Days(days) => calendar.after(facts.modified, days),
                    Expiration::Date(date) => date,
                };
                (Action::Remove, alone.then_some(at)?)
            }
            Standing::Current { .. } => match self.expiration? {
                Expiration::Markers => return None,
                Expiration::Days(days) => (Action::Expire, calendar.after(facts.modified, days)),
                Expiration::Date(date) => (Action::Expire, date),
            },
            Standing::Noncurrent { since, newer } => {
                let rule = self.noncurrent_expiration.filter(|rule| newer >= rule.newer)?;
                (Action::Remove, calendar.after(since, rule.days))
            }
        };
        Some(Due {
            action,
            at,
            rule: &self.id,
        })
    }

    /// When this rule says that the version moves to a colder class.
    fn moves(
        &self,
        facts: &Facts<'_>,
        calendar: Calendar,
        small_to_archives: bool,
    ) -> impl Iterator<Item = Due<'_>> {
        let small = facts.size < TRANSITION_BYTES_MIN && !self.filter.is_about_sizes();
        let (modified, standing, warm) = (facts.modified, facts.standing, rank(facts.class));
        let marker = facts.marker;
        let fits = move |class: &str| !marker && (!small || small_to_archives && ARCHIVES.contains(&class));
        let current = self.transitions.iter().filter_map(move |t| {
            let at = match t.when {
                When::Days(days) => calendar.after(modified, days),
                When::Date(date) => date,
            };
            matches!(standing, Standing::Current { .. }).then_some((&*t.class, at))
        });
        let earlier = self
            .noncurrent_transitions
            .iter()
            .filter_map(move |(rule, class)| match standing {
                Standing::Noncurrent { since, newer } if newer >= rule.newer => {
                    Some((&**class, calendar.after(since, rule.days)))
                }
                _ => None,
            });
        let colder = move |(class, _): &(&str, Timestamp)| fits(class) && rank(class) > warm;
        current.chain(earlier).filter(colder).map(|(class, at)| Due {
            action: Action::Move(class),
            at,
            rule: &self.id,
        })
    }
}

impl Lifecycle {
    fn taking<'s>(&'s self, facts: &Facts<'_>) -> impl Iterator<Item = &'s Rule> {
        self.rules
            .iter()
            .filter(|rule| rule.enabled && rule.filter.takes(facts))
    }

    /// When the version goes, by the rule that is the first to say so.
    #[must_use]
    pub fn expires(&self, facts: &Facts<'_>, calendar: Calendar) -> Option<Due<'_>> {
        self.taking(facts)
            .filter_map(|rule| rule.expires(facts, calendar))
            .min_by_key(|due| due.at)
    }

    /// What is to be done now.
    #[must_use]
    pub fn decide(&self, facts: &Facts<'_>, now: Timestamp, calendar: Calendar) -> Option<Due<'_>> {
        if let Some(due) = self.expires(facts, calendar).filter(|due| due.at <= now) {
            return Some(due);
        }
        self.taking(facts)
            .flat_map(|rule| rule.moves(facts, calendar, self.small_to_archives))
            .filter(|due| due.at <= now)
            .max_by_key(|due| match due.action {
                Action::Move(class) => rank(class),
                _ => 0,
            })
    }

    /// When an upload that is not completed is aborted, and by which rule.
    #[must_use]
    pub fn aborts(&self, key: &str, begun: Timestamp, calendar: Calendar) -> Option<(Timestamp, &str)> {
        let reaches = |rule: &&Rule| {
            let filter = &rule.filter;
            rule.enabled
                && key.starts_with(filter.prefix.as_str())
                && filter.tags.is_empty()
                && !filter.is_about_sizes()
        };
        self.rules
            .iter()
            .filter(reaches)
            .filter_map(|rule| Some((calendar.after(begun, rule.abort_days?), rule.id.as_str())))
            .min_by_key(|(at, _)| *at)
    }

    /// Whether a rule that is in force is about versions, so that they have to be looked through.
    #[must_use]
    pub fn is_about_versions(&self) -> bool {
        self.rules.iter().any(|rule| {
            rule.enabled
                && (rule.expiration.is_some()
                    || rule.noncurrent_expiration.is_some()
                    || !rule.transitions.is_empty()
                    || !rule.noncurrent_transitions.is_empty())
        })
    }

    /// Whether a rule that is in force is about uploads that were not completed.
    #[must_use]
    pub fn is_about_uploads(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.enabled && rule.abort_days.is_some())
    }
}

impl Due<'_> {
    /// As S3 tells a client when an object expires (`x-amz-expiration`).
    #[must_use]
    pub fn to_header(self) -> Option<String> {
        let date = self.at.to_utc().format(&HTTP_DATE).ok()?;
        let rule = utf8_percent_encode(self.rule, NON_ALPHANUMERIC_BUT_DASHES);
        Some(format!("expiry-date=\"{date}\", rule-id=\"{rule}\""))
    }
}

/// When the current version of an object expires, as S3 tells a client, if a rule of its bucket says so. A
/// configuration that can not be read is no reason to refuse a request.
#[must_use]
pub fn expiration(permit: &Permit, key: &str, meta: &ObjectMeta) -> Option<String> {
    let rules = rules_of(permit)?;
    let tags = meta.tag_pairs();
    let facts = Facts {
        key,
        size: meta.size,
        tags: &tags,
        class: meta.attributes.storage_class(),
        modified: meta.modified(),
        standing: Standing::Current { alone: false },
        marker: false,
    };
    rules.expires(&facts, Calendar::default())?.to_header()
}

/// When an upload that was begun at that time is aborted if it is not completed, and by which rule of its bucket.
#[must_use]
pub fn abortion(permit: &Permit, key: &str, begun: Timestamp) -> Option<(Timestamp, String)> {
    let rules = rules_of(permit)?;
    let (at, rule) = rules.aborts(key, begun, Calendar::default())?;
    Some((at, rule.to_owned()))
}

fn rules_of(permit: &Permit) -> Option<Arc<Lifecycle>> {
    let found = permit.configuration(Subresource::Lifecycle).ok().flatten()?;
    found.parsed(|document| parse(document)).ok()
}

/// How cold a class is.
fn rank(class: &str) -> usize {
    let class = if class.is_empty() { "STANDARD" } else { class };
    CLASSES.iter().position(|c| *c == class).unwrap_or(CLASSES.len())
}

#[cfg(test)]
mod tests;
