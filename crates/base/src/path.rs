//! Resource paths: one tree for policy, borrowing, audit and lineage.
//!
//! ```text
//! /<bucket>                     a bucket
//! /<bucket>/objects/<key>       an object
//! /<bucket>/objects/<prefix>*   the objects under a prefix
//! /<bucket>/graphs/<graph>      a graph
//! /<bucket>/graphs/<graph>/<p>  the facts of a graph whose text begins so: `(edge chr1 `
//! /system/<part>                the system's own
//! ```
//!
//! A path is a structured value; its text form is for people and records and is never parsed
//! to decide something.

use std::{fmt, sync::Arc};

use crate::{BucketName, Error, GraphName, ObjectKey, Result};

/// A graph, and the text that facts of it begin with: whole items, each with a space after it, so that `(edge chr1 ` does not
/// cover `(edge chr10 …`. Empty: all facts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FactPath {
    /// NUL, graph, NUL, prefix: no object's key begins so, and one path covers another if it is a prefix of it.
    key: Arc<str>,
    graph: GraphName,
}

/// The longest prefix of facts in a path, in bytes.
pub const FACT_PREFIX_BYTES_MAX: usize = 1024;

impl FactPath {
    /// The whole graph.
    #[must_use]
    pub fn whole(graph: GraphName) -> Self {
        Self {
            key: format!("\0{graph}\0").into(),
            graph,
        }
    }

    /// The facts whose text begins with `prefix`, which must be empty or an open bracket and whole items.
    ///
    /// # Errors
    /// [`crate::Kind::Invalid`] if it is not of that form, holds NUL, or is longer than [`FACT_PREFIX_BYTES_MAX`].
    pub fn new(graph: GraphName, prefix: &str) -> Result<Self> {
        let whole_items = prefix.is_empty() || (prefix.starts_with('(') && prefix.ends_with([' ', '(']));
        if !whole_items || prefix.contains('\0') || prefix.len() > FACT_PREFIX_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a prefix of facts is ( and whole items with a space after each, at most {FACT_PREFIX_BYTES_MAX} bytes"
            )));
        }
        Ok(Self {
            key: format!("\0{graph}\0{prefix}").into(),
            graph,
        })
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &GraphName {
        &self.graph
    }

    /// What the facts begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        self.key
            .get(self.graph.as_str().len().saturating_add(2)..)
            .unwrap_or_default()
    }

    /// The path as one key among those of its bucket: the paths that it covers begin with it.
    #[must_use]
    pub fn as_key(&self) -> &str {
        &self.key
    }
}

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
    /// The facts of a graph that begin with a prefix (empty: the whole graph).
    Facts(BucketName, FactPath),
    /// The system's own: `users/alice`, `policies/…`, `ledger`.
    System(String),
}

impl ResourcePath {
    /// The bucket, if it is about one.
    #[must_use]
    pub const fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Bucket(b) | Self::Object(b, _) | Self::Objects(b, _) | Self::Facts(b, _) => Some(b),
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
            (Self::Facts(a, p), Self::Facts(b, q)) => a == b && q.as_key().starts_with(p.as_key()),
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
            Self::Facts(b, p) if p.prefix().is_empty() => write!(f, "/{b}/graphs/{}", p.graph()),
            Self::Facts(b, p) => write!(f, "/{b}/graphs/{}/{}", p.graph(), p.prefix()),
            Self::System(p) => write!(f, "/system/{p}"),
        }
    }
}

#[cfg(test)]
mod tests;
