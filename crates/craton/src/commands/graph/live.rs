//! `craton graph live`: rules that a graph keeps.
//!
//! Deliberately absent: what follows from them (the server's).

use std::path::Path;

use craton_base::Result;
use http::Method;
use indicatif::ProgressBar;
use serde_json::Value;

use super::{
    super::{list, text},
    JSON_LINES, answer, body_of, followed, limited, opened, path_of,
};
use crate::{
    cli::{Limits, Live, Target},
    client::{Client, read_json},
    output,
};

pub(super) async fn run(graph: &str, what: Live) -> Result<()> {
    match what {
        Live::Add {
            name,
            file,
            rounds,
            depth,
            limits,
            target,
        } => {
            let (rounds, depth) = (rounds.map(|n| n.to_string()), depth.map(|n| n.to_string()));
            let parameters = [
                ("name", Some(name.as_str())),
                ("rounds", rounds.as_deref()),
                ("depth", depth.as_deref()),
            ];
            let path = format!("live{}", limited(&parameters, &limits));
            change(Method::POST, (graph, &path), Some(&file), &target).await
        }
        Live::List { target } => show(graph, &target).await,
        Live::Remove {
            name,
            keep,
            limits,
            target,
        } => {
            let parameters = [("name", Some(name.as_str())), ("keep", keep.then_some("yes"))];
            let path = format!("live{}", limited(&parameters, &limits));
            change(Method::DELETE, (graph, &path), None, &target).await
        }
        Live::Refresh { limits, target } => refresh(graph, &limits, &target).await,
    }
}

async fn refresh(graph: &str, limits: &Limits, target: &Target) -> Result<()> {
    let path = format!("live/refresh{}", limited(&[], limits));
    change(Method::POST, (graph, &path), None, target).await
}

async fn change(
    method: Method,
    (graph, what): (&str, &str),
    file: Option<&Path>,
    target: &Target,
) -> Result<()> {
    let body = match file {
        None => reqwest::Body::from(""),
        Some(file) => body_of(opened(file).await?, ProgressBar::hidden()),
    };
    let client = Client::new(target)?.accepting(Some(JSON_LINES));
    let path = format!("{}/{what}", path_of(graph)?);
    let done = followed(client.graph(method, &path, body).await?).await?;
    list(&done, "warnings")
        .filter_map(Value::as_str)
        .for_each(output::note);
    answer(target, &done, |done| {
        let number = |name: &str| done.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (added, removed) = (number("added"), number("removed"));
        output::line(&format!("{graph}  {added} facts added, {removed} removed"));
    });
    Ok(())
}

async fn show(graph: &str, target: &Target) -> Result<()> {
    let path = format!("{}/live", path_of(graph)?);
    let answered = Client::new(target)?
        .graph(Method::GET, &path, reqwest::Body::from(""))
        .await?;
    let found = read_json(answered).await?;
    answer(target, &found, |found| {
        let rows: Vec<Vec<String>> = list(found, "programs")
            .map(|program| {
                let derives = list(program, "derives").filter_map(Value::as_str);
                let rules = program.get("rules").and_then(Value::as_u64).unwrap_or_default();
                vec![
                    text(program, "name").to_owned(),
                    rules.to_string(),
                    derives.collect::<Vec<_>>().join(" "),
                    text(program, "by").to_owned(),
                ]
            })
            .collect();
        output::table(&["NAME", "RULES", "DERIVES", "BY"], &rows);
    });
    Ok(())
}
