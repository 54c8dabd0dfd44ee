use super::*;

fn scope() -> Scope {
    Scope {
        date: "20120215".into(),
        region: "us-east-1".into(),
        service: "iam".into(),
    }
}

#[test]
fn the_published_example_of_a_signing_key() {
    let secret = Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
    let key = SigningKey::derive(&secret, &scope());
    let want = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
    assert_eq!(hex::encode(key.0.expose()), want);
    assert_eq!(format!("{key:?}"), "SigningKey(Secret(…))");
}

#[test]
fn a_changed_secret_is_derived_anew() {
    let cache = KeyCache::new();
    let a = cache.get("AKIDEXAMPLE00000", &"one".into(), &scope());
    let again = cache.get("AKIDEXAMPLE00000", &"one".into(), &scope());
    assert!(Arc::ptr_eq(&a, &again), "the second use comes from the cache");
    let b = cache.get("AKIDEXAMPLE00000", &"two".into(), &scope());
    assert_ne!(a.0, b.0);
}

#[test]
fn the_cache_stays_bounded() {
    let cache = KeyCache::new();
    for n in 0..KEYS_MAX.get() + 100 {
        cache.get(&format!("KEY{n}"), &"s".into(), &scope());
    }
    assert_eq!(cache.0.lock().len(), KEYS_MAX.get());
}
