//! The growing right edge of the Merkle tree: partial tiles and the partial bundle, in memory.
//!
//! The tree is RFC 6962's; a tile of level L holds up to 256 hashes of height 8·L, as in C2SP tlog-tiles.
//! At most eight levels of 255 hashes and one bundle of 255 envelopes are held: about 64 KiB and 100 KiB,
//! and never more than 64 KiB and 4.2 MiB.
//!
//! Deliberately absent: reading proofs and checking (`crypto::merkle`, `verify`), sealing, commits.

use craton_base::{Error, Result};
use craton_crypto::merkle;

use super::{envelope, values};

pub(super) use merkle::Hash;

/// Entries of a full tile, and envelopes of a full bundle.
pub(super) const WIDTH: usize = 256;
/// Levels that a tree of 2^64 leaves has.
pub(super) const LEVELS_MAX: usize = 8;

/// A value that is to be written, by name.
pub(super) type Written = (String, Vec<u8>);

/// The right edge.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(super) struct Tree {
    pub(super) size: u64,
    /// For each level the hashes of the partial tile.
    levels: Vec<Vec<Hash>>,
    /// The partial bundle, encoded.
    bundle: Vec<u8>,
}

impl Tree {
    /// Reads the right edge of a tree of `size` leaves.
    pub(super) fn load(values: &values::Values, size: u64) -> Result<Self> {
        let mut tree = Self {
            size,
            ..Self::default()
        };
        let mut count = size;
        let mut level = 0u8;
        while count > 0 {
            let (partial, number) = (partial_of(count), count / WIDTH as u64);
            let mut hashes = match partial {
                0 => Vec::new(),
                _ => values.tile(level, number, partial)?,
            };
            if hashes.len() != partial {
                let name = values::tile_name(level, number);
                return Err(Error::corrupt(format!(
                    "the ledger's value {name} is longer than the tree"
                )));
            }
            hashes.reserve_exact(WIDTH - partial);
            tree.levels.push(hashes);
            count = number;
            level = level.saturating_add(1);
        }
        if partial_of(size) > 0 {
            tree.bundle = values.need(&values::bundle_name(size / WIDTH as u64))?;
            let count = envelopes(&tree.bundle).count();
            if count != partial_of(size) {
                return Err(Error::corrupt("the ledger's last bundle does not fit the tree"));
            }
        }
        Ok(tree)
    }

    /// Adds a leaf; full tiles and bundles go to `out`.
    pub(super) fn append(&mut self, envelope: &[u8], out: &mut Vec<Written>) -> Result<()> {
        let length = u32::try_from(envelope.len()).map_err(|_| Error::internal("an envelope is too long"))?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(envelope);
        let index = self.size;
        self.size = self.size.saturating_add(1);
        if partial_of(self.size) == 0 {
            let bundle = std::mem::take(&mut self.bundle);
            out.push((values::bundle_name(index / WIDTH as u64), bundle));
        }
        let mut hash = merkle::leaf_hash(&envelope::leaf_data(envelope));
        let mut number = index / WIDTH as u64;
        for level in 0..LEVELS_MAX {
            if self.levels.len() <= level {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            let Some(tile) = self.levels.get_mut(level) else {
                break;
            };
            tile.push(hash);
            if tile.len() < WIDTH {
                break;
            }
            hash = perfect_root(tile);
            let level = u8::try_from(level).unwrap_or(u8::MAX);
            out.push((values::tile_name(level, number), tile.concat()));
            tile.clear();
            number /= WIDTH as u64;
        }
        Ok(())
    }

    /// The partial tiles and the partial bundle: what a commit writes besides what became full. Levels whose
    /// partial tile has not grown since `size` are left out.
    pub(super) fn partial(&self, since: u64, out: &mut Vec<Written>) {
        let (mut now, mut before) = (self.size, since);
        for (level, tile) in (0u8..).zip(&self.levels) {
            if now == before {
                break;
            }
            if !tile.is_empty() {
                out.push((values::tile_name(level, now / WIDTH as u64), tile.concat()));
            }
            now /= WIDTH as u64;
            before /= WIDTH as u64;
        }
        if !self.bundle.is_empty() && self.size != since {
            out.push((values::bundle_name(self.size / WIDTH as u64), self.bundle.clone()));
        }
    }

    /// The root hash.
    pub(super) fn root(&self) -> Hash {
        let mut root = None;
        for tile in &self.levels {
            // From the right: small subtrees join larger ones to their left.
            for subtree in subtrees(tile).into_iter().rev() {
                root = Some(match root {
                    None => subtree,
                    Some(right) => merkle::node_hash(&subtree, &right),
                });
            }
        }
        root.unwrap_or_else(merkle::empty_root)
    }
}

/// How many entries the last, partial tile has when a level has `count` entries.
pub(super) fn partial_of(count: u64) -> usize {
    usize::try_from(count % WIDTH as u64).unwrap_or(0)
}

/// The root of a full tile.
pub(super) fn perfect_root(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| merkle::node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_else(merkle::empty_root)
}

/// The roots of the largest perfect subtrees that a partial tile splits into, from the left.
fn subtrees(tile: &[Hash]) -> Vec<Hash> {
    let mut out = Vec::new();
    let mut rest = tile;
    while !rest.is_empty() {
        let width = 1usize << rest.len().ilog2();
        let (left, right) = rest.split_at_checked(width).unwrap_or((rest, &[]));
        out.push(perfect_root(left));
        rest = right;
    }
    out
}

/// The envelopes of a bundle. Ends with `None` inside where the bundle is cut.
pub(super) fn envelopes(bundle: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(bundle);
    std::iter::from_fn(move || {
        let bytes = rest.take()?;
        if bytes.is_empty() {
            return None;
        }
        let split = || {
            let (length, tail) = bytes.split_first_chunk::<4>()?;
            tail.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
        };
        let Some((envelope, tail)) = split() else {
            return Some(None);
        };
        rest = Some(tail);
        Some(Some(envelope))
    })
}

#[cfg(test)]
mod tests;
