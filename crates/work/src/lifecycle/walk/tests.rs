use craton_base::Sequence;
use craton_objects::meta::{MarkerMeta, ObjectMeta};

use super::*;

fn object(key: &str, n: u64) -> ListedVersion {
    let meta = ObjectMeta {
        modified_micros: n,
        ..ObjectMeta::default()
    };
    listed(key, n, What::Object(Box::new(meta)))
}

fn marker(key: &str, n: u64) -> ListedVersion {
    listed(
        key,
        n,
        What::Marker(MarkerMeta {
            modified_micros: n,
            ..MarkerMeta::default()
        }),
    )
}

fn listed(key: &str, n: u64, what: What) -> ListedVersion {
    ListedVersion {
        key: key.to_owned(),
        id: VersionId::Number(Sequence(n)),
        latest: false,
        what,
    }
}

fn walk(versions: Vec<ListedVersion>) -> Vec<(String, Standing)> {
    let mut walk = Walk::default();
    let mut out: Vec<Found> = versions.into_iter().filter_map(|v| walk.take(v, None)).collect();
    out.extend(walk.end());
    out.into_iter().map(|f| (f.key, f.standing)).collect()
}

#[test]
fn versions_know_who_superseded_them_and_how_many_are_newer() {
    let found = walk(vec![
        object("a", 9),
        marker("a", 7),
        object("a", 3),
        object("b", 5),
    ]);
    let older = |since, newer| Standing::Noncurrent {
        since: Timestamp(since),
        newer,
    };
    assert_eq!(
        found,
        [
            ("a".to_owned(), Standing::Current { alone: false }),
            ("a".to_owned(), older(9, 0)),
            ("a".to_owned(), older(7, 1)),
            ("b".to_owned(), Standing::Current { alone: true }),
        ]
    );
}

#[test]
fn a_marker_is_alone_only_if_nothing_of_its_key_follows() {
    let found = walk(vec![
        marker("a", 9),
        marker("b", 8),
        object("b", 7),
        marker("c", 1),
    ]);
    let alone: Vec<bool> = found
        .iter()
        .filter_map(|(_, s)| match s {
            Standing::Current { alone } => Some(*alone),
            Standing::Noncurrent { .. } => None,
        })
        .collect();
    assert_eq!(alone, [true, false, true]);
}

#[test]
fn nothing_is_walked_over_without_versions() {
    assert!(walk(Vec::new()).is_empty());
}
