//! A run as an event of OpenLineage.
//!
//! Source: OpenLineage's object model 2-0-2 and the facets that it names. What a run is called here, and for whom it is, is a facet of our own
//! (`craton_run`).
//!
//! Deliberately absent: which events there are to be.

use craton_base::{Error, Result, Timestamp};
use craton_gate::Due;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::sets::{Set, Sets};

/// Who says it.
const PRODUCER: &str = concat!("urn:craton:server:", env!("CARGO_PKG_VERSION"));

/// Where the object model is.
const MODEL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/";

/// Where its facets are.
const FACETS: &str = "https://openlineage.io/spec/facets/";

/// What an event says of its run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Start,
    Running,
    Complete,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
        }
    }
}

/// An event.
///
/// # Errors
/// `Internal` for a time that is none.
pub(super) fn of(due: &Due, state: State, at: Timestamp, sets: Option<&(Sets, Sets)>) -> Result<Value> {
    let run = &due.run;
    let mut own = facet(&format!("{MODEL}RunFacet"));
    own.insert("name".to_owned(), json!(run.run));
    own.insert("principal".to_owned(), json!(run.principal));
    own.insert("actingFor".to_owned(), json!(run.chain));
    own.insert("purpose".to_owned(), json!(run.purpose));
    if let Some((inputs, outputs)) = sets {
        own.insert(
            "leftOut".to_owned(),
            json!(inputs.left_out.saturating_add(outputs.left_out)),
        );
    }
    let mut engine = facet(&format!(
        "{FACETS}1-1-1/ProcessingEngineRunFacet.json#/$defs/ProcessingEngineRunFacet"
    ));
    engine.insert("name".to_owned(), json!("craton"));
    engine.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    let job = match run.purpose.as_str() {
        "" => run.principal.clone(),
        purpose => format!("{}/{purpose}", run.principal),
    };
    let listed = |sets: &Sets, is_input| {
        sets.all
            .iter()
            .map(|(name, set)| data_set(name, *set, is_input))
            .collect()
    };
    let (inputs, outputs): (Vec<Value>, Vec<Value>) = match sets {
        Some((inputs, outputs)) => (listed(inputs, true), listed(outputs, false)),
        None => (Vec::new(), Vec::new()),
    };
    Ok(json!({
        "eventType": state.as_str(),
        "eventTime": moment(at)?,
        "producer": PRODUCER,
        "schemaURL": format!("{MODEL}RunEvent"),
        "run": { "runId": run_id(due), "facets": { "processing_engine": engine, "craton_run": own } },
        "job": { "namespace": "craton", "name": job },
        "inputs": inputs,
        "outputs": outputs,
    }))
}

/// The run's name, if it is a UUID; else one that is made from it (RFC 9562, version 8).
pub(super) fn run_id(due: &Due) -> String {
    let name = due.run.run.to_ascii_lowercase();
    if craton_gate::tables::is_id(&name) {
        return name;
    }
    let mut id = due.id;
    for (at, byte) in id.iter_mut().enumerate() {
        match at {
            6 => *byte = (*byte & 0x0f) | 0x80,
            8 => *byte = (*byte & 0x3f) | 0x80,
            _ => {}
        }
    }
    let mut out = String::with_capacity(36);
    for (at, byte) in id.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

fn data_set((namespace, name): &(String, String), set: Set, is_input: bool) -> Value {
    let mut facets = Map::new();
    if set.versions == 1 {
        let mut version = facet(&format!(
            "{FACETS}1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet"
        ));
        version.insert("datasetVersion".to_owned(), json!(set.version.to_string()));
        facets.insert("version".to_owned(), Value::Object(version));
    }
    let (field, schema, facet_name) = match is_input {
        true => (
            "inputFacets",
            "1-0-0/InputStatisticsInputDatasetFacet",
            "inputStatistics",
        ),
        false => (
            "outputFacets",
            "1-0-2/OutputStatisticsOutputDatasetFacet",
            "outputStatistics",
        ),
    };
    let class = schema.rsplit('/').next().unwrap_or_default();
    let mut statistics = facet(&format!("{FACETS}{schema}.json#/$defs/{class}"));
    statistics.insert("size".to_owned(), json!(set.bytes));
    statistics.insert("fileCount".to_owned(), json!(set.versions));
    json!({ "namespace": namespace, "name": name, "facets": facets, field: { facet_name: statistics } })
}

fn facet(schema: &str) -> Map<String, Value> {
    let mut out = Map::new();
    out.insert("_producer".to_owned(), json!(PRODUCER));
    out.insert("_schemaURL".to_owned(), json!(schema));
    out
}

fn moment(at: Timestamp) -> Result<String> {
    let odd = |_| Error::internal("a time is out of range");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.micros()) * 1000).map_err(odd)?;
    time.format(&Rfc3339)
        .map_err(|e| Error::internal("a time has no text").with_source(e))
}
