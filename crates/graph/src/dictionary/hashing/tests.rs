use proptest::prelude::*;

use super::{Hashing, siphash};

/// The key 00 01 … 0f of the reference's vectors.
const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

/// The hash of the bytes 0, 1, … as the reference prints it.
fn of_first(count: u8) -> String {
    let bytes: Vec<u8> = (8..count).collect();
    let words = siphash(KEY, KEY[0], &bytes);
    words
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[test]
fn as_the_reference_does() {
    // vectors_sip128 of the reference code; `openssl mac` with SIPHASH of size 16 says the same.
    assert_eq!(of_first(8), "3b62a9ba6258f5610f83e264f31497b4");
    assert_eq!(of_first(9), "264499060ad9baabc47f8b02bb6d71ed");
    assert_eq!(of_first(16), "6ee2a4ca67b054bbfd3315bf85230577");
    assert_eq!(of_first(63), "5150d1772f50834a503e069a973fbd7c");
}

proptest! {
    #[test]
    fn other_names_kinds_and_keys_have_other_hashes(name in prop::collection::vec(any::<u8>(), 0..600), key in any::<[u64; 2]>()) {
        for hashing in [Hashing::Sha256, Hashing::Keyed(key)] {
            let hash = hashing.symbol(&name);
            prop_assert_eq!(hash, hashing.symbol(&name));
            prop_assert_ne!(hash, hashing.expression(&name));
            let longer = [name.as_slice(), &[0]].concat();
            prop_assert_ne!(hash, hashing.symbol(&longer));
        }
        prop_assert_ne!(Hashing::Keyed(key).symbol(&name), Hashing::Keyed([key[0] ^ 1, key[1]]).symbol(&name));
    }
}
