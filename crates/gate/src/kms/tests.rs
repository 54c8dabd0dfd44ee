use std::sync::Arc;

use craton_base::BucketId;
use parking_lot::Mutex;

use super::*;
use craton_sim::SimClock;

/// Counts its calls; a data key is its number.
#[derive(Default)]
struct Counting {
    calls: Mutex<u8>,
}

#[async_trait::async_trait]
impl KeyService for Counting {
    async fn generate(&self, name: &str, _: &Context) -> Result<DataKey> {
        let mut calls = self.calls.lock();
        *calls += 1;
        Ok(DataKey {
            named: name.to_owned(),
            key: SealKey::from_bytes([*calls; 32]),
            sealed: Bytes::from(vec![*calls]),
        })
    }

    async fn open(&self, _: &str, _: &Context, sealed: &[u8]) -> Result<SealKey> {
        *self.calls.lock() += 1;
        Ok(SealKey::from_bytes([sealed[0]; 32]))
    }
}

#[tokio::test]
async fn a_bucket_key_serves_a_bucket_for_a_while() {
    let service = Arc::new(Counting::default());
    let clock = SimClock::default();
    let keys = DataKeys::new(service.clone(), Arc::new(clock.clone()));
    let context = Context::new();
    let (one, other) = (Some(BucketId(1)), Some(BucketId(2)));
    let first = keys.generate(one, "k", &context).await.unwrap();
    assert_eq!(keys.generate(one, "k", &context).await.unwrap().key, first.key);
    assert_ne!(keys.generate(other, "k", &context).await.unwrap().key, first.key);
    assert_ne!(keys.generate(one, "l", &context).await.unwrap().key, first.key);
    assert_ne!(keys.generate(None, "k", &context).await.unwrap().key, first.key);
    assert_eq!(*service.calls.lock(), 4);
    let another = Context::from([("a".to_owned(), "b".to_owned())]);
    assert_ne!(keys.generate(one, "k", &another).await.unwrap().key, first.key);

    for _ in 0..2 {
        let opened = keys.open(true, "k", &context, &first.sealed).await.unwrap();
        assert_eq!(opened, first.key);
    }
    assert_eq!(*service.calls.lock(), 6);
    keys.open(false, "k", &context, &first.sealed).await.unwrap();
    assert_eq!(*service.calls.lock(), 7);
    clock.advance(cache::KEPT);
    keys.open(true, "k", &context, &first.sealed).await.unwrap();
    assert_eq!(*service.calls.lock(), 8);
}
