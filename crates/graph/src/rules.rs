//! Rules: `(rule name (, pattern …) (, template …))`, run together until they add nothing more: to their least fixpoint.
//!
//! A rule says that whenever all of its patterns hold its templates are facts. A pattern is one of facts; or `(not p)`: no fact is `p`; or a
//! comparison. Rules may be recursive, also through each other, but not through `not`: they are run in layers, each to its fixpoint, and what a rule
//! denies is complete before its layer begins ([`layers`]). So what they mean does not depend on their order. What they add is made of
//! what is there, the constants of the rules and of the facts, so they always come to an end.
//!
//! Here they are read and checked, before anything runs; [`crate::stored::fixpoint`] runs them.
//!
//! Invariant: a rule that passes has a flat form ([`Flat`]), and each variable of its templates, denials and comparisons occurs in a pattern of
//! facts.
//!
//! Deliberately absent: arithmetic, aggregates; templates with nested expressions that hold variables, for which there is no end in general.

use craton_base::{Error, Kind, Result};

use crate::{
    exec::{
        Rule, Sink,
        flat::{Flat, is_plain_pattern},
    },
    parse, print,
    term::{Item, Part, Term, Writer, is_ground, parts, read},
    unify::{Naming, Unifier},
};

mod layers;

/// The most rules of one program.
const RULES_MAX: usize = 1024;
/// The most characters of a rule that an error shows.
const SHOWN_MAX: usize = 400;

/// Rules that were checked, and the facts that came with them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In layers, each of which is run to its fixpoint before the next one.
    pub layers: Vec<Vec<Checked>>,
    /// Facts that are added before the rules run.
    pub facts: Vec<Term>,
}

/// A rule that can be run.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The rule as an `exec` whose location is its name. After its templates come what its conditions are about, as templates too: so all
    /// variables are numbered together.
    pub rule: Rule,
    /// How many templates it has.
    pub templates: usize,
    /// What the conditions are, in their order.
    pub conditions: Vec<Condition>,
    /// An `exec` that reads and writes what the rule does.
    pub touches: Term,
}

/// What must hold besides that facts match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Condition {
    /// No fact is this.
    Not,
    /// The same term.
    Same,
    /// Two different terms.
    Different,
    /// Two numbers, the first being less.
    Less,
    /// Two numbers, the first not being greater.
    LessOrSame,
}

