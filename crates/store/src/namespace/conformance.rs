//! What every namespace must do, as public functions that panic where one does not: each is run on every
//! implementation, the model included. `make` gives a new empty namespace.
//!
//! Deliberately absent: durability (see the power-cut tests), limits of a particular engine.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code, public so that other implementations' crates can run it"
)]
