use proptest::prelude::*;

use super::*;

/// FIPS 180-2, appendix B.1, and the empty message.
#[test]
fn sha256_known_answers() {
    assert_eq!(
        hex::encode(sha256(b"abc")),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    assert_eq!(
        hex::encode(Sha256::default().finish()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

/// RFC 4231, test case 2.
#[test]
fn hmac_known_answer() {
    let tag = hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
    assert_eq!(
        hex::encode(tag),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert!(hmac_sha256_verify(
        b"Jefe",
        &[b"what do ya want for nothing?"],
        &tag
    ));
}

proptest! {
    #[test]
    fn pieces_hash_like_the_whole(data in prop::collection::vec(any::<u8>(), 0..300), cut in 0usize..300) {
        let (a, b) = data.split_at(cut.min(data.len()));
        let mut pieces = Sha256::new();
        pieces.update(a);
        pieces.update(b);
        prop_assert_eq!(pieces.finish(), sha256(&data));
        prop_assert_eq!(hmac_sha256(b"k", &[a, b]), hmac_sha256(b"k", &[&data]));
    }

    #[test]
    fn any_other_tag_is_refused(bit in 0usize..256, cut in 0usize..32) {
        let mut tag = hmac_sha256(b"key", &[b"data"]);
        prop_assert!(!hmac_sha256_verify(b"key", &[b"data"], &tag[..cut]));
        tag[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!hmac_sha256_verify(b"key", &[b"data"], &tag));
    }
}
