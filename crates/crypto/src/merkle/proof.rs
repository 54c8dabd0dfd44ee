//! Proofs that a leaf is in a tree and that one tree is the beginning of another: made from tiles
//! (RFC 6962, sections 2.1.1 and 2.1.2) and verified (RFC 9162, sections 2.1.3.2 and 2.1.4.2).
//!
//! Invariants: making a proof reads at most a few tiles of each level and keeps only those;
//! a proof from tiles that have changed does not verify, so making one need not check them.

use std::collections::BTreeMap;

use craton_base::{Error, Kind, Result};

use super::{
    CompactRange, Hash, Node, empty_root, fold_roots, node_hash,
    tile::{self, Tile},
};

/// More hashes than any proof in a tree of less than 2^64 leaves has; for whoever reads a proof from outside.
pub const PROOF_MAX: usize = 65;

/// The tree of a size, read through its tiles.
pub struct TileTree<R> {
    size: u64,
    read: R,
    seen: BTreeMap<Tile, Vec<u8>>,
}

impl<R: FnMut(Tile) -> Result<Vec<u8>>> TileTree<R> {
    /// `read` gives the bytes of a tile; a wider one than asked for will do.
    pub fn new(size: u64, read: R) -> Self {
        Self {
            size,
            read,
            seen: BTreeMap::new(),
        }
    }

    /// The roots of the perfect subtrees: to append further, and to know the root. Compare the root with a signed
    /// one before trusting it.
    ///
    /// # Errors
    /// As `read`; [`Kind::Corrupt`] if a tile has the wrong length.
    pub fn compact_range(&mut self) -> Result<CompactRange> {
        self.seen.clear();
        let roots = self.perfect_roots(0, self.size)?;
        CompactRange::from_parts(self.size, roots)
    }

    /// The proof that the leaf `index` is in the tree, from the leaf's sibling upwards.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if the tree has no such leaf; as `read`; [`Kind::Corrupt`] if a tile has the wrong length.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>> {
        if index >= self.size {
            return Err(Error::invalid(format!(
                "a tree of {} leaves has no leaf {index}",
                self.size
            )));
        }
        self.seen.clear();
        let mut proof = Vec::new();
        let (mut low, mut high) = (0, self.size);
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                proof.push(self.subtree(middle, high)?);
                high = middle;
            } else {
                proof.push(self.subtree(low, middle)?);
                low = middle;
            }
        }
        proof.reverse();
        Ok(proof)
    }

    /// The proof that the tree begins with the tree of `old` leaves. Empty if `old` is 0 or the size.
    ///
    /// # Errors
    /// [`Kind::Invalid`] if `old` is above the size; as `read`; [`Kind::Corrupt`] if a tile has the wrong length.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>> {
        if old > self.size {
            return Err(Error::invalid(format!(
                "a tree of {} leaves does not begin with one of {old}",
                self.size
            )));
        }
        if old == 0 {
            return Ok(Vec::new());
        }
        self.seen.clear();
        let mut proof = Vec::new();
        let (mut low, mut high) = (0, self.size);
        while old != high {
            let middle = low + split(high - low);
            if old <= middle {
                proof.push(self.subtree(middle, high)?);
                high = middle;
            } else {
                proof.push(self.subtree(low, middle)?);
                low = middle;
            }
        }
        // A subtree that starts at 0 is the old tree itself, whose root the verifier has.
        if low > 0 {
            proof.push(self.subtree(low, high)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The root over the leaves `low..high`, a subtree of the recursion in RFC 6962.
    fn subtree(&mut self, low: u64, high: u64) -> Result<Hash> {
        Ok(fold_roots(&self.perfect_roots(low, high)?))
    }

    /// The roots of the perfect subtrees of `low..high`, the largest first. `low` is a multiple of the largest.
    fn perfect_roots(&mut self, mut low: u64, high: u64) -> Result<Vec<Hash>> {
        let mut roots = Vec::new();
        while let Some(height) = (high - low).checked_ilog2() {
            let node = Node {
                height: u8::try_from(height).unwrap_or(u8::MAX),
                index: low >> height,
            };
            roots.push(self.node(node)?);
            low += 1 << height;
        }
        Ok(roots)
    }

    /// A node, hashed from the tile of the level at or below it.
    fn node(&mut self, node: Node) -> Result<Hash> {
        let missing = || Error::internal("a node is not in the tree");
        let (level, above) = (node.height / tile::HEIGHT, node.height % tile::HEIGHT);
        let first = node.index << above;
        let width = u64::from(tile::WIDTH);
        let tile = Tile::in_tree(self.size, level, first / width).ok_or_else(missing)?;
        let start = usize::try_from(first % width).map_err(|_| missing())?;
        let bytes = match self.seen.entry(tile) {
            std::collections::btree_map::Entry::Occupied(seen) => seen.into_mut(),
            std::collections::btree_map::Entry::Vacant(space) => space.insert((self.read)(tile)?),
        };
        let hashes = tile.hashes(bytes)?;
        perfect_root(hashes.get(start..start + (1 << above)).ok_or_else(missing)?).ok_or_else(missing)
    }
}

/// The root over 2^n hashes.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}

/// The largest power of two below `len`, which is at least 2.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// Verifies that the leaf with the hash `leaf` is number `index` of the tree with `size` leaves and `root`.
/// Size and root must come from one signed checkpoint: a root alone does not say the size (leaf 1 of 2 and
/// leaf 2 of 3 have proofs of one shape).
///
/// # Errors
/// [`Kind::Corrupt`] `ProofRefused`.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> Result<()> {
    if index >= size {
        return Err(refused());
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return Err(refused());
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            (at, last) = skip_right_edge(at, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    accept(last == 0 && hash == *root)
}

/// Verifies that the tree with `new_size` leaves and `new_root` begins with the tree of `old_size` and `old_root`.
///
/// # Errors
/// [`Kind::Corrupt`] `ProofRefused`.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<()> {
    if old_size == new_size {
        let known = new_size > 0 || *new_root == empty_root();
        return accept(known && proof.is_empty() && old_root == new_root);
    }
    if old_size == 0 {
        return accept(proof.is_empty() && *old_root == empty_root());
    }
    if old_size > new_size {
        return Err(refused());
    }
    // The root of a perfect old tree is a node of the new tree, and the proof leaves it out.
    let (start, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or_else(refused)?
    };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    let full = at.trailing_ones();
    (at, last) = (at >> full, last >> full);
    let (mut old_hash, mut new_hash) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return Err(refused());
        }
        if at % 2 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            (at, last) = skip_right_edge(at, last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    accept(last == 0 && old_hash == *old_root && new_hash == *new_root)
}

/// Climbs over the levels at which an even node of the right edge has no sibling.
fn skip_right_edge(at: u64, last: u64) -> (u64, u64) {
    if at == 0 {
        return (at, last);
    }
    let up = at.trailing_zeros();
    (at >> up, last >> up)
}

fn accept(verified: bool) -> Result<()> {
    if verified { Ok(()) } else { Err(refused()) }
}

fn refused() -> Error {
    Error::new(Kind::Corrupt, "ProofRefused", "a Merkle proof does not verify")
}

#[cfg(test)]
mod tests;
