use std::{
    sync::{
        Barrier,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::*;

/// Each caller changes something, then flushes; a flush takes in what was changed before it began.
#[test]
fn every_change_is_in_a_flush_that_began_after_it() {
    let shared = SharedFlush::default();
    let (changes, durable, flushes) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let start = Barrier::new(16);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                start.wait();
                for _ in 0..50 {
                    let mine = changes.fetch_add(1, Ordering::SeqCst) + 1;
                    let run = || {
                        let seen = changes.load(Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(100));
                        durable.fetch_max(seen, Ordering::SeqCst);
                        flushes.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    };
                    shared.flush(run).expect("flush");
                    assert!(durable.load(Ordering::SeqCst) >= mine);
                }
            });
        }
    });
    let flushes = flushes.load(Ordering::SeqCst);
    assert!(flushes < 400, "800 callers shared {flushes} flushes");
}

#[test]
fn a_failure_reaches_all_who_waited_for_it_and_nobody_later() {
    let shared = SharedFlush::default();
    let errors = AtomicU64::new(0);
    let running = Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let run = || {
                running.wait();
                std::thread::sleep(Duration::from_millis(30));
                Ok(())
            };
            shared.flush(run).expect("the first works");
        });
        running.wait();
        for _ in 0..4 {
            scope.spawn(|| {
                let e = shared
                    .flush(|| Err(Error::internal("broken")))
                    .expect_err("fails");
                errors.fetch_add(
                    u64::from(e.kind() == Kind::Internal || e.kind() == Kind::Unavailable),
                    Ordering::SeqCst,
                );
            });
        }
    });
    assert_eq!(errors.load(Ordering::SeqCst), 4);
    shared.flush(|| Ok(())).expect("a later one works");
}
