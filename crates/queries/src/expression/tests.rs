//! Orders and equality of values.

use std::cmp::Ordering;

use super::*;
use crate::value::XSD;

fn values() -> Vec<Option<Value>> {
    let typed = |text: &str, kind: &str| Some(Value::typed(text, &format!("{XSD}{kind}")));
    vec![
        None,
        Some(Value::Blank("b".into())),
        Some(Value::Iri("a:b".into())),
        Some(Value::Text(String::new())),
        Some(Value::Text("b".into())),
        Some(Value::Lang("a".into(), "de".into())),
        Some(Value::Lang("a".into(), "en".into())),
        typed("1", "integer"),
        typed("1.0", "decimal"),
        typed("1.0000000000000001", "decimal"),
        typed("1e0", "double"),
        typed("9007199254740993", "integer"),
        typed("9007199254740992", "integer"),
        typed("9007199254740992e0", "double"),
        typed("NaN", "double"),
        typed("-INF", "double"),
        typed("true", "boolean"),
        typed("2020-01-01T00:00:00Z", "dateTime"),
        typed("2020-01-01T00:00:00", "dateTime"),
        typed("2020-01-01T01:00:00+01:00", "dateTime"),
        typed("2020-01-01", "date"),
        typed("no date", "date"),
        typed("x", "token"),
        Some(Value::Other("(f x)".into())),
    ]
}

#[test]
fn the_order_of_all_values_is_total() {
    let all = values();
    let order = |a: &Option<Value>, b: &Option<Value>| compare_all(a.as_ref(), b.as_ref());
    for a in &all {
        assert_eq!(order(a, a), Ordering::Equal, "{a:?}");
        for b in &all {
            assert_eq!(order(a, b), order(b, a).reverse(), "{a:?} {b:?}");
            for c in &all {
                if order(a, b).is_le() && order(b, c).is_le() {
                    assert!(order(a, c).is_le(), "{a:?} {b:?} {c:?}");
                }
            }
        }
    }
}

#[test]
fn what_can_not_be_told_has_no_truth() {
    let typed = |text: &str, kind: &str| Value::typed(text, kind);
    assert_eq!(equal(&typed("a", "urn:t"), &typed("b", "urn:t")), None);
    assert_eq!(equal(&typed("a", "urn:t"), &typed("a", "urn:t")), Some(true));
    assert_eq!(
        equal(&Value::Integer(1.into()), &Value::Text("1".into())),
        Some(false)
    );
    assert_eq!(compare(&Value::Integer(1.into()), &Value::Text("1".into())), None);
    assert_eq!(truth(&Value::Iri("a:b".into())), None);
    assert_eq!(
        numbers::add(&Value::Integer(i64::MAX.into()), &Value::Integer(1.into())),
        None
    );
}
