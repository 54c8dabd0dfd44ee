//! The stored document of a bucket's lifecycle: S3's XML, read into rules.
//!
//! Invariant: what is not understood is an error, never a rule that does less or more than it says.
//!
//! Deliberately absent: the checks of a new document that S3 makes (who stores it has made them).

use craton_base::{Error, Kind, Timestamp};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Expiration, Filter, Lifecycle, Noncurrent, Rule, Transition, When};
use crate::filter::FilterXml;

#[derive(Deserialize)]
struct DocumentXml {
    #[serde(default, rename = "@transitionDefaultMinimumObjectSize")]
    least: String,
    #[serde(default, rename = "Rule")]
    rules: Vec<RuleXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleXml {
    #[serde(default, rename = "ID")]
    id: String,
    status: String,
    prefix: Option<String>,
    filter: Option<FilterXml>,
    expiration: Option<ExpirationXml>,
    noncurrent_version_expiration: Option<NoncurrentXml>,
    #[serde(default, rename = "Transition")]
    transitions: Vec<TransitionXml>,
    #[serde(default, rename = "NoncurrentVersionTransition")]
    noncurrent_transitions: Vec<NoncurrentXml>,
    abort_incomplete_multipart_upload: Option<AbortXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ExpirationXml {
    days: Option<u32>,
    date: Option<String>,
    expired_object_delete_marker: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct NoncurrentXml {
    noncurrent_days: Option<u32>,
    newer_noncurrent_versions: Option<u32>,
    storage_class: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TransitionXml {
    days: Option<u32>,
    date: Option<String>,
    storage_class: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AbortXml {
    days_after_initiation: u32,
}

/// Reads a document.
///
/// # Errors
/// `Invalid`, `MalformedXML`.
pub fn parse(document: &[u8]) -> Result<Lifecycle, Error> {
    let text = std::str::from_utf8(document).map_err(|e| malformed("it is not UTF-8").with_source(e))?;
    let read: DocumentXml = quick_xml::de::from_str(text).map_err(|e| malformed(&e.to_string()))?;
    let rules = read
        .rules
        .into_iter()
        .map(RuleXml::into_rule)
        .collect::<Result<_, _>>()?;
    Ok(Lifecycle {
        rules,
        small_to_archives: read.least == "varies_by_storage_class",
    })
}

impl RuleXml {
    fn into_rule(self) -> Result<Rule, Error> {
        let transitions = self
            .transitions
            .into_iter()
            .map(|t| {
                Ok(Transition {
                    when: when(t.days, t.date.as_deref())?
                        .ok_or_else(|| malformed("a transition has no time"))?,
                    class: t.storage_class,
                })
            })
            .collect::<Result<_, Error>>()?;
        let noncurrent_transitions = self
            .noncurrent_transitions
            .into_iter()
            .map(|t| {
                let class = t.storage_class.clone();
                Ok((
                    t.noncurrent()?,
                    class.ok_or_else(|| malformed("a transition has no class"))?,
                ))
            })
            .collect::<Result<_, Error>>()?;
        Ok(Rule {
            id: self.id,
            enabled: self.status == "Enabled",
            filter: Filter::of_rule(self.prefix, self.filter),
            expiration: self.expiration.map(ExpirationXml::read).transpose()?.flatten(),
            noncurrent_expiration: self
                .noncurrent_version_expiration
                .map(|n| n.noncurrent())
                .transpose()?,
            transitions,
            noncurrent_transitions,
            abort_days: self
                .abort_incomplete_multipart_upload
                .map(|a| a.days_after_initiation),
        })
    }
}

impl ExpirationXml {
    fn read(self) -> Result<Option<Expiration>, Error> {
        Ok(match when(self.days, self.date.as_deref())? {
            Some(When::Days(days)) => Some(Expiration::Days(days)),
            Some(When::Date(date)) => Some(Expiration::Date(date)),
            None => (self.expired_object_delete_marker == Some(true)).then_some(Expiration::Markers),
        })
    }
}

impl NoncurrentXml {
    fn noncurrent(&self) -> Result<Noncurrent, Error> {
        let days = self
            .noncurrent_days
            .ok_or_else(|| malformed("a rule on noncurrent versions has no days"))?;
        Ok(Noncurrent {
            days,
            newer: self.newer_noncurrent_versions.unwrap_or_default(),
        })
    }
}

fn when(days: Option<u32>, date: Option<&str>) -> Result<Option<When>, Error> {
    if let Some(days) = days {
        return Ok(Some(When::Days(days)));
    }
    date.map(|text| read_date(text).map(When::Date)).transpose()
}

fn read_date(text: &str) -> Result<Timestamp, Error> {
    let wrong = || malformed(&format!("{text:?} is not a date"));
    let whole = if text.contains('T') {
        text.to_owned()
    } else {
        format!("{text}T00:00:00Z")
    };
    let date = OffsetDateTime::parse(&whole, &Rfc3339).map_err(|e| wrong().with_source(e))?;
    let seconds = u64::try_from(date.unix_timestamp()).map_err(|e| wrong().with_source(e))?;
    Ok(Timestamp::from_seconds(seconds))
}

fn malformed(why: &str) -> Error {
    Error::new(
        Kind::Invalid,
        "MalformedXML",
        format!("the lifecycle configuration can not be read: {why}"),
    )
}
