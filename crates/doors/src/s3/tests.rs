use craton_gate::policy::s3_actions::Operation;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use super::{
    plain::{bucket_of_host, claims_of, is_stream, request},
    *,
};

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> http::request::Parts {
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

#[test]
fn the_bucket_of_a_host_name() {
    let domains = ["s3.example.org".to_owned(), "localhost".to_owned()];
    let cases = [
        ("b.s3.example.org", Some("b")),
        ("a.b.s3.example.org:9000", Some("a.b")),
        ("B.S3.Example.org", Some("B")),
        ("s3.example.org", None),
        (".s3.example.org", None),
        ("xs3.example.org", None),
        ("b.localhost:9000", Some("b")),
        ("127.0.0.1:9000", None),
        ("[::1]:9000", None),
        ("", None),
    ];
    for (host, bucket) in cases {
        assert_eq!(bucket_of_host(host, &domains), bucket, "{host}");
    }
}

#[test]
fn signatures_and_framing_are_taken_off() {
    let signed = parts(
        "PUT",
        "/b/k?partNumber=1&X-Amz-Signature=00&uploadId=x&x-amz-credential=y",
        &[
            ("host", "h"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIA"),
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "5"),
            ("content-length", "99"),
            ("content-encoding", "aws-chunked, gzip"),
        ],
    );
    let plain = request(signed, Some(5), &[]).unwrap();
    assert_eq!(plain.uri, "/b/k?partNumber=1&uploadId=x");
    assert_eq!(plain.headers["content-length"], "5");
    assert_eq!(plain.headers["content-encoding"], "gzip");
    for name in [
        "authorization",
        "x-amz-content-sha256",
        "x-amz-decoded-content-length",
    ] {
        assert!(!plain.headers.contains_key(name), "{name}");
    }
}

#[test]
fn the_host_s_bucket_leads_the_path() {
    let domains = ["s3.local".to_owned()];
    let virtual_hosted = |uri| {
        request(parts("GET", uri, &[("host", "bkt.s3.local")]), None, &domains)
            .unwrap()
            .uri
    };
    assert_eq!(virtual_hosted("/"), "/bkt/");
    assert_eq!(
        virtual_hosted("/other/k%2Fl?x-id=GetObject"),
        "/bkt/other/k%2Fl?x-id=GetObject"
    );
    assert_eq!(virtual_hosted("//k"), "/bkt//k");
}

#[test]
fn presigned_parameters_become_headers_once() {
    let uri = "/b/k?X-Amz-Signature=00&x-amz-meta-a=b%20c&X-Amz-Expires=9";
    let plain = request(parts("PUT", uri, &[]), None, &[]).unwrap();
    assert_eq!(plain.headers["x-amz-meta-a"], "b c");
    assert!(!plain.headers.contains_key("x-amz-expires"));
    let twice = request(parts("PUT", uri, &[("x-amz-meta-a", "other")]), None, &[]);
    assert_eq!(twice.unwrap_err().reason(), "InvalidRequest");
    let unsigned = request(parts("PUT", "/b/k?x-amz-meta-a=b", &[]), None, &[]).unwrap();
    assert!(!unsigned.headers.contains_key("x-amz-meta-a"));
}

#[test]
fn only_one_range_is_kept() {
    let range = |value| {
        let plain = request(parts("GET", "/b/k", &[("range", value)]), None, &[]).unwrap();
        plain.headers.get("range").map(|v| v.to_str().unwrap().to_owned())
    };
    assert_eq!(range("bytes=0-4"), Some("bytes=0-4".into()));
    assert_eq!(range("bytes=0-4,6-9"), None);
    assert_eq!(range("nonsense"), None);
}

#[test]
fn which_bodies_are_streams() {
    for uri in ["/b/k", "/b/k?x-id=PutObject", "/b/k?partNumber=1&uploadId=2"] {
        assert!(is_stream(&parts("PUT", uri, &[])), "{uri}");
    }
    for uri in ["/b", "/b/", "/b/k?acl", "/b/k?tagging", "/b?versioning"] {
        assert!(!is_stream(&parts("PUT", uri, &[])), "{uri}");
    }
    assert!(!is_stream(&parts("POST", "/b/k?uploadId=2", &[])));
}

#[test]
fn at_most_one_checksum_is_stated() {
    let of = |headers: &[(&'static str, &'static str)], trailers: &[&'static str]| {
        let map: HeaderMap = headers
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect();
        let trailers: Vec<_> = trailers.iter().map(|t| HeaderName::from_static(t)).collect();
        claims_of(&map, &trailers)
            .map(|c| c.checksum.map(|(a, _)| a.name()))
            .map_err(|e| e.reason())
    };
    let crc = ("x-amz-checksum-crc32", "AAAAAA==");
    assert_eq!(of(&[], &[]), Ok(None));
    assert_eq!(of(&[crc], &[]), Ok(Some("CRC32")));
    assert_eq!(of(&[], &["x-amz-checksum-sha256"]), Ok(Some("SHA256")));
    assert_eq!(of(&[crc], &["x-amz-checksum-sha256"]), Err("InvalidRequest"));
    assert_eq!(
        of(&[("x-amz-sdk-checksum-algorithm", "CRC32"), crc], &[]),
        Ok(Some("CRC32"))
    );
    assert_eq!(
        of(&[("x-amz-sdk-checksum-algorithm", "CRC32")], &[]),
        Err("InvalidRequest")
    );
    assert_eq!(
        of(&[("x-amz-sdk-checksum-algorithm", "SHA1"), crc], &[]),
        Err("InvalidRequest")
    );
    assert_eq!(of(&[("content-md5", "short")], &[]), Err("InvalidDigest"));
}

#[test]
fn the_routes_are_sorted_and_agree_with_the_gates_table() {
    assert!(ROUTES.is_sorted_by(|a, b| a.operation < b.operation));
    for operation in Operation::ALL {
        let route = ROUTES.iter().find(|r| r.operation == operation.name());
        let Some(route) = route else {
            panic!("{} is not among the routes", operation.name())
        };
        if let Some(action) = route.action {
            assert!(
                operation.needs().iter().any(|n| n.action == action),
                "{action} for {}",
                route.operation
            );
        }
    }
}

/// Operations that do not come by way of `s3s`'s trait.
const BESIDE: [&str; 4] = [
    "GetBucketEncryption",
    "HeadObject",
    "PostObject",
    "PutBucketEncryption",
];

/// `get_bucket_cors` as S3 writes it.
fn operation_name(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    words.collect()
}

#[test]
fn the_routes_are_the_operations_that_have_a_handler() {
    let handled: std::collections::BTreeSet<String> = handlers::NAMES
        .iter()
        .map(|name| operation_name(name))
        .chain(BESIDE.map(ToOwned::to_owned))
        .collect();
    let routed = ROUTES.iter().filter(|r| r.action.is_some());
    let routed: std::collections::BTreeSet<String> = routed.map(|r| r.operation.to_owned()).collect();
    assert_eq!(handled, routed);
}

#[test]
fn the_document_has_the_table_of_the_routes() {
    let mut table = String::from("| operation | action | state |\n|---|---|---|\n");
    for route in ROUTES {
        let action = route.action.map_or("–".to_owned(), |a| format!("`{a}`"));
        let state = match (route.action, route.never) {
            (Some(_), _) => "served".to_owned(),
            (None, Some(why)) => format!("`NotImplemented`: {why}"),
            (None, None) => "`NotImplemented` so far".to_owned(),
        };
        table.push_str(&format!("| {} | {action} | {state} |\n", route.operation));
    }
    let document = include_str!("../../../../docs/s3.md");
    assert!(
        document.contains(&table),
        "docs/s3.md should hold this table:\n\n{table}"
    );
}
