//! What a run of maintenance was asked to do.

use std::time::Duration;

use craton_base::{BucketName, Error, Result};
use craton_gate::Wanted;
use craton_tables::{Namespace, TableName, maintain::Keep};

/// A task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Task {
    Expire,
    Orphans,
    Compact,
    RewriteManifests,
}

/// What a run is to do.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) bucket: BucketName,
    pub(super) name: TableName,
    pub(super) task: Task,
    pub(super) keep: Keep,
    pub(super) older_than: Option<Duration>,
    /// How long files become when they are compacted.
    pub(super) bytes: Option<u64>,
    pub(super) dry: bool,
    /// Whether nobody asked: only what is well worth it is done.
    pub(super) by_itself: bool,
}

impl Asked {
    /// A task as the table's properties say.
    pub(super) fn of((bucket, name): (BucketName, TableName), task: Task) -> Self {
        Self {
            bucket,
            name,
            task,
            keep: Keep::default(),
            older_than: None,
            bytes: None,
            dry: false,
            by_itself: true,
        }
    }

    /// What a run was asked for.
    ///
    /// # Errors
    /// `Invalid`.
    pub(super) fn read(wanted: &Wanted) -> Result<Self> {
        let odd = || Error::invalid(format!("{:?} is no BUCKET/NAMESPACE/TABLE", wanted.subject));
        let mut parts = wanted.subject.splitn(3, '/');
        let mut next = || parts.next().ok_or_else(odd);
        let (bucket, namespace, table) = (next()?, next()?, next()?);
        let namespace = Namespace::new(namespace.split('.').map(str::to_owned).collect())?;
        let said = |name: &str| wanted.options.get(name).map(String::as_str);
        let task = match said("task") {
            Some("expire") => Task::Expire,
            Some("orphans") => Task::Orphans,
            Some("compact") => Task::Compact,
            Some("rewrite-manifests") => Task::RewriteManifests,
            _ => return Err(Error::invalid("there is no such task")),
        };
        let older_than = said("older-than-seconds")
            .and_then(|text| text.parse().ok())
            .map(Duration::from_secs);
        let age_ms = older_than.filter(|_| task == Task::Expire);
        Ok(Self {
            bucket: BucketName::new(bucket)?,
            name: TableName::new(namespace, table)?,
            task,
            keep: Keep {
                age_ms: age_ms.map(|age| i64::try_from(age.as_millis()).unwrap_or(i64::MAX)),
                count: said("keep").and_then(|text| text.parse().ok()),
            },
            older_than,
            bytes: said("target-bytes").and_then(|text| text.parse().ok()),
            dry: said("dry-run") == Some("true"),
            by_itself: false,
        })
    }
}
