use std::{cell::Cell, collections::BTreeMap, collections::BTreeSet};

use craton_base::Sequence;
use futures::executor::block_on;
use proptest::prelude::*;

use super::*;

/// Keys, and whether each exists: what was deleted is looked at too.
type Keys = BTreeMap<String, bool>;

fn existing(keys: impl IntoIterator<Item = String>) -> Keys {
    keys.into_iter().map(|key| (key, true)).collect()
}

/// A page, and how many names were looked at for it.
fn page_of_looks(
    keys: &Keys,
    (prefix, delimiter): (&str, Option<&str>),
    after: Option<&After>,
    limit: usize,
    looks_max: usize,
) -> (Walked<String>, usize) {
    let looks = Cell::new(0);
    let start = match after {
        None => Some(Vec::new()),
        Some(After::Key(k)) => Some([k.as_bytes(), &[0]].concat()),
        Some(After::Prefix(p)) => successor(p.as_bytes()),
    };
    let walk = Walk {
        prefix,
        delimiter,
        start,
        limit,
        looks_max,
        key: borrowed_text,
        item: |_: &Head<'_>, key: &str| Ok(key.to_owned()),
    };
    let visit = |start: &[u8], end: Option<&[u8]>, each: &mut Each<'_>| {
        let mut from = start.to_vec();
        for (key, exists) in keys {
            let name = key.as_bytes();
            if name < &*from || end.is_some_and(|end| name >= end) {
                continue;
            }
            looks.set(looks.get() + 1);
            let head = Head {
                name,
                sequence: Sequence(1),
                revision: Sequence(1),
                standing: if *exists {
                    Standing::Exists
                } else {
                    Standing::Deleted
                },
                meta: &[],
                kept: false,
            };
            match each(head)? {
                Flow::Next => {}
                Flow::Skip(next) => {
                    assert!(&*next > name, "a walk goes forward");
                    from = next.to_vec();
                }
                Flow::Stop => break,
            }
        }
        Ok(())
    };
    let walked = block_on(walk.run(visit)).unwrap();
    (walked, looks.get())
}

fn page(
    keys: &Keys,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&After>,
    limit: usize,
) -> (Walked<String>, usize) {
    page_of_looks(keys, (prefix, delimiter), after, limit, LOOKS_MAX)
}

/// All rows by the definition: keys and common prefixes, in order.
fn naive(keys: &Keys, prefix: &str, delimiter: Option<&str>) -> BTreeSet<(String, bool)> {
    let group = |k: &String| {
        let rest = k.strip_prefix(prefix)?;
        let cut = delimiter.and_then(|d| rest.find(d).map(|at| at + d.len()));
        Some(cut.map_or((k.clone(), false), |cut| {
            (format!("{prefix}{}", &rest[..cut]), true)
        }))
    };
    let existing = keys.iter().filter(|(_, exists)| **exists).map(|(key, _)| key);
    existing.filter_map(group).collect()
}

/// All pages, each of which looks at so many names at most.
fn all(
    keys: &Keys,
    within: (&str, Option<&str>),
    limit: usize,
    looks_max: usize,
    by_marker: bool,
) -> BTreeSet<(String, bool)> {
    let mut out = BTreeSet::new();
    let mut after = None;
    loop {
        let (walked, looks) = page_of_looks(keys, within, after.as_ref(), limit, looks_max);
        assert!(looks <= looks_max + 2, "{looks} names for a page");
        assert!(walked.entries.len() + walked.prefixes.len() <= limit);
        let new = walked
            .entries
            .into_iter()
            .map(|k| (k, false))
            .chain(walked.prefixes.into_iter().map(|p| (p, true)));
        for row in new {
            assert!(out.insert(row), "a row was shown twice");
        }
        let Some(next) = walked.next else { return out };
        // Tokens and markers survive the journey.
        let next = if by_marker {
            After::from_marker(next.text(), within.0, within.1)
        } else {
            After::from_token(&next.to_token()).unwrap()
        };
        assert_ne!(after.as_ref(), Some(&next), "a page goes on");
        after = Some(next);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_join_to_the_naive_listing(
        keys in proptest::collection::btree_map("[a-c/é]{1,6}", any::<bool>(), 0..60),
        prefix in "[a-b/]{0,2}",
        delimiter in proptest::option::of(prop_oneof![Just("/"), Just("b"), Just("b/"), Just("é")]),
        limit in 1usize..9,
        looks_max in prop_oneof![1usize..9, Just(LOOKS_MAX)],
        by_marker: bool,
    ) {
        let pages = all(&keys, (&prefix, delimiter), limit, looks_max, by_marker);
        prop_assert_eq!(pages, naive(&keys, &prefix, delimiter));
    }

    #[test]
    fn tokens_that_were_not_given_are_refused(token in "[A-Za-z0-9_-]{0,40}") {
        prop_assert!(After::from_token(&token).is_err());
    }
}

#[test]
fn a_common_prefix_is_not_walked() {
    let mut keys = existing((0..5000).map(|n| format!("a/{n:05}")));
    keys.extend((0..5000).map(|n| (format!("b/{n:05}"), true)));
    keys.insert("c".into(), true);
    let (walked, looks) = page(&keys, "", Some("/"), None, 1000);
    assert_eq!(
        (walked.prefixes, walked.entries),
        (vec!["a/".into(), "b/".into()], vec!["c".to_owned()])
    );
    assert_eq!(looks, 3, "one name for each row");
}

#[test]
fn a_page_of_deleted_names_ends_and_goes_on_behind_them() {
    let mut keys: Keys = (0..2 * LOOKS_MAX).map(|n| (format!("a{n:06}"), false)).collect();
    keys.insert("b".into(), true);
    let (first, looks) = page(&keys, "", None, None, 10);
    assert_eq!((first.entries.len(), looks), (0, LOOKS_MAX));
    assert_eq!(first.next, Some(After::Key(format!("a{:06}", LOOKS_MAX - 1))));
    let (second, _) = page(&keys, "", None, first.next.as_ref(), 10);
    let (third, _) = page(&keys, "", None, second.next.as_ref(), 10);
    assert_eq!((third.entries, third.next), (vec!["b".to_owned()], None));
}

#[test]
fn a_page_of_nothing_is_not_truncated() {
    let keys = existing(["a".to_owned()]);
    let (walked, looks) = page(&keys, "", None, None, 0);
    assert!(walked.entries.is_empty() && walked.next.is_none());
    assert_eq!(looks, 0);
}

#[test]
fn a_marker_that_is_a_common_prefix_passes_over_it() {
    assert_eq!(
        After::from_marker("a/", "", Some("/")),
        After::Prefix("a/".into())
    );
    assert_eq!(After::from_marker("a/b", "", Some("/")), After::Key("a/b".into()));
    assert_eq!(After::from_marker("a/", "a/", Some("/")), After::Key("a/".into()));
    assert_eq!(After::from_marker("a/", "", None), After::Key("a/".into()));
}

#[test]
fn a_full_last_page_is_not_truncated() {
    let keys = existing(["a/1", "a/2", "b"].map(str::to_owned));
    let (walked, _) = page(&keys, "", Some("/"), None, 2);
    assert_eq!(walked.prefixes.len() + walked.entries.len(), 2);
    assert!(walked.next.is_none());
}
