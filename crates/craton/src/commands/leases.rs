//! `craton lease`.

use craton_base::{Error, Result, Timestamp};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Lease, LeasePaths, Target},
    client::{Client, segment},
    output,
};

pub(super) async fn run(command: Lease) -> Result<()> {
    match command {
        Lease::Take {
            paths,
            seconds,
            purpose,
            target,
        } => {
            let asked = json!({ "paths": wanted(&paths)?, "seconds": seconds, "purpose": purpose });
            show_one(&target, Method::POST, "leases", Some(&asked)).await
        }
        Lease::Renew { id, seconds, target } => {
            let asked = json!({ "seconds": seconds });
            show_one(
                &target,
                Method::PUT,
                &format!("leases/{}", segment(&id)),
                Some(&asked),
            )
            .await
        }
        Lease::Release { id, target } => {
            let path = format!("leases/{}", segment(&id));
            Client::new(&target)?
                .api(Method::DELETE, &path, None)
                .await
                .map(drop)
        }
        Lease::Break { id, target } => {
            let path = format!("leases/{}/break", segment(&id));
            Client::new(&target)?
                .api(Method::POST, &path, None)
                .await
                .map(drop)
        }
        Lease::List { target } => show_all(&target).await,
    }
}

/// The paths as the API takes them.
fn wanted(paths: &LeasePaths) -> Result<Vec<Value>> {
    let mode = if paths.shared { "shared" } else { "exclusive" };
    let places = paths.places.iter().map(|place| match place.split_once('/') {
        None | Some((_, "")) => Ok(json!({ "bucket": place.trim_end_matches('/'), "mode": mode })),
        Some((bucket, prefix)) if prefix.ends_with('/') => {
            Ok(json!({ "bucket": bucket, "prefix": prefix, "mode": mode }))
        }
        Some((bucket, key)) => Ok(json!({ "bucket": bucket, "key": key, "mode": mode })),
    });
    let named = |of: &'static str, all: &[String]| {
        let one = move |name: &String| {
            let (bucket, name) = name
                .split_once('/')
                .ok_or_else(|| Error::invalid(format!("{name:?} is not BUCKET/{}", of.to_uppercase())))?;
            Ok(json!({ "bucket": bucket, of: name, "mode": mode }))
        };
        all.iter().map(one).collect::<Vec<Result<Value>>>()
    };
    places
        .chain(named("table", &paths.tables))
        .chain(named("graph", &paths.graphs))
        .collect()
}

async fn show_one(target: &Target, method: Method, path: &str, asked: Option<&Value>) -> Result<()> {
    let found = Client::new(target)?.api(method, path, asked).await?;
    answer(target, &found, |found| output::table(&HEADINGS, &[row(found)]));
    Ok(())
}

async fn show_all(target: &Target) -> Result<()> {
    let found = Client::new(target)?.api(Method::GET, "leases", None).await?;
    answer(target, &found, |found| {
        let rows: Vec<Vec<String>> = list(found, "leases").map(row).collect();
        output::table(&HEADINGS, &rows);
    });
    Ok(())
}

const HEADINGS: [&str; 6] = ["ID", "WHO", "PATHS", "UNTIL", "TOKEN", "PURPOSE"];

fn row(lease: &Value) -> Vec<String> {
    let path = |path: &Value| format!("{} ({})", text(path, "path"), text(path, "mode"));
    let number = |field| lease.get(field).and_then(Value::as_u64).unwrap_or_default();
    vec![
        text(lease, "id").to_owned(),
        text(lease, "principal").to_owned(),
        list(lease, "paths").map(path).collect::<Vec<_>>().join(", "),
        format!("{:?}", Timestamp(number("until_micros"))),
        number("token").to_string(),
        text(lease, "purpose").to_owned(),
    ]
}
