//! Undoing runs and going back in time, over random mixes of writes: what was is had back exactly, later writers are left alone, twice is
//! once, and undoing can be undone.
//!
//! `CRATON_UNDO_CASES` sets how many histories are tried for each sort of bucket (default: enough for a second or two).
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "helpers of tests")]

mod place;

use std::time::Duration;

use craton_base::Timestamp;
use craton_objects::past::Finding;
use craton_sim::random::SplitMix;
use place::{KEYS, Place, View};

/// What sort of bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Unversioned,
    Enabled,
    Suspended,
}

fn cases() -> u64 {
    let asked = std::env::var("CRATON_UNDO_CASES")
        .ok()
        .and_then(|n| n.parse().ok());
    asked.unwrap_or(12)
}

/// A random write to one of the keys, by `run`.
async fn write(place: &Place, dice: &mut SplitMix, run: &str) {
    let key = KEYS[usize::try_from(dice.below(KEYS.len() as u64)).expect("few keys")];
    match dice.below(10) {
        0..=4 => {
            let bytes = match dice.below(4) {
                // Above what sits in its row.
                0 => 40_000 + dice.below(100),
                _ => dice.below(300),
            };
            place.put(run, key, dice.next(), bytes).await;
        }
        5 | 6 => place.delete(run, key).await,
        7 => {
            // As a multi-delete: several, side by side.
            for key in KEYS.iter().take(2) {
                place.delete(run, key).await;
            }
        }
        _ => {
            let from = KEYS[usize::try_from(dice.below(KEYS.len() as u64)).expect("few keys")];
            place.copy(run, from, key).await;
        }
    }
    place.clock.advance(Duration::from_millis(1 + dice.below(2000)));
}

/// A bucket with a past.
async fn begun(sort: Sort, seed: u64) -> (Place, SplitMix) {
    let mut dice = SplitMix::new(seed);
    let place = Place::open(seed);
    place.make_bucket().await;
    for round in 0..3 {
        match (sort, round) {
            (Sort::Unversioned, _) => {}
            (Sort::Enabled, 1) | (Sort::Suspended, 1) => place.set_versioning(true).await,
            (Sort::Suspended, 2) => place.set_versioning(false).await,
            _ => {}
        }
        for _ in 0..dice.below(12) {
            write(&place, &mut dice, "before").await;
        }
    }
    (place, dice)
}

async fn for_each_history(mut test: impl AsyncFnMut(Sort, u64)) {
    for sort in [Sort::Unversioned, Sort::Enabled, Sort::Suspended] {
        for seed in 0..cases() {
            test(sort, seed).await;
        }
    }
}

fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(test);
}

#[test]
fn undoing_a_run_right_after_it_is_what_was_before_it() {
    run(for_each_history(async |sort, seed| {
        let (place, mut dice) = begun(sort, seed).await;
        let before = place.view().await;
        for _ in 0..=dice.below(15) {
            write(&place, &mut dice, "work").await;
        }
        let after = place.view().await;
        place.undo("work").await;
        assert_eq!(place.view().await, before, "{sort:?} {seed}");
        // Again: nothing is left to do.
        let rows = place.rows().await;
        assert_eq!(place.undo("work").await, 0, "{sort:?} {seed}");
        assert_eq!(place.rows().await, rows, "{sort:?} {seed}: twice is once");
        place.undo("undo-work").await;
        assert_eq!(
            place.view().await,
            after,
            "{sort:?} {seed}: undoing can be undone"
        );
    }));
}

#[test]
fn what_others_wrote_later_is_left_alone_and_told() {
    run(for_each_history(async |sort, seed| {
        let (place, mut dice) = begun(sort, seed).await;
        let before = place.view().await;
        for _ in 0..10 {
            write(&place, &mut dice, "work").await;
        }
        place.put("other", KEYS[0], 7, 100).await;
        let after = place.view().await;
        place.undo("work").await;
        let now = place.view().await;
        assert_eq!(now.get(KEYS[0]), after.get(KEYS[0]), "{sort:?} {seed}");
        let others = |view: &View| -> View {
            let others = view.iter().filter(|(key, _)| *key != KEYS[0]);
            others.map(|(key, what)| (key.clone(), what.clone())).collect()
        };
        assert_eq!(others(&now), others(&before), "{sort:?} {seed}");
        if place
            .changed("work")
            .await
            .iter()
            .any(|c| c.resource.ends_with(KEYS[0]))
        {
            let found = place.find("work", KEYS[0]).await;
            assert!(
                matches!(&found, Finding::Later(told) if !told.deletion),
                "{sort:?} {seed}: {found:?}"
            );
        }
    }));
}

#[test]
fn going_back_to_any_moment_is_what_was_then() {
    run(for_each_history(async |sort, seed| {
        let (place, mut dice) = begun(sort, seed).await;
        let mut moments: Vec<(Timestamp, View)> = Vec::new();
        for _ in 0..6 {
            for _ in 0..dice.below(5) {
                write(&place, &mut dice, "work").await;
            }
            moments.push((place.now(), place.view().await));
            place.clock.advance(Duration::from_secs(1));
        }
        // Forward and back: what is had back is itself a past to go back to.
        for at in [3, 0, 5, 1] {
            let (time, then) = &moments[at];
            place.restore(*time).await;
            assert_eq!(place.view().await, *then, "{sort:?} {seed} {at}");
            assert_eq!(
                place.restore(*time).await,
                0,
                "{sort:?} {seed} {at}: twice is once"
            );
            place.clock.advance(Duration::from_secs(1));
        }
    }));
}

