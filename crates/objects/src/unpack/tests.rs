use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use futures::{TryStreamExt as _, executor::block_on};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    compress_to_vec(data, CompressionLevel::Fastest)
}

/// What comes out of input in pieces of this size, and the largest piece of it.
fn out(input: &[u8], piece: usize) -> Result<(Vec<u8>, usize), BaseError> {
    let pieces: Vec<Result<Bytes, BaseError>> = input
        .chunks(piece)
        .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
        .collect();
    block_on(async {
        let unpacked = unpacked(Box::pin(stream::iter(pieces)))
            .await
            .map_err(|e| e.to_base())?;
        let pieces: Vec<Bytes> = unpacked.try_collect().await?;
        let largest = pieces.iter().map(Bytes::len).max().unwrap_or_default();
        Ok((pieces.concat(), largest))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_was_packed_comes_out(
        data in proptest::collection::vec(0u8..4, 0..300_000), cut in 0usize..1000, piece in 1usize..9000,
    ) {
        let (front, back) = data.split_at(cut.min(data.len()));
        for pack in [gzip, zstd] {
            prop_assert_eq!(&out(&pack(&data), piece).unwrap().0, &data);
            let two = [pack(front), pack(back)].concat();
            prop_assert_eq!(&out(&two, piece).unwrap().0, &data);
        }
    }

    #[test]
    fn what_is_not_packed_passes(data in proptest::collection::vec(any::<u8>(), 0..100), piece in 1usize..9) {
        prop_assume!(!data.starts_with(GZIP) && !data.starts_with(ZSTD));
        prop_assert_eq!(out(&data, piece).unwrap().0, data);
    }

    #[test]
    fn what_is_cut_or_altered_is_an_error_or_the_same(
        data in proptest::collection::vec(any::<u8>(), 100..2000), at in any::<prop::sample::Index>(), bit in 0u8..8,
    ) {
        for (verifies, packed) in [(true, gzip(&data)), (false, zstd(&data))] {
            let cut = packed.get(..at.index(packed.len() - 4) + 4).unwrap();
            prop_assert!(out(cut, 64).is_err());
            let mut altered = packed.clone();
            let at = 4 + at.index(packed.len() - 4);
            altered[at] ^= 1 << bit;
            if let Ok((got, _)) = out(&altered, 64) {
                prop_assert!(!verifies || got == data, "byte {}", at);
            }
        }
    }
}

#[test]
fn a_bomb_comes_out_in_small_pieces() {
    let zeros = vec![0; 32 << 20];
    for (packed, most) in [
        (gzip(&zeros), 2 << 20),
        (zstd(&zeros), WINDOW_MAX as usize + BLOCK_MAX),
    ] {
        assert!(packed.len() < 100_000);
        let (got, largest) = out(&packed, 1 << 20).unwrap();
        assert_eq!(got.len(), zeros.len());
        assert!(largest <= most, "{largest} bytes at once");
    }
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    // No content size, no single segment; a window of 16 MiB (exponent 14 over 1 KiB); one empty last block.
    let frame = [ZSTD, &[0, 14 << 3, 1, 0, 0]].concat();
    let error = out(&frame, 100).unwrap_err();
    assert_eq!(error.reason(), "InvalidRequest");
    // With one of 8 MiB it is good.
    let frame = [ZSTD, &[0, 13 << 3, 1, 0, 0]].concat();
    assert!(out(&frame, 100).unwrap().0.is_empty());
}
