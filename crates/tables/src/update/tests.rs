use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({ "type": "struct", "fields": [
        { "id": 1, "name": "id", "required": true, "type": "long" },
        { "id": 2, "name": "tags", "required": false,
          "type": { "type": "list", "element-id": 5, "element": "string", "element-required": true } },
    ] })
}

/// A table with a schema, no partitions and no order.
fn table(version: i64) -> Change {
    let mut change = Change::new(Metadata::empty("u", "s3://b/.tables/u"), true, 1000);
    for update in [
        json!({ "action": "upgrade-format-version", "format-version": version }),
        json!({ "action": "add-schema", "schema": schema() }),
        json!({ "action": "set-current-schema", "schema-id": -1 }),
        json!({ "action": "add-spec", "spec": { "fields": [] } }),
        json!({ "action": "set-default-spec", "spec-id": -1 }),
        json!({ "action": "add-sort-order", "sort-order": { "fields": [] } }),
        json!({ "action": "set-default-sort-order", "sort-order-id": -1 }),
    ] {
        change.apply(&update).unwrap();
    }
    change.metadata.finish(None, 1000).unwrap();
    Change::new(change.metadata, false, 2000)
}

fn snapshot(id: i64, sequence: i64, parent: Option<i64>) -> Value {
    json!({ "action": "add-snapshot", "snapshot": {
        "snapshot-id": id, "sequence-number": sequence, "parent-snapshot-id": parent, "timestamp-ms": 1500,
        "manifest-list": "s3://b/.tables/u/metadata/x.avro", "summary": { "operation": "append" },
        "first-row-id": 0, "added-rows": 3,
    } })
}

