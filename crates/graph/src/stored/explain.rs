//! How a rule would be answered, and what answering it took.
//!
//! Deliberately absent: changes; results.

use std::sync::Arc;

use craton_base::{Error, Result};

use super::find;
use crate::{
    Block, Shape,
    exec::{
        FactSpace, Goal, Rule, Sink, Source, Visit, each_variable,
        flat::{Flat, meets},
    },
    join::{self, Query, Report, Resources, Slot},
    print,
    snapshot::Snapshot,
    term::{Part, Term},
};

/// How a rule is answered.
pub(super) enum Way {
    /// Nothing matches: a name in it is not in the graph, or a fact that must be there is not.
    Nothing,
    /// By a join.
    Join(Joined),
    /// One match after another, and why.
    Matches(&'static str),
}

/// A rule as a join.
pub(super) struct Joined {
    /// One output for each template.
    pub query: Query,
    /// The variables of each output's columns.
    pub variables: Vec<Vec<u16>>,
}

/// How a rule would be answered.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The rule as it is understood; its variables are named as in the plan.
    pub rule: String,
    /// Its patterns as they stand, as the plan counts them; nested expressions of them follow.
    pub patterns: Vec<String>,
    /// `join` or `matches`, or `nothing` where a name is not in the graph.
    pub how: &'static str,
    /// Why it is not a join.
    pub why: Option<&'static str>,
    /// The plan of a join, a line for each part.
    pub plan: Vec<String>,
}

/// The join that a rule's templates are, if they are.
pub(super) fn joined(snapshot: &Snapshot, rule: &Rule) -> Result<Way> {
    let Some(flat) = Flat::patterns(rule) else {
        return Ok(Way::Matches(
            "a pattern is no expression with a symbol in front, or looks at exec facts, other graphs or pairs of facts",
        ));
    };
    let bytes = rule.exec.as_bytes();
    let mut variables = Vec::new();
    for sink in &rule.sinks {
        let (mut its, mut unknown) = (Vec::new(), false);
        for part in parts_of(sink) {
            each_variable(bytes, part, &mut |v| match u16::try_from(v) {
                Ok(number) if flat.binds(v) => its.push(number),
                _ => unknown = true,
            });
        }
        its.sort_unstable();
        its.dedup();
        // The place of a value is no variable of the patterns.
        if unknown && !matches!(sink, Sink::Reduce(..) | Sink::Pure(_)) {
            return Ok(Way::Matches("a template has a variable that no pattern has"));
        }
        if its.is_empty() {
            return Ok(Way::Matches("a template has no variable of the patterns"));
        }
        variables.push(its);
    }
    if variables.is_empty() {
        return Ok(Way::Matches("there is no template"));
    }
    if meets(rule, &Open(snapshot))? {
        return Ok(Way::Matches("a fact with variables matches a pattern"));
    }
    for fact in &flat.present {
        let there = match find::tuple_of(snapshot, fact.as_bytes())? {
            Some((table, tuple)) => snapshot.contains(table, &tuple)?,
            None => false,
        };
        if !there {
            return Ok(Way::Nothing);
        }
    }
    let query = flat.query(&mut |term| find::ground_id(snapshot, term), &mut |_| {
        Err(Error::internal("a rule without templates makes no constants"))
    })?;
    let Some(query) = query else {
        return Ok(Way::Nothing);
    };
    let slots = |its: &Vec<u16>| its.iter().map(|v| Slot::Variable(*v)).collect();
    let query = Query {
        outputs: variables.iter().map(slots).collect(),
        ..query
    };
    Ok(Way::Join(Joined { query, variables }))
}

/// What a query's join may use.
pub(super) fn resources(snapshot: &Snapshot, memory: u64) -> Resources {
    Resources {
        memory,
        threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        storage: Arc::new(snapshot.blobs().clone()),
        control: snapshot.blobs().control().clone(),
    }
}

/// What of a sink is made for each match.
fn parts_of(sink: &Sink) -> Vec<Part> {
    match sink {
        Sink::Add(part)
        | Sink::Remove(part)
        | Sink::Unify(part)
        | Sink::Generalise(part)
        | Sink::Head(_, part)
        | Sink::Tail(_, part)
        | Sink::Write(_, part) => vec![*part],
        Sink::Reduce(_, [t, _, x]) | Sink::Pure([t, _, x]) => vec![*t, *x],
    }
}

/// How a rule would be answered on a snapshot.
///
/// # Errors
/// The storage's own.
pub fn explain(snapshot: &Snapshot, rule: &Rule) -> Result<Explained> {
    let bytes = rule.exec.as_bytes();
    let text = |part: &Part| {
        let mut out = Vec::new();
        print::write_after(part.bytes(bytes), part.seen, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let is_joined = |part: &&Part| !crate::term::is_ground(part.bytes(bytes));
    let patterns = rule.sources.iter().filter_map(|source| match source {
        Source::Space(part) => Some(part),
        _ => None,
    });
    let (how, why, plan) = match joined(snapshot, rule)? {
        Way::Nothing => ("nothing", None, Vec::new()),
        Way::Matches(why) => ("matches", Some(why), Vec::new()),
        Way::Join(joined) => ("join", None, join::explain(&joined.query, snapshot)?),
    };
    Ok(Explained {
        rule: print::term(&rule.exec),
        patterns: patterns.filter(is_joined).map(text).collect(),
        how,
        why,
        plan: plan.into_iter().map(|line| named(&line)).collect(),
    })
}

/// Puts the names of variables, as they are printed, in the place of their numbers.
#[must_use]
pub fn named(line: &str) -> String {
    let mut words = Vec::new();
    let mut after = false;
    for word in line.split(' ') {
        let digits = word.trim_end_matches([':', ',']);
        match (after, digits.parse::<u32>()) {
            (true, Ok(number)) => {
                words.pop();
                let rest = word.get(digits.len()..).unwrap_or_default();
                words.push(format!("{}{rest}", print::name(number)));
            }
            _ => words.push(word.to_owned()),
        }
        after = word == "variable";
    }
    words.join(" ")
}

/// Answers a rule and throws the rows away; what it took. `None` if it is no join.
///
/// # Errors
/// The storage's own; limits.
pub fn measure(snapshot: &Snapshot, rule: &Rule, memory: u64) -> Result<Option<Report>> {
    let Way::Join(joined) = joined(snapshot, rule)? else {
        return Ok(None);
    };
    let resources = resources(snapshot, memory);
    let (_, report) = join::join(&joined.query, snapshot, &resources, || Ok(Away))?;
    Ok(Some(report))
}

/// Takes rows and keeps nothing.
struct Away;

impl join::Sink for Away {
    fn push(&mut self, _: usize, _: &Block) -> Result<()> {
        Ok(())
    }
}

/// The facts with variables of a snapshot.
struct Open<'a>(&'a Snapshot);

impl FactSpace for Open<'_> {
    fn candidates(&self, _: &Goal<'_>, visit: &mut Visit<'_>) -> Result<()> {
        use crate::Facts as _;
        let tables = self.0.tables().into_iter();
        for table in tables.filter(|t| t.open && t.shape != Shape::Expression) {
            find::whole(self.0, table, visit)?;
        }
        Ok(())
    }

    fn estimate(&self, _: &Goal<'_>) -> u64 {
        0
    }

    fn first(&self, _: &[u8]) -> Result<Option<Term>> {
        Ok(None)
    }

    fn insert(&mut self, _: Term) -> Result<bool> {
        Ok(false)
    }

    fn remove(&mut self, _: &Term) -> Result<bool> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests;
