//! How deep a query may be nested: whoever translates one by recursion counts its levels here.
//!
//! Invariant: a query that is deeper than its language's limit is an error before the stack is used up.

use craton_base::{Error, Kind, Result};

/// The error for a query that goes deeper than `max` levels.
pub(crate) fn too_deep(max: usize) -> Error {
    Error::new(
        Kind::TooLarge,
        "QueryTooDeep",
        format!("the query is nested more than {max} levels deep"),
    )
}

/// What goes into a query by recursion.
pub(crate) trait Nesting {
    /// Levels that are allowed.
    const MAX: usize;

    /// The levels that it is in.
    fn depth(&mut self) -> &mut usize;

    /// Does what goes one level deeper.
    ///
    /// # Errors
    /// [`too_deep`], and what `what` fails with.
    fn deeper<T>(&mut self, what: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if *self.depth() >= Self::MAX {
            return Err(too_deep(Self::MAX));
        }
        *self.depth() += 1;
        let done = what(self);
        *self.depth() -= 1;
        done
    }
}
