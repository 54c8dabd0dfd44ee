//! `craton run` and `craton lineage`.

use craton_base::{Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Lineage, ManifestFormat, Run, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Run) -> Result<()> {
    match command {
        Run::List { principal, target } => list_runs(principal.as_deref(), &target).await,
        Run::Show {
            run,
            principal,
            target,
        } => show(&run, principal.as_deref(), &target).await,
        Run::Manifest {
            run,
            format,
            principal,
            target,
        } => manifest(&run, format, principal.as_deref(), &target).await,
    }
}

fn of(principal: Option<&str>) -> String {
    principal.map_or_else(String::new, |name| format!("&principal={}", segment(name)))
}

async fn list_runs(principal: Option<&str>, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let runs = pages(&client, &format!("runs?limit=1000{}", of(principal)), "runs").await?;
    answer(target, &json!({ "runs": runs.1 }), |_| {
        let rows: Vec<Vec<String>> = runs.1.iter().map(row).collect();
        let headings = ["RUN", "WHO", "BEGUN", "LAST", "READS", "WRITES", "DENIED"];
        output::table(&headings, &rows);
    });
    Ok(())
}

/// All elements of a list that comes in pages, and its first page.
async fn pages(client: &Client, path: &str, field: &str) -> Result<(Value, Vec<Value>)> {
    let first = client.api(Method::GET, path, None).await?;
    let mut all: Vec<Value> = list(&first, field).cloned().collect();
    let mut next = text(&first, "next").to_owned();
    while !next.is_empty() {
        let page = format!("{path}&after={}", segment(&next));
        let page = client.api(Method::GET, &page, None).await?;
        all.extend(list(&page, field).cloned());
        text(&page, "next").clone_into(&mut next);
    }
    Ok((first, all))
}

fn time(value: &Value, field: &str) -> String {
    let micros = value.get(field).and_then(Value::as_u64);
    format!("{:?}", Timestamp(micros.unwrap_or_default()))
}

fn number(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_u64)
        .unwrap_or_default()
        .to_string()
}

fn row(run: &Value) -> Vec<String> {
    let mut out = vec![text(run, "run").to_owned(), text(run, "principal").to_owned()];
    out.extend(["begun_micros", "last_micros"].map(|field| time(run, field)));
    out.extend(["reads", "writes", "denied"].map(|field| number(run, field)));
    out
}

async fn show(run: &str, principal: Option<&str>, target: &Target) -> Result<()> {
    let path = format!("runs/{}?limit=1000{}", segment(run), of(principal));
    let (mut found, edges) = pages(&Client::new(target)?, &path, "edges").await?;
    if let Value::Object(fields) = &mut found {
        fields.insert("edges".to_owned(), edges.into());
        fields.remove("next");
    }
    answer(target, &found, show_edges);
    Ok(())
}

/// A manifest is a document for other programs, whatever is asked of the form of answers.
async fn manifest(run: &str, format: ManifestFormat, principal: Option<&str>, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let word = match format {
        ManifestFormat::Croissant => "croissant",
        ManifestFormat::InToto => "in-toto",
    };
    let path = format!("runs/{}/manifest?format={word}{}", segment(run), of(principal));
    let mut found = client.api(Method::GET, &path, None).await?;
    let mut next = text(&found, NEXT).to_owned();
    while !next.is_empty() {
        let page = client
            .api(Method::GET, &format!("{path}&after={}", segment(&next)), None)
            .await?;
        text(&page, NEXT).clone_into(&mut next);
        join(&mut found, page);
    }
    if let Value::Object(fields) = &mut found {
        fields.remove(NEXT);
    }
    output::json(&found);
    Ok(())
}

/// Where the next part of a manifest begins.
const NEXT: &str = "craton:next";

/// Adds a part of a manifest to those before it.
fn join(whole: &mut Value, part: Value) {
    let (Value::Object(whole), Value::Object(part)) = (whole, part) else {
        return;
    };
    for (name, more) in part {
        let known = whole.entry(name.clone()).or_insert(Value::Null);
        match (name.as_str(), known, more) {
            ("distribution" | "craton:notDigested", Value::Array(all), Value::Array(more)) => {
                all.extend(more)
            }
            ("license", Value::Array(all), Value::Array(more)) => {
                let new: Vec<Value> = more
                    .into_iter()
                    .filter(|licence| !all.contains(licence))
                    .collect();
                all.extend(new);
            }
            ("license", known @ Value::Null, more) => *known = more,
            ("craton:hidden", known, more) => {
                let sum = known
                    .as_u64()
                    .unwrap_or_default()
                    .saturating_add(more.as_u64().unwrap_or_default());
                *known = sum.into();
            }
            _ => {}
        }
    }
}

fn show_edges(found: &Value) {
    let edge = |edge: &Value| {
        let texts = ["run", "mode", "resource"].map(|field| text(edge, field).to_owned());
        let numbers = ["version", "count", "bytes"].map(|field| number(edge, field));
        [texts, numbers].concat()
    };
    let rows: Vec<Vec<String>> = list(found, "edges").map(edge).collect();
    output::table(&["RUN", "HOW", "WHAT", "VERSION", "TIMES", "BYTES"], &rows);
    let hidden = found.get("hidden").and_then(Value::as_u64).unwrap_or_default();
    if hidden > 0 {
        output::note(&format!(
            "{hidden} edges are of buckets whose lineage you may not read"
        ));
    }
}

pub(super) async fn lineage(asked: Lineage) -> Result<()> {
    let direction = if asked.downstream {
        "downstream"
    } else {
        "upstream"
    };
    let mut path = format!(
        "lineage?resource={}&direction={direction}",
        segment(&asked.resource)
    );
    if let Some(version) = asked.version {
        path.push_str(&format!("&version={version}"));
    }
    if let Some(depth) = asked.depth {
        path.push_str(&format!("&depth={depth}"));
    }
    let found = Client::new(&asked.target)?.api(Method::GET, &path, None).await?;
    answer(&asked.target, &found, |found| {
        show_edges(found);
        if found.get("more").and_then(Value::as_bool) == Some(true) {
            output::note("there is more: ask with --depth");
        }
    });
    Ok(())
}
