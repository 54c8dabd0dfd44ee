use super::*;

#[test]
fn bucket_names_by_the_s3_rules() {
    for good in ["abc", "a.b-c", "123", &"a".repeat(63), "my-bucket.v2"] {
        assert!(BucketName::new(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "ab",
        &"a".repeat(64),
        "Abc",
        "a_b",
        "-ab",
        "ab-",
        ".ab",
        "a..b",
        "192.168.5.4",
        "xn--abc",
        "sthree-a",
        "abc-s3alias",
        "abc--ol-s3",
        "system",
        "_api",
        "a b",
        "a/b",
        "ä-b-c",
        "a\0b",
    ] {
        assert!(BucketName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn object_keys_keep_their_bytes_and_never_climb() {
    for good in [
        "a",
        "a//b",
        "/",
        "a/../b",
        ".",
        "a\\b",
        "%2F",
        "%252F",
        "ü/日本",
        &"k".repeat(1024),
        "a b+c",
    ] {
        assert_eq!(ObjectKey::new(good).unwrap().as_str(), good);
    }
    for bad in ["", "..", "../a", "a/../../b", "a\0b", &"k".repeat(1025), "/../x"] {
        assert!(ObjectKey::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn principal_names_by_the_iam_rules() {
    assert!(PrincipalName::new("data.team+x@example.com").is_ok());
    for bad in ["", "a b", "a/b", "a:b", "a*b", &"x".repeat(65)] {
        assert!(PrincipalName::new(bad).is_err(), "{bad}");
    }
}
