//! `craton undo`, `craton restore` and `craton bucket undo`.

use craton_base::{Error, Kind, Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Restore, Target, Undo},
    client::{Client, segment},
    config::duration,
    output,
};

/// How resources stand that are as they are to be, or will be.
const FINE: [&str; 4] = ["ready", "done", "same", "already"];

pub(super) async fn undo(asked: Undo) -> Result<()> {
    let body = json!({ "run": asked.run, "principal": asked.principal });
    run(
        ("undo", body),
        (asked.how.apply, asked.how.all_or_nothing),
        &asked.target,
    )
    .await
}

pub(super) async fn restore(asked: Restore) -> Result<()> {
    let body = json!({ "path": asked.path, "at": asked.at });
    run(
        ("restore", body),
        (asked.how.apply, asked.how.all_or_nothing),
        &asked.target,
    )
    .await
}

async fn run((path, body): (&str, Value), (apply, all): (bool, bool), target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    if all {
        let looked = pages(&client, path, &body, false).await?;
        if in_the_way(&looked) > 0 {
            answer(target, &looked, show);
            let text = "nothing was done: something is in the way, and all or nothing was asked for";
            return Err(Error::new(Kind::Precondition, "InTheWay", text));
        }
    }
    let done = pages(&client, path, &body, apply).await?;
    answer(target, &done, show);
    let left = in_the_way(&done);
    if !apply || left == 0 {
        return Ok(());
    }
    let text = format!("{left} were left as they are; the rest was done");
    Err(Error::new(Kind::Precondition, "InTheWay", text))
}

/// All pages as one answer.
async fn pages(client: &Client, path: &str, body: &Value, apply: bool) -> Result<Value> {
    let mut body = body.clone();
    let mut all: Option<Value> = None;
    loop {
        if let Value::Object(fields) = &mut body {
            fields.insert("apply".to_owned(), json!(apply));
        }
        let page = client.api(Method::POST, path, Some(&body)).await?;
        let next = text(&page, "next").to_owned();
        match &mut all {
            None => all = Some(page),
            Some(all) => join(all, &page),
        }
        match &mut body {
            Value::Object(fields) if !next.is_empty() => {
                fields.insert("after".to_owned(), json!(next));
            }
            _ => break,
        }
    }
    let mut all = all.unwrap_or_default();
    if let Value::Object(fields) = &mut all {
        fields.remove("next");
    }
    Ok(all)
}

/// Adds a page to those before it.
fn join(all: &mut Value, page: &Value) {
    for field in ["hidden", "same"] {
        let sum = number(all, field).saturating_add(number(page, field));
        if let (Value::Object(fields), true) = (&mut *all, page.get(field).is_some()) {
            fields.insert(field.to_owned(), json!(sum));
        }
    }
    if let Some(Value::Array(items)) = all.get_mut("items") {
        items.extend(list(page, "items").cloned());
    }
}

fn number(value: &Value, field: &str) -> u64 {
    value.get(field).and_then(Value::as_u64).unwrap_or_default()
}

fn in_the_way(found: &Value) -> usize {
    let bad = |item: &&Value| !FINE.contains(&text(item, "state"));
    list(found, "items").filter(bad).count()
}

fn show(found: &Value) {
    let rows: Vec<Vec<String>> = list(found, "items").map(row).collect();
    output::table(&["STATE", "WHAT", "STEP", "BACK TO", "WHY"], &rows);
    let same = number(found, "same");
    if same > 0 {
        output::note(&format!("{same} are as they were"));
    }
    let hidden = number(found, "hidden");
    if hidden > 0 {
        output::note(&format!("{hidden} are of buckets whose lineage you may not read"));
    }
    if found.get("applied").and_then(Value::as_bool) == Some(false) {
        output::note("nothing was changed: --apply does it");
    }
}

fn row(item: &Value) -> Vec<String> {
    let version = |of: &Value, field| match number(of, field) {
        0 => String::new(),
        version => version.to_string(),
    };
    let why = match item.get("by").filter(|by| !by.is_null()) {
        Some(by) => {
            let mut why = format!("version {} came later", version(by, "version"));
            for (word, field) in [("by", "principal"), ("in the run", "run")] {
                if !text(by, field).is_empty() {
                    why.push_str(&format!(" {word} {}", text(by, field)));
                }
            }
            match number(by, "time_micros") {
                0 => why,
                micros => format!("{why} at {:?}", Timestamp(micros)),
            }
        }
        None => text(item, "why").to_owned(),
    };
    let back = version(item, "back");
    let mut out: Vec<String> = ["state", "resource", "step"]
        .map(|field| text(item, field).to_owned())
        .into();
    out.extend([back, why]);
    out
}

pub(super) async fn window(
    bucket: &str,
    window: Option<&str>,
    as_server: bool,
    target: &Target,
) -> Result<()> {
    let client = Client::new(target)?;
    let path = format!("buckets/{}/undo", segment(bucket));
    if let Some(window) = window {
        let seconds = match window {
            "0" => 0,
            window => duration::parse(window)?.as_secs(),
        };
        let body = json!({ "seconds": seconds });
        return client.api(Method::PUT, &path, Some(&body)).await.map(drop);
    }
    if as_server {
        let body = json!({ "seconds": null });
        return client.api(Method::PUT, &path, Some(&body)).await.map(drop);
    }
    let found = client.api(Method::GET, &path, None).await?;
    answer(target, &found, |found| {
        let own = match found.get("own").and_then(Value::as_bool) {
            Some(true) => "its own",
            _ => "the server's",
        };
        let since = Timestamp(number(found, "since_micros"));
        output::line(&format!(
            "{} seconds ({own}), since {since:?}",
            number(found, "seconds")
        ));
    });
    Ok(())
}
