//! The rows of an inventory, page by page.
//!
//! Invariant: one page is in memory.

use craton_base::{BucketName, ResourcePath, Result};
use craton_gate::{Ask, Run};
use craton_objects::{
    inventory::{Cell, Inventory},
    list::{PAGE_KEYS_MAX, VersionsListing, list_versions},
};

use crate::pace::Pace;

/// A walk over a bucket.
pub(super) struct Rows<'a> {
    run: &'a Run,
    bucket: &'a BucketName,
    inventory: &'a Inventory,
    listing: VersionsListing,
    pace: Pace,
    is_over: bool,
}

impl<'a> Rows<'a> {
    pub(super) fn new(run: &'a Run, bucket: &'a BucketName, inventory: &'a Inventory, pace: Pace) -> Self {
        Self {
            run,
            bucket,
            inventory,
            listing: VersionsListing {
                prefix: inventory.prefix.clone(),
                limit: PAGE_KEYS_MAX,
                ..VersionsListing::default()
            },
            pace,
            is_over: false,
        }
    }

    /// The next rows, which may be none; `None` when there are no more, or the run is told to end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Vec<Cell>>>> {
        if self.is_over || self.run.is_cancelled() {
            return Ok(None);
        }
        if self.listing.after.is_some() {
            self.pace.rest().await;
        }
        let path = ResourcePath::Objects(self.bucket.clone(), self.inventory.prefix.clone());
        let ask = Ask::new("ListObjectVersions", "s3:ListBucketVersions", path);
        let permit = self.run.read(ask).await?;
        let page = list_versions(&permit, &self.listing)
            .await
            .map_err(|e| e.to_base())?;
        drop(permit);
        self.is_over = page.next.is_none();
        self.listing.after = page.next;
        let taken = page
            .versions
            .iter()
            .filter(|version| self.inventory.takes(version));
        let rows: Vec<Vec<Cell>> = taken
            .map(|version| self.inventory.row(self.bucket, version))
            .collect();
        self.run.count("rows", rows.len() as u64);
        Ok(Some(rows))
    }

    /// Whether all rows were given.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }
}
