use super::*;

/// `b` was called `region` before; `region` is another column now.
fn metadata() -> Vec<u8> {
    let field =
        |id: i64, name: &str, kind: Value| json!({ "id": id, "name": name, "type": kind, "required": false });
    let who = json!({ "type": "struct", "fields": [field(9, "mail", json!("string"))] });
    let metadata = json!({ "current-schema-id": 1, "schemas": [
        { "schema-id": 0, "fields": [field(1, "id", json!("long")), field(2, "region", json!("string"))] },
        { "schema-id": 1, "fields": [
            field(1, "id", json!("long")), field(2, "b", json!("string")), field(3, "region", json!("string")),
            field(4, "born", json!("date")), field(5, "who", who), field(6, "price", json!("decimal(9, 2)")),
        ] },
    ] });
    serde_json::to_vec(&metadata).unwrap()
}

fn of(condition: Condition) -> Result<Value> {
    let restrictions = Restrictions {
        rows: vec![("p".to_owned(), condition)],
        ..Restrictions::default()
    };
    told(&metadata(), &restrictions).map(|told| told["required-row-filter"].clone())
}

fn equal(column: &str, value: &str) -> Condition {
    Condition::Compare(
        column.to_owned(),
        Comparison::Equal,
        RowValue::Text(value.to_owned()),
    )
}

fn column(id: i64) -> Value {
    json!({ "type": "reference", "id": id })
}

fn there(id: i64, compared: Value) -> Value {
    json!({ "type": "and", "left": { "type": "not-null", "child": column(id) }, "right": compared })
}

#[test]
fn columns_are_said_by_their_ids() {
    let eu = json!({ "type": "eq", "left": column(3), "right": { "type": "literal", "value": "eu" } });
    assert_eq!(of(equal("region", "eu")).unwrap(), there(3, eu));
    assert!(of(equal("none", "eu")).is_err());
    let over = Condition::Compare(
        "price".into(),
        Comparison::AtLeast,
        RowValue::Number("9.50".into()),
    );
    let over = of(over).unwrap();
    assert_eq!(over["right"]["right"]["value"], "9.50");
    for unfit in [
        equal("id", "1"),
        equal("who", "x"),
        equal("born", "not a day"),
        Condition::Compare("id".into(), Comparison::Less, RowValue::Number("1.5".into())),
    ] {
        assert_eq!(of(unfit).unwrap_err().kind(), Kind::Denied);
    }
}

#[test]
fn a_negation_is_true_of_no_row_that_has_no_value() {
    let not = Condition::Not(Box::new(Condition::Any(vec![
        equal("region", "eu"),
        Condition::IsNull("b".into()),
    ])));
    let unequal =
        json!({ "type": "not-eq", "left": column(3), "right": { "type": "literal", "value": "eu" } });
    let wanted = json!({ "type": "and", "left": there(3, unequal), "right": { "type": "not-null", "child": column(2) } });
    assert_eq!(of(not.clone()).unwrap(), wanted);
    let twice = of(Condition::Not(Box::new(not))).unwrap();
    assert_eq!(
        (&twice["type"], &twice["right"]["type"]),
        (&json!("or"), &json!("is-null"))
    );
}

#[test]
fn what_is_not_known_is_not_true_and_its_opposite_neither() {
    let unknown = Condition::Compare("region".into(), Comparison::Equal, RowValue::Null);
    for condition in [unknown.clone(), Condition::Not(Box::new(unknown))] {
        assert_eq!(of(condition).unwrap(), json!({ "type": "false" }));
    }
    let among = Condition::In("region".into(), vec![RowValue::Text("eu".into()), RowValue::Null]);
    assert_eq!(of(among.clone()).unwrap()["right"]["values"], json!(["eu"]));
    assert_eq!(
        of(Condition::Not(Box::new(among))).unwrap(),
        json!({ "type": "false" })
    );
    let none = Condition::In("region".into(), Vec::new());
    assert_eq!(of(none.clone()).unwrap(), json!({ "type": "false" }));
    assert_eq!(
        of(Condition::Not(Box::new(none))).unwrap(),
        json!({ "type": "true" })
    );
}

#[test]
fn masks_are_the_protocols_or_stricter() {
    let mask = |column: &str, mask: Mask| ("p".to_owned(), column.to_owned(), mask);
    let restrictions = Restrictions {
        masks: vec![
            mask("region", Mask::Last(4)),
            mask("who.mail", Mask::First(8)),
            mask("born", Mask::Year),
            mask("price", Mask::Text("hidden".into())),
            mask("id", Mask::Last(4)),
        ],
        ..Restrictions::default()
    };
    let told = told(&metadata(), &restrictions).unwrap();
    let action = |id: i64, action: &str| json!({ "field-id": id, "action": action });
    // What is called `region` now, and what was.
    let wanted = [
        action(1, "replace-with-null"),
        action(2, "show-last-4"),
        action(3, "show-last-4"),
        action(4, "truncate-to-year"),
        action(5, "replace-with-null"),
        action(6, "replace-with-null"),
    ];
    assert_eq!(told["required-column-projections"], json!(wanted));
    assert!(told.get("required-row-filter").is_none());
    let short = Restrictions {
        masks: vec![mask("region", Mask::Last(3)), mask("b", Mask::First(4))],
        ..Restrictions::default()
    };
    let short = super::told(&metadata(), &short).unwrap();
    let wanted = [action(2, "replace-with-null"), action(3, "replace-with-null")];
    assert_eq!(short["required-column-projections"], json!(wanted));
}
