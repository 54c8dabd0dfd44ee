//! Counts are shared by name, bounded, and go on where they were written down.

use super::{COUNTED_MAX, Tally};

#[test]
fn what_is_counted_under_one_name_is_one_count() {
    let tally = Tally::default();
    let of = |name| tally.named(name, |_| 0);
    of("a").add(3);
    of("b").add(5);
    of("a").add(4);
    assert_eq!((of("a").bytes(), of("b").bytes()), (7, 5));
}

#[test]
fn the_one_idle_longest_leaves_first_and_goes_on_where_it_was_written() {
    let tally = Tally::default();
    let new = |_: &str| 0;
    tally.named("old", new).add(1);
    tally.named("busy", new).add(1);
    for n in 0..COUNTED_MAX.get() - 1 {
        tally.named(&format!("other {n}"), new);
        tally.named("busy", new).add(1);
    }
    assert_eq!(tally.0.lock().len(), COUNTED_MAX.get());
    assert_eq!(tally.named("busy", new).bytes(), COUNTED_MAX.get() as u64);
    assert_eq!(tally.named("old", |_| 1).bytes(), 1);
}

#[test]
fn what_is_written_is_what_is_new() {
    let tally = Tally::default();
    tally.named("a", |_| 10).add(5);
    tally.named("b", |_| 10);
    assert_eq!(tally.take_news(), [("a".into(), 15)]);
    assert!(tally.take_news().is_empty());
    tally.named("b", |_| 0).add(1);
    assert_eq!(tally.take_news(), [("b".into(), 11)]);
}
