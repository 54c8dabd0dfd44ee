//! The synchronisation that the table is built from, in one place: the tests compile the same table
//! a second time against `shuttle`, which tries interleavings.

pub(super) use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

pub(super) use parking_lot::{Mutex, MutexGuard};

/// Locks; there is no poisoning.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}
