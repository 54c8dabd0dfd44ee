use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn forwarded(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
    }
    headers
}

#[test]
fn cve_2026_21862_forwarded_addresses_count_only_from_named_proxies() {
    let proxies = [ip("10.0.0.1"), ip("10.0.0.2")];
    let cases = [
        ("192.0.2.9", &["203.0.113.5"][..], "192.0.2.9"),
        ("10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", &["1.1.1.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        ("10.0.0.1", &["1.1.1.1", "203.0.113.5"], "203.0.113.5"),
        ("10.0.0.1", &["1.1.1.1, nonsense"], "10.0.0.1"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("::ffff:10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
    ];
    for (peer, lines, expected) in cases {
        assert_eq!(
            source_ip(&forwarded(lines), ip(peer), &proxies),
            ip(expected),
            "{peer} {lines:?}"
        );
    }
}

#[test]
fn only_three_paths_are_open() {
    for path in ["/_health/live", "/_health/ready", "/_metrics"] {
        assert!(open_path(path).is_some());
    }
    for path in [
        "/",
        "/_health",
        "/_health/live/",
        "//_metrics",
        "/_metrics/x",
        "/_METRICS",
        "/bucket/_metrics",
    ] {
        assert!(open_path(path).is_none(), "{path}");
    }
}

#[test]
fn long_headers_are_cut_at_a_character() {
    let mut headers = HeaderMap::new();
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_str(&"x".repeat(300)).unwrap(),
    );
    assert_eq!(kept(&headers, &header::USER_AGENT, 256).unwrap().len(), 256);
    assert!(kept(&headers, &header::REFERER, 256).is_none());
}
