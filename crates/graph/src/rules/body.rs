//! What stands in the body of a rule, and the order in which its conditions are decided.
//!
//! Deliberately absent: templates.

use std::collections::BTreeSet;

use craton_base::Result;

use super::{Build, Code, Step, build, read::Reader};
use crate::{exec::flat::is_plain_pattern, term::Part};

/// A body taken apart.
#[derive(Default)]
pub(super) struct Body {
    /// Patterns of facts.
    pub(super) patterns: Vec<Part>,
    /// The rest, as it is written.
    pub(super) steps: Vec<Step>,
    /// Variables that stand for something new.
    pub(super) new: Vec<u16>,
}

/// Takes a body apart.
pub(super) fn read(reader: &Reader<'_>, all: &[Part]) -> Result<Body> {
    let mut body = Body::default();
    for part in all {
        let Some((head, items)) = reader.list(*part) else {
            return Err(not_plain(reader, *part));
        };
        match head {
            b"not" => body.steps.push(denial(reader, *part, &items)?),
            b"==" | b"!=" => body.steps.push(same(reader, *part, head == b"==", &items)?),
            b"<" | b"<=" | b">" | b">=" => body.steps.push(less(reader, *part, head, &items)?),
            b":=" => body.steps.push(bind(reader, *part, &items)?),
            b"exists" => {
                let variables = items.iter().map(|item| reader.variable(*item));
                let Some(variables) = variables.collect::<Option<Vec<_>>>() else {
                    return Err(reader.about("the body's", *part, "is not (exists <variable> …)"));
                };
                body.new.extend(variables);
            }
            _ if is_plain_pattern(reader.bytes, *part) => body.patterns.push(*part),
            _ => return Err(not_plain(reader, *part)),
        }
    }
    Ok(body)
}

fn not_plain(reader: &Reader<'_>, part: Part) -> craton_base::Error {
    reader.about("the pattern", part, "is no expression with a symbol in front")
}

fn denial(reader: &Reader<'_>, part: Part, items: &[Part]) -> Result<Step> {
    let [denied] = items else {
        return Err(reader.about("the denial", part, "is not (not <pattern>)"));
    };
    if !is_plain_pattern(reader.bytes, *denied) {
        return Err(not_plain(reader, *denied));
    }
    match reader.build(*denied, "a denial")? {
        Build::Expression(items) => Ok(Step::Absent(items)),
        _ => {
            let items = crate::term::parts(reader.bytes, *denied).unwrap_or_default();
            let items = items.into_iter().map(|item| reader.build(item, "a denial"));
            Ok(Step::Absent(items.collect::<Result<_>>()?))
        }
    }
}

fn same(reader: &Reader<'_>, part: Part, same: bool, items: &[Part]) -> Result<Step> {
    let [left, right] = items else {
        return Err(reader.about("the comparison", part, "is not of two terms"));
    };
    let both = [reader.build(*left, "a term")?, reader.build(*right, "a term")?];
    if both.iter().all(Build::is_constant) {
        let why = "is not of variables, or of a variable and another term";
        return Err(reader.about("the comparison", part, why));
    }
    Ok(Step::Same(same, both))
}

fn less(reader: &Reader<'_>, part: Part, sign: &[u8], items: &[Part]) -> Result<Step> {
    let [left, right] = items else {
        return Err(reader.about("the comparison", part, "is not of two terms"));
    };
    let left = reader.code(*left, build::DEPTH_MAX)?;
    let right = reader.code(*right, build::DEPTH_MAX)?;
    if matches!(
        (&left, &right),
        (Code::Term(Build::Constant(_)), Code::Term(Build::Constant(_)))
    ) {
        return Err(reader.about("the comparison", part, "is not of variables"));
    }
    Ok(match sign {
        b">" => Step::Less(false, [right, left]),
        b">=" => Step::Less(true, [right, left]),
        _ => Step::Less(sign == b"<=", [left, right]),
    })
}

fn bind(reader: &Reader<'_>, part: Part, items: &[Part]) -> Result<Step> {
    let form = || reader.about("the body's", part, "is not (:= <variable> <expression>)");
    let [variable, code] = items else {
        return Err(form());
    };
    let variable = reader.variable(*variable).ok_or_else(form)?;
    Ok(Step::Bind(variable, reader.code(*code, build::DEPTH_MAX)?))
}

impl Step {
    /// Gives the variables that have to be known before it.
    pub fn each_needed(&self, visit: &mut dyn FnMut(u16)) {
        match self {
            Self::Absent(items) => items.iter().for_each(|item| item.each_variable(visit)),
            Self::Same(_, both) => both.iter().for_each(|item| item.each_variable(visit)),
            Self::Less(_, both) => both.iter().for_each(|code| code.each_variable(visit)),
            Self::Bind(_, code) => code.each_variable(visit),
            Self::Equals(variable, code) => {
                visit(*variable);
                code.each_variable(visit);
            }
        }
    }

    fn needs(&self) -> BTreeSet<u16> {
        let mut out = BTreeSet::new();
        self.each_needed(&mut |variable| {
            out.insert(variable);
        });
        out
    }
}

/// Steps in an order in which what each needs is known, tests first; and all variables that are known then.
pub(super) fn ordered(
    reader: &Reader<'_>,
    mut steps: Vec<Step>,
    mut bound: BTreeSet<u16>,
) -> Result<(Vec<Step>, BTreeSet<u16>)> {
    let mut out = Vec::with_capacity(steps.len());
    while !steps.is_empty() {
        let is_ready = |step: &Step| step.needs().is_subset(&bound);
        let is_test = |step: &Step| match step {
            Step::Bind(variable, _) => bound.contains(variable),
            _ => true,
        };
        let test = steps.iter().position(|step| is_ready(step) && is_test(step));
        let Some(next) = test.or_else(|| steps.iter().position(is_ready)) else {
            let unbound = steps.iter().flat_map(Step::needs).find(|v| !bound.contains(v));
            let name = reader.name(unbound.unwrap_or_default());
            let what = format!("the condition has a variable that no pattern of facts binds: {name}");
            return Err(reader.wrong(&what));
        };
        out.push(match steps.remove(next) {
            Step::Bind(variable, code) if !bound.insert(variable) => Step::Equals(variable, code),
            step => step,
        });
    }
    Ok((out, bound))
}
