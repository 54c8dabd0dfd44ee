use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::executor::block_on;
use proptest::prelude::*;

use super::*;

/// A row: what it says, and whether it stays until it is removed by name.
type Row = (Standing, bool);

/// The rows of names by their sequences, newest first.
#[derive(Debug)]
struct Model {
    rows: BTreeMap<(String, Reverse<Sequence>), Row>,
    looks: AtomicUsize,
}

/// What a page shows: a common prefix, or a version and whether it is the newest.
type Shown = (String, Option<(VersionId, bool, bool)>);

impl Model {
    fn of(rows: impl IntoIterator<Item = (String, Row)>) -> Self {
        let numbered = rows.into_iter().zip(1..);
        Self {
            rows: numbered
                .map(|((name, row), n)| ((name, Reverse(Sequence(n))), row))
                .collect(),
            looks: AtomicUsize::new(0),
        }
    }

    fn of_name<'m>(&'m self, name: &'m [u8]) -> impl Iterator<Item = (Sequence, Row)> + 'm {
        let named = self.rows.iter().filter(move |((n, _), _)| n.as_bytes() == name);
        named.map(|((_, Reverse(sequence)), row)| (*sequence, *row))
    }

    /// Everything by the definition, in order.
    fn naive(&self, prefix: &str, delimiter: Option<&str>) -> Vec<Shown> {
        let mut out: Vec<Shown> = Vec::new();
        for ((name, Reverse(sequence)), (standing, kept)) in &self.rows {
            let null = self.of_name(name.as_bytes()).find(|(_, (_, kept))| !kept);
            let hidden = !kept && null.is_some_and(|(newest, _)| newest != *sequence);
            if hidden || *standing == Standing::Deleted || !name.starts_with(prefix) {
                continue;
            }
            let newest = self.of_name(name.as_bytes()).next();
            let latest = newest.is_some_and(|(newest, _)| newest == *sequence);
            let id = VersionId::of_row(*kept, *sequence);
            let row = match common_prefix(name, prefix, delimiter) {
                Some(common) => (common.to_owned(), None),
                None => (name.clone(), Some((id, latest, *standing == Standing::Marked))),
            };
            if out.last() != Some(&row) {
                out.push(row);
            }
        }
        out
    }
}

