//! Commits to several tables at once: each is decided as a commit to it alone, and all of them are made, or none.
//!
//! Deliberately absent: what a commit means (the engine).

use std::time::Duration;

use craton_base::Result;
use craton_gate::{
    Parts, Work,
    tables::{catalog, id_of, table},
};
use craton_tables::{TABLES_MAX, TableChange, What, changes_labels, staged_id};
use http::StatusCode;
use serde_json::Value;

use super::{
    Call, bad, empty,
    names::{ask_about, creating, identifier, labelling},
    ops::{Answer, ask, noted, once},
    tables::{READ_DATA, WRITE_DATA, list_in},
};

/// How long a commit waits for work of the server itself that is in its way.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn commit(call: Call<'_>) -> Result<Answer> {
    let wanted = match call.json().and_then(|body| changes(&call, &body)) {
        Ok(wanted) => wanted,
        Err(error) => {
            // Who may not is told so, whatever the body is.
            call.gate
                .read(call.session, ask(&call, call.bucket()?, None))
                .await?;
            return Err(error);
        }
    };
    let bucket = call.bucket()?;
    for change in &wanted {
        if is_staged(change) {
            // The first commit of a staged table makes it.
            let ask = creating(&call, &change.name, What::Table)?;
            call.gate.read(call.session, ask).await?;
        }
        let path = table(bucket.clone(), &change.id);
        let ask = ask_about(&call, path, &change.name).and_action(WRITE_DATA);
        let ask = match is_staged(change) {
            true => ask,
            false => ask.and_action(READ_DATA),
        };
        let ask = labelling(ask, changes_labels(&change.updates));
        call.gate.read(call.session, ask).await?;
    }
    let mut writes: Vec<_> = wanted.iter().map(|c| table(bucket.clone(), &c.id)).collect();
    writes.sort();
    writes.dedup();
    let parts = Parts {
        reads: Vec::new(),
        writes,
    };
    let work = Work {
        operation: call.route.operation.name(),
        path: catalog(bucket),
        read: WRITE_DATA,
        write: call.route.action,
    };
    let permit = call.gate.work(call.session, work, parts.clone()).await?;
    noted(&permit, permit.hold_to_write(&parts.writes, PATIENCE).await)?;
    once(&call, &permit, call.tables.commit(&permit, &wanted)).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

fn is_staged(change: &TableChange) -> bool {
    staged_id(&change.requirements, &change.updates).is_some()
}

fn changes(call: &Call<'_>, body: &Value) -> Result<Vec<TableChange>> {
    let list = list_in(body, "table-changes")?;
    if list.is_empty() || list.len() > TABLES_MAX {
        return Err(bad(format!("a transaction changes 1 to {TABLES_MAX} tables")));
    }
    list.iter().map(|item| change(call, item)).collect()
}

fn change(call: &Call<'_>, item: &Value) -> Result<TableChange> {
    let part = item
        .get("identifier")
        .ok_or_else(|| bad("identifier is missing"))?;
    let name = identifier(part)?;
    let (requirements, updates) = (list_in(item, "requirements")?, list_in(item, "updates")?);
    let id = match staged_id(requirements, updates) {
        Some(id) => id,
        None => {
            let path = call.gate.table_named(&call.bucket()?, &name.row())?;
            id_of(&path).unwrap_or_default().to_owned()
        }
    };
    Ok(TableChange {
        id,
        name,
        requirements: requirements.to_vec(),
        updates: updates.to_vec(),
        on: None,
    })
}
