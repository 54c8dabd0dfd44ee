//! `craton graph run` and `reason`: a program's text goes to the server, its progress is shown, and what it did is told.
//!
//! Deliberately absent: what programs mean (the server's).

use std::path::Path;

use craton_base::{ByteSize, Error, Result};
use http::Method;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{super::list, JSON_LINES, answer, body_of, followed, limited, opened, path_of};
use crate::{
    cli::{Graph as Command, Limits, Target},
    client::Client,
    output,
};

/// Asks for work with parameters and limits; its outcome.
async fn done(
    what: &str,
    file: Option<&Path>,
    (parameters, limits): (&[(&str, Option<&str>)], &Limits),
    target: &Target,
) -> Result<Value> {
    let body = match file {
        None => reqwest::Body::from(""),
        Some(file) => body_of(opened(file).await?, ProgressBar::hidden()),
    };
    let client = Client::new(target)?.accepting(Some(JSON_LINES));
    let path = format!("{what}{}", limited(parameters, limits));
    followed(client.graph(Method::POST, &path, body).await?).await
}

fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) async fn program(command: Command) -> Result<()> {
    let Command::Run {
        graph,
        file,
        steps,
        report,
        limits,
        target,
    } = command
    else {
        return Err(Error::internal("this is no program"));
    };
    let steps = steps.map(|s| s.to_string());
    let parameters = [("steps", steps.as_deref()), ("report", report.then_some("yes"))];
    let path = format!("{}/program", path_of(&graph)?);
    let done = done(&path, file.as_deref(), (&parameters, &limits), &target).await?;
    list(&done, "failures")
        .filter_map(Value::as_str)
        .for_each(output::note);
    answer(&target, &done, |done| {
        if report {
            show_each(done);
        }
        let (steps, added, removed) = (
            number(done, "steps"),
            number(done, "added"),
            number(done, "removed"),
        );
        let left = match done.get("finished").and_then(Value::as_bool) {
            Some(true) => "",
            _ => "; more is left to run",
        };
        output::line(&format!(
            "{graph}  {steps} steps, {added} facts added, {removed} removed{left}"
        ));
    });
    Ok(())
}

/// A line for each step.
fn show_each(done: &Value) {
    let rows: Vec<Vec<String>> = list(done, "each")
        .map(|step| {
            let size = |name: &str| ByteSize(number(step, name)).to_string();
            let text = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
            let ms = step.get("ms").and_then(Value::as_f64).unwrap_or_default();
            let steps = match number(step, "steps") {
                1 => text("how").to_owned(),
                steps => format!("{} of {steps}", text("how")),
            };
            vec![
                steps,
                number(step, "matches").to_string(),
                number(step, "added").to_string(),
                number(step, "removed").to_string(),
                size("read_bytes"),
                size("spilled_bytes"),
                size("memory_bytes"),
                format!("{ms:.1} ms"),
                text("exec").to_owned(),
            ]
        })
        .collect();
    let names = [
        "HOW", "MATCHES", "ADDED", "REMOVED", "READ", "SPILLED", "MEMORY", "TIME", "STEP",
    ];
    output::table(&names, &rows);
}

pub(super) async fn reason(command: Command) -> Result<()> {
    let Command::Reason {
        graph,
        file,
        rounds,
        depth,
        limits,
        target,
    } = command
    else {
        return Err(Error::internal("these are no rules"));
    };
    let path = format!("{}/rules", path_of(&graph)?);
    let (rounds, depth) = (rounds.map(|n| n.to_string()), depth.map(|n| n.to_string()));
    let parameters = [("rounds", rounds.as_deref()), ("depth", depth.as_deref())];
    let done = done(&path, Some(&file), (&parameters, &limits), &target).await?;
    for name in ["warnings", "failures"] {
        list(&done, name).filter_map(Value::as_str).for_each(output::note);
    }
    answer(&target, &done, |done| {
        let (rounds, added, replaced) = (
            number(done, "rounds"),
            number(done, "added"),
            number(done, "replaced"),
        );
        let replaced = match replaced {
            0 => String::new(),
            more => format!(", {more} replaced"),
        };
        output::line(&format!(
            "{graph}  {rounds} rounds, {added} facts added{replaced}"
        ));
    });
    Ok(())
}
