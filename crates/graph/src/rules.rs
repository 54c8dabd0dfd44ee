//! Rules: `(rule name (, body …) (, template …))`, run together until they add nothing more: to their least fixpoint.
//!
//! A rule says that whenever all of its body holds its templates are facts. A body has patterns of facts; denials `(not p)`: no fact is `p`;
//! comparisons; and values that are computed, `(:= $v e)`. Templates may hold terms that are made anew, and may be aggregates of all matches.
//! Rules may be recursive, also through each other, but not through `not` or an aggregate, except for those that only ever get better
//! ([`Best`]): they are run in layers, each to its fixpoint, and what a rule denies or counts is complete before its layer begins
//! ([`layers`]). So what they mean does not depend on their order.
//!
//! Here they are read and checked, before anything runs; [`crate::stored::fixpoint`] runs them. What is wrong is said with the place in the
//! text, the name of the rule and the names of its variables.
//!
//! Invariant: a rule that passes has patterns with a flat form ([`crate::exec::flat::Flat`]), and each variable that is used is bound: by a pattern
//! of facts, or by what is computed before ([`Checked::steps`] are in such an order).
//!
//! Deliberately absent: evaluating, facts.

use craton_base::{Error, Kind, Result};

use crate::{
    exec::Rule,
    parse::{Parser, Step as Parsed},
    term::{Item, Term},
};

mod body;
pub mod build;
mod heads;
mod layers;
mod read;

pub use build::{Build, Code, Operator};
pub use layers::Of;

/// The most rules of one program.
const RULES_MAX: usize = 1024;
/// The most characters of a rule that an error shows.
const SHOWN_MAX: usize = 400;
/// The most warnings.
const WARNINGS_MAX: usize = 100;

/// Rules that were checked, and the facts that came with them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In layers, each of which is run to its fixpoint before the next one.
    pub layers: Vec<Vec<Checked>>,
    /// Facts that are added before the rules run.
    pub facts: Vec<Term>,
    /// What may be a mistake, for people.
    pub warnings: Vec<String>,
}

/// Where a rule stands and what its parts are called.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// The rule as it is written, cut if it is long.
    pub text: String,
    /// Line and column of its text, from 1.
    pub place: (u64, u64),
    /// The names of its variables by their numbers.
    pub variables: Vec<String>,
}

/// A rule that can be run.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it is called.
    pub label: Label,
    /// Its patterns; variables are numbered by the whole rule.
    pub patterns: Rule,
    /// What must hold of a match, and what is computed from it, in an order in which all that is needed is known.
    pub steps: Vec<Step>,
    /// What is made of the matches that pass.
    pub heads: Vec<Head>,
    /// An `exec` that reads and writes what the rule does.
    pub touches: Term,
}

/// What is done with a match.
#[derive(Clone, PartialEq, Debug)]
pub enum Step {
    /// No fact is this.
    Absent(Vec<Build>),
    /// The same term, or (`false`) two different ones.
    Same(bool, [Build; 2]),
    /// Two numbers, the first being less, or (`true`) not greater.
    Less(bool, [Code; 2]),
    /// A variable gets a value.
    Bind(u16, Code),
    /// A variable has this value already.
    Equals(u16, Code),
}

/// What is made of matches.
#[derive(Clone, PartialEq, Debug)]
pub enum Head {
    /// A fact for each.
    Add(Vec<Build>),
    /// A fact for each group of them.
    Reduce(Reduce),
    /// A fact whose last item is the best of all that is said of the items before.
    Keep(Best, Vec<Build>),
}

/// A value of many rows, or some of the rows.
#[derive(Clone, PartialEq, Debug)]
pub struct Reduce {
    /// Which.
    pub how: Aggregate,
    /// What rows of a group are alike in.
    pub group: Vec<Build>,
    /// What makes rows of a group different; the first is what is reduced or ranked.
    pub over: Vec<Build>,
    /// The items of the fact.
    pub template: Vec<Place>,
}

/// An item of a fact that is made of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Of the group.
    Group(usize),
    /// Of the row.
    Over(usize),
    /// The value.
    Value,
}

/// How one value is made of many, or which rows are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// How many rows there are.
    Count,
    /// The sum.
    Sum,
    /// The arithmetic mean.
    Mean,
    /// The rows with the greatest numbers, so many.
    Top(usize),
    /// The rows with the least numbers, so many.
    Bottom(usize),
}

