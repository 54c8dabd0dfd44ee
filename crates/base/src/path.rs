//! Resource paths: one tree for policy, borrowing, audit and lineage.
//!
//! ```text
//! /<bucket>                     a bucket
//! /<bucket>/objects/<key>       an object
//! /<bucket>/objects/<prefix>*   the objects under a prefix
//! /system/<part>                the system's own
//! ```
//!
//! A path is a structured value; its text form is for people and records and is never parsed
//! to decide something.

use std::fmt;

use crate::{BucketName, ObjectKey};

/// What a request is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ResourcePath {
    /// The whole service: listing buckets.
    Root,
    /// A bucket and its settings.
    Bucket(BucketName),
    /// One object.
    Object(BucketName, ObjectKey),
    /// All objects whose key begins with a prefix (empty: every object of the bucket).
    Objects(BucketName, String),
    /// The system's own: `users/alice`, `policies/…`, `ledger`.
    System(String),
}

impl ResourcePath {
    /// The bucket, if it is about one.
    #[must_use]
    pub const fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Bucket(b) | Self::Object(b, _) | Self::Objects(b, _) => Some(b),
            Self::Root | Self::System(_) => None,
        }
    }

    /// Whether everything under `other` is also under `self`.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Root, _) => true,
            (Self::Bucket(a), o) => o.bucket() == Some(a),
            (Self::Objects(a, prefix), Self::Object(b, key)) => {
                a == b && key.as_str().starts_with(prefix.as_str())
            }
            (Self::Objects(a, p), Self::Objects(b, q)) => a == b && q.starts_with(p.as_str()),
            (Self::Object(a, k), Self::Object(b, l)) => a == b && k == l,
            (Self::System(a), Self::System(b)) => {
                a == b || b.strip_prefix(a.as_str()).is_some_and(|r| r.starts_with('/'))
            }
            _ => false,
        }
    }

    /// Whether something can lie under both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.covers(other) || other.covers(self)
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("/"),
            Self::Bucket(b) => write!(f, "/{b}"),
            Self::Object(b, k) => write!(f, "/{b}/objects/{k}"),
            Self::Objects(b, p) => write!(f, "/{b}/objects/{p}*"),
            Self::System(p) => write!(f, "/system/{p}"),
        }
    }
}

#[cfg(test)]
mod tests;
