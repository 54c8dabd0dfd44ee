//! What every namespace must do, as public functions that panic where one does not: each is run on every
//! implementation, the model included. `make` gives a new empty namespace.
//!
//! Deliberately absent: durability (see the power-cut tests), limits of a particular engine.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test code, public so that other implementations' crates can run it"
)]

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, Error, Kind as ErrorKind, Sequence};

use super::{
    BATCH_BYTES_MAX, BATCH_ITEMS_MAX, Batch, Change, Committed, Direction, Key, Kind, NAME_BYTES_MAX,
    Namespace, PAGE_BYTES_MAX, Page, Precondition, Span, VALUE_BYTES_MAX,
};

mod history;
mod versions;
mod visits;

pub use history::{erased_versions_are_gone, history_is_paged, the_change_feed_tells_all};
pub use versions::{amendments_stay_in_their_version, marks_are_deletions_that_tell};
pub use visits::visits_show_what_reads_answer;

/// Makes a new empty namespace.
pub type Make<'a> = &'a dyn Fn() -> Arc<dyn Namespace>;

/// Everything here.
pub fn all(make: Make<'_>) {
    commits_are_numbered(make);
    reads_are_at_a_sequence(make);
    kinds_without_history_hold_the_newest(make);
    preconditions_hold_or_refuse(make);
    a_group_sees_its_earlier_batches(make);
    a_refused_batch_leaves_nothing(make);
    limits_are_kept(make);
    scans_are_ordered(make);
    scans_stay_in_their_span(make);
    scans_are_cut_by_limits(make);
    scans_skip_versions(make);
    history_is_paged(make);
    erased_versions_are_gone(make);
    the_change_feed_tells_all(make);
    marks_are_deletions_that_tell(make);
    amendments_stay_in_their_version(make);
    visits_show_what_reads_answer(make);
}

const BUCKET: BucketId = BucketId(7);

/// A key in the test's bucket.
fn key(kind: Kind, name: &[u8]) -> Key {
    Key {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind,
        name: Bytes::copy_from_slice(name),
    }
}

fn object(name: &str) -> Key {
    key(Kind::Object, name.as_bytes())
}

fn span(kind: Kind) -> Span {
    Span {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind,
        start: Bytes::new(),
        end: None,
    }
}

fn put(key: &Key, value: &str) -> Change {
    Change::Put(key.clone(), Bytes::copy_from_slice(value.as_bytes()))
}

fn batch(changes: impl Into<Vec<Change>>) -> Batch {
    Batch {
        preconditions: Vec::new(),
        changes: changes.into(),
    }
}

fn only_if(precondition: Precondition, changes: impl Into<Vec<Change>>) -> Batch {
    Batch {
        preconditions: vec![precondition],
        changes: changes.into(),
    }
}

fn attempt(namespace: &dyn Namespace, batch: Batch) -> Result<Committed, Error> {
    let mut results = namespace.commit(&[batch]).expect("the engine works");
    assert_eq!(results.len(), 1, "one result for a batch");
    results.pop().expect("a result")
}

fn commit(namespace: &dyn Namespace, changes: impl Into<Vec<Change>>) -> Sequence {
    attempt(namespace, batch(changes))
        .expect("the batch is applied")
        .sequence
}

fn refused(namespace: &dyn Namespace, batch: Batch) -> ErrorKind {
    match attempt(namespace, batch) {
        Ok(_) => panic!("the batch was applied"),
        Err(e) => e.kind(),
    }
}

fn value(namespace: &dyn Namespace, key: &Key, at: Sequence) -> Option<(u64, String)> {
    let entry = namespace.get(key, at).expect("the engine reads")?;
    Some((
        entry.sequence.0,
        String::from_utf8_lossy(&entry.value).into_owned(),
    ))
}

fn scan(namespace: &dyn Namespace, span: &Span, at: Sequence, direction: Direction, limit: usize) -> Page {
    namespace
        .scan(span, at, direction, limit)
        .expect("the engine scans")
}

fn names(page: &Page) -> Vec<Vec<u8>> {
    page.entries.iter().map(|(key, _)| key.name.to_vec()).collect()
}

