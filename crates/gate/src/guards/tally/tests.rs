//! Counts are shared by name, bounded, and go on where they were written down.

use super::{COUNTED_MAX, MovedRecord, Tally};

fn bytes(bytes: u64) -> MovedRecord {
    MovedRecord {
        bytes,
        ..MovedRecord::default()
    }
}

fn news(tally: &Tally) -> Vec<(Box<str>, u64)> {
    tally
        .take_news()
        .into_iter()
        .map(|(name, record)| (name, record.bytes))
        .collect()
}

#[test]
fn what_is_counted_under_one_name_is_one_count() {
    let tally = Tally::default();
    let of = |name| tally.named(name, |_| bytes(0));
    of("a").add(3);
    of("b").add(5);
    of("a").add(4);
    assert_eq!((of("a").bytes(), of("b").bytes()), (7, 5));
}

#[test]
fn the_one_idle_longest_leaves_first_and_goes_on_where_it_was_written() {
    let tally = Tally::default();
    let new = |_: &str| MovedRecord::default();
    tally.named("old", new).add(1);
    tally.named("busy", new).add(1);
    for n in 0..COUNTED_MAX.get() - 1 {
        tally.named(&format!("other {n}"), new);
        tally.named("busy", new).add(1);
    }
    assert_eq!(tally.counts.lock().len(), COUNTED_MAX.get());
    assert_eq!(tally.named("busy", new).bytes(), COUNTED_MAX.get() as u64);
    assert_eq!(tally.named("old", |_| bytes(1)).bytes(), 1);
}

#[test]
fn what_is_written_is_what_is_new() {
    let tally = Tally::default();
    tally.named("a", |_| bytes(10)).add(5);
    tally.named("b", |_| bytes(10));
    assert_eq!(news(&tally), [("a".into(), 15)]);
    assert!(tally.take_news().is_empty());
    tally.named("b", |_| bytes(0)).add(1);
    assert_eq!(news(&tally), [("b".into(), 11)]);
}
