use super::*;

fn key(byte: u8) -> CountedKey {
    CountedKey::new(&SealKey::from_bytes([byte; 32])).unwrap()
}

fn sealed(number: u64, context: &[u8], message: &[u8]) -> Vec<u8> {
    let mut out = message.to_vec();
    let tag = key(1).seal(number, context, &mut out).unwrap();
    out.extend_from_slice(&tag);
    out
}

#[test]
fn opens_only_as_it_was_sealed() {
    let message = sealed(7, b"context", b"hello");
    assert_eq!(key(1).open(7, b"context", &message).unwrap(), b"hello");
    assert!(key(1).open(8, b"context", &message).is_err());
    assert!(key(1).open(7, b"other", &message).is_err());
    assert!(key(2).open(7, b"context", &message).is_err());
    for cut in 0..message.len() {
        assert!(key(1).open(7, b"context", &message[..cut]).is_err());
    }
    for at in 0..message.len() {
        let mut flipped = message.clone();
        flipped[at] ^= 1;
        assert!(key(1).open(7, b"context", &flipped).is_err());
    }
}

/// The nonce is the number in the last eight bytes: checked against the library with such a nonce.
#[test]
fn the_nonce_is_the_number() {
    let cipher = keys::aes_256_gcm(&[1; 32]).unwrap();
    let mut expected = b"hello".to_vec();
    let nonce = Nonce::assume_unique_for_key([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(b"c"), &mut expected)
        .unwrap();
    expected.extend_from_slice(tag.as_ref());
    assert_eq!(sealed(0x0102_0304_0506_0708, b"c", b"hello"), expected);
}
