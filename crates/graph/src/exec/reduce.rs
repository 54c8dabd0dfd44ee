//! The sinks that make one value of many instances, and the one that evaluates.

use std::collections::BTreeSet;

use craton_base::{Error, Kind, Result};

use super::{collect::Triple, rule::Reduction, run::Report};
use crate::{
    pure,
    term::{Item, Part, Term, count_new, read},
    unify::Unifier,
};

/// The facts that a reducing sink adds.
///
/// `count` counts all instances of one `t`; the others reduce those of one `t` and one `k`.
pub(super) fn reduce(reduction: Reduction, triples: &BTreeSet<Triple>) -> Result<Vec<Term>> {
    let same_template = |one: &Triple, other: &Triple| one.template() == other.template();
    let same_both = |one: &Triple, other: &Triple| same_template(one, other) && one.guard() == other.guard();
    let triples: Vec<&Triple> = triples.iter().collect();
    let mut facts = Vec::new();
    for group in triples.chunk_by(|one, other| same_template(one, other)) {
        let counted = Value::text(group.len().to_string());
        for part in group.chunk_by(|one, other| same_both(one, other)) {
            let Some(first) = part.first() else { continue };
            let value = match reduction {
                Reduction::Count => counted.clone(),
                // Without the value in it the template stands as it is, and what is reduced is not read.
                _ if first.is_unused() => Value::text("0".into()),
                _ => value(reduction, part)?,
            };
            facts.extend(first.with_value(&value.0)?);
        }
    }
    Ok(facts)
}

/// The facts that a `pure` sink adds; what has no value is counted.
pub(super) fn evaluate(triples: &BTreeSet<Triple>, report: &mut Report) -> Result<Vec<Term>> {
    let mut facts = Vec::new();
    for triple in triples {
        if triple.is_unused() {
            facts.extend(triple.with_value(&Value::text("0".into()).0)?);
            continue;
        }
        match pure::evaluate(triple.instance()) {
            Ok(value) => facts.extend(triple.with_value(&value)?),
            Err(why) => report.failed(triple.instance(), &why),
        }
    }
    Ok(facts)
}

/// An encoded symbol.
#[derive(Clone)]
struct Value(Vec<u8>);

impl Value {
    fn text(text: String) -> Self {
        Self::bytes(text.as_bytes())
    }

    fn bytes(bytes: &[u8]) -> Self {
        Self(
            Term::symbol(bytes)
                .map(|term| term.into_bytes().into_vec())
                .unwrap_or_default(),
        )
    }
}

impl Triple {
    fn template(&self) -> &[u8] {
        self.bytes.get(..self.value as usize).unwrap_or_default()
    }

    fn guard(&self) -> &[u8] {
        self.bytes
            .get(self.value as usize..self.over as usize)
            .unwrap_or_default()
    }

    fn instance(&self) -> &[u8] {
        self.bytes.get(self.over as usize..).unwrap_or_default()
    }

    fn text(&self) -> Option<&[u8]> {
        match read(self.instance(), 0)?.0 {
            Item::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the place of the value is a variable that the template does not have.
    fn is_unused(&self) -> bool {
        matches!(read(self.guard(), 0), Some((Item::NewVariable, _)))
    }

    /// The template where the place of the value unifies with the value.
    fn with_value(&self, value: &[u8]) -> Result<Option<Term>> {
        let mut unifier = Unifier::default();
        let whole = unifier.frame(&self.bytes);
        let value = unifier.frame(value);
        let guard = Part {
            start: self.value,
            end: self.over,
            seen: count_new(self.template()),
        };
        if !unifier.unify(unifier.part(whole, guard), value)? {
            return Ok(None);
        }
        unifier.term(whole).map(Some)
    }
}

fn value(reduction: Reduction, part: &[&Triple]) -> Result<Value> {
    Ok(match reduction {
        Reduction::Count => Value::text(part.len().to_string()),
        Reduction::Sum => Value::text(sum(part)?.to_string()),
        Reduction::And => Value::bytes(&and(part)?),
        Reduction::Hash => {
            let all: Vec<u8> = part
                .iter()
                .flat_map(|triple| triple.instance())
                .copied()
                .collect();
            Value::bytes(&pure::hash(&all).to_be_bytes())
        }
        Reduction::FloatSum => float(part, 0.0, |total, next| total + next)?,
        Reduction::FloatProduct => float(part, 1.0, |total, next| total * next)?,
        Reduction::FloatMin => float(part, f64::MAX, f64::min)?,
        Reduction::FloatMax => float(part, f64::MIN, f64::max)?,
    })
}

fn sum(part: &[&Triple]) -> Result<i128> {
    let mut total = 0_i128;
    for triple in part {
        let number = parse::<i128>(triple, "an integer")?;
        total = total
            .checked_add(number)
            .ok_or_else(|| Error::new(Kind::TooLarge, "SumTooLarge", "a sum does not fit in 128 bits"))?;
    }
    Ok(total)
}

fn float(part: &[&Triple], from: f64, step: fn(f64, f64) -> f64) -> Result<Value> {
    let mut total = from;
    for triple in part {
        total = step(total, parse::<f64>(triple, "a number")?);
    }
    Ok(Value::text(total.to_string()))
}

fn and(part: &[&Triple]) -> Result<Vec<u8>> {
    let mut total: Option<Vec<u8>> = None;
    for triple in part {
        let bits = triple
            .text()
            .ok_or_else(|| no_number(triple, "a symbol of bits"))?;
        match &mut total {
            None => total = Some(bits.to_vec()),
            Some(total) if total.len() == bits.len() => {
                total.iter_mut().zip(bits).for_each(|(all, one)| *all &= one);
            }
            Some(_) => return Err(no_number(triple, "bits of the length of the others")),
        }
    }
    Ok(total.unwrap_or_default())
}

fn parse<T: std::str::FromStr>(triple: &Triple, what: &str) -> Result<T> {
    let text = triple.text().and_then(|text| std::str::from_utf8(text).ok());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| no_number(triple, what))
}

fn no_number(triple: &Triple, what: &str) -> Error {
    let mut shown = Vec::new();
    crate::print::write(triple.instance(), &mut shown);
    shown.truncate(200);
    let shown = String::from_utf8_lossy(&shown).into_owned();
    Error::new(
        Kind::Invalid,
        "NotANumber",
        format!("a sink reduces {shown}, which is not {what}"),
    )
}
