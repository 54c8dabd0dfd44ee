//! A walk over a bucket's versions as they are listed, by key and newest first, that tells of each where it
//! stands: a version is handed on when the next one is known, since a delete marker may be the only one of its key.
//!
//! Invariant: memory is that of one version.

use craton_base::Timestamp;
use craton_objects::{
    lifecycle::{Facts, Standing},
    list::{ListedVersion, What},
    tiering::Task,
    version::VersionId,
};

/// A version and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) id: VersionId,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) class: String,
    pub(super) tags: Vec<(String, String)>,
    pub(super) modified: Timestamp,
    pub(super) marker: bool,
    pub(super) standing: Standing,
    /// What is to be done about where its content lies.
    pub(super) task: Option<Task>,
}

/// The walk.
#[derive(Default)]
pub(super) struct Walk {
    last: Option<Found>,
}

impl Walk {
    /// Takes the next version; gives the one before it, now that it is known where that stands.
    pub(super) fn take(&mut self, listed: ListedVersion, task: Option<Task>) -> Option<Found> {
        let last = self.last.take();
        let same_key = last.as_ref().filter(|last| last.key == listed.key);
        let standing = match same_key {
            None => Standing::Current { alone: true },
            Some(newer) => Standing::Noncurrent {
                since: newer.modified,
                newer: match newer.standing {
                    Standing::Current { .. } => 0,
                    Standing::Noncurrent { newer, .. } => newer.saturating_add(1),
                },
            },
        };
        let is_followed = same_key.is_some();
        self.last = Some(Found {
            task,
            ..found(listed, standing)
        });
        last.map(|mut last| {
            if let Standing::Current { alone } = &mut last.standing {
                *alone = !is_followed;
            }
            last
        })
    }

    /// The last one.
    pub(super) fn end(&mut self) -> Option<Found> {
        self.last.take()
    }
}

impl Found {
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            key: &self.key,
            size: self.size,
            tags: &self.tags,
            class: &self.class,
            modified: self.modified,
            standing: self.standing,
            marker: self.marker,
        }
    }
}

fn found(listed: ListedVersion, standing: Standing) -> Found {
    let ListedVersion { key, id, what, .. } = listed;
    match what {
        What::Object(meta) => Found {
            size: meta.size,
            etag: meta.etag(),
            class: meta.attributes.storage_class().to_owned(),
            tags: meta.tag_pairs(),
            modified: meta.modified(),
            marker: false,
            key,
            id,
            standing,
            task: None,
        },
        What::Marker(meta) => Found {
            size: 0,
            etag: String::new(),
            class: String::new(),
            tags: Vec::new(),
            modified: Timestamp(meta.modified_micros),
            marker: true,
            key,
            id,
            standing,
            task: None,
        },
    }
}

#[cfg(test)]
mod tests;
