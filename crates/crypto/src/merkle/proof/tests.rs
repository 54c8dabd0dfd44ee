use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::merkle::{
    leaf_hash,
    tests::{Log, leaf, oracle},
};

/// Larger than a tile of tiles, so that three levels take part.
const SIZE: u64 = 66_000;
static LOG: LazyLock<Log> = LazyLock::new(|| Log::of(SIZE));

fn tree(size: u64) -> TileTree<impl FnMut(Tile) -> Result<Vec<u8>>> {
    TileTree::new(size, |tile| LOG.read(tile))
}

fn root(size: u64) -> &'static Hash {
    &LOG.roots[size as usize]
}

fn leaf_of(number: u64) -> Hash {
    leaf_hash(&leaf(number))
}

/// Sizes of all magnitudes, often around a tile's border.
fn sizes() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..600,
        (1u64..257, -2i64..3).prop_map(|(n, d)| (256 * n).saturating_add_signed(d)),
        0u64..SIZE + 1,
    ]
    .prop_map(|size| size.min(SIZE))
}

#[test]
fn small_trees_agree_with_ct_merkle() {
    for size in 1..80_u64 {
        let oracle = oracle(size);
        for index in 0..size {
            let ours = tree(size).inclusion(index).unwrap().concat();
            assert_eq!(ours, oracle.prove_inclusion(index as usize).as_bytes());
        }
        for old in 1..=size {
            let ours = tree(size).consistency(old).unwrap().concat();
            assert_eq!(ours, oracle.prove_consistency((size - old) as usize).as_bytes());
        }
    }
}

#[test]
fn every_small_proof_verifies_for_nothing_else() {
    for size in 1..24 {
        for index in 0..size {
            let proof = tree(size).inclusion(index).unwrap();
            for (other, number) in (0..size).flat_map(|o| (0..size).map(move |n| (o, n))) {
                let verified = verify_inclusion(&leaf_of(number), other, size, &proof, root(size)).is_ok();
                assert_eq!(
                    verified,
                    (other, number) == (index, index),
                    "{size} {index} {other} {number}"
                );
            }
        }
        for old in 0..=size {
            let proof = tree(size).consistency(old).unwrap();
            for other in 0..=size {
                let verified = verify_consistency(old, root(other), size, root(size), &proof).is_ok();
                assert_eq!(verified, old == other, "{size} {old} {other}");
            }
        }
    }
}

#[test]
fn what_is_not_in_the_tree_has_no_proof() {
    assert!(tree(0).inclusion(0).is_err());
    assert!(tree(5).inclusion(5).is_err());
    assert!(tree(5).consistency(6).is_err());
    assert!(verify_inclusion(&leaf_of(0), 0, 0, &[], &empty_root()).is_err());
    assert!(verify_consistency(6, root(6), 5, root(5), &[]).is_err());
    assert!(verify_consistency(0, root(1), 5, root(5), &[]).is_err());
    assert!(verify_consistency(0, root(5), 0, root(5), &[]).is_err());
    assert!(verify_consistency(3, root(3), 5, root(5), &[]).is_err());
    assert!(verify_consistency(0, root(0), 5, root(5), &[]).is_ok());
}

#[test]
fn a_failing_or_wrong_reader_is_an_error() {
    let fails = |_: Tile| Err::<Vec<u8>, _>(Error::internal("no disk"));
    assert_eq!(
        TileTree::new(300, fails).inclusion(3).unwrap_err().kind(),
        Kind::Internal
    );
    let short = |tile: Tile| Ok(vec![0; tile.byte_len() - 1]);
    assert_eq!(
        TileTree::new(300, short).compact_range().unwrap_err().kind(),
        Kind::Corrupt
    );
}

#[test]
fn the_largest_tree_needs_few_tiles() {
    let mut reads = 0;
    let mut tree = TileTree::new(u64::MAX, |tile: Tile| {
        reads += 1;
        Ok(vec![1; tile.byte_len()])
    });
    assert_eq!(tree.compact_range().unwrap().roots().len(), 64);
    assert!(tree.inclusion(u64::MAX / 3).unwrap().len() <= PROOF_MAX);
    assert!(tree.inclusion(u64::MAX - 1).unwrap().len() <= PROOF_MAX);
    assert!(tree.consistency(u64::MAX / 3).unwrap().len() <= PROOF_MAX);
    assert!(reads <= 4 * 16, "{reads}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn tiles_give_the_root(size in sizes()) {
        let range = tree(size).compact_range().unwrap();
        prop_assert_eq!(&range.root(), root(size));
        let mut grown = range;
        if size < SIZE {
            grown.append(leaf_of(size), |_, _| ()).unwrap();
            prop_assert_eq!(&grown.root(), root(size + 1));
        }
    }

    #[test]
    fn inclusion_verifies_and_its_mutations_do_not(
        size in sizes(), index: prop::sample::Index, at: prop::sample::Index, bit in 0usize..256, other in sizes(),
    ) {
        let size = size.max(1);
        let index = index.index(size as usize) as u64;
        let (leaf, proof) = (leaf_of(index), tree(size).inclusion(index).unwrap());
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, root(size)).is_ok());
        prop_assert!(verify_inclusion(&leaf_of(index + 1), index, size, &proof, root(size)).is_err());
        prop_assert!(other == size || verify_inclusion(&leaf, index, size, &proof, root(other)).is_err());
        let longer = [proof.as_slice(), &[leaf]].concat();
        prop_assert!(verify_inclusion(&leaf, index, size, &longer, root(size)).is_err());
        if !proof.is_empty() {
            let mut changed = proof.clone();
            changed[at.index(proof.len())][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(&leaf, index, size, &changed, root(size)).is_err());
            prop_assert!(verify_inclusion(&leaf, index, size, &proof[1..], root(size)).is_err());
            prop_assert!(verify_inclusion(&leaf, index ^ 1, size, &proof, root(size)).is_err());
        }
    }

    #[test]
    fn consistency_verifies_and_its_mutations_do_not(
        a in sizes(), b in sizes(), at: prop::sample::Index, bit in 0usize..256, other in sizes(),
    ) {
        let (old, new) = (a.min(b), a.max(b));
        let proof = tree(new).consistency(old).unwrap();
        prop_assert!(verify_consistency(old, root(old), new, root(new), &proof).is_ok());
        let longer = [proof.as_slice(), &[[0; 32]]].concat();
        prop_assert!(verify_consistency(old, root(old), new, root(new), &longer).is_err());
        prop_assert!(other == old || verify_consistency(old, root(other), new, root(new), &proof).is_err());
        prop_assert!(other == new || old == 0
            || verify_consistency(old, root(old), new, root(other), &proof).is_err());
        if !proof.is_empty() {
            let mut changed = proof.clone();
            changed[at.index(proof.len())][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_consistency(old, root(old), new, root(new), &changed).is_err());
            prop_assert!(verify_consistency(old, root(old), new, root(new), &proof[1..]).is_err());
        }
    }

    /// A verifier gets proofs from anybody.
    #[test]
    fn arbitrary_proofs_are_refused(index: u64, size: u64, proof in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        prop_assert!(verify_inclusion(&[1; 32], index, size, &proof, &[2; 32]).is_err());
        prop_assert!(verify_consistency(index, &[1; 32], size, &[2; 32], &proof).is_err());
    }
}
