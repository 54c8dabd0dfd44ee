//! Metadata of then as the newest.

use super::*;

fn metadata(snapshot: Option<i64>, snapshots: &[i64], schema: i64, sequence: i64) -> Metadata {
    let schemas: Vec<Value> = (0..=schema).map(|id| json!({ "schema-id": id })).collect();
    let all = snapshots.iter().map(|id| json!({ "snapshot-id": id }));
    Metadata::of(json!({
        "format-version": 2, "last-sequence-number": sequence, "last-updated-ms": sequence * 1000,
        "last-column-id": schema, "current-schema-id": schema, "schemas": schemas,
        "snapshots": all.collect::<Vec<_>>(), "current-snapshot-id": snapshot.unwrap_or(-1),
        "refs": snapshot.map_or(json!({}), |id| json!({ "main": { "snapshot-id": id, "type": "branch" } })),
        "snapshot-log": [], "metadata-log": [], "properties": { "of": schema.to_string() },
    }))
}

#[test]
fn what_counts_is_of_then_and_what_was_added_stays_listed() {
    let older = metadata(Some(1), &[1], 0, 1);
    let newer = metadata(Some(3), &[1, 2, 3], 1, 3);
    let again = table_again(&newer, older, 9000);
    assert_eq!(again.number("current-snapshot-id"), Some(1));
    assert_eq!(
        again.get("refs"),
        Some(&json!({ "main": { "snapshot-id": 1, "type": "branch" } }))
    );
    assert_eq!(again.number("current-schema-id"), Some(0));
    assert_eq!(again.property("of"), Some("0"));
    let ids: Vec<_> = again
        .list("snapshots")
        .iter()
        .filter_map(|s| s["snapshot-id"].as_i64())
        .collect();
    assert_eq!(ids, [1, 2, 3], "the run's can be had back in turn");
    assert_eq!(again.list("schemas").len(), 2);
    assert_eq!(
        again.list("snapshot-log"),
        [json!({ "snapshot-id": 1, "timestamp-ms": 9000 })]
    );
}

#[test]
fn numbers_only_grow() {
    let again = table_again(
        &metadata(Some(3), &[1, 2, 3], 4, 3),
        metadata(Some(1), &[1], 0, 1),
        9000,
    );
    for (name, number) in [
        ("last-sequence-number", 3),
        ("last-updated-ms", 3000),
        ("last-column-id", 4),
    ] {
        assert_eq!(again.number(name), Some(number), "{name}");
    }
}

#[test]
fn before_the_first_snapshot_there_is_none() {
    let again = table_again(&metadata(Some(1), &[1], 0, 1), metadata(None, &[], 0, 0), 9000);
    assert_eq!(again.number("current-snapshot-id"), Some(-1));
    assert_eq!(again.get("refs"), Some(&json!({})));
    assert!(again.list("snapshot-log").is_empty());
}
