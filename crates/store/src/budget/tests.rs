use std::sync::atomic::{AtomicU64, Ordering};

use futures::{FutureExt, executor::block_on, future::join_all};
use proptest::prelude::*;

use super::*;

type Boxed = Pin<Box<dyn Future<Output = Result<Reservation>> + Send>>;

fn wait(budget: &Budget, bytes: u64) -> Boxed {
    Box::pin(budget.reserve(bytes))
}

fn poll(future: &mut Boxed) -> Option<Reservation> {
    let mut context = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut context) {
        Poll::Ready(r) => Some(r.expect("granted")),
        Poll::Pending => None,
    }
}

#[test]
fn bytes_come_back_and_gauges_tell() {
    let budget = Budget::new("all", 100);
    let mut one = block_on(budget.reserve(60)).expect("free");
    assert!(budget.try_reserve(41).is_none());
    let two = budget.try_reserve(40).expect("free");
    assert_eq!(
        budget.gauges(),
        Gauges {
            total: 100,
            used: 100,
            peak: 100,
            waiting: 0
        }
    );
    one.shrink_to(10);
    assert!(one.try_grow(50) && !one.try_grow(1));
    let part = one.split(25);
    assert_eq!((one.bytes(), part.bytes()), (35, 25));
    drop((one, two, part));
    assert_eq!(budget.gauges().used, 0);
    assert_eq!(budget.gauges().peak, 100);
}

#[test]
fn more_than_all_is_an_error_at_once() {
    let budget = Budget::new("all", 100);
    let e = budget
        .reserve(101)
        .now_or_never()
        .expect("no wait")
        .expect_err("too much");
    assert_eq!((e.kind(), e.reason()), (Kind::TooLarge, "MemoryBudget"));
}

#[test]
fn a_large_waiter_is_not_passed_by_small_ones() {
    let budget = Budget::new("all", 100);
    let held = budget.try_reserve(50).expect("free");
    let mut large = wait(&budget, 80);
    assert!(poll(&mut large).is_none());
    let mut small = wait(&budget, 1);
    assert!(poll(&mut small).is_none() && budget.try_reserve(1).is_none());
    assert_eq!(budget.gauges().waiting, 2);
    drop(held);
    let large = poll(&mut large).expect("first in line");
    let small = poll(&mut small).expect("and there is room");
    assert_eq!(large.bytes() + small.bytes(), budget.gauges().used);
}

#[test]
fn leaving_the_line_passes_the_turn_on() {
    let budget = Budget::new("all", 100);
    let held = budget.try_reserve(100).expect("free");
    let (mut one, mut two) = (wait(&budget, 100), wait(&budget, 100));
    assert!(poll(&mut one).is_none() && poll(&mut two).is_none());
    drop(held);
    // `one` was granted and never looks.
    drop(one);
    assert!(poll(&mut two).is_some());
    assert_eq!(budget.gauges().used, 0);
}

#[test]
fn shares_come_from_one_number() {
    let all = Budget::new("all", 100);
    let cache = all.share("cache", 70).expect("free");
    assert_eq!(all.share("more", 31).expect_err("full").kind(), Kind::TooLarge);
    assert_eq!(
        (all.gauges().used, cache.total(), cache.name()),
        (70, 70, "cache")
    );
    let held = cache.try_reserve(70).expect("free");
    drop(cache);
    assert_eq!(all.gauges().used, 70, "a reservation keeps its share");
    drop(held);
    assert_eq!(all.gauges().used, 0);
}

#[test]
fn threads_never_exceed_it_and_all_get_their_turn() {
    let budget = Budget::new("all", 1000);
    let held = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for t in 0..8u64 {
            let (budget, held) = (budget.clone(), &held);
            scope.spawn(move || {
                for i in 0..500 {
                    let bytes = (t * 131 + i * 17) % 700;
                    let pair = join_all([budget.reserve(bytes), budget.reserve(300)]);
                    let got = block_on(async {
                        // Half of them give up while they wait.
                        if i % 2 == 0 {
                            drop(pair.now_or_never());
                        }
                        budget.reserve(bytes).await
                    });
                    let got = got.expect("fits");
                    let now = held.fetch_add(bytes, Ordering::SeqCst) + bytes;
                    assert!(now <= 1000);
                    held.fetch_sub(bytes, Ordering::SeqCst);
                    drop(got);
                }
            });
        }
    });
    let end = budget.gauges();
    assert_eq!((end.used, end.waiting), (0, 0));
    assert!(end.peak <= 1000);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Poll(usize),
    DropWaiter(usize),
    DropHeld(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..=10u64).prop_map(Step::Wait),
        (0..8usize).prop_map(Step::Poll),
        (0..8usize).prop_map(Step::DropWaiter),
        (0..8usize).prop_map(Step::DropHeld),
    ]
}

proptest! {
    #[test]
    fn any_order_of_steps_keeps_the_rules(steps in prop::collection::vec(step(), 1..60)) {
        let budget = Budget::new("all", 10);
        let mut waiting: Vec<Boxed> = Vec::new();
        let mut held: Vec<Reservation> = Vec::new();
        for step in steps {
            match step {
                Step::Wait(n) => {
                    let mut f = wait(&budget, n);
                    match poll(&mut f) {
                        Some(r) => {
                            prop_assert!(waiting.is_empty(), "nobody may be passed");
                            held.push(r);
                        }
                        None => waiting.push(f),
                    }
                }
                Step::Poll(i) if i < waiting.len() => {
                    if let Some(r) = poll(&mut waiting[i]) {
                        drop(waiting.remove(i));
                        held.push(r);
                    }
                }
                Step::DropWaiter(i) if i < waiting.len() => drop(waiting.remove(i)),
                Step::DropHeld(i) if i < held.len() => drop(held.remove(i)),
                _ => {}
            }
            let used: u64 = held.iter().map(Reservation::bytes).sum();
            let gauges = budget.gauges();
            prop_assert!(used <= gauges.used && gauges.used <= 10);
        }
        // Everyone who still waits is served in the end, in order.
        held.clear();
        for mut f in waiting.drain(..) {
            let got = poll(&mut f);
            prop_assert!(got.is_some(), "a wake-up was lost");
        }
        prop_assert_eq!(budget.gauges().used, 0);
    }
}
