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

fn facts(b: &str, graph: &str, prefix: &str) -> ResourcePath {
    ResourcePath::Facts(bucket(b), FactPath::new(graph.parse().unwrap(), prefix).unwrap())
}

#[test]
fn a_prefix_of_facts_is_whole_items() {
    assert!(facts("abc", "g", "").covers(&facts("abc", "g", "(edge ")));
    assert!(facts("abc", "g", "(edge ").covers(&facts("abc", "g", "(edge chr1 ")));
    assert!(!facts("abc", "g", "(edge chr1 ").overlaps(&facts("abc", "g", "(edge chr10 ")));
    assert!(!facts("abc", "g", "").overlaps(&facts("abc", "g2", "")));
    assert!(!prefix("abc", "").overlaps(&facts("abc", "g", "")));
    assert!(ResourcePath::Bucket(bucket("abc")).covers(&facts("abc", "g", "")));
    for wrong in ["edge ", "(edge", "(edge chr1", "(ed\0ge "] {
        assert!(FactPath::new("g".parse().unwrap(), wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(facts("abc", "g", "(edge ").to_string(), "/abc/graphs/g/(edge ");
    assert_eq!(facts("abc", "g", "").to_string(), "/abc/graphs/g");
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
        facts("abc", "g", ""),
        facts("abc", "g", "(edge "),
        facts("abd", "g", "(edge "),
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
