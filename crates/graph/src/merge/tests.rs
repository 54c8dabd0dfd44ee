use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::{Input, union};
use crate::{
    Block, Tuples,
    tuples::{InMemory, collect},
};

type Set = BTreeSet<(u64, u64)>;

fn input((set, removes): &(Set, bool)) -> Input {
    let rows: Vec<u64> = set.iter().flat_map(|t| [t.0, t.1]).collect();
    Input {
        tuples: Box::new(InMemory::new(2, Arc::new(rows))),
        removes: *removes,
    }
}

/// The newest input is the first.
fn model(inputs: &[(Set, bool)]) -> Vec<Vec<u64>> {
    let mut out = Set::new();
    for (set, removes) in inputs.iter().rev() {
        for tuple in set {
            if *removes {
                out.remove(tuple)
            } else {
                out.insert(*tuple)
            };
        }
    }
    out.into_iter().map(|t| vec![t.0, t.1]).collect()
}

fn inputs() -> impl Strategy<Value = Vec<(Set, bool)>> {
    let set = || prop::collection::btree_set((0..8u64, 0..8u64), 0..30);
    // Many that only add are merged in another way.
    prop_oneof![
        prop::collection::vec((set(), prop::bool::weighted(0.3)), 0..6),
        prop::collection::vec((set(), Just(false)), 5..9),
    ]
}

proptest! {
    #[test]
    fn the_newest_input_decides(inputs in inputs()) {
        let merged = union(2, inputs.iter().map(input).collect());
        let mut merged = merged;
        prop_assert_eq!(collect(&mut *merged).unwrap(), model(&inputs));
    }

    #[test]
    fn seeking_passes_over_what_is_less(inputs in inputs(), first in (0..9u64, 0..9u64), second in (0..9u64, 0..9u64)) {
        let mut merged = union(2, inputs.iter().map(input).collect());
        let mut expected = model(&inputs);
        merged.seek(&[first.0, first.1]).unwrap();
        merged.seek(&[second.0]).unwrap();
        expected.retain(|t| t[..] >= [first.0, first.1][..] && t[0] >= second.0);
        prop_assert_eq!(collect(&mut *merged).unwrap(), expected);
    }
}

#[test]
fn blocks_are_full_and_in_order() {
    let of = |n: u64| (0..20_000).map(|i| (i * 3 + n, i)).collect::<Set>();
    let inputs: Vec<_> = (0..3).map(|n| (of(n), false)).collect();
    let mut merged = union(2, inputs.iter().map(input).collect());
    let mut block = Block::default();
    let mut rows = Vec::new();
    while merged.next(&mut block).unwrap() {
        assert!(block.rows() <= Block::rows_max(2));
        rows.push(block.rows());
    }
    assert_eq!(rows.iter().sum::<usize>(), 60_000);
    assert_eq!(rows[0], 8192);
}
