//! How rules would be answered: the plan; and, where it is asked for, what answering them took, with the rows thrown away.
//!
//! Deliberately absent: changes; nothing that is explained is done.

use craton_base::{Error, Kind, Result};
use craton_graph::{
    exec::Rule,
    join::Report,
    parse,
    stored::explain::{self, Explained},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{blocking, limits, open_for, wrong},
    query::text,
    respond,
};
use crate::http::Body;

/// The most rules that are explained at once.
const RULES_MAX: usize = 1000;

pub(super) async fn run(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let measured = match call.query.text("run").as_deref() {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => return Err(wrong("run", other)),
    };
    let asked = (call.moment()?, limits(&mut call)?);
    call.end_query()?;
    let rules = rules(&text(&mut call.body, "what is explained").await?);
    let (opened, memory, rules) = open_for(&call, path, rules, asked).await?;
    let explained = blocking(move || {
        let mut out = Vec::new();
        for rule in &rules {
            let report = match measured {
                false => None,
                true => explain::measure(&opened, rule, memory.bytes().saturating_sub(opened.caches()))?,
            };
            out.push(shown(&explain::explain(&opened, rule)?, report.as_ref()));
        }
        Ok(out)
    });
    Ok(respond(StatusCode::OK, &json!({ "rules": explained.await? })))
}

/// The rules of a program's text; or the one of a query: patterns and templates as they stand in an `exec`.
fn rules(text: &str) -> Result<Vec<Rule>> {
    if let Ok(term) = parse::term(format!("(exec 0 {text}\n)").as_bytes())
        && let Ok(rule) = Rule::read(term)
    {
        return Ok(vec![rule]);
    }
    let facts = parse::facts(text.as_bytes())?;
    let execs = facts
        .into_iter()
        .filter(|f| f.as_bytes().starts_with(&craton_graph::exec::EXEC_PREFIX));
    let rules = execs.map(Rule::read).collect::<Result<Vec<_>>>()?;
    match rules.len() {
        0 => Err(Error::new(
            Kind::Invalid,
            "NotAQuery",
            "what is explained are exec facts, or patterns and templates",
        )),
        1..=RULES_MAX => Ok(rules),
        _ => Err(Error::new(
            Kind::TooLarge,
            "TooManyRules",
            format!("at most {RULES_MAX} rules are explained at once"),
        )),
    }
}

fn shown(explained: &Explained, report: Option<&Report>) -> Value {
    let patterns = explained.patterns.iter().enumerate();
    let patterns: Vec<Value> = patterns
        .map(|(n, p)| json!(format!("pattern {n}: {p}")))
        .collect();
    json!({
        "rule": explained.rule,
        "how": explained.how,
        "why": explained.why,
        "patterns": patterns,
        "plan": explained.plan,
        "took": report.map(took),
    })
}

/// What a join took.
pub(super) fn took(report: &Report) -> Value {
    let millis = |d: std::time::Duration| d.as_secs_f64() * 1000.0;
    let steps: Vec<Value> = report
        .steps
        .iter()
        .map(|step| {
            json!({
                "variable": explain::named(&format!("variable {}", step.variable)),
                "patterns": step.patterns,
                "rows_in": step.rows_in,
                "values": step.candidates,
                "rows_out": step.rows_out,
                "ms": millis(step.time),
            })
        })
        .collect();
    let outputs: Vec<Value> = report
        .outputs
        .iter()
        .map(|output| {
            json!({
                "rows": output.rows,
                "rows_with_doubles": output.taken(),
                "sorted": output.sorted(),
                "spilled_bytes": output.spilled_bytes(),
            })
        })
        .collect();
    json!({
        "read_rows": report.read,
        "read_ms": millis(report.reading),
        "streamed": report.streamed,
        "memory_bytes": report.held_bytes,
        "spilled_bytes": report.spilled_bytes,
        "steps": steps,
        "outputs": outputs,
        "ms": millis(report.time),
    })
}
