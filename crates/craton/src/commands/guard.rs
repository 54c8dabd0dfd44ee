//! `craton guard`: policies that only restrict.

use std::path::Path;

use craton_base::{Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Guard, Target},
    client::{Client, segment},
    files, output,
};

/// The largest document, in bytes; the server's own limit is lower.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;

fn path(name: &str) -> String {
    format!("guard/policies/{}", segment(name))
}

fn document(file: &Path) -> Result<Value> {
    Ok(json!({ "text": files::read_text(file, DOCUMENT_BYTES_MAX)? }))
}

/// The policies that a document has, and what to look at again.
fn show(target: &Target, checked: &Value) {
    answer(target, checked, |checked| {
        list(checked, "policies")
            .filter_map(Value::as_str)
            .for_each(output::line);
        for warning in list(checked, "warnings").filter_map(Value::as_str) {
            output::note(&format!("Warning: {warning}"));
        }
    });
}

pub(super) async fn run(command: Guard) -> Result<()> {
    match command {
        Guard::Put { name, file, target } => {
            let body = document(&file)?;
            let done = Client::new(&target)?
                .api(Method::PUT, &path(&name), Some(&body))
                .await?;
            show(&target, &done);
        }
        Guard::Check { file, target } => {
            let body = document(&file)?;
            let done = Client::new(&target)?
                .api(Method::POST, "guard/check", Some(&body))
                .await?;
            show(&target, &done);
        }
        Guard::Get { name, target } => {
            let found = Client::new(&target)?.api(Method::GET, &path(&name), None).await?;
            answer(&target, &found, |found| {
                output::line(text(found, "text").trim_end())
            });
        }
        Guard::List { target } => {
            let found = Client::new(&target)?
                .api(Method::GET, "guard/policies", None)
                .await?;
            answer(&target, &found, |found| {
                let rows: Vec<Vec<String>> = list(found, "documents").map(row).collect();
                output::table(&["NAME", "SET", "BY"], &rows);
            });
        }
        Guard::Rm { name, target } => {
            Client::new(&target)?
                .api(Method::DELETE, &path(&name), None)
                .await?;
        }
        Guard::Schema { target } => {
            let found = Client::new(&target)?
                .api(Method::GET, "guard/schema", None)
                .await?;
            answer(&target, &found, |found| {
                output::line(text(found, "schema").trim_end())
            });
        }
    }
    Ok(())
}

fn row(document: &Value) -> Vec<String> {
    let set = document
        .get("set_micros")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    vec![
        text(document, "name").to_owned(),
        format!("{:?}", Timestamp(set)),
        text(document, "set_by").to_owned(),
    ]
}