impl Rows for Model {
    fn visit(
        &self,
        (start, end): (&[u8], Option<&[u8]>),
        after: Option<(&[u8], Sequence)>,
        each: &mut Each<'_>,
    ) -> Result<()> {
        let mut from = start.to_vec();
        for ((name, Reverse(sequence)), (standing, kept)) in &self.rows {
            let name = name.as_bytes();
            let passed = after.is_some_and(|(n, s)| name < n || (name == n && *sequence >= s));
            if passed || name < &*from || end.is_some_and(|end| name >= end) {
                continue;
            }
            self.looks.fetch_add(1, Ordering::Relaxed);
            let head = Head {
                name,
                sequence: *sequence,
                revision: *sequence,
                standing: *standing,
                meta: &[],
                kept: *kept,
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
    }

    fn newest(&self, name: &[u8]) -> Result<Option<Sequence>> {
        Ok(self.of_name(name).next().map(|(sequence, _)| sequence))
    }

    fn null(&self, name: &[u8]) -> Result<Option<Sequence>> {
        let null = self.of_name(name).find(|(_, (_, kept))| !kept);
        Ok(null.map(|(sequence, _)| sequence))
    }
}

/// The rows of a page, in order.
fn shown(page: &VersionsPage) -> Vec<Shown> {
    let versions = page.versions.iter().map(|v| {
        let marker = matches!(v.what, What::Marker(_));
        (v.key.clone(), Some((v.id, v.latest, marker)))
    });
    let prefixes = page.prefixes.iter().map(|p| (p.clone(), None));
    let mut out: Vec<Shown> = versions.collect();
    for prefix in prefixes {
        let at = out.partition_point(|(key, _)| *key < prefix.0);
        out.insert(at, prefix);
    }
    out
}

/// All pages, one after another, each from the markers of the one before.
fn all(
    model: &Model,
    (prefix, delimiter): (&str, Option<&str>),
    limit: usize,
    looks_max: usize,
) -> Vec<Shown> {
    let mut out = Vec::new();
    let mut listing = VersionsListing {
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(ToOwned::to_owned),
        after: None,
        limit,
    };
    loop {
        let page = block_on(page(model, &listing, looks_max)).unwrap();
        assert!(page.versions.len() + page.prefixes.len() <= limit);
        out.extend(shown(&page));
        let Some(next) = page.next else { return out };
        assert_ne!(listing.after.as_ref(), Some(&next), "a page goes on");
        // A marker survives the journey.
        let (key, id) = match &next {
            VersionsAfter::Version(key, id) => (key.clone(), Some(id.to_text())),
            VersionsAfter::Name(after) => (after.text().to_owned(), None),
        };
        listing.after = Some(VersionsAfter::from_markers(&key, id.as_deref(), prefix, delimiter).unwrap());
    }
}

fn row() -> impl Strategy<Value = Row> {
    let standing = prop_oneof![
        4 => Just(Standing::Exists),
        1 => Just(Standing::Marked),
        1 => Just(Standing::Deleted),
    ];
    (standing, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_join_to_the_naive_listing(
        rows in proptest::collection::vec(("[a-c/é]{1,3}", row()), 0..60),
        prefix in "[a-b/]{0,1}",
        delimiter in proptest::option::of(prop_oneof![Just("/"), Just("b"), Just("é")]),
        limit in 1usize..9,
        looks_max in prop_oneof![1usize..9, Just(LOOKS_MAX)],
    ) {
        let model = Model::of(rows);
        let pages = all(&model, (&prefix, delimiter), limit, looks_max);
        prop_assert_eq!(pages, model.naive(&prefix, delimiter));
    }
}

fn exists(name: &str, count: usize) -> impl Iterator<Item = (String, Row)> {
    std::iter::repeat_n((name.to_owned(), (Standing::Exists, true)), count)
}

#[test]
fn a_common_prefix_is_not_walked() {
    let model = Model::of(exists("a/1", 3000).chain(exists("b", 2)));
    let pages = all(&model, ("", Some("/")), 1000, LOOKS_MAX);
    assert_eq!(pages.len(), 3);
    assert_eq!(
        model.looks.load(Ordering::Relaxed),
        3,
        "one row for each that is shown"
    );
}

#[test]
fn a_page_in_the_middle_of_a_key_goes_on_there() {
    let model = Model::of(exists("k", 5));
    let listing = VersionsListing {
        limit: 2,
        ..VersionsListing::default()
    };
    let first = block_on(page(&model, &listing, LOOKS_MAX)).unwrap();
    let latest: Vec<bool> = first.versions.iter().map(|v| v.latest).collect();
    assert_eq!(latest, [true, false]);
    let last = VersionId::Number(Sequence(4));
    assert_eq!(first.next, Some(VersionsAfter::Version("k".into(), last)));
}

#[test]
fn a_null_version_that_was_superseded_stays_hidden_on_the_next_page() {
    let (null, kept) = ((Standing::Exists, false), (Standing::Exists, true));
    let model = Model::of([null, null, kept].map(|row| ("k".to_owned(), row)));
    let pages = all(&model, ("", None), 1, LOOKS_MAX);
    let ids: Vec<VersionId> = pages.iter().filter_map(|(_, v)| v.map(|(id, ..)| id)).collect();
    assert_eq!(ids, [VersionId::Number(Sequence(3)), VersionId::Null]);
}

#[test]
fn a_page_of_nothing_reads_nothing() {
    let model = Model::of(exists("k", 5));
    let page = block_on(page(&model, &VersionsListing::default(), LOOKS_MAX)).unwrap();
    assert!(page.versions.is_empty() && page.next.is_none());
    assert_eq!(model.looks.load(Ordering::Relaxed), 0);
}
