use super::{
    destroyed::Destroyed,
    pass::check_room,
    rows::{PendingRecord, PendingState, Row, fingerprint_of, id_of},
    *,
};
use craton_base::{BucketId, Sequence, Timestamp};

#[test]
fn a_shield_holds_for_a_while() {
    let of = |hold_seconds| Shield {
        hold_seconds,
        everyone: true,
    };
    for good in [1, 3600, HOLD_SECONDS_MAX] {
        assert_eq!(Shield::parse(&of(good).encode_to_vec().into()).unwrap(), of(good));
    }
    for bad in [0, HOLD_SECONDS_MAX + 1] {
        let error = Shield::parse(&of(bad).encode_to_vec().into()).unwrap_err();
        assert_eq!(error.reason(), "InvalidHold");
    }
    assert!(Shield::parse(&Bytes::from_static(b"\xff")).is_err());
}

fn thing(name: &str, version: u64, becomes: &str) -> Destroyed {
    Destroyed {
        sort: "object",
        name: Bytes::copy_from_slice(name.as_bytes()),
        version,
        becomes: becomes.to_owned(),
        expects: None,
    }
}

#[test]
fn an_operation_is_who_asks_for_whom_and_what_it_destroys_as_it_is() {
    let of = |who: &[&str], bucket, things: &[Destroyed]| {
        let (principal, chain) = who.split_first().unwrap();
        fingerprint_of(principal, chain.iter().copied(), BucketId(bucket), things)
    };
    let one = [thing("a", 7, "")];
    let base = of(&["bot", "ana"], 1, &one);
    let others = [
        of(&["bot"], 1, &one),
        of(&["ana", "bot"], 1, &one),
        of(&["bot", "an", "a"], 1, &one),
        of(&["bot", "ana"], 2, &one),
        of(&["bot", "ana"], 1, &[thing("b", 7, "")]),
        of(&["bot", "ana"], 1, &[thing("a", 8, "")]),
        of(&["bot", "ana"], 1, &[thing("a", 7, "x")]),
        of(&["bot", "ana"], 1, &[thing("a", 7, ""), thing("b", 7, "")]),
    ];
    assert!(others.iter().all(|other| *other != base));
    let (a, b) = (thing("a", 7, ""), thing("b", 9, ""));
    let forth = of(&["bot"], 1, &[a.clone(), b.clone()]);
    assert_eq!(
        forth,
        of(&["bot"], 1, &[b, a]),
        "the order of changes says nothing"
    );
    assert_eq!((id_of(&base).len(), id_of(&base).starts_with('P')), (17, true));
}

#[test]
fn a_row_names_what_it_has_room_for() {
    let many: Vec<Destroyed> = (0..20).map(|n| thing(&"é".repeat(900), n, "")).collect();
    let mut row = PendingRecord::default();
    row.name(&many);
    assert_eq!((row.things.len(), row.things_more), (16, 4));
    assert!(row.things[0].name.len() <= 1400);
}

fn row(n: usize, principal: &str, bucket: &str, until: u64) -> Row {
    Row {
        id: format!("P{n}"),
        record: PendingRecord {
            principal: principal.to_owned(),
            bucket: bucket.to_owned(),
            until_micros: until,
            ..PendingRecord::default()
        },
        sequence: Sequence(1),
    }
}

#[test]
fn what_waits_is_bounded() {
    let reason = |all: &[Row]| check_room(all, "bot", "data", Timestamp(5)).map_err(|e| e.reason());
    let of = |n, principal: &str, bucket: &str, until| -> Vec<Row> {
        (0..n).map(|n| row(n, principal, bucket, until)).collect()
    };
    assert_eq!(
        reason(&of(PENDING_OF_PRINCIPAL_MAX - 1, "bot", "data", 9)),
        Ok(())
    );
    assert_eq!(
        reason(&of(PENDING_OF_PRINCIPAL_MAX, "bot", "other", 9)),
        Err("TooManyPending")
    );
    assert_eq!(
        reason(&of(PENDING_IN_BUCKET_MAX, "somebody", "data", 9)),
        Err("TooManyPending")
    );
    assert_eq!(
        reason(&of(PENDING_MAX, "somebody", "other", 9)),
        Err("TooManyPending")
    );
    assert_eq!(
        reason(&of(PENDING_OF_PRINCIPAL_MAX, "bot", "data", 5)),
        Ok(()),
        "what is over waits no more"
    );
    let mut answered = of(PENDING_OF_PRINCIPAL_MAX, "bot", "data", 9);
    answered[0].record.set_state(PendingState::Rejected);
    assert_eq!(reason(&answered), Ok(()));
}
