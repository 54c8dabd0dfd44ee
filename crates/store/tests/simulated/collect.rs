//! Collecting history: what is superseded goes, however often its name is written.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use craton_base::{BranchId, BucketId, ByteSize, Clock as _, Sequence};
use craton_sim::{SimClock, SimDisk, SimRandom};
use craton_store::{
    Options, Store,
    namespace::{Key, Kind, Span},
    store::Transaction,
    value::Value,
};

const BUCKET: BucketId = BucketId(7);

fn key() -> Key {
    Key {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind: Kind::Object,
        name: Bytes::from_static(b"hot"),
    }
}

fn open(clock: &SimClock) -> Store {
    open_on(&SimDisk::new(), clock).expect("a new store opens")
}

fn open_on(disk: &SimDisk, clock: &SimClock) -> craton_base::Result<Store> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        memory: ByteSize::mib(64),
        clock: Arc::new(clock.clone()),
        random: Arc::new(SimRandom::new(1)),
        inline_commits: true,
    };
    Store::open(options)
}

fn write(store: &Store) {
    let transaction = Transaction {
        puts: vec![(key(), Value::of_meta("x"))],
        ..Transaction::default()
    };
    store.commit_blocking(transaction).expect("the disk works");
}

fn versions(store: &Store, kind: Kind, bucket: BucketId) -> usize {
    let span = Span {
        bucket,
        branch: BranchId::MAIN,
        kind,
        start: Bytes::new(),
        end: None,
    };
    let namespace = &store.parts().namespace;
    namespace
        .history(&span, None, 10_000)
        .expect("the disk works")
        .len()
}

#[test]
fn a_name_that_is_written_often_within_the_window_keeps_no_more_than_the_window() {
    let window = Duration::from_secs(600);
    let clock = SimClock::default();
    let store = open(&clock);
    for n in 0..2000 {
        write(&store);
        clock.advance(Duration::from_secs(1));
        if n % 100 == 0 {
            store.collect(clock.now().minus(window)).expect("the disk works");
        }
    }
    store.collect(clock.now().minus(window)).expect("the disk works");
    let kept = versions(&store, Kind::Object, BUCKET);
    assert!((600..=602).contains(&kept), "{kept} versions are kept");
    clock.advance(window);
    clock.advance(window);
    store.collect(clock.now()).expect("the disk works");
    assert_eq!(versions(&store, Kind::Object, BUCKET), 1, "what stands stays");
}

#[test]
fn a_collection_flushes_for_many_changes_at_once() {
    let clock = SimClock::default();
    let store = open(&clock);
    for _ in 0..1000 {
        write(&store);
    }
    let before = store.latest();
    clock.advance(Duration::from_secs(1));
    let collected = store.collect(clock.now()).expect("the disk works");
    assert_eq!(collected.versions, 999);
    let commits = store.latest().0 - before.0;
    assert!(commits < 100, "{commits} commits for 1000 changes");
    let feed = versions(&store, Kind::Change, BucketId::SYSTEM);
    assert_eq!(
        feed, 1,
        "the commit that said how far this goes is for the next one"
    );
}

/// More versions of one name than one commit of a collection erases.
const VERSIONS: u64 = 9000;

/// What was deleted never stands again: not between the commits of a collection, not after a power cut between them.
#[test]
fn what_was_deleted_stays_deleted_however_long_its_history() {
    let clock = SimClock::default();
    let whole = SimDisk::new();
    let store = open_on(&whole, &clock).expect("a new store opens");
    for _ in 0..VERSIONS {
        write(&store);
    }
    let delete = Transaction {
        deletes: vec![key()],
        ..Transaction::default()
    };
    store.commit_blocking(delete).expect("the disk works");
    drop(store);
    clock.advance(Duration::from_secs(1));
    let mut left = None;
    for cut in 1.. {
        let disk = whole.after_cut(0);
        let store = open_on(&disk, &clock).expect("the store opens");
        disk.stop_after(cut * 25);
        let done = store.collect(clock.now());
        drop(store);
        let after = disk.power_cut(cut);
        let store = open_on(&after, &clock).expect("the store opens again");
        let found = store.get(&key(), store.latest()).expect("the disk works");
        assert!(found.is_none(), "deleted content stands again after a cut");
        let now = versions(&store, Kind::Object, BUCKET);
        left = left.max(Some(now).filter(|n| *n > 0 && *n < 4000));
        if done.is_ok() {
            assert_eq!(now, 0);
            break;
        }
    }
    assert!(
        left.is_some(),
        "no cut came between two commits of the collection"
    );
}