/// Sequences begin at 1, grow by one a batch, and what is committed is seen at once.
pub fn commits_are_numbered(make: Make<'_>) {
    let ns = make();
    assert_eq!(ns.latest(), Sequence(0));
    assert_eq!(value(&*ns, &object("a"), Sequence::MAX), None);
    assert_eq!(commit(&*ns, [put(&object("a"), "1")]), Sequence(1));
    let group = [batch([put(&object("b"), "2")]), batch([put(&object("c"), "3")])];
    let results = ns.commit(&group).expect("the engine works");
    let numbers: Vec<u64> = results
        .into_iter()
        .map(|result| result.expect("the batch is applied").sequence.0)
        .collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(ns.latest(), Sequence(3));
    assert_eq!(value(&*ns, &object("c"), ns.latest()), Some((3, "3".to_owned())));
    assert_eq!(ns.commit(&[]).expect("the engine works").len(), 0);
    assert_eq!(ns.latest(), Sequence(3));
}

/// A read sees the newest version that is not later; a deletion is a version.
pub fn reads_are_at_a_sequence(make: Make<'_>) {
    let ns = make();
    let key = object("a");
    commit(&*ns, [put(&key, "1")]);
    commit(&*ns, [put(&object("other"), "")]);
    commit(&*ns, [put(&key, "3")]);
    commit(&*ns, [Change::Delete(key.clone())]);
    commit(&*ns, [put(&key, "")]);
    let seen: Vec<_> = (0..=6).map(|at| value(&*ns, &key, Sequence(at))).collect();
    let one = Some((1, "1".to_owned()));
    let three = Some((3, "3".to_owned()));
    let five = Some((5, String::new()));
    assert_eq!(
        seen,
        [None, one.clone(), one, three, None, five.clone(), five.clone()]
    );
    assert_eq!(value(&*ns, &key, Sequence::MAX), five);
}

/// A put replaces, a deletion leaves nothing, a read before the newest version sees nothing.
pub fn kinds_without_history_hold_the_newest(make: Make<'_>) {
    let ns = make();
    let key = key(Kind::Part, b"a");
    commit(&*ns, [put(&key, "1")]);
    commit(&*ns, [put(&key, "2")]);
    assert_eq!(value(&*ns, &key, Sequence(1)), None);
    assert_eq!(value(&*ns, &key, Sequence(2)), Some((2, "2".to_owned())));
    let page = scan(&*ns, &span(Kind::Part), Sequence(1), Direction::Forward, 9);
    assert_eq!(names(&page).len(), 0);
    let versions = ns.history(&span(Kind::Part), None, 9).expect("the engine reads");
    assert_eq!(versions.len(), 1);
    commit(&*ns, [Change::Erase(key.clone(), Sequence(1))]);
    assert_eq!(value(&*ns, &key, Sequence::MAX), Some((2, "2".to_owned())));
    commit(&*ns, [Change::Delete(key.clone())]);
    assert_eq!(value(&*ns, &key, Sequence::MAX), None);
    assert_eq!(
        ns.history(&span(Kind::Part), None, 9)
            .expect("the engine reads")
            .len(),
        0
    );
    commit(&*ns, [put(&key, "5")]);
    commit(&*ns, [Change::Erase(key.clone(), Sequence(5))]);
    assert_eq!(value(&*ns, &key, Sequence::MAX), None);
}

