//! What sinks gather while the matches are found, and what they do with it afterwards.

use std::collections::{BTreeSet, HashSet};

use craton_base::{Error, Kind, Result};

use super::{
    reduce,
    rule::{Rule, Sink},
    run::Report,
    space::FactSpace,
};
use crate::{
    Control,
    term::{Part, Term, Writer},
    unify::{self, Naming, Place, Unifier},
};

/// An instance of `t k x`: one sequence of three terms, and where the second and the third begin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Triple {
    pub bytes: Box<[u8]>,
    pub value: u32,
    pub over: u32,
}

/// What one sink gathered.
#[derive(Debug)]
enum Gathered {
    Set(HashSet<Term>),
    Sorted(BTreeSet<Term>),
    One(Option<Term>),
    /// The instances do not unify.
    Conflict,
    Triples(BTreeSet<Triple>),
}

/// What the sinks of one step gathered.
#[derive(Debug)]
pub(super) struct Collector<'r> {
    rule: &'r Rule,
    gathered: Vec<Gathered>,
    bytes: usize,
    bytes_max: usize,
    writer: Writer,
    naming: Naming,
}

impl<'r> Collector<'r> {
    /// `bytes_max`: how much may be gathered.
    pub(super) fn new(rule: &'r Rule, bytes_max: usize) -> Self {
        let gathered = rule
            .sinks
            .iter()
            .map(|sink| match sink {
                Sink::Add(_) | Sink::Remove(_) => Gathered::Set(HashSet::new()),
                Sink::Unify(_) | Sink::Generalise(_) => Gathered::One(None),
                Sink::Head(..) | Sink::Tail(..) | Sink::Write(..) => Gathered::Sorted(BTreeSet::new()),
                Sink::Reduce(..) | Sink::Pure(_) => Gathered::Triples(BTreeSet::new()),
            })
            .collect();
        let (writer, naming) = Default::default();
        Self {
            rule,
            gathered,
            bytes: 0,
            bytes_max,
            writer,
            naming,
        }
    }

    /// Takes one match.
    pub(super) fn take(&mut self, unifier: &Unifier, root: Place) -> Result<()> {
        let rule = self.rule;
        for (number, sink) in rule.sinks.iter().enumerate() {
            let Some(gathered) = self.gathered.get_mut(number) else {
                continue;
            };
            let grown = match sink {
                Sink::Reduce(_, parts) | Sink::Pure(parts) => {
                    let triple = triple(unifier, root, parts, &mut self.writer, &mut self.naming)?;
                    insert_triple(gathered, triple)
                }
                Sink::Add(part)
                | Sink::Remove(part)
                | Sink::Unify(part)
                | Sink::Generalise(part)
                | Sink::Head(_, part)
                | Sink::Tail(_, part)
                | Sink::Write(_, part) => {
                    self.writer.clear();
                    self.naming.clear();
                    unifier.instance(unifier.part(root, *part), &mut self.naming, &mut self.writer)?;
                    insert_term(sink, gathered, &mut self.writer)?
                }
            };
            self.bytes = self.bytes.saturating_add(grown);
        }
        if self.bytes > self.bytes_max {
            let message = format!("one exec gathered more than {} bytes", self.bytes_max);
            return Err(Error::new(Kind::TooLarge, "ProgramTooLarge", message));
        }
        Ok(())
    }

