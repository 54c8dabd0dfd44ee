//! What is written is read back.

use serde_json::json;

use super::{super::File, *};

fn text(value: &str) -> Value {
    Value::Bytes(value.to_owned().into())
}

#[test]
fn records_come_back_as_they_were() {
    let pair = json!({ "type": "record", "name": "k", "fields": [
        { "name": "key", "type": "int", "field-id": 4 }, { "name": "value", "type": "bytes", "field-id": 5 } ] });
    let schema = json!({ "type": "record", "name": "e", "fields": [
        { "name": "a", "type": "long", "field-id": 1 },
        { "name": "b", "type": ["null", "string"], "field-id": 2 },
        { "name": "m", "type": ["null", { "type": "array", "items": pair }], "field-id": 3 },
        { "name": "f", "type": { "type": "fixed", "name": "x", "size": 2 }, "field-id": 6 } ] });
    let record = |n: i64| {
        let entry = Value::Record(vec![(4, Value::Integer(n)), (5, text("v"))]);
        Value::Record(vec![
            (1, Value::Integer(n.saturating_mul(-3))),
            (2, if n % 2 == 0 { Value::Null } else { text("odd") }),
            (
                3,
                if n % 3 == 0 {
                    Value::Null
                } else {
                    Value::List(vec![entry.clone(), entry])
                },
            ),
            (6, text("ab")),
        ])
    };
    let mut writer = Writer::new(&schema, &[("k", "v".to_owned())], [9; 16]).unwrap();
    let numbers = [i64::MIN / 3, -1, 0, 1, 63, 64, i64::MAX / 3];
    // More than a block.
    let all: Vec<Value> = (0..20_000).chain(numbers).map(record).collect();
    all.iter().for_each(|r| writer.push(r).unwrap());
    let mut file = File::open(writer.finish().unwrap()).unwrap();
    let mut read = Vec::new();
    let mut blocks = 0;
    while let Some(block) = file.block().unwrap() {
        blocks += 1;
        read.extend(block.map(Result::unwrap));
    }
    assert_eq!(read, all);
    assert!(blocks > 1);
}

#[test]
fn what_does_not_fit_is_refused() {
    let schema =
        json!({ "type": "record", "name": "e", "fields": [{ "name": "a", "type": "long", "field-id": 1 }] });
    let mut writer = Writer::new(&schema, &[], [0; 16]).unwrap();
    let error = writer.push(&Value::Record(vec![(1, text("x"))])).unwrap_err();
    assert!(error.to_string().contains("field 1"), "{error}");
    assert!(writer.push(&Value::Record(vec![])).is_err());
}
