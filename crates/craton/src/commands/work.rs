//! `craton work`: what the server does by itself.

use craton_base::Result;
use http::Method;
use serde_json::Value;

use super::{answer, list, text};
use crate::{
    cli::{Target, Work},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Work) -> Result<()> {
    match command {
        Work::List { target } => list_work(&target).await,
        Work::Start {
            worker,
            bucket,
            target,
        } => {
            let path = format!("work/{}/{}", segment(&worker), segment(&bucket));
            Client::new(&target)?
                .api(Method::POST, &path, None)
                .await
                .map(drop)
        }
        Work::Cancel { id, target } => Client::new(&target)?
            .api(Method::DELETE, &format!("work/{}", segment(&id)), None)
            .await
            .map(drop),
    }
}

async fn list_work(target: &Target) -> Result<()> {
    let found = Client::new(target)?.api(Method::GET, "work", None).await?;
    answer(target, &found, show);
    Ok(())
}

/// Runs, a line each.
pub(super) fn show(found: &Value) {
    let rows: Vec<Vec<String>> = list(found, "runs").map(row).collect();
    output::table(&["id", "work", "on", "state", "begun", "did"], &rows);
}

fn row(run: &Value) -> Vec<String> {
    let fields = ["id", "worker", "subject", "state", "begun"];
    let mut out: Vec<String> = fields.iter().map(|field| text(run, field).to_owned()).collect();
    let task = run
        .get("options")
        .map(|options| text(options, "task"))
        .unwrap_or_default();
    if let Some(work) = out.get_mut(1).filter(|_| !task.is_empty()) {
        work.push(' ');
        work.push_str(task);
    }
    out.push(did(run));
    out
}

/// What a run did, and what it failed with.
pub(super) fn did(run: &Value) -> String {
    let counts = run.get("counts").and_then(Value::as_object);
    let counts = counts
        .into_iter()
        .flatten()
        .map(|(what, n)| format!("{what} {n}"));
    let error = run.get("error").and_then(Value::as_str).map(ToOwned::to_owned);
    counts.chain(error).collect::<Vec<_>>().join(", ")
}
