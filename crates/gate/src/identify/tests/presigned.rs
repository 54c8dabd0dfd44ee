//! What must be refused of presigned addresses.

use super::*;

const HOST: (&str, &str) = ("host", "localhost:9000");

fn presigned(uri: &str, expires: u64) -> Parts {
    let mut parts = parts("GET", uri, &[HOST]);
    signer().presign(&mut parts, expires, example_time()).unwrap();
    parts
}

fn replaced(from: &str, to: &str) -> &'static str {
    let mut parts = presigned("/bucket/key?x=y", 60);
    let uri = parts.uri.to_string();
    assert!(uri.contains(from), "{uri} has no {from}");
    set_uri(&mut parts, &uri.replace(from, to));
    refusal(&parts).reason()
}

#[test]
fn an_address_is_good_from_its_date_until_it_expires() {
    let parts = presigned("/bucket/a%20key", 3600);
    let at = |seconds: i64| {
        let now = Timestamp::from_seconds(1_369_353_600u64.saturating_add_signed(seconds));
        verifier_at(now).identify(&parts)
    };
    for seconds in [-900, 0, 3600] {
        let who = identified(at(seconds));
        assert_eq!(
            who.how,
            How::Presigned {
                expires: Duration::from_secs(3600)
            }
        );
        assert_eq!(who.payload.mode(), Mode::Unsigned);
    }
    for seconds in [-901, -960, 3601, 100_000] {
        assert_eq!(at(seconds).unwrap_err().reason(), "AccessDenied", "{seconds}");
    }
}

#[test]
fn lifetimes_are_bounded() {
    for good in [1, 604_800] {
        identified(verifier().identify(&presigned("/b/k", good)));
    }
    for bad in [0, 604_801, u64::MAX] {
        assert_eq!(
            refusal(&presigned("/b/k", bad)).reason(),
            "AuthorizationQueryParametersError",
            "{bad}"
        );
    }
    for text in [
        "-1",
        "",
        "+60",
        "1e3",
        "0x10",
        "60.0",
        "99999999999999999999999",
        "%2060",
        "-9223372036854775808",
    ] {
        let reason = replaced("X-Amz-Expires=60", &format!("X-Amz-Expires={text}"));
        assert_eq!(reason, "AuthorizationQueryParametersError", "{text}");
    }
}

#[test]
fn a_changed_address_does_not_match() {
    for (from, to) in [
        ("/bucket/key", "/bucket/kez"),
        ("/bucket/key", "/bucket/key/"),
        ("x=y", "x=z"),
        ("x=y", "x=y&a=b"),
        ("x=y", "x=y&uploads"),
        ("&x=y", ""),
        ("X-Amz-Expires=60", "X-Amz-Expires=61"),
        ("T000000Z", "T000001Z"),
        ("X-Amz-Signature=", "response-content-type=a&X-Amz-Signature="),
    ] {
        assert_eq!(replaced(from, to), "SignatureDoesNotMatch", "{from} -> {to}");
    }
    let mut other = presigned("/bucket/key", 60);
    other.method = http::Method::PUT;
    assert_eq!(refusal(&other).reason(), "SignatureDoesNotMatch");
    other.method = http::Method::HEAD;
    assert_eq!(refusal(&other).reason(), "SignatureDoesNotMatch");
}

