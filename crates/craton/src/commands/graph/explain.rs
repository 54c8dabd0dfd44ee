//! `craton graph explain` and `snapshots`: what the server says of rules and of a graph's commits, in words.

use std::path::Path;

use craton_base::{ByteSize, Result};
use http::Method;
use serde_json::Value;

use super::{super::list, answer, path_of};
use crate::{
    cli::Target,
    client::{Client, read_json},
    files, output,
};

/// The longest file of rules, in bytes.
const RULES_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn explain(graph: &str, rules: &str, parameters: &str, target: &Target) -> Result<()> {
    let text = match rules.trim_start().starts_with('(') {
        true => rules.to_owned(),
        false => {
            let bytes = files::read(Path::new(rules), RULES_BYTES_MAX)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    };
    let found = ask(&Client::new(target)?, graph, &text, parameters).await?;
    answer(target, &found, show);
    Ok(())
}

/// Asks how rules would be answered.
pub(super) async fn ask(client: &Client, graph: &str, rules: &str, parameters: &str) -> Result<Value> {
    let path = format!("{}/explain{parameters}", path_of(graph)?);
    let body = reqwest::Body::from(rules.to_owned());
    read_json(client.graph(Method::POST, &path, body).await?).await
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

fn millis(value: &Value, name: &str) -> String {
    let ms = value.get(name).and_then(Value::as_f64).unwrap_or_default();
    format!("{ms:.1} ms")
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Rules with their plans.
pub(super) fn show(found: &Value) {
    for rule in list(found, "rules") {
        output::line(text(rule, "rule"));
        match text(rule, "how") {
            "join" => {}
            "nothing" => output::line("  nothing matches: a name of it is not in the graph"),
            _ => output::line(&format!("  one match after another: {}", text(rule, "why"))),
        }
        for line in list(rule, "patterns").chain(list(rule, "plan")) {
            output::line(&format!("  {}", line.as_str().unwrap_or_default()));
        }
        if let Some(took) = rule.get("took").filter(|t| !t.is_null()) {
            show_took(took);
        }
    }
}

fn show_took(took: &Value) {
    let held = ByteSize(number(took, "memory_bytes"));
    let spilled = ByteSize(number(took, "spilled_bytes"));
    let streamed = match took.get("streamed").and_then(Value::as_bool) {
        Some(true) => ", joined on sorted streams",
        _ => "",
    };
    output::line(&format!(
        "  read {} facts in {}, {held} in memory, {spilled} spilled{streamed}",
        number(took, "read_rows"),
        millis(took, "read_ms")
    ));
    let rows: Vec<Vec<String>> = list(took, "steps")
        .map(|step| {
            vec![
                text(step, "variable").to_owned(),
                number(step, "rows_in").to_string(),
                number(step, "values").to_string(),
                number(step, "rows_out").to_string(),
                millis(step, "ms"),
            ]
        })
        .collect();
    if !rows.is_empty() {
        output::table(
            &["  BOUND", "BINDINGS", "LOOKED AT", "BINDINGS OUT", "TIME"],
            &rows,
        );
    }
    for (n, made) in list(took, "outputs").enumerate() {
        let (rows, doubles) = (number(made, "rows"), number(made, "rows_with_doubles"));
        let spilled = ByteSize(number(made, "spilled_bytes"));
        output::line(&format!(
            "  output {n}: {rows} rows of {doubles}, {spilled} spilled"
        ));
    }
    output::line(&format!("  {} in all", millis(took, "ms")));
}

pub(super) async fn snapshots(graph: &str, target: &Target) -> Result<()> {
    let found = listed(&Client::new(target)?, graph).await?;
    answer(target, &found, show_snapshots);
    Ok(())
}

/// The commits of a graph.
pub(super) async fn listed(client: &Client, graph: &str) -> Result<Value> {
    let path = format!("{}/snapshots", path_of(graph)?);
    read_json(client.graph(Method::GET, &path, reqwest::Body::from("")).await?).await
}

pub(super) fn show_snapshots(found: &Value) {
    let rows: Vec<Vec<String>> = list(found, "snapshots")
        .map(|s| {
            vec![
                number(s, "snapshot").to_string(),
                number(s, "facts_max").to_string(),
                ByteSize(number(s, "bytes")).to_string(),
            ]
        })
        .collect();
    output::table(&["SNAPSHOT", "FACTS AT MOST", "SIZE"], &rows);
    for pin in list(found, "pins") {
        let name = pin.get("pin").and_then(Value::as_str).unwrap_or_default();
        output::line(&format!("{name} is snapshot {}", number(pin, "snapshot")));
    }
}
