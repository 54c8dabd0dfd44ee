use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut out = HeaderMap::new();
    for (name, value) in pairs {
        out.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    out
}

#[test]
fn what_is_kept() {
    let headers = headers(&[
        ("content-type", "text/a"),
        ("cache-control", ""),
        ("x-amz-meta-a", "1"),
        ("x-amz-storage-class", "GLACIER"),
    ]);
    let kept = attributes(&headers, Some(&Expires("never".into()))).unwrap();
    assert_eq!(kept.headers.content_type.as_deref(), Some("text/a"));
    assert_eq!(kept.headers.cache_control, None);
    assert_eq!(kept.headers.expires.as_deref(), Some("never"));
    assert_eq!(kept.storage_class, "GLACIER");
    assert_eq!(kept.user, BTreeMap::from([("a".to_owned(), "1".to_owned())]));
}

#[test]
fn what_s3s_would_misread() {
    let mut given = headers(&[
        ("expires", "soon"),
        ("x-amz-meta-a", "1"),
        ("x-amz-meta-a", "2"),
        ("x-amz-meta-b", "3"),
    ]);
    let mut extensions = http::Extensions::new();
    set_aside(&mut given, &mut extensions);
    assert_eq!(extensions.get::<Expires>().map(|e| e.0.as_str()), Some("soon"));
    assert!(!given.contains_key(header::EXPIRES));
    let all = |name: &str| given.get_all(name).iter().count();
    assert_eq!((all("x-amz-meta-a"), all("x-amz-meta-b")), (1, 1));
    assert_eq!(given.get("x-amz-meta-a").unwrap(), "1,2");
}

#[test]
fn facts_for_policies() {
    let path = craton_base::ResourcePath::Root;
    let given = headers(&[
        ("x-amz-storage-class", "STANDARD_IA"),
        ("x-amz-tagging", "b=2&a=1"),
        ("x-amz-grant-read", "id=1"),
        ("x-other", "1"),
    ]);
    let ask = with_facts(Ask::new("PutObject", "s3:PutObject", path.clone()), &given);
    let facts: Vec<(&str, &str)> = ask.context.iter().map(|(k, v)| (&**k, &**v)).collect();
    let wanted = [
        ("s3:x-amz-grant-read", "id=1"),
        ("s3:x-amz-storage-class", "STANDARD_IA"),
        ("s3:RequestObjectTag/a", "1"),
        ("s3:RequestObjectTagKeys", "a"),
        ("s3:RequestObjectTag/b", "2"),
        ("s3:RequestObjectTagKeys", "b"),
    ];
    assert_eq!(facts, wanted);
    let bad = headers(&[("x-amz-tagging", "a=1&a=2")]);
    assert!(
        with_facts(Ask::new("PutObject", "s3:PutObject", path), &bad)
            .context
            .is_empty()
    );
}
