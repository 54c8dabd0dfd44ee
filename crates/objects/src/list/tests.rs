use std::{cell::Cell, collections::BTreeSet};

use proptest::prelude::*;

use super::*;

type Keys = BTreeSet<String>;

/// One page, and how many entries were fetched for it.
fn page(
    keys: &Keys,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&After>,
    limit: usize,
) -> (Walked<String>, usize) {
    let fetched = Cell::new(0);
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
    };
    let walked = walk
        .run(|start, end, limit| {
            let mut rows: Vec<_> = keys
                .iter()
                .filter(|k| k.as_bytes() >= start && end.is_none_or(|end| k.as_bytes() < end))
                .take(limit + 1)
                .map(|k| Row {
                    name: k.clone().into(),
                    key: k.clone(),
                    item: k.clone(),
                })
                .collect();
            let more = rows.len() > limit;
            rows.truncate(limit);
            fetched.set(fetched.get() + rows.len());
            Ok(Fetched { rows, more })
        })
        .unwrap();
    (walked, fetched.get())
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
    keys.iter().filter_map(group).collect()
}

fn all(keys: &Keys, prefix: &str, delimiter: Option<&str>, limit: usize) -> BTreeSet<(String, bool)> {
    let mut out = BTreeSet::new();
    let mut after = None;
    loop {
        let (walked, _) = page(keys, prefix, delimiter, after.as_ref(), limit);
        assert!(walked.entries.len() + walked.prefixes.len() <= limit);
        let new = walked
            .entries
            .into_iter()
            .map(|k| (k, false))
            .chain(walked.prefixes.into_iter().map(|p| (p, true)));
        for row in new {
            assert!(out.insert(row), "a row was shown twice");
        }
        after = match walked.next {
            None => return out,
            Some(Last::Row(k)) => Some(After::Key(k)),
            Some(Last::Prefix(p)) => Some(After::Prefix(p)),
        };
        // A token survives the journey.
        after = after.map(|a| After::from_token(&a.to_token()).unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_join_to_the_naive_listing(
        keys in proptest::collection::btree_set("[a-c/é]{1,6}", 0..60),
        prefix in "[a-b/]{0,2}",
        delimiter in proptest::option::of(prop_oneof![Just("/"), Just("b"), Just("b/"), Just("é")]),
        limit in 1usize..9,
    ) {
        prop_assert_eq!(all(&keys, &prefix, delimiter, limit), naive(&keys, &prefix, delimiter));
    }

    #[test]
    fn tokens_that_were_not_given_are_refused(token in "[A-Za-z0-9_-]{0,40}") {
        prop_assert!(After::from_token(&token).is_err());
    }
}

#[test]
fn a_common_prefix_is_not_walked() {
    let mut keys: Keys = (0..5000).map(|n| format!("a/{n:05}")).collect();
    keys.extend((0..5000).map(|n| format!("b/{n:05}")));
    keys.insert("c".into());
    let (walked, fetched) = page(&keys, "", Some("/"), None, 1000);
    assert_eq!(
        (walked.prefixes, walked.entries),
        (vec!["a/".into(), "b/".into()], vec!["c".to_owned()])
    );
    assert!(fetched < 100, "{fetched} entries were fetched for 3 rows");
}

#[test]
fn a_page_of_nothing_is_not_truncated() {
    let keys: Keys = ["a".to_owned()].into();
    let (walked, fetched) = page(&keys, "", None, None, 0);
    assert!(walked.entries.is_empty() && walked.next.is_none());
    assert_eq!(fetched, 0);
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
    let keys: Keys = ["a/1", "a/2", "b"].map(str::to_owned).into();
    let (walked, _) = page(&keys, "", Some("/"), None, 2);
    assert_eq!(walked.prefixes.len() + walked.entries.len(), 2);
    assert!(walked.next.is_none());
}
