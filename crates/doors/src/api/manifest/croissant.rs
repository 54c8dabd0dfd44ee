//! A manifest as Croissant 1.1: a data set whose files are the versions that a run read.
//!
//! Source: the Croissant format specification 1.1 (<https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html>) and its context. A file
//! needs a digest there, so versions that have none to be checked are said beside the files, in terms of our own (`craton:`).
//!
//! Deliberately absent: finding versions.

use std::collections::BTreeSet;

use craton_base::{Error, Result, Timestamp};
use craton_gate::{Digest, RunSummary};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    Part,
    items::{Item, Standing, What},
};

/// What stands in identifiers as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// Terms of our own.
const OURS: &str = "urn:craton:";

/// Terms of Croissant's context that stand for those of its own vocabulary of the same name.
const CROISSANTS: [&str; 25] = [
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "equivalentProperty",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
];

/// The context of version 1.1, and our terms.
fn context() -> Value {
    let mut out = Map::new();
    let plain = [
        ("@language", json!("en")),
        ("@vocab", json!("https://schema.org/")),
        ("conformsTo", json!("dct:conformsTo")),
        ("cr", json!("http://mlcommons.org/croissant/")),
        ("rai", json!("http://mlcommons.org/croissant/RAI/")),
        ("data", json!({ "@id": "cr:data", "@type": "@json" })),
        ("dataType", json!({ "@id": "cr:dataType", "@type": "@vocab" })),
        ("dct", json!("http://purl.org/dc/terms/")),
        ("description", json!({ "@container": "@language" })),
        ("examples", json!({ "@id": "cr:examples", "@type": "@json" })),
        ("name", json!({ "@container": "@language" })),
        ("sc", json!("https://schema.org/")),
        ("prov", json!("http://www.w3.org/ns/prov#")),
        ("craton", json!(OURS)),
    ];
    let same = CROISSANTS
        .iter()
        .chain(&["separator", "source", "subField", "transform"]);
    let same = same.map(|term| (*term, json!(format!("cr:{term}"))));
    for (term, meaning) in plain.into_iter().chain(same) {
        out.insert(term.to_owned(), meaning);
    }
    Value::Object(out)
}

/// A part of a run as a document.
///
/// # Errors
/// `Internal` for a time that is none.
pub(super) fn document(part: &Part) -> Result<Value> {
    let run = &part.run;
    let (mut files, mut others) = (Vec::new(), Vec::new());
    for item in &part.read {
        match item.digest.filter(|_| item.standing != Standing::Gone) {
            Some(digest) => files.push(file(item, digest)),
            None => others.push(beside(item)),
        }
    }
    let licences: BTreeSet<&str> = part
        .read
        .iter()
        .filter_map(|item| Some(item.licence.as_ref()?.0.as_str()))
        .collect();
    let mut out = json!({
        "@context": context(),
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": format!("What the run {} read", run.run),
        "description": format!(
            "Every version that the run {} of {} read, as the ledger has it until {}.", run.run, run.principal, moment(run.last)?
        ),
        "url": url(run),
        "version": format!("1.0.{}", run.reads.saturating_add(run.writes)),
        "datePublished": moment(run.last)?,
        "creator": { "@type": "sc:Organization", "name": run.principal },
        "isLiveDataset": false,
        "distribution": files,
        "craton:run": {
            "@type": "prov:Activity",
            "craton:name": run.run,
            "craton:principal": run.principal,
            "craton:actingFor": run.chain,
            "craton:purpose": run.purpose,
            "prov:startedAtTime": moment(run.begun)?,
            "prov:endedAtTime": moment(run.last)?,
        },
        "craton:notDigested": others,
        "craton:hidden": part.hidden,
    });
    if let Value::Object(fields) = &mut out {
        if !licences.is_empty() {
            fields.insert("license".to_owned(), json!(licences));
        }
        if let Some(next) = &part.next {
            fields.insert("craton:next".to_owned(), json!(next));
        }
    }
    Ok(out)
}

/// A version as a file.
fn file(item: &Item, digest: Digest) -> Value {
    let mut out = said(item);
    let more = [
        ("@type", json!("cr:FileObject")),
        ("@id", json!(identifier(item))),
        ("name", json!(item.name)),
        ("contentUrl", json!(item.url)),
        ("contentSize", json!(format!("{} B", digest.size))),
        ("encodingFormat", json!(item.media_type)),
        ("sha256", json!(hex::encode(digest.sha256))),
    ];
    for (name, value) in more {
        out.insert(name.to_owned(), value);
    }
    Value::Object(out)
}

/// A version that has no digest that could be checked.
fn beside(item: &Item) -> Value {
    let mut out = said(item);
    if let Some(digest) = item.digest {
        // It was computed while the content was there.
        out.insert("craton:sha256".to_owned(), json!(hex::encode(digest.sha256)));
        out.insert("craton:size".to_owned(), json!(digest.size));
    }
    if let Some(why) = &item.why {
        out.insert("craton:why".to_owned(), json!(why));
    }
    Value::Object(out)
}

/// What is said of any version.
fn said(item: &Item) -> Map<String, Value> {
    let edge = &item.edge;
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(format!("craton:{name}"), value);
    put("kind", json!(item.what.as_str()));
    put("resource", json!(edge.resource));
    put("version", json!(edge.version));
    put("standing", json!(item.standing.as_str()));
    put("reads", json!(edge.count));
    put("bytesRead", json!(edge.bytes));
    put("labels", json!(item.labels));
    if let Some(id) = &item.version_id {
        put("versionId", json!(id));
    }
    if let What::Table { called, current } = &item.what {
        put("table", json!(called));
        put("currentSnapshot", json!(current.map(|id| id.to_string())));
        let read: Vec<String> = edge.snapshots.iter().map(ToString::to_string).collect();
        put("snapshotsRead", json!(read));
    }
    if item.untold {
        put("tagsHidden", json!(true));
    }
    if let Some((licence, of)) = &item.licence {
        put("licenceFrom", json!(of));
        out.insert("license".to_owned(), json!(licence));
    }
    out
}

/// The name of a version in documents: its path and number.
pub(super) fn identifier(item: &Item) -> String {
    let path = item.edge.resource.trim_start_matches('/');
    format!("{}@{}", utf8_percent_encode(path, PLAIN), item.edge.version)
}

/// The name of a run in documents.
pub(super) fn url(run: &RunSummary) -> String {
    let segment = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    format!("craton://runs/{}/{}", segment(&run.principal), segment(&run.run))
}

/// A time as RFC 3339 has it.
pub(super) fn moment(at: Timestamp) -> Result<String> {
    let odd = |_| Error::internal("a time is out of range");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1000).map_err(odd)?;
    time.format(&Rfc3339)
        .map_err(|e| Error::internal("a time has no text").with_source(e))
}
