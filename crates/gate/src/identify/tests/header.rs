//! What must be refused of requests with an `Authorization` header.

use super::*;

const HOST: (&str, &str) = ("host", "localhost:9000");

fn good() -> Parts {
    signed(
        "PUT",
        "/bucket/a%20key?partNumber=1&uploadId=x",
        &[HOST, ("x-amz-meta-a", "b"), ("content-type", "text/plain")],
    )
}

fn reason(change: impl FnOnce(&mut Parts)) -> &'static str {
    let mut parts = good();
    identified(verifier().identify(&parts));
    change(&mut parts);
    refusal(&parts).reason()
}

fn replaced(from: &str, to: &str) -> &'static str {
    reason(|p| {
        let value = authorization(p);
        assert!(value.contains(from));
        set(p, "authorization", &value.replace(from, to));
    })
}

#[test]
fn a_changed_request_does_not_match() {
    let m = "SignatureDoesNotMatch";
    assert_eq!(reason(|p| p.method = http::Method::DELETE), m);
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20kez?partNumber=1&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%2520key?partNumber=1&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20key/?partNumber=1&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket//a%20key?partNumber=1&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/./a%20key?partNumber=1&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20key?partNumber=2&uploadId=x")),
        m
    );
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20key?partNumber=1&uploadId=x&acl")),
        m
    );
    assert_eq!(reason(|p| set_uri(p, "/bucket/a%20key?partNumber=1")), m);
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20key?partNumber=1&uploadId=x&uploadId=x")),
        m
    );
    assert_eq!(reason(|p| set(p, "host", "localhost:9001")), m);
    assert_eq!(reason(|p| set(p, "x-amz-meta-a", "c")), m);
    assert_eq!(reason(|p| set(p, "content-type", "text/html")), m);
    assert_eq!(reason(|p| drop(p.headers.remove("x-amz-meta-a"))), m);
    assert_eq!(
        reason(|p| assert!(p.headers.append("x-amz-meta-a", HeaderValue::from_static("b")))),
        m
    );
    assert_eq!(reason(|p| set(p, "x-amz-date", "20130524T000001Z")), m);
    assert_eq!(reason(|p| set(p, "x-amz-content-sha256", "UNSIGNED-PAYLOAD")), m);
    assert_eq!(
        replaced("Signature=", "Signature=0000"),
        "AuthorizationHeaderMalformed"
    );
}

#[test]
fn the_order_of_the_query_and_spellings_do_not_matter() {
    let mut parts = good();
    set_uri(&mut parts, "/bucket/a%20k%65y?uploadId=%78&partNumber=1");
    identified(verifier().identify(&parts));
    set(&mut parts, "x-amz-meta-a", "  b ");
    identified(verifier().identify(&parts));
}

#[test]
fn every_amz_header_and_the_host_must_be_signed() {
    assert_eq!(reason(|p| set(p, "x-amz-acl", "public-read")), "AccessDenied");
    assert_eq!(reason(|p| set(p, "x-amz-security-token", "t")), "AccessDenied");
    for name in ["host;", "x-amz-date;", "x-amz-content-sha256;", ";x-amz-meta-a"] {
        let mut parts = good();
        let value = authorization(&parts).replace(name, "");
        set(&mut parts, "authorization", &value);
        assert_eq!(refusal(&parts).reason(), "AccessDenied", "{name}");
    }
    // A header that is not of AWS may come along unsigned.
    let mut parts = good();
    set(&mut parts, "x-forwarded-for", "10.0.0.1");
    identified(verifier().identify(&parts));
    // A header that is signed must be there.
    assert_eq!(replaced("host;", "host;range;"), "SignatureDoesNotMatch");
}