/// Each precondition, on a key that never was, is, and was deleted.
pub fn preconditions_hold_or_refuse(make: Make<'_>) {
    use Precondition::{Absent, At, Empty, Present, UnchangedSince};
    let ns = make();
    let (never, is, was) = (object("never"), object("is"), object("was"));
    commit(&*ns, [put(&is, "1"), put(&was, "1")]);
    commit(&*ns, [put(&is, "2"), Change::Delete(was.clone())]);
    let alone = |name: &str, end: &str| Span {
        start: Bytes::copy_from_slice(name.as_bytes()),
        end: Some(Bytes::copy_from_slice(end.as_bytes())),
        ..span(Kind::Object)
    };
    let cases = [
        (Absent(never.clone()), true),
        (Absent(is.clone()), false),
        (Absent(was.clone()), true),
        (Present(never.clone()), false),
        (Present(is.clone()), true),
        (Present(was.clone()), false),
        (At(never.clone(), Sequence(0)), false),
        (At(is.clone(), Sequence(1)), false),
        (At(is.clone(), Sequence(2)), true),
        (At(was.clone(), Sequence(2)), false),
        (UnchangedSince(never, Sequence(0)), true),
        (UnchangedSince(is.clone(), Sequence(1)), false),
        (UnchangedSince(is, Sequence(2)), true),
        (UnchangedSince(was.clone(), Sequence(1)), false),
        (UnchangedSince(was, Sequence(2)), true),
        (Empty(span(Kind::Object)), false),
        (Empty(span(Kind::Part)), true),
        (Empty(alone("was", "was\0")), true),
        (Empty(alone("is", "is\0")), false),
        (Empty(alone("a", "is")), true),
    ];
    for (precondition, holds) in cases {
        let result = attempt(&*ns, only_if(precondition.clone(), []));
        assert_eq!(result.is_ok(), holds, "{precondition:?}");
        if let Err(e) = result {
            assert_eq!(e.kind(), ErrorKind::Precondition);
            assert!(e.message().contains("precondition 0"), "{e}");
        }
    }
}

/// Batches of one group are applied in order: of two that need a key to be absent, the first wins.
pub fn a_group_sees_its_earlier_batches(make: Make<'_>) {
    let ns = make();
    let (a, part) = (object("a"), key(Kind::Part, b"p"));
    let group = [
        only_if(
            Precondition::Absent(a.clone()),
            [put(&a, "first"), put(&part, "first")],
        ),
        only_if(Precondition::Absent(a.clone()), [put(&a, "second")]),
        only_if(Precondition::At(part.clone(), Sequence(1)), [put(&part, "third")]),
        only_if(Precondition::Empty(span(Kind::Object)), [put(&a, "fourth")]),
        only_if(
            Precondition::UnchangedSince(part.clone(), Sequence(1)),
            [put(&a, "fifth")],
        ),
    ];
    let results = ns.commit(&group).expect("the engine works");
    let numbers: Vec<_> = results
        .into_iter()
        .map(|r| r.ok().map(|made| made.sequence.0))
        .collect();
    assert_eq!(numbers, [Some(1), None, Some(2), None, None]);
    assert_eq!(value(&*ns, &a, Sequence::MAX), Some((1, "first".to_owned())));
    assert_eq!(value(&*ns, &part, Sequence::MAX), Some((2, "third".to_owned())));
}

/// One condition that fails undoes the batch and takes no number.
pub fn a_refused_batch_leaves_nothing(make: Make<'_>) {
    let ns = make();
    commit(&*ns, [put(&object("a"), "1")]);
    let mixed = Batch {
        preconditions: vec![
            Precondition::Present(object("a")),
            Precondition::Absent(object("a")),
        ],
        changes: vec![put(&object("b"), "2"), Change::Delete(object("a"))],
    };
    let error = attempt(&*ns, mixed).expect_err("the second condition fails");
    assert!(error.message().contains("precondition 1"), "{error}");
    let twice = batch([put(&object("b"), "1"), Change::Delete(object("b"))]);
    assert_eq!(refused(&*ns, twice), ErrorKind::Invalid);
    assert_eq!(ns.latest(), Sequence(1));
    assert_eq!(value(&*ns, &object("b"), Sequence::MAX), None);
    assert_eq!(
        value(&*ns, &object("a"), Sequence::MAX),
        Some((1, "1".to_owned()))
    );
    assert_eq!(commit(&*ns, [put(&object("b"), "2")]), Sequence(2));
}

