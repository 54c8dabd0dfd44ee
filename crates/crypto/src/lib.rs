//! Sealing, key tree, signatures, Merkle tree: everything cryptographic, on `aws-lc-rs`.
//!
//! Invariants: no I/O except the operating system's randomness in [`random`]; no key, plaintext or
//! seed appears in an error, a `Debug` or a log; every function that verifies compares in constant
//! time where a secret is involved; no unauthenticated byte is ever handed out.
//!
//! Deliberately absent: where sealed bytes and keys are kept (`store`), what the ledger records
//! (`gate`), and any protocol.

pub mod counted;
pub mod hash;
pub mod jose;
pub mod keys;
pub mod merkle;
pub mod note;
pub mod random;
pub mod seal;

pub use keys::SealKey;
pub use random::SystemRandom;
