use proptest::prelude::*;

use super::*;

fn error(json: &str) -> String {
    let error = document(json.as_bytes(), Place::Identity, &Limits::default()).unwrap_err();
    assert!(["MalformedPolicyDocument", "LimitExceeded"].contains(&error.reason()));
    error.message().to_owned()
}

fn statement_error(body: &str) -> String {
    error(&format!(r#"{{"Version":"2012-10-17","Statement":[{body}]}}"#))
}

const GOOD: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;

#[test]
fn what_is_accepted() {
    for json in [
        format!(r#"{{"Statement":{GOOD}}}"#),
        format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":[{GOOD}]}}"#),
        r#"{"Statement":[{"Sid":"","Effect":"Deny","NotAction":["s3:Get*"],"NotResource":["arn:aws:s3:::b"]}]}"#.into(),
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}]}"#.into(),
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{}}}]}"#.into(),
        r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "NumericLessThan":{"s3:max-keys":10},"Bool":{"aws:SecureTransport":[true]},
            "ForAnyValue:StringLike":{"aws:TagKeys":["a*","${aws:username, 'b'}"]}}}]}"#.into(),
    ] {
        assert!(document(json.as_bytes(), Place::Identity, &Limits::default()).is_ok(), "{json}");
    }
}

#[test]
fn errors_name_the_path_and_what_was_expected() {
    for (json, expected) in [
        ("", "policy: expected a JSON document"),
        ("[]", "policy: expected an object, found an array"),
        ("{}", "policy: expected Statement"),
        (
            r#"{"Statement":[]}"#,
            "Statement: expected at least one statement",
        ),
        (
            r#"{"Statement":"x"}"#,
            "Statement: expected an object or an array of objects, found a string",
        ),
        (
            r#"{"Statement":[1]}"#,
            "Statement[0]: expected an object, found a number",
        ),
        (
            r#"{"Version":"2020-01-01","Statement":[]}"#,
            "Version: expected \"2012-10-17\" or \"2008-10-17\"",
        ),
        (
            r#"{"Version":2012,"Statement":[]}"#,
            "Version: expected a string, found a number",
        ),
        (
            r#"{"version":"2012-10-17","Statement":[]}"#,
            "version: not an element here; expected one of Version, Id, Statement",
        ),
        (
            r#"{"Statement":[],"Statement":[]}"#,
            "Statement: expected only once",
        ),
        (
            r#"{"Statement":[]} {}"#,
            "policy: expected a JSON document: trailing characters",
        ),
    ] {
        let message = error(json);
        assert!(message.starts_with(expected), "{json}: {message}");
    }
}

#[test]
fn errors_in_statements() {
    for (body, expected) in [
        (
            r#"{"Action":"*","Resource":"*"}"#,
            "Statement[0]: expected Effect",
        ),
        (
            r#"{"Effect":"allow","Action":"*","Resource":"*"}"#,
            "Statement[0].Effect: expected \"Allow\" or \"Deny\"",
        ),
        (
            r#"{"Effect":"Allow","Resource":"*"}"#,
            "Statement[0]: expected Action or NotAction",
        ),
        (
            r#"{"Effect":"Allow","Action":"*"}"#,
            "Statement[0]: expected Resource or NotResource",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","NotAction":"s3:*","Resource":"*"}"#,
            "Statement[0]: expected only one of Action and NotAction",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"}"#,
            "Statement[0]: expected only one of Resource and NotResource",
        ),
        (
            r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#,
            "Statement[0].Action: expected at least one value",
        ),
        (
            r#"{"Effect":"Allow","Action":["s3:*","x"],"Resource":"*"}"#,
            "Statement[0].Action[1]: expected \"service:Action\" or \"*\"",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":["*",null]}"#,
            "Statement[0].Resource[1]: expected a string, found null",
        ),
    ] {
        let message = statement_error(body);
        assert!(message.starts_with(expected), "{body}: {message}");
    }
}

#[test]
fn errors_in_values_of_statements() {
    for (body, expected) in [
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"bucket"}"#,
            "Statement[0].Resource: expected an ARN",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${x"}"#,
            "Statement[0].Resource: has a \"${\" without its closing \"}\"",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}"#,
            "Statement[0].Principal: not allowed in an identity policy",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","NotPrincipal":"*"}"#,
            "Statement[0].NotPrincipal: not allowed in an identity policy",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Sid":"a b"}"#,
            "Statement[0].Sid: expected letters and digits only",
        ),
        (
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}"#,
            "Statement[0].Extra: not an element here",
        ),
        (
            r#"{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}"#,
            "Statement[0].Effect: expected only once",
        ),
        (
            r#"{"Effect":"Allow","effect":"Deny","Action":"*","Resource":"*"}"#,
            "Statement[0].effect: expected only once",
        ),
    ] {
        let message = statement_error(body);
        assert!(message.starts_with(expected), "{body}: {message}");
    }
    let twice = r#"{"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"}"#;
    let message = statement_error(&format!("{twice},{twice}"));
    assert_eq!(
        message,
        "Statement[1].Sid: expected a Sid that no other statement has"
    );
}

