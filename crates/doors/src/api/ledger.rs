//! The ledger.

use craton_base::Result;
use craton_gate::ledger::{Entry, RecordId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, Query};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Verify {
    /// A signed checkpoint kept from earlier.
    #[serde(default)]
    earlier: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erase {
    /// A principal, as records have it: a user, role/NAME.
    principal: String,
}

fn record_id(call: &Call<'_>) -> Result<RecordId> {
    call.part(0)?.parse()
}

pub(super) async fn list_records(call: &mut Call<'_>) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let listing = call.gate.audit_list(call.session, query.filter()?).await?;
    let records: Vec<Value> = listing.entries.iter().map(entry).collect();
    Ok(json!({ "records": records, "next": listing.next }))
}

/// A record in its place; only that much of one whose subject was erased.
fn entry(entry: &Entry) -> Value {
    let mut out = match &entry.record {
        Some(record) => record.to_json(),
        None => json!({ "id": entry.id.to_string(), "time_micros": entry.time_micros, "erased": true }),
    };
    if let Value::Object(fields) = &mut out {
        fields.insert("index".to_owned(), json!(entry.index));
    }
    out
}

pub(super) async fn prove_record(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let receipt = call.gate.audit_prove(call.session, record_id(call)?).await?;
    serde_json::to_value(&receipt)
        .map_err(|e| craton_base::Error::internal("a receipt does not encode").with_source(e))
}

pub(super) async fn verify(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Verify = if call.body.is_empty() {
        Verify::default()
    } else {
        call.json()?
    };
    let verified = call.gate.audit_verify(call.session, asked.earlier).await?;
    Ok(json!({
        "records": verified.records,
        "erased": verified.erased,
        "waiting": verified.waiting,
        "subjects": verified.subjects,
        "checkpoint": verified.checkpoint,
    }))
}

pub(super) async fn checkpoint(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let (checkpoint, key) = call.gate.audit_checkpoint(call.session).await?;
    Ok(json!({ "checkpoint": checkpoint, "key": key }))
}

/// The name stands in the body, so that it is in no log of addresses.
pub(super) async fn erase(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let asked: Erase = call.json()?;
    let erased = call.gate.erase_subject(call.session, &asked.principal).await?;
    Ok(json!({ "subjects": erased.subjects, "runs": erased.runs }))
}
