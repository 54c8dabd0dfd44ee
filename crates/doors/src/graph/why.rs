//! Why a fact is there: a derivation of it by rules. It is decided as a query of what the rules' patterns match and of the fact.
//!
//! Deliberately absent: changes; how a derivation is found (the engine's).

use craton_base::{Error, Kind, Result};
use craton_graph::{
    exec::Rule,
    parse, print,
    rules::Rules,
    stored::fixpoint::why::{Asked, Derivation, How, why},
    term::{Part, Term, parts},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{blocking, limits, number, open_for, wrong},
    query::text,
    respond,
};
use crate::http::Body;

/// The most facts that are looked at for one answer.
const FACTS_MAX: usize = 100_000;
/// The deepest derivation that is told.
const DEPTH_MAX: u32 = 200;

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let mut asked = Asked::default();
    if let Some(depth) = number(&mut call, "depth")? {
        let told = u32::try_from(depth).ok().filter(|depth| *depth <= DEPTH_MAX);
        asked.depth = told.ok_or_else(|| wrong("depth", &depth.to_string()))?;
    }
    if let Some(facts) = number(&mut call, "look")? {
        let looked = usize::try_from(facts).ok().filter(|facts| *facts <= FACTS_MAX);
        asked.facts = looked.ok_or_else(|| wrong("look", &facts.to_string()))?;
    }
    let moment = (call.moment()?, limits(&mut call)?);
    call.end_query()?;
    let (mut rules, mut fact) = (Rules::default(), None);
    let touched = text(&mut call.body, "why").await.and_then(|text| {
        let (read, asked_for) = read(&text)?;
        let touched = touched(&read, &asked_for)?;
        (rules, fact) = (read, Some(asked_for));
        Ok(touched)
    });
    let (opened, _memory, _) = open_for(&call, path, touched, moment).await?;
    let fact = fact.ok_or_else(|| Error::internal("no fact was read"))?;
    let found = blocking(move || {
        let shown = print::term(&fact);
        Ok((why(&opened, &rules, &fact, asked)?, shown))
    });
    let (found, fact) = found.await?;
    let derivation = found.as_ref().map(shown);
    Ok(respond(
        StatusCode::OK,
        &json!({ "fact": fact, "is_there": found.is_some(), "derivation": derivation }),
    ))
}

/// The rules of a text, and the fact of its `(why <fact>)`. Other facts are passed over.
fn read(text: &str) -> Result<(Rules, Term)> {
    let rules = Rules::read(text.as_bytes())?;
    let why = parse::term(b"why")?;
    let asked = |question: &Term| -> Option<Term> {
        let bytes = question.as_bytes();
        match parts(bytes, Part::whole(bytes))?.as_slice() {
            [head, fact] if head.bytes(bytes) == why.as_bytes() => Term::from_bytes(fact.bytes(bytes)).ok(),
            _ => None,
        }
    };
    let mut questions = rules.facts.iter().filter_map(asked);
    match (questions.next(), questions.next()) {
        (Some(fact), None) if fact.is_ground() => Ok((rules, fact)),
        _ => {
            let message = "the text has rules and one (why <fact>), of a fact without variables";
            Err(Error::new(Kind::Invalid, "NotAQuestion", message))
        }
    }
}

/// What is read: what patterns and denials of the rules match, and the fact.
fn touched(rules: &Rules, fact: &Term) -> Result<Vec<Rule>> {
    let shown = print::term(fact);
    let question = parse::term(format!("(exec 0 (, {shown}\n) (, {shown}\n))").as_bytes())?;
    let all = rules.all().map(|rule| rule.touches.clone());
    all.chain([question]).map(Rule::read).collect()
}

fn shown(derivation: &Derivation) -> Value {
    let how = match derivation.how {
        How::Given => "given",
        How::Rule => "rule",
        How::Above => "above",
        How::Unfollowed => "unfollowed",
    };
    json!({
        "fact": derivation.fact,
        "how": how,
        "rule": derivation.rule,
        "because": derivation.because.iter().map(shown).collect::<Vec<_>>(),
    })
}
