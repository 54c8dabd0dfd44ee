//! What happens by itself: lifecycle rules, events to their targets, runs told of by OpenLineage, replication, access logs, inventories.
//!
//! Everything here works as the holder of [`craton_gate::Workers`]: each piece of work is a run that can be
//! seen and cancelled, reads and writes through permits of its worker's own session, and stands in the ledger.
//!
//! Invariants
//! - nothing that work does makes a request of a client wait for another machine;
//! - addresses of other machines come from the server's settings only ([`target`]), never from a bucket;
//! - work that is interrupted, by an error or a crash, is done again: at least once.
//!
//! Deliberately absent: S3's rules themselves (`craton-objects`), who may do what (the gate), protocols that
//! clients speak.

mod access_log;
mod deliver;
mod inventory;
mod lifecycle;
mod openlineage;
mod pace;
mod remote;
mod replication;
mod sink;
pub mod target;
mod work;

pub use deliver::WAITING_MAX;
pub use openlineage::{DATA_SETS_MAX, OpenLineage};
pub use sink::{Message, Sink};
pub use work::{Parts, Work};
