use super::*;

fn folder() -> Folder {
    Folder::new(&craton_base::BucketName::new("data").unwrap(), "u")
}

fn version(sql: &str) -> Value {
    json!({
        "version-id": 1, "schema-id": -1, "timestamp-ms": 5, "summary": {}, "default-namespace": ["ns"],
        "representations": [{ "type": "sql", "sql": sql, "dialect": "spark" }],
    })
}

fn replacing(sql: &str) -> [Value; 3] {
    let schema =
        json!({ "type": "struct", "fields": [{ "id": 1, "name": "a", "required": false, "type": "int" }] });
    [
        json!({ "action": "add-schema", "schema": schema }),
        json!({ "action": "add-view-version", "view-version": version(sql) }),
        json!({ "action": "set-current-view-version", "view-version-id": -1 }),
    ]
}

fn replaced(metadata: Metadata, sql: &str) -> Metadata {
    changed(metadata, &replacing(sql), &folder(), 9).unwrap()
}

fn view() -> Metadata {
    replaced(empty("u", &folder().location()), "select 1")
}

fn ids(metadata: &Metadata, list: &str) -> Vec<i64> {
    let found = metadata.list(list).iter();
    found.filter_map(|item| number(item, "version-id")).collect()
}

#[test]
fn a_version_is_added_once() {
    let second = replaced(view(), "select 2");
    assert_eq!(ids(&second, "versions"), [1, 2]);
    assert_eq!(second.number("current-version-id"), Some(2));
    assert_eq!(second.list("schemas").len(), 1);
    let back = replaced(second, "select 1");
    assert_eq!(ids(&back, "versions"), [1, 2]);
    assert_eq!(ids(&back, "version-log"), [1, 2, 1]);
}

#[test]
fn old_versions_are_left_out() {
    let mut metadata = view();
    let most = json!({ "action": "set-properties", "updates": { "version.history.num-entries": "2" } });
    metadata = changed(metadata, &[most], &folder(), 9).unwrap();
    for n in 2..5 {
        metadata = replaced(metadata, &format!("select {n}"));
    }
    assert_eq!(ids(&metadata, "versions"), [3, 4]);
    assert_eq!(ids(&metadata, "version-log"), [3, 4]);
}

#[test]
fn what_is_wrong_is_refused() {
    let twice =
        json!([{ "type": "sql", "sql": "1", "dialect": "a" }, { "type": "sql", "sql": "2", "dialect": "A" }]);
    let of = |representations: Value| {
        let mut wrong = version("x");
        wrong["representations"] = representations;
        wrong["schema-id"] = json!(0);
        json!({ "action": "add-view-version", "view-version": wrong })
    };
    for wrong in [
        json!({ "action": "x" }),
        json!({ "action": "assign-uuid", "uuid": "other" }),
        json!({ "action": "upgrade-format-version", "format-version": 2 }),
        json!({ "action": "set-location", "location": "s3://data/elsewhere" }),
        json!({ "action": "set-current-view-version", "view-version-id": 7 }),
        json!({ "action": "add-view-version", "view-version": version("x") }),
        of(json!([])),
        of(twice),
        of(json!([{ "type": "sql", "dialect": "a" }])),
    ] {
        let error = changed(view(), std::slice::from_ref(&wrong), &folder(), 9).unwrap_err();
        assert_eq!(error.reason(), "BadRequestException", "{wrong}");
    }
    let none = changed(empty("u", &folder().location()), &[], &folder(), 9);
    assert_eq!(none.unwrap_err().reason(), "BadRequestException");
    let other = json!({ "type": "assert-view-uuid", "uuid": "x" });
    assert_eq!(
        check(&view(), &other).unwrap_err().reason(),
        "CommitFailedException"
    );
    check(&view(), &json!({ "type": "assert-view-uuid", "uuid": "U" })).unwrap();
}
