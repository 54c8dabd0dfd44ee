//! Replication rules: which versions are to be copied where, and what a destination's name means.
//!
//! Among rules to one destination that fit an object, the one with the highest priority counts; rules to other
//! destinations count beside it. Rules of the first form of the schema have no filter and no priority, and copy delete
//! markers.
//! Source: Amazon S3 User Guide, "Replication configuration file elements".
//!
//! Deliberately absent: copying, and what is said of a version about it ([`crate::replica`]).

use craton_base::{BucketName, Error, Kind};
use craton_gate::RemoteBuckets;
use serde::Deserialize;

use crate::filter::{Filter, FilterXml};

/// A bucket's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replication {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// Whether it counts.
    pub enabled: bool,
    /// Which of several to one destination counts.
    pub priority: i32,
    /// The beginning of the keys.
    pub prefix: String,
    /// The tags that an object must all have.
    pub tags: Vec<(String, String)>,
    /// The destination, as an ARN.
    pub destination: String,
    /// The copies' storage class; `None`: the source's.
    pub storage_class: Option<String>,
    /// The key that copies of objects with SSE-KMS get; without it they are not copied.
    pub kms_key: Option<String>,
    /// Whether delete markers that a user makes are copied.
    pub markers: bool,
    /// Whether what was there before the rule is copied.
    pub existing: bool,
    /// Whether changes of what is said of a replica are copied.
    pub replica_changes: bool,
}

/// What rules look at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The object's key.
    pub key: &'a str,
    /// Its tags.
    pub tags: &'a [(String, String)],
    /// Whether it has SSE-KMS.
    pub kms: bool,
}

/// What a destination's name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A bucket of this server.
    Here(BucketName),
    /// A bucket of another machine that the administrator named.
    There {
        /// The other machine's name.
        remote: String,
        /// The bucket.
        bucket: String,
    },
}

impl Place {
    /// Reads a destination: `arn:aws:s3:::BUCKET`, a remote's bucket if one lists it by name, else one of this server;
    /// or `arn:minio:replication:REGION:REMOTE:BUCKET`, a bucket of the remote of that name.
    #[must_use]
    pub fn of(arn: &str, remotes: &[RemoteBuckets]) -> Option<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [scheme, partition, service, _, owner, bucket] = parts.as_slice() else {
            return None;
        };
        if *scheme != "arn" || bucket.is_empty() {
            return None;
        }
        let there = |remote: &RemoteBuckets| Self::There {
            remote: remote.name.clone(),
            bucket: (*bucket).to_owned(),
        };
        if *service == "replication" && matches!(*partition, "minio" | "craton") {
            let named = remotes.iter().find(|remote| remote.name == *owner)?;
            let listed = named.buckets.iter().any(|b| b == bucket || b == "*");
            return listed.then(|| there(named));
        }
        if *service != "s3" {
            return None;
        }
        let lists = |remote: &&RemoteBuckets| remote.buckets.iter().any(|b| b == bucket);
        match remotes.iter().find(lists) {
            Some(remote) => Some(there(remote)),
            None => BucketName::new(bucket).ok().map(Self::Here),
        }
    }
}

impl Rule {
    /// Whether it is about keys like this.
    fn takes_key(&self, key: &str) -> bool {
        self.enabled && key.starts_with(self.prefix.as_str())
    }

    fn takes(&self, subject: &Subject<'_>) -> bool {
        self.takes_key(subject.key) && self.tags.iter().all(|tag| subject.tags.contains(tag))
    }
}

impl Replication {
    /// The rules that say where a new version goes.
    #[must_use]
    pub fn of_object(&self, subject: &Subject<'_>) -> Vec<&Rule> {
        let mut chosen = self.by_destination(|rule| rule.takes(subject));
        chosen.retain(|rule| !subject.kms || rule.kms_key.is_some());
        chosen
    }

    /// The rules that say where a delete marker goes.
    #[must_use]
    pub fn of_marker(&self, key: &str) -> Vec<&Rule> {
        let mut chosen = self.by_destination(|rule| rule.takes_key(key) && rule.tags.is_empty());
        chosen.retain(|rule| rule.markers);
        chosen
    }

