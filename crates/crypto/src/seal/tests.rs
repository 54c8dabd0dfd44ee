use proptest::prelude::*;

use super::*;
use crate::random::SystemRandom;

fn key(byte: u8) -> SealKey {
    SealKey::from_bytes([byte; 32])
}

fn message(len: usize) -> Vec<u8> {
    (0..len).map(|i| ((7 * i + len) % 256) as u8).collect()
}

/// Seals with a fixed salt, the plain bytes given in pieces of `piece` bytes.
fn seal_pieces(key: &SealKey, salt: [u8; SALT], context: &[u8], plain: &[u8], piece: usize) -> Vec<u8> {
    let mut sealer = Sealer::new(key, salt, context).unwrap();
    let mut out = sealer.header().to_vec();
    for part in plain.chunks(piece) {
        sealer.update(part, &mut out).unwrap();
    }
    sealer.finish(&mut out).unwrap();
    out
}

fn field<'a>(vector: &'a serde_json::Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap()
}

/// Vectors of an independent implementation; how they were made stands in `testdata/make_cobblestone.py`.
#[test]
fn agrees_with_python_cryptography() {
    let file: serde_json::Value =
        serde_json::from_str(include_str!("../../testdata/cobblestone.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 13);
    for vector in vectors {
        let key = SealKey::from_slice(&hex::decode(field(vector, "key")).unwrap()).unwrap();
        let context = hex::decode(field(vector, "context")).unwrap();
        let plain = message(vector["plain_len"].as_u64().unwrap() as usize);
        let header = hex::decode(field(vector, "header")).unwrap();
        let salt = header[..SALT].try_into().unwrap();
        for piece in [1_000, CHUNK, usize::MAX] {
            let sealed = seal_pieces(&key, salt, &context, &plain, piece);
            assert_eq!(sealed[..HEADER], header);
            assert_eq!(sealed.len() as u64, vector["sealed_len"].as_u64().unwrap());
            assert_eq!(hex::encode(hash::sha256(&sealed)), field(vector, "sealed_sha256"));
            assert_eq!(open(&key, &context, &sealed).unwrap(), plain);
        }
        if let Some(sealed) = vector["sealed"].as_str() {
            assert_eq!(
                open(&key, &context, &hex::decode(sealed).unwrap()).unwrap(),
                plain
            );
        }
    }
}

#[test]
fn lengths_at_the_borders() {
    for plain in [0, 1, 16_383, 16_384, 16_385, 1 << 20, PLAIN_MAX] {
        assert_eq!(plain_len(sealed_len(plain)).unwrap(), plain);
    }
    let full = SEALED_CHUNK as u64;
    for wrong in [0, 55, 56, 71, 56 + full, 56 + full + 15, 56 + 2 * full] {
        assert_eq!(plain_len(wrong).unwrap_err().kind(), Kind::Corrupt, "{wrong}");
    }
    assert_eq!(
        plain_len(sealed_len(PLAIN_MAX) + 17).unwrap_err().kind(),
        Kind::TooLarge
    );
    assert_eq!(plain_len(u64::MAX - 1000).unwrap_err().kind(), Kind::TooLarge);
    assert!(sealed_len(u64::MAX) > PLAIN_MAX);
}

#[test]
fn the_chunk_counter_ends() {
    let mut sealer = Sealer::new(&key(1), [0; SALT], b"").unwrap();
    sealer.next_chunk = CHUNKS_MAX - 1;
    let mut out = vec![1, 2, 3];
    let error = sealer.update(&vec![0; 2 * CHUNK], &mut out).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(out, [1, 2, 3]);
    assert!(sealer.update(&[0; CHUNK], &mut out).is_err());
    assert!(sealer.finish(&mut out).is_err());
    assert_eq!(out, [1, 2, 3]);

    let sealed = seal(&key(1), b"", b"abc", &SystemRandom).unwrap();
    let opener = Opener::new(&key(1), &sealed[..HEADER], b"").unwrap();
    for chunk in [1, CHUNKS_MAX, u64::MAX] {
        assert!(
            opener
                .open_chunks(chunk, &sealed[HEADER..], true, &mut out)
                .is_err()
        );
    }
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn an_empty_message_is_one_chunk_and_nothing_is_no_message() {
    let sealed = seal(&key(1), b"c", b"", &SystemRandom).unwrap();
    assert_eq!(sealed.len(), HEADER + TAG);
    assert_eq!(open(&key(1), b"c", &sealed).unwrap(), b"");
    let opener = Opener::new(&key(1), &sealed[..HEADER], b"c").unwrap();
    let mut out = Vec::new();
    let error = opener.open_chunks(0, &[], true, &mut out).unwrap_err();
    assert_eq!(error.reason(), "SealedTruncated");
}

#[test]
fn two_seals_of_one_message_differ() {
    let sealed = || seal(&key(1), b"c", b"same", &SystemRandom).unwrap();
    assert_ne!(sealed(), sealed());
}

/// Every nonce of a message is another one, also where the counter carries.
#[test]
fn nonces_do_not_repeat() {
    let (cipher, _) = ChunkCipher::new(&key(1), &[0; SALT], b"").unwrap();
    let near = |n: u64| n.saturating_sub(300)..(n + 300).min(CHUNKS_MAX);
    let chunks: std::collections::BTreeSet<u64> = [300, 1 << 16, 1 << 24, 1 << 32, CHUNKS_MAX]
        .into_iter()
        .flat_map(near)
        .collect();
    let nonces: std::collections::HashSet<[u8; NONCE]> = chunks
        .iter()
        .map(|n| *cipher.nonce(*n).unwrap().as_ref())
        .collect();
    assert_eq!(nonces.len(), chunks.len());
}

/// A message that spans chunks, with its sealed form and an opener.
fn three_chunks() -> (Vec<u8>, Vec<u8>, Opener) {
    let plain = message(2 * CHUNK + 100);
    let sealed = seal_pieces(&key(1), [9; SALT], b"context", &plain, 5_000);
    let opener = Opener::new(&key(1), &sealed[..HEADER], b"context").unwrap();
    (plain, sealed, opener)
}

#[test]
fn chunks_can_not_change_places() {
    let (_, sealed, opener) = three_chunks();
    let (header, chunks) = sealed.split_at(HEADER);
    let (first, rest) = chunks.split_at(SEALED_CHUNK);
    let (second, last) = rest.split_at(SEALED_CHUNK);
    let orders: [&[&[u8]]; 5] = [
        &[second, first, last],
        &[first, first, last],
        &[second, last],
        &[first, last],
        &[first, second, second, last],
    ];
    for order in orders {
        let swapped = [header, &order.concat()].concat();
        assert_eq!(
            open(&key(1), b"context", &swapped).unwrap_err().reason(),
            "SealedChunk"
        );
    }
    let mut out = b"before".to_vec();
    assert!(opener.open_chunks(1, first, false, &mut out).is_err());
    assert!(opener.open_chunks(0, rest, true, &mut out).is_err());
    assert_eq!(out, b"before");
}

#[test]
fn a_chunk_of_another_message_is_refused() {
    let (_, sealed, opener) = three_chunks();
    let other = seal_pieces(&key(1), [8; SALT], b"context", &message(2 * CHUNK + 100), CHUNK);
    let mut out = Vec::new();
    assert!(opener.open_chunks(0, &other[HEADER..], true, &mut out).is_err());
    let mixed = [&sealed[..HEADER + SEALED_CHUNK], &other[HEADER + SEALED_CHUNK..]].concat();
    assert!(open(&key(1), b"context", &mixed).is_err());
    assert!(out.is_empty());
}

#[test]
fn a_wrong_key_or_context_is_refused_by_the_header() {
    let (_, sealed, _) = three_chunks();
    let header = &sealed[..HEADER];
    for (key, context) in [(key(2), "context"), (key(1), "contex"), (key(1), "")] {
        let error = Opener::new(&key, header, context.as_bytes()).err().unwrap();
        assert_eq!(error.reason(), "SealedHeader");
    }
    assert!(Opener::new(&key(1), &sealed[..HEADER - 1], b"context").is_err());
    assert!(Opener::new(&key(1), &sealed[..HEADER + 1], b"context").is_err());
}

/// Around every chunk border, where the mistakes are.
fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![
        0usize..64,
        (0usize..4, -20isize..20).prop_map(|(n, d)| (n * CHUNK).saturating_add_signed(d)),
        0usize..3 * CHUNK,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trip_in_any_pieces(len in lengths(), piece in 1usize..40_000, key: [u8; 32], salt: [u8; 24],
                                context in prop::collection::vec(any::<u8>(), 0..100)) {
        let (key, plain) = (SealKey::from_bytes(key), message(len));
        let sealed = seal_pieces(&key, salt, &context, &plain, piece);
        prop_assert_eq!(sealed.len() as u64, sealed_len(len as u64));
        prop_assert_eq!(plain_len(sealed.len() as u64).unwrap(), len as u64);
        prop_assert_eq!(open(&key, &context, &sealed).unwrap(), plain);
    }

    #[test]
    fn any_range_opens_alone(len in lengths(), a: prop::sample::Index, b: prop::sample::Index) {
        let plain = message(len);
        let sealed = seal_pieces(&key(1), [3; SALT], b"", &plain, CHUNK);
        let (a, b) = (a.index(len + 1), b.index(len + 1));
        let range = a.min(b)..a.max(b);
        let run = run(len as u64, range.start as u64..range.end as u64).unwrap();
        let bytes = &sealed[run.sealed_offset as usize..(run.sealed_offset + run.sealed_len) as usize];
        let opener = Opener::new(&key(1), &sealed[..HEADER], b"").unwrap();
        let mut out = Vec::new();
        opener.open_chunks(run.first_chunk, bytes, run.ends_message, &mut out).unwrap();
        prop_assert_eq!(&out[run.skip..run.skip + range.len()], &plain[range.clone()]);
        // As small as can be: the chunks of the first and the last byte, and those between.
        prop_assert!(bytes.len() <= (range.len() / CHUNK + 2) * SEALED_CHUNK);
        // The end of the message is told apart from its middle.
        prop_assert!(opener.open_chunks(run.first_chunk, bytes, !run.ends_message, &mut out).is_err());
    }

    #[test]
    fn a_range_outside_is_refused(len in 0u64..100_000, a in 0u64..200_000, b in 0u64..200_000) {
        prop_assert_eq!(run(len, a..b).is_ok(), a <= b && b <= len);
    }

    #[test]
    fn any_changed_bit_is_found(len in lengths(), at: prop::sample::Index, bit in 0u8..8) {
        let mut sealed = seal(&key(1), b"c", &message(len), &SystemRandom).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        let error = open(&key(1), b"c", &sealed).unwrap_err();
        prop_assert_eq!(error.kind(), Kind::Corrupt);
        prop_assert_eq!(error.reason(), if at < HEADER { "SealedHeader" } else { "SealedChunk" });
    }

    #[test]
    fn a_failure_leaves_the_output_alone(at in HEADER..HEADER + 2 * SEALED_CHUNK + 116, bit in 0u8..8) {
        let (plain, mut sealed, opener) = three_chunks();
        sealed[at] ^= 1 << bit;
        let mut out = plain.clone();
        prop_assert!(opener.open_chunks(0, &sealed[HEADER..], true, &mut out).is_err());
        prop_assert_eq!(out, plain);
    }

    #[test]
    fn any_cut_is_found(len in lengths(), cut: prop::sample::Index) {
        let sealed = seal(&key(1), b"c", &message(len), &SystemRandom).unwrap();
        let cut = cut.index(sealed.len());
        prop_assert!(open(&key(1), b"c", &sealed[..cut]).is_err());
    }

    #[test]
    fn a_cut_at_a_chunk_border_is_found(chunks in 0usize..4) {
        let sealed = seal(&key(1), b"c", &message(4 * CHUNK), &SystemRandom).unwrap();
        let cut = &sealed[..HEADER + chunks * SEALED_CHUNK];
        prop_assert!(open(&key(1), b"c", cut).is_err());
        let opener = Opener::new(&key(1), &cut[..HEADER], b"c").unwrap();
        let mut out = Vec::new();
        let error = opener.open_chunks(0, &cut[HEADER..], true, &mut out).unwrap_err();
        prop_assert_eq!(error.reason(), "SealedTruncated");
    }

    #[test]
    fn any_extension_is_found(len in lengths(), more in prop::collection::vec(any::<u8>(), 1..40),
                              own_tail in 1usize..100) {
        let sealed = seal(&key(1), b"c", &message(len), &SystemRandom).unwrap();
        let longer = [&sealed[..], &more].concat();
        prop_assert!(open(&key(1), b"c", &longer).is_err());
        let tail = &sealed[sealed.len() - own_tail.min(sealed.len())..];
        prop_assert!(open(&key(1), b"c", &[&sealed[..], tail].concat()).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40_000)) {
        prop_assert!(open(&key(1), b"c", &bytes).is_err());
    }
}
