//! Rules: `(rule name (, pattern …) (, template …))`, run together until they add nothing more: to their least fixpoint.
//!
//! A rule says that whenever all of its patterns are facts its templates are facts too. Rules may be recursive, also through each other.
//! What they mean does not depend on their order. What they add is made of what is there: the constants of the rules and of the facts, so
//! they always come to an end.
//!
//! Here they are read and checked, before anything runs; [`crate::stored::fixpoint`] runs them.
//!
//! Invariant: a rule that passes has a flat form ([`Flat`]), and each variable of its templates occurs in its patterns.
//!
//! Deliberately absent: negation, comparisons, aggregates; templates with nested expressions that hold variables, for which there is no end in
//! general.

use craton_base::{Error, Kind, Result};

use crate::{
    exec::{
        Rule,
        flat::{Flat, is_plain_pattern},
    },
    parse, print,
    term::{Item, Part, Term, Writer, is_ground, parts, read},
    unify::{Naming, Unifier},
};

/// The most rules of one program.
const RULES_MAX: usize = 1024;
/// The most characters of a rule that an error shows.
const SHOWN_MAX: usize = 400;

/// Rules that were checked, and the facts that came with them.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Each as the `exec` with the same patterns and templates, whose location is the rule's name.
    pub rules: Vec<Rule>,
    /// Facts that are added before the rules run.
    pub facts: Vec<Term>,
}

impl Rules {
    /// Reads a text of rules and facts.
    ///
    /// # Errors
    /// `Invalid` for a text that is none; `Invalid`, `BadRule` for a rule that can not be run, which it names; `TooLarge`, `TooManyRules`.
    pub fn read(text: &[u8]) -> Result<Self> {
        let mut out = Self::default();
        for fact in parse::facts(text)? {
            match head(&fact) {
                Some(b"rule") => out.rules.push(check(&fact)?),
                Some(b"exec") => {
                    return Err(wrong(
                        &fact,
                        "it is an exec, which runs as a program and not with rules",
                    ));
                }
                _ => out.facts.push(fact),
            }
        }
        if out.rules.len() > RULES_MAX {
            let message = format!("there are more than {RULES_MAX} rules");
            return Err(Error::new(Kind::TooLarge, "TooManyRules", message));
        }
        Ok(out)
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

/// A rule as an `exec`, if it can be run.
fn check(fact: &Term) -> Result<Rule> {
    const FORM: &str = "a rule is (rule <name> (, <pattern> …) (, <template> …))";
    let bytes = fact.as_bytes();
    let whole = fact.parts().unwrap_or_default();
    let [_, name, patterns, templates] = whole.as_slice() else {
        return Err(wrong(fact, FORM));
    };
    if !is_ground(name.bytes(bytes)) {
        return Err(wrong(fact, "the name has a variable in it"));
    }
    let (Some(patterns_of), Some(templates_of)) = (list(bytes, *patterns), list(bytes, *templates)) else {
        return Err(wrong(fact, FORM));
    };
    if patterns_of.is_empty() || templates_of.is_empty() {
        return Err(wrong(
            fact,
            "it has no pattern or no template; facts are written as they are",
        ));
    }
    for part in &patterns_of {
        if !is_plain_pattern(bytes, *part) {
            return Err(about(
                fact,
                "the pattern",
                *part,
                "is no expression with a symbol in front",
            ));
        }
    }
    let rule = Rule::read(as_exec(fact, [*name, *patterns, *templates])?)?;
    check_templates(fact, &rule, &templates_of)?;
    Ok(rule)
}

fn check_templates(fact: &Term, rule: &Rule, templates: &[Part]) -> Result<()> {
    let bytes = fact.as_bytes();
    for part in templates {
        if !is_plain_pattern(bytes, *part) {
            return Err(about(
                fact,
                "the template",
                *part,
                "is no expression with a symbol in front",
            ));
        }
        // Patterns stand before: a variable that is new here is in none of them. (One that an earlier template brought in is an error there.)
        if has_new_variable(bytes, *part) {
            return Err(about(
                fact,
                "the template",
                *part,
                "has a variable that no pattern binds",
            ));
        }
    }
    match Flat::of(rule) {
        Some(_) => Ok(()),
        None => Err(wrong(
            fact,
            "a template has a nested expression with variables, or no pattern has a variable",
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

/// The `exec` with these parts of a fact.
fn as_exec(fact: &Term, three: [Part; 3]) -> Result<Term> {
    let mut unifier = Unifier::default();
    let root = unifier.frame(fact.as_bytes());
    let (mut out, mut names) = (Writer::default(), Naming::default());
    out.expression(4)?;
    out.symbol(b"exec")?;
    for part in three {
        unifier.instance(unifier.part(root, part), &mut names, &mut out)?;
    }
    Ok(out.finish())
}

/// An error about a part of a rule.
fn about(rule: &Term, what: &str, part: Part, why: &str) -> Error {
    let mut shown = Vec::new();
    print::write_after(part.bytes(rule.as_bytes()), part.seen, &mut shown);
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