fn main_is(id: i64) -> Value {
    json!({ "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id })
}

fn apply(change: &mut Change, updates: &[Value]) -> Result<()> {
    updates.iter().try_for_each(|update| change.apply(update))
}

#[test]
fn a_new_table_has_what_its_version_wants() {
    for version in 1..=3 {
        let metadata = table(version).metadata;
        assert_eq!(metadata.version(), version);
        assert_eq!(metadata.number("last-column-id"), Some(5));
        assert_eq!(metadata.get("schema").is_some(), version == 1);
        assert_eq!(metadata.number("last-sequence-number").is_some(), version >= 2);
        assert_eq!(metadata.number("next-row-id"), (version >= 3).then_some(0));
    }
}

#[test]
fn what_is_there_already_is_not_added_again() {
    let mut change = table(2);
    let wider =
        json!({ "type": "struct", "fields": [{ "id": 6, "name": "x", "required": false, "type": "int" }] });
    let updates = [
        json!({ "action": "add-schema", "schema": schema() }),
        json!({ "action": "add-schema", "schema": wider }),
        json!({ "action": "set-current-schema", "schema-id": -1 }),
        json!({ "action": "add-spec", "spec": { "fields": [
            { "source-id": 1, "name": "id_bucket", "transform": "bucket[4]" } ] } }),
        json!({ "action": "set-default-spec", "spec-id": -1 }),
    ];
    apply(&mut change, &updates).unwrap();
    assert_eq!(change.metadata.list("schemas").len(), 2);
    assert_eq!(change.metadata.number("current-schema-id"), Some(1));
    assert_eq!(change.metadata.number("last-partition-id"), Some(1000));
    assert_eq!(change.metadata.number("default-spec-id"), Some(1));
    let of_nothing = json!({ "action": "add-spec", "spec": { "fields": [
        { "source-id": 99, "name": "x", "transform": "identity" } ] } });
    assert!(change.apply(&of_nothing).is_err());
    let current = json!({ "action": "remove-schemas", "schema-ids": [1] });
    assert!(change.apply(&current).is_err());
    change
        .apply(&json!({ "action": "remove-schemas", "schema-ids": [0] }))
        .unwrap();
    assert_eq!(change.metadata.list("schemas").len(), 1);
}

#[test]
fn main_is_what_is_current() {
    let mut change = table(2);
    apply(
        &mut change,
        &[
            snapshot(7, 1, None),
            main_is(7),
            snapshot(8, 2, Some(7)),
            main_is(8),
        ],
    )
    .unwrap();
    assert_eq!(change.metadata.number("current-snapshot-id"), Some(8));
    assert_eq!(change.metadata.number("last-sequence-number"), Some(2));
    let log: Vec<_> = change
        .metadata
        .list("snapshot-log")
        .iter()
        .map(|e| number(e, "snapshot-id"))
        .collect();
    assert_eq!(log, [Some(7), Some(8)]);
    assert!(
        change.apply(&snapshot(8, 3, Some(8))).is_err(),
        "the same snapshot twice"
    );
    let late = change.apply(&snapshot(9, 2, Some(7))).unwrap_err();
    assert_eq!(late.reason(), "CommitFailedException");
    change
        .apply(&json!({ "action": "remove-snapshots", "snapshot-ids": [7] }))
        .unwrap();
    assert_eq!(change.metadata.list("snapshot-log").len(), 1);
    assert_eq!(change.metadata.number("current-snapshot-id"), Some(8));
    change
        .apply(&json!({ "action": "remove-snapshot-ref", "ref-name": "main" }))
        .unwrap();
    assert_eq!(change.metadata.number("current-snapshot-id"), None);
    assert!(change.apply(&main_is(1)).is_err(), "no such snapshot");
}

#[test]
fn rows_of_version_3_are_numbered() {
    let mut change = table(3);
    change.apply(&snapshot(7, 1, None)).unwrap();
    assert_eq!(change.metadata.number("next-row-id"), Some(3));
    let behind = change.apply(&snapshot(8, 2, Some(7))).unwrap_err();
    assert_eq!(behind.reason(), "CommitFailedException");
    let key = json!({ "action": "add-encryption-key", "encryption-key": { "key-id": "k", "x": 1 } });
    apply(&mut change, &[key.clone(), key]).unwrap();
    assert_eq!(change.metadata.list("encryption-keys").len(), 1);
    change
        .apply(&json!({ "action": "remove-encryption-key", "key-id": "k" }))
        .unwrap();
    assert!(change.metadata.list("encryption-keys").is_empty());
}

#[test]
fn what_is_not_known_stays() {
    let mut metadata = table(2).metadata;
    metadata.set("from-the-future", json!({ "a": [1] }));
    let bytes = metadata.to_bytes().unwrap();
    let mut change = Change::new(Metadata::parse(&bytes).unwrap(), false, 2000);
    let updates = [
        json!({ "action": "set-properties", "updates": { "a": "1", "b": "2" } }),
        json!({ "action": "remove-properties", "removals": ["a", "c"] }),
    ];
    apply(&mut change, &updates).unwrap();
    assert_eq!(change.metadata.get("from-the-future"), Some(&json!({ "a": [1] })));
    assert_eq!(change.metadata.property("b"), Some("2"));
    assert_eq!(change.metadata.property("a"), None);
}

#[test]
fn statistics_are_one_for_each_snapshot() {
    let mut change = table(2);
    let file = |path: &str| {
        json!({ "action": "set-statistics", "statistics": {
        "snapshot-id": 7, "statistics-path": path } })
    };
    apply(&mut change, &[file("a"), file("b")]).unwrap();
    assert_eq!(change.metadata.list("statistics").len(), 1);
    change
        .apply(&json!({ "action": "remove-statistics", "snapshot-id": 7 }))
        .unwrap();
    assert!(change.metadata.list("statistics").is_empty());
}

#[test]
fn what_is_wrong_is_refused() {
    let mut change = table(2);
    for wrong in [
        json!(1),
        json!({ "action": "x" }),
        json!({ "action": "assign-uuid", "uuid": "other" }),
        json!({ "action": "upgrade-format-version", "format-version": 1 }),
        json!({ "action": "upgrade-format-version", "format-version": 4 }),
        json!({ "action": "add-schema", "schema": { "type": "struct" } }),
        json!({ "action": "set-current-schema", "schema-id": -1 }),
        json!({ "action": "set-current-schema", "schema-id": 9 }),
        json!({ "action": "set-properties", "updates": { "a": 1 } }),
        json!({ "action": "add-encryption-key", "encryption-key": { "key-id": "k" } }),
        json!({ "action": "set-snapshot-ref", "ref-name": "main", "type": "tag", "snapshot-id": 1 }),
    ] {
        assert!(change.apply(&wrong).is_err(), "{wrong}");
    }
}
