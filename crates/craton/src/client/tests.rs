use craton_base::Kind;
use http::StatusCode;
use serde_json::json;

use super::{Credentials, place, remote, segment};

#[test]
fn places_are_buckets_and_keys() {
    assert_eq!(place("data/a/b").unwrap(), ("data", "a/b"));
    assert_eq!(place("s3://data/a").unwrap(), ("data", "a"));
    assert_eq!(place("data").unwrap(), ("data", ""));
    assert!(place("/a").is_err() && place("").is_err() && place("s3://").is_err());
}

#[test]
fn segments_are_one_segment() {
    assert_eq!(segment("a/b c"), "a%2Fb%20c");
}

#[test]
fn credentials_come_from_the_default_section() {
    let text = "# root\n[other]\naws_access_key_id = X\naws_secret_access_key = Y\n[default]\n\
                aws_access_key_id = AKIA1\naws_secret_access_key=se=cret\n";
    let found = Credentials::parse(text).unwrap();
    assert_eq!(found.id, "AKIA1");
    assert_eq!(found.secret_text().unwrap(), "se=cret");
    assert!(found.token.is_none());
    assert!(!format!("{found:?}").contains("cret\""));
    assert!(Credentials::parse("aws_access_key_id = A").is_none());
    assert!(Credentials::parse("").is_none());
}

#[test]
fn errors_of_the_server_keep_their_kind() {
    let answer = json!({ "error": { "kind": "denied", "reason": "AccessDenied", "message": "no" } });
    let error = remote::api_error(StatusCode::FORBIDDEN, Some(&answer));
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Denied, "no (AccessDenied)")
    );
    let error = remote::api_error(StatusCode::BAD_GATEWAY, None);
    assert_eq!(error.kind(), Kind::Internal);
    let xml = b"<Error><Code>BucketNotEmpty</Code><Message>not empty</Message></Error>";
    let error = remote::s3_error(StatusCode::CONFLICT, xml);
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Exists, "not empty (BucketNotEmpty)")
    );
}
