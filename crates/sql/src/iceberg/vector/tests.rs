//! Each sort of container, and damage. What other engines write is read in the client tests.

use super::*;

fn blob(bitmaps: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let mut body = MAGIC.to_vec();
    body.extend((bitmaps.len() as u64).to_le_bytes());
    for (high, bitmap) in bitmaps {
        body.extend(high.to_le_bytes());
        body.extend(bitmap);
    }
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    [
        &(body.len() as u32).to_be_bytes()[..],
        &body,
        &crc.sum().to_be_bytes(),
    ]
    .concat()
}

fn shorts(of: &[u16]) -> Vec<u8> {
    of.iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// One container without runs.
fn plain(key: u16, values: usize, content: Vec<u8>) -> Vec<u8> {
    let head = [COOKIE.to_le_bytes(), 1u32.to_le_bytes()].concat();
    [head, shorts(&[key, (values - 1) as u16]), vec![0; 4], content].concat()
}

#[test]
fn arrays_bitmaps_and_runs_are_read() {
    let array = plain(2, 3, shorts(&[1, 5, 9]));
    let mut words = vec![0u8; 8192];
    words[..625].fill(0xff);
    let bits = plain(0, 5000, words);
    let runs = [
        COOKIE_RUNS.to_le_bytes().to_vec(),
        vec![1],
        shorts(&[1, 12]),
        shorts(&[2, 3, 1, 100, 10]),
    ]
    .concat();
    let found = positions(blob(&[(0, array), (1, bits), (7, runs)]).into(), 1 << 20).unwrap();
    assert_eq!(found[..3], [2 << 16 | 1, 2 << 16 | 5, 2 << 16 | 9]);
    assert_eq!(
        found[3..5003],
        (0..5000).map(|n| 1 << 32 | n).collect::<Vec<u64>>()
    );
    let base = 7 << 32 | 1 << 16;
    let expected: Vec<u64> = [3, 4].into_iter().chain(100..=110).map(|n| base | n).collect();
    assert_eq!(found[5003..], expected);
}

#[test]
fn damage_is_an_error() {
    let whole = blob(&[(0, plain(2, 3, shorts(&[1, 5, 9])))]);
    for end in 0..whole.len() {
        assert!(
            positions(whole[..end].to_vec().into(), 100).is_err(),
            "cut at {end}"
        );
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        assert!(positions(damaged.into(), 100).is_err(), "a bit at {at}");
    }
    let unordered = blob(&[(0, plain(2, 3, shorts(&[5, 1, 9])))]);
    assert!(positions(unordered.into(), 100).is_err());
    assert_eq!(positions(whole.into(), 2).unwrap_err().reason(), "TooManyDeletes");
}
