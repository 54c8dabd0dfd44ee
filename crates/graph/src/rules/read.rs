//! One rule from its term.
//!
//! Deliberately absent: how rules of a program go together ([`super::layers`]).

use std::collections::BTreeSet;

use craton_base::{Error, Result};

use super::{Build, Checked, Code, Head, Label, Operator, Step, body, build, heads, wrong};
use crate::{
    exec::{Rule, Source, each_variable, flat::Flat},
    pure,
    term::{Part, Term, Writer, is_ground, parts},
};

/// A rule being read.
pub(super) struct Reader<'a> {
    pub(super) label: &'a Label,
    pub(super) bytes: &'a [u8],
}

/// A rule that can be run.
pub(super) fn rule(label: Label, fact: Term) -> Result<Checked> {
    const FORM: &str = "a rule is (rule <name> (, <body> …) (, <template> …))";
    let bytes = fact.as_bytes();
    let reader = Reader { label: &label, bytes };
    let whole = fact.parts().unwrap_or_default();
    let [_, name, patterns, templates] = whole.as_slice() else {
        return Err(reader.wrong(FORM));
    };
    if !is_ground(name.bytes(bytes)) {
        return Err(reader.wrong("the name has a variable in it"));
    }
    let (Some((b",", all)), Some((form, templates))) = (reader.list(*patterns), reader.list(*templates))
    else {
        return Err(reader.wrong(FORM));
    };
    let body = body::read(&reader, &all)?;
    let mut heads = match form {
        b"," => heads::plain(&reader, &templates)?,
        b"O" => heads::sinks(&reader, &templates)?,
        _ => return Err(reader.wrong(FORM)),
    };
    if body.patterns.is_empty() || heads.is_empty() {
        let why = "it has no template, or no pattern of facts; facts are written as they are";
        return Err(reader.wrong(why));
    }
    heads::make_new(&mut heads, name.bytes(bytes), &body.new)?;
    let bound: BTreeSet<u16> = reader.variables(&body.patterns);
    let (steps, bound) = body::ordered(&reader, body.steps, bound)?;
    heads::check(&reader, &heads, &bound)?;
    let patterns = Rule {
        exec: fact.clone(),
        sources: body.patterns.iter().copied().map(Source::Space).collect(),
        sinks: Vec::new(),
    };
    if Flat::patterns(&patterns).is_none() {
        return Err(reader.wrong("no pattern has a variable"));
    }
    let touches = touches(&reader, *name, &body.patterns, (&steps, &heads))?;
    Ok(Checked {
        label,
        patterns,
        steps,
        heads,
        touches,
    })
}

/// An `exec` with the patterns and denials of a rule, and what it may make.
fn touches(
    reader: &Reader<'_>,
    name: Part,
    patterns: &[Part],
    (steps, heads): (&[Step], &[Head]),
) -> Result<Term> {
    let mut reads = Vec::new();
    for part in patterns {
        reads.push(reader.build(*part, "the pattern")?);
    }
    for step in steps {
        if let Step::Absent(items) = step {
            reads.push(Build::Expression(items.clone()));
        }
    }
    let writes: Vec<Build> = heads.iter().map(heads::made).collect();
    let (mut out, mut names) = (Writer::default(), build::Numbering::default());
    out.expression(4)?;
    out.symbol(b"exec")?;
    out.ground(name.bytes(reader.bytes))?;
    for list in [&reads, &writes] {
        out.expression(u32::try_from(list.len()).unwrap_or(u32::MAX).saturating_add(1))?;
        out.symbol(b",")?;
        list.iter()
            .try_for_each(|build| build.write(&mut names, &mut out))?;
    }
    Ok(out.finish())
}

impl<'a> Reader<'a> {
    /// An error about the rule.
    pub(super) fn wrong(&self, what: &str) -> Error {
        wrong(self.label, what)
    }

    /// An error about a part of it.
    pub(super) fn about(&self, what: &str, part: Part, why: &str) -> Error {
        let shown = match self.term(part, build::DEPTH_MAX) {
            Some(build) => self.show(&build),
            None => "(…)".to_owned(),
        };
        self.wrong(&format!("{what} {shown} {why}"))
    }

