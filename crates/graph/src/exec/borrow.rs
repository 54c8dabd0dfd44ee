//! What a program reads and writes, before it runs: the prefixes of facts that its patterns and templates can touch.
//!
//! The rules of a program are its `exec` facts and those that they can write: a template that is an `exec` is taken with every way in
//! which its rule's patterns over `exec`s can match a rule that is known already, until nothing new comes. A location does not matter
//! here. What data binds stays a variable, so a prefix ends there. A rule whose patterns or templates only data could give reads and
//! writes everything.
//!
//! Invariant BI-1: what a run reads and writes is under the prefixes, but for `exec` facts: whoever runs a program sees to those.
//!
//! Deliberately absent: what is in the graph (facts with variables: whoever has it), who may.

use std::collections::BTreeSet;

use craton_base::Result;

use super::rule::{Rule, Sink, Source};
use crate::{
    prefix::{self, Prefixes},
    term::{Item, Part, Term, Writer, parts, read},
    unify::{Naming, Unifier},
};

/// Most rules that a program is followed to; beyond, it reads and writes everything.
const RULES_MAX: usize = 256;
/// Most ways in which rules are matched with rules.
const WAYS_MAX: usize = 4096;
/// Most bytes of all rules.
const BYTES_MAX: usize = 1 << 20;

/// What a program reads and writes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// What its patterns can match, `exec` facts not counted.
    pub reads: Prefixes,
    /// What its templates can add or remove, `exec` facts not counted.
    pub writes: Prefixes,
}

impl Touched {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self {
            reads: Prefixes::all(),
            writes: Prefixes::all(),
        }
    }

    /// Whether what the one writes touches what the other reads or writes, or the other way round.
    #[must_use]
    pub fn conflicts(&self, other: &Self) -> bool {
        self.writes.meet(&other.writes) || self.writes.meet(&other.reads) || self.reads.meet(&other.writes)
    }
}

/// What a program of these `exec` facts touches.
///
/// # Errors
/// `TooLarge` if terms are too large to be taken together.
pub fn touched<'a>(execs: impl IntoIterator<Item = &'a Term>) -> Result<Touched> {
    let mut reach = Reach::default();
    for exec in execs {
        if !reach.add(exec.clone())? {
            return Ok(Touched::all());
        }
    }
    match reach.follow()? {
        true => Ok(reach.touched),
        false => Ok(Touched::all()),
    }
}

/// What one rule touches, and whether it looks at `exec` facts or writes any.
pub(crate) fn of_rule(rule: &Rule) -> (Touched, bool) {
    let bytes = rule.exec.as_bytes();
    let mut out = Touched::default();
    let mut about_execs = false;
    for part in patterns(rule) {
        about_execs |= may_be_exec(bytes, part);
        out.reads.insert_of(part.bytes(bytes));
    }
    for sink in &rule.sinks {
        if let Some(part) = template(sink) {
            about_execs |= may_be_exec(bytes, part);
            out.writes.insert_of(part.bytes(bytes));
        }
    }
    (out, about_execs)
}

/// The patterns of a rule over the space.
fn patterns(rule: &Rule) -> impl Iterator<Item = Part> + '_ {
    rule.sources.iter().flat_map(|source| match source {
        Source::Space(part) => vec![*part],
        Source::Other(..) => Vec::new(),
        Source::Same(left, right) | Source::Different(left, right) => vec![*left, *right],
    })
}

/// What a sink writes to the space: instances of this.
fn template(sink: &Sink) -> Option<Part> {
    match sink {
        Sink::Add(part)
        | Sink::Remove(part)
        | Sink::Unify(part)
        | Sink::Generalise(part)
        | Sink::Head(_, part)
        | Sink::Tail(_, part)
        | Sink::Reduce(_, [part, ..])
        | Sink::Pure([part, ..]) => Some(*part),
        Sink::Write(..) => None,
    }
}

/// Whether an instance can be an `exec` fact.
fn may_be_exec(bytes: &[u8], part: Part) -> bool {
    match read(bytes, part.start as usize) {
        Some((Item::Expression(4), head)) => {
            !matches!(
                read(bytes, head),
                Some((Item::Symbol(text), _)) if text != b"exec"
            ) && !matches!(read(bytes, head), Some((Item::Expression(_), _)))
        }
        Some((Item::NewVariable | Item::Reference(_), _)) => true,
        _ => false,
    }
}

/// The rules that are known so far.
#[derive(Default)]
struct Reach {
    rules: Vec<Rule>,
    seen: BTreeSet<Term>,
    bytes: usize,
    touched: Touched,
}

impl Reach {
    /// Adds a rule; `false` if nothing can be said of what it does.
    fn add(&mut self, exec: Term) -> Result<bool> {
        let exec = without_location(&exec)?;
        let Some(exec) = exec else { return Ok(false) };
        if !self.seen.insert(exec.clone()) {
            return Ok(true);
        }
        self.bytes = self.bytes.saturating_add(exec.as_bytes().len());
        // A malformed one is an error when it runs, and nothing is written.
        let Ok(rule) = Rule::read(exec) else {
            return Ok(false);
        };
        let (touched, _) = of_rule(&rule);
        for (prefixes, all) in [
            (touched.reads, &mut self.touched.reads),
            (touched.writes, &mut self.touched.writes),
        ] {
            let others = prefixes.iter().filter(|prefix| !is_of_execs(prefix));
            others.for_each(|prefix| all.insert(prefix.to_owned()));
        }
        self.rules.push(rule);
        Ok(self.rules.len() <= RULES_MAX && self.bytes <= BYTES_MAX)
    }

