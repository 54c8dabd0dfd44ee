//! What the system does by itself: its runs, listed, cancelled, asked for.

use craton_base::{BucketName, Error, Result};
use craton_gate::{DestinationStanding, RunInfo, Worker};
use craton_objects::replica;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use super::Call;

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let runs = call.gate.list_runs(call.session).await?;
    Ok(json!({ "runs": runs.iter().map(listed).collect::<Vec<_>>() }))
}

pub(super) fn listed(run: &RunInfo) -> Value {
    let time = |t: craton_base::Timestamp| t.to_utc().format(&Rfc3339).unwrap_or_default();
    let counts: Map<String, Value> = run
        .counts
        .iter()
        .map(|(what, n)| ((*what).to_owned(), (*n).into()))
        .collect();
    json!({
        "id": &*run.id,
        "worker": run.worker.name(),
        "subject": run.subject,
        "options": run.options,
        "state": run.state.as_str(),
        "begun": time(run.begun),
        "ended": run.ended.map(time),
        "counts": counts,
        "error": run.error,
    })
}

pub(super) async fn cancel(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.cancel_run(call.session, call.part(0)?).await?;
    Ok(json!({}))
}

/// All of this work is on buckets.
pub(super) async fn start(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = call.part(0)?;
    let worker = Worker::named(name).ok_or_else(|| Error::invalid(format!("there is no work {name:?}")))?;
    let bucket = BucketName::new(call.part(1)?)?;
    call.gate
        .ask_for_run(call.session, worker, bucket.as_str())
        .await?;
    Ok(json!({}))
}

/// Work on one of several things of a bucket: an inventory.
pub(super) async fn start_named(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = call.part(0)?;
    let worker = Worker::named(name)
        .filter(|worker| *worker == Worker::Inventory)
        .ok_or_else(|| Error::invalid(format!("there is no work {name:?} on one thing of a bucket")))?;
    let bucket = BucketName::new(call.part(1)?)?;
    let id = call.part(2)?;
    if id.is_empty() || id.len() > craton_gate::ID_BYTES_MAX {
        return Err(Error::invalid("an inventory's id is too long"));
    }
    let subject = format!("{bucket}/{id}");
    call.gate.ask_for_run(call.session, worker, &subject).await?;
    Ok(json!({}))
}

/// How the destinations of a bucket stand: those of its rules, and those that were copied to before.
pub(super) async fn replication_status(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let bucket = BucketName::new(call.part(0)?)?;
    let configured = |permit: &craton_gate::ReadPermit| {
        let rules = replica::rules(permit)?;
        Ok(rules.map_or_else(Vec::new, |rules| rules.destinations()))
    };
    let found = call
        .gate
        .replication_status(call.session, &bucket, configured)
        .await?;
    Ok(json!({ "destinations": found.iter().map(standing).collect::<Vec<_>>() }))
}

fn standing(of: &DestinationStanding) -> Value {
    let time = |t: craton_base::Timestamp| t.to_utc().format(&Rfc3339).unwrap_or_default();
    json!({
        "destination": of.destination,
        "waiting": of.waiting,
        "copied": of.standing.copied,
        "copied_bytes": of.standing.copied_bytes,
        "failed": of.standing.failed,
        "last_copied": of.standing.last_copied.map(time),
        "error": of.standing.error,
    })
}
