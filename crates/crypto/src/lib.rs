//! Sealing, key tree, signatures, Merkle tree.
