use proptest::prelude::*;

use super::*;
use crate::random::SystemRandom;

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes([byte; KEY_LEN])
}

#[test]
fn a_key_does_not_print_itself() {
    assert_eq!(format!("{:?}", key(0x41)), "SealKey(…)");
}

#[test]
fn generated_keys_differ() {
    assert_ne!(generate(&SystemRandom).unwrap(), generate(&SystemRandom).unwrap());
}

#[test]
fn only_32_bytes_are_a_key() {
    assert_eq!(SealKey::from_slice(&[7; 32]).unwrap(), key(7));
    for len in [0, 31, 33] {
        assert_eq!(
            SealKey::from_slice(&vec![0; len]).unwrap_err().kind(),
            Kind::Invalid
        );
    }
}

/// The value was computed with Python: `HMAC-SHA-512(32 * 0x07, "craton/derive/v1\0ledger" || 0x01)[:32]`.
#[test]
fn derive_known_answer() {
    assert_eq!(
        hex::encode(derive(&key(7), b"ledger").unwrap().expose()),
        "4bdcb33f6635a8081129311377b1de6305de4d477913f3562ea46dce7cb36df9"
    );
}

/// The value was computed with Python's `cryptography`: see the module's format.
#[test]
fn unwrap_known_answer() {
    let wrapped = hex::decode("01000102030405060708090a0b0c0d0e0f101112131415161746be181b761e8ea4a82aef4dd95ab48754fb42e76df6b42d363de32d996746ec9c4ad81aa06dfb91028952eed7c2ff50").unwrap();
    assert_eq!(unwrap(&key(7), &wrapped, b"bucket/version").unwrap(), key(9));
}

#[test]
fn each_wrap_is_different() {
    let a = wrap(&key(1), &key(2), b"c", &SystemRandom).unwrap();
    let b = wrap(&key(1), &key(2), b"c", &SystemRandom).unwrap();
    assert_ne!(a, b);
    assert_eq!(a.len(), WRAPPED_LEN);
}

proptest! {
    #[test]
    fn wrap_round_trip(kek: [u8; 32], inner: [u8; 32], context in prop::collection::vec(any::<u8>(), 0..80)) {
        let (kek, inner) = (SealKey::from_bytes(kek), SealKey::from_bytes(inner));
        let wrapped = wrap(&kek, &inner, &context, &SystemRandom).unwrap();
        prop_assert_eq!(unwrap(&kek, &wrapped, &context).unwrap(), inner);
    }

    #[test]
    fn a_changed_wrap_is_refused(bit in 0usize..WRAPPED_LEN * 8) {
        let mut wrapped = wrap(&key(1), &key(2), b"c", &SystemRandom).unwrap();
        wrapped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(unwrap(&key(1), &wrapped, b"c").unwrap_err().kind(), Kind::Corrupt);
    }

    #[test]
    fn another_context_key_or_length_is_refused(len in 0usize..WRAPPED_LEN) {
        let wrapped = wrap(&key(1), &key(2), b"context", &SystemRandom).unwrap();
        prop_assert!(unwrap(&key(1), &wrapped, b"contexu").is_err());
        prop_assert!(unwrap(&key(1), &wrapped, b"").is_err());
        prop_assert!(unwrap(&key(3), &wrapped, b"context").is_err());
        prop_assert!(unwrap(&key(1), &wrapped[..len], b"context").is_err());
        let mut longer = wrapped;
        longer.push(0);
        prop_assert!(unwrap(&key(1), &longer, b"context").is_err());
    }

    #[test]
    fn labels_give_different_keys(a in "[a-z]{0,20}", b in "[a-z]{0,20}") {
        prop_assume!(a != b);
        let derive = |label: &str| derive(&key(5), label.as_bytes()).unwrap();
        prop_assert_ne!(derive(&a), derive(&b));
        prop_assert_eq!(derive(&a), derive(&a));
    }
}

#[test]
fn a_combined_key_takes_both() {
    let [a, b, c] = [1, 2, 3].map(|n| SealKey::from_bytes([n; KEY_LEN]));
    let both = combine(&a, &b, b"x").unwrap();
    assert_eq!(both, combine(&a, &b, b"x").unwrap());
    for other in [
        combine(&b, &a, b"x").unwrap(),
        combine(&a, &c, b"x").unwrap(),
        combine(&c, &b, b"x").unwrap(),
        combine(&a, &b, b"y").unwrap(),
        derive(&a, b"x").unwrap(),
    ] {
        assert_ne!(both, other);
    }
}

#[test]
fn a_combined_key_is_hkdf() {
    // Computed with Python's hmac by RFC 5869: salt 01…, input 02….
    let both = combine(
        &SealKey::from_bytes([1; KEY_LEN]),
        &SealKey::from_bytes([2; KEY_LEN]),
        b"x",
    );
    assert_eq!(
        hex::encode(both.unwrap().expose()),
        "87a1ff647e27d032d377b54423c9ce06e8b4b16a0fb884b8e2daf1eb1c6bcf14"
    );
}
