use super::*;

fn bucket(name: &str) -> BucketName {
    BucketName::new(name).unwrap()
}

fn object(b: &str, k: &str) -> ResourcePath {
    ResourcePath::Object(bucket(b), ObjectKey::new(k).unwrap())
}

fn prefix(b: &str, p: &str) -> ResourcePath {
    ResourcePath::Objects(bucket(b), p.into())
}

#[test]
fn covering_follows_the_tree() {
    assert!(ResourcePath::Root.covers(&object("abc", "k")));
    assert!(ResourcePath::Bucket(bucket("abc")).covers(&object("abc", "k")));
    assert!(!ResourcePath::Bucket(bucket("abc")).covers(&object("abd", "k")));
    assert!(prefix("abc", "a/").covers(&object("abc", "a/b")));
    assert!(!prefix("abc", "a/").covers(&object("abc", "ab")));
    assert!(!object("abc", "a").covers(&object("abc", "a/b")));
    assert!(ResourcePath::System("users".into()).covers(&ResourcePath::System("users/al".into())));
    assert!(!ResourcePath::System("users".into()).covers(&ResourcePath::System("users2".into())));
}

#[test]
fn overlap_is_symmetric() {
    let all = [
        ResourcePath::Root,
        ResourcePath::Bucket(bucket("abc")),
        prefix("abc", ""),
        prefix("abc", "a"),
        prefix("abc", "b"),
        object("abc", "a"),
        object("abd", "a"),
        ResourcePath::System("users".into()),
    ];
    for a in &all {
        for b in &all {
            assert_eq!(a.overlaps(b), b.overlaps(a), "{a} {b}");
        }
    }
    assert!(!prefix("abc", "a").overlaps(&prefix("abc", "b")));
    assert!(prefix("abc", "a").overlaps(&prefix("abc", "ab")));
}
