//! Workers: what the system does by itself, each with a session of its own that may do what its policy says
//! and nothing else.
//!
//! Invariants
//! - WK-1: only the holder of [`Workers`] makes a worker's session, and the gate gives it out once: the doors
//!   never have it;
//! - WK-2: what a worker may do is here, in the words of a policy, and evaluated like a user's.
//!
//! Deliberately absent: the work.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, atomic::Ordering},
};

use craton_base::Result;

use crate::{
    directory::{Identity, Principal},
    gate::Gate,
    policy::{Limits, Policy, PolicySet},
    session::{Origin, PrincipalKind, Session},
};

/// Who copies, in records.
const REPLICATION: &str = "system:replication";

/// Who writes inventories, in records.
const INVENTORY: &str = "system:inventory";

/// Whether this principal is one whom a bucket's policy may deny what its own policy allows: those whom one bucket's
/// owner sends to another bucket.
pub(crate) fn is_visitor(principal: &str) -> bool {
    matches!(principal, REPLICATION | INVENTORY)
}

/// A kind of work.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Worker {
    /// Does what lifecycle rules say.
    Lifecycle,
    /// Tells targets of events.
    Events,
    /// Writes access logs.
    AccessLog,
    /// Copies versions to other buckets.
    Replication,
    /// Writes inventories.
    Inventory,
    /// Keeps tables in order: expires snapshots, removes orphans, writes small files and manifests together.
    Maintenance,
    /// Tells others what runs of clients did.
    Lineage,
}

impl Worker {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Lifecycle,
        Self::Events,
        Self::AccessLog,
        Self::Replication,
        Self::Inventory,
        Self::Maintenance,
        Self::Lineage,
    ];

    /// Its name, in records after `system:`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lifecycle => "lifecycle",
            Self::Events => "events",
            Self::AccessLog => "access-log",
            Self::Replication => "replication",
            Self::Inventory => "inventory",
            Self::Maintenance => "maintenance",
            Self::Lineage => "lineage",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|worker| worker.name() == name)
    }

    /// The principal that records name.
    const fn principal(self) -> &'static str {
        match self {
            Self::Lifecycle => "system:lifecycle",
            Self::Events => "system:events",
            Self::AccessLog => "system:access-log",
            Self::Replication => REPLICATION,
            Self::Inventory => INVENTORY,
            Self::Maintenance => "system:maintenance",
            Self::Lineage => "system:lineage",
        }
    }

    /// The actions that it may do, on everything.
    const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Lifecycle => &[
                "craton:Run",
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:GetLifecycleConfiguration",
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:ListAllMyBuckets",
                "s3:ListBucket",
                "s3:ListBucketMultipartUploads",
                "s3:ListBucketVersions",
                "s3:PutObject",
                "s3:RestoreObject",
            ],
            Self::Events => &["craton:Run", "craton:DeliverEvents"],
            Self::AccessLog => &[
                "craton:Run",
                "craton:ReadLedger",
                "s3:GetBucketLogging",
                "s3:ListAllMyBuckets",
                "s3:PutObject",
            ],
            Self::Replication => &[
                "craton:Run",
                "craton:Replicate",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "s3:GetObjectVersionForReplication",
                "s3:GetReplicationConfiguration",
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:ReplicateDelete",
                "s3:ReplicateObject",
                "s3:ReplicateTags",
            ],
            Self::Inventory => &[
                "craton:Run",
                "kms:GenerateDataKey",
                "s3:GetInventoryConfiguration",
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:PutObject",
            ],
            Self::Maintenance => &[
                "craton:Run",
                "kms:Decrypt",
                "kms:GenerateDataKey",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:ListBucket",
                "s3:PutObject",
                "s3tables:GetTableData",
                "s3tables:GetTableMetadataLocation",
                "s3tables:ListTables",
                "s3tables:PutTableData",
                "s3tables:UpdateTableMetadataLocation",
            ],
            Self::Lineage => &[
                "craton:DeliverEvents",
                "craton:ListRuns",
                "craton:ReadLineage",
                "craton:Run",
                "s3tables:GetTableMetadataLocation",
            ],
        }
    }

    fn identity(self) -> Result<Identity> {
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{ "Effect": "Allow", "Action": self.actions(), "Resource": "*" }],
        });
        let policy = Policy::parse(document.to_string().as_bytes(), &Limits::default())?.named("system");
        let policies = PolicySet::new(vec![Arc::new(policy)]);
        let principal = Principal::builtin(self.principal(), PrincipalKind::System, policies);
        Ok(Identity::without_credential(Arc::new(principal)))
    }
}

/// The right to act as the workers.
pub struct Workers {
    pub(crate) gate: Gate,
    users: Vec<(Worker, Arc<Identity>)>,
}

impl Gate {
    /// The right to act as the workers: given out once.
    ///
    /// # Errors
    /// `Internal` if it was given out before.
    pub fn take_workers(&self) -> Result<Workers> {
        if self.inner.workers_taken.swap(true, Ordering::Relaxed) {
            return Err(craton_base::Error::internal(
                "the right to act as the workers was given out before",
            ));
        }
        let users = Worker::ALL.into_iter().map(|w| Ok((w, Arc::new(w.identity()?))));
        Ok(Workers {
            users: users.collect::<Result<_>>()?,
            gate: self.clone(),
        })
    }
}

impl Workers {
    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// A session of a worker, for one access; `run` is the id of the run that it is for.
    pub(crate) fn session(&self, worker: Worker, run: &Arc<str>) -> Result<Session> {
        let user = self
            .users
            .iter()
            .find(|(w, _)| *w == worker)
            .map(|(_, u)| u.clone());
        let user = user.ok_or_else(|| craton_base::Error::internal("a worker has no policy"))?;
        let origin = Origin {
            door: "system",
            source_ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            tls: Some("1.3"),
            request_id: run.clone(),
            lease: None,
            run: None,
            trace: None,
            purse: Default::default(),
            user_agent: None,
            referer: None,
            time: self.gate.inner.clock.now(),
        };
        Ok(Session::without_key(user, origin))
    }
}

#[cfg(test)]
mod tests;
