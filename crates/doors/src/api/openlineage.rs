//! OpenLineage: events that clients send of their runs, kept as declared lineage beside what the ledger saw.
//!
//! Source: the OpenLineage object model 2-0-2 and its HTTP API. What is taken of an event is its run's id, its job, its data sets, and
//! whether the run is over; facets are not kept.

use craton_base::{Error, Kind, Result};
use craton_gate::{Declared, DeclaredStanding, Touch};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Query};

/// The most events of a batch.
const EVENTS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default)]
    event_type: Option<String>,
    #[serde(default)]
    run: Option<Run>,
    #[serde(default)]
    job: Option<Named>,
    #[serde(default)]
    inputs: Vec<Named>,
    #[serde(default)]
    outputs: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    run_id: String,
}

#[derive(Deserialize)]
struct Named {
    namespace: String,
    name: String,
}

impl Event {
    /// Whether it says that its run is over.
    fn is_end(&self) -> bool {
        matches!(self.event_type.as_deref(), Some("COMPLETE" | "FAIL" | "ABORT"))
    }

    fn declared(&self) -> Vec<Declared> {
        let job = self
            .job
            .as_ref()
            .map(|job| format!("{}/{}", job.namespace, job.name));
        let job = job.unwrap_or_default();
        let reads = self.inputs.iter().map(|set| (Touch::Read, set));
        let writes = self.outputs.iter().map(|set| (Touch::Write, set));
        let declared = |(touch, set): (Touch, &Named)| Declared {
            touch,
            namespace: set.namespace.clone(),
            name: set.name.clone(),
            job: job.clone(),
        };
        reads.chain(writes).map(declared).collect()
    }
}

/// Takes an event. One of a job or a data set alone, without a run, says nothing about lineage and is taken as it is.
async fn take(call: &Call<'_>, event: &Event) -> Result<()> {
    let Some(run) = &event.run else {
        return Ok(());
    };
    let is_id = run.run_id.len() == 36 && run.run_id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !is_id {
        return Err(Error::invalid("the id of a run is a UUID"));
    }
    let all = event.declared();
    call.gate
        .declare(call.session, &run.run_id, event.is_end(), &all)
        .await
}

pub(super) async fn post(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let event: Event = call.json()?;
    take(call, &event).await?;
    Ok(json!({}))
}

/// Each by itself: what is wrong with one is told, and the others are taken. Who may declare nothing is refused as a whole.
pub(super) async fn post_batch(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let events: Vec<Event> = call.json()?;
    if events.len() > EVENTS_MAX {
        return Err(Error::invalid(format!("a batch has at most {EVENTS_MAX} events")));
    }
    let mut failed = Vec::new();
    for (index, event) in events.iter().enumerate() {
        match take(call, event).await {
            Ok(()) => {}
            Err(error) if error.kind() == Kind::Denied => return Err(error),
            Err(error) => failed.push(
                json!({ "index": index, "reason": crate::errors::message(&error), "retriable": false }),
            ),
        }
    }
    let good = events.len().saturating_sub(failed.len());
    Ok(json!({
        "status": if failed.is_empty() { "success" } else { "partial_success" },
        "summary": { "received": events.len(), "successful": good, "failed": failed.len() },
        "failed_events": failed,
    }))
}

/// What was declared of a run, and how it stands beside what was observed.
pub(super) async fn declared(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let principal = query
        .text("principal")
        .unwrap_or_else(|| call.session.principal().to_owned());
    query.end()?;
    let all = call
        .gate
        .declared(call.session, &principal, call.part(0)?)
        .await?;
    let shown = |(declared, standing): &(Declared, DeclaredStanding)| {
        json!({
            "mode": declared.touch.as_str(),
            "namespace": declared.namespace,
            "name": declared.name,
            "job": declared.job,
            "standing": standing.as_str(),
        })
    };
    Ok(json!({ "declared": all.iter().map(shown).collect::<Vec<_>>() }))
}
