//! Values to JSON and back.

use super::*;

#[test]
fn values_come_back_from_json() {
    for (kind, number, text) in [
        ("date", 17_486, json!("2017-11-16")),
        ("date", -1, json!("1969-12-31")),
        ("date", 11_016, json!("2000-02-29")),
        ("time", 81_068_123_456, json!("22:31:08.123456")),
        (
            "timestamp",
            1_510_871_468_123_456,
            json!("2017-11-16T22:31:08.123456"),
        ),
        ("timestamp", -1, json!("1969-12-31T23:59:59.999999")),
        (
            "timestamptz",
            1_510_871_468_000_000,
            json!("2017-11-16T22:31:08.000000+00:00"),
        ),
        (
            "timestamp_ns",
            1_510_871_468_123_456_789,
            json!("2017-11-16T22:31:08.123456789"),
        ),
        ("decimal(9, 2)", 1420, json!("14.20")),
        ("decimal(9, 2)", -5, json!("-0.05")),
        ("decimal(9, 0)", 7, json!("7")),
        ("long", -3, json!(-3)),
        ("boolean", 1, json!(true)),
    ] {
        let value = Single::Whole(number);
        assert_eq!(to_json(kind, &value), text, "{kind}");
        assert_eq!(of_json(kind, &text), Some(value), "{kind}");
    }
    let uuid = json!("f79c3e09-677c-4bbd-a479-3f349cb785e7");
    assert_eq!(to_json("uuid", &of_json("uuid", &uuid).unwrap()), uuid);
    assert_eq!(
        of_json("timestamptz", &json!("2017-11-16T23:31:08+01:00")),
        of_json("timestamptz", &json!("2017-11-16T22:31:08Z"))
    );
    assert_eq!(
        of_json("timestamptz", &json!("2017-11-16T20:31:08-02:00")),
        of_json("timestamptz", &json!("2017-11-16T22:31:08Z"))
    );
    for (kind, wrong) in [
        ("int", json!("x")),
        ("date", json!("2017-13-01")),
        ("decimal(9, 2)", json!("1.234")),
        ("geometry", json!(1)),
    ] {
        assert_eq!(of_json(kind, &wrong), None, "{kind} {wrong}");
    }
}
