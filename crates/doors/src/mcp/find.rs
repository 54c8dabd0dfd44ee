//! What there is: buckets, and in a bucket objects, tables and graphs, by pages.
//!
//! Deliberately absent: looking into them.

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::inside::{Call, Outcome, Refused, Told, query, segment};

/// Names of a page, and keys that are looked at for one where a text is looked for in them.
const PAGE: usize = 100;
const LOOKED_AT: usize = 1000;
/// Namespaces of a page of tables.
const NAMESPACES: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Find {
    bucket: Option<String>,
    #[serde(default)]
    kind: Of,
    #[serde(default)]
    prefix: String,
    contains: Option<String>,
    cursor: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    #[default]
    Objects,
    Tables,
    Graphs,
}

pub(super) async fn find(call: &Call<'_>) -> Outcome {
    let asked: Find = call.arguments()?;
    let Some(bucket) = asked.bucket.as_deref() else {
        return buckets(call, &asked).await;
    };
    match asked.kind {
        Of::Objects => objects(call, bucket, &asked).await,
        Of::Tables => tables(call, bucket, &asked).await,
        Of::Graphs => graphs(call, bucket, &asked).await,
    }
}

impl Find {
    fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.prefix) && self.contains.as_deref().is_none_or(|text| name.contains(text))
    }
}

fn told(name: &str, found: Value, next: Option<String>) -> Told {
    let mut data = serde_json::Map::new();
    data.insert(name.to_owned(), found);
    Told::Data {
        data: data.into(),
        next,
    }
}

fn read<'de, T: Deserialize<'de>>(xml: &'de str) -> Result<T, Refused> {
    quick_xml::de::from_str(xml)
        .map_err(|_| Refused::new("AnswerCutOff", "a listing is not what it should be"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AllBuckets {
    buckets: Buckets,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Buckets {
    #[serde(default)]
    bucket: Vec<Bucket>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Bucket {
    name: String,
    creation_date: String,
}

async fn buckets(call: &Call<'_>, asked: &Find) -> Outcome {
    let body = call.get("/").await?;
    let all: AllBuckets = read(&String::from_utf8_lossy(&body))?;
    let after = asked.cursor.as_deref().unwrap_or_default();
    let mut wanted = all
        .buckets
        .bucket
        .iter()
        .filter(|b| asked.wants(&b.name) && b.name.as_str() > after);
    let page: Vec<&Bucket> = wanted.by_ref().take(PAGE).collect();
    let next = wanted
        .next()
        .and_then(|_| page.last())
        .map(|last| last.name.clone());
    let shown = |b: &&Bucket| json!({ "name": b.name, "created": b.creation_date });
    Ok(told("buckets", page.iter().map(shown).collect(), next))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Objects {
    #[serde(default)]
    contents: Vec<Object>,
    #[serde(default)]
    common_prefixes: Vec<Folder>,
    next_continuation_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Object {
    key: String,
    size: u64,
    last_modified: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Folder {
    prefix: String,
}

/// A name, as a listing with `encoding-type=url` has it.
fn name(encoded: &str) -> String {
    percent_decode_str(&encoded.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

async fn objects(call: &Call<'_>, bucket: &str, asked: &Find) -> Outcome {
    // Where a text is looked for, folders are looked into.
    let (delimiter, most) = match asked.contains {
        None => (Some("/".to_owned()), PAGE),
        Some(_) => (None, LOOKED_AT),
    };
    let parameters = query([
        ("list-type", Some("2".to_owned())),
        ("encoding-type", Some("url".to_owned())),
        ("prefix", Some(asked.prefix.clone()).filter(|p| !p.is_empty())),
        ("delimiter", delimiter),
        ("max-keys", Some(most.to_string())),
        ("continuation-token", asked.cursor.clone()),
    ]);
    let body = call.get(&format!("/{}?{parameters}", segment(bucket))).await?;
    let page: Objects = read(&String::from_utf8_lossy(&body))?;
    let objects: Vec<Value> = page
        .contents
        .iter()
        .map(|o| (name(&o.key), o))
        .filter(|(key, _)| asked.wants(key))
        .map(|(key, o)| json!({ "key": key, "size": o.size, "modified": o.last_modified }))
        .collect();
    let folders: Vec<String> = page.common_prefixes.iter().map(|f| name(&f.prefix)).collect();
    Ok(Told::Data {
        data: json!({ "objects": objects, "folders": folders }),
        next: page.next_continuation_token,
    })
}

async fn tables(call: &Call<'_>, bucket: &str, asked: &Find) -> Outcome {
    let catalog = format!("/_iceberg/v1/{}/namespaces", segment(bucket));
    let parameters = query([
        ("pageSize", Some(NAMESPACES.to_string())),
        ("pageToken", Some(asked.cursor.clone().unwrap_or_default())),
    ]);
    let listed = call.get_json(&format!("{catalog}?{parameters}")).await?;
    let mut found = Vec::new();
    let namespaces = listed.get("namespaces").and_then(Value::as_array);
    for namespace in namespaces.into_iter().flatten() {
        let levels: Vec<&str> = namespace
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let target = format!("{catalog}/{}/tables", segment(&levels.join("\u{1f}")));
        let tables = call.get_json(&target).await?;
        let names = tables.get("identifiers").and_then(Value::as_array);
        let names = names
            .into_iter()
            .flatten()
            .filter_map(|t| t.get("name").and_then(Value::as_str));
        found.extend(
            names
                .map(|name| format!("{}.{name}", levels.join(".")))
                .filter(|name| asked.wants(name)),
        );
    }
    let next = listed.get("next-page-token").and_then(Value::as_str);
    Ok(told("tables", found.into(), next.map(str::to_owned)))
}

async fn graphs(call: &Call<'_>, bucket: &str, asked: &Find) -> Outcome {
    let parameters = query([("after", asked.cursor.clone())]);
    let target = format!("/_graph/v1/{}?{parameters}", segment(bucket));
    let listed = call.send_json(Method::GET, &target, None).await?;
    let all = listed.get("graphs").and_then(Value::as_array);
    let names: Vec<&str> = all.into_iter().flatten().filter_map(Value::as_str).collect();
    let is_more = listed.get("more").and_then(Value::as_bool) == Some(true);
    let next = names.last().filter(|_| is_more).map(|name| (*name).to_owned());
    let wanted: Vec<&str> = names.into_iter().filter(|name| asked.wants(name)).collect();
    Ok(told("graphs", json!(wanted), next))
}
