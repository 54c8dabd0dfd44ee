//! The ledger's two threads: one flushes the journal, one integrates.
//!
//! Invariant: a worker that panics stops the ledger, it does not leave it to pile up records.

use std::{sync::Arc, thread::JoinHandle};

use craton_base::{Error, Result};
use parking_lot::{Condvar, Mutex};

use super::{Core, INTEGRATE_EVERY, Ledger, log::Next};

/// The threads of a ledger. They end when this is dropped.
pub struct Workers {
    core: Arc<Core>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Ledger {
    /// Starts the threads that flush and integrate.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start_workers(&self) -> Result<Workers> {
        let mut workers = Workers {
            core: Arc::clone(&self.0),
            stop: Arc::new(Stop::default()),
            threads: Vec::new(),
        };
        let core = Arc::clone(&self.0);
        workers.spawn("ledger-flush", move || flush(&core))?;
        self.0.log.set_flusher(true);
        let (core, stop) = (Arc::clone(&self.0), Arc::clone(&workers.stop));
        workers.spawn("ledger-tree", move || integrate(&core, &stop))?;
        Ok(workers)
    }
}

impl Workers {
    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
        let core = Arc::clone(&self.core);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _guard = Guard(core);
                work();
            })
            .map_err(Error::from)?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Stops the ledger when its thread unwinds.
struct Guard(Arc<Core>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = Error::internal("a worker of the ledger panicked");
            // Whoever comes next is told.
            let _ = self.0.log.break_down("a worker panicked", error);
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.core.log.set_flusher(false);
        self.core.log.stop_flusher();
        *self.stop.asked.lock() = true;
        self.stop.changed.notify_all();
        for thread in self.threads.drain(..) {
            // A panic has stopped the ledger already.
            let _ = thread.join();
        }
        // For who counted on the flusher just before it ended. A failure has been told to all of them.
        let _ = self.core.log.sync();
    }
}

fn flush(core: &Core) {
    loop {
        let next = core.log.wait_for_work();
        // A failure has been logged where it was found, and everybody who comes is told.
        let result = core.log.sync();
        if result.is_err() || matches!(next, Next::Stop) {
            break;
        }
    }
}

fn integrate(core: &Core, stop: &Stop) {
    loop {
        let mut asked = stop.asked.lock();
        stop.changed
            .wait_while_for(&mut asked, |asked| !*asked, INTEGRATE_EVERY);
        if *asked {
            break;
        }
        drop(asked);
        let mut progress = core.progress.lock();
        if core
            .integrate_all(&mut progress)
            .and_then(|_| core.note_whole(&mut progress))
            .is_err()
        {
            break;
        }
    }
}
