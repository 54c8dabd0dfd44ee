//! Queries: the matches of patterns on a snapshot, as text.
//!
//! Where the patterns are flat ([`crate::exec::flat`]) and no fact with variables can match them, they are answered by a join:
//! each different instance of a template comes once. Else one match after another, a line for each.
//!
//! Deliberately absent: changes.

use std::sync::atomic::{AtomicU64, Ordering};

use craton_base::{Error, FactPath, Kind, ResourcePath, Result};
use craton_gate::PARTS_MAX;

use super::{explain, lines::Lines};
use crate::{
    exec::{Rule, Sink, borrow::of_rule, for_each_match},
    join, parse,
    prefix::Prefixes,
    print,
    snapshot::Snapshot,
};

/// Text is handed on when there is so much.
pub(super) const PIECE_BYTES: usize = 64 << 10;

/// The reason of the error that ends a search which has found enough.
const ENOUGH: &str = "Enough";

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

/// What of a graph, or of a prefix of it, the patterns of rules can match: what is to be decided where not all of it may be read.
///
/// # Errors
/// `Internal` if the path is of no graph.
pub fn reads(path: &ResourcePath, rules: &[Rule]) -> Result<Vec<ResourcePath>> {
    let ResourcePath::Facts(bucket, facts) = path else {
        return Err(Error::internal("a query asks a graph"));
    };
    let mut all = Prefixes::default();
    for rule in rules {
        let (touched, _) = of_rule(rule);
        touched
            .reads
            .iter()
            .for_each(|prefix| all.insert(prefix.to_owned()));
    }
    let few = all.within(facts.prefix()).at_most(PARTS_MAX);
    few.iter()
        .map(|prefix| {
            let path = FactPath::new(facts.graph().clone(), prefix)?;
            Ok(ResourcePath::Facts(bucket.clone(), path))
        })
        .collect()
}

/// Where an answer goes, in pieces of whole terms; by several threads.
pub type Out<'a> = dyn Fn(Vec<u8>) -> Result<()> + Sync + 'a;

/// How an encoded term is written.
pub type Style = fn(&[u8], &mut Vec<u8>);

/// A line of text.
pub fn line(term: &[u8], out: &mut Vec<u8>) {
    print::write(term, out);
    out.push(b'\n');
}

/// A line of JSON.
pub fn json_line(term: &[u8], out: &mut Vec<u8>) {
    print::json::write(term, out);
    out.push(b'\n');
}

/// The encoding as it is: a term says where it ends.
pub fn encoded(term: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(term);
}

/// What a query may take, and how it is told.
#[derive(Clone, Copy)]
pub struct Asked {
    /// How many terms at most.
    pub limit: u64,
    /// Bytes for the join.
    pub memory: u64,
    /// How a term is written.
    pub style: Style,
}

/// Hands the answer to `out`; how many terms there were.
///
/// # Errors
/// The storage's own; limits; those of `out`.
pub fn query(snapshot: &Snapshot, rule: &Rule, asked: Asked, out: &Out<'_>) -> Result<u64> {
    let told = Told {
        left: AtomicU64::new(asked.limit),
        asked,
        out,
    };
    let done = match explain::joined(snapshot, rule)? {
        explain::Way::Nothing => Ok(()),
        explain::Way::Join(query) => {
            let resources = explain::resources(snapshot, asked.memory);
            let make = || Ok(Lines::new(snapshot, rule, &query.variables, &told));
            join::join(&query.query, snapshot, &resources, make)
                .and_then(|(sinks, _)| sinks.into_iter().try_for_each(Lines::finish))
        }
        explain::Way::Matches(_) => matches(snapshot, rule, &told),
    };
    match done {
        Err(e) if e.reason() != ENOUGH => Err(e),
        _ => Ok(told.lines()),
    }
}

/// What was handed on.
pub(super) struct Told<'a> {
    left: AtomicU64,
    asked: Asked,
    out: &'a Out<'a>,
}

impl Told<'_> {
    /// Takes the right to hand one line on.
    ///
    /// # Errors
    /// One that ends the search, if there were enough.
    pub(super) fn one(&self) -> Result<()> {
        let took = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        took.map(drop)
            .map_err(|_| Error::new(Kind::TooLarge, ENOUGH, "enough was found"))
    }

    pub(super) fn write(&self, term: &[u8], text: &mut Vec<u8>) {
        (self.asked.style)(term, text);
    }

    pub(super) fn send(&self, text: &mut Vec<u8>) -> Result<()> {
        match text.is_empty() {
            true => Ok(()),
            false => (self.out)(std::mem::take(text)),
        }
    }

    fn lines(&self) -> u64 {
        self.asked.limit.saturating_sub(self.left.load(Ordering::Relaxed))
    }
}

/// One match after another.
fn matches(snapshot: &Snapshot, rule: &Rule, told: &Told<'_>) -> Result<()> {
    let control = snapshot.blobs().control();
    let mut text = Vec::new();
    let done = for_each_match(snapshot, rule, control, &mut |unifier, root| {
        for sink in &rule.sinks {
            if let Sink::Add(part) = sink {
                told.one()?;
                let term = unifier.term(unifier.part(root, *part))?;
                told.write(term.as_bytes(), &mut text);
            }
        }
        match text.len() >= PIECE_BYTES {
            true => told.send(&mut text),
            false => Ok(()),
        }
    });
    match done {
        Err(e) if e.reason() != ENOUGH => Err(e),
        _ => told.send(&mut text),
    }
}
