//! Blobs that exist as files and are not yet named by a commit.
//!
//! Invariants
//! - FR-1: from before its file exists until its commit is decided, a blob is in the set, so the sweep
//!   does not take it for an orphan;
//! - FR-2: a blob whose commit did certainly not happen is deleted when its last holder lets go;
//! - FR-3: a blob whose commit may have happened is left to the sweep, which asks the namespace;
//! - FR-4: a commit names only blobs that are durable; another is refused.
//!
//! Deliberately absent: how blobs are written.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use craton_base::BlobId;
use parking_lot::Mutex;

use crate::blob::Blobs;

/// The set of fresh blobs.
pub(crate) struct FreshBlobs {
    ids: Mutex<HashSet<BlobId>>,
    blobs: Arc<Blobs>,
}

/// One fresh blob's place in the set.
pub(crate) struct Fresh {
    set: Arc<FreshBlobs>,
    id: BlobId,
    /// Whether a commit that names it may have happened.
    maybe_named: AtomicBool,
    /// Whether its bytes and its name are flushed.
    durable: AtomicBool,
}

impl FreshBlobs {
    pub(crate) fn new(blobs: Arc<Blobs>) -> Arc<Self> {
        Arc::new(Self {
            ids: Mutex::default(),
            blobs,
        })
    }

    pub(crate) fn contains(&self, id: BlobId) -> bool {
        self.ids.lock().contains(&id)
    }

    pub(crate) fn begin(self: &Arc<Self>, id: BlobId) -> Arc<Fresh> {
        self.ids.lock().insert(id);
        Arc::new(Fresh {
            set: self.clone(),
            id,
            maybe_named: AtomicBool::new(false),
            durable: AtomicBool::new(false),
        })
    }
}

impl Fresh {
    /// Told when its bytes and its name are flushed.
    pub(crate) fn set_durable(&self) {
        self.durable.store(true, Ordering::Release);
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Ordering::Acquire)
    }

    /// Told before a commit that names the blob is queued, and again when the commit certainly failed.
    pub(crate) fn set_maybe_named(&self, maybe: bool) {
        self.maybe_named.store(maybe, Ordering::Release);
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let (set, id) = (self.set.clone(), self.id);
        if self.maybe_named.load(Ordering::Acquire) {
            set.ids.lock().remove(&id);
            return;
        }
        let remove = move || {
            if let Err(error) = set.blobs.delete(id) {
                tracing::warn!(%id, %error, "a blob that was given up stays until the next sweep");
            }
            set.ids.lock().remove(&id);
        };
        // Removing a large file takes milliseconds: not on an async thread.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

impl std::fmt::Debug for Fresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fresh({})", self.id)
    }
}
