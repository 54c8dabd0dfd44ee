//! Identities, sessions and answers about them through the whole gate, on a real folder.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, on a folder of its own"
)]

mod answers;
#[path = "../folder/mod.rs"]
mod folder;
mod revoked;
mod sessions;
mod shield;
mod world;