/// The largest is taken, one more is not.
pub fn limits_are_kept(make: Make<'_>) {
    let ns = make();
    let longest = key(Kind::Object, &[0; NAME_BYTES_MAX]);
    let largest = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    commit(&*ns, [Change::Put(longest.clone(), largest.clone())]);
    let entry = ns
        .get(&longest, Sequence::MAX)
        .expect("the engine reads")
        .expect("it is there");
    assert!(entry.value == largest, "the largest value came back changed");
    let too_long = key(Kind::Object, &[0; NAME_BYTES_MAX + 1]);
    assert_eq!(refused(&*ns, batch([put(&too_long, "")])), ErrorKind::TooLarge);
    let needs_too_long = only_if(Precondition::Absent(too_long), []);
    assert_eq!(refused(&*ns, needs_too_long), ErrorKind::TooLarge);
    let too_large = Change::Put(object("a"), Bytes::from(vec![0; VALUE_BYTES_MAX + 1]));
    assert_eq!(refused(&*ns, batch([too_large])), ErrorKind::TooLarge);
    let many = vec![Precondition::Absent(object("a")); BATCH_ITEMS_MAX + 1];
    let too_many = Batch {
        preconditions: many,
        changes: Vec::new(),
    };
    assert_eq!(refused(&*ns, too_many), ErrorKind::TooLarge);
    let pieces = BATCH_BYTES_MAX / VALUE_BYTES_MAX + 1;
    let piece = |i: usize| Change::Put(object(&i.to_string()), largest.clone());
    let too_heavy: Vec<Change> = (0..pieces).map(piece).collect();
    assert_eq!(refused(&*ns, batch(too_heavy)), ErrorKind::TooLarge);
    let own_feed = put(&super::change::key(Sequence(9)), "");
    assert_eq!(refused(&*ns, batch([own_feed])), ErrorKind::Invalid);
}

/// Names are ordered as bytes, whatever bytes they are, both ways.
pub fn scans_are_ordered(make: Make<'_>) {
    let ns = make();
    let mut all: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\0\0",
        b"\0\x01",
        b"\0\xff",
        b"\x01",
        b"\x01\0",
        b"a",
        b"a\0",
        b"a\0\0",
        b"a\0\x01",
        b"a\0b",
        b"a\x01",
        b"aa",
        b"a\xff",
        b"b",
        b"\xff",
        b"\xff\0",
        b"\xff\xff",
    ];
    for kind in [Kind::Object, Kind::Part] {
        let puts: Vec<Change> = all.iter().rev().map(|name| put(&key(kind, name), "v")).collect();
        commit(&*ns, puts);
        all.sort_unstable();
        let forward = scan(&*ns, &span(kind), Sequence::MAX, Direction::Forward, 100);
        assert_eq!(names(&forward), all);
        assert!(!forward.more);
        let mut backward = names(&scan(&*ns, &span(kind), Sequence::MAX, Direction::Backward, 100));
        backward.reverse();
        assert_eq!(backward, all);
        for start in &all {
            for end in &all {
                let part = Span {
                    start: Bytes::copy_from_slice(start),
                    end: Some(Bytes::copy_from_slice(end)),
                    ..span(kind)
                };
                let inside: Vec<&[u8]> = all.iter().copied().filter(|n| start <= n && n < end).collect();
                let forward = scan(&*ns, &part, Sequence::MAX, Direction::Forward, 100);
                assert_eq!(names(&forward), inside, "[{start:?}, {end:?})");
                let mut backward = names(&scan(&*ns, &part, Sequence::MAX, Direction::Backward, 100));
                backward.reverse();
                assert_eq!(backward, inside, "[{start:?}, {end:?}) backward");
            }
        }
    }
}

/// Another bucket, branch or kind next door is never seen.
pub fn scans_stay_in_their_span(make: Make<'_>) {
    let ns = make();
    let mut changes = Vec::new();
    for bucket in [6, 7, 8, u64::MAX] {
        for branch in [0, 1, u32::MAX] {
            for kind in [Kind::Bucket, Kind::Object, Kind::Upload, Kind::Lease] {
                let name = Bytes::from_static(b"x");
                let key = Key {
                    bucket: BucketId(bucket),
                    branch: BranchId(branch),
                    kind,
                    name,
                };
                changes.push(put(&key, ""));
            }
        }
    }
    commit(&*ns, changes);
    for direction in [Direction::Forward, Direction::Backward] {
        for branch in [0, 1, u32::MAX] {
            let span = Span {
                branch: BranchId(branch),
                ..span(Kind::Object)
            };
            let page = scan(&*ns, &span, Sequence::MAX, direction, 100);
            let found: Vec<_> = page
                .entries
                .iter()
                .map(|(key, _)| (key.bucket, key.branch, key.kind))
                .collect();
            assert_eq!(found, [(BUCKET, BranchId(branch), Kind::Object)]);
        }
    }
}

