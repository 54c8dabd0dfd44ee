//! Digests of versions: what was computed once of a content that does not change is kept by resource and version.
//!
//! Invariants
//! - a digest is told by a permit for its resource alone, and kept by the permit that its content was read by;
//! - digests that are lost before they are written are computed again: nothing rests on them.
//!
//! Deliberately absent: what is hashed, which the readers of contents say.

use std::collections::HashMap;

use craton_base::{Error, Result, Sequence};
use craton_store::namespace::{Change, Key};
use parking_lot::Mutex;

use super::{
    follow::{Lineage, batch},
    rows::{self, DigestRow},
};
use crate::{gate::Gate, permit::ReadPermit};

/// The most digests that wait to be written.
const HELD_MAX: usize = 4096;

/// The digest of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Digest {
    /// SHA-256.
    pub sha256: [u8; 32],
    /// Of how many bytes.
    pub size: u64,
}

/// Digests that are in memory only.
#[derive(Default)]
pub(super) struct Fresh(Mutex<HashMap<Key, Digest>>);

impl ReadPermit {
    /// The digest of a version of what this is a permit for, if it is known, also of one that is not there any more.
    ///
    /// # Errors
    /// `Corrupt`; the store's own.
    pub fn digest(&self, version: Sequence) -> Result<Option<Digest>> {
        let key = rows::digest_key(&self.resource().to_string(), version.0);
        self.gate.lineage.digest(&key)
    }

    /// Keeps the digest of a version of what this is a permit for, whose content was read by it, unless many wait to be written.
    pub fn keep_digest(&self, version: Sequence, digest: Digest) {
        let key = rows::digest_key(&self.resource().to_string(), version.0);
        self.gate.lineage.keep_digest(key, digest);
    }
}

impl Gate {
    /// Writes the digests down that were kept.
    ///
    /// # Errors
    /// The store's own.
    pub async fn write_digests(&self) -> Result<()> {
        self.blocking(|gate| gate.inner.lineage.write_digests()).await
    }
}

impl Lineage {
    fn digest(&self, key: &Key) -> Result<Option<Digest>> {
        if let Some(found) = self.fresh.0.lock().get(key) {
            return Ok(Some(*found));
        }
        let Some(found) = self.namespace.get(key, Sequence::MAX)? else {
            return Ok(None);
        };
        let row: DigestRow = rows::decode(&found.value)?;
        let sha256 = row.sha256.try_into();
        let sha256 = sha256.map_err(|_| Error::corrupt("a kept digest has the wrong length"))?;
        Ok(Some(Digest {
            sha256,
            size: row.size,
        }))
    }

    fn keep_digest(&self, key: Key, digest: Digest) {
        let mut fresh = self.fresh.0.lock();
        if fresh.len() < HELD_MAX {
            fresh.insert(key, digest);
        }
    }

    fn write_digests(&self) -> Result<()> {
        let fresh: Vec<(Key, Digest)> = self.fresh.0.lock().drain().collect();
        if fresh.is_empty() {
            return Ok(());
        }
        let changes = fresh.into_iter().map(|(key, digest)| {
            let row = DigestRow {
                sha256: digest.sha256.to_vec(),
                size: digest.size,
            };
            Change::Put(key, rows::encode(&row))
        });
        self.committer.commit_blocking(batch(changes.collect())).map(drop)
    }
}
