//! What a request turns out to be, for whoever watches it from outside: the traces of the binary.
//!
//! The parts that find something out [`note`] it; [`watch`] runs a request and hands over what was
//! noted. Of a request that nobody watches nothing is made or kept: a note is then one look at a
//! thread-local variable.
//!
//! Invariants
//! - no keys of objects and no secrets are noted;
//! - nothing is decided by what was noted.
//!
//! Deliberately absent: what becomes of it.

use std::cell::Cell;

use craton_base::{BucketName, ResourcePath};

tokio::task_local! {
    static SEEN: Cell<Seen>;
}

/// What became known of a request.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seen {
    /// The door it came through.
    pub door: Option<&'static str>,
    /// The door's operation.
    pub operation: Option<&'static str>,
    /// The name of who asked, if it came as far as asking.
    pub principal: Option<String>,
    /// The bucket that was last asked about.
    pub bucket: Option<BucketName>,
}

impl Seen {
    /// `principal` asks for something about `resource`.
    pub(crate) fn asked(&mut self, principal: &str, resource: &ResourcePath) {
        if self.principal.as_deref() != Some(principal) {
            self.principal = Some(principal.to_owned());
        }
        if let Some(bucket) = resource.bucket() {
            self.bucket = Some(bucket.clone());
        }
    }
}

/// Runs a request; its outcome, and what was noted in its task meanwhile.
pub async fn watch<F: Future>(request: F) -> (F::Output, Seen) {
    let watched = async {
        let out = request.await;
        (out, SEEN.try_with(Cell::take).unwrap_or_default())
    };
    SEEN.scope(Cell::default(), watched).await
}

/// Notes something about the request that this task is on, if it is watched; else `tell` is not called.
pub fn note(tell: impl FnOnce(&mut Seen)) {
    // An error says that nobody watches.
    let _ = SEEN.try_with(|cell| {
        let mut seen = cell.take();
        tell(&mut seen);
        cell.set(seen);
    });
}

#[cfg(test)]
mod tests;
