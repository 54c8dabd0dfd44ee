//! What is said of a version about its copies elsewhere, or of which version it is a copy itself; and what a write
//! queues to be copied.
//!
//! Invariants
//! - what came by replication is not copied on, so that two buckets may copy to one another; only changes of what is
//!   said of it are, where a rule says so, and not those that came by replication;
//! - a version that is queued says so: `PENDING`, in the same commit;
//! - a configuration that can not be read keeps no write from happening; it is logged and copies nothing.
//!
//! Deliberately absent: copying ([`copy`]), rules ([`crate::replication`]).

use std::sync::Arc;

use craton_base::{Sequence, Timestamp};
use craton_gate::{
    BucketInfo, Changes, Permit, PrincipalKind, QueuedCopy, Subresource, Versioning, WritePermit, tables,
};
use prost::Message;

use crate::{
    encryption::Method,
    meta::ObjectMeta,
    replication::{self, Replication, Subject},
};

pub mod copy;
pub mod settle;

/// What is said about a version's copies. Tags are on disk (`docs/formats.md`, "Objects").
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReplicationRecord {
    /// Whether it is itself a copy that came by replication.
    #[prost(bool, tag = "1")]
    pub replica: bool,
    /// The version, as its own store names it, that it is a copy of.
    #[prost(string, tag = "2")]
    pub source: String,
    /// Its copies.
    #[prost(message, repeated, tag = "3")]
    pub copies: Vec<CopyRecord>,
}

/// What is said about one copy.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct CopyRecord {
    /// The destination's ARN.
    #[prost(string, tag = "1")]
    pub destination: String,
    /// [`CopyState`]'s number.
    #[prost(uint32, tag = "2")]
    pub state: u32,
    /// The copy's version, as its store names it; empty if it has no name, or is not there.
    #[prost(string, tag = "3")]
    pub version: String,
}

/// How a copy stands. The numbers are on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CopyState {
    /// It is to be made, or changed.
    Pending = 1,
    /// It is there.
    Completed = 2,
    /// It can not be made.
    Failed = 3,
}

/// What of a version is to be copied. The numbers are on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The object.
    Object = 1,
    /// The delete marker.
    Marker = 2,
    /// The object's tags, which changed.
    Tags = 3,
    /// The object's lock, which changed.
    Lock = 4,
}

impl What {
    /// From its number.
    #[must_use]
    pub fn from_number(n: u32) -> Option<Self> {
        [Self::Object, Self::Marker, Self::Tags, Self::Lock]
            .into_iter()
            .find(|what| *what as u32 == n)
    }
}

/// Of what a write that came by replication makes a copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replica {
    /// The version, as its own store names it; may be empty.
    pub source: String,
    /// When that was written, if it is known.
    pub modified: Option<Timestamp>,
}

impl Replica {
    /// What is said of the copy.
    pub(crate) fn record(&self) -> ReplicationRecord {
        ReplicationRecord {
            replica: true,
            source: self.source.clone(),
            copies: Vec::new(),
        }
    }

    /// When the copy counts as written: when its source was, unless that is yet to come.
    pub(crate) fn modified(&self, now: Timestamp) -> Timestamp {
        self.modified.filter(|at| *at <= now).unwrap_or(now)
    }
}

impl ReplicationRecord {
    /// S3's word for how its copies stand, or that it is one.
    #[must_use]
    pub fn status(&self) -> Option<&'static str> {
        let any = |state: CopyState| self.copies.iter().any(|copy| copy.state == state as u32);
        match self.replica {
            true => Some("REPLICA"),
            false if any(CopyState::Failed) => Some("FAILED"),
            false if any(CopyState::Pending) => Some("PENDING"),
            false if any(CopyState::Completed) => Some("COMPLETED"),
            false => None,
        }
    }

    /// What is said of the copy at a destination.
    #[must_use]
    pub fn copy_at(&self, destination: &str) -> Option<&CopyRecord> {
        self.copies.iter().find(|copy| copy.destination == destination)
    }

    /// Whether the copy at a destination stands so.
    #[must_use]
    pub fn is_at(&self, destination: &str, state: CopyState) -> bool {
        self.copy_at(destination)
            .is_some_and(|copy| copy.state == state as u32)
    }

    /// Says of the copy at a destination that it stands so.
    pub(crate) fn set(&mut self, destination: &str, state: CopyState, version: Option<&str>) {
        let place = match self.copies.iter().position(|c| c.destination == destination) {
            Some(at) => self.copies.get_mut(at),
            None => {
                self.copies.push(CopyRecord {
                    destination: destination.to_owned(),
                    ..CopyRecord::default()
                });
                self.copies.last_mut()
            }
        };
        if let Some(copy) = place {
            copy.state = state as u32;
            if let Some(version) = version {
                version.clone_into(&mut copy.version);
            }
        }
    }
}

/// Whether a permit is for what comes by replication.
fn is_replication(permit: &Permit) -> bool {
    permit.operation().starts_with("Replicate")
}

/// The bucket's rules, if it has any.
///
/// # Errors
/// `MalformedXML` for a document that can not be read.
pub fn rules(permit: &Permit) -> craton_base::Result<Option<Arc<Replication>>> {
    permit
        .configuration(Subresource::Replication)?
        .map(|found| found.parsed(|document| replication::parse(document)))
        .transpose()
}

