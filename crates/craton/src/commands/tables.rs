//! `craton table`: tables and views of a bucket, and their maintenance.
//!
//! A run is asked for and then watched: what it did so far goes to standard error whenever it has done more, the end is the answer. Interrupted, the
//! command ends and the run goes on; `craton table cancel` ends it.

use std::time::Duration;

use craton_base::{Error, Kind, Result};
use http::Method;
use serde_json::{Map, Value, json};

use super::{answer, form, list, text, work};
use crate::{
    cli::{About, Table, Target},
    client::{Client, segment},
    output::{self, Form},
};

/// How often a run is looked at.
const LOOKS: Duration = Duration::from_millis(250);

pub(super) async fn run(command: Table) -> Result<()> {
    match command {
        Table::List { bucket, target } => list_tables(&bucket, &target).await,
        Table::Show { table, target } => show(&Name::parse(&table)?, &target).await,
        Table::Expire {
            about,
            older_than,
            keep,
        } => {
            let options = [
                ("older_than_seconds", seconds(older_than)?),
                ("keep", keep.map(Into::into)),
            ];
            maintain("expire", &about, options).await
        }
        Table::Orphans { about, older_than } => {
            let options = [("older_than_seconds", seconds(older_than)?)];
            maintain("orphans", &about, options).await
        }
        Table::Compact { about, target_size } => {
            let options = [("target_bytes", target_size.map(|size| size.bytes().into()))];
            maintain("compact", &about, options).await
        }
        Table::RewriteManifests { about } => maintain("rewrite-manifests", &about, []).await,
        Table::Runs { table, target } => {
            let path = Name::parse(&table)?.maintenance();
            let found = Client::new(&target)?.api(Method::GET, &path, None).await?;
            answer(&target, &found, work::show);
            Ok(())
        }
        Table::Cancel { table, id, target } => {
            let path = format!("{}/{}", Name::parse(&table)?.maintenance(), segment(&id));
            let client = Client::new(&target)?;
            client.api(Method::DELETE, &path, None).await.map(drop)
        }
    }
}

/// A time in whole seconds.
fn seconds(time: Option<Duration>) -> Result<Option<Value>> {
    match time {
        Some(time) if time.subsec_nanos() > 0 => Err(Error::invalid("an age is in whole seconds")),
        time => Ok(time.map(|time| time.as_secs().into())),
    }
}

/// A table's name.
struct Name {
    bucket: String,
    namespace: String,
    table: String,
}

impl Name {
    fn parse(text: &str) -> Result<Self> {
        let parts = match text.contains('/') {
            true => text
                .split_once('/')
                .and_then(|(bucket, rest)| Some((bucket, rest.split_once('/')?))),
            false => text
                .split_once('.')
                .and_then(|(bucket, rest)| Some((bucket, rest.rsplit_once('.')?))),
        };
        let (bucket, (namespace, table)) = parts.ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} is no table: write BUCKET.NAMESPACE.TABLE or BUCKET/NAMESPACE/TABLE"
            ))
        })?;
        Ok(Self {
            bucket: bucket.to_owned(),
            namespace: namespace.to_owned(),
            table: table.to_owned(),
        })
    }

    fn maintenance(&self) -> String {
        let [bucket, namespace, table] =
            [&self.bucket, &self.namespace, &self.table].map(|part| segment(part));
        format!("tables/{bucket}/{namespace}/{table}/maintenance")
    }
}

/// A namespace as the Iceberg door's paths have it.
fn levels(namespace: &str) -> String {
    segment(&namespace.replace('.', "\u{1f}"))
}

/// All pages of a list.
async fn pages(client: &Client, (path, query): (&str, &str), field: &str) -> Result<Vec<Value>> {
    let (mut out, mut token) = (Vec::new(), String::new());
    loop {
        let page = format!("{path}?{query}pageSize=1000&pageToken={}", segment(&token));
        let found = client.iceberg(&page).await?;
        out.extend(list(&found, field).cloned());
        match text(&found, "next-page-token") {
            "" => return Ok(out),
            next => next.clone_into(&mut token),
        }
    }
}

async fn list_tables(bucket: &str, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let of_bucket = segment(bucket);
    let mut to_do = vec![String::new()];
    let mut found = Vec::new();
    while let Some(namespace) = to_do.pop() {
        let inside = levels(&namespace);
        if !namespace.is_empty() {
            for (kind, what) in [("tables", "table"), ("views", "view")] {
                let path = format!("{of_bucket}/namespaces/{inside}/{kind}");
                let names = pages(&client, (&path, ""), "identifiers").await?;
                found.extend(names.iter().map(|of| json!({ "bucket": bucket, "namespace": namespace, "name": text(of, "name"), "kind": what })));
            }
        }
        let parent = match namespace.is_empty() {
            true => String::new(),
            false => format!("parent={inside}&"),
        };
        let path = format!("{of_bucket}/namespaces");
        for below in pages(&client, (&path, &parent), "namespaces").await? {
            let parts: Vec<&str> = below
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            to_do.push(parts.join("."));
        }
    }
    found.sort_by_key(|of| (text(of, "namespace").to_owned(), text(of, "name").to_owned()));
    answer(target, &json!({ "tables": found }), |all| {
        let row = |of: &Value| {
            ["namespace", "name", "kind"]
                .map(|field| text(of, field).to_owned())
                .to_vec()
        };
        output::table(
            &["namespace", "name", "kind"],
            &list(all, "tables").map(row).collect::<Vec<_>>(),
        );
    });
    Ok(())
}

