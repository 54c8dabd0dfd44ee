//! Moments come out of names as they went in; what is no statement is an error with its place.

use super::*;

fn tables(text: &str) -> String {
    parse(text).unwrap().to_string().replace(AS_OF, "@")
}

#[test]
fn a_moment_becomes_a_part_of_the_name() {
    assert_eq!(
        tables("SELECT t.a FROM b.n.T FOR VERSION AS OF 12 WHERE t.a > 1"),
        r#"SELECT t.a FROM b.n."t@version:12" AS "t" WHERE t.a > 1"#
    );
    assert_eq!(
        tables("SELECT x.a FROM b.n.\"T\" version as of 'dev' x, u TIMESTAMP AS OF '2026-01-02' AS y"),
        r#"SELECT x.a FROM b.n."T@version:dev" x, "u@time:2026-01-02" AS y"#
    );
}

#[test]
fn a_moment_comes_out_of_a_name() {
    let moment = |text: &str| moment_of(&text.replace('@', "\u{1}")).map(|(n, m)| (n.to_owned(), m));
    assert_eq!(moment("t").unwrap(), ("t".to_owned(), Moment::Now));
    assert_eq!(
        moment("t@version:12").unwrap(),
        ("t".to_owned(), Moment::Snapshot(12))
    );
    assert_eq!(
        moment("t@version:dev").unwrap(),
        ("t".to_owned(), Moment::Named("dev".to_owned()))
    );
    assert_eq!(
        moment("t@time:1970-01-01 00:00:01").unwrap(),
        ("t".to_owned(), Moment::At(1000))
    );
    assert_eq!(
        moment("t@time:1970-01-01T00:00:01+01:00").unwrap().1,
        Moment::At(-3_599_000)
    );
    assert!(moment("t@time:yesterday").is_err());
    assert!(moment("t@x").is_err());
}

#[test]
fn what_is_no_statement_is_said_with_its_place() {
    let error = |text: &str| parse(text).unwrap_err();
    assert!(error("SELECT 1 +\n  )").message().contains("Line: 2"));
    assert_eq!(error("").reason(), "SyntaxError");
    assert_eq!(error("SELECT 1; SELECT 2").reason(), "SyntaxError");
    assert_eq!(error("SELECT 'a").reason(), "SyntaxError");
    assert_eq!(
        error("SELECT * FROM 's3://b/x' VERSION AS OF 3").reason(),
        "SyntaxError"
    );
    assert_eq!(
        error(&"x".repeat(STATEMENT_BYTES_MAX + 1)).reason(),
        "StatementTooLong"
    );
    let long = format!("SELECT {}1", "1+".repeat(OPERATORS_MAX + 1));
    assert_eq!(error(&long).reason(), "StatementTooLong");
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(error(&deep).reason(), "SyntaxError");
}