#[test]
fn parameters_are_all_there_once_and_exact() {
    for name in [
        "Algorithm",
        "Credential",
        "Date",
        "Expires",
        "SignedHeaders",
        "Signature",
    ] {
        let name = format!("X-Amz-{name}=");
        let (lower, gone) = (name.to_lowercase(), name.replace("X-Amz", "Y-Amz"));
        let twice = format!("{name}a&{name}");
        for to in [lower, gone, twice] {
            assert_eq!(
                replaced(&name, &to),
                "AuthorizationQueryParametersError",
                "{name} -> {to}"
            );
        }
    }
    for (from, to) in [
        ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1"),
        ("20130524%2F", "20130523%2F"),
        ("us-east-1", "eu-west-1"),
        ("%2Fs3%2F", "%2Fsts%2F"),
        ("%2Faws4_request", ""),
        ("SignedHeaders=host", "SignedHeaders=Host"),
        ("SignedHeaders=host", "SignedHeaders="),
    ] {
        assert_eq!(
            replaced(from, to),
            "AuthorizationQueryParametersError",
            "{from} -> {to}"
        );
    }
    assert_eq!(
        replaced("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        "NotImplemented"
    );
    assert_eq!(replaced(KEY, "AKIA"), "InvalidAccessKeyId");
    assert_eq!(replaced(KEY, "AKIANOBODYKNOWSTHIS"), "InvalidAccessKeyId");
    assert_eq!(replaced(KEY, &KEY.to_lowercase()), "InvalidAccessKeyId");
    assert_eq!(
        replaced("SignedHeaders=host", "SignedHeaders=range"),
        "AccessDenied"
    );
    assert_eq!(
        replaced("SignedHeaders=host", "SignedHeaders=host%3Brange"),
        "SignatureDoesNotMatch"
    );
}

/// CVE-2026-41145: credentials in the query with a payload mode in an unsigned header.
#[test]
fn cve_2026_41145_the_mode_of_the_payload_must_be_signed() {
    for mode in [
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "UNSIGNED-PAYLOAD",
    ] {
        let mut parts = presigned("/b/k", 60);
        set(&mut parts, "x-amz-content-sha256", mode);
        set(&mut parts, "x-amz-decoded-content-length", "1");
        assert_eq!(refusal(&parts).reason(), "AccessDenied", "{mode}");
        // Naming it in the list does not help without the key.
        let uri = parts.uri.to_string().replace(
            "SignedHeaders=host",
            "SignedHeaders=host%3Bx-amz-content-sha256%3Bx-amz-decoded-content-length",
        );
        set_uri(&mut parts, &uri);
        assert_eq!(refusal(&parts).reason(), "SignatureDoesNotMatch", "{mode}");
        let forged = "/b/k?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request";
        set_uri(&mut parts, forged);
        assert_eq!(
            refusal(&parts).reason(),
            "AuthorizationQueryParametersError",
            "{mode}"
        );
    }
}

#[test]
fn the_payload_may_be_named_in_the_query() {
    let hash = hex::encode(craton_crypto::hash::sha256(b"x"));
    let mut parts = presigned("/b/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD", 60);
    assert_eq!(
        identified(verifier().identify(&parts)).payload.mode(),
        Mode::Unsigned
    );
    set(&mut parts, "x-amz-content-sha256", &hash);
    assert_eq!(refusal(&parts).reason(), "InvalidArgument");
    let parts = presigned(&format!("/b/k?X-Amz-Content-Sha256={hash}"), 60);
    assert_eq!(
        refusal(&parts).reason(),
        "SignatureDoesNotMatch",
        "signed as unsigned, sent as hashed"
    );
}

#[test]
fn headers_can_be_signed_too() {
    let mut parts = parts("PUT", "/b/k", &[HOST, ("x-amz-acl", "private")]);
    signer().presign(&mut parts, 60, example_time()).unwrap();
    identified(verifier().identify(&parts));
    set(&mut parts, "x-amz-acl", "public-read");
    assert_eq!(refusal(&parts).reason(), "SignatureDoesNotMatch");
    parts.headers.remove("x-amz-acl");
    assert_eq!(refusal(&parts).reason(), "SignatureDoesNotMatch");
    set(&mut parts, "x-amz-acl", "private");
    set(&mut parts, "x-amz-tagging", "a=b");
    assert_eq!(refusal(&parts).reason(), "AccessDenied");
}

#[test]
fn session_tokens_are_in_the_query() {
    let mut parts = parts("GET", "/b/k", &[HOST]);
    session_signer().presign(&mut parts, 60, example_time()).unwrap();
    assert_eq!(identified(verifier().identify(&parts)).owner, "session");
    let uri = parts.uri.to_string();
    let start = uri.find("X-Amz-Security-Token=").unwrap();
    let token = uri[start..].split('&').next().unwrap();
    set_uri(&mut parts, &uri.replace(token, "X-Amz-Security-Token=other"));
    assert_eq!(refusal(&parts).reason(), "InvalidToken");
    set_uri(&mut parts, &uri.replace(&format!("{token}&"), ""));
    assert_eq!(refusal(&parts).reason(), "InvalidToken");
    set_uri(&mut parts, &uri);
    set(&mut parts, "x-amz-security-token", TOKEN);
    assert_eq!(refusal(&parts).reason(), "InvalidToken", "in both places");
}
