//! Scan planning. A plan is whole when it is answered, so nothing of it is kept, fetched later or cancelled.
//!
//! Deliberately absent: which files a scan reads (the engine).

use craton_base::{Error, Kind, Result};
use craton_gate::ReadPermit;
use craton_tables::TableName;
use http::StatusCode;
use serde_json::Value;

use super::{
    Call, bad,
    names::{ask_for, referencing},
    ops::{Answer, noted},
    respond,
};

/// The permit to read the table's data.
async fn reading(call: &mut Call<'_>) -> Result<(ReadPermit, TableName)> {
    let name = call.table()?;
    let ask = referencing(ask_for(call, &name)?, &mut call.query);
    Ok((call.gate.read(call.session, ask).await?, name))
}

pub(super) async fn plan(mut call: Call<'_>) -> Result<Answer> {
    let (permit, name) = reading(&mut call).await?;
    let body = noted(&permit, call.json())?;
    let planned = noted(&permit, call.tables.plan_scan(&permit, &name, &body).await)?;
    Ok(respond(StatusCode::OK, planned.to_string()))
}

pub(super) async fn tasks(mut call: Call<'_>) -> Result<Answer> {
    let (permit, name) = reading(&mut call).await?;
    let body = noted(&permit, call.json())?;
    let task = body.get("plan-task").and_then(Value::as_str);
    let task = noted(
        &permit,
        task.ok_or_else(|| bad("plan-task is missing or no text")),
    )?;
    let tasks = noted(&permit, call.tables.scan_tasks(&permit, &name, task).await)?;
    Ok(respond(StatusCode::OK, tasks.to_string()))
}

/// There is never a plan of that id.
pub(super) async fn none(mut call: Call<'_>) -> Result<Answer> {
    let (permit, _) = reading(&mut call).await?;
    let text = "there is no such plan: each was whole when it was answered";
    noted(
        &permit,
        Err(Error::new(Kind::NotFound, "NoSuchPlanIdException", text)),
    )
}
