use ::md5::{Digest as _, Md5 as Library};
use proptest::prelude::*;

use super::*;

fn library(data: &[u8]) -> [u8; 16] {
    Library::digest(data).into()
}

#[test]
fn the_test_suite_of_the_rfc() {
    let cases = [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        ),
    ];
    for (text, digest) in cases {
        assert_eq!(hex::encode(Md5::of(text.as_bytes())), digest);
    }
}

#[test]
fn every_length_around_a_block_is_padded_right() {
    let data = [7; 200];
    for len in 0..data.len() {
        assert_eq!(Md5::of(&data[..len]), library(&data[..len]), "{len} bytes");
    }
}

/// The bytes of a stream, cut into pieces.
fn pieces() -> impl Strategy<Value = Vec<Bytes>> {
    let piece = (0usize..700, any::<u8>()).prop_map(|(len, seed)| {
        let bytes = (0..len).map(|n| (n as u8).wrapping_mul(31).wrapping_add(seed));
        bytes.collect::<Bytes>()
    });
    prop::collection::vec(piece, 0..8)
}

proptest! {
    #[test]
    fn streams_beside_each_other_do_not_change_each_other(
        rounds in prop::collection::vec(prop::collection::vec(pieces(), 20), 1..4),
        streams in 0usize..20,
    ) {
        let mut digests = vec![Md5::default(); streams];
        let mut whole = vec![Vec::new(); streams];
        for round in &rounds {
            update_all(digests.iter_mut().zip(round).map(|(md5, pieces)| Append { md5, pieces }));
            for (all, pieces) in whole.iter_mut().zip(round) {
                all.extend(pieces.concat());
            }
        }
        for (md5, all) in digests.into_iter().zip(&whole) {
            prop_assert_eq!(md5.finish(), library(all));
        }
    }
}
