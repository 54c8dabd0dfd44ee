//! Bucket notifications: the names of events, and which configured target wants which.
//!
//! Invariant: a name that S3 does not have matches nothing.
//!
//! Deliberately absent: sending, what a target is.

use craton_base::{Error, Kind};
use serde::Deserialize;

pub mod record;

/// The names of events, without the `s3:` before them, as they stand in an event's record.
pub mod event {
    /// A put.
    pub const CREATED_PUT: &str = "ObjectCreated:Put";
    /// An upload by a form.
    pub const CREATED_POST: &str = "ObjectCreated:Post";
    /// A copy.
    pub const CREATED_COPY: &str = "ObjectCreated:Copy";
    /// A completed upload in parts.
    pub const CREATED_COMPLETE: &str = "ObjectCreated:CompleteMultipartUpload";
    /// A version was removed for good.
    pub const REMOVED: &str = "ObjectRemoved:Delete";
    /// A delete marker was made.
    pub const REMOVED_MARKER: &str = "ObjectRemoved:DeleteMarkerCreated";
    /// A lifecycle rule removed a version.
    pub const EXPIRED: &str = "LifecycleExpiration:Delete";
    /// A lifecycle rule made a delete marker.
    pub const EXPIRED_MARKER: &str = "LifecycleExpiration:DeleteMarkerCreated";
    /// A lifecycle rule moved a version to another class.
    pub const MOVED: &str = "LifecycleTransition";
    /// Tags were set.
    pub const TAGGED: &str = "ObjectTagging:Put";
    /// Tags were removed.
    pub const UNTAGGED: &str = "ObjectTagging:Delete";
    /// Access was set.
    pub const ACL: &str = "ObjectAcl:Put";
    /// A restore was asked for.
    pub const RESTORE_BEGUN: &str = "ObjectRestore:Post";
    /// A restore was done.
    pub const RESTORE_DONE: &str = "ObjectRestore:Completed";
    /// Somebody is to be told from now on. Nobody can ask for it.
    pub const TEST: &str = "TestEvent";
    /// The time of a restored copy is over.
    pub const RESTORE_OVER: &str = "ObjectRestore:Delete";
    /// A version could not be replicated.
    pub const REPLICATION_FAILED: &str = "Replication:OperationFailedReplication";

    /// Every name.
    pub const ALL: [&str; 16] = [
        CREATED_PUT,
        CREATED_POST,
        CREATED_COPY,
        CREATED_COMPLETE,
        REMOVED,
        REMOVED_MARKER,
        EXPIRED,
        EXPIRED_MARKER,
        MOVED,
        TAGGED,
        UNTAGGED,
        ACL,
        RESTORE_BEGUN,
        RESTORE_DONE,
        RESTORE_OVER,
        REPLICATION_FAILED,
    ];
}

/// Events that S3 has and that do not happen here: a configuration may name them.
const ELSEWHERE: [&str; 8] = [
    "ReducedRedundancyLostObject",
    "ObjectRestore:Delete",
    "Replication:OperationMissedThreshold",
    "Replication:OperationReplicatedAfterThreshold",
    "Replication:OperationNotTracked",
    "IntelligentTiering",
    "ObjectAccessed:Get",
    "ObjectAccessed:Head",
];

/// Whether a configuration may name this event: `s3:ObjectCreated:*`, `s3:ObjectCreated:Put`.
#[must_use]
pub fn is_event(pattern: &str) -> bool {
    let all = || event::ALL.iter().chain(&ELSEWHERE);
    match pattern.strip_prefix("s3:") {
        Some("*") => true,
        Some(name) if name.ends_with(":*") => all().any(|known| takes(pattern, known)),
        Some(name) => all().any(|known| *known == name),
        None => false,
    }
}

