//! The Merkle tree of the ledger: RFC 6962 hashes, C2SP tiles (<https://c2sp.org/tlog-tiles>), proofs.
//!
//! Invariants: a leaf can not pass for an inner node (they are hashed with different first bytes);
//! memory is a few tiles at most, never the tree.
//!
//! Deliberately absent: what a leaf holds, where tiles are kept, and who signs a root (`note`).

pub mod proof;
pub mod tile;

use craton_base::{Error, Kind, Result};

use crate::hash::{Sha256, sha256};

/// A SHA-256 hash of a leaf or of a subtree.
pub type Hash = [u8; 32];

/// The hash of a leaf (RFC 6962, section 2.1): `SHA-256(0x00 || data)`.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    prefixed(0, &[data])
}

/// The hash of an inner node (RFC 6962, section 2.1): `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    prefixed(1, &[left, right])
}

/// The root of the tree without leaves: `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

fn prefixed(prefix: u8, parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(&[prefix]);
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

/// A perfect subtree: the leaves from `index << height` up to `(index + 1) << height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// 0 is a leaf.
    pub height: u8,
    /// Counted from the left among the nodes of its height.
    pub index: u64,
}

/// A tree told by the roots of its perfect subtrees, at most 64 of them: enough to append and to know the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    /// The largest (leftmost) first; one for each bit that is set in `size`.
    roots: Vec<Hash>,
}

impl CompactRange {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self {
            size: 0,
            roots: Vec::new(),
        }
    }

    /// A tree of `size` leaves from the roots of its perfect subtrees, the largest first.
    ///
    /// # Errors
    /// [`Kind::Corrupt`] if there is not one root for each set bit of `size`.
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Result<Self> {
        if roots.len() != size.count_ones() as usize {
            return Err(Error::corrupt(format!(
                "a tree of {size} leaves has {} perfect subtrees, not {}",
                size.count_ones(),
                roots.len()
            )));
        }
        Ok(Self { size, roots })
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, the largest first.
    #[must_use]
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends a leaf by its hash. `completed` gets every node that is complete now: the leaf itself, then
    /// its parents upwards.
    ///
    /// # Errors
    /// [`Kind::TooLarge`] at 2^64 - 1 leaves.
    pub fn append(&mut self, leaf: Hash, mut completed: impl FnMut(Node, &Hash)) -> Result<()> {
        let size = self
            .size
            .checked_add(1)
            .ok_or_else(|| Error::new(Kind::TooLarge, "TreeTooLarge", "a tree has less than 2^64 leaves"))?;
        let (mut hash, mut height, mut index) = (leaf, 0, self.size);
        completed(Node { height, index }, &hash);
        while index % 2 == 1 {
            let Some(left) = self.roots.pop() else {
                return Err(Error::internal("a tree has too few perfect subtrees"));
            };
            hash = node_hash(&left, &hash);
            height += 1;
            index /= 2;
            completed(Node { height, index }, &hash);
        }
        self.roots.push(hash);
        self.size = size;
        Ok(())
    }

    /// The root of the whole tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_roots(&self.roots)
    }
}

impl Default for CompactRange {
    fn default() -> Self {
        Self::new()
    }
}

/// The root over neighbouring perfect subtrees, the largest first.
fn fold_roots(roots: &[Hash]) -> Hash {
    roots
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(empty_root)
}

#[cfg(test)]
mod tests;
