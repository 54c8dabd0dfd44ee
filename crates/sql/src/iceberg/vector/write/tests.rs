//! What is written is read back.

use super::{super::positions, *};

#[test]
fn positions_come_back() {
    let dense: Vec<u64> = (0..5000).chain([70_000, 70_002]).collect();
    let far: Vec<u64> = vec![0, 65_535, 65_536, (1 << 32) - 1, 1 << 32, (7 << 32) + 12];
    let full: Vec<u64> = (0..200_000).collect();
    for wanted in [vec![], vec![3], dense, far, full] {
        let read = positions(blob(&wanted).into(), wanted.len()).unwrap();
        assert_eq!(read, wanted);
    }
}
