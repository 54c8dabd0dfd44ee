//! Decides policies given as JSON lines, and makes such cases: the two ends of the comparison with
//! an independent evaluator (`tests/oracle/iam`).
//!
//! ```text
//! iam_decide gen 20000 7 > cases.jsonl          # seeded cases
//! iam_decide < cases.jsonl > ours.jsonl
//! node decide.mjs < cases.jsonl > theirs.jsonl
//! iam_decide compare ours.jsonl theirs.jsonl    # exit 1 if they differ
//! iam_decide known known.jsonl ours.jsonl theirs.jsonl
//! ```
//!
//! A case is `{id, policies: [{name, document}], boundary?, session?, guarded?, principal?, action, resource, context}`, an answer
//! `{id, decision, statements}` or `{id, error}`. A known difference is a case with `why`, `ours` and
//! `theirs`: it fails when either side's answer changes, also when the other's error is mended.

#![expect(
    clippy::indexing_slicing,
    reason = "a development tool outside the product; JSON members and pools are its own"
)]

#[path = "iam_decide/dice.rs"]
mod dice;
#[path = "iam_decide/generate.rs"]
mod generate;

use std::{
    io::{BufRead as _, Write as _},
    sync::Arc,
};

use craton_gate::policy::{
    Caller, Context, Decision, DecisionKind, Guarded, Limits, Policy, PolicySet, Request, ResourcePolicy,
    decide,
};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => answer_all(),
        ["gen", count, seed] => generate_all(count.parse()?, seed.parse()?),
        ["compare", ours, theirs] => compare(ours, theirs),
        ["known", cases, ours, theirs] => known(cases, ours, theirs),
        _ => Err("usage: iam_decide [gen COUNT SEED | compare OURS THEIRS | known CASES OURS THEIRS]".into()),
    }
}

fn generate_all(count: u64, seed: u64) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for id in 0..count {
        writeln!(out, "{}", generate::case(id, seed))?;
    }
    Ok(out.flush()?)
}

fn answer_all() -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        let answer = match answer(&case) {
            Ok((kind, names)) => {
                json!({"id": case["id"], "decision": format!("{kind:?}"), "statements": names})
            }
            Err(error) => json!({"id": case["id"], "error": error.to_string()}),
        };
        writeln!(out, "{answer}")?;
    }
    Ok(out.flush()?)
}

/// What is decided, and the statements that decide.
fn answer(case: &Value) -> Result<(DecisionKind, Vec<String>), Failure> {
    let mut policies = Vec::new();
    for policy in case["policies"].as_array().ok_or("policies")? {
        policies.push(parse(policy)?);
    }
    let mut context = Context::new();
    for (key, value) in case["context"].as_object().ok_or("context")? {
        match value {
            Value::String(text) => context.set(key.clone(), text.as_str())?,
            Value::Array(list) => {
                let texts = list.iter().filter_map(|v| v.as_str().map(str::to_owned));
                context.set_list(key.clone(), texts.collect())?;
            }
            _ => return Err("a context value is neither a string nor a list".into()),
        }
    }
    let request = Request {
        action: case["action"].as_str().ok_or("action")?,
        resource: case["resource"].as_str().ok_or("resource")?,
        context: &context,
    };
    let mut set = PolicySet::new(policies.clone());
    if let Some(boundary) = case.get("boundary") {
        set = set.with_boundary(parse(boundary)?);
    }
    if let Some(session) = case.get("session") {
        set = set.with_session(vec![parse(session)?]);
    }
    let guarded = case.get("guarded");
    if guarded.is_some() || case.get("boundary").is_some() || case.get("session").is_some() {
        return decide_about(
            &set,
            &request,
            guarded,
            case["principal"].as_str().unwrap_or_default(),
        );
    }
    let decision = set.decide(&request);
    if decision != decide(&policies.iter().map(|p| &**p).collect::<Vec<_>>(), &request) {
        return Err("the index and the list disagree".into());
    }
    Ok(named(&decision))
}

fn named(decision: &Decision<'_>) -> (DecisionKind, Vec<String>) {
    let each = decision.statements.iter();
    let mut names: Vec<String> = each.map(|s| format!("{}[{}]", s.policy, s.index)).collect();
    names.sort();
    (decision.kind, names)
}

/// With the resource's policy, by the user alice or a session of the role reader.
fn decide_about(
    set: &PolicySet,
    request: &Request<'_>,
    guarded: Option<&Value>,
    principal: &str,
) -> Result<(DecisionKind, Vec<String>), Failure> {
    let Some(guarded) = guarded else {
        return Ok(named(&set.decide(request)));
    };
    let policy = ResourcePolicy::parse(&serde_json::to_vec(guarded)?, &Limits::default())?;
    let account = "123456789012";
    let caller = if principal.contains(":assumed-role/") {
        Caller::Role {
            account,
            role: "arn:aws:iam::123456789012:role/reader",
            session: principal,
            id: "role/reader",
        }
    } else {
        Caller::User {
            account,
            arn: principal,
            id: "alice",
        }
    };
    let guarded = Guarded {
        policy: &policy,
        caller,
        shut_public: false,
        shut_anonymous: false,
    };
    Ok(named(&set.decide_about(request, Some(guarded))))
}

fn parse(policy: &Value) -> Result<Arc<Policy>, Failure> {
    let document = serde_json::to_vec(&policy["document"])?;
    let name = policy["name"].as_str().ok_or("name")?;
    Ok(Arc::new(
        Policy::parse(&document, &Limits::default())?.named(name),
    ))
}

/// Prints the ids whose answers differ, and counts the kinds of answers.
fn compare(ours: &str, theirs: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let (ours, theirs) = (read(ours)?, read(theirs)?);
    if ours.len() != theirs.len() {
        return Err(format!("{} answers against {}", ours.len(), theirs.len()).into());
    }
    let mut differences = 0_usize;
    let mut counts = std::collections::BTreeMap::new();
    for (our, their) in ours.iter().zip(&theirs) {
        *counts
            .entry(their["decision"].as_str().unwrap_or("error").to_owned())
            .or_insert(0_usize) += 1;
        if our != their || our.get("error").is_some() {
            differences += 1;
            writeln!(out, "ours   {our}\ntheirs {their}")?;
        }
    }
    writeln!(out, "{} cases, {differences} differences, {counts:?}", ours.len())?;
    if differences > 0 {
        return Err("the evaluators differ".into());
    }
    Ok(())
}

/// Checks that every known difference is still what it was.
fn known(cases: &str, ours: &str, theirs: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let (cases, ours, theirs) = (read(cases)?, read(ours)?, read(theirs)?);
    if cases.len() != ours.len() || cases.len() != theirs.len() {
        return Err(format!(
            "{} cases, {} and {} answers",
            cases.len(),
            ours.len(),
            theirs.len()
        )
        .into());
    }
    let said = |answer: &Value| answer["decision"].as_str().unwrap_or("error").to_owned();
    let mut changed = 0_usize;
    for ((case, our), their) in cases.iter().zip(&ours).zip(&theirs) {
        if case["ours"] != said(our) || case["theirs"] != said(their) {
            changed += 1;
            writeln!(out, "changed {}\nours   {our}\ntheirs {their}", case["why"])?;
        }
    }
    writeln!(out, "{} known differences, {changed} changed", cases.len())?;
    if changed > 0 {
        return Err("a known difference has changed".into());
    }
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a development tool outside the product reads its files"
)]
fn read(path: &str) -> Result<Vec<Value>, Failure> {
    let text = std::fs::read_to_string(path)?;
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
