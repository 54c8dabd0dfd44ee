//! `craton graph why`: a derivation of a fact, as a tree of lines.
//!
//! Deliberately absent: how it is found (the server's).

use craton_base::{Error, Result};
use http::Method;
use serde_json::Value;

use super::{super::list, answer, limited, path_of};
use crate::{
    cli::Graph as Command,
    client::{Client, read_json},
    files, output,
};

/// The longest file of rules, in bytes.
const RULES_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn run(command: Command) -> Result<()> {
    let Command::Why {
        graph,
        rules,
        fact,
        depth,
        look,
        limits,
        target,
    } = command
    else {
        return Err(Error::internal("this asks for no fact"));
    };
    let file = files::read(&rules, RULES_BYTES_MAX)?;
    let text = format!("{}\n(why {fact}\n)", String::from_utf8_lossy(&file));
    let (depth, look) = (depth.map(|n| n.to_string()), look.map(|n| n.to_string()));
    let parameters = [("depth", depth.as_deref()), ("look", look.as_deref())];
    let path = format!("{}/why{}", path_of(&graph)?, limited(&parameters, &limits));
    let client = Client::new(&target)?;
    let found = read_json(
        client
            .graph(Method::POST, &path, reqwest::Body::from(text))
            .await?,
    )
    .await?;
    answer(&target, &found, |found| match found.get("derivation") {
        Some(derivation) if !derivation.is_null() => show(derivation, 0),
        _ => output::line("the fact is not there"),
    });
    Ok(())
}

/// A fact and below it, further in, what it follows from.
fn show(derivation: &Value, depth: usize) {
    let text = |name: &str| derivation.get(name).and_then(Value::as_str).unwrap_or_default();
    let how = match text("how") {
        "rule" => format!("by rule {}", text("rule")),
        "above" => "as above".to_owned(),
        "unfollowed" => "not followed further".to_owned(),
        _ => "given".to_owned(),
    };
    output::line(&format!("{}{}  {how}", "  ".repeat(depth), text("fact")));
    list(derivation, "because").for_each(|below| show(below, depth.saturating_add(1)));
}
