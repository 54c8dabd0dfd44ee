//! What is long of an object lies in a row of its own, and is nowhere to be noticed but in the time that listings take.

use std::sync::Arc;

use bytes::Bytes;
use craton_base::{BranchId, BucketId, ByteSize, Sequence};
use craton_crypto::SealKey;
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    Options, Store,
    namespace::{Change, Direction, Flow, Key, Kind, Span, View},
    store::{Content, SecondKey, Transaction},
    value::{APART_FROM_BYTES, Head, Stored, Value},
};

const BUCKET: BucketId = BucketId(7);

fn open() -> Store {
    let options = Options {
        disk: Arc::new(SimDisk::new()),
        memory: ByteSize::mib(64),
        clock: Arc::new(SimClock::default()),
        random: Arc::new(SimRandom::new(1)),
        inline_commits: true,
    };
    let store = Store::open(options).expect("a new store opens");
    let key = store.make_bucket_key(BUCKET).expect("a key is made");
    commit(
        &store,
        Transaction {
            plain: vec![key],
            ..Transaction::default()
        },
    );
    store
}

fn commit(store: &Store, transaction: Transaction) {
    store.commit_blocking(transaction).expect("the disk works");
}

fn key(name: &'static str, kind: Kind) -> Key {
    Key {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind,
        name: Bytes::from_static(name.as_bytes()),
    }
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

/// A value of so many bytes for the object `a`.
fn value(store: &Store, meta: &'static str, bytes: usize) -> Value {
    let content = vec![3; bytes];
    let sealed = store.seal_inline(&key("a", Kind::Object), &content, None);
    Value {
        meta: meta.into(),
        detail: Bytes::from_static(b"detail"),
        content: vec![sealed.expect("it is sealed")],
        kept: true,
    }
}

fn newest(store: &Store, name: &'static str) -> Stored {
    let found = store.get(&key(name, Kind::Object), Sequence::MAX);
    found.expect("the disk works").expect("it is there")
}

fn put(store: &Store, name: &'static str, value: &Value) -> Stored {
    let puts = vec![(key(name, Kind::Object), value.clone())];
    commit(
        store,
        Transaction {
            puts,
            ..Transaction::default()
        },
    );
    newest(store, name)
}

fn amend(store: &Store, old: &Stored, value: &Value) {
    let amends = vec![(old.clone(), value.clone())];
    commit(
        store,
        Transaction {
            amends,
            ..Transaction::default()
        },
    );
}

fn versions(store: &Store) -> Vec<Stored> {
    let found = store
        .history(&span(Kind::Object), None, 100)
        .expect("the disk works");
    found.into_iter().map(|version| version.stored).collect()
}

/// Rows of details, and how long the longest row of objects is.
fn rows(store: &Store) -> (usize, usize) {
    let rows = |kind| {
        let found = store.parts().namespace.history(&span(kind), None, 100);
        found.expect("the disk works")
    };
    let objects = rows(Kind::Object);
    let longest = objects
        .iter()
        .filter_map(|v| v.state.bytes())
        .map(Bytes::len)
        .max();
    (rows(Kind::Detail).len(), longest.unwrap_or_default())
}

#[test]
fn what_is_long_lies_apart_and_is_read_whole() {
    let store = open();
    let (short, long) = (value(&store, "short", 100), value(&store, "long", 20_000));
    assert_eq!(put(&store, "a", &short).value, short);
    assert_eq!(rows(&store).0, 0);
    assert_eq!(put(&store, "b", &long).value, long);
    assert_eq!(put(&store, "b", &long).value, long);
    let (details, longest) = rows(&store);
    assert_eq!(details, 2);
    assert!(longest < 400, "{longest} bytes in a row");
    let page = store
        .scan(&span(Kind::Object), Sequence::MAX, Direction::Backward, 9)
        .expect("the disk works");
    let found: Vec<_> = page.entries.into_iter().map(|s| s.value).collect();
    assert_eq!(found, [long.clone(), short.clone()]);
    let found: Vec<_> = versions(&store).into_iter().map(|s| s.value).collect();
    assert_eq!(found, [short, long.clone(), long]);
}

#[test]
fn pages_of_long_entries_are_cut() {
    let store = open();
    let mut long = value(&store, "long", 100);
    long.detail = vec![1; 3 << 20].into();
    for _ in 0..5 {
        put(&store, "a", &long);
    }
    assert_eq!(versions(&store).len(), 2, "about four megabytes of details");
    for name in ["b", "c", "d"] {
        put(&store, name, &long);
    }
    let page = store
        .scan(&span(Kind::Object), Sequence::MAX, Direction::Forward, 4)
        .expect("the disk works");
    assert_eq!((page.entries.len(), page.more), (2, true));
}

#[test]
fn a_visit_sees_heads_alone() {
    let store = open();
    put(&store, "a", &value(&store, "short", 100));
    put(&store, "b", &value(&store, "long", 20_000));
    let mut seen = Vec::new();
    let mut visitor = |head: Head<'_>| {
        seen.push((head.name.to_vec(), head.meta.to_vec(), head.kept));
        Ok(Flow::Next)
    };
    store
        .visit(&span(Kind::Object), View::At(Sequence::MAX), &mut visitor)
        .expect("the disk works");
    let expected = [("a", "short"), ("b", "long")].map(|(n, m)| (n.into(), m.into(), true));
    assert_eq!(seen, expected);
}