/// Whether a configured pattern is about an event.
#[must_use]
pub fn takes(pattern: &str, event: &str) -> bool {
    let Some(pattern) = pattern.strip_prefix("s3:") else {
        return false;
    };
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(family) => family.ends_with(':') && event.starts_with(family),
        None => pattern == event,
    }
}

/// The name of the target that an ARN names: its last part (`arn:aws:sqs:us-east-1:000000000000:hook`,
/// `arn:aws:lambda:…:function:hook`), or where MinIO has it (`arn:minio:sqs::hook:webhook`).
#[must_use]
pub fn target_name(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [scheme, partition, _, _, account, resource] = parts.as_slice() else {
        return None;
    };
    let name = match *partition {
        "minio" => account,
        _ => resource.rsplit([':', '/']).next()?,
    };
    (*scheme == "arn" && !name.is_empty()).then_some(name)
}

/// A bucket's notifications.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// Who is told what.
    pub rules: Vec<Rule>,
}

/// One target and what it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The configuration's name.
    pub id: String,
    /// The target.
    pub arn: String,
    /// The events, as patterns.
    pub events: Vec<String>,
    /// The beginning of the key.
    pub prefix: String,
    /// The end of the key.
    pub suffix: String,
}

impl Rule {
    /// Whether the target is told of this.
    #[must_use]
    pub fn takes(&self, event: &str, key: &str) -> bool {
        self.events.iter().any(|pattern| takes(pattern, event))
            && key.starts_with(self.prefix.as_str())
            && key.ends_with(self.suffix.as_str())
    }
}

#[derive(Deserialize)]
struct DocumentXml {
    #[serde(default, rename = "TopicConfiguration")]
    topics: Vec<RuleXml>,
    #[serde(default, rename = "QueueConfiguration")]
    queues: Vec<RuleXml>,
    #[serde(default, rename = "CloudFunctionConfiguration")]
    functions: Vec<RuleXml>,
}

#[derive(Deserialize)]
struct RuleXml {
    #[serde(default, rename = "Id")]
    id: String,
    #[serde(rename = "Topic", alias = "Queue", alias = "CloudFunction")]
    arn: String,
    #[serde(default, rename = "Event")]
    events: Vec<String>,
    #[serde(default, rename = "Filter")]
    filter: Option<FilterXml>,
}

#[derive(Deserialize)]
struct FilterXml {
    #[serde(default, rename = "S3Key")]
    key: Option<KeyXml>,
}

#[derive(Deserialize)]
struct KeyXml {
    #[serde(default, rename = "FilterRule")]
    rules: Vec<FilterRuleXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FilterRuleXml {
    name: String,
    #[serde(default)]
    value: String,
}

/// Reads a stored document.
///
/// # Errors
/// `Invalid`, `MalformedXML`.
pub fn parse(document: &[u8]) -> Result<Notifications, Error> {
    let malformed = |why: String| {
        let message = format!("the notification configuration can not be read: {why}");
        Error::new(Kind::Invalid, "MalformedXML", message)
    };
    let text = std::str::from_utf8(document).map_err(|e| malformed(e.to_string()))?;
    let read: DocumentXml = quick_xml::de::from_str(text).map_err(|e| malformed(e.to_string()))?;
    let all = read.topics.into_iter().chain(read.queues).chain(read.functions);
    let rules = all
        .map(|rule| rule.into_rule().map_err(malformed))
        .collect::<Result<_, _>>()?;
    Ok(Notifications { rules })
}

impl RuleXml {
    fn into_rule(self) -> Result<Rule, String> {
        let mut out = Rule {
            id: self.id,
            arn: self.arn,
            events: self.events,
            ..Rule::default()
        };
        for filter in self.filter.and_then(|f| f.key).map_or(Vec::new(), |k| k.rules) {
            match filter.name.to_ascii_lowercase().as_str() {
                "prefix" => out.prefix = filter.value,
                "suffix" => out.suffix = filter.value,
                other => return Err(format!("there is no filter {other:?}")),
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