fn rules_or_none(permit: &Permit) -> Option<Arc<Replication>> {
    rules(permit).unwrap_or_else(|error| {
        tracing::error!(%error, "a bucket's replication can not be read, and nothing is copied");
        None
    })
}

/// What is queued by a write, and what is said of its version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planned {
    pub(crate) record: Option<ReplicationRecord>,
    copies: Vec<QueuedCopy>,
}

impl Planned {
    fn to(destinations: impl Iterator<Item = String>, what: What, name: &[u8]) -> Self {
        let Ok(key) = std::str::from_utf8(name) else {
            return Self::default();
        };
        let mut record = ReplicationRecord::default();
        let mut copies = Vec::new();
        for destination in destinations {
            record.set(&destination, CopyState::Pending, None);
            copies.push(queued(key, what, None, destination));
        }
        Self {
            record: (!copies.is_empty()).then_some(record),
            copies,
        }
    }

    /// Adds what is queued to the write's changes.
    pub(crate) fn apply(&self, changes: Changes) -> Changes {
        self.copies.iter().cloned().fold(changes, Changes::copy)
    }
}

fn queued(key: &str, what: What, version: Option<Sequence>, destination: String) -> QueuedCopy {
    QueuedCopy {
        key: key.to_owned(),
        what: what as u32,
        version: version.map_or(0, |sequence| sequence.0),
        destination,
        ..QueuedCopy::default()
    }
}

/// How an object is encrypted counts for whether it is copied: never with a client's own key.
fn kms_of(meta: &ObjectMeta) -> Option<bool> {
    let method = meta.encryption.as_ref().map_or(0, |e| e.method);
    match Method::from_number(method)? {
        Method::Customer => None,
        Method::Kms | Method::KmsDual => Some(true),
        Method::Managed => Some(false),
    }
}

/// Where an object is to be copied by these rules.
#[must_use]
pub fn destinations_of(rules: &Replication, key: &str, meta: &ObjectMeta) -> Vec<String> {
    let Some(kms) = kms_of(meta) else {
        return Vec::new();
    };
    let tags = meta.tag_pairs();
    let subject = Subject {
        key,
        tags: &tags,
        kms,
    };
    let chosen = rules.of_object(&subject);
    chosen.iter().map(|rule| rule.destination.clone()).collect()
}

/// What a new version of an object queues.
pub(crate) fn plan_object(
    permit: &WritePermit,
    bucket: &BucketInfo,
    name: &[u8],
    meta: &ObjectMeta,
) -> Planned {
    if let Some(record) = meta.replication.as_ref().filter(|record| record.replica) {
        return Planned {
            record: Some(record.clone()),
            copies: Vec::new(),
        };
    }
    // A copy elsewhere would not be decided as the table that it is a copy of.
    let of_table = tables::id_of(permit.resource()).is_some();
    let versioned = bucket.versioning == Versioning::Enabled;
    let rules = rules_or_none(permit).filter(|_| versioned && !of_table);
    let (Some(rules), Ok(key)) = (rules, std::str::from_utf8(name)) else {
        return Planned::default();
    };
    Planned::to(destinations_of(&rules, key, meta).into_iter(), What::Object, name)
}

/// What a new delete marker queues: as in S3, not what a lifecycle rule makes.
pub(crate) fn plan_marker(
    permit: &WritePermit,
    bucket: &BucketInfo,
    name: &[u8],
    replica: Option<&Replica>,
) -> Planned {
    if let Some(replica) = replica {
        return Planned {
            record: Some(replica.record()),
            copies: Vec::new(),
        };
    }
    let is_users = permit.session().kind() != PrincipalKind::System;
    let of_table = tables::id_of(permit.resource()).is_some();
    let rules =
        rules_or_none(permit).filter(|_| is_users && !of_table && bucket.versioning == Versioning::Enabled);
    let (Some(rules), Ok(key)) = (rules, std::str::from_utf8(name)) else {
        return Planned::default();
    };
    let to = rules.of_marker(key).into_iter().map(|r| r.destination.clone());
    Planned::to(to, What::Marker, name)
}

/// What changes of what is said of a version queue; says so in `meta`.
pub(crate) fn plan_change(
    permit: &WritePermit,
    key: &str,
    version: Sequence,
    meta: &mut ObjectMeta,
) -> Vec<QueuedCopy> {
    let Some(what) = changed(permit) else {
        return Vec::new();
    };
    let Some(rules) = rules_or_none(permit) else {
        return Vec::new();
    };
    let Some(record) = &mut meta.replication else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for destination in rules.destinations() {
        let Some(rule) = rules.of_change(&destination, key) else {
            continue;
        };
        let is_copied = match record.replica {
            true => rule.replica_changes,
            false => record
                .copy_at(&destination)
                .is_some_and(|copy| copy.state != CopyState::Failed as u32),
        };
        if is_copied {
            record.set(&destination, CopyState::Pending, None);
            out.push(queued(key, what, Some(version), destination));
        }
    }
    out
}

/// What of a version an operation changes, if that is copied.
fn changed(permit: &WritePermit) -> Option<What> {
    if is_replication(permit) {
        return None;
    }
    match permit.operation() {
        "PutObjectTagging" | "DeleteObjectTagging" => Some(What::Tags),
        "PutObjectRetention" | "PutObjectLegalHold" => Some(What::Lock),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
