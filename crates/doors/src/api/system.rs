//! What an administrator sets.

use craton_base::{BucketName, Error, ResourcePath, Result};
use craton_gate::{Ask, BucketSettings};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Call;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    strict: bool,
}

pub(super) async fn set_bucket_strict(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let bucket = BucketName::new(call.part(0)?)?;
    let Strict { strict } = call.json()?;
    let ask = Ask::new(
        "SetBucketStrict",
        "craton:SetBucketStrict",
        ResourcePath::Bucket(bucket),
    );
    call.gate
        .write(call.session, ask)
        .await?
        .change_bucket(|settings| Ok::<_, Error>(BucketSettings { strict, ..settings }))
        .await?;
    Ok(json!({ "strict": strict }))
}

pub(super) async fn rotate_keys(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let rotated = call.gate.rotate_keys(call.session).await?;
    Ok(json!({ "key_id": rotated.key_id, "rewrapped": rotated.rewrapped }))
}

pub(super) async fn collect(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let collected = call.gate.collect_now(call.session).await?;
    Ok(json!({
        "versions": collected.versions,
        "garbage": collected.garbage,
        "orphans": collected.orphans,
    }))
}
