//! `craton policy check` and `craton policy replay`.

use std::path::Path;

use craton_base::{Error, Result};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{ReplayPlace, Target},
    client::Client,
    files, output,
};

/// The largest policy, in bytes; the server's own limit is lower.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// A policy in IAM's JSON.
pub(super) fn document(file: &Path) -> Result<Value> {
    serde_json::from_str(&files::read_text(file, POLICY_BYTES_MAX)?)
        .map_err(|e| Error::invalid(format!("the file {} is not JSON: {e}", file.display())))
}

pub(super) async fn check(body: &Value, days: u32, target: &Target) -> Result<()> {
    let found = Client::new(target)?
        .api(Method::POST, "policy/check", Some(body))
        .await?;
    answer(target, &found, |found| {
        let mut rows: Vec<Vec<String>> = list(found, "findings").map(|f| row("", f)).collect();
        for policy in list(found, "policies") {
            let name = match text(policy, "group") {
                "" => text(policy, "name").to_owned(),
                group => format!("group/{group}: {}", text(policy, "name")),
            };
            let name = name.as_str();
            rows.extend(list(policy, "findings").map(|f| row(name, f)));
            let unused = list(policy, "unused").filter_map(Value::as_str);
            rows.extend(unused.map(|u| {
                let message = format!("decided nothing in {days} days");
                vec![format!("{name}{u}"), "unused".to_owned(), message]
            }));
        }
        output::table(&["STATEMENT", "FINDING", "WHAT"], &rows);
        if found.get("complete") == Some(&Value::Bool(false)) {
            output::note("Not all decisions were read: what is listed as unused may have been used.");
        }
    });
    Ok(())
}

fn row(policy: &str, finding: &Value) -> Vec<String> {
    vec![
        format!("{policy}{}", text(finding, "statement")),
        text(finding, "code").to_owned(),
        text(finding, "message").to_owned(),
    ]
}

pub(super) async fn replay(
    place: &ReplayPlace,
    file: Option<&Path>,
    days: u32,
    target: &Target,
) -> Result<()> {
    let proposed = match (file, &place.guard) {
        (None, _) => Value::Null,
        (Some(file), Some(_)) => json!(files::read_text(file, POLICY_BYTES_MAX)?),
        (Some(file), None) => document(file)?,
    };
    let client = Client::new(target)?;
    let (mut flips, mut unknown) = (Vec::new(), Vec::new());
    let (mut tried, mut after) = (0, Value::Null);
    loop {
        let body = json!({
            "policy": place.policy, "user": place.user, "bucket": place.bucket, "guard": place.guard,
            "document": proposed, "days": days, "after": after,
        });
        let page = client.api(Method::POST, "policy/replay", Some(&body)).await?;
        tried += page.get("tried").and_then(Value::as_u64).unwrap_or_default();
        flips.extend(list(&page, "flips").cloned());
        unknown.extend(list(&page, "unknown").cloned());
        match page.get("next").filter(|next| !next.is_null()) {
            Some(next) => after = next.clone(),
            None => break,
        }
    }
    let found = json!({ "tried": tried, "flips": flips, "unknown": unknown });
    answer(target, &found, |found| show(tried, found));
    Ok(())
}

fn show(tried: u64, found: &Value) {
    let none = Value::Null;
    let about = |of: &Value| {
        let record = of.get("record").unwrap_or(&none);
        ["time", "principal", "action", "resource", "verdict"].map(|f| text(record, f).to_owned())
    };
    let flip = |f: &Value| {
        let why = match f.get("by_proposal") {
            Some(Value::Bool(true)) => "",
            _ => "changed since, not by this",
        };
        let mut row = about(f).to_vec();
        row.extend([text(f, "would").to_owned(), why.to_owned()]);
        row
    };
    let unknown = |u: &Value| {
        let mut row = about(u).to_vec();
        row.extend(["unknown".to_owned(), text(u, "why").to_owned()]);
        row
    };
    let mut rows: Vec<Vec<String>> = list(found, "flips").map(flip).collect();
    let flips = rows.len();
    rows.extend(list(found, "unknown").map(unknown));
    let headings = [
        "TIME",
        "PRINCIPAL",
        "ACTION",
        "RESOURCE",
        "WAS",
        "WOULD BE",
        "NOTE",
    ];
    output::table(&headings, &rows);
    output::note(&format!(
        "{tried} decisions tried: {flips} would come out otherwise, {} are not known.",
        rows.len().saturating_sub(flips)
    ));
}
