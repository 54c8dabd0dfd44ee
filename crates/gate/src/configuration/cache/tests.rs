use craton_base::{BucketId, Sequence, Timestamp};

use super::*;
use crate::{bucket::BucketInfo, configuration::state::BucketState};

fn name(n: usize) -> BucketName {
    BucketName::new(&format!("bucket-{n}")).unwrap()
}

fn state(n: usize) -> Arc<BucketState> {
    let info = BucketInfo {
        name: name(n),
        id: BucketId(n as u64),
        created: Timestamp(0),
        owner: "root".to_owned(),
        region: "us-east-1".to_owned(),
        strict: false,
        versioning: crate::Versioning::default(),
        lock: None,
        sequence: Sequence(1),
    };
    Arc::new(BucketState::of_info(info))
}

#[test]
fn a_state_read_before_a_change_is_not_kept_after_it() {
    let cache = BucketCache::new();
    let since = cache.get(&name(1)).err().unwrap();
    cache.forget(&name(1));
    cache.keep(since, &name(1), &state(1));
    assert!(cache.get(&name(1)).is_err());

    let since = cache.get(&name(1)).err().unwrap();
    cache.keep(since, &name(1), &state(1));
    assert!(cache.get(&name(1)).is_ok());
    cache.forget(&name(1));
    assert!(cache.get(&name(1)).is_err());
}

#[test]
fn the_oldest_goes_and_the_weight_is_counted() {
    let cache = BucketCache::new();
    let most = STATES_MAX.get();
    for n in 0..most + 10 {
        let since = cache.get(&name(n)).err().unwrap();
        cache.keep(since, &name(n), &state(n));
    }
    assert!(cache.get(&name(0)).is_err());
    assert!(cache.get(&name(most + 9)).is_ok());
    let inner = cache.inner.lock();
    assert_eq!(inner.states.len(), most);
    let weight: usize = inner.states.iter().map(|(_, s)| s.weight()).sum();
    assert_eq!(inner.weight, weight);
    assert!(weight <= WEIGHT_MAX);
}
