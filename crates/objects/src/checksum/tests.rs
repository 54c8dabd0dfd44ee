use proptest::prelude::*;

use super::*;

#[test]
fn known_values() {
    // The check values of the CRC catalogue and FIPS 180 for "123456789" and "abc".
    let hex = |a, d: &[u8]| hex::encode(of(a, d));
    assert_eq!(hex(Algorithm::Crc32, b"123456789"), "cbf43926");
    assert_eq!(hex(Algorithm::Crc32c, b"123456789"), "e3069283");
    assert_eq!(hex(Algorithm::Crc64Nvme, b"123456789"), "ae8b14860a799888");
    assert_eq!(
        hex(Algorithm::Sha1, b"abc"),
        "a9993e364706816aba3e25717850c26c9cd0d89d"
    );
    assert_eq!(
        hex(Algorithm::Sha256, b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn names_and_numbers_go_both_ways() {
    for a in Algorithm::ALL {
        assert_eq!(Algorithm::from_name(a.name()), Some(a));
        assert_eq!(Algorithm::from_number(a.number()), Some(a));
        assert_eq!(of(a, b"x").len(), a.value_len());
        assert!(a.allows(a.default_scope()));
    }
}

#[test]
fn values_that_are_not_values_are_refused() {
    for text in ["", "AAAA", "!!!!", "AAAAAA==x"] {
        assert_eq!(
            Algorithm::Crc32.parse(text).unwrap_err().code(),
            "InvalidRequest",
            "{text}"
        );
    }
    assert_eq!(Algorithm::Crc32.parse("AAAAAA==").unwrap(), vec![0; 4]);
}

#[test]
fn composites_name_the_number_of_parts() {
    let value = vec![0, 0, 0, 0];
    let checksum = Checksum {
        algorithm: Algorithm::Crc32,
        scope: Scope::Composite,
        parts: 3,
        value,
    };
    assert_eq!(checksum.to_text(), "AAAAAA==-3");
}

proptest! {
    #[test]
    fn parts_combine_to_the_whole(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 0..6)
    ) {
        let whole: Vec<u8> = parts.concat();
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme] {
            let values: Vec<_> = parts.iter().map(|p| (of(algorithm, p), p.len() as u64)).collect();
            let combined = combine(algorithm, values.iter().map(|(v, n)| (&**v, *n)));
            prop_assert_eq!(combined, Some(of(algorithm, &whole)));
        }
        prop_assert_eq!(combine(Algorithm::Sha256, []), None);
    }
}
