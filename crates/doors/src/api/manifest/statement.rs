//! A manifest as an in-toto statement: what the run wrote is its subject, what it read the dependencies that SLSA's provenance has.
//!
//! Sources: in-toto Statement v1, SLSA provenance v1, DSSE v1. It is signed by the key that signs the ledger's checkpoints, so that who knows that
//! key can check it (`docs/runs.md`).
//!
//! Deliberately absent: finding versions, keys.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use craton_base::{Error, Result};
use craton_objects::checksum::{self, Algorithm};
use serde_json::{Map, Value, json};

use super::{
    Part,
    croissant::{identifier, moment, url},
    items::{Item, What},
};
use crate::api::Call;

/// The type of what is signed.
const PAYLOAD: &str = "application/vnd.in-toto+json";

/// The statement in its signed envelope.
///
/// # Errors
/// `Internal`.
pub(super) fn envelope(call: &Call<'_>, whole: &Part) -> Result<Value> {
    let statement = statement(whole, &call.gate.log_name())?;
    let payload = serde_json::to_vec(&statement)
        .map_err(|e| Error::internal("a statement can not be written").with_source(e))?;
    let (key, signature) = call.gate.sign_statement(PAYLOAD, &payload)?;
    Ok(json!({
        "payloadType": PAYLOAD,
        "payload": BASE64.encode(&payload),
        "signatures": [{ "keyid": key, "sig": signature }],
    }))
}

/// What is signed.
pub(super) fn statement(whole: &Part, log: &str) -> Result<Value> {
    let run = &whole.run;
    let mut subjects: Vec<Value> = whole
        .written
        .iter()
        .filter(|item| item.digest.is_some())
        .map(described)
        .collect();
    if subjects.is_empty() {
        // A statement is about something: of a run that wrote nothing, about what it read.
        subjects.push(json!({ "name": url(run), "digest": { "sha256": of_all(&whole.read) } }));
    }
    let others = whole.written.iter().filter(|item| item.digest.is_none());
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:craton:run:v1",
                "externalParameters": {
                    "run": run.run,
                    "principal": run.principal,
                    "actingFor": run.chain,
                    "purpose": run.purpose,
                },
                "internalParameters": { "session": run.session, "hidden": whole.hidden },
                "resolvedDependencies": whole.read.iter().map(described).collect::<Vec<_>>(),
            },
            "runDetails": {
                "builder": { "id": format!("urn:{}", log.replace('/', ":")) },
                "metadata": {
                    "invocationId": url(run),
                    "startedOn": moment(run.begun)?,
                    "finishedOn": moment(run.last)?,
                },
                "byproducts": others.map(described).collect::<Vec<_>>(),
            },
        },
    }))
}

/// A version as in-toto describes resources.
fn described(item: &Item) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("name", json!(identifier(item)));
    put("uri", json!(item.url));
    put("mediaType", json!(item.media_type));
    put("annotations", Value::Object(notes(item)));
    if let Some(digest) = item.digest {
        put("digest", json!({ "sha256": hex::encode(digest.sha256) }));
    }
    Value::Object(out)
}

/// What else is said of it.
fn notes(item: &Item) -> Map<String, Value> {
    let edge = &item.edge;
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("kind", json!(item.what.as_str()));
    put("resource", json!(edge.resource));
    put("version", json!(edge.version));
    put("standing", json!(item.standing.as_str()));
    put("times", json!(edge.count));
    put("labels", json!(item.labels));
    if let Some(digest) = item.digest {
        put("size", json!(digest.size));
    }
    if let Some((licence, _)) = &item.licence {
        put("license", json!(licence));
    }
    if let Some(why) = &item.why {
        put("why", json!(why));
    }
    if let What::Table { called, current } = &item.what {
        put("table", json!(called));
        put("currentSnapshot", json!(current.map(|id| id.to_string())));
        let read: Vec<String> = edge.snapshots.iter().map(ToString::to_string).collect();
        put("snapshotsRead", json!(read));
    }
    out
}

/// The SHA-256 of lines, one for each version: its digest, two spaces, its name, as `sha256sum` writes them; in order.
fn of_all(read: &[Item]) -> String {
    let line = |item: &Item| {
        let digest = item.digest.map(|digest| hex::encode(digest.sha256));
        format!(
            "{}  {}\n",
            digest.unwrap_or_else(|| "-".to_owned()),
            identifier(item)
        )
    };
    let mut lines: Vec<String> = read.iter().map(line).collect();
    lines.sort_unstable();
    hex::encode(checksum::of(Algorithm::Sha256, lines.concat().as_bytes()))
}
