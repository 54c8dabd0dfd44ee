use super::*;

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut out = Fields::default();
    for (name, value) in pairs {
        out.push(name, (*value).to_owned()).unwrap();
    }
    out
}

#[test]
fn fields_become_the_headers_of_a_put() {
    let form = fields(&[
        ("Policy", "p"),
        ("Content-Type", "text/plain"),
        ("acl", "private"),
        ("x-amz-meta-Name", "ü"),
        ("x-ignore-this", "x"),
        ("utf8", "✓"),
    ]);
    let headers = headers(&form, true).unwrap();
    assert_eq!(headers.len(), 3);
    assert_eq!(headers["content-type"], "text/plain");
    assert_eq!(headers["x-amz-acl"], "private");
    assert_eq!(headers["x-amz-meta-name"].as_bytes(), "ü".as_bytes());
}

#[test]
fn a_form_asks_for_nothing_but_a_put() {
    for name in [
        "x-amz-copy-source",
        "x-amz-decoded-content-length",
        "x-amz-content-sha256",
        "x-amz-trailer",
        "x-amz-write-offset-bytes",
        "x-amz-anything",
    ] {
        assert_eq!(
            headers(&fields(&[(name, "x")]), true).unwrap_err().reason(),
            "InvalidArgument",
            "{name}"
        );
    }
    for name in [
        "if-none-match",
        "content-length",
        "host",
        "authorization",
        "transfer-encoding",
    ] {
        assert!(
            headers(&fields(&[(name, "x")]), true).unwrap().is_empty(),
            "{name}"
        );
        assert_eq!(
            headers(&fields(&[(name, "x")]), false).unwrap_err().reason(),
            "InvalidArgument",
            "{name}"
        );
    }
    for bad in [
        fields(&[("content-type", "a\r\nb")]),
        fields(&[("x-amz-meta-a b", "x")]),
        fields(&[("acl", "private"), ("x-amz-acl", "public-read")]),
    ] {
        assert_eq!(headers(&bad, true).unwrap_err().reason(), "InvalidArgument");
    }
}

#[test]
fn a_form_is_sent_to_a_bucket() {
    let target = |uri: &str| {
        let parts = Request::post(uri).body(()).unwrap().into_parts().0;
        target(&parts).map(|b| b.to_string()).map_err(|e| e.reason())
    };
    assert_eq!(target("/data"), Ok("data".into()));
    assert_eq!(target("/data/"), Ok("data".into()));
    assert_eq!(target("/d%61ta"), Ok("data".into()));
    for uri in ["/", "//", "/data/k", "/data//", "/data%2Fk", "/data?delete"] {
        assert_eq!(target(uri), Err("MethodNotAllowed"), "{uri}");
    }
    for uri in ["/system", "/_data", "/.craton", "/Data"] {
        assert_eq!(target(uri), Err("InvalidBucketName"), "{uri}");
    }
    assert_eq!(target("/%ff"), Err("InvalidURI"));
}

#[test]
fn only_web_addresses_are_redirected_to() {
    assert_eq!(
        web_address("https://a.example/x?y=z").unwrap(),
        "https://a.example/x?y=z"
    );
    for bad in [
        "",
        "/x",
        "javascript:alert(1)",
        "ftp://a.example/",
        "//a.example/x",
        "https://a b/",
    ] {
        assert_eq!(web_address(bad), None, "{bad}");
    }
}

#[test]
fn which_requests_are_forms() {
    let is = |method: &str, content_type: &str| {
        let request = Request::builder()
            .method(method)
            .uri("/b")
            .header("content-type", content_type);
        is_form(&request.body(()).unwrap().into_parts().0)
    };
    assert!(is("POST", "multipart/form-data; boundary=x"));
    assert!(is("POST", " Multipart/Form-Data"));
    assert!(!is("PUT", "multipart/form-data; boundary=x"));
    assert!(!is("POST", "multipart/mixed"));
    assert!(!is("POST", "text/plain"));
}
