//! Leases are linearizable: clients take, renew and give back leases and write at the same time, while time passes, and some histories
//! have a process that is killed in the middle. Of each history it is asked whether one order explains every answer.
//!
//! `CRATON_LEASE_HISTORIES` is how many (1,000 if not set), `CRATON_SEED` the first seed (1). A history that fails is printed whole: threads
//! are the machine's own, so a seed repeats what is asked and not the order.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod history;
mod world;

use history::{Ask, Operation, Told, is_linearizable};
use world::World;

/// Histories on one disk.
const A_DISK: u64 = 50;

#[test]
fn histories_of_leases_are_linearizable() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |s| s.parse().unwrap());
    let histories: u64 = number("CRATON_LEASE_HISTORIES", 1000);
    let first: u64 = number("CRATON_SEED", 1);
    let mut seen = [0_u64; 5];
    let mut world = World::new(first);
    for n in 0..histories {
        if n % A_DISK == 0 {
            world = World::new(first + n);
        }
        let history = world.history();
        for operation in &history {
            seen[told(&operation.told)] += 1;
        }
        assert!(
            is_linearizable(&history),
            "no order explains history {n} of seed {first}: {history:#?}"
        );
    }
    println!("done, taken, busy, over, nothing: {seen:?}");
    if histories >= 1000 {
        assert!(
            seen.iter().all(|n| *n > histories / 50),
            "every answer was seen: {seen:?}"
        );
    }
}

fn told(told: &Told) -> usize {
    match told {
        Told::Done | Told::Until(_) => 0,
        Told::Taken(..) => 1,
        Told::Busy => 2,
        Told::Over => 3,
        Told::Nothing => 4,
    }
}

fn operation(ask: Ask, told: Told, (begun, ended): (u64, u64)) -> Operation {
    Operation {
        ask,
        told,
        begun,
        ended,
        at: 0,
    }
}

/// The checker itself: it finds what must not be.
#[test]
fn the_checker_finds_a_broken_lease() {
    let taken = |id: &str, token| Told::Taken(id.to_owned(), token, 10);
    let take = || Ask::Take(vec![(0, true)], 10);
    let two = |second: Told, at| {
        vec![
            operation(take(), taken("L1", 1), (0, 2)),
            operation(take(), second, at),
        ]
    };
    assert!(is_linearizable(&two(Told::Busy, (3, 4))));
    assert!(
        !is_linearizable(&two(taken("L2", 2), (3, 4))),
        "two hold the same"
    );
    assert!(is_linearizable(&two(Told::Busy, (1, 4))));
    // The second is asked for when those seconds have passed.
    let passed = |seconds, second: Told| {
        let second = match second {
            Told::Taken(id, token, until) => Told::Taken(id, token, until + seconds),
            other => other,
        };
        let mut all = two(second, (5, 6));
        all[1].at = seconds;
        all.push(operation(Ask::Pass(seconds), Told::Done, (3, 4)));
        all
    };
    assert!(is_linearizable(&passed(10, taken("L2", 2))));
    assert!(
        !is_linearizable(&passed(10, taken("L2", 1))),
        "its token is not greater"
    );
    assert!(!is_linearizable(&passed(9, taken("L2", 2))), "it was not over");
    assert!(!is_linearizable(&passed(10, Told::Busy)), "it was over");
    let write = |under: Option<&str>, told, at| {
        let ask = Ask::Write(0, under.map(str::to_owned));
        vec![
            operation(take(), taken("L1", 1), (0, 2)),
            operation(ask, told, at),
        ]
    };
    assert!(is_linearizable(&write(Some("L1"), Told::Done, (3, 4))));
    assert!(
        !is_linearizable(&write(None, Told::Done, (3, 4))),
        "another wrote"
    );
    assert!(
        is_linearizable(&write(None, Told::Done, (1, 4))),
        "it may have been first"
    );
    assert!(
        !is_linearizable(&write(Some("L1"), Told::Over, (3, 4))),
        "it is not over"
    );
    let mut killed = two(Told::Busy, (9, 10));
    killed[0].told = Told::Nothing;
    killed.push(operation(Ask::Kill, Told::Done, (5, 6)));
    assert!(is_linearizable(&killed), "its row was committed");
}
