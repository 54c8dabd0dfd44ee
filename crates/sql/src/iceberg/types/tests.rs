//! Types and bounds as the specification has them.

use serde_json::json;

use super::*;

#[test]
fn a_schema_is_read_with_its_ids() {
    let read = schema(&json!({"type": "struct", "fields": [
        {"id": 1, "name": "a", "required": true, "type": "long"},
        {"id": 2, "name": "d", "required": false, "type": "decimal(9, 2)"},
        {"id": 3, "name": "l", "required": false, "type":
            {"type": "list", "element-id": 4, "element": "string", "element-required": false}},
        {"id": 5, "name": "f", "required": false, "type": "fixed[8]"},
    ]}))
    .unwrap();
    assert_eq!(read.field(0).data_type(), &DataType::Int64);
    assert_eq!(read.field(1).data_type(), &DataType::Decimal128(9, 2));
    assert_eq!(read.field(3).data_type(), &DataType::FixedSizeBinary(8));
    assert_eq!(id_of(read.field(2)), Some(3));
    let DataType::List(element) = read.field(2).data_type() else {
        panic!("a list is a list");
    };
    assert_eq!(id_of(element), Some(4));
}

#[test]
fn what_is_not_read_is_said() {
    let one = |kind: serde_json::Value| schema(&json!({"fields": [{"id": 1, "name": "v", "type": kind}]}));
    assert_eq!(one(json!("variant")).unwrap_err().reason(), "NotSupportedYet");
    assert_eq!(
        one(json!("decimal(60, 2)")).unwrap_err().reason(),
        "NotSupportedYet"
    );
    assert_eq!(one(json!({"type": "struct"})).unwrap_err().reason(), "Corrupt");
    let mut deep = json!("int");
    for id in 0..100 {
        deep = json!({"type": "list", "element-id": id, "element": deep});
    }
    assert_eq!(one(deep).unwrap_err().reason(), "Corrupt");
    let twice =
        json!({"fields": [{"id": 1, "name": "v", "type": "int"}, {"id": 2, "name": "v", "type": "int"}]});
    assert!(schema(&twice).is_err());
}

#[test]
fn bounds_are_read_as_they_are_written() {
    assert_eq!(
        bound(&DataType::Int64, &7i32.to_le_bytes()),
        Some(ScalarValue::Int64(Some(7)))
    );
    assert_eq!(
        bound(&DataType::Int32, &(-7i32).to_le_bytes()),
        Some(ScalarValue::Int32(Some(-7)))
    );
    assert_eq!(
        bound(&DataType::Decimal128(9, 2), &[0xff, 0x38]),
        Some(ScalarValue::Decimal128(Some(-200), 9, 2))
    );
    assert_eq!(
        bound(&DataType::Decimal128(9, 2), &[0x00, 0xc8]),
        Some(ScalarValue::Decimal128(Some(200), 9, 2))
    );
    assert_eq!(bound(&DataType::Float64, &1f64.to_le_bytes()), None);
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(bound(&time, &7i32.to_le_bytes()), None, "a date is no time");
    assert_eq!(bound(&DataType::Int32, &[1, 2]), None);
    assert_eq!(bound(&DataType::Binary, &[1, 2]), None);
}