    /// The rule by which a version that is at the destination goes on being told of changes.
    #[must_use]
    pub fn of_change(&self, destination: &str, key: &str) -> Option<&Rule> {
        let fits = |rule: &&Rule| rule.destination == destination && rule.takes_key(key);
        self.rules.iter().filter(fits).max_by_key(|rule| rule.priority)
    }

    /// The destinations, each once.
    #[must_use]
    pub fn destinations(&self) -> Vec<String> {
        let mut out: Vec<String> = self.rules.iter().map(|rule| rule.destination.clone()).collect();
        out.sort();
        out.dedup();
        out
    }

    /// Whether a rule is about what was there before it.
    #[must_use]
    pub fn is_about_existing(&self) -> bool {
        self.rules.iter().any(|rule| rule.enabled && rule.existing)
    }

    /// Of each destination, the rule that counts among those that fit.
    fn by_destination(&self, fits: impl Fn(&Rule) -> bool) -> Vec<&Rule> {
        let mut chosen: Vec<&Rule> = Vec::new();
        for rule in self.rules.iter().filter(|rule| fits(rule)) {
            match chosen
                .iter_mut()
                .find(|other| other.destination == rule.destination)
            {
                Some(other) if rule.priority > other.priority => *other = rule,
                Some(_) => {}
                None => chosen.push(rule),
            }
        }
        chosen
    }
}

#[derive(Deserialize)]
struct DocumentXml {
    #[serde(default, rename = "Rule")]
    rules: Vec<RuleXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RuleXml {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    filter: Option<FilterXml>,
    status: String,
    destination: DestinationXml,
    #[serde(default)]
    delete_marker_replication: Option<StatusXml>,
    #[serde(default)]
    existing_object_replication: Option<StatusXml>,
    #[serde(default)]
    source_selection_criteria: Option<CriteriaXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatusXml {
    #[serde(default)]
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CriteriaXml {
    #[serde(default)]
    replica_modifications: Option<StatusXml>,
    #[serde(default)]
    sse_kms_encrypted_objects: Option<StatusXml>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DestinationXml {
    bucket: String,
    #[serde(default)]
    storage_class: Option<String>,
    #[serde(default)]
    encryption_configuration: Option<EncryptionXml>,
}

#[derive(Deserialize)]
struct EncryptionXml {
    #[serde(default, rename = "ReplicaKmsKeyID")]
    key: Option<String>,
}

/// Reads a stored document.
///
/// # Errors
/// `Invalid`, `MalformedXML`.
pub fn parse(document: &[u8]) -> Result<Replication, Error> {
    let malformed = |why: String| {
        let message = format!("the replication configuration can not be read: {why}");
        Error::new(Kind::Invalid, "MalformedXML", message)
    };
    let text = std::str::from_utf8(document).map_err(|e| malformed(e.to_string()))?;
    let read: DocumentXml = quick_xml::de::from_str(text).map_err(|e| malformed(e.to_string()))?;
    Ok(Replication {
        rules: read.rules.into_iter().map(RuleXml::into_rule).collect(),
    })
}

fn is_on(status: Option<&StatusXml>) -> bool {
    status.is_some_and(|s| s.status == "Enabled")
}

impl RuleXml {
    fn into_rule(self) -> Rule {
        let criteria = self.source_selection_criteria.as_ref();
        let takes_kms = is_on(criteria.and_then(|c| c.sse_kms_encrypted_objects.as_ref()));
        let replica_changes = is_on(criteria.and_then(|c| c.replica_modifications.as_ref()));
        let encryption = self.destination.encryption_configuration;
        let is_first_form = self.filter.is_none();
        let Filter { prefix, tags, .. } = Filter::of_rule(self.prefix, self.filter);
        Rule {
            id: self.id,
            enabled: self.status == "Enabled",
            priority: self.priority,
            prefix,
            tags,
            destination: self.destination.bucket,
            storage_class: self.destination.storage_class.filter(|class| !class.is_empty()),
            kms_key: encryption.and_then(|e| e.key).filter(|_| takes_kms),
            markers: is_first_form || is_on(self.delete_marker_replication.as_ref()),
            existing: is_on(self.existing_object_replication.as_ref()),
            replica_changes,
        }
    }
}

#[cfg(test)]
mod tests;
