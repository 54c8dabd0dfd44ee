use super::*;
use crate::policy::Context;

fn condition(operator: &str, key: &str, values: &[&str]) -> Condition {
    let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
    Condition::parse(Operator::parse(operator).unwrap(), key, &values, true).unwrap()
}

fn one(value: Option<&str>) -> Context {
    let mut context = Context::new();
    if let Some(value) = value {
        context.set("aws:K", value).unwrap();
    }
    context
}

fn many(values: &[&str]) -> Context {
    let mut context = Context::new();
    context
        .set_list("aws:K", values.iter().map(|v| (*v).to_owned()).collect())
        .unwrap();
    context
}

#[test]
fn every_operator_on_one_value() {
    for (operator, policy, request, holds) in [
        ("StringEquals", "a", "a", true),
        ("StringEquals", "a", "A", false),
        ("StringEquals", "a*", "ab", false),
        ("StringNotEquals", "a", "b", true),
        ("StringNotEquals", "a", "a", false),
        ("StringEqualsIgnoreCase", "aB", "Ab", true),
        ("StringNotEqualsIgnoreCase", "aB", "Ab", false),
        ("StringLike", "a*", "ab", true),
        ("StringLike", "a?", "A1", false),
        ("StringNotLike", "a*", "ab", false),
        ("StringNotLike", "a*", "b", true),
        ("NumericEquals", "10", "10.0", true),
        ("NumericNotEquals", "10", "11", true),
        ("NumericLessThan", "10", "9", true),
        ("NumericLessThan", "10", "10", false),
        ("NumericLessThanEquals", "10", "10", true),
        ("NumericGreaterThan", "10", "10", false),
        ("NumericGreaterThan", "9", "10", true),
        ("NumericGreaterThanEquals", "10", "10", true),
        ("NumericEquals", "10", "ten", false),
        ("DateEquals", "2026-06-01", "2026-06-01T00:00:00Z", true),
        ("DateNotEquals", "2026-06-01", "2026-06-01T00:00:01Z", true),
        ("DateLessThan", "2026-06-01", "1700000000", true),
        ("DateLessThanEquals", "2026-06-01", "2026-06-01", true),
        ("DateGreaterThan", "2026-06-01", "2026-05-31", false),
        ("DateGreaterThanEquals", "2026-06-01", "2026-06-01", true),
        ("Bool", "true", "TRUE", true),
        ("Bool", "false", "true", false),
        ("Bool", "${aws:K}", "yes", false),
        ("Bool", "${aws:K}", "true", true),
        ("BinaryEquals", "AQID", "AQID", true),
        ("BinaryEquals", "AQID", "AQIE", false),
        ("IpAddress", "10.0.0.0/8", "10.1.1.1", true),
        ("IpAddress", "10.0.0.0/8", "not an address", false),
        ("NotIpAddress", "10.0.0.0/8", "10.1.1.1", false),
        ("NotIpAddress", "10.0.0.0/8", "11.1.1.1", true),
        (
            "ArnEquals",
            "arn:aws:iam::*:user/a",
            "arn:aws:iam::1:user/a",
            true,
        ),
        (
            "ArnLike",
            "arn:aws:iam::1:user/*",
            "arn:aws:iam::1:user/b/c",
            true,
        ),
        ("ArnLike", "arn:aws:*:user/a", "arn:aws:iam::1:user/a", false),
        (
            "ArnNotEquals",
            "arn:aws:iam::1:user/a",
            "arn:aws:iam::1:user/b",
            true,
        ),
        (
            "ArnNotLike",
            "arn:aws:iam::1:user/*",
            "arn:aws:iam::1:user/b",
            false,
        ),
        ("Null", "true", "x", false),
        ("Null", "false", "x", true),
    ] {
        let found = condition(operator, "aws:K", &[policy]).holds(&one(Some(request)));
        assert_eq!(found, holds, "{operator} {policy:?} {request:?}");
    }
}

#[test]
fn a_missing_key() {
    for (operator, value, _) in OPERATORS.map(|(name, compares, negated)| {
        let value = match compares {
            Compares::Number(_) | Compares::Date(_) => "1",
            Compares::Bool | Compares::Null => "true",
            Compares::Binary => "AQID",
            Compares::Address => "10.0.0.1",
            Compares::Arn => "arn:aws:iam::1:user/a",
            Compares::Text { .. } => "a",
        };
        (name, value, negated)
    }) {
        let holds = |name: &str| condition(name, "aws:K", &[value]).holds(&Context::new());
        let negated = operator.contains("Not");
        assert_eq!(holds(operator), negated || operator == "Null", "{operator}");
        if operator != "Null" {
            assert!(holds(&format!("{operator}IfExists")), "{operator}IfExists");
            assert!(
                holds(&format!("ForAllValues:{operator}")),
                "ForAllValues:{operator}"
            );
            assert!(
                !holds(&format!("ForAnyValue:{operator}")),
                "ForAnyValue:{operator}"
            );
            assert!(!holds(&format!("ForAnyValue:{operator}IfExists")));
        }
    }
}

#[test]
fn several_policy_values_are_alternatives_and_negated_ones_none_of_them() {
    let holds =
        |operator: &str, request| condition(operator, "aws:K", &["a", "b"]).holds(&one(Some(request)));
    assert!(holds("StringEquals", "b"));
    assert!(!holds("StringEquals", "c"));
    assert!(!holds("StringNotEquals", "a"));
    assert!(!holds("StringNotEquals", "b"));
    assert!(holds("StringNotEquals", "c"));
}

