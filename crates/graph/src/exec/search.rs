//! All matches of a rule's patterns, by unification, one pattern after the other.
//!
//! The order of patterns is chosen before the search: the one with the fewest candidates first, then
//! those whose variables are bound. It decides the time, not the matches.

use std::collections::BTreeSet;

use craton_base::{Error, Result};

use super::{
    rule::{Rule, Source},
    space::{FactSpace, Goal},
};
use crate::{
    Control,
    term::{Item, Part, Term, Writer, read},
    unify::{Naming, Place, Unifier},
};

/// A match: the unifier holds its bindings, and the rule's parts are found from the place of its
/// `exec`.
pub type Emit<'a> = dyn FnMut(&Unifier, Place) -> Result<()> + 'a;

/// Gives `emit` every match of the rule's patterns.
pub fn for_each_match(
    space: &dyn FactSpace,
    rule: &Rule,
    control: &Control,
    emit: &mut Emit<'_>,
) -> Result<u64> {
    let mut unifier = Unifier::default();
    let root = unifier.frame(rule.exec.as_bytes());
    let order = plan(space, rule)?;
    let mut search = Search {
        space,
        rule,
        control,
        order,
        unifier,
        root,
        emit,
        spare: Vec::new(),
        looked_at: 0,
        matches: 0,
    };
    search.step(0)?;
    Ok(search.matches)
}

struct Search<'s, 'e> {
    space: &'s dyn FactSpace,
    rule: &'s Rule,
    control: &'s Control,
    order: Vec<usize>,
    unifier: Unifier,
    root: Place,
    emit: &'s mut Emit<'e>,
    spare: Vec<(Writer, Naming)>,
    looked_at: u64,
    matches: u64,
}

/// How many candidates are looked at between checks of the control.
const CHECK_EVERY: u64 = 4096;

impl<'s> Search<'s, '_> {
    /// Matches the patterns from the `depth`th of the order on. The depth of this recursion is the
    /// number of patterns, which has a limit.
    fn step(&mut self, depth: usize) -> Result<()> {
        let Some(source) = self
            .order
            .get(depth)
            .and_then(|number| self.rule.sources.get(*number))
        else {
            self.matches += 1;
            return (self.emit)(&self.unifier, self.root);
        };
        let space = self.space;
        match source {
            Source::Space(pattern) => self.each(space, *pattern, &mut |search, _| search.step(depth + 1)),
            Source::Other(name, pattern) => self.each(space.other(name)?, *pattern, &mut |search, _| {
                search.step(depth + 1)
            }),
            Source::Same(left, right) => {
                let right = self.unifier.part(self.root, *right);
                self.each(space, *left, &mut |search, fact| {
                    let again = search.unifier.frame(fact);
                    if search.unifier.unify(right, again)? {
                        search.step(depth + 1)
                    } else {
                        Ok(())
                    }
                })
            }
            Source::Different(left, right) => self.each(space, *left, &mut |search, fact| {
                search.each(space, *right, &mut |search, other| {
                    if fact == other {
                        Ok(())
                    } else {
                        search.step(depth + 1)
                    }
                })
            }),
        }
    }

    /// Calls `then` with every fact that the pattern unifies with, while it is unified.
    fn each(
        &mut self,
        space: &dyn FactSpace,
        pattern: Part,
        then: &mut dyn FnMut(&mut Self, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let place = self.unifier.part(self.root, pattern);
        let (mut writer, mut naming) = self.spare.pop().unwrap_or_default();
        writer.clear();
        naming.clear();
        self.unifier.instance(place, &mut naming, &mut writer)?;
        let instance = writer.as_bytes();
        let goal = Goal {
            instance,
            ground: naming.first().unwrap_or(instance.len()),
        };
        space.candidates(&goal, &mut |fact| {
            self.looked_at += 1;
            if self.looked_at.is_multiple_of(CHECK_EVERY) {
                self.control.check()?;
            }
            let mark = self.unifier.mark();
            let found = self.unifier.frame(fact);
            if self.unifier.unify(place, found)? {
                then(self, fact)?;
            }
            self.unifier.undo(mark);
            Ok(())
        })?;
        self.spare.push((writer, naming));
        Ok(())
    }
}

