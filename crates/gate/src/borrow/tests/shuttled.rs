//! The same table, compiled against `shuttle`: random and systematic interleavings of threads that
//! acquire, give up and release. Shuttle itself reports a deadlock, which is what a lost wake-up
//! becomes.
#![expect(
    unreachable_pub,
    reason = "the product's own file, compiled into a private module"
)]

use shuttle::{
    future::block_on,
    sync::atomic::{AtomicI64, Ordering},
    thread,
};

use super::{bucket, object, objects};
use crate::borrow::{Mode, Owner};

mod sync {
    pub(super) use shuttle::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    };

    pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap()
    }
}

#[expect(
    clippy::duplicate_mod,
    reason = "compiled once more, on purpose, against other locks"
)]
#[path = "../table.rs"]
mod table;

use sync::Arc;
use table::Borrows;

/// How many hold one thing at the moment, per mode.
#[derive(Default)]
struct Witness {
    still: AtomicI64,
    writing: AtomicI64,
    alone: AtomicI64,
}

impl Witness {
    fn of(&self, mode: Mode) -> &AtomicI64 {
        match mode {
            Mode::Shared => &self.still,
            Mode::Exclusive => &self.alone,
            Mode::Write => &self.writing,
        }
    }

    /// B1, looked at from inside a borrow.
    fn hold(&self, mode: Mode) {
        self.of(mode).fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
        let count = |m| self.of(m).load(Ordering::SeqCst);
        assert!(count(Mode::Exclusive) <= 1, "two alone");
        for other in mode.conflicts().iter().filter(|m| **m != mode) {
            assert_eq!(count(*other), 0, "{mode:?} beside {other:?}");
        }
        self.of(mode).fetch_sub(1, Ordering::SeqCst);
    }
}

/// Three owners who borrow two buckets in opposite orders, with spans of each kind.
fn opposite_orders() {
    let borrows = Borrows::with_shards(2);
    let witnesses = Arc::new([Witness::default(), Witness::default()]);
    let modes = [
        (Mode::Exclusive, Mode::Write),
        (Mode::Write, Mode::Exclusive),
        (Mode::Shared, Mode::Shared),
    ];
    let threads: Vec<_> = (1..)
        .zip(modes)
        .map(|(owner, (a, b))| {
            let (borrows, witnesses) = (borrows.clone(), Arc::clone(&witnesses));
            thread::spawn(move || {
                let mut set = vec![(objects("abc", "k"), a), (object("abd", "k"), b)];
                if owner == 2 {
                    set.reverse();
                }
                let guard = block_on(borrows.acquire(set, Owner(owner)));
                witnesses[0].hold(a);
                witnesses[1].hold(b);
                drop(guard);
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(
        borrows
            .try_acquire(vec![(bucket("abc"), Mode::Exclusive)], Owner(9))
            .is_ok()
    );
}

/// One of the waiting owners gives up at any moment: before, while or after its turn comes.
fn giving_up() {
    let borrows = Borrows::with_shards(2);
    let witness = Arc::new(Witness::default());
    let spawn = |owner: u64, mode: Mode| {
        let (borrows, witness) = (borrows.clone(), Arc::clone(&witness));
        thread::spawn(move || {
            let guard = block_on(borrows.acquire(vec![(object("abc", "k"), mode)], Owner(owner)));
            witness.hold(mode);
            drop(guard);
        })
    };
    let quitter = {
        let borrows = borrows.clone();
        thread::spawn(move || {
            let mut acquire = borrows.acquire(vec![(bucket("abc"), Mode::Exclusive)], Owner(7));
            block_on(async { drop(futures::poll!(&mut acquire)) });
            thread::yield_now();
            drop(acquire);
        })
    };
    let threads = [
        spawn(1, Mode::Write),
        spawn(2, Mode::Exclusive),
        quitter,
        spawn(3, Mode::Shared),
    ];
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert!(
        borrows
            .try_acquire(vec![(bucket("abc"), Mode::Exclusive)], Owner(9))
            .is_ok()
    );
}

/// A borrow of the root meets those of single buckets in every shard.
fn the_root() {
    use craton_base::ResourcePath;
    let borrows = Borrows::with_shards(2);
    let witness = Arc::new(Witness::default());
    let sets = [
        (vec![(ResourcePath::Root, Mode::Exclusive)], Mode::Exclusive),
        (
            vec![(bucket("abc"), Mode::Write), (bucket("abd"), Mode::Write)],
            Mode::Write,
        ),
        (vec![(object("abd", "k"), Mode::Write)], Mode::Write),
    ];
    let threads: Vec<_> = (1..)
        .zip(sets)
        .map(|(owner, (set, mode))| {
            let (borrows, witness) = (borrows.clone(), Arc::clone(&witness));
            thread::spawn(move || {
                let guard = block_on(borrows.acquire(set, Owner(owner)));
                witness.hold(mode);
                drop(guard);
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

/// Some only try; who gets a borrow that way is alone all the same.
fn trying() {
    let borrows = Borrows::with_shards(1);
    let witness = Arc::new(Witness::default());
    let threads: Vec<_> = (1..4)
        .map(|owner| {
            let (borrows, witness) = (borrows.clone(), Arc::clone(&witness));
            thread::spawn(move || {
                let mode = if owner == 1 { Mode::Exclusive } else { Mode::Write };
                let set = vec![(object("abc", "k"), mode)];
                match borrows.try_acquire(set, Owner(owner)) {
                    Ok(_guard) => witness.hold(mode),
                    Err(busy) => assert_ne!(busy.holder, Owner(owner)),
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}

const RANDOM: usize = 600;

#[test]
fn b1_b2_opposite_orders_neither_meet_nor_deadlock() {
    shuttle::check_random(opposite_orders, RANDOM);
    shuttle::check_pct(opposite_orders, RANDOM, 3);
}

#[test]
fn b5_giving_up_at_any_moment_wakes_the_others() {
    shuttle::check_random(giving_up, RANDOM);
    shuttle::check_pct(giving_up, RANDOM, 3);
}

#[test]
fn b1_the_root_is_exclusive_over_all_shards() {
    shuttle::check_random(the_root, RANDOM);
    shuttle::check_pct(the_root, RANDOM, 3);
}

#[test]
fn b1_trying_is_exclusive_too() {
    shuttle::check_dfs(trying, Some(4_000));
}
