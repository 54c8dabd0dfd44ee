use craton_base::{BucketName, ObjectKey};
use proptest::prelude::*;

use super::*;

fn paths() -> Vec<ResourcePath> {
    let b = BucketName::new("abc").unwrap();
    vec![
        ResourcePath::Bucket(b.clone()),
        ResourcePath::Objects(b.clone(), String::new()),
        ResourcePath::Objects(b.clone(), "a/".into()),
        ResourcePath::Objects(b.clone(), "\u{10FFFF}".into()),
        ResourcePath::Object(b.clone(), ObjectKey::new("a").unwrap()),
        ResourcePath::Object(b, ObjectKey::new("a/b").unwrap()),
        ResourcePath::Root,
        ResourcePath::System("users/x".into()),
    ]
}

#[test]
fn only_the_permitted_object_is_covered() {
    let b = BucketName::new("abc").unwrap();
    let path = ResourcePath::Object(b, ObjectKey::new("a").unwrap());
    assert!(covers(&path, Kind::Object, b"a"));
    for other in [&b"ab"[..], b"", b"A", b"a\0", b"a/"] {
        assert!(!covers(&path, Kind::Object, other));
    }
    assert!(covers(&path, Kind::Part, b"a\0xyz"));
    assert!(!covers(&path, Kind::Part, b"ab\0xyz"));
    for kind in [
        Kind::User,
        Kind::AccessKey,
        Kind::Policy,
        Kind::Ledger,
        Kind::Bucket,
        Kind::BucketKey,
    ] {
        assert!(paths().iter().all(|p| !covers(p, kind, b"a")), "{kind:?}");
    }
}

proptest! {
    /// What `clip` lets through is exactly what is asked for and covered.
    #[test]
    fn clip_is_the_intersection(
        which in 0usize..8,
        name in proptest::collection::vec(prop_oneof![Just(0u8), Just(b'a'), Just(b'/'), Just(b'b'), Just(0xFF), any::<u8>()], 0..5),
        start in proptest::collection::vec(prop_oneof![Just(0u8), Just(b'a'), Just(b'/'), any::<u8>()], 0..4),
        end in proptest::option::of(proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..4)),
    ) {
        let path = &paths()[which];
        for kind in [Kind::Object, Kind::Upload, Kind::Part, Kind::Ledger] {
            let asked = name.as_slice() >= start.as_slice() && end.as_ref().is_none_or(|e| name < *e);
            let inside = match clip(path, kind, &start, end.as_deref()) {
                Ok((low, high)) => name.as_slice() >= &*low && high.is_none_or(|h| name.as_slice() < &*h),
                Err(_) => false,
            };
            prop_assert_eq!(inside, asked && covers(path, kind, &name));
        }
    }
}
