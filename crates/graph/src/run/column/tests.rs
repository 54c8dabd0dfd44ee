use proptest::prelude::*;

use super::{decode, encode};

fn bytes_of(values: &[u64]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(values, &mut Vec::new(), &mut out);
    out
}

fn there_and_back(values: &[u64]) {
    let mut bytes = bytes_of(values);
    bytes.extend_from_slice(b"rest");
    let mut out = vec![3; 7];
    let rest = decode(&bytes, values.len(), &mut out).unwrap();
    assert_eq!(rest, b"rest");
    assert_eq!(out, values);
}

proptest! {
    #[test]
    fn any_column(values in prop::collection::vec(any::<u64>(), 0..500)) {
        there_and_back(&values);
    }

    #[test]
    fn small_numbers_and_few_large_ones(
        mut values in prop::collection::vec(prop_oneof![9 => 0..100u64, 1 => any::<u64>()], 0..500), sorted: bool
    ) {
        if sorted { values.sort_unstable(); }
        there_and_back(&values);
    }

    #[test]
    fn damaged_bytes_are_refused_or_are_numbers(
        bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0..300usize
    ) {
        let mut out = Vec::new();
        if decode(&bytes, rows, &mut out).is_some() {
            prop_assert_eq!(out.len(), rows);
        }
    }
}

#[test]
fn a_constant_costs_its_head() {
    assert_eq!(bytes_of(&[u64::MAX; 8192]).len(), 12);
}

#[test]
fn ascending_numbers_cost_their_steps() {
    let values: Vec<u64> = (0..8192).map(|n| (1 << 61) + n * 3).collect();
    assert!(bytes_of(&values).len() <= 12 + 8192 / 4);
}

#[test]
fn a_few_large_ones_do_not_widen_the_others() {
    let mut values: Vec<u64> = (0..8192).map(|n| n % 8).collect();
    values[77] = u64::MAX;
    assert!(bytes_of(&values).len() < 12 + 8192 * 3 / 8 + 20);
}