impl Rules {
    /// Reads a text of rules and facts.
    ///
    /// # Errors
    /// `Invalid` for a text that is none; `Invalid`, `BadRule` for a rule that can not be run, which it names; `TooLarge`, `TooManyRules`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let (mut rules, mut facts) = (Vec::new(), Vec::new());
        for fact in parse::facts(text)? {
            match head(&fact) {
                Some(b"rule") => rules.push(check(&fact)?),
                Some(b"exec") => {
                    return Err(wrong(
                        &fact,
                        "it is an exec, which runs as a program and not with rules",
                    ));
                }
                _ => facts.push(fact),
            }
        }
        if rules.len() > RULES_MAX {
            let message = format!("there are more than {RULES_MAX} rules");
            return Err(Error::new(Kind::TooLarge, "TooManyRules", message));
        }
        let layers = layers::layers(rules)?;
        Ok(Self { layers, facts })
    }

    /// All rules.
    pub fn all(&self) -> impl Iterator<Item = &Checked> {
        self.layers.iter().flatten()
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

/// A rule that can be run.
fn check(fact: &Term) -> Result<Checked> {
    const FORM: &str = "a rule is (rule <name> (, <pattern> …) (, <template> …))";
    let bytes = fact.as_bytes();
    let whole = fact.parts().unwrap_or_default();
    let [_, name, patterns, templates] = whole.as_slice() else {
        return Err(wrong(fact, FORM));
    };
    if !is_ground(name.bytes(bytes)) {
        return Err(wrong(fact, "the name has a variable in it"));
    }
    let (Some(all), Some(templates)) = (list(bytes, *patterns), list(bytes, *templates)) else {
        return Err(wrong(fact, FORM));
    };
    let (mut patterns, mut conditions, mut about_what, mut denied) = (vec![], vec![], vec![], vec![]);
    for part in all {
        let Some((condition, part)) = condition(fact, part)? else {
            patterns.push(part);
            continue;
        };
        if condition == Condition::Not {
            denied.push(part);
        }
        conditions.push(condition);
        about_what.push(part);
    }
    if patterns.is_empty() || templates.is_empty() {
        let why = "it has no template, or no pattern of facts; facts are written as they are";
        return Err(wrong(fact, why));
    }
    for part in patterns.iter().chain(&denied) {
        if !is_plain_pattern(bytes, *part) {
            return Err(about(
                fact,
                fact,
                "the pattern",
                *part,
                "is no expression with a symbol in front",
            ));
        }
    }
    let written: Vec<Part> = templates.iter().chain(&about_what).copied().collect();
    let rule = Rule::read(as_exec(fact, *name, &patterns, &written)?)?;
    check_written(fact, &rule, templates.len())?;
    let read: Vec<Part> = patterns.iter().chain(&denied).copied().collect();
    Ok(Checked {
        templates: templates.len(),
        touches: as_exec(fact, *name, &read, &templates)?,
        rule,
        conditions,
    })
}

/// What a pattern says that is not one of facts, and the part that it is about.
fn condition(fact: &Term, part: Part) -> Result<Option<(Condition, Part)>> {
    let bytes = fact.as_bytes();
    let items = parts(bytes, part).unwrap_or_default();
    let head = items.first().and_then(|head| read(head.bytes(bytes), 0));
    let Some((Item::Symbol(head), _)) = head else {
        return Ok(None);
    };
    let condition = match head {
        b"not" => Condition::Not,
        b"==" => Condition::Same,
        b"!=" => Condition::Different,
        b"<" => Condition::Less,
        b"<=" => Condition::LessOrSame,
        b">" | b">=" => {
            let why = "is not one of ==, !=, < and <=: write it the other way round";
            return Err(about(fact, fact, "the comparison", part, why));
        }
        _ => return Ok(None),
    };
    match (condition, items.as_slice()) {
        (Condition::Not, [_, denied]) => Ok(Some((condition, *denied))),
        (Condition::Not, _) => Err(about(fact, fact, "the denial", part, "is not (not <pattern>)")),
        (_, [_, left, right]) => {
            let is_item = |part: &Part| is_ground(part.bytes(bytes)) || is_variable(bytes, *part);
            let both = [left, right];
            if !both.iter().all(|part| is_item(part)) || both.iter().all(|part| is_ground(part.bytes(bytes)))
            {
                let why = "is not of variables, or of a variable and a term without variables";
                return Err(about(fact, fact, "the comparison", part, why));
            }
            Ok(Some((condition, part)))
        }
        _ => Err(about(fact, fact, "the comparison", part, "is not of two terms")),
    }
}

fn is_variable(bytes: &[u8], part: Part) -> bool {
    matches!(
        read(bytes, part.start as usize),
        Some((Item::NewVariable | Item::Reference(_), _))
    )
}

/// Checks templates and what comes after them.
fn check_written(fact: &Term, rule: &Rule, templates: usize) -> Result<()> {
    let bytes = rule.exec.as_bytes();
    for (number, sink) in rule.sinks.iter().enumerate() {
        let Sink::Add(part) = sink else { continue };
        let what = if number < templates {
            "the template"
        } else {
            "the condition"
        };
        if !is_plain_pattern(bytes, *part) {
            let why = "is no expression with a symbol in front";
            return Err(about(fact, &rule.exec, what, *part, why));
        }
        // Patterns of facts stand before: a variable that is new here is in none of them.
        if has_new_variable(bytes, *part) {
            let why = "has a variable that no pattern of facts binds";
            return Err(about(fact, &rule.exec, what, *part, why));
        }
    }
    match Flat::of(rule) {
        Some(_) => Ok(()),
        None => Err(wrong(
            fact,
            "a template or a denial has a nested expression with variables, or no pattern has a variable",
        )),
    }
}

fn has_new_variable(bytes: &[u8], part: Part) -> bool {
    let mut at = part.start as usize;
    while at < part.end as usize {
        match read(bytes, at) {
            Some((Item::NewVariable, _)) => return true,
            Some((_, next)) => at = next,
            None => return false,
        }
    }
    false
}

/// What follows the `,` of a list.
fn list(bytes: &[u8], part: Part) -> Option<Vec<Part>> {
    let mut items = parts(bytes, part)?;
    let comma = items.first()?.bytes(bytes);
    if !matches!(read(comma, 0), Some((Item::Symbol(b","), _))) {
        return None;
    }
    items.remove(0);
    Some(items)
}

/// The `exec` of this location with these patterns and templates, all parts of a fact.
fn as_exec(fact: &Term, location: Part, patterns: &[Part], templates: &[Part]) -> Result<Term> {
    let mut unifier = Unifier::default();
    let root = unifier.frame(fact.as_bytes());
    let (mut out, mut names) = (Writer::default(), Naming::default());
    out.expression(4)?;
    out.symbol(b"exec")?;
    unifier.instance(unifier.part(root, location), &mut names, &mut out)?;
    for parts in [patterns, templates] {
        out.expression(u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1))?;
        out.symbol(b",")?;
        for part in parts {
            unifier.instance(unifier.part(root, *part), &mut names, &mut out)?;
        }
    }
    Ok(out.finish())
}

/// An error about a part of a rule, or of the `exec` that it became.
fn about(rule: &Term, of: &Term, what: &str, part: Part, why: &str) -> Error {
    let mut shown = Vec::new();
    print::write_after(part.bytes(of.as_bytes()), part.seen, &mut shown);
    wrong(rule, &format!("{what} {} {why}", String::from_utf8_lossy(&shown)))
}

/// An error about a rule, which it names.
pub(crate) fn wrong(rule: &Term, what: &str) -> Error {
    let mut shown = print::term(rule);
    if let Some((cut, _)) = shown.char_indices().nth(SHOWN_MAX) {
        shown.truncate(cut);
        shown.push('…');
    }
    Error::new(Kind::Invalid, "BadRule", format!("{what}: {shown}"))
}

#[cfg(test)]
mod tests;
