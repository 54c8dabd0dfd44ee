//! `craton graph pin`, `unpin`, `loads` and `label`: what a graph keeps beside its facts.
//!
//! Deliberately absent: how it is kept.

use craton_base::{ByteSize, Error, Kind, Result};
use http::Method;
use serde_json::Value;

use super::{answer, path_of, query};
use crate::{
    cli::{Graph as Command, Target},
    client::{Client, read_json},
    output,
};

pub(super) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Pin {
            graph,
            name,
            snapshot,
            target,
        } => {
            let snapshot = snapshot.map(|s| s.to_string());
            let of = [("pin", Some(name.as_str())), ("snapshot", snapshot.as_deref())];
            change(Method::POST, &graph, "snapshots", &of, &target).await
        }
        Command::Unpin { graph, name, target } => {
            let of = [("pin", Some(name.as_str()))];
            change(Method::DELETE, &graph, "snapshots", &of, &target).await
        }
        Command::Loads {
            graph,
            drop: Some(name),
            target,
        } => {
            let of = [("load", Some(name.as_str()))];
            change(Method::DELETE, &graph, "loads", &of, &target).await
        }
        Command::Loads {
            graph,
            drop: None,
            target,
        } => {
            let found = asked(Method::GET, &graph, "loads", &[], &target).await?;
            answer(&target, &found, show);
            Ok(())
        }
        _ => Err(Error::internal("this is about nothing that is kept")),
    }
}

/// Shows the labels of a graph, or sets them.
pub(super) async fn label(graph: &str, labels: Option<Vec<String>>, target: &Target) -> Result<()> {
    let Some(labels) = labels else {
        let found = asked(Method::GET, graph, "labels", &[], target).await?;
        answer(target, &found, |found| {
            let labels = found.get("labels").and_then(Value::as_array);
            let labels = labels.into_iter().flatten().filter_map(Value::as_str);
            labels.for_each(output::line);
        });
        return Ok(());
    };
    let body = serde_json::json!({ "labels": labels }).to_string();
    let path = format!("{}/labels", path_of(graph)?);
    let answered = Client::new(target)?
        .graph(Method::PUT, &path, reqwest::Body::from(body))
        .await?;
    let done = read_json(answered).await?;
    answer(target, &done, |_| output::line(graph));
    Ok(())
}

/// Where the input of a load goes on that was interrupted, in bytes; 0 if it begins, or if that may not be known.
pub(super) async fn place_of(graph: &str, name: &str, target: &Target) -> Result<u64> {
    let found = match asked(Method::GET, graph, "loads", &[], target).await {
        Ok(found) => found,
        Err(e) if matches!(e.kind(), Kind::NotFound | Kind::Denied) => return Ok(0),
        Err(e) => return Err(e),
    };
    let loads = found.get("loads").and_then(Value::as_array);
    let its = |load: &&Value| load.get("load").and_then(Value::as_str) == Some(name);
    let at = loads
        .into_iter()
        .flatten()
        .find(its)
        .and_then(|load| load.get("at")?.as_u64());
    Ok(at.unwrap_or_default())
}

async fn asked(
    method: Method,
    graph: &str,
    what: &str,
    parameters: &[(&str, Option<&str>)],
    target: &Target,
) -> Result<Value> {
    let path = format!("{}/{what}{}", path_of(graph)?, query(parameters));
    let answered = Client::new(target)?
        .graph(method, &path, reqwest::Body::from(""))
        .await?;
    read_json(answered).await
}

async fn change(
    method: Method,
    graph: &str,
    what: &str,
    parameters: &[(&str, Option<&str>)],
    target: &Target,
) -> Result<()> {
    let done = asked(method, graph, what, parameters, target).await?;
    answer(target, &done, |_| output::line(graph));
    Ok(())
}

fn show(found: &Value) {
    let loads = found.get("loads").and_then(Value::as_array);
    let text = |load: &Value, name: &str| {
        let text = load.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let number = |load: &Value, name: &str| load.get(name).and_then(Value::as_u64).unwrap_or_default();
    let rows: Vec<Vec<String>> = loads
        .into_iter()
        .flatten()
        .map(|load| {
            vec![
                text(load, "load"),
                number(load, "facts").to_string(),
                ByteSize(number(load, "bytes")).to_string(),
                text(load, "prefix"),
            ]
        })
        .collect();
    output::table(&["LOAD", "FACTS READ", "SIZE", "PREFIX"], &rows);
}