/// Which of several values is kept: values only ever get better, so it may be used in recursion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Best {
    /// The least number.
    Least,
    /// The greatest number.
    Greatest,
    /// All items of all sets: a set is an expression, kept sorted and without doubles.
    Union,
}

impl Rules {
    /// Reads a text of rules and facts.
    ///
    /// # Errors
    /// `Invalid` for a text that is none; `Invalid`, `BadRule` for a rule that can not be run, which it names; `TooLarge`, `TooManyRules`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let (mut rules, mut facts) = (Vec::new(), Vec::new());
        let (mut parser, mut at) = (Parser::default(), 0);
        while let Parsed::Fact(next) = parser
            .fact(text, at, true)
            .map_err(|fault| fault.locate(text, 1))?
        {
            at = next;
            let fact = parser.parsed(text).term()?;
            let head = head(&fact);
            if !matches!(head, Some(b"rule" | b"exec")) {
                facts.push(fact);
                continue;
            }
            let label = label(text, &parser, next, &fact);
            if head == Some(b"exec") {
                let what = "it is an exec, which runs as a program and not with rules";
                return Err(wrong(&label, what));
            }
            rules.push(read::rule(label, fact)?);
            if rules.len() > RULES_MAX {
                let message = format!("there are more than {RULES_MAX} rules");
                return Err(Error::new(Kind::TooLarge, "TooManyRules", message));
            }
        }
        let mut warnings = layers::warnings(&rules);
        warnings.truncate(WARNINGS_MAX);
        Ok(Self {
            layers: layers::layers(rules)?,
            facts,
            warnings,
        })
    }

    /// The rules of several programs as one, in layers in which all rules of a relation lie together, each with one template.
    ///
    /// # Errors
    /// `Invalid`, `BadRule` if there is no such order.
    pub fn together(programs: impl IntoIterator<Item = Self>) -> Result<Self> {
        let mut rules = Vec::new();
        for rule in programs.into_iter().flat_map(|program| program.layers).flatten() {
            let alone = |head: &Head| Checked {
                heads: vec![head.clone()],
                ..rule.clone()
            };
            rules.extend(rule.heads.iter().map(alone));
        }
        Ok(Self {
            layers: layers::by_relation(rules)?,
            ..Self::default()
        })
    }

    /// All rules.
    pub fn all(&self) -> impl Iterator<Item = &Checked> {
        self.layers.iter().flatten()
    }
}

impl Checked {
    /// Whether it may make terms or numbers that are nowhere yet.
    #[must_use]
    pub fn invents(&self) -> bool {
        let makes = |build: &Build| matches!(build, Build::Expression(_) | Build::Value(_));
        let steps = self.steps.iter().any(|step| matches!(step, Step::Bind(..)));
        steps
            || self.heads.iter().any(|head| match head {
                Head::Add(items) | Head::Keep(_, items) => items.iter().any(makes),
                Head::Reduce(_) => true,
            })
    }
}

/// The symbol that a fact begins with.
fn head(fact: &Term) -> Option<&[u8]> {
    let mut items = fact.items();
    match (items.next(), items.next()) {
        (Some(Item::Expression(1..)), Some(Item::Symbol(head))) => Some(head),
        _ => None,
    }
}

/// What a rule is called that was read up to `end`.
fn label(text: &[u8], parser: &Parser, end: usize, fact: &Term) -> Label {
    let start = parser.start();
    let before = text.get(..start).unwrap_or_default();
    let lines = before.iter().filter(|b| **b == b'\n').count() as u64;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() as u64;
    let written = String::from_utf8_lossy(text.get(start..end).unwrap_or_default()).into_owned();
    let mut shown = written.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(cut);
        shown.push('…');
    }
    let name = fact.parts().and_then(|parts| parts.get(1).copied());
    let mut its = Vec::new();
    if let Some(part) = name {
        crate::print::write(part.bytes(fact.as_bytes()), &mut its);
    }
    Label {
        name: String::from_utf8_lossy(&its).into_owned(),
        text: shown,
        place: (lines.saturating_add(1), column.saturating_add(1)),
        variables: parser.variable_names(),
    }
}

/// An error about a rule, which it names.
pub(crate) fn wrong(label: &Label, what: &str) -> Error {
    let message = format!("{}: {what}: {}", of(label), label.text);
    Error::new(Kind::Invalid, "BadRule", message)
}

/// A rule by its place and name.
fn of(label: &Label) -> String {
    let (line, column) = label.place;
    format!("line {line}, column {column}, rule {}", label.name)
}

#[cfg(test)]
mod tests;
