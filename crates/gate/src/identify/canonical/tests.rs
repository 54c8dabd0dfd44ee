use super::*;

#[test]
fn queries_are_sorted_by_their_encoded_form() {
    for (raw, want) in [
        ("", ""),
        ("acl", "acl="),
        ("acl=", "acl="),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1", "a=1&a=2"),
        ("a=b=c", "a=b%3Dc"),
        ("prefix=a/b&delimiter=%2f", "delimiter=%2F&prefix=a%2Fb"),
        ("p=a+b", "p=a%20b"),
        ("A=1&a=1&%C3%A9=1&_=1&~=1", "%C3%A9=1&A=1&_=1&a=1&~=1"),
        ("&&a&&", "a="),
        ("=x", "=x"),
    ] {
        assert_eq!(Query::parse(Some(raw)).unwrap().canonical(None), want, "{raw}");
    }
    assert_eq!(
        Query::parse(Some("a=1&S=2&s=3")).unwrap().canonical(Some("S")),
        "a=1&s=3"
    );
}

#[test]
fn paths_of_s3_are_not_normalised() {
    for (raw, want) in [
        ("", "/"),
        ("//a/../b/./", "//a/../b/./"),
        ("/a%2Fb", "/a/b"),
        ("/%252F", "/%252F"),
    ] {
        assert_eq!(path(raw, Service::S3).unwrap(), want);
    }
}

/// As in AWS's test suite for Signature Version 4 (get-slash, get-relative, …).
#[test]
fn paths_of_other_services_are_normalised_and_encoded_twice() {
    for (raw, want) in [
        ("", "/"),
        ("//", "/"),
        ("/./", "/"),
        ("/example/..", "/"),
        ("/example1/example2/../..", "/"),
        ("/./example", "/example"),
        ("//example//", "/example/"),
        ("/example%20space/", "/example%2520space/"),
        ("/%E1%88%B4", "/%25E1%2588%25B4"),
        ("/../a", "/a"),
        ("/-._~", "/-._~"),
    ] {
        assert_eq!(path(raw, Service::Iam).unwrap(), want, "{raw}");
    }
}

#[test]
fn header_values_are_trimmed_and_collapsed() {
    for (raw, want) in [
        ("", ""),
        ("  a   b  ", "a b"),
        ("a\tb", "a b"),
        ("\"a   b\"", "\"a b\""),
        ("   ", ""),
    ] {
        let mut out = Vec::new();
        push_collapsed(&mut out, raw.as_bytes());
        assert_eq!(out, want.as_bytes(), "{raw:?}");
    }
}

#[test]
fn signed_headers_are_sorted_and_bounded() {
    assert_eq!(
        SignedHeaders::parse("host;x-amz-date").unwrap().text(),
        "host;x-amz-date"
    );
    for bad in [
        "",
        "host;",
        ";host",
        "host;host",
        "x;host",
        "Host",
        "ho st",
        "host,x",
    ] {
        assert!(SignedHeaders::parse(bad).is_none(), "{bad}");
    }
    let many = |n: usize| (0..n).map(|i| format!("h{i:04}")).collect::<Vec<_>>().join(";");
    assert!(SignedHeaders::parse(&many(SIGNED_HEADERS_MAX)).is_some());
    assert!(SignedHeaders::parse(&many(SIGNED_HEADERS_MAX + 1)).is_none());
}