/// The order in which patterns are matched.
fn plan(space: &dyn FactSpace, rule: &Rule) -> Result<Vec<usize>> {
    let bytes = rule.exec.as_bytes();
    let mut bound = vec![false; rule.exec.variables() as usize];
    let mut left: Vec<(usize, Part, u64)> = Vec::new();
    for (number, source) in rule.sources.iter().enumerate() {
        let (space, part) = match source {
            Source::Space(part) | Source::Same(part, _) | Source::Different(part, _) => (space, part),
            Source::Other(name, part) => (space.other(name)?, part),
        };
        let prefix = super::rule::ground_prefix(part.bytes(bytes));
        // A prefix of a term with one variable after it stands for all that begins so.
        let goal = Goal {
            instance: part.bytes(bytes),
            ground: prefix.len(),
        };
        left.push((number, *part, space.estimate(&goal)));
    }
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let cost = |(_, part, facts): &(usize, Part, u64)| cost(bytes, *part, *facts, &bound);
        let best = left
            .iter()
            .enumerate()
            .min_by_key(|(_, pattern)| cost(pattern))
            .map_or(0, |(at, _)| at);
        let (number, _, _) = left.remove(best);
        order.push(number);
        if let Some(source) = rule.sources.get(number) {
            for part in source_parts(source) {
                each_variable(bytes, part, &mut |variable| {
                    if let Some(known) = bound.get_mut(variable as usize) {
                        *known = true;
                    }
                });
            }
        }
    }
    Ok(order)
}

fn source_parts(source: &Source) -> Vec<Part> {
    match source {
        Source::Space(part) | Source::Other(_, part) => vec![*part],
        Source::Same(left, right) | Source::Different(left, right) => vec![*left, *right],
    }
}

/// About how many facts a pattern leaves: each variable that is bound takes three quarters of the
/// digits away from those that its constants leave, more where it stands before the first free one.
fn cost(bytes: &[u8], part: Part, facts: u64, bound: &[bool]) -> u64 {
    let (mut before, mut after, mut free) = (0_u32, 0_u32, 0_u32);
    each_variable(bytes, part, &mut |variable| {
        match bound.get(variable as usize) {
            Some(true) if free == 0 => before += 1,
            Some(true) => after += 1,
            _ => free += 1,
        };
    });
    if free == 0 {
        return 0;
    }
    let digits = u64::BITS - facts.leading_zeros();
    let left = digits >> (2 * before).min(63) >> after.min(63);
    (1_u64 << left.min(62)).min(facts.max(1)).saturating_mul(4) + u64::from(free.min(3))
}

/// Calls `visit` with the number of each variable in `part`.
pub(crate) fn each_variable(bytes: &[u8], part: Part, visit: &mut dyn FnMut(u32)) {
    let (mut at, mut seen) = (part.start as usize, part.seen);
    while at < part.end as usize {
        let Some((item, next)) = read(bytes, at) else {
            return;
        };
        match item {
            Item::NewVariable => {
                visit(seen);
                seen += 1;
            }
            Item::Reference(number) => visit(number),
            Item::Expression(_) | Item::Symbol(_) => {}
        }
        at = next;
    }
}

/// For every fact that unifies with the first item of `pair`, the instance of its second: of
/// `((edge $x b) $x)` what has an edge to `b`.
pub fn query(space: &dyn FactSpace, pair: &Term) -> Result<BTreeSet<Term>> {
    let mut found = BTreeSet::new();
    let mut unifier = Unifier::default();
    let parts = pair.parts().unwrap_or_default();
    let [pattern, template] = parts.as_slice() else {
        return Err(Error::invalid("a query is a pattern and a template"));
    };
    let root = unifier.frame(pair.as_bytes());
    let instance = pattern.bytes(pair.as_bytes());
    let (pattern, template) = (unifier.part(root, *pattern), unifier.part(root, *template));
    let goal = Goal {
        instance,
        ground: super::rule::ground_prefix(instance).len(),
    };
    space.candidates(&goal, &mut |fact| {
        let mark = unifier.mark();
        let fact = unifier.frame(fact);
        if unifier.unify(pattern, fact)? {
            found.insert(unifier.term(template)?);
        }
        unifier.undo(mark);
        Ok(())
    })?;
    Ok(found)
}