    /// A term with the names of its variables.
    pub(super) fn show(&self, build: &Build) -> String {
        let mut out = Vec::new();
        build.show(&self.label.variables, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The name of a variable.
    pub(super) fn name(&self, variable: u16) -> &str {
        let name = self.label.variables.get(usize::from(variable));
        name.map_or("$_", String::as_str)
    }

    /// The head symbol of an expression and what follows it.
    pub(super) fn list(&self, part: Part) -> Option<(&'a [u8], Vec<Part>)> {
        let mut items = parts(self.bytes, part)?;
        let head = build::symbol(items.first()?.bytes(self.bytes))?;
        items.remove(0);
        Some((head, items))
    }

    /// The variables of some parts.
    pub(super) fn variables(&self, of: &[Part]) -> BTreeSet<u16> {
        let mut out = BTreeSet::new();
        for part in of {
            each_variable(self.bytes, *part, &mut |variable| {
                out.extend(u16::try_from(variable).ok());
            });
        }
        out
    }

    /// The variable that a part is.
    pub(super) fn variable(&self, part: Part) -> Option<u16> {
        match self.term(part, 1)? {
            Build::Variable(variable) => Some(variable),
            _ => None,
        }
    }

    /// A part as a term, nothing in it being evaluated.
    fn term(&self, part: Part, depth: u32) -> Option<Build> {
        let text = part.bytes(self.bytes);
        if is_ground(text) {
            return Some(Build::Constant(text.into()));
        }
        let Some(items) = parts(self.bytes, part) else {
            let mut variable = None;
            each_variable(self.bytes, part, &mut |v| variable = u16::try_from(v).ok());
            return variable.map(Build::Variable);
        };
        let depth = depth.checked_sub(1)?;
        let items = items.into_iter().map(|item| self.term(item, depth));
        items.collect::<Option<_>>().map(Build::Expression)
    }

    /// A part as a term, nothing in it being evaluated.
    ///
    /// # Errors
    /// `BadRule` if it is nested too deep.
    pub(super) fn build(&self, part: Part, what: &str) -> Result<Build> {
        let too_deep = || self.wrong(&format!("{what} is nested deeper than {}", build::DEPTH_MAX));
        self.term(part, build::DEPTH_MAX).ok_or_else(too_deep)
    }

    /// A part of a template: a term, in which `(:= e)` is the value of `e`.
    pub(super) fn item(&self, part: Part, depth: u32) -> Result<Build> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.wrong(&format!("a template is nested deeper than {}", build::DEPTH_MAX)));
        };
        if let Some((b":=", items)) = self.list(part)
            && let [code] = items.as_slice()
        {
            return Ok(Build::Value(Box::new(self.code(*code, depth)?)));
        }
        let text = part.bytes(self.bytes);
        match parts(self.bytes, part) {
            Some(items) if !items.is_empty() => {
                let items = items.into_iter().map(|item| self.item(item, depth));
                let items: Vec<Build> = items.collect::<Result<_>>()?;
                Ok(match items.iter().all(Build::is_constant) {
                    true => Build::Constant(text.into()),
                    false => Build::Expression(items),
                })
            }
            _ => self.build(part, "a template"),
        }
    }

    /// The items of a template, which begins with a symbol.
    pub(super) fn items(&self, part: Part, what: &str) -> Result<Vec<Build>> {
        let items = parts(self.bytes, part).unwrap_or_default();
        let head = items
            .first()
            .and_then(|head| build::symbol(head.bytes(self.bytes)));
        if head.is_none_or(|head| head == b"exec") {
            return Err(self.about(what, part, "is no expression with a symbol in front"));
        }
        items
            .into_iter()
            .map(|item| self.item(item, build::DEPTH_MAX))
            .collect()
    }

    /// An expression that has a value.
    pub(super) fn code(&self, part: Part, depth: u32) -> Result<Code> {
        let wrong = |why: &str| self.about("the expression", part, why);
        let Some(depth) = depth.checked_sub(1) else {
            return Err(wrong(&format!("is nested deeper than {}", build::DEPTH_MAX)));
        };
        if parts(self.bytes, part).is_none() {
            return Ok(Code::Term(self.build(part, "an expression")?));
        }
        let Some((head, items)) = self.list(part) else {
            return Err(wrong("calls nothing: what it begins with is no symbol"));
        };
        if head == b"'" {
            let [quoted] = items.as_slice() else {
                return Err(wrong("is not (' <term>)"));
            };
            return Ok(Code::Term(self.build(*quoted, "a term")?));
        }
        let operator = Operator::named(head);
        let function = pure::Named::find(head);
        if operator.is_some_and(|operator| !operator.takes(items.len())) {
            return Err(wrong("has a wrong number of arguments"));
        }
        let of = items.into_iter().map(|item| self.code(item, depth));
        let of: Vec<Code> = of.collect::<Result<_>>()?;
        match (operator, function) {
            (Some(operator), _) => Ok(Code::Number(operator, of)),
            (None, Some(function)) => Ok(Code::Pure(function, of)),
            (None, None) => {
                let name = String::from_utf8_lossy(head);
                Err(wrong(&format!(
                    "calls {name}, which is no function; (' t) is a term as it is"
                )))
            }
        }
    }
}
