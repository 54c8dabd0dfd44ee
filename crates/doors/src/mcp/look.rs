//! Looking at one object, table or graph: what it is, where it came from, and a sample of what is in it.
//!
//! Deliberately absent: finding them, and asking about many.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use craton_base::{Error, Kind};
use http::{HeaderMap, Method, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    inside::{Call, DATA_BYTES_MAX, Outcome, Refused, Told, object, query, segment},
    rows::{self, Window},
};

/// The prefix of headers with an object's own metadata.
const METADATA: &str = "x-amz-meta-";
/// The edges of lineage that are told, each way.
const EDGES_MAX: usize = 50;
/// The bytes of an object that are told at once, in half of what may be: binary content is told in base64.
const SAMPLE_BYTES: usize = DATA_BYTES_MAX / 2;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    bucket: String,
    key: Option<String>,
    table: Option<String>,
    graph: Option<String>,
    rows: Option<usize>,
    cursor: Option<String>,
    prefix: Option<String>,
}

/// What a place names.
enum Named<'a> {
    Object(&'a str),
    /// Namespace and name.
    Table(&'a str, &'a str),
    Graph(&'a str),
}

impl Place {
    fn named(&self) -> Result<Named<'_>, Refused> {
        match (&self.key, &self.table, &self.graph) {
            (Some(key), None, None) => Ok(Named::Object(key)),
            (None, Some(table), None) => {
                let parts = table
                    .rsplit_once('.')
                    .filter(|(n, t)| !n.is_empty() && !t.is_empty());
                let (namespace, name) =
                    parts.ok_or_else(|| Refused::new("InvalidArguments", "a table is NAMESPACE.TABLE"))?;
                Ok(Named::Table(namespace, name))
            }
            (None, None, Some(graph)) => Ok(Named::Graph(graph)),
            _ => Err(Refused::new(
                "InvalidArguments",
                "one of key, table and graph is to be named",
            )),
        }
    }
}

pub(super) async fn describe(call: &Call<'_>) -> Outcome {
    let place: Place = call.arguments()?;
    let bucket = &place.bucket;
    let (mut data, resource) = match place.named()? {
        Named::Object(key) => (
            describe_object(call, &object(bucket, key)).await?,
            format!("/{bucket}/objects/{key}"),
        ),
        Named::Table(namespace, name) => {
            let (told, id) = describe_table(call, (bucket, namespace, name)).await?;
            (told, format!("/{bucket}/objects/.tables/{id}/*"))
        }
        Named::Graph(graph) => {
            let path = rows::graph(&place.bucket, graph);
            let mut told = call.get_json(&path).await?;
            let labels = call.get_json(&format!("{path}/labels")).await?;
            if let (Some(told), Some(labels)) = (told.as_object_mut(), labels.get("labels")) {
                told.insert("labels".to_owned(), labels.clone());
            }
            (told, format!("/{bucket}/graphs/{graph}"))
        }
    };
    if let Some(fields) = data.as_object_mut() {
        fields.insert("lineage".to_owned(), lineage(call, &resource).await?);
    }
    Ok(Told::Data { data, next: None })
}

/// The runs that made the newest version, with what they had read, and those that read it, with what they then made; as far as one may know.
async fn lineage(call: &Call<'_>, resource: &str) -> Result<Value, Refused> {
    let mut told = Map::new();
    for direction in ["upstream", "downstream"] {
        let parameters = query([
            ("resource", Some(resource.to_owned())),
            ("direction", Some(direction.to_owned())),
            ("depth", Some("1".to_owned())),
            ("limit", Some(EDGES_MAX.to_string())),
        ]);
        let found = call.get_json(&format!("/_api/v1/lineage?{parameters}")).await?;
        let part = |name: &str| found.get(name).cloned().unwrap_or_default();
        told.insert(
            "version".to_owned(),
            found
                .get("root")
                .and_then(|root| root.get("version"))
                .cloned()
                .unwrap_or_default(),
        );
        let way = json!({ "edges": part("edges"), "hidden": part("hidden"), "more": part("more") });
        told.insert(direction.to_owned(), way);
    }
    Ok(told.into())
}

async fn describe_object(call: &Call<'_>, path: &str) -> Result<Value, Refused> {
    let head = call.ask(Method::HEAD, path, &[], Bytes::new()).await?.headers;
    let text = |name: &str| head.get(name).and_then(|v| v.to_str().ok());
    let mut told = json!({
        "size": text("content-length").and_then(|n| n.parse::<u64>().ok()),
        "modified": text("last-modified"),
        "content_type": text("content-type"),
        "etag": text("etag"),
        "version": text("x-amz-version-id"),
        "metadata": metadata(&head),
    });
    if text("x-amz-tagging-count").is_some()
        && let Some(fields) = told.as_object_mut()
    {
        fields.insert("tags".to_owned(), tags(call, path).await?.into());
    }
    Ok(told)
}

fn metadata(head: &HeaderMap) -> Map<String, Value> {
    let own = head.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix(METADATA)?;
        Some((name.to_owned(), value.to_str().ok()?.into()))
    });
    own.collect()
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

