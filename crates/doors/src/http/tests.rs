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

/// The clients' tests try every route as every kind of caller; they know the routes by this file.
#[test]
fn the_clients_tests_know_every_route() {
    let s3 = crate::s3::ROUTES
        .iter()
        .map(|r| format!("s3 {} {}", r.operation, r.action.unwrap_or("-")));
    let api = crate::api::ROUTES
        .iter()
        .map(|r| format!("api {} {} {} {}", r.operation.name(), r.action, r.method, r.path));
    let graph = crate::graph::ROUTES
        .iter()
        .map(|r| format!("graph {:?} {} {} {}", r.operation, r.action, r.method, r.path));
    let iceberg = crate::iceberg::ROUTES.iter().map(|r| {
        format!(
            "iceberg {} {} {} {}",
            r.operation.name(),
            r.action,
            r.method,
            r.path
        )
    });
    let query = crate::query::routes().map(|r| format!("{} {} {}", r.service, r.action, r.permission));
    let oauth = crate::oauth::ROUTES
        .iter()
        .map(|r| format!("oauth {} - {} {}", r.operation, r.method, r.path));
    let sql = crate::sql::ROUTES
        .iter()
        .map(|(method, path, operation, action)| format!("sql {operation} {action} {method} {path}"));
    let mcp = crate::mcp::ROUTES
        .iter()
        .map(|(method, path, operation)| format!("mcp {operation} - {method} {path}"));
    let routes: Vec<String> = s3
        .chain(api)
        .chain(graph)
        .chain(iceberg)
        .chain(query)
        .chain(oauth)
        .chain(sql)
        .chain(mcp)
        .collect();
    let known: Vec<&str> = include_str!("../../../../tests/clients/routes.txt")
        .lines()
        .collect();
    let missing: Vec<&String> = routes.iter().filter(|r| !known.contains(&r.as_str())).collect();
    assert!(
        missing.is_empty(),
        "add to tests/clients/routes.txt: {missing:#?}"
    );
    assert_eq!(
        known.len(),
        routes.len(),
        "tests/clients/routes.txt has routes that are none"
    );
}

/// Guard policies can name what they know: an action that only a route knows could not be forbidden by its level.
#[test]
fn guard_policies_know_every_action_of_every_route() {
    let s3 = crate::s3::ROUTES.iter().filter_map(|r| r.action);
    let api = crate::api::ROUTES.iter().map(|r| r.action);
    let graph = crate::graph::ROUTES.iter().map(|r| r.action);
    let iceberg = crate::iceberg::ROUTES.iter().map(|r| r.action);
    let query = crate::query::routes().map(|r| r.permission);
    let all = s3.chain(api).chain(graph).chain(iceberg).chain(query);
    let unknown: Vec<&str> = all.filter(|a| craton_guard::actions::find(a).is_none()).collect();
    assert!(unknown.is_empty(), "add to craton_guard::actions: {unknown:#?}");
}
