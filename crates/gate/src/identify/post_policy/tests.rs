use super::*;
use crate::identify::tests::{KEY, example_time, form_signature, refuses_leaking, verifier, verifier_at};

const POLICY: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    ["content-length-range", 1, 100],
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20130524T000000Z" }
  ]
}"#;

const BUCKET: &str = "sigv4examplebucket";

fn form(policy: &str, change: &[(&str, Option<&str>)]) -> Fields {
    let policy = base64::engine::general_purpose::STANDARD.encode(policy);
    let credential = format!("{KEY}/20130524/us-east-1/s3/aws4_request");
    let signature = form_signature(&policy);
    let fields = [
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        ("Content-Type", "image/jpeg"),
        ("X-Amz-Credential", &credential),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("Policy", &policy),
        ("X-Amz-Signature", &signature),
    ];
    let mut out = Fields::default();
    for (name, value) in fields {
        let lower = name.to_ascii_lowercase();
        let value = change
            .iter()
            .find(|(n, _)| *n == lower)
            .map_or(Some(value), |(_, v)| *v);
        if let Some(value) = value {
            out.push(name, value.into()).unwrap();
        }
    }
    for (name, value) in change {
        if out.get(name).is_none()
            && let Some(value) = value
        {
            out.push(name, (*value).into()).unwrap();
        }
    }
    out
}

fn reason(fields: &Fields) -> &'static str {
    let error = verifier()
        .identify_form(fields, BUCKET, "a.jpg")
        .expect_err("must be refused");
    refuses_leaking(&error);
    error.reason()
}

#[test]
fn a_good_form_is_identified() {
    let form = verifier()
        .identify_form(&form(POLICY, &[]), BUCKET, "C:\\dir\\a.jpg")
        .unwrap();
    assert_eq!(
        (form.owner, form.key.as_str(), form.length),
        ("alice", "user/user1/a.jpg", Some((1, 100)))
    );
    assert_eq!(form.signed_at, example_time());
    form.check_length(1).unwrap();
    form.check_length(100).unwrap();
    assert_eq!(form.check_length(0).unwrap_err().reason(), "EntityTooSmall");
    assert_eq!(form.check_length(101).unwrap_err().reason(), "EntityTooLarge");
}

/// The example of the documentation: this policy in base64, its signature.
#[test]
fn the_published_example() {
    let policy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
    let mut fields = Fields::default();
    for (name, value) in [
        ("key", "user/user1/${filename}"),
        ("acl", "public-read"),
        (
            "success_action_redirect",
            "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html",
        ),
        ("Content-Type", "image/jpeg"),
        ("x-amz-meta-uuid", "14365123651274"),
        ("x-amz-server-side-encryption", "AES256"),
        (
            "X-Amz-Credential",
            "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        ),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Date", "20151229T000000Z"),
        ("x-amz-meta-tag", ""),
        ("Policy", policy),
        (
            "X-Amz-Signature",
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        ),
    ] {
        fields.push(name, value.into()).unwrap();
    }
    let now = Timestamp::from_seconds(1_451_347_200);
    let form = verifier_at(now).identify_form(&fields, BUCKET, "a.jpg").unwrap();
    assert_eq!(form.key, "user/user1/a.jpg");
    let expired = Timestamp::from_seconds(1_451_476_800);
    assert_eq!(
        verifier_at(expired)
            .identify_form(&fields, BUCKET, "a.jpg")
            .unwrap_err()
            .reason(),
        "AccessDenied"
    );
}

