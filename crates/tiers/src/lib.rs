//! Tiers as they are: sealed blobs at S3, Azure Blob Storage, Google Cloud Storage, or in a folder of this machine.
//!
//! Invariants
//! - what leaves here is sealed: this crate has no key and no way to one;
//! - the addresses and their secrets come from the administrator's file ([`settings`]), never from a bucket;
//! - nothing that a tier answers is parsed before it is known to be small and plain ([`guard`]).
//!
//! Deliberately absent: which objects are moved, and when; what becomes of a blob that nobody names.

mod cloud;
mod folder;
mod guard;
pub mod settings;

pub use settings::Settings;
