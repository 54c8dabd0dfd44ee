//! S3 semantics without the protocol: buckets, objects, listings, copies, multipart uploads.
//!
//! Everything is read and written through a permit of the gate. The functions take a permit that
//! stands for the decision, and plain values; they answer with plain values or an [`Error`] whose
//! meaning is S3's.
//!
//! Invariants
//! - an object becomes visible by one commit, after its bytes are durable and every digest that the
//!   client stated was compared;
//! - a body is held in memory only in pieces, and at most [`body::HASH_BATCH_BYTES`] twice over
//!   besides what the gate buffers;
//! - of concurrent conditional writes exactly one wins: the condition is a precondition of the commit.
//!
//! Deliberately absent: HTTP, XML, signatures, policy, and every type of the store.

pub mod archive;
pub mod body;
pub mod bucket;
pub mod checksum;
pub mod condition;
pub mod copy;
pub mod delete;
pub mod digest;
pub mod encryption;
pub mod error;
pub mod extract;
mod filter;
pub mod get;
mod hashing;
pub mod inventory;
pub mod lifecycle;
pub mod list;
pub mod lock;
pub mod logging;
mod md5;
pub mod meta;
pub mod multipart;
mod notice;
pub mod notification;
pub mod pack;
pub mod past;
pub mod put;
pub mod range;
pub mod replica;
pub mod replication;
pub mod tagging;
pub mod tiering;
mod unpack;
pub mod version;

pub use error::{Error, Fault, Result};