#[test]
fn errors_in_conditions() {
    for (condition, expected) in [
        (
            "1",
            "Statement[0].Condition: expected an object of operators, found a number",
        ),
        (
            r#"{"Like":{}}"#,
            "Statement[0].Condition.Like: is not a condition operator",
        ),
        (
            r#"{"StringLike":[]}"#,
            "Statement[0].Condition.StringLike: expected an object of condition keys, found an array",
        ),
        (
            r#"{"StringLike":{"x":"a"}}"#,
            "Statement[0].Condition.StringLike.x: expected a condition key such as",
        ),
        (
            r#"{"StringLike":{"aws:x":[]}}"#,
            "Statement[0].Condition.StringLike.aws:x: expected at least one value",
        ),
        (
            r#"{"StringLike":{"aws:x":["a",{}]}}"#,
            "Statement[0].Condition.StringLike.aws:x[1]: expected a string, a number or a boolean, found an object",
        ),
        (
            r#"{"StringLike":{"aws:x":"a","AWS:X":"b"}}"#,
            "Statement[0].Condition.StringLike.AWS:X: expected only once",
        ),
        (
            r#"{"StringLike":{},"stringlike":{}}"#,
            "Statement[0].Condition.stringlike: expected only once",
        ),
        (
            r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","all"]}}"#,
            "Statement[0].Condition.IpAddress.aws:SourceIp[1]: expected an IP address or a CIDR range",
        ),
        (
            r#"{"NumericLessThan":{"s3:max-keys":"many"}}"#,
            "Statement[0].Condition.NumericLessThan.s3:max-keys: expected a number",
        ),
        (
            r#"{"NullIfExists":{"aws:x":"true"}}"#,
            "Statement[0].Condition.NullIfExists: Null takes neither",
        ),
    ] {
        let message = statement_error(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}"#
        ));
        assert!(message.starts_with(expected), "{condition}: {message}");
    }
}

#[test]
fn limits_hold() {
    let limits = Limits {
        document_bytes: 400,
        statements: 2,
        values: 2,
        conditions: 1,
        value_bytes: 30,
        wildcards: 3,
        sid_bytes: 3,
    };
    let check = |body: String, expected: &str| {
        let json = format!(r#"{{"Statement":[{body}]}}"#);
        let error = document(json.as_bytes(), Place::Identity, &limits).unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::TooLarge, "LimitExceeded"));
        assert!(error.message().starts_with(expected), "{}", error.message());
    };
    check(" ".repeat(500), "policy: 516 bytes, expected at most 400");
    check([GOOD; 3].join(","), "Statement: 3 statements, expected at most 2");
    check(
        r#"{"Effect":"Allow","Action":["*","*","*"],"Resource":"*"}"#.into(),
        "Statement[0].Action: 3 values",
    );
    check(
        r#"{"Effect":"Allow","Action":"s3:*a*b*c*","Resource":"*"}"#.into(),
        "Statement[0].Action: 4 wildcards",
    );
    let long = format!(
        r#"{{"Effect":"Allow","Action":"*","Resource":"arn:{}"}}"#,
        "x".repeat(30)
    );
    check(long, "Statement[0].Resource: 34 bytes");
    check(
        r#"{"Sid":"abcd","Effect":"Allow","Action":"*","Resource":"*"}"#.into(),
        "Statement[0].Sid: 4 characters",
    );
    let keys =
        r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Null":{"a:a":true,"a:b":true}}}"#;
    check(keys.into(), "Statement[0].Condition: 2 condition keys");
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let json = format!(r#"{{"Statement":{}{}}}"#, "[".repeat(9_000), "]".repeat(9_000));
    assert!(error(&json).starts_with("policy: expected a JSON document: recursion limit"));
}

proptest! {
    #[test]
    fn no_input_panics(json in r#"[\[\]{}",:a-z0-9$* ]{0,80}"#) {
        let _ = document(json.as_bytes(), Place::Identity, &Limits::default()).is_ok();
    }

    #[test]
    fn no_value_panics(action in ".{0,20}", resource in ".{0,30}", key in ".{0,10}", value in ".{0,20}", n in 0..27_usize) {
        let operator = ["StringLike", "NumericEquals", "DateEquals", "IpAddress", "ArnLike", "BinaryEquals", "Bool"][n % 7];
        let json = serde_json::json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": action, "Resource": resource, "Condition": {operator: {key: value}}}});
        let json = serde_json::to_vec(&json).unwrap();
        let _ = document(&json, Place::Identity, &Limits::default()).is_ok();
        let _ = document(&json, Place::Resource, &Limits::default()).is_ok();
    }
}
