use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

/// The independent implementation.
pub(super) type Oracle = MemoryBackedTree<sha2::Sha256, Vec<u8>>;

/// A log as it would be stored: its tiles, and the roots of all its sizes.
#[derive(Default)]
pub(super) struct Log {
    pub(super) range: CompactRange,
    pub(super) tiles: BTreeMap<(u8, u64), Vec<u8>>,
    pub(super) roots: Vec<Hash>,
}

pub(super) fn leaf(number: u64) -> Vec<u8> {
    format!("leaf {number}").into_bytes()
}

impl Log {
    pub(super) fn of(size: u64) -> Self {
        let mut out = Self::default();
        out.roots.push(out.range.root());
        for number in 0..size {
            let tiles = &mut out.tiles;
            out.range
                .append(leaf_hash(&leaf(number)), |node, hash| {
                    if let Some((level, index, offset)) = tile::place(node) {
                        let tile = tiles.entry((level, index)).or_default();
                        assert_eq!(tile.len(), usize::from(offset) * 32);
                        tile.extend_from_slice(hash);
                    }
                })
                .unwrap();
            out.roots.push(out.range.root());
        }
        out
    }

    /// The log's tiles as they were at some earlier size, or as they are now.
    pub(super) fn read(&self, tile: tile::Tile) -> Result<Vec<u8>> {
        let bytes = self.tiles.get(&(tile.level(), tile.index()));
        bytes
            .cloned()
            .ok_or_else(|| Error::internal(format!("no {}", tile.path())))
    }
}

pub(super) fn oracle(size: u64) -> Oracle {
    let mut out = Oracle::new();
    for number in 0..size {
        out.push(leaf(number));
    }
    out
}

/// RFC 6962 over SHA-256: the empty tree and the empty leaf, as in every implementation of the RFC.
#[test]
fn known_answers() {
    assert_eq!(
        hex::encode(empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!(
        hex::encode(leaf_hash(b"")),
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    );
    assert_eq!(CompactRange::new().root(), empty_root());
}

#[test]
fn every_root_agrees_with_ct_merkle() {
    let log = Log::of(600);
    let mut oracle = Oracle::new();
    for number in 0..600 {
        oracle.push(leaf(number));
        assert_eq!(log.roots[number as usize + 1], oracle.root().as_bytes()[..]);
    }
}

#[test]
fn append_tells_each_completed_node_once() {
    let mut nodes = Vec::new();
    let mut range = CompactRange::new();
    for number in 0..37 {
        range
            .append(leaf_hash(&leaf(number)), |node, _| nodes.push(node))
            .unwrap();
    }
    nodes.sort();
    let expected: Vec<Node> = (0..6)
        .flat_map(|height| (0..37 >> height).map(move |index| Node { height, index }))
        .collect();
    assert_eq!(nodes, expected);
}

#[test]
fn parts_must_fit_the_size() {
    let range = Log::of(7).range;
    let again = CompactRange::from_parts(7, range.roots().to_vec()).unwrap();
    assert_eq!(again, range);
    for size in [0, 6, 8, 15] {
        assert!(CompactRange::from_parts(size, range.roots().to_vec()).is_err());
    }
    let roots = vec![[0; 32]; 64];
    let mut full = CompactRange::from_parts(u64::MAX, roots).unwrap();
    assert_eq!(
        full.append([0; 32], |_, _| ()).unwrap_err().kind(),
        Kind::TooLarge
    );
}

proptest! {
    #[test]
    fn a_leaf_is_never_a_node(left: [u8; 32], right: [u8; 32]) {
        prop_assert_ne!(leaf_hash(&[left, right].concat()), node_hash(&left, &right));
    }
}
