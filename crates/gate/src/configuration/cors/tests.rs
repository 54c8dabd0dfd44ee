use super::*;

fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> CorsRule {
    let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    CorsRule {
        id: None,
        origins: own(origins),
        methods: own(methods),
        headers: own(headers),
        expose: own(&["ETag"]),
        max_age_seconds: Some(60),
    }
}

#[test]
fn the_first_rule_that_fits_answers() {
    let cors = Cors {
        rules: vec![
            rule(
                &["https://*.example.org"],
                &["GET", "PUT"],
                &["x-amz-*", "Content-Type"],
            ),
            rule(&["*"], &["GET"], &[]),
        ],
    };
    let inner = cors
        .answer("https://a.example.org", "PUT", &["X-Amz-Date", "content-type"])
        .unwrap();
    assert_eq!(inner.origin, "https://a.example.org");
    assert_eq!(inner.headers, ["x-amz-date", "content-type"]);
    assert_eq!(inner.methods, ["GET", "PUT"]);
    assert!(inner.allows_credentials());

    let anyone = cors.answer("https://other.test", "GET", &[]).unwrap();
    assert_eq!(anyone.origin, "*");
    assert!(!anyone.allows_credentials());

    assert_eq!(cors.answer("https://other.test", "PUT", &[]), None);
    assert_eq!(cors.answer("https://other.test", "GET", &["authorization"]), None);
    assert_eq!(cors.answer("https://a.example.org", "PUT", &["cookie"]), None);
    // Not a suffix of the host: the dot is part of the rule.
    assert_eq!(cors.answer("https://evilexample.org", "PUT", &[]), None);
}

#[test]
fn a_wildcard_does_not_use_a_character_twice() {
    assert!(fits("https://*.org", "https://a.org"));
    assert!(!fits("ab*ba", "aba"));
    assert!(fits("ab*ba", "abba"));
    assert!(!fits("https://a.org", "https://a.org.evil"));
}

#[test]
fn more_rules_than_the_limit_are_refused() {
    let most = Cors {
        rules: vec![rule(&["*"], &["GET"], &[]); CORS_RULES_MAX],
    };
    assert_eq!(parse(&most.encode_to_vec().into()).unwrap(), most);
    let mut more = most;
    more.rules.push(rule(&["*"], &["GET"], &[]));
    assert_eq!(
        parse(&more.encode_to_vec().into()).unwrap_err().reason(),
        "MalformedConfiguration"
    );
}
