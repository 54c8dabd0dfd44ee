//! Bucket keys: a data key that serves a whole bucket for a while, so that not every object costs a call to
//! the key service.
//!
//! Invariant: no key is kept longer than [`KEPT`] after the service gave it, and at most [`KEPT_MAX`] are.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{BucketId, Clock, Result, Timestamp};
use craton_crypto::SealKey;
use parking_lot::Mutex;

use super::{Context, DataKey, KeyService};

/// How long a bucket key is used: AWS says "time-limited", and five minutes is what a revoked key still works.
pub(crate) const KEPT: Duration = Duration::from_mins(5);

/// How many are kept of each sort.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// A key service, and the bucket keys that it gave.
pub(crate) struct DataKeys {
    service: Arc<dyn KeyService>,
    clock: Arc<dyn Clock>,
    made: Mutex<lru::LruCache<(BucketId, String), Kept<DataKey>>>,
    opened: Mutex<lru::LruCache<Bytes, Kept<SealKey>>>,
}

#[derive(Clone)]
struct Kept<T> {
    value: T,
    context: Context,
    since: Timestamp,
}

impl DataKeys {
    pub(crate) fn new(service: Arc<dyn KeyService>, clock: Arc<dyn Clock>) -> Self {
        Self {
            service,
            clock,
            made: Mutex::new(lru::LruCache::new(KEPT_MAX)),
            opened: Mutex::new(lru::LruCache::new(KEPT_MAX)),
        }
    }

    /// [`KeyService::is_outside`].
    pub(crate) fn are_outside(&self) -> bool {
        self.service.is_outside()
    }

    /// A data key; with `bucket` one that may have served the bucket before.
    pub(crate) async fn generate(
        &self,
        bucket: Option<BucketId>,
        name: &str,
        context: &Context,
    ) -> Result<DataKey> {
        let Some(bucket) = bucket else {
            return self.service.generate(name, context).await;
        };
        let place = (bucket, name.to_owned());
        let kept = self.made.lock().get(&place).cloned();
        if let Some(kept) = kept.filter(|k| self.is_fresh(k, context)) {
            return Ok(kept.value);
        }
        let value = self.service.generate(name, context).await?;
        self.made.lock().put(place, self.keep(value.clone(), context));
        Ok(value)
    }

    /// Opens a data key; a bucket key may have been opened before.
    pub(crate) async fn open(
        &self,
        is_bucket_key: bool,
        arn: &str,
        context: &Context,
        sealed: &Bytes,
    ) -> Result<SealKey> {
        if !is_bucket_key {
            return self.service.open(arn, context, sealed).await;
        }
        let kept = self.opened.lock().get(sealed).cloned();
        if let Some(kept) = kept.filter(|k| self.is_fresh(k, context)) {
            return Ok(kept.value);
        }
        let value = self.service.open(arn, context, sealed).await?;
        self.opened
            .lock()
            .put(sealed.clone(), self.keep(value.clone(), context));
        Ok(value)
    }

    fn keep<T>(&self, value: T, context: &Context) -> Kept<T> {
        Kept {
            value,
            context: context.clone(),
            since: self.clock.now(),
        }
    }

    fn is_fresh<T>(&self, kept: &Kept<T>, context: &Context) -> bool {
        kept.context == *context && self.clock.now().since(kept.since) < KEPT
    }
}
