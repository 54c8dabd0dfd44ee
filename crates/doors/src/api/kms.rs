//! The named keys of the local key service.

use craton_base::Result;
use serde_json::{Value, json};

use super::Call;

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let keys = call.gate.list_named_keys(call.session).await?;
    let keys: Vec<Value> = keys
        .iter()
        .map(|k| {
            json!({ "id": k.id, "arn": k.arn, "enabled": k.enabled, "created_micros": k.created.micros() })
        })
        .collect();
    Ok(json!({ "keys": keys }))
}

pub(super) async fn create(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let id = call.part(0)?;
    let arn = call.gate.create_named_key(call.session, id).await?;
    Ok(json!({ "id": id, "arn": arn }))
}

pub(super) async fn delete(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.delete_named_key(call.session, call.part(0)?).await?;
    Ok(json!({}))
}

pub(super) async fn enable(call: &mut Call<'_>, enabled: bool) -> Result<Value> {
    call.no_query()?;
    let id = call.part(0)?;
    call.gate.enable_named_key(call.session, id, enabled).await?;
    Ok(json!({ "id": id, "enabled": enabled }))
}
