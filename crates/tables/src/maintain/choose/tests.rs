use serde_json::json;

use super::*;

/// Snapshots 1 to 6, a day apart, the last one now: 1 ← 2 ← 3 ← 4 on `main`, 3 ← 5 on no branch, 2 ← 6 on `audit`.
fn state(properties: &[(&str, &str)], refs: &Value) -> State {
    let day = 24 * 60 * 60 * 1000;
    let parents = [
        (1, None),
        (2, Some(1)),
        (3, Some(2)),
        (4, Some(3)),
        (5, Some(3)),
        (6, Some(2)),
    ];
    let snapshots: Vec<Value> = parents
        .iter()
        .map(|(id, parent)| json!({ "snapshot-id": id, "parent-snapshot-id": parent, "timestamp-ms": id * day }))
        .collect();
    let properties: serde_json::Map<String, Value> = properties
        .iter()
        .map(|(k, v)| ((*k).to_owned(), json!(v)))
        .collect();
    let metadata = json!({ "snapshots": snapshots, "properties": properties, "refs": refs });
    State::parse(&serde_json::to_vec(&metadata).unwrap(), "file".to_owned()).unwrap()
}

const NOW: i64 = 6 * 24 * 60 * 60 * 1000;
const DAY: i64 = 24 * 60 * 60 * 1000;

fn branch(id: i64) -> Value {
    json!({ "snapshot-id": id, "type": "branch" })
}

fn gone(state: &State, keep: &Keep) -> Vec<i64> {
    expired(state, keep, NOW).snapshots
}

fn by_age(age_ms: i64) -> Keep {
    Keep {
        age_ms: Some(age_ms),
        count: None,
    }
}

#[test]
fn what_a_branch_or_a_tag_is_at_stays_however_old_it_is() {
    let refs = json!({ "main": branch(4), "audit": branch(6), "first": { "snapshot-id": 1, "type": "tag" } });
    let of = state(&[], &refs);
    assert_eq!(gone(&of, &by_age(0)), [2, 3, 5]);
    let keep = Keep {
        age_ms: Some(0),
        count: Some(2),
    };
    // The newest two of each branch: 4 and 3, 6 and 2.
    assert_eq!(gone(&of, &keep), [5]);
}

#[test]
fn what_is_young_stays_on_a_branch_and_beside_it() {
    let of = state(&[], &json!({ "main": branch(4) }));
    // Three days: 3 and later.
    assert_eq!(gone(&of, &by_age(3 * DAY)), [1, 2]);
    assert_eq!(gone(&of, &by_age(DAY)), [1, 2, 3]);
    assert_eq!(
        gone(&of, &Keep::default()),
        Vec::<i64>::new(),
        "five days unless it is said otherwise"
    );
}

#[test]
fn the_tables_properties_count_and_a_branchs_before_them() {
    let properties = [
        ("history.expire.max-snapshot-age-ms", "1"),
        ("history.expire.min-snapshots-to-keep", "2"),
    ];
    let of = state(&properties, &json!({ "main": branch(4) }));
    // 6 was made just now.
    assert_eq!(gone(&of, &Keep::default()), [1, 2, 5]);
    let own = json!({ "snapshot-id": 4, "type": "branch", "min-snapshots-to-keep": 3 });
    assert_eq!(
        gone(&state(&properties, &json!({ "main": own })), &Keep::default()),
        [1, 5]
    );
    let own = json!({ "snapshot-id": 4, "type": "branch", "max-snapshot-age-ms": 4 * DAY });
    assert_eq!(
        gone(&state(&properties, &json!({ "main": own })), &Keep::default()),
        [1, 5]
    );
}

#[test]
fn a_branch_that_is_too_old_goes_and_main_never_does() {
    let refs = json!({ "main": branch(1), "old": { "snapshot-id": 2, "type": "branch", "max-ref-age-ms": DAY },
        "tag": { "snapshot-id": 3, "type": "tag" } });
    let of = state(&[("history.expire.max-ref-age-ms", "1000000000000")], &refs);
    let found = expired(&of, &by_age(0), NOW);
    assert_eq!(
        (found.refs, found.snapshots),
        (vec!["old".to_owned()], vec![2, 4, 5])
    );
    let all = expired(
        &state(&[("history.expire.max-ref-age-ms", "1")], &refs),
        &by_age(0),
        NOW,
    );
    assert_eq!(all.refs, ["old", "tag"]);
    assert!(!all.snapshots.contains(&1));
}

#[test]
fn parents_in_a_circle_and_ones_that_are_gone_end_a_branch() {
    let metadata = json!({ "refs": { "main": branch(1), "lost": branch(9) }, "snapshots": [
        { "snapshot-id": 1, "parent-snapshot-id": 2, "timestamp-ms": 1 },
        { "snapshot-id": 2, "parent-snapshot-id": 1, "timestamp-ms": 1 },
        { "snapshot-id": 3, "parent-snapshot-id": 8, "timestamp-ms": 1 }] });
    let of = State::parse(&serde_json::to_vec(&metadata).unwrap(), String::new()).unwrap();
    let keep = Keep {
        age_ms: Some(0),
        count: Some(10),
    };
    assert_eq!(gone(&of, &keep), [3]);
}