#[test]
fn details_come_and_go_with_their_version() {
    let store = open();
    let first = put(&store, "a", &value(&store, "first", 20_000));
    let second = put(&store, "a", &value(&store, "second", 30_000));
    let other = Value {
        meta: Bytes::from_static(b"other words"),
        ..first.value.clone()
    };
    amend(&store, &first, &other);
    assert_eq!(versions(&store).pop().map(|s| s.value), Some(other));
    for (bytes, details) in [(31_000, 2), (10, 1), (30_000, 1)] {
        let new = value(&store, "second", bytes);
        amend(&store, &newest(&store, "a"), &new);
        let found = newest(&store, "a");
        assert_eq!((found.sequence, found.value), (second.sequence, new));
        assert_eq!(rows(&store).0, details, "with {bytes} bytes");
    }
    // No row can be made for a version that is there: it grows in its own.
    assert!(rows(&store).1 > APART_FROM_BYTES);
    commit(
        &store,
        Transaction {
            removes: versions(&store),
            ..Transaction::default()
        },
    );
    assert_eq!(rows(&store), (0, 0));
}

#[test]
fn a_lost_detail_is_damage_and_not_emptiness() {
    let store = open();
    let stored = put(&store, "a", &value(&store, "long", 20_000));
    commit(
        &store,
        Transaction {
            plain: vec![Change::Erase(key("a", Kind::Detail), stored.sequence)],
            ..Transaction::default()
        },
    );
    let error = store
        .get(&stored.key, Sequence::MAX)
        .expect_err("half of it is lost");
    assert_eq!(error.kind(), craton_base::Kind::Corrupt);
}

fn read(store: &Store, name: &'static str, value: &Value, second: Option<&SecondKey>) -> Option<Bytes> {
    match store.content(&key(name, Kind::Object), value, 0..value.len(), second) {
        Ok(Content::Whole(bytes)) => Some(bytes),
        Ok(Content::Stream(_)) => None,
        Err(e) => {
            assert_eq!(e.kind(), craton_base::Kind::Corrupt);
            None
        }
    }
}

/// Keys that are kept open open nothing that they did not open before.
#[test]
fn kept_keys_open_what_they_opened_and_nothing_else() {
    let store = open();
    let plain = value(&store, "plain", 100);
    for _ in 0..2 {
        assert_eq!(read(&store, "a", &plain, None).map(|b| b.len()), Some(100));
        assert_eq!(read(&store, "b", &plain, None), None, "under another name");
    }
    for is_of_client in [false, true] {
        let [right, wrong] = [[1; 32], [2; 32]].map(|bytes| SecondKey {
            key: SealKey::from_bytes(bytes),
            is_of_client,
        });
        let sealed = store.seal_inline(&key("a", Kind::Object), b"secret", Some(&right.key));
        let held = Value {
            content: vec![sealed.expect("it is sealed")],
            ..Value::default()
        };
        let mut rotten = held.clone();
        let content = rotten.content.first_mut().and_then(|e| e.inline.as_mut());
        let content = content.expect("it is inline");
        let mut bytes = content.to_vec();
        bytes.iter_mut().take(1).for_each(|byte| *byte ^= 1);
        *content = bytes.into();
        for _ in 0..2 {
            assert_eq!(
                read(&store, "a", &held, Some(&right)).as_deref(),
                Some(&b"secret"[..])
            );
            assert_eq!(read(&store, "a", &rotten, Some(&right)), None);
            assert_eq!(read(&store, "a", &held, Some(&wrong)), None);
            assert_eq!(read(&store, "a", &held, None), None);
        }
    }
}
