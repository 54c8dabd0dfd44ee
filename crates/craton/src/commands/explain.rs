//! `craton explain`, `who`, `reach`: a decision that was made, or those that would be.

use craton_base::{Error, Result};
use http::Method;
use serde_json::{Map, Value, json};

use super::{answer, list, text};
use crate::{
    cli::{AsIf, Asking, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Asking) -> Result<()> {
    match command {
        Asking::Explain {
            decision: Some(id),
            target,
            ..
        } => decision(&id, &target).await,
        Asking::Explain {
            principal,
            action,
            resource,
            as_if,
            target,
            ..
        } => {
            let asked = json!({
                "principal": principal, "action": action, "resource": resource,
                "acting_for": as_if.acting_for, "context": keys(&as_if.context)?,
            });
            question(&asked, &target).await
        }
        Asking::Who {
            action,
            resource,
            context,
            target,
        } => who(&action, &resource, &context, &target).await,
        Asking::Reach {
            principal,
            action,
            as_if,
            target,
        } => reach(&principal, &action, &as_if, &target).await,
    }
}

async fn question(asked: &Value, target: &Target) -> Result<()> {
    let found = Client::new(target)?
        .api(Method::POST, "explain", Some(asked))
        .await?;
    answer(target, &found, |found| {
        output::line(text(found, "explanation"));
        let of: Vec<&Value> = list(found, "of").collect();
        // Of one alone it says what was said.
        if of.len() > 1 {
            let row = |of: &&Value| {
                vec![
                    text(of, "principal").to_owned(),
                    text(of, "verdict").to_owned(),
                    words(of, "statements"),
                    words(of, "lacking"),
                ]
            };
            let rows: Vec<Vec<String>> = of.iter().map(row).collect();
            output::table(&["OF", "VERDICT", "BY", "LACKING"], &rows);
        }
    });
    Ok(())
}

fn words(of: &Value, name: &str) -> String {
    let words: Vec<&str> = list(of, name).filter_map(Value::as_str).collect();
    words.join(", ")
}

async fn reach(principal: &str, actions: &[String], as_if: &AsIf, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let context = keys(&as_if.context)?;
    let (mut places, mut incomplete) = (Vec::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let asked = json!({
            "principal": principal, "acting_for": as_if.acting_for, "actions": actions, "context": context, "after": after,
        });
        let page = client.api(Method::POST, "access/reach", Some(&asked)).await?;
        places.extend(list(&page, "places").cloned());
        incomplete.extend(list(&page, "incomplete").cloned());
        match page.get("next").filter(|next| !next.is_null()) {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    let found = json!({ "places": places, "incomplete": incomplete });
    answer(target, &found, |found| {
        let named = |place: &Value, verdict: &str| {
            let all: Vec<&str> = list(place, verdict).map(|a| text(a, "action")).collect();
            all.join(" ")
        };
        let row = |place: &Value| {
            vec![
                format!(
                    "{}/{}{}",
                    text(place, "bucket"),
                    folder(place),
                    text(place, "name")
                ),
                named(place, "allowed"),
                named(place, "denied"),
            ]
        };
        let rows: Vec<Vec<String>> = list(found, "places").map(row).collect();
        output::table(&["WHERE", "MAY", "DENIED"], &rows);
        for bucket in list(found, "incomplete").filter_map(Value::as_str) {
            output::note(&format!("Policies name more in {bucket} than was asked about."));
        }
    });
    Ok(())
}

/// Where graphs are in the tree of resources.
fn folder(place: &Value) -> &'static str {
    if text(place, "kind") == "graph" {
        "graphs/"
    } else {
        ""
    }
}

/// `KEY=VALUE` pairs.
fn keys(context: &[String]) -> Result<Map<String, Value>> {
    let mut keys = Map::new();
    for pair in context {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::invalid(format!("{pair:?} is not KEY=VALUE")))?;
        keys.insert(key.to_owned(), json!(value));
    }
    Ok(keys)
}

async fn who(action: &str, resource: &str, context: &[String], target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let context = keys(context)?;
    let (mut allowed, mut denied) = (Vec::new(), Vec::new());
    let mut after = Value::Null;
    loop {
        let asked = json!({ "action": action, "resource": resource, "context": context, "after": after });
        let page = client.api(Method::POST, "access/who", Some(&asked)).await?;
        allowed.extend(list(&page, "allowed").cloned());
        denied.extend(list(&page, "denied").cloned());
        match page.get("next").filter(|next| !next.is_null()) {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    let found = json!({ "allowed": allowed, "denied": denied });
    answer(target, &found, |found| {
        let row = |verdict: &str, who: &Value| {
            vec![
                text(who, "principal").to_owned(),
                verdict.to_owned(),
                words(who, "statements"),
            ]
        };
        let mut rows: Vec<Vec<String>> = list(found, "allowed").map(|w| row("may", w)).collect();
        rows.extend(list(found, "denied").map(|w| row("denied", w)));
        output::table(&["PRINCIPAL", "MAY", "BY"], &rows);
    });
    Ok(())
}

async fn decision(id: &str, target: &Target) -> Result<()> {
    let record = Client::new(target)?
        .api(Method::GET, &format!("decisions/{}", segment(id)), None)
        .await?;
    answer(target, &record, show_record);
    Ok(())
}

/// A record, a line for each thing it says.
pub(crate) fn show_record(record: &Value) {
    let Value::Object(fields) = record else { return };
    for (name, value) in fields {
        let text = match value {
            Value::String(s) => s.clone(),
            Value::Array(all) => all
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        output::line(&format!("{name:16} {text}"));
    }
}