/// Ways to present credentials twice, or in a form that is not ours.
#[test]
fn one_way_to_authenticate() {
    let query = "/bucket/a%20key?X-Amz-Credential=a";
    assert_eq!(reason(|p| set_uri(p, query)), "InvalidArgument");
    assert_eq!(
        reason(|p| set_uri(p, "/bucket/a%20key?AWSAccessKeyId=a&Signature=b")),
        "InvalidArgument"
    );
    let twice = |p: &mut Parts| {
        let value = p.headers["authorization"].clone();
        p.headers.append("authorization", value);
    };
    assert_eq!(reason(twice), "InvalidArgument");
    for (value, want) in [
        (
            "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
            "InvalidRequest",
        ),
        ("AWS4-ECDSA-P256-SHA256 Credential=a", "NotImplemented"),
        ("Bearer x", "InvalidArgument"),
        ("Basic x", "InvalidArgument"),
        ("", "InvalidArgument"),
        ("AWS4-HMAC-SHA256", "AuthorizationHeaderMalformed"),
        ("AWS4-HMAC-SHA256 ", "AuthorizationHeaderMalformed"),
        ("aws4-hmac-sha256 Credential=a", "InvalidArgument"),
    ] {
        assert_eq!(reason(|p| set(p, "authorization", value)), want, "{value}");
    }
    assert_eq!(
        reason(|p| set(p, "authorization", &"A".repeat(AUTHORIZATION_BYTES_MAX + 1))),
        "InvalidArgument"
    );
    for uri in ["/b/k?AWSAccessKeyId=a&Expires=1&Signature=b", "/b/k?Signature=b"] {
        assert_eq!(refusal(&parts("GET", uri, &[HOST])).reason(), "InvalidRequest");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let malformed = "AuthorizationHeaderMalformed";
    for (from, to) in [
        ("Credential=", "credential="),
        ("Credential=", "X="),
        (", SignedHeaders=", ", Credential=x, SignedHeaders="),
        (
            "SignedHeaders=content-type;host",
            "SignedHeaders=host;content-type",
        ),
        (
            "SignedHeaders=content-type;host",
            "SignedHeaders=content-type;host;host",
        ),
        ("SignedHeaders=content-type", "SignedHeaders=Content-Type"),
        ("SignedHeaders=content-type", "SignedHeaders=;content-type"),
        ("SignedHeaders=content-type", "SignedHeaders=con tent"),
        ("/aws4_request", "/aws4_reques"),
        ("/aws4_request", "/aws4_request/x"),
        ("/20130524/", "/20130525/"),
        ("/20130524/", "/"),
        ("/us-east-1/", "/eu-west-1/"),
        ("/us-east-1/", "//"),
        ("/us-east-1/", "/US-EAST-1/"),
        ("/s3/", "/sts/"),
        ("/s3/", "/S3/"),
        ("AKIAIOSFODNN7EXAMPLE", ""),
    ] {
        assert_eq!(replaced(from, to), malformed, "{from} -> {to}");
    }
}

#[test]
fn key_ids_are_bounded_and_exact() {
    let long = "A".repeat(129);
    for id in [
        "akiaiosfodnn7example",
        "AKIAIOSFODNN7EXAMPL",
        "AKIA",
        "AKIAIOSFODNN7EXAMPLE%00",
        "AKIAIOSFODNN7EXAMPLE ",
        &long,
    ] {
        assert_eq!(replaced(KEY, id), "InvalidAccessKeyId", "{id}");
    }
    let mut parts = good();
    let other = Signer {
        access_key_id: "AKIANOBODYKNOWSTHIS".into(),
        secret: "nobody's".into(),
        ..signer()
    };
    other.sign(&mut parts, &Body::of(b""), example_time()).unwrap();
    assert_eq!(
        refusal(&parts).reason(),
        "InvalidAccessKeyId",
        "the secret of nobody opens nothing"
    );
}

#[test]
fn the_clock_may_differ_by_a_quarter_of_an_hour() {
    let quarter = Duration::from_secs(15 * 60);
    let parts = good();
    for now in [example_time().plus(quarter), example_time().minus(quarter)] {
        identified(verifier_at(now).identify(&parts));
    }
    let more = quarter + Duration::from_secs(1);
    for now in [example_time().plus(more), example_time().minus(more)] {
        assert_eq!(
            refusal_by(&verifier_at(now), &parts).reason(),
            "RequestTimeTooSkewed"
        );
    }
    assert_eq!(
        identified(verifier_at(example_time().plus(quarter)).identify(&parts)).signature_age,
        quarter
    );
}

#[test]
fn dates_must_be_there_once() {
    assert_eq!(reason(|p| set(p, "x-amz-date", "yesterday")), "AccessDenied");
    assert_eq!(reason(|p| drop(p.headers.remove("x-amz-date"))), "AccessDenied");
    assert_eq!(
        reason(|p| assert!(
            p.headers
                .append("x-amz-date", HeaderValue::from_static("20130524T000000Z"))
        )),
        "AccessDenied"
    );
    // A Date header stands in for x-amz-date.
    let mut parts = good();
    let key = parts.headers["x-amz-content-sha256"].clone();
    parts.headers.clear();
    set(&mut parts, "host", "h");
    set(&mut parts, "date", "Fri, 24 May 2013 00:00:00 GMT");
    parts.headers.insert("x-amz-content-sha256", key);
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders=date;host;x-amz-content-sha256,Signature={}",
        "0".repeat(64)
    );
    set(&mut parts, "authorization", &value);
    assert_eq!(refusal(&parts).reason(), "SignatureDoesNotMatch");
}