/// CVE-2026-27607: the conditions of a policy were not enforced.
#[test]
fn cve_2026_27607_every_condition_holds_and_every_field_is_covered() {
    let denied = "AccessDenied";
    for change in [
        ("key", Some("user/user2/a")),
        ("key", Some("user/user1")),
        ("acl", Some("private")),
        ("acl", None),
        ("content-type", Some("text/html")),
        ("content-type", Some("image/png,text/html")),
        ("content-type", None),
        ("x-amz-meta-extra", Some("1")),
        ("success_action_redirect", Some("http://elsewhere")),
        ("x-amz-date", Some("20130524T000001Z")),
        ("bucket", Some("other")),
    ] {
        let want = if change.0 == "bucket" { None } else { Some(denied) };
        let fields = form(POLICY, &[change]);
        match want {
            Some(want) => assert_eq!(reason(&fields), want, "{change:?}"),
            // A field called bucket does not stand in for the bucket of the address.
            None => assert_eq!(
                verifier()
                    .identify_form(&fields, "other", "a.jpg")
                    .unwrap_err()
                    .reason(),
                denied
            ),
        }
    }
    assert_eq!(
        verifier()
            .identify_form(&form(POLICY, &[]), "other", "a.jpg")
            .unwrap_err()
            .reason(),
        denied
    );
    for open in [
        r#"{"bucket": "sigv4examplebucket"},"#,
        r#"["starts-with", "$key", "user/user1/"],"#,
    ] {
        assert_eq!(reason(&form(&POLICY.replace(open, ""), &[])), denied, "{open}");
    }
    // These need no condition.
    verifier()
        .identify_form(
            &form(POLICY, &[("x-ignore-a", Some("1")), ("submit", Some("go"))]),
            BUCKET,
            "a",
        )
        .unwrap();
}

#[test]
fn a_changed_policy_or_signature_is_refused() {
    let other = base64::engine::general_purpose::STANDARD.encode(POLICY.replace("100", "999"));
    assert_eq!(
        reason(&form(POLICY, &[("policy", Some(&other))])),
        "SignatureDoesNotMatch"
    );
    assert_eq!(
        reason(&form(POLICY, &[("x-amz-signature", Some(&"0".repeat(64)))])),
        "SignatureDoesNotMatch"
    );
    for name in [
        "x-amz-signature",
        "policy",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-algorithm",
        "key",
    ] {
        assert_eq!(
            reason(&form(POLICY, &[(name, None)])),
            "InvalidArgument",
            "{name}"
        );
    }
    assert_eq!(
        reason(&form(POLICY, &[("x-amz-algorithm", Some("AWS4-HMAC-SHA1"))])),
        "InvalidArgument"
    );
    assert_eq!(
        reason(&form(POLICY, &[("awsaccesskeyid", Some("x"))])),
        "InvalidRequest"
    );
    assert_eq!(
        reason(&form(POLICY, &[("x-amz-security-token", Some("x"))])),
        "InvalidToken"
    );
    let unknown = "AKIANOBODYKNOWSTHIS/20130524/us-east-1/s3/aws4_request";
    assert_eq!(
        reason(&form(POLICY, &[("x-amz-credential", Some(unknown))])),
        "InvalidAccessKeyId"
    );
    let region = format!("{KEY}/20130524/eu-west-1/s3/aws4_request");
    assert_eq!(
        reason(&form(POLICY, &[("x-amz-credential", Some(&region))])),
        "InvalidArgument"
    );
}

#[test]
fn policies_that_are_not_valid() {
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"conditions": []}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z"}"#,
        r#"{"expiration": "tomorrow", "conditions": []}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [["eq", "key", "x"]]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [["like", "$key", "x"]]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [["eq", "$key"]]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [{"key": 1}]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [{}]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [["content-length-range", -1, 5]]}"#,
        r#"{"expiration": "2015-12-30T12:00:00Z", "conditions": [1]}"#,
    ] {
        assert_eq!(reason(&form(bad, &[])), "InvalidPolicyDocument", "{bad}");
    }
    let many = format!(
        r#"{{"expiration": "2015-12-30T12:00:00Z", "conditions": [{}{{"a": "b"}}]}}"#,
        r#"{"a": "b"},"#.repeat(CONDITIONS_MAX)
    );
    assert_eq!(reason(&form(&many, &[])), "InvalidPolicyDocument");
}

#[test]
fn forms_are_bounded() {
    let mut fields = Fields::default();
    fields.push("Key", "a".into()).unwrap();
    assert_eq!(
        fields.push("key", "b".into()).unwrap_err().reason(),
        "InvalidArgument"
    );
    for n in 1..FIELDS_MAX {
        fields.push(&format!("f{n}"), String::new()).unwrap();
    }
    assert_eq!(
        fields.push("more", String::new()).unwrap_err().reason(),
        "MaxPostPreDataLengthExceededError"
    );
}
