//! Both answers are in the ledger; the ledger verifies; a record is proven to someone who has only its key.

use craton_base::Result;
use craton_gate::ledger::verify_receipt;
use http::Method;
use serde_json::{Value, json};

use super::{Tour, agent::AGENT, broken, point};

pub(super) async fn run(tour: &mut Tour) -> Result<()> {
    let denial = tour
        .agent
        .as_ref()
        .map(|seen| seen.denial.clone())
        .unwrap_or_default();
    let found = tour
        .root
        .api(Method::GET, &format!("ledger/records?principal={AGENT}"), None)
        .await?;
    let records: Vec<&Value> = found
        .get("records")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let text = |record: &Value, field: &str| {
        record
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for kind in ["decision", "denial"] {
        let record = records.iter().find(|r| text(r, "kind") == kind);
        let record = record.ok_or_else(|| broken(format!("no {kind} of {AGENT} in the ledger")))?;
        let statements: Vec<&str> = record
            .get("statements")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let by = if statements.is_empty() {
            "no statement".to_owned()
        } else {
            statements.join(", ")
        };
        let (id, resource) = (text(record, "id"), text(record, "resource"));
        point(
            "recorded",
            &format!("{id:6} {:14} {resource} by {by}", text(record, "verdict")),
        );
    }
    let verified = tour
        .root
        .api(Method::POST, "ledger/verify", Some(&json!({})))
        .await?;
    let count = verified
        .get("records")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    point(
        "verified",
        &format!("all {count} records, the tree and its signed checkpoint"),
    );
    prove(tour, &denial).await
}

/// A receipt verifies with the key alone, and does not if it is changed.
async fn prove(tour: &Tour, id: &str) -> Result<()> {
    let receipt = tour
        .root
        .api(Method::GET, &format!("ledger/records/{id}/receipt"), None)
        .await?;
    let checkpoint = tour.root.api(Method::GET, "ledger/checkpoint", None).await?;
    let key = checkpoint.get("key").and_then(Value::as_str).unwrap_or_default();
    let entry = verify_receipt(&receipt.to_string(), key)?;
    let steps = receipt.get("proof").and_then(Value::as_array).map_or(0, Vec::len);
    point(
        "proven",
        &format!(
            "record {id} is number {} of the ledger: a receipt of {steps} hashes",
            entry.index
        ),
    );
    let forged = forge(&receipt).ok_or_else(|| broken("a receipt without a place"))?;
    match verify_receipt(&forged.to_string(), key) {
        Err(refused) => point(
            "refused",
            &format!("the same receipt, moved by one place: {refused}"),
        ),
        Ok(_) => return Err(broken("a forged receipt verifies")),
    }
    Ok(())
}

/// The receipt for another place in the ledger.
fn forge(receipt: &Value) -> Option<Value> {
    let mut forged = receipt.clone();
    let index = forged.get("index")?.as_u64()?;
    *forged.get_mut("index")? = json!(index.checked_add(1)?);
    Some(forged)
}
