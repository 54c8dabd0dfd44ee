mod model;
mod shuttled;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use craton_base::{BucketName, ObjectKey, ResourcePath};

use super::*;

/// Counts how often it was woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rings(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(acquire: &mut Acquire, bell: &Arc<Bell>) -> Option<Guard> {
    let waker = Waker::from(Arc::clone(bell));
    match Pin::new(acquire).poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(guard) => Some(guard),
        Poll::Pending => None,
    }
}

fn bucket(name: &str) -> ResourcePath {
    ResourcePath::Bucket(BucketName::new(name).unwrap())
}

fn object(name: &str, key: &str) -> ResourcePath {
    ResourcePath::Object(BucketName::new(name).unwrap(), ObjectKey::new(key).unwrap())
}

fn objects(name: &str, prefix: &str) -> ResourcePath {
    ResourcePath::Objects(BucketName::new(name).unwrap(), prefix.into())
}

fn system(part: &str) -> ResourcePath {
    ResourcePath::System(part.into())
}

fn one(path: &ResourcePath, mode: Mode) -> Vec<(ResourcePath, Mode)> {
    vec![(path.clone(), mode)]
}

#[test]
fn modes_conflict_as_the_table_says() {
    let all = [Mode::Shared, Mode::Exclusive, Mode::Write];
    for a in all {
        for b in all {
            let together = a == b && a != Mode::Exclusive;
            assert_eq!(a.conflicts().contains(&b), !together, "{a:?} {b:?}");
            let borrows = Borrows::new();
            let path = object("abc", "k");
            let _held = borrows.try_acquire(one(&path, a), Owner(1)).unwrap();
            assert_eq!(borrows.try_acquire(one(&path, b), Owner(2)).is_ok(), together);
            assert!(
                borrows.try_acquire(one(&path, b), Owner(1)).is_ok(),
                "own borrows"
            );
        }
    }
}

#[test]
fn b4_a_borrow_conflicts_exactly_where_paths_overlap() {
    let paths = [
        ResourcePath::Root,
        bucket("abc"),
        bucket("abd"),
        objects("abc", ""),
        objects("abc", "a"),
        objects("abc", "a/b"),
        objects("abc", "aé"),
        objects("abc", "b"),
        object("abc", "a"),
        object("abc", "a/b/c"),
        object("abc", "aé"),
        object("abc", "aë"),
        object("abd", "a"),
        system("users"),
        system("users/al"),
        system("users2"),
    ];
    for a in &paths {
        for b in &paths {
            let borrows = Borrows::new();
            let _held = borrows.try_acquire(one(a, Mode::Exclusive), Owner(1)).unwrap();
            let refused = borrows.try_acquire(one(b, Mode::Write), Owner(2)).is_err();
            assert_eq!(refused, a.overlaps(b), "{a} {b}");
        }
    }
}

#[test]
fn busy_names_the_path_and_the_holder() {
    let borrows = Borrows::new();
    let _lease = borrows
        .try_acquire(one(&objects("abc", "a/"), Mode::Shared), Owner(7))
        .unwrap();
    let set = vec![
        (object("abc", "z"), Mode::Write),
        (object("abc", "a/b"), Mode::Write),
    ];
    let busy = borrows.try_acquire(set, Owner(8)).err().unwrap();
    assert_eq!(busy.path, object("abc", "a/b"));
    assert_eq!(busy.held, objects("abc", "a/"));
    assert_eq!(
        (busy.mode, busy.holder, busy.waiting),
        (Mode::Shared, Owner(7), false)
    );
    let error = Error::from(*busy);
    assert_eq!((error.kind(), error.reason()), (Kind::Busy, "Borrowed"));
    assert!(error.message().contains("/abc/objects/a/b"), "{error}");
    assert!(
        borrows
            .try_acquire(one(&object("abc", "z"), Mode::Exclusive), Owner(9))
            .is_ok(),
        "a refused set takes nothing"
    );
}

