//! Two steps of one stream on two threads, a few batches apart.
//!
//! Deliberately absent: what is in a batch.

use std::{sync::mpsc, thread};

use craton_base::{Error, Kind, Result};

/// Batches that wait for the second step.
const WAITING: usize = 4;
/// The reason of the first step's error where the second has ended.
const ENDED: &str = "PipeEnded";

/// Calls `produce` here, and `consume` with what it hands on: on another thread, if there may be two.
///
/// # Errors
/// Those of both; of two errors the one of `consume`, which is where the other comes from.
pub(super) fn piped<T: Send>(
    threads: usize,
    produce: impl FnOnce(&mut dyn FnMut(T) -> Result<()>) -> Result<()>,
    mut consume: impl FnMut(T) -> Result<()> + Send,
) -> Result<()> {
    if threads < 2 {
        return produce(&mut consume);
    }
    let (sender, receiver) = mpsc::sync_channel(WAITING);
    thread::scope(|scope| {
        let consumed = scope.spawn(move || receiver.into_iter().try_for_each(consume));
        let produced = produce(&mut |batch| {
            sender.send(batch).map_err(|_| {
                let message = "what takes the batches has ended";
                Error::new(Kind::Unavailable, ENDED, message)
            })
        });
        drop(sender);
        let consumed = consumed.join();
        consumed.unwrap_or_else(|_| Err(Error::internal("a join's thread ended abruptly")))?;
        produced
    })
}
