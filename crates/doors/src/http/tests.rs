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
    let proxies = ["10.0.0.0/30".parse().unwrap()];
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

#[test]
fn a_connection_on_which_no_100_was_sent_ends() {
    let request = |expect: bool, body: &'static str| {
        let mut builder = Request::builder().version(http::Version::HTTP_11);
        if expect {
            builder = builder.header(header::EXPECT, "100-continue");
        }
        builder
            .body(Body::from(bytes::Bytes::from_static(body.as_bytes())))
            .unwrap()
    };
    let closes = |expect, body, status| Expects::of(&request(expect, body)).must_close(status);
    assert!(closes(true, "", StatusCode::OK));
    assert!(closes(true, "x", StatusCode::BAD_REQUEST));
    assert!(!closes(true, "x", StatusCode::OK));
    assert!(!closes(false, "", StatusCode::OK));
    assert!(!closes(false, "x", StatusCode::BAD_REQUEST));
}
