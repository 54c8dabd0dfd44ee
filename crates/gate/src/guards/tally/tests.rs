//! Counts are shared by name, and bounded.

use super::{COUNTED_MAX, Tally};

#[test]
fn what_is_counted_under_one_name_is_one_count() {
    let tally = Tally::default();
    tally.named("a").add(3);
    tally.named("b").add(5);
    tally.named("a").add(4);
    assert_eq!((tally.named("a").bytes(), tally.named("b").bytes()), (7, 5));
}

#[test]
fn the_one_idle_longest_is_forgotten_first() {
    let tally = Tally::default();
    tally.named("old").add(1);
    tally.named("busy").add(1);
    for n in 0..COUNTED_MAX.get() - 1 {
        tally.named(&format!("other {n}"));
        tally.named("busy").add(1);
    }
    assert_eq!(tally.0.lock().len(), COUNTED_MAX.get());
    assert_eq!(tally.named("busy").bytes(), COUNTED_MAX.get() as u64);
    assert_eq!(tally.named("old").bytes(), 0);
}
