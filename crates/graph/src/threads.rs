//! Threads for work that takes long: they yield to whoever answers a request, and what they start does too.
//!
//! Deliberately absent: how many there are; whoever starts one has reserved memory for its work.

use std::io;

use craton_base::{Error, Result};
use tokio::sync::oneshot;

/// How much less a thread of this kind counts than another when both want to run: so much that a reader on the same core gets nine
/// tenths of it, and not so much that the work starves.
const NICE: i32 = 10;

/// Starts work that nobody waits for.
pub(crate) fn patient(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    let started = thread.spawn(move || {
        let work = || {
            work();
            Ok(())
        };
        // It says itself how it went.
        let _ = yielding(work);
    });
    started.map(drop)
}

/// Work on a thread of its own that may block. It goes on to its end if the caller goes away, unless it is told to stop.
///
/// # Errors
/// The work's own; `Unavailable` if there is no thread for it.
pub async fn at_leisure<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    let started = patient("graph-work", move || {
        // Nobody listens any more if the caller went away.
        let _ = sender.send(work());
    });
    started.map_err(|e| {
        let message = "there is no thread for the work";
        Error::new(craton_base::Kind::Unavailable, "NoThread", message).with_source(e)
    })?;
    let done = receiver.await;
    done.map_err(|e| Error::internal("a graph's work did not end").with_source(e))?
}

/// Work on this thread, which yields from here on to whoever answers a request: it can not be made to count as much as before.
///
/// # Errors
/// The work's own.
pub fn yielding<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    // Without it the work is done all the same.
    let _ = rustix::process::nice(NICE);
    work()
}