/// A page ends at its limit of entries or of bytes, says so exactly, and holds one entry at least.
pub fn scans_are_cut_by_limits(make: Make<'_>) {
    let ns = make();
    let half = Bytes::from(vec![1; PAGE_BYTES_MAX / 2]);
    let more_than_a_page = Bytes::from(vec![2; PAGE_BYTES_MAX + 1]);
    for (name, value) in [("a", &half), ("b", &half), ("c", &half), ("d", &more_than_a_page)] {
        commit(&*ns, [Change::Put(object(name), value.clone())]);
    }
    commit(&*ns, [put(&object("e"), ""), put(&object("f"), "")]);
    commit(&*ns, [Change::Delete(object("f"))]);
    let page = |start: &str, direction, limit| {
        let span = Span {
            start: Bytes::copy_from_slice(start.as_bytes()),
            ..span(Kind::Object)
        };
        let page = scan(&*ns, &span, Sequence::MAX, direction, limit);
        (
            String::from_utf8_lossy(&names(&page).concat()).into_owned(),
            page.more,
        )
    };
    let expect = |names: &str, more| (names.to_owned(), more);
    assert_eq!(page("", Direction::Forward, 100), expect("ab", true));
    assert_eq!(page("", Direction::Forward, 2), expect("ab", true));
    assert_eq!(page("", Direction::Forward, 1), expect("a", true));
    assert_eq!(page("", Direction::Forward, 0), expect("", true));
    assert_eq!(page("c", Direction::Forward, 100), expect("c", true));
    assert_eq!(page("d", Direction::Forward, 100), expect("de", false));
    assert_eq!(page("d", Direction::Forward, 2), expect("de", false));
    assert_eq!(page("f", Direction::Forward, 0), expect("", false));
    assert_eq!(page("", Direction::Backward, 100), expect("e", true));
    assert_eq!(page("e", Direction::Backward, 1), expect("e", false));
    let versions = ns
        .history(&span(Kind::Object), None, 100)
        .expect("the engine reads");
    assert_eq!(versions.len(), 2);
}

/// Names with many versions, read as of every sequence, both ways.
pub fn scans_skip_versions(make: Make<'_>) {
    const ROUNDS: u64 = 30;
    let ns = make();
    for round in 0..ROUNDS {
        let change = |name: &str, live: bool| {
            let value = format!("{name}{round}");
            if live {
                put(&object(name), &value)
            } else {
                Change::Delete(object(name))
            }
        };
        let mut changes = vec![change("a", true), change("b", round % 2 == 0)];
        if round < 10 {
            changes.push(change("c", true));
        }
        if round >= 20 {
            changes.push(change("d", round % 3 == 0));
        }
        changes.push(put(&object(&format!("e{round:02}")), ""));
        commit(&*ns, changes);
    }
    for at in (0..=ROUNDS).map(Sequence) {
        let forward = scan(&*ns, &span(Kind::Object), at, Direction::Forward, 100);
        let mut backward = scan(&*ns, &span(Kind::Object), at, Direction::Backward, 100);
        backward.entries.reverse();
        assert_eq!(forward, backward, "at {at}");
        for (key, entry) in &forward.entries {
            assert_eq!(ns.get(key, at).expect("the engine reads").as_ref(), Some(entry));
        }
        for name in ["a", "b", "c", "d"] {
            let there = forward.entries.iter().any(|(key, _)| key.name == name);
            assert_eq!(there, value(&*ns, &object(name), at).is_some(), "{name} at {at}");
        }
        let made = usize::try_from(at.0).expect("it is small");
        let single = forward
            .entries
            .iter()
            .filter(|(key, _)| key.name.starts_with(b"e"));
        assert_eq!(single.count(), made, "at {at}");
    }
}
