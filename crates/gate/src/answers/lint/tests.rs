use super::*;

fn codes(statements: &str) -> Vec<(String, &'static str)> {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    let found = check(document.as_bytes()).unwrap();
    found.into_iter().map(|f| (f.statement, f.code)).collect()
}

#[test]
fn a_pattern_covers_what_can_only_be_less() {
    let yes = [
        ("*", "a*"),
        ("a*", "a"),
        ("a*", "ab*"),
        ("a?c", "abc"),
        ("a*c", "ab*c"),
        ("*", ""),
        ("a**", "a*"),
        ("*b", "a*b"),
        ("?", "?"),
        ("*a*b", "xaxab"),
    ];
    let no = [
        ("a", "a*"),
        ("a?", "a*"),
        ("ab*", "a*"),
        ("a*c", "a*"),
        ("", "*"),
        ("*b", "*"),
        ("?", ""),
        ("a*b*c", "a*c"),
    ];
    for (wide, narrow) in yes {
        assert!(covers(wide, narrow, false), "{wide} covers {narrow}");
    }
    for (wide, narrow) in no {
        assert!(!covers(wide, narrow, false), "{wide} does not cover {narrow}");
    }
    assert!(covers("s3:get*", "S3:GetObject", true) && !covers("a", "A", false));
}

#[test]
fn what_is_fine_is_not_found() {
    assert!(codes(
        r#"{"Sid":"Read","Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::data","arn:aws:s3:::data/*"]},
           {"Effect":"Deny","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::data/keep/*"}"#
    )
    .is_empty());
}

#[test]
fn unknown_actions_are_named_with_the_nearest() {
    let document = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObjekt","Resource":"arn:aws:s3:::data/*"}]}"#;
    let found = check(document).unwrap();
    assert_eq!(found[0].code, "unknown-action");
    assert!(
        found[0].message.contains("s3:GetObject "),
        "{}",
        found[0].message.clone() + " "
    );
}

#[test]
fn what_never_counts() {
    let found = codes(
        r#"{"Sid":"Kind","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data"},
           {"Sid":"Denied","Effect":"Allow","Action":"s3:Put*","Resource":"arn:aws:s3:::data/a/*"},
           {"Sid":"No","Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/*"},
           {"Sid":"Wide","Effect":"Allow","Action":"s3:List*","Resource":["arn:aws:s3:::data","arn:aws:s3:::other"]},
           {"Sid":"Again","Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}"#,
    );
    let expected = [
        ("#Kind", "unreachable"),
        ("#Denied", "unreachable"),
        ("#Again", "redundant"),
    ];
    assert_eq!(found, expected.map(|(s, c)| (s.to_owned(), c)));
}

#[test]
fn what_is_easily_regretted() {
    assert_eq!(
        codes(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
        [("[0]".to_owned(), "sensitive-wildcard")]
    );
    let with_condition = r#"{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
    assert!(codes(with_condition).is_empty());
    let public =
        r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}"#;
    assert_eq!(codes(public), [("[0]".to_owned(), "public")]);
    let open = r#"{"Effect":"Allow","NotAction":"s3:DeleteBucket","Resource":"arn:aws:s3:::data/*"}"#;
    assert_eq!(codes(open), [("[0]".to_owned(), "allow-not-action")]);
}

#[test]
fn a_policy_that_is_none_is_refused() {
    assert_eq!(check(b"{}").unwrap_err().reason(), "MalformedPolicyDocument");
}

#[test]
fn grants_are_named_as_decisions_name_them() {
    let document = br#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;
    assert_eq!(grants(document), ["#A", "[1]"]);
}
