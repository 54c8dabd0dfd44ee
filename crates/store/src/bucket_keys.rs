//! Bucket keys: one for each bucket, wrapped under the root key, opened once and kept while it is used.
//!
//! Invariants: a bucket key exists in the namespace only wrapped; removing its entry shreds the bucket.
//!
//! Deliberately absent: where the root key comes from ([`crate::keyring`]).

use std::{num::NonZeroUsize, sync::Arc};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Random, Result, Sequence};
use craton_crypto::keys::{self, SealKey};
use parking_lot::Mutex;
use prost::Message;

use crate::{
    keyring::{KeyProvider, WrappedKey},
    namespace::{Change, Key, Kind, Namespace},
};

/// How many opened bucket keys are kept.
const OPEN_KEYS_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

pub(crate) struct BucketKeys {
    provider: Arc<dyn KeyProvider>,
    namespace: Arc<dyn Namespace>,
    random: Arc<dyn Random>,
    open: Mutex<lru::LruCache<BucketId, Arc<SealKey>>>,
}

#[derive(Clone, PartialEq, Message)]
struct BucketKeyRecord {
    /// The id of the root key that wraps it.
    #[prost(string, tag = "1")]
    root: String,
    #[prost(bytes = "bytes", tag = "2")]
    wrapped: Bytes,
}

impl BucketKeys {
    pub(crate) fn new(
        provider: Arc<dyn KeyProvider>,
        namespace: Arc<dyn Namespace>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            provider,
            namespace,
            random,
            open: Mutex::new(lru::LruCache::new(OPEN_KEYS_MAX)),
        }
    }

    pub(crate) fn exists(&self, id: BucketId) -> Result<bool> {
        Ok(self.namespace.get(&name(id), Sequence::MAX)?.is_some())
    }

    /// The change that stores a new key for `id`.
    pub(crate) fn make(&self, id: BucketId) -> Result<Change> {
        let key = keys::generate(&*self.random)?;
        Ok(Change::Put(name(id), self.wrap(id, &key)?))
    }

    fn wrap(&self, id: BucketId, key: &SealKey) -> Result<Bytes> {
        let WrappedKey { key_id, bytes } = self.provider.wrap(&context(id), key)?;
        Ok(BucketKeyRecord {
            root: key_id,
            wrapped: bytes.into(),
        }
        .encode_to_vec()
        .into())
    }

    /// The key of `id`, opened.
    pub(crate) fn get(&self, id: BucketId) -> Result<Arc<SealKey>> {
        if let Some(key) = self.open.lock().get(&id) {
            return Ok(key.clone());
        }
        let key = Arc::new(self.unwrap(id)?.0);
        self.open.lock().put(id, key.clone());
        Ok(key)
    }

    fn unwrap(&self, id: BucketId) -> Result<(SealKey, String)> {
        let entry = self.namespace.get(&name(id), Sequence::MAX)?;
        let entry =
            entry.ok_or_else(|| Error::corrupt(format!("bucket {id} has no key: it was shredded")))?;
        let record = BucketKeyRecord::decode(entry.value).map_err(|e| {
            Error::corrupt(format!("the key entry of bucket {id} does not parse")).with_source(e)
        })?;
        let wrapped = WrappedKey {
            key_id: record.root.clone(),
            bytes: record.wrapped.to_vec(),
        };
        let key = self.provider.unwrap(&context(id), &wrapped).map_err(|e| {
            Error::corrupt(format!(
                "the key of bucket {id} does not open under root key {}",
                record.root
            ))
            .with_source(e)
        })?;
        Ok((key, record.root))
    }

    /// The change that wraps the key of `id` under the active root key; `None` if it is already.
    pub(crate) fn rewrap(&self, id: BucketId) -> Result<Option<Change>> {
        let (key, root) = self.unwrap(id)?;
        if root == self.provider.active_id() {
            return Ok(None);
        }
        Ok(Some(Change::Put(name(id), self.wrap(id, &key)?)))
    }
}

/// The name of a bucket's key entry.
pub(crate) fn name(id: BucketId) -> Key {
    Key {
        bucket: BucketId::SYSTEM,
        branch: BranchId::MAIN,
        kind: Kind::BucketKey,
        name: Bytes::copy_from_slice(&id.0.to_be_bytes()),
    }
}

fn context(id: BucketId) -> Vec<u8> {
    let mut out = b"craton/bucket-key/1\0".to_vec();
    out.extend_from_slice(&id.0.to_be_bytes());
    out
}