#[test]
fn the_payload_mode_is_required_and_known() {
    assert_eq!(
        reason(|p| drop(p.headers.remove("x-amz-content-sha256"))),
        "InvalidRequest"
    );
    for (value, want) in [
        ("", "InvalidArgument"),
        ("abc", "InvalidArgument"),
        ("unsigned-payload", "InvalidArgument"),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-X", "InvalidArgument"),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "NotImplemented"),
        (
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER",
            "NotImplemented",
        ),
    ] {
        assert_eq!(reason(|p| set(p, "x-amz-content-sha256", value)), want, "{value}");
    }
}

/// CVE-2025-31489 and CVE-2026-40344: some payload modes got past without a good signature.
#[test]
fn cve_2025_31489_a_fabricated_signature_in_every_mode() {
    for mode in [
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ] {
        let mut parts = parts(
            "PUT",
            "/bucket/key",
            &[
                HOST,
                ("x-amz-content-sha256", mode),
                ("x-amz-date", "20130524T000000Z"),
            ],
        );
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={}",
            "ab".repeat(32)
        );
        set(&mut parts, "authorization", &value);
        assert_eq!(refusal(&parts).reason(), "SignatureDoesNotMatch", "{mode}");
    }
}

#[test]
fn chunked_requests_say_how_long_they_are() {
    let body = Body::Chunked {
        signed: true,
        decoded_length: 5,
        trailers: vec![],
    };
    for (length, want) in [
        (None, "MissingContentLength"),
        (Some("-1"), "InvalidArgument"),
        (Some("99999999999999999999"), "InvalidArgument"),
    ] {
        let mut request = parts("PUT", "/b/k", &[HOST]);
        signer().sign(&mut request, &body, example_time()).unwrap();
        let mut changed = parts(
            "PUT",
            "/b/k",
            &[
                HOST,
                ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ],
        );
        if let Some(length) = length {
            set(&mut changed, "x-amz-decoded-content-length", length);
        }
        // Signed as it stands: the length alone is wrong.
        resign(&mut changed, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        assert_eq!(refusal(&changed).reason(), want);
    }
}

/// Signs a request that the signer would not make: the payload line is given.
fn resign(parts: &mut Parts, payload: &str) {
    set(parts, "x-amz-date", "20130524T000000Z");
    let names: Vec<_> = [
        "host",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-trailer",
    ]
    .into_iter()
    .filter(|n| parts.headers.contains_key(*n))
    .map(http::HeaderName::from_static)
    .collect();
    let signed = canonical::SignedHeaders(names);
    let scope = Scope {
        date: "20130524".into(),
        region: "us-east-1".into(),
        service: "s3".into(),
    };
    let canonical = canonical::Canonical {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: "",
        headers: &parts.headers,
        host: "localhost:9000",
        signed: &signed,
        payload,
    };
    let hash = canonical.hash().unwrap();
    let text = canonical::to_sign("20130524T000000Z", &scope, &hash);
    let signature = hex::encode(key::SigningKey::derive(&SECRET.into(), &scope).sign(&text));
    let value = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/{}, SignedHeaders={}, Signature={signature}",
        scope.text(),
        signed.text()
    );
    set(parts, "authorization", &value);
}

