//! History, erasing and the change feed, of every namespace.

use super::*;
use crate::namespace::{
    Version,
    change::{self, Changes},
};

/// Name, sequence and value of a version.
type Told<'a> = (&'a [u8], u64, Option<&'a [u8]>);

/// History tells every version once, deletions included, whatever the size of its pieces.
pub fn history_is_paged(make: Make<'_>) {
    let ns = make();
    commit(&*ns, [put(&object("a"), "1"), put(&object("c"), "1")]);
    commit(&*ns, [put(&object("a"), "2"), put(&object("b\0"), "2")]);
    commit(&*ns, [Change::Delete(object("a"))]);
    let expected: [Told<'_>; 5] = [
        (b"a", 3, None),
        (b"a", 2, Some(b"2")),
        (b"a", 1, Some(b"1")),
        (b"b\0", 2, Some(b"2")),
        (b"c", 1, Some(b"1")),
    ];
    for limit in 1..=6 {
        let mut told = Vec::new();
        loop {
            let after = told.last().map(|v: &Version| (v.key.name.clone(), v.sequence));
            let after = after.as_ref().map(|(name, sequence)| (name.as_ref(), *sequence));
            let more = ns
                .history(&span(Kind::Object), after, limit)
                .expect("the engine reads");
            assert!(more.len() <= limit);
            if more.is_empty() {
                break;
            }
            told.extend(more);
        }
        let told: Vec<_> = told
            .iter()
            .map(|v| {
                (
                    v.key.name.as_ref(),
                    v.sequence.0,
                    v.state.bytes().map(|bytes| &**bytes),
                )
            })
            .collect();
        assert_eq!(told, expected, "in pieces of {limit}");
    }
    let from_b = Span {
        start: Bytes::from_static(b"b"),
        ..span(Kind::Object)
    };
    let count = |after| ns.history(&from_b, after, 9).expect("the engine reads").len();
    assert_eq!(count(None), 2);
    assert_eq!(count(Some((b"a".as_slice(), Sequence(2)))), 2);
    assert_eq!(count(Some((b"b".as_slice(), Sequence(2)))), 2);
    assert_eq!(count(Some((b"c".as_slice(), Sequence(2)))), 1);
    assert_eq!(count(Some((b"c".as_slice(), Sequence(1)))), 0);
}

/// Erasing takes exactly one version away.
pub fn erased_versions_are_gone(make: Make<'_>) {
    let ns = make();
    let key = object("a");
    commit(&*ns, [put(&key, "1")]);
    commit(&*ns, [put(&key, "2")]);
    commit(&*ns, [Change::Delete(key.clone())]);
    commit(
        &*ns,
        [
            Change::Erase(key.clone(), Sequence(1)),
            Change::Erase(key.clone(), Sequence(9)),
        ],
    );
    assert_eq!(value(&*ns, &key, Sequence(1)), None);
    assert_eq!(value(&*ns, &key, Sequence(2)), Some((2, "2".to_owned())));
    commit(
        &*ns,
        [
            Change::Erase(key.clone(), Sequence(3)),
            Change::Erase(object("no"), Sequence(1)),
        ],
    );
    assert_eq!(value(&*ns, &key, Sequence::MAX), Some((2, "2".to_owned())));
    commit(&*ns, [Change::Erase(key.clone(), Sequence(2))]);
    assert_eq!(
        ns.history(&span(Kind::Object), None, 9)
            .expect("the engine reads")
            .len(),
        0
    );
}

/// Every commit of a listed kind is in the feed with its keys and a time that never goes back.
pub fn the_change_feed_tells_all(make: Make<'_>) {
    let ns = make();
    let (a, part, garbage) = (object("a\0b"), key(Kind::Part, b"p"), key(Kind::Garbage, b"g"));
    let changes = [put(&a, "1"), put(&garbage, ""), Change::Delete(part.clone())];
    let first = attempt(&*ns, batch(changes)).expect("the batch is applied");
    commit(&*ns, [put(&garbage, ""), put(&key(Kind::Ledger, b"tile"), "")]);
    commit(&*ns, [Change::Erase(a.clone(), Sequence(1))]);
    let fourth = attempt(&*ns, batch([Change::Delete(a.clone())])).expect("the batch is applied");
    let feed = Span {
        bucket: BucketId::SYSTEM,
        ..span(Kind::Change)
    };
    let page = scan(&*ns, &feed, Sequence::MAX, Direction::Forward, 100);
    let told: Vec<_> = page
        .entries
        .iter()
        .map(|(key, entry)| {
            let changes = Changes::parse(&entry.value).expect("the feed's entry is well formed");
            let keys = changes.parse_keys().expect("its keys are well formed");
            let sequence = change::sequence_of(key).expect("its name is a sequence");
            assert_eq!(sequence, entry.sequence);
            (sequence, changes.time_micros, keys)
        })
        .collect();
    let expected = [
        (first.sequence, first.time.micros(), vec![a.clone(), part]),
        (fourth.sequence, fourth.time.micros(), vec![a]),
    ];
    assert_eq!(told, expected);
    assert!(first.time <= fourth.time);
    commit(&*ns, [Change::Delete(change::key(first.sequence))]);
    let page = scan(&*ns, &feed, Sequence::MAX, Direction::Forward, 100);
    assert_eq!(page.entries.len(), 1);
}