#[test]
fn collecting_within_the_window_takes_nothing_that_can_be_had_back() {
    run(for_each_history(async |sort, seed| {
        let (place, mut dice) = begun(sort, seed).await;
        let before = place.view().await;
        let time = place.now();
        place.clock.advance(Duration::from_secs(1));
        for _ in 0..10 {
            write(&place, &mut dice, "work").await;
        }
        place.clock.advance(Duration::from_hours(23));
        place.gate.collect().await.expect("the disk works");
        place.restore(time).await;
        assert_eq!(place.view().await, before, "{sort:?} {seed}");
    }));
}

#[test]
fn what_the_window_has_passed_over_is_said_to_be_gone() {
    run(async {
        let place = Place::open(1);
        place.make_bucket().await;
        place.put("before", KEYS[0], 1, 10).await;
        let time = place.now();
        place.clock.advance(Duration::from_secs(1));
        place.put("work", KEYS[0], 2, 10).await;
        place.delete("work", KEYS[1]).await;
        place.clock.advance(Duration::from_hours(25));
        assert_eq!(place.find("work", KEYS[0]).await, Finding::Passed);
        place.gate.collect().await.expect("the disk works");
        assert_eq!(place.find("work", KEYS[0]).await, Finding::Passed);
        let error = place.as_of(KEYS[0], time).await.unwrap_err();
        assert_eq!(error.to_base().reason(), "UndoWindowPassed");
        let view = place.view().await;
        place.undo("work").await;
        assert_eq!(place.view().await, view, "nothing is guessed");
    });
}

#[test]
fn a_window_of_the_bucket_counts_and_a_longer_one_does_not_bring_back_what_is_collected() {
    run(async {
        let place = Place::open(2);
        place.make_bucket().await;
        place.set_window(Some(Duration::from_hours(1))).await;
        place.put("before", KEYS[0], 1, 10).await;
        let time = place.now();
        place.clock.advance(Duration::from_secs(1));
        place.put("work", KEYS[0], 2, 10).await;
        place.clock.advance(Duration::from_mins(50));
        place.gate.collect().await.expect("the disk works");
        assert!(matches!(place.find("work", KEYS[0]).await, Finding::Step(_)));
        place.clock.advance(Duration::from_mins(20));
        place.gate.collect().await.expect("the disk works");
        assert_eq!(place.find("work", KEYS[0]).await, Finding::Passed);
        place.set_window(Some(Duration::from_hours(240))).await;
        place.gate.collect().await.expect("the disk works");
        assert_eq!(place.find("work", KEYS[0]).await, Finding::Passed, "it is gone");
        assert!(place.as_of(KEYS[0], time).await.is_err());
        // From here on it is that long.
        place.put("late", KEYS[0], 3, 10).await;
        place.clock.advance(Duration::from_hours(200));
        place.gate.collect().await.expect("the disk works");
        assert!(matches!(place.find("late", KEYS[0]).await, Finding::Step(_)));
    });
}

#[test]
fn a_version_that_the_run_deleted_by_its_name_is_gone() {
    run(async {
        let place = Place::open(3);
        place.make_bucket().await;
        place.set_versioning(true).await;
        let version = place.put("before", KEYS[0], 1, 10).await;
        place.put("before", KEYS[0], 2, 10).await;
        place.delete_version("work", KEYS[0], version).await;
        assert_eq!(place.find("work", KEYS[0]).await, Finding::Gone);
    });
}

#[test]
fn a_writer_in_between_is_never_lost() {
    run(async {
        let place = Place::open(4);
        place.make_bucket().await;
        place.put("before", KEYS[0], 1, 10).await;
        place.put("work", KEYS[0], 2, 10).await;
        let Finding::Step(step) = place.find("work", KEYS[0]).await else {
            panic!("there is something to undo");
        };
        place.put("other", KEYS[0], 3, 10).await;
        let view = place.view().await;
        let error = place.take("undo-work", KEYS[0], &step).await.unwrap_err();
        assert_eq!(error.kind(), craton_base::Kind::Precondition);
        assert_eq!(place.view().await, view);
    });
}

#[test]
fn an_object_comes_back_with_all_that_is_said_of_it() {
    run(async {
        let place = Place::open(5);
        place.make_bucket().await;
        place.put_described("before", KEYS[0], 40_000).await;
        let before = place.described(KEYS[0]).await;
        place.put("work", KEYS[0], 2, 10).await;
        place.undo("work").await;
        let now = place.described(KEYS[0]).await;
        assert_eq!(now.etag(), before.etag());
        assert_eq!(now.attributes, before.attributes);
        assert_eq!(now.tags, before.tags);
        assert_eq!(now.checksum, before.checksum);
        assert_eq!(now.brought_back, place.first_row(KEYS[0]).await.0);
        assert_eq!(before.brought_back, 0);
    });
}