/// An object's tags; labels are the words of `craton:labels`. Who may not see tags sees the rest.
async fn tags(call: &Call<'_>, path: &str) -> Result<Map<String, Value>, Refused> {
    let body = match call.get(&format!("{path}?tagging")).await {
        Err(refused) if refused.reason == "AccessDenied" => return Ok(Map::new()),
        body => body?,
    };
    let read: Tagging = quick_xml::de::from_str(&String::from_utf8_lossy(&body)).map_err(|e| {
        Error::new(Kind::Internal, "Tagging", "tags are not what they should be").with_source(e)
    })?;
    Ok(read
        .tag_set
        .tag
        .into_iter()
        .map(|t| (t.key, t.value.into()))
        .collect())
}

/// What a table's metadata says that an agent needs, and the table's id.
async fn describe_table(
    call: &Call<'_>,
    (bucket, namespace, name): (&str, &str, &str),
) -> Result<(Value, String), Refused> {
    let target = format!(
        "/_iceberg/v1/{}/namespaces/{}/tables/{}?snapshots=refs",
        segment(bucket),
        segment(&namespace.replace('.', "\u{1f}")),
        segment(name)
    );
    let loaded = call.get_json(&target).await?;
    let of = |name: &str| loaded.pointer(&format!("/metadata/{name}"));
    let by_id = |all: &str, id_name: &str, id: Option<&Value>| {
        let all = of(all).and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .find(|one| one.get(id_name) == id)
            .cloned()
    };
    let schema = by_id("schemas", "schema-id", of("current-schema-id"));
    let fields = schema.as_ref().and_then(|s| s.get("fields"));
    let snapshot = by_id("snapshots", "snapshot-id", of("current-snapshot-id"));
    let said = |name: &str| snapshot.as_ref().and_then(|s| s.pointer(name)).cloned();
    let labels = of("properties")
        .and_then(|p| p.get("craton.labels"))
        .and_then(Value::as_str);
    let place = loaded.get("metadata-location").and_then(Value::as_str);
    let id = place.and_then(|place| place.split_once("/.tables/")?.1.split('/').next());
    let told = json!({
        "columns": fields,
        "rows": said("/summary/total-records"),
        "bytes": said("/summary/total-files-size"),
        "snapshot": said("/snapshot-id").map(|id| id.to_string()),
        "changed_ms": said("/timestamp-ms"),
        "partitions": by_id("partition-specs", "spec-id", of("default-spec-id")).and_then(|s| s.get("fields").cloned()),
        "labels": labels.unwrap_or_default().split_whitespace().collect::<Vec<_>>(),
        "format_version": of("format-version"),
    });
    Ok((told, id.unwrap_or_default().to_owned()))
}

pub(super) async fn sample(call: &Call<'_>) -> Outcome {
    let place: Place = call.arguments()?;
    let window = Window::new(place.cursor.as_deref(), place.rows)?;
    match place.named()? {
        Named::Object(key) => {
            let from = place.cursor.as_deref().and_then(|c| c.parse().ok()).unwrap_or(0);
            sample_object(call, &object(&place.bucket, key), from).await
        }
        Named::Table(namespace, name) => {
            rows::of_table(call, [place.bucket.as_str(), namespace, name], window).await
        }
        Named::Graph(graph) => {
            let parameters = query([("prefix", place.prefix.clone())]);
            let target = format!("{}/facts?{parameters}", rows::graph(&place.bucket, graph));
            let answer = call.ask(Method::GET, &target, &[], Bytes::new()).await?;
            window.of(answer, |line| Ok(rows::text_line(line))).await
        }
    }
}

/// A part of an object's content, as text if it is.
async fn sample_object(call: &Call<'_>, path: &str, from: u64) -> Outcome {
    let to = from.saturating_add(SAMPLE_BYTES as u64).saturating_sub(1);
    let range = format!("bytes={from}-{to}");
    let got = call
        .ask(Method::GET, path, &[(header::RANGE, &range)], Bytes::new())
        .await;
    let answer = match got {
        // Nothing is there, or not so far.
        Err(refused) if refused.reason == "InvalidRange" => {
            return Ok(Told::Data {
                data: json!({ "text": "", "from": from }),
                next: None,
            });
        }
        got => got?,
    };
    let size = answer
        .header("content-range")
        .and_then(|r| r.rsplit_once('/')?.1.parse::<u64>().ok());
    let content_type = answer.header("content-type").map(str::to_owned);
    let content = answer.whole().await?;
    let (kept, told) = match readable(&content) {
        Some(text) => (text.len(), json!({ "text": text })),
        None => (content.len(), json!({ "base64": BASE64.encode(&content) })),
    };
    let end = from.saturating_add(kept as u64);
    let mut data = told;
    if let Some(fields) = data.as_object_mut() {
        fields.insert("from".to_owned(), from.into());
        fields.insert("size".to_owned(), size.into());
        fields.insert("content_type".to_owned(), content_type.into());
    }
    let next = size.filter(|size| end < *size).map(|_| end.to_string());
    Ok(Told::Data { data, next })
}

/// The text that content is, but for a letter that is cut in its middle at the end.
fn readable(content: &[u8]) -> Option<&str> {
    match std::str::from_utf8(content) {
        Ok(text) => Some(text),
        Err(wrong) if wrong.error_len().is_none() && wrong.valid_up_to() > 0 => {
            std::str::from_utf8(content.get(..wrong.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}