async fn show(name: &Name, target: &Target) -> Result<()> {
    let client = Client::new(target)?;
    let path = format!(
        "{}/namespaces/{}/tables/{}",
        segment(&name.bucket),
        levels(&name.namespace),
        segment(&name.table)
    );
    let loaded = client.iceberg(&path).await?;
    answer(target, &loaded, words);
    Ok(())
}

/// A table in words.
fn words(loaded: &Value) {
    let metadata = loaded.get("metadata").unwrap_or(&Value::Null);
    let number = |of: &Value, field: &str| of.get(field).and_then(Value::as_i64);
    let shown = |n: Option<i64>| n.map_or_else(|| "none".to_owned(), |n| n.to_string());
    output::line(&format!("location         {}", text(metadata, "location")));
    output::line(&format!(
        "format version   {}",
        shown(number(metadata, "format-version"))
    ));
    let current = number(metadata, "current-snapshot-id").filter(|id| *id >= 0);
    output::line(&format!("snapshot         {}", shown(current)));
    output::line(&format!(
        "snapshots        {}",
        list(metadata, "snapshots").count()
    ));
    let found =
        list(metadata, "snapshots").find(|s| number(s, "snapshot-id") == current && current.is_some());
    let summary = found.and_then(|snapshot| snapshot.get("summary"));
    for (label, field) in [
        ("rows", "total-records"),
        ("data files", "total-data-files"),
        ("delete files", "total-delete-files"),
        ("bytes", "total-files-size"),
    ] {
        if let Some(value) = summary.and_then(|s| s.get(field)).and_then(Value::as_str) {
            output::line(&format!("{label:<16} {value}"));
        }
    }
    let map = |field: &str| {
        metadata
            .get(field)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
    };
    for (name, of) in map("refs") {
        output::line(&format!(
            "{:<16} {name} at {}",
            text(of, "type"),
            shown(number(of, "snapshot-id"))
        ));
    }
    for (name, value) in map("properties") {
        output::line(&format!(
            "property         {name} = {}",
            value.as_str().unwrap_or_default()
        ));
    }
    let schema = number(metadata, "current-schema-id");
    let schema = list(metadata, "schemas").find(|s| number(s, "schema-id") == schema);
    let row = |field: &Value| {
        let kind = field.get("type");
        let kind = kind.and_then(Value::as_str).map_or_else(
            || kind.map(ToString::to_string).unwrap_or_default(),
            str::to_owned,
        );
        let required = field.get("required").and_then(Value::as_bool) == Some(true);
        vec![
            shown(number(field, "id")),
            text(field, "name").to_owned(),
            kind,
            if required { "required" } else { "" }.to_owned(),
        ]
    };
    let columns: Vec<Vec<String>> = schema
        .map(|s| list(s, "fields").map(row).collect())
        .unwrap_or_default();
    output::table(&["id", "column", "type", ""], &columns);
}

/// Asks for a run, and watches it.
async fn maintain<const N: usize>(
    task: &str,
    about: &About,
    options: [(&str, Option<Value>); N],
) -> Result<()> {
    let client = Client::new(&about.target)?;
    let path = Name::parse(&about.table)?.maintenance();
    let mut asked = Map::from_iter([
        ("task".to_owned(), json!(task)),
        ("dry_run".to_owned(), json!(about.dry_run)),
    ]);
    let given = options
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    asked.extend(given);
    let begun = client
        .api(Method::POST, &path, Some(&Value::Object(asked)))
        .await?;
    if about.no_wait {
        answer(&about.target, &begun, |begun| output::line(text(begun, "id")));
        return Ok(());
    }
    let ended = watch((&client, &path), text(&begun, "id"), form(about.target.json)).await?;
    answer(&about.target, &ended, |run| {
        let did = work::did(run);
        let did = if did.is_empty() {
            "nothing to do".to_owned()
        } else {
            did
        };
        let would = if about.dry_run { "would be: " } else { "" };
        output::line(&format!("{would}{did}"));
    });
    match text(&ended, "state") {
        "done" => Ok(()),
        "cancelled" => Err(Error::new(
            Kind::Busy,
            "RunCancelled",
            "the run was told to end before it was done",
        )),
        _ => Err(Error::new(
            Kind::Unavailable,
            "RunFailed",
            format!("the run failed: {}", text(&ended, "error")),
        )),
    }
}

/// A run once it is over.
async fn watch((client, path): (&Client, &str), id: &str, form: Form) -> Result<Value> {
    let mut told = String::new();
    loop {
        let found = client.api(Method::GET, path, None).await?;
        let run = list(&found, "runs").find(|run| text(run, "id") == id).cloned();
        let run =
            run.ok_or_else(|| forgotten(format!("the run {id} is over, and how it ended is forgotten")))?;
        if !matches!(text(&run, "state"), "waiting" | "running") {
            return Ok(run);
        }
        let did = work::did(&run);
        if did != told && form == Form::Text {
            output::note(&did);
            told = did;
        }
        tokio::time::sleep(LOOKS).await;
    }
}

fn forgotten(text: String) -> Error {
    Error::new(Kind::NotFound, "NoSuchRun", text)
}