/// A value of `count` blobs, as it is stored: those of large objects are made of thousands of parts.
fn of_blobs(version: u32, count: u32) -> Value {
    let mut stored = Vec::new();
    for n in 0..count {
        let id = u128::from(version) << 64 | u128::from(n);
        let extent = [&[0x0a, 16][..], &id.to_be_bytes(), &[0x10, 1, 0x1a, 60], &[7; 60]].concat();
        stored.extend_from_slice(&[0x12, u8::try_from(extent.len()).expect("short")]);
        stored.extend_from_slice(&extent);
    }
    let (value, apart) = Value::decode(stored.into()).expect("a value");
    assert!(!apart);
    value
}

#[test]
fn versions_of_many_blobs_are_collected_in_several_commits() {
    let clock = SimClock::default();
    let store = open(&clock);
    for version in 0..30 {
        let transaction = Transaction {
            puts: vec![(key(), of_blobs(version, 2500))],
            ..Transaction::default()
        };
        store.commit_blocking(transaction).expect("the disk works");
    }
    let delete = Transaction {
        deletes: vec![key()],
        ..Transaction::default()
    };
    store.commit_blocking(delete).expect("the disk works");
    clock.advance(Duration::from_secs(1));
    let collected = store.collect(clock.now()).expect("no batch is too large");
    assert_eq!((collected.versions, collected.garbage), (31, 30 * 2500));
    for kind in [Kind::Object, Kind::Detail, Kind::BlobOwner, Kind::Garbage] {
        let bucket = if matches!(kind, Kind::Object | Kind::Detail) {
            BUCKET
        } else {
            BucketId::SYSTEM
        };
        assert_eq!(versions(&store, kind, bucket), 0, "{kind:?}");
    }
}

fn put(store: &Store, kept: bool) -> Sequence {
    let value = Value {
        kept,
        ..Value::of_meta("x")
    };
    let transaction = Transaction {
        puts: vec![(key(), value)],
        ..Transaction::default()
    };
    let committed = store.commit_blocking(transaction).expect("the disk works");
    committed.sequence
}

fn mark(store: &Store, kept: bool) -> Sequence {
    let value = Value {
        kept,
        ..Value::of_meta("deleted")
    };
    let transaction = Transaction {
        marks: vec![(key(), value)],
        ..Transaction::default()
    };
    let committed = store.commit_blocking(transaction).expect("the disk works");
    committed.sequence
}

fn left(store: &Store) -> Vec<Sequence> {
    let span = Span {
        bucket: BUCKET,
        branch: BranchId::MAIN,
        kind: Kind::Object,
        start: Bytes::new(),
        end: None,
    };
    let versions = store.history(&span, None, 10_000).expect("the disk works");
    versions.into_iter().map(|v| v.stored.sequence).collect()
}

/// Of the versions that are not kept the newest stays; those that are kept stay, and supersede nothing.
#[test]
fn versions_that_are_kept_stay_however_old() {
    let clock = SimClock::default();
    let store = open(&clock);
    let mut expected = vec![put(&store, true)];
    put(&store, false);
    mark(&store, false);
    expected.push(mark(&store, true));
    expected.push(put(&store, false));
    expected.push(put(&store, true));
    clock.advance(Duration::from_secs(1));
    let collected = store.collect(clock.now()).expect("the disk works");
    expected.reverse();
    assert_eq!(left(&store), expected);
    assert_eq!(collected.versions, 2);
    let newest = mark(&store, false);
    clock.advance(Duration::from_secs(1));
    store.collect(clock.now()).expect("the disk works");
    expected.remove(1);
    expected.insert(0, newest);
    assert_eq!(left(&store), expected, "a mark supersedes like a value");
}

/// What is superseded within the window stays, though an older version of the same name was just amended.
#[test]
fn an_amendment_makes_nothing_older() {
    let clock = SimClock::default();
    let store = open(&clock);
    let first = put(&store, false);
    let stored = store.get(&key(), Sequence::MAX).expect("the disk works");
    let amended = Transaction {
        amends: vec![(stored.expect("it is there"), Value::of_meta("y"))],
        ..Transaction::default()
    };
    store.commit_blocking(amended).expect("the disk works");
    clock.advance(Duration::from_secs(10));
    let window = clock.now();
    clock.advance(Duration::from_secs(10));
    let second = put(&store, false);
    store.collect(window).expect("the disk works");
    assert_eq!(left(&store), [second, first]);
    clock.advance(Duration::from_secs(10));
    store.collect(clock.now()).expect("the disk works");
    assert_eq!(left(&store), [second]);
}
