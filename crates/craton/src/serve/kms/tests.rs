use super::*;

fn reason(answer: Value) -> (Kind, &'static str) {
    let error = refused("k", 400, Some(&answer));
    (error.kind(), error.reason())
}

#[test]
fn refusals() {
    assert_eq!(
        reason(json!({ "__type": "NotFoundException" })),
        (Kind::Invalid, "KMS.NotFoundException")
    );
    assert_eq!(
        reason(json!({ "__type": "com.amazonaws.kms#DisabledException" })),
        (Kind::Invalid, "KMS.DisabledException")
    );
    assert_eq!(
        reason(json!({ "__type": "AccessDeniedException", "Message": "no" })),
        (Kind::Denied, "AccessDenied")
    );
    assert_eq!(
        reason(json!({ "__type": "InvalidCiphertextException" })).0,
        Kind::Corrupt
    );
    assert_eq!(
        reason(json!({ "other": 1 })),
        (Kind::Unavailable, "KeyServiceUnavailable")
    );
    assert_eq!(refused("k", 502, None).kind(), Kind::Unavailable);
}

#[test]
fn keys_in_answers() {
    let good = json!({ "Plaintext": BASE64.encode([7; 32]) });
    assert_eq!(key_of(&good).unwrap(), SealKey::from_bytes([7; 32]));
    for bad in [
        json!({}),
        json!({ "Plaintext": 1 }),
        json!({ "Plaintext": "!" }),
        json!({ "Plaintext": BASE64.encode([7; 31]) }),
    ] {
        assert_eq!(key_of(&bad).unwrap_err().kind(), Kind::Unavailable, "{bad}");
    }
}