#[test]
fn b3_plain_writes_do_not_starve_an_exclusive_borrow() {
    let borrows = Borrows::new();
    let key = object("abc", "k");
    let (early, late) = (Arc::new(Bell::default()), Arc::new(Bell::default()));
    let write = borrows.try_acquire(one(&key, Mode::Write), Owner(1)).unwrap();
    let mut exclusive = borrows.acquire(one(&bucket("abc"), Mode::Exclusive), Owner(2));
    assert!(poll(&mut exclusive, &early).is_none());
    let busy = borrows
        .try_acquire(one(&key, Mode::Write), Owner(3))
        .err()
        .unwrap();
    assert!(busy.waiting && busy.holder == Owner(2));
    let mut second = borrows.acquire(one(&key, Mode::Write), Owner(4));
    assert!(poll(&mut second, &late).is_none());
    drop(write);
    assert_eq!((early.rings(), late.rings()), (1, 0));
    let held = poll(&mut exclusive, &early).unwrap();
    drop(held);
    assert_eq!(late.rings(), 1);
    assert!(poll(&mut second, &late).is_some());
}

#[test]
fn b5_dropping_a_waiting_request_lets_those_behind_it_go() {
    let borrows = Borrows::new();
    let key = object("abc", "k");
    let bell = Arc::new(Bell::default());
    let _write = borrows.try_acquire(one(&key, Mode::Write), Owner(1)).unwrap();
    let mut exclusive = borrows.acquire(one(&ResourcePath::Root, Mode::Exclusive), Owner(2));
    assert!(poll(&mut exclusive, &bell).is_none());
    let mut behind = borrows.acquire(one(&key, Mode::Write), Owner(3));
    assert!(poll(&mut behind, &bell).is_none());
    drop(exclusive);
    assert_eq!(bell.rings(), 1);
    assert!(poll(&mut behind, &bell).is_some());
}

#[test]
fn b5_a_granted_turn_that_nobody_polled_is_given_back() {
    let borrows = Borrows::new();
    let key = object("abc", "k");
    let write = borrows.try_acquire(one(&key, Mode::Write), Owner(1)).unwrap();
    let waiting = borrows.acquire(one(&key, Mode::Exclusive), Owner(2));
    drop(write);
    assert!(borrows.try_acquire(one(&key, Mode::Write), Owner(3)).is_err());
    drop(waiting);
    assert!(borrows.try_acquire(one(&key, Mode::Exclusive), Owner(3)).is_ok());
}

#[test]
fn a_set_may_name_a_path_twice_and_overlap_itself() {
    let borrows = Borrows::new();
    let set = vec![
        (object("abc", "k"), Mode::Write),
        (object("abc", "k"), Mode::Write),
        (object("abc", "k"), Mode::Shared),
        (bucket("abc"), Mode::Exclusive),
        (objects("abc", ""), Mode::Exclusive),
        (ResourcePath::Root, Mode::Shared),
    ];
    let guard = borrows.try_acquire(set, Owner(1)).unwrap();
    assert!(
        borrows
            .try_acquire(one(&object("xyz", "k"), Mode::Shared), Owner(2))
            .is_ok()
    );
    assert!(
        borrows
            .try_acquire(one(&object("xyz", "k"), Mode::Write), Owner(2))
            .is_err()
    );
    drop(guard);
    assert!(
        borrows
            .try_acquire(one(&ResourcePath::Root, Mode::Exclusive), Owner(2))
            .is_ok()
    );
}

#[test]
fn the_empty_set_is_held_at_once() {
    let borrows = Borrows::new();
    let mut acquire = borrows.acquire(Vec::new(), Owner(1));
    assert!(poll(&mut acquire, &Arc::new(Bell::default())).is_some());
}

/// With scans in the wrong place this takes minutes.
#[test]
fn many_held_borrows_do_not_slow_the_others() {
    let borrows = Borrows::new();
    let held: Vec<Guard> = (0..100_000_u64)
        .map(|i| {
            let path = match i % 3 {
                0 => objects("abc", &format!("leased/{i:06}/")),
                1 => object("abc", &format!("leased/{i:06}")),
                _ => object("abc", "one key that all readers of a data set name"),
            };
            borrows.try_acquire(one(&path, Mode::Shared), Owner(i)).unwrap()
        })
        .collect();
    for i in 0..100_000_u64 {
        let path = object("abc", &format!("plain/{i:06}"));
        drop(
            borrows
                .try_acquire(one(&path, Mode::Write), Owner(1_000_000 + i))
                .unwrap(),
        );
        let leased = object("abc", &format!("leased/{:06}/x", i / 3 * 3));
        assert!(
            borrows
                .try_acquire(one(&leased, Mode::Write), Owner(1_000_000 + i))
                .is_err()
                || i >= 99_999
        );
    }
    drop(held);
    assert!(
        borrows
            .try_acquire(one(&ResourcePath::Root, Mode::Exclusive), Owner(1))
            .is_ok()
    );
}
