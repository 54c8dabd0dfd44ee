//! Guard policies.

use craton_base::{PrincipalName, Result};
use craton_gate::{Checked, GuardDocument};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The policies, in Cedar.
    text: String,
}

fn name(call: &Call<'_>) -> Result<PrincipalName> {
    PrincipalName::new(call.part(0)?)
}

fn checked(name: &PrincipalName, checked: &Checked) -> Value {
    json!({ "name": name.as_str(), "policies": checked.policies, "warnings": checked.warnings })
}

fn document(document: &GuardDocument) -> Value {
    json!({
        "name": document.name,
        "text": document.text,
        "set_micros": document.set.micros(),
        "set_by": document.set_by,
    })
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let all = call.gate.list_guard_policies(call.session).await?;
    let short =
        |d: &GuardDocument| json!({ "name": d.name, "set_micros": d.set.micros(), "set_by": d.set_by });
    Ok(json!({ "documents": all.iter().map(short).collect::<Vec<_>>() }))
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let found = call.gate.guard_policy(call.session, &name(call)?).await?;
    Ok(document(&found))
}

pub(super) async fn put(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = name(call)?;
    let Document { text } = call.json()?;
    let done = call.gate.put_guard_policy(call.session, &name, text).await?;
    Ok(checked(&name, &done))
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.delete_guard_policy(call.session, &name(call)?).await?;
    Ok(json!({}))
}

pub(super) async fn check(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let name = PrincipalName::new("proposed")?;
    let Document { text } = call.json()?;
    let done = call.gate.check_guard_policy(call.session, &name, &text).await?;
    Ok(checked(&name, &done))
}

pub(super) async fn schema(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    Ok(json!({ "schema": call.gate.guard_schema(call.session).await? }))
}
