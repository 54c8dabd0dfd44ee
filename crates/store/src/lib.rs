//! The store: a namespace of ordered keys with atomic commits, and immutable sealed blobs.
//! The only crate that touches a disk.
//!
//! Invariants
//! - a commit that has returned is durable and all of it is visible; one that failed left nothing;
//! - a blob is named by a commit only after its bytes and its directory entry are flushed;
//! - every byte read was authenticated, and is the byte that was written for that name;
//! - nothing here grows with the size of the data: memory comes from [`budget::Budget`].
//!
//! Deliberately absent: who may do what, S3, HTTP. Only the gate holds a store.

pub mod blob;
mod bucket_keys;
pub mod budget;
mod collect;
pub mod content;
pub mod disk;
mod entries;
mod fresh;
pub mod journal;
pub mod keyring;
pub mod namespace;
mod open;
pub mod opened;
pub mod past;
pub mod scratch;
pub mod store;
pub mod tier;
mod transaction;
pub mod value;

pub use collect::Collected;
pub use open::{MEMORY_MIN, Memory, Options};
pub use past::{HeldPast, Windows};
pub use store::Store;
