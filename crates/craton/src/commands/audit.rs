//! `craton audit`: the ledger.

use std::{net::IpAddr, path::Path, sync::Arc};

use craton_base::{Clock as _, Error, Kind, Result, clock::SystemClock};
use craton_gate::{
    Origin,
    identify::sign::encode_query,
    ledger::{Verified, verify_receipt},
};
use http::Method;
use serde_json::{Value, json};

use super::{answer, list, text};
use crate::{
    cli::{Audit, RecordFilter, Target},
    client::{Client, segment},
    files, output,
    serve::Folder,
};

/// The largest receipt or checkpoint, in bytes.
const PROOF_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn run(command: Audit) -> Result<()> {
    match command {
        Audit::List { filter, target } => records(&filter, &target).await,
        Audit::Verify { earlier, target } => verify(earlier.as_deref(), &target).await,
        Audit::Prove { id, target } => {
            let path = format!("ledger/records/{}/receipt", segment(&id));
            output::json(&Client::new(&target)?.api(Method::GET, &path, None).await?);
            Ok(())
        }
        Audit::ReceiptVerify { receipt, key, json } => receipt_verify(&receipt, &key, json),
        Audit::Erase { principal, target } => erase(&principal, &target).await,
        Audit::Key { target } => checkpoint("key", &target).await,
        Audit::Checkpoint { target } => checkpoint("checkpoint", &target).await,
    }
}

async fn records(filter: &RecordFilter, target: &Target) -> Result<()> {
    let found = Client::new(target)?
        .api(Method::GET, &format!("ledger/records?{}", query(filter)), None)
        .await?;
    answer(target, &found, |found| {
        let headings = [
            "ID",
            "TIME",
            "KIND",
            "VERDICT",
            "PRINCIPAL",
            "OPERATION",
            "RESOURCE",
            "RESULT",
        ];
        let rows: Vec<Vec<String>> = list(found, "records").map(row).collect();
        output::table(&headings, &rows);
        if let Some(next) = found.get("next").and_then(Value::as_u64) {
            output::note(&format!("There may be more: --after {next}"));
        }
    });
    Ok(())
}

fn query(filter: &RecordFilter) -> String {
    let mut pairs = vec![("limit", filter.limit.to_string())];
    let texts = [
        ("principal", &filter.principal),
        ("bucket", &filter.bucket),
        ("resource", &filter.resource),
        ("action", &filter.action),
        ("kind", &filter.kind),
        ("verdict", &filter.verdict),
        ("since", &filter.since),
        ("until", &filter.until),
    ];
    pairs.extend(
        texts
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.clone()?))),
    );
    pairs.extend(filter.after.map(|after| ("after", after.to_string())));
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={}", encode_query(value)))
        .collect();
    encoded.join("&")
}

/// A record as a row of a table.
fn row(record: &Value) -> Vec<String> {
    if record.get("erased").is_some() {
        return vec![text(record, "id").to_owned(), String::new(), "erased".to_owned()];
    }
    let result = match text(record, "reason") {
        "" => text(record, "result"),
        reason => reason,
    };
    let field = |name: &str| text(record, name).to_owned();
    // Times are written to the microsecond; seconds are enough for a person.
    let time = text(record, "time")
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut out = vec![
        field("id"),
        time,
        field("kind"),
        field("verdict"),
        field("principal"),
    ];
    out.extend([field("operation"), field("resource"), result.to_owned()]);
    out
}

async fn verify(earlier: Option<&Path>, target: &Target) -> Result<()> {
    let earlier = earlier
        .map(|path| files::read_text(path, PROOF_BYTES_MAX))
        .transpose()?;
    let found = match offline(target, earlier.clone()).await? {
        Some(found) => found,
        None => {
            let body = json!({ "earlier": earlier });
            Client::new(target)?
                .api(Method::POST, "ledger/verify", Some(&body))
                .await?
        }
    };
    answer(target, &found, show_verified);
    Ok(())
}

/// What a verification found, in words.
pub(crate) fn show_verified(found: &Value) {
    let number = |name: &str| found.get(name).and_then(Value::as_u64).unwrap_or_default();
    output::line(&format!(
        "The ledger verifies: {} records of {} subjects ({} erased), {} waiting to be added.",
        number("records"),
        number("subjects"),
        number("erased"),
        number("waiting")
    ));
}

/// From the data folder itself, if `--data` names one that no server has open.
async fn offline(target: &Target, earlier: Option<String>) -> Result<Option<Value>> {
    let Some(data) = &target.data else { return Ok(None) };
    let settings = craton_gate::Settings {
        region: target.region.clone(),
        ..craton_gate::Settings::default()
    };
    let folder = match Folder::open_existing(data, craton_store::MEMORY_MIN, settings) {
        Err(e) if e.kind() == Kind::Busy => return Ok(None),
        other => other?,
    };
    let verified = verify_folder(&folder, earlier).await;
    let closed = folder.gate.close().await;
    let verified = verified?;
    closed?;
    Ok(Some(json!({
        "records": verified.records,
        "erased": verified.erased,
        "waiting": verified.waiting,
        "subjects": verified.subjects,
        "checkpoint": verified.checkpoint,
    })))
}

async fn verify_folder(folder: &Folder, earlier: Option<String>) -> Result<Verified> {
    let origin = Origin {
        door: "command",
        source_ip: IpAddr::from([127, 0, 0, 1]),
        tls: Some("1.3"),
        request_id: Arc::from("offline"),
        lease: None,
        run: None,
        trace: None,
        purse: Default::default(),
        user_agent: None,
        referer: None,
        time: SystemClock::new().now(),
    };
    let session = folder.gate.operator(origin)?;
    folder.gate.audit_verify(&session, earlier).await
}

fn receipt_verify(receipt: &Path, key: &str, json: bool) -> Result<()> {
    let entry = verify_receipt(&files::read_text(receipt, PROOF_BYTES_MAX)?, key)?;
    let record = entry
        .record
        .ok_or_else(|| Error::corrupt("the receipt has no record"))?
        .to_json();
    match json {
        true => output::json(&record),
        false => {
            output::line(&format!(
                "The receipt verifies: record {} of the ledger.",
                entry.index
            ));
            super::explain::show_record(&record);
        }
    }
    Ok(())
}

async fn checkpoint(field: &str, target: &Target) -> Result<()> {
    let found = Client::new(target)?
        .api(Method::GET, "ledger/checkpoint", None)
        .await?;
    answer(target, &found, |found| {
        output::line(text(found, field).trim_end())
    });
    Ok(())
}

async fn erase(principal: &str, target: &Target) -> Result<()> {
    let asked = json!({ "principal": principal });
    let done = Client::new(target)?
        .api(Method::POST, "ledger/erase", Some(&asked))
        .await?;
    answer(target, &done, |done| {
        let number = |field| done.get(field).and_then(Value::as_u64).unwrap_or_default();
        match (number("subjects"), number("runs")) {
            (0, 0) => output::line("Nothing is recorded of that principal."),
            (_, runs) => output::line(&format!(
                "Forgotten: the records do not open any more, and {runs} runs have no name."
            )),
        }
    });
    Ok(())
}
