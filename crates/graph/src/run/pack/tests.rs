use proptest::prelude::*;

use super::{bits, pack, packed_len, unpack};

proptest! {
    #[test]
    fn what_was_packed_is_unpacked(width in 0..=64usize, values in prop::collection::vec(any::<u64>(), 0..300)) {
        let values: Vec<u64> = values.iter().map(|v| if width == 0 { 0 } else { v >> (64 - width) }).collect();
        let mut packed = Vec::new();
        pack(&values, width, &mut packed);
        prop_assert_eq!(packed.len(), packed_len(values.len(), width));
        let mut out = vec![9];
        unpack(&packed, width, values.len(), &mut out).unwrap();
        prop_assert_eq!(&out[1..], &values[..]);
        prop_assert!(unpack(&packed, width, values.len() + 64, &mut out).is_none() || width == 0);
    }
}

#[test]
fn bits_of_the_ends() {
    assert_eq!([0, 1, 2, 255, 256, u64::MAX].map(bits), [0, 1, 2, 8, 9, 64]);
}