    /// Does to the space what the sinks say: additions first, then the others as they are written.
    pub(super) fn apply(
        self,
        space: &mut dyn FactSpace,
        control: &Control,
        report: &mut Report,
    ) -> Result<()> {
        let mut later = Vec::new();
        for (sink, gathered) in self.rule.sinks.iter().zip(self.gathered) {
            match (sink, gathered) {
                (Sink::Add(_), Gathered::Set(facts)) => add(space, facts, control, report)?,
                other => later.push(other),
            }
        }
        for (sink, gathered) in later {
            control.check()?;
            match (sink, gathered) {
                (Sink::Remove(_), Gathered::Set(facts)) => {
                    for fact in facts {
                        report.removed += u64::from(space.remove(&fact)?);
                    }
                }
                (Sink::Write(name, _), Gathered::Sorted(facts)) => {
                    control.made_facts(facts.len() as u64)?;
                    space.write_other(name, facts.into_iter().collect())?;
                }
                (Sink::Reduce(reduction, _), Gathered::Triples(triples)) => {
                    add(space, reduce::reduce(*reduction, &triples)?, control, report)?;
                }
                (Sink::Pure(_), Gathered::Triples(triples)) => {
                    add(space, reduce::evaluate(&triples, report)?, control, report)?;
                }
                (_, Gathered::Set(facts)) => add(space, facts, control, report)?,
                (_, Gathered::Sorted(facts)) => add(space, facts, control, report)?,
                (_, Gathered::One(fact)) => add(space, fact, control, report)?,
                (_, Gathered::Conflict | Gathered::Triples(_)) => {}
            }
        }
        Ok(())
    }
}

fn add(
    space: &mut dyn FactSpace,
    facts: impl IntoIterator<Item = Term>,
    control: &Control,
    report: &mut Report,
) -> Result<()> {
    for fact in facts {
        if space.insert(fact)? {
            report.added += 1;
            control.made_facts(1)?;
        }
    }
    Ok(())
}

/// About what a kept term costs beside its bytes.
const TERM_OVERHEAD: usize = 48;

fn insert_term(sink: &Sink, gathered: &mut Gathered, writer: &mut Writer) -> Result<usize> {
    let size = writer.as_bytes().len() + TERM_OVERHEAD;
    match gathered {
        Gathered::Set(facts) => Ok(if facts.insert(writer.take()) { size } else { 0 }),
        Gathered::Sorted(facts) => {
            let limit = match sink {
                Sink::Head(limit, _) | Sink::Tail(limit, _) => *limit,
                _ => usize::MAX,
            };
            let mut grown = if facts.insert(writer.take()) { size } else { 0 };
            if facts.len() > limit {
                let dropped = if matches!(sink, Sink::Head(..)) {
                    facts.pop_last()
                } else {
                    facts.pop_first()
                };
                grown = grown.saturating_sub(dropped.map_or(0, |fact| fact.as_bytes().len() + TERM_OVERHEAD));
            }
            Ok(grown)
        }
        Gathered::One(None) => {
            *gathered = Gathered::One(Some(writer.take()));
            Ok(size)
        }
        Gathered::One(Some(known)) => {
            let next = writer.take();
            if next == *known && next.is_ground() {
                return Ok(0);
            }
            *gathered = match sink {
                Sink::Unify(_) => match unify::unified(known, &next)? {
                    Some(both) => Gathered::One(Some(both)),
                    None => Gathered::Conflict,
                },
                _ => Gathered::One(Some(unify::generalise(known, &next)?)),
            };
            Ok(0)
        }
        Gathered::Conflict | Gathered::Triples(_) => Ok(0),
    }
}

fn insert_triple(gathered: &mut Gathered, triple: Triple) -> usize {
    let size = triple.bytes.len() + TERM_OVERHEAD;
    let Gathered::Triples(triples) = gathered else {
        return 0;
    };
    if triples.insert(triple) { size } else { 0 }
}

fn triple(
    unifier: &Unifier,
    root: Place,
    parts: &[Part; 3],
    writer: &mut Writer,
    naming: &mut Naming,
) -> Result<Triple> {
    writer.clear();
    naming.clear();
    let mut starts = [0_u32; 3];
    for (part, start) in parts.iter().zip(&mut starts) {
        *start = u32::try_from(writer.as_bytes().len()).unwrap_or(u32::MAX);
        unifier.instance(unifier.part(root, *part), naming, writer)?;
    }
    let [_, value, over] = starts;
    Ok(Triple {
        bytes: writer.as_bytes().into(),
        value,
        over,
    })
}
