//! Which snapshot a moment is, and with which schema it is read.

use serde_json::json;

use super::*;

fn table() -> Vec<u8> {
    json!({
        "format-version": 2, "location": "s3://b/.tables/x", "current-schema-id": 1, "current-snapshot-id": 20,
        "schemas": [
            {"schema-id": 0, "type": "struct", "fields": [{"id": 1, "name": "old", "type": "int"}]},
            {"schema-id": 1, "type": "struct", "fields": [{"id": 1, "name": "new", "type": "long"}]}],
        "snapshots": [
            {"snapshot-id": 10, "schema-id": 0, "manifest-list": "s3://b/.tables/x/m/10.avro"},
            {"snapshot-id": 20, "schema-id": 1, "manifest-list": "s3://b/.tables/x/m/20.avro"}],
        "snapshot-log": [{"snapshot-id": 10, "timestamp-ms": 1000}, {"snapshot-id": 20, "timestamp-ms": 2000}],
        "refs": {"main": {"snapshot-id": 20, "type": "branch"}, "dev": {"snapshot-id": 10, "type": "branch"},
            "first": {"snapshot-id": 10, "type": "tag"}},
    })
    .to_string()
    .into_bytes()
}

fn at(moment: &Moment) -> (Option<i64>, String) {
    let found = snapshot(&table(), moment).unwrap();
    (found.id, found.schema.field(0).name().clone())
}

#[test]
fn each_moment_has_its_snapshot_and_its_schema() {
    let named = |name: &str| at(&Moment::Named(name.to_owned()));
    assert_eq!(at(&Moment::Now), (Some(20), "new".to_owned()));
    assert_eq!(at(&Moment::Snapshot(10)), (Some(10), "old".to_owned()));
    assert_eq!(at(&Moment::At(1999)), (Some(10), "old".to_owned()));
    assert_eq!(at(&Moment::At(2000)), (Some(20), "new".to_owned()));
    assert_eq!(named("main"), (Some(20), "new".to_owned()));
    assert_eq!(named("dev"), (Some(10), "new".to_owned()));
    assert_eq!(named("first"), (Some(10), "old".to_owned()));
}

#[test]
fn a_moment_that_is_not_there_is_named() {
    for moment in [
        Moment::Snapshot(5),
        Moment::At(999),
        Moment::Named("no".to_owned()),
    ] {
        assert_eq!(
            snapshot(&table(), &moment).unwrap_err().reason(),
            "NoSuchSnapshot",
            "{moment:?}"
        );
    }
}

#[test]
fn a_table_without_rows_has_no_snapshot() {
    let mut table: Json = serde_json::from_slice(&table()).unwrap();
    table["current-snapshot-id"] = json!(-1);
    let found = snapshot(table.to_string().as_bytes(), &Moment::Now).unwrap();
    assert_eq!((found.id, found.manifests), (None, None));
}
