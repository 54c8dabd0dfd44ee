use super::*;

#[test]
fn a_budget_is_read_as_it_is_written() {
    let text = "bytes=1000000 deletes=0 requests=5 seconds=60";
    let budget = SessionBudget::parse(text).unwrap();
    assert_eq!(budget.to_string(), text);
    assert_eq!((budget.deletes, budget.rows), (Some(0), None));
    assert!(SessionBudget::parse("").unwrap().is_empty());
    for wrong in [
        "bytes",
        "bytes=",
        "bytes=-1",
        "bytes=1 bytes=2",
        "sheep=3",
        "bytes=1,rows=2",
    ] {
        assert!(SessionBudget::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn many_at_once_take_no_more_than_there_is() {
    let used = Moved::default();
    let taken: u64 = std::thread::scope(|scope| {
        let take = || {
            (0..1000_u64)
                .filter(|_| used.spend(Measure::Objects, 3, 1000))
                .count() as u64
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((taken, used.spent(Measure::Objects)), (333, 999));
}
