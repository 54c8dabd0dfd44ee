use serde_json::json;

use super::*;

fn metadata(schemas: Value, properties: Value) -> Metadata {
    Metadata::of(json!({ "current-schema-id": 1, "schemas": schemas, "properties": properties }))
}

fn columns(governed: &Governed) -> Vec<(String, String)> {
    let rows = ColumnRows::decode(governed.columns.clone()).unwrap();
    rows.columns.into_iter().map(|c| (c.name, c.data_type)).collect()
}

#[test]
fn columns_are_those_of_every_schema_with_what_lies_in_them() {
    let field = |name: &str, of: Value| json!({ "id": 1, "name": name, "required": false, "type": of });
    let old = json!({ "schema-id": 0, "type": "struct", "fields": [field("ssn", json!("string")), field("id", json!("int"))] });
    let nested = json!({ "type": "struct", "fields": [field("x", json!("double"))] });
    let new = json!({ "schema-id": 1, "type": "struct", "fields": [
        field("id", json!("long")),
        field("points", json!({ "type": "list", "element-id": 3, "element": nested })),
        field("m", json!({ "type": "map", "key-id": 4, "key": "string", "value-id": 5, "value": "int" })),
    ] });
    let of = Governed::of(&metadata(json!([old, new]), json!({}))).unwrap();
    let wanted = [
        ("id", "long"),
        ("m", "map"),
        ("m.key", "string"),
        ("m.value", "int"),
        ("points", "list"),
        ("points.element", "struct"),
        ("points.element.x", "double"),
        ("ssn", "string"),
    ];
    let wanted: Vec<_> = wanted
        .iter()
        .map(|(n, t)| ((*n).to_owned(), (*t).to_owned()))
        .collect();
    assert_eq!(columns(&of), wanted);
}

#[test]
fn labels_are_the_words_of_a_property() {
    let of = |value: &str| Governed::of(&metadata(json!([]), json!({ "craton.labels": value })));
    assert_eq!(of(" secret  pii secret").unwrap().labels, ["pii", "secret"]);
    assert!(of("").unwrap().labels.is_empty());
    let many: Vec<String> = (0..=LABELS_MAX).map(|n| n.to_string()).collect();
    assert!(of(&many.join(" ")).is_err());
}

#[test]
fn what_lies_too_deep_is_refused() {
    let mut of = json!("int");
    for _ in 0..=DEPTH_MAX {
        of = json!({ "type": "list", "element-id": 1, "element": of });
    }
    let schema = json!([{ "schema-id": 1, "fields": [{ "name": "a", "type": of }] }]);
    assert!(Governed::of(&metadata(schema, json!({}))).is_err());
}

#[test]
fn a_change_of_labels_is_seen_in_every_form() {
    for update in [
        json!({ "action": "set-properties", "updates": { "craton.labels": "x" } }),
        json!({ "action": "set-properties", "updated": { "craton.labels": "x" } }),
        json!({ "action": "remove-properties", "removals": ["a", "craton.labels"] }),
        json!({ "action": "remove-properties", "removed": ["craton.labels"] }),
    ] {
        assert!(changes_labels(&[update]));
    }
    let other = json!({ "action": "set-properties", "updates": { "craton.labels2": "x" } });
    assert!(!changes_labels(&[other]));
}
