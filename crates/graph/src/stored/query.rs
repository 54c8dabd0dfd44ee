//! Queries: the matches of patterns on a snapshot, one after the other, as text.
//!
//! Deliberately absent: changes; joins in bulk.

use craton_base::{Error, Kind, Result};

use super::find;
use crate::{
    exec::{FactSpace, Goal, Rule, Sink, Visit, for_each_match},
    parse, print,
    snapshot::Snapshot,
    term::Term,
};

/// Text is handed on when there is so much.
const PIECE_BYTES: usize = 64 << 10;

/// The reason of the error that ends a search which has found enough.
const ENOUGH: &str = "Enough";

/// A snapshot that is only read.
struct ReadSpace<'a>(&'a Snapshot);

impl FactSpace for ReadSpace<'_> {
    fn candidates(&self, goal: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        find::candidates(self.0, goal, visit)
    }

    fn estimate(&self, goal: &Goal<'_>) -> u64 {
        find::estimate(self.0, goal).unwrap_or_else(|_| self.0.rows())
    }

    fn first(&self, _: &[u8]) -> Result<Option<Term>> {
        Ok(None)
    }

    fn insert(&mut self, _: Term) -> Result<bool> {
        Err(Error::internal("this space is only read"))
    }

    fn remove(&mut self, _: &Term) -> Result<bool> {
        Err(Error::internal("this space is only read"))
    }
}

/// Reads a query: patterns and templates as they stand in an `exec`, such as `(, (edge $x b)) (, $x)`.
///
/// # Errors
/// `Invalid` if it is none.
pub fn read(text: &str) -> Result<Rule> {
    let rule = Rule::read(parse::term(format!("(exec 0 {text}\n)").as_bytes())?)?;
    if rule.sinks.iter().all(|sink| matches!(sink, Sink::Add(_))) {
        return Ok(rule);
    }
    Err(Error::new(
        Kind::Invalid,
        "NotAQuery",
        "a query has templates (, …) only",
    ))
}

/// Hands a line for each template of each match to `out`, in pieces, until there were `limit` matches; how many there were.
///
/// # Errors
/// The storage's own; limits; those of `out`.
pub fn query(
    snapshot: &Snapshot,
    rule: &Rule,
    limit: u64,
    out: &mut dyn FnMut(Vec<u8>) -> Result<()>,
) -> Result<u64> {
    let control = snapshot.blobs().control();
    let (mut text, mut matches) = (Vec::new(), 0u64);
    let done = for_each_match(&ReadSpace(snapshot), rule, control, &mut |unifier, root| {
        if matches >= limit {
            return Err(Error::new(Kind::TooLarge, ENOUGH, "enough was found"));
        }
        matches = matches.saturating_add(1);
        for sink in &rule.sinks {
            if let Sink::Add(part) = sink {
                let term = unifier.term(unifier.part(root, *part))?;
                print::write(term.as_bytes(), &mut text);
                text.push(b'\n');
            }
        }
        match text.len() >= PIECE_BYTES {
            true => out(std::mem::take(&mut text)),
            false => Ok(()),
        }
    });
    match done {
        Err(e) if e.reason() != ENOUGH => return Err(e),
        _ => {}
    }
    if !text.is_empty() {
        out(text)?;
    }
    Ok(matches)
}
