//! Files that are left out, and those that are not.

use serde_json::json;

use super::*;

fn map(key: i32, id: i32, value: Value) -> Value {
    Value::List(vec![Value::Record(vec![
        (key, Value::Integer(id.into())),
        (key + 1, value),
    ])])
}

/// A file whose column `n` has values from 10 to 20, and no nulls among ten.
fn file() -> Value {
    let bytes = |n: i64| Value::Bytes(n.to_le_bytes().to_vec().into());
    Value::Record(vec![
        (109, map(119, 1, Value::Integer(10))),
        (110, map(121, 1, Value::Integer(0))),
        (125, map(126, 1, bytes(10))),
        (128, map(129, 1, bytes(20))),
    ])
}

#[test]
fn only_what_can_not_match_is_left_out() {
    let columns = Columns::from([
        ("n".to_owned(), (1, "long".to_owned())),
        ("m".to_owned(), (2, "string".to_owned())),
    ]);
    let may = |filter: Json| may_match(&filter, &file(), &columns);
    let compare = |kind: &str, value: i64| may(json!({ "type": kind, "term": "n", "value": value }));
    for (kind, yes, no) in [
        ("eq", 10, 21),
        ("lt", 11, 10),
        ("lt-eq", 10, 9),
        ("gt", 19, 20),
        ("gt-eq", 20, 21),
        ("not-eq", 15, i64::MIN),
    ] {
        assert!(compare(kind, yes), "{kind} {yes}");
        assert_eq!(compare(kind, no), kind == "not-eq", "{kind} {no}");
    }
    let low = json!({ "type": "lt", "term": "n", "value": 5 });
    let inside = json!({ "type": "eq", "term": "n", "value": 15 });
    let of_other = json!({ "type": "starts-with", "term": "m", "value": "x" });
    assert!(!may(json!({ "type": "and", "left": low, "right": inside })));
    assert!(may(json!({ "type": "or", "left": low, "right": inside })));
    assert!(may(json!({ "type": "not", "child": low })));
    assert!(!may(
        json!({ "type": "not", "child": { "type": "gt-eq", "term": "n", "value": 5 } })
    ));
    // Not (a and b) is not a or not b.
    let all = json!({ "type": "gt-eq", "term": "n", "value": 0 });
    assert!(!may(
        json!({ "type": "not", "child": { "type": "or", "left": all, "right": low } })
    ));
    assert!(may(
        json!({ "type": "not", "child": { "type": "and", "left": all, "right": low } })
    ));
    assert!(may(of_other.clone()) && may(json!({ "type": "not", "child": of_other })));
    assert!(
        !may(json!({ "type": "in", "term": "n", "values": [1, 2, 30] }))
            && may(json!({ "type": "in", "term": "n", "values": [1, 12] }))
    );
    assert!(
        !may(json!({ "type": "is-null", "term": "n" })) && may(json!({ "type": "not-null", "term": "n" }))
    );
    assert!(
        may(json!({ "type": "eq", "term": { "type": "transform" }, "value": 1 }))
            && may(json!({ "type": "odd" }))
            && may(json!({}))
    );
    assert!(may(json!(true)) && !may(json!(false)) && may(json!({ "type": "is-null", "term": "m" })));
}
