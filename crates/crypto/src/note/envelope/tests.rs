//! The example of the protocol's own document, and what verifies.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::keys::SealKey;

fn signer(name: &str) -> Signer {
    Signer::new(name, &SealKey::from_slice(&[7; 32]).unwrap()).unwrap()
}

#[test]
fn the_encoding_is_the_protocols() {
    let found = encoded("http://example.com/HelloWorld", b"hello world");
    assert_eq!(found, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn a_signature_verifies_over_its_type_and_payload_alone() {
    let signer = signer("craton/test");
    let made = sign(&signer, "a/b", b"text").unwrap();
    assert!(
        signer
            .verifier()
            .to_string()
            .starts_with(&format!("{}+", made.key))
    );
    let key = UnparsedPublicKey::new(&ED25519, signer.verifier().public_key());
    let signature = STANDARD.decode(&made.signature).unwrap();
    key.verify(&encoded("a/b", b"text"), &signature).unwrap();
    for (kind, payload) in [("a/c", &b"text"[..]), ("a/b", b"texts"), ("a/", b"b 4 text")] {
        assert!(key.verify(&encoded(kind, payload), &signature).is_err());
    }
}

#[test]
fn a_key_whose_notes_could_be_envelopes_signs_none() {
    assert!(sign(&signer("DSSEv1"), "a/b", b"text").is_err());
}