#[test]
fn null_with_both_values_always_holds() {
    let both = condition("Null", "aws:K", &["true", "false"]);
    assert!(both.holds(&one(None)) && both.holds(&one(Some("x"))));
    let missing = condition("Null", "aws:K", &["true"]);
    assert!(missing.holds(&many(&[])), "a list without values is no key");
}

#[test]
fn a_list_needs_a_set_operator() {
    for operator in ["StringEquals", "StringNotEquals", "StringEqualsIfExists"] {
        assert!(
            !condition(operator, "aws:K", &["a", "b"]).holds(&many(&["a"])),
            "{operator}"
        );
    }
}

#[test]
fn a_list_of_empty_values_is_a_null_data_set() {
    for values in [&[""][..], &["", ""]] {
        assert!(condition("ForAllValues:StringEquals", "aws:K", &["a"]).holds(&many(values)));
        assert!(!condition("ForAnyValue:StringEquals", "aws:K", &[""]).holds(&many(values)));
        assert!(!condition("ForAnyValue:StringNotEquals", "aws:K", &["a"]).holds(&many(values)));
    }
    assert!(condition("StringEquals", "aws:K", &["", "home/"]).holds(&one(Some(""))));
}

#[test]
fn a_variable_without_value_is_null() {
    for (operator, holds) in [
        ("StringEquals", false),
        ("StringNotEquals", true),
        ("StringLike", false),
        ("StringNotLike", true),
        ("StringNotEqualsIgnoreCase", true),
        ("ForAnyValue:StringNotEquals", true),
        ("ForAllValues:StringEquals", false),
    ] {
        let found = condition(operator, "aws:K", &["${aws:missing}"]).holds(&one(Some("x")));
        assert_eq!(found, holds, "{operator}");
    }
    let arn = condition("ArnNotLike", "aws:K", &["arn:aws:iam::1:user/${aws:missing}"]);
    assert!(arn.holds(&one(Some("arn:aws:iam::1:user/x"))));
}

#[test]
fn keys_and_operators_have_no_case() {
    assert!(condition("stringEQUALSifEXISTS", "AWS:k", &["x"]).holds(&one(Some("x"))));
    assert!(condition("foranyvalue:stringLike", "aws:K", &["x"]).holds(&one(Some("x"))));
}

#[test]
fn malformed_operators_and_values_are_refused() {
    for bad in [
        "",
        "Equals",
        "StringEqual",
        "ForSomeValues:StringEquals",
        "IfExists",
        "NullIfExists",
        "ForAllValues:Null",
        "ForAllValues:ForAnyValue:StringLike",
        "StringEqualsIfExistsIfExists",
    ] {
        assert!(Operator::parse(bad).is_err(), "{bad:?}");
    }
    for (operator, bad) in [
        ("NumericEquals", "ten"),
        ("NumericEquals", "${aws:username}"),
        ("DateEquals", "yesterday"),
        ("Bool", "yes"),
        ("IpAddress", "10.0.0.0/99"),
        ("BinaryEquals", "*"),
        ("ArnEquals", "user/a"),
        ("Null", "maybe"),
        ("StringLike", "${"),
    ] {
        let values = ["true".to_owned(), bad.to_owned()];
        let parsed = Condition::parse(Operator::parse(operator).unwrap(), "aws:K", &values, true);
        if ["Bool", "Null", "StringLike"].contains(&operator) {
            assert_eq!(parsed.unwrap_err().0, 1, "the position of the bad value");
        } else {
            assert!(parsed.is_err(), "{operator} {bad}");
        }
    }
}

/// All subsets of three request values, as lists.
fn subsets() -> Vec<Vec<&'static str>> {
    let all = ["a", "b", "c"];
    (0..8_usize)
        .map(|bits| (0..3).filter(|i| bits & (1 << i) != 0).map(|i| all[i]).collect())
        .collect()
}

/// GHSA-v9cp: `ForAllValues` and `ForAnyValue` of negated operators transposed elsewhere. Every
/// request set × every policy set × every operator, against the sentences of AWS's documentation.
#[test]
fn ghsa_v9cp_set_operators_exhaustively() {
    let mut checked = 0;
    for request in subsets() {
        for policy in subsets().into_iter().filter(|p| !p.is_empty()) {
            let is_in = |r: &&str| policy.contains(r);
            // "every value in the request matches at least one value in the policy"
            let all_in = request.iter().all(&is_in);
            // "at least one value in the request matches one in the policy"
            let any_in = request.iter().any(&is_in);
            // negated: a value passes when it matches none of the policy's
            let all_out = request.iter().all(|r| !is_in(r));
            let any_out = request.iter().any(|r| !is_in(r));
            for (operator, expected) in [
                ("ForAllValues:StringEquals", all_in),
                ("ForAnyValue:StringEquals", any_in),
                ("ForAllValues:StringNotEquals", all_out),
                ("ForAnyValue:StringNotEquals", any_out),
                ("ForAllValues:StringLike", all_in),
                ("ForAnyValue:StringLike", any_in),
                ("ForAllValues:StringNotLike", all_out),
                ("ForAnyValue:StringNotLike", any_out),
                ("ForAllValues:StringEqualsIgnoreCase", all_in),
                ("ForAnyValue:StringNotEqualsIgnoreCase", any_out),
                ("ForAllValues:StringNotEqualsIfExists", all_out),
                ("ForAnyValue:StringEqualsIfExists", any_in),
            ] {
                let found = condition(operator, "aws:K", &policy).holds(&many(&request));
                assert_eq!(found, expected, "{operator} {policy:?} on {request:?}");
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 8 * 7 * 12);
}
