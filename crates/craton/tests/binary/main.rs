//! The binary from outside: started as a process, used through its address and its command line.
#![expect(
    clippy::disallowed_methods,
    reason = "these tests look at the files that the process under test makes"
)]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails"
)]

mod access;
mod command_line;
mod server;
mod serving;
mod traces;
