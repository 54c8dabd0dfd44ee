use http::Request;

use super::*;

fn parts(uri: &str, host: &str) -> Parts {
    let request = Request::get(uri)
        .header("host", host)
        .header("origin", "https://p.test");
    request.body(()).unwrap().into_parts().0
}

#[test]
fn the_bucket_of_a_page_s_request() {
    let domains = ["s3.local".to_owned()];
    let of = |uri: &str, host: &str| Page::of(&parts(uri, host), &domains).map(|p| p.bucket.to_string());
    assert_eq!(of("/data/a/b?x", "h"), Some("data".to_owned()));
    assert_eq!(of("/d%61ta", "h"), Some("data".to_owned()));
    assert_eq!(of("/other/a", "data.s3.local"), Some("data".to_owned()));
    assert_eq!(of("/", "h"), None);
    assert_eq!(of("/A/b", "h"), None);
}

#[test]
fn credentials_are_allowed_only_to_a_page_that_is_named() {
    let mut answer = CorsAnswer {
        origin: "https://p.test".to_owned(),
        methods: vec!["GET".to_owned(), "PUT".to_owned()],
        headers: vec![],
        expose: vec!["ETag".to_owned()],
        max_age_seconds: Some(60),
    };
    let mut headers = HeaderMap::new();
    add(&mut headers, &answer);
    assert_eq!(headers["access-control-allow-origin"], "https://p.test");
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(headers["access-control-allow-methods"], "GET, PUT");
    assert_eq!(headers["access-control-expose-headers"], "ETag");
    assert_eq!(headers["access-control-max-age"], "60");
    assert!(headers["vary"].to_str().unwrap().starts_with("Origin"));

    answer.origin = "*".to_owned();
    let mut headers = HeaderMap::new();
    add(&mut headers, &answer);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(!headers.contains_key("access-control-allow-credentials"));
}
