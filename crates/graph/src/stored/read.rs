//! A snapshot as the matching of patterns sees it: only read.
//!
//! Deliberately absent: changes.

use craton_base::{Error, Result};

use super::find;
use crate::{
    exec::{FactSpace, Goal, Visit},
    snapshot::Snapshot,
    term::Term,
};

impl FactSpace for Snapshot {
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        find::candidates(self, goal, visit)
    }

    fn estimate(&self, goal: &Goal<'_>) -> u64 {
        // A goal that can not be estimated is taken for a large one.
        find::estimate(self, goal).unwrap_or_else(|_| self.rows())
    }

    fn first(&self, _: &[u8]) -> Result<Option<Term>> {
        Err(only_read())
    }

    fn insert(&mut self, _: Term) -> Result<bool> {
        Err(only_read())
    }

    fn remove(&mut self, _: &Term) -> Result<bool> {
        Err(only_read())
    }
}

fn only_read() -> Error {
    Error::internal("a snapshot is only read")
}
