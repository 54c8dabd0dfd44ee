use super::*;

#[test]
fn principals_have_one_name_each() {
    let user = |name| Named::Holder(HolderKind::User, name);
    let role = |name| Named::Holder(HolderKind::Role, name);
    let known = [
        ("ana", user("ana")),
        ("root", user("root")),
        ("anonymous", Named::Anonymous),
        ("role/loader", role("loader")),
        ("arn:aws:iam::000000000000:root", user("root")),
        ("arn:aws:iam::000000000000:user/team/ana", user("ana")),
        ("arn:aws:iam::000000000000:role/team/loader", role("loader")),
        ("ASIAABCDEFGHIJKLMNOP", Named::Session("ASIAABCDEFGHIJKLMNOP")),
        ("ASIA", user("ASIA")),
        (
            "arn:aws:iam::111111111111:user/ana",
            user("arn:aws:iam::111111111111:user/ana"),
        ),
    ];
    for (text, expected) in known {
        assert_eq!(named(text), expected, "{text}");
    }
}

#[test]
fn what_a_context_says_of_the_request_is_not_a_condition_key_of_its_own() {
    let context = [
        ("aws:SourceIp", "10.0.0.1"),
        ("aws:SecureTransport", "false"),
        ("aws:CurrentTime", "2026-01-31T00:00:00Z"),
        ("craton:Purpose", "care"),
        ("s3:prefix", "a/"),
    ];
    let context = context.map(|(k, v)| (k.to_owned(), v.to_owned()));
    let said = Said::of(Timestamp(5), &context).unwrap();
    assert_eq!(said.origin.source_ip.to_string(), "10.0.0.1");
    assert!(!said.origin.is_secure());
    assert_eq!(said.origin.time, Timestamp(1_769_817_600_000_000));
    assert_eq!(said.purpose.as_deref(), Some("care"));
    assert_eq!(said.facts.len(), 1);
    for (key, value) in [
        ("aws:SourceIp", "here"),
        ("aws:CurrentTime", "now"),
        ("aws:SecureTransport", "1"),
    ] {
        assert!(
            Said::of(Timestamp(5), &[(key.to_owned(), value.to_owned())]).is_err(),
            "{key}"
        );
    }
}
