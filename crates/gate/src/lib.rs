//! Identity, policy, borrowing, the ledger and permits: the only way to data.

pub mod borrow;
pub mod identify;
pub mod ledger;
pub mod policy;