    /// Adds what the rules can write, until nothing new comes; `false` if that can not be said.
    fn follow(&mut self) -> Result<bool> {
        let mut ways = 0;
        loop {
            let before = self.rules.len();
            for number in 0..before {
                let Some(rule) = self.rules.get(number).cloned() else {
                    break;
                };
                for made in match self.made_by(&rule, &mut ways)? {
                    Some(made) => made,
                    None => return Ok(false),
                } {
                    if !self.add(made)? {
                        return Ok(false);
                    }
                }
            }
            if self.rules.len() == before {
                return Ok(true);
            }
        }
    }

    /// The `exec` facts that a rule can write, as far as the rules tell; `None` if they do not.
    fn made_by(&self, rule: &Rule, ways: &mut usize) -> Result<Option<Vec<Term>>> {
        let bytes = rule.exec.as_bytes();
        let written: Vec<&Sink> = rule
            .sinks
            .iter()
            .filter(|sink| !matches!(sink, Sink::Remove(_)))
            .filter(|sink| template(sink).is_some_and(|part| may_be_exec(bytes, part)))
            .collect();
        if written.is_empty() {
            return Ok(Some(Vec::new()));
        }
        if written.iter().any(|sink| matches!(sink, Sink::Generalise(_))) {
            return Ok(None);
        }
        let templates: Vec<Part> = written.into_iter().filter_map(template).collect();
        let looked: Vec<Part> = patterns(rule).filter(|part| is_exec(bytes, *part)).collect();
        let mut matching = Matching {
            rules: &self.rules,
            patterns: &looked,
            templates: &templates,
            unifier: Unifier::default(),
            made: Vec::new(),
        };
        let root = matching.unifier.frame(bytes);
        let all = matching.go(root, bytes, 0, ways)?;
        Ok(all.then_some(matching.made))
    }
}

/// Whether all that a prefix covers are `exec` facts.
fn is_of_execs(prefix: &str) -> bool {
    prefix.starts_with("(exec ")
}

/// Whether it is written as an `exec`.
fn is_exec(bytes: &[u8], part: Part) -> bool {
    let items = parts(bytes, part).unwrap_or_default();
    let head = items.first().map(|head| head.bytes(bytes));
    items.len() == 4 && head.is_some_and(|head| matches!(read(head, 0), Some((Item::Symbol(b"exec"), _))))
}

/// An `exec` with the same location as all others; `None` if it is no `exec`, or its patterns or templates are not written out.
fn without_location(exec: &Term) -> Result<Option<Term>> {
    let bytes = exec.as_bytes();
    let whole = Part::whole(bytes);
    if !is_exec(bytes, whole) {
        return Ok(None);
    }
    let items = parts(bytes, whole).unwrap_or_default();
    let [_, _, patterns, templates] = items.as_slice() else {
        return Ok(None);
    };
    let mut unifier = Unifier::default();
    let root = unifier.frame(bytes);
    let (mut out, mut names) = (Writer::default(), Naming::default());
    out.expression(4)?;
    out.symbol(b"exec")?;
    out.symbol(b"0")?;
    unifier.instance(unifier.part(root, *patterns), &mut names, &mut out)?;
    unifier.instance(unifier.part(root, *templates), &mut names, &mut out)?;
    Ok(Some(out.finish()))
}

/// The patterns of a rule over `exec`s, matched with the rules that are known.
struct Matching<'a> {
    rules: &'a [Rule],
    patterns: &'a [Part],
    templates: &'a [Part],
    unifier: Unifier,
    made: Vec<Term>,
}

impl Matching<'_> {
    /// Matches the pattern `number` and those after it in every way; `false` if there are too many.
    fn go(
        &mut self,
        root: crate::unify::Place,
        bytes: &[u8],
        number: usize,
        ways: &mut usize,
    ) -> Result<bool> {
        *ways += 1;
        if *ways > WAYS_MAX || self.made.len() > RULES_MAX {
            return Ok(false);
        }
        let Some(pattern) = self.patterns.get(number) else {
            for part in self.templates {
                self.made.push(self.unifier.term(self.unifier.part(root, *part))?);
            }
            return Ok(true);
        };
        let pattern = parts(bytes, *pattern).unwrap_or_default();
        for rule in self.rules {
            let mark = self.unifier.mark();
            let other = rule.exec.as_bytes();
            let frame = self.unifier.frame(other);
            let items = rule.exec.parts().unwrap_or_default();
            let mut fits = true;
            for (mine, its) in pattern.iter().zip(&items).skip(2) {
                let (mine, its) = (self.unifier.part(root, *mine), self.unifier.part(frame, *its));
                fits = fits && self.unifier.unify(mine, its)?;
            }
            let done = !fits || self.go(root, bytes, number.saturating_add(1), ways)?;
            self.unifier.undo(mark);
            if !done {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The longest prefix of a fact, which is not an `exec`: what a program's own facts write.
#[must_use]
pub fn of_fact(fact: &Term) -> String {
    prefix::of_term(fact.as_bytes())
}

#[cfg(test)]
mod tests;