#[test]
fn trailers_must_be_checksums_and_fit_the_mode() {
    for (mode, trailer) in [
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-meta-a"),
        (
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "x-amz-checksum-crc32,x-amz-checksum-crc32",
        ),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "x-amz-checksum-crc32"),
        ("UNSIGNED-PAYLOAD", "x-amz-checksum-crc32"),
    ] {
        let headers = [
            HOST,
            ("x-amz-content-sha256", mode),
            ("x-amz-trailer", trailer),
            ("x-amz-decoded-content-length", "1"),
        ];
        let mut parts = parts("PUT", "/b/k", &headers);
        resign(&mut parts, mode);
        assert_eq!(refusal(&parts).reason(), "InvalidRequest", "{mode} {trailer}");
    }
}

#[test]
fn session_tokens_belong_to_their_key() {
    let mut parts = parts("GET", "/b/k", &[HOST]);
    session_signer()
        .sign(&mut parts, &Body::of(b""), example_time())
        .unwrap();
    assert_eq!(identified(verifier().identify(&parts)).owner, "session");
    for (key, token, want) in [
        (SESSION_KEY, None, "InvalidToken"),
        (SESSION_KEY, Some("other"), "InvalidToken"),
        (SESSION_KEY, Some("old"), "ExpiredToken"),
        (KEY, Some(TOKEN), "InvalidToken"),
    ] {
        let signer = Signer {
            access_key_id: key.into(),
            session_token: token.map(Into::into),
            ..signer()
        };
        parts.headers.remove("x-amz-security-token");
        signer.sign(&mut parts, &Body::of(b""), example_time()).unwrap();
        assert_eq!(refusal(&parts).reason(), want, "{key} {token:?}");
    }
}

#[test]
fn requests_without_credentials_are_anonymous() {
    let caller = verifier()
        .identify(&parts("GET", "/b/k?x=X-Amz-Signature", &[HOST]))
        .unwrap();
    assert!(matches!(caller, Caller::Anonymous { payload } if payload.mode() == Mode::Unsigned));
    let chunked = [
        HOST,
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "4"),
    ];
    let caller = verifier().identify(&parts("PUT", "/b/k", &chunked)).unwrap();
    assert!(matches!(caller, Caller::Anonymous { payload } if payload.decoded_length() == Some(4)));
    let signed = [
        HOST,
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-decoded-content-length", "4"),
    ];
    assert_eq!(refusal(&parts("PUT", "/b/k", &signed)).reason(), "AccessDenied");
}

#[test]
fn hosts_are_one() {
    assert_eq!(reason(|p| drop(p.headers.remove("host"))), "InvalidRequest");
    assert_eq!(
        reason(|p| assert!(
            p.headers
                .append("host", HeaderValue::from_static("localhost:9000"))
        )),
        "InvalidRequest"
    );
    assert_eq!(
        reason(|p| set_uri(p, "http://other/bucket/a%20key?partNumber=1&uploadId=x")),
        "InvalidRequest"
    );
    // HTTP/2: the authority of the address is the host.
    let mut parts = good();
    parts.headers.remove("host");
    set_uri(
        &mut parts,
        "http://localhost:9000/bucket/a%20key?partNumber=1&uploadId=x",
    );
    identified(verifier().identify(&parts));
}

#[test]
fn queries_are_bounded() {
    let uri = format!("/b?{}", "a&".repeat(QUERY_PARAMETERS_MAX + 1));
    assert_eq!(refusal(&parts("GET", &uri, &[HOST])).reason(), "InvalidURI");
}

#[test]
fn other_services_sign_the_body_and_a_normalised_path() {
    let sts = Signer {
        service: Service::Sts,
        ..signer()
    };
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    let mut request = parts("POST", "/a%20b/../c//d/?x=1", &[HOST]);
    sts.sign(&mut request, &Body::of(body), example_time()).unwrap();
    let verifier = verifier();
    identified(verifier.identify_with_body(&request, Service::Sts, body));
    set_uri(&mut request, "/c/d/?x=1");
    identified(verifier.identify_with_body(&request, Service::Sts, body));
    let refused = verifier
        .identify_with_body(&request, Service::Sts, b"Action=Other")
        .unwrap_err();
    assert_eq!(refused.reason(), "SignatureDoesNotMatch");
    let refused = verifier
        .identify_with_body(&request, Service::Iam, body)
        .unwrap_err();
    assert_eq!(refused.reason(), "AuthorizationHeaderMalformed");
    assert_eq!(
        refusal(&request).reason(),
        "InvalidRequest",
        "the S3 door wants the payload's hash"
    );
}
