//! Conditions and masks as they are written, and what they come to for who asks.

use super::*;

fn rows(text: &str) -> Result<Condition> {
    match Leaves::of(Some(text), None)? {
        Some(Leaves::Rows(condition)) => Ok(condition),
        other => panic!("{other:?}"),
    }
}

fn compare(column: &str, how: Comparison, value: Value) -> Condition {
    Condition::Compare(column.to_owned(), how, value)
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

#[test]
fn conditions_are_read_by_precedence() {
    let a = compare("a", Comparison::Equal, Value::Number("-1.5".to_owned()));
    let b = compare("b c", Comparison::Unequal, text("it's"));
    let c = Condition::In("größe".to_owned(), vec![text("x"), Value::Bool(true)]);
    let d = Condition::Not(Box::new(Condition::IsNull("d".to_owned())));
    let read = rows("a=-1.5 OR \"b c\" <> 'it''s' and größe in ('x', TRUE) or d is not null");
    let inner = Condition::All(vec![b, c]);
    assert_eq!(read.expect("it reads"), Condition::Any(vec![a, inner, d]));
    let read = rows("not (a <= 1 or a > 2) and x not in ${groups}").expect("it reads");
    assert_eq!(read.columns(), ["a", "a", "x"]);
    assert!(
        matches!(&read, Condition::All(list) if matches!(list.as_slice(), [Condition::Not(_), Condition::Not(_)]))
    );
}

#[test]
fn what_is_no_condition_is_refused() {
    let deep = format!("{}a = 1{}", "(".repeat(40), ")".repeat(40));
    let long = format!("a = '{}'", "x".repeat(5000));
    for wrong in [
        "",
        "a",
        "a =",
        "a = b",
        "1 = 1",
        "a = 1 b = 2",
        "a = 'x",
        "a in 1",
        "a in ()",
        "a in ('x'",
        "a not = 1",
        "a = ${nobody}",
        "a = ${principal",
        "a = ${tag.}",
        "a is 1",
        "a = 1..2",
        "a = -",
        "a = 1; drop",
        "a = f(1)",
        "a = null",
        &deep,
        &long,
    ] {
        let error = rows(wrong).expect_err(wrong);
        assert_eq!(error.reason(), "MalformedPolicyDocument", "{wrong}");
    }
    assert!(Leaves::of(Some("a = 1"), Some("null")).is_err());
}

#[test]
fn variables_become_values() {
    let (groups, tags) = (
        ["eu".to_owned(), "us' or true".to_owned()],
        [("team".to_owned(), "x".to_owned())],
    );
    let who = About {
        principal: "ana",
        groups: &groups,
        labels: &[],
        purpose: None,
        run: Some("r1"),
        tags: &tags,
    };
    let of = |text: &str| rows(text).expect(text).about(&who);
    assert_eq!(
        of("o = ${principal}"),
        compare("o", Comparison::Equal, text("ana"))
    );
    assert_eq!(of("o = ${tag.team}"), compare("o", Comparison::Equal, text("x")));
    assert_eq!(
        of("o = ${tag.other}"),
        compare("o", Comparison::Equal, Value::Null)
    );
    assert_eq!(
        of("o != ${purpose}"),
        compare("o", Comparison::Unequal, Value::Null)
    );
    assert_eq!(of("o = ${groups}"), compare("o", Comparison::Equal, Value::Null));
    assert_eq!(of("o in ${labels}"), Condition::In("o".to_owned(), Vec::new()));
    let all = vec![text("eu"), text("us' or true"), text("r1")];
    assert_eq!(of("o in (${groups}, ${run})"), Condition::In("o".to_owned(), all));
}

#[test]
fn of_two_masks_the_stricter_holds() {
    let mask = |text: &str| Mask::parse(text).expect(text);
    for text in ["null", "'it''s'", "first 3", "last 4", "year"] {
        assert_eq!(mask(text).to_string(), text);
        assert_eq!(mask(text).and(mask(text)), mask(text));
        assert_eq!(mask(text).and(Mask::Null), Mask::Null);
    }
    assert_eq!(mask("last 4").and(mask("last 2")), Mask::Last(2));
    assert_eq!(mask("first 4").and(mask("last 2")), Mask::Null);
    for wrong in ["", "nothing", "first", "first 0", "last 65", "first x", "'open"] {
        assert!(Mask::parse(wrong).is_err(), "{wrong}");
    }
}
