//! Shields of buckets, and the operations that wait for an approval because of them.

use craton_base::{BucketName, Error, ResourcePath, Result};
use craton_gate::{Ask, ConfigurationChange, PendingInfo, PendingThing, Shield, Subresource};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, query::Query};

/// Whom a shield is for.
const AGENTS: &str = "agents";
const EVERYONE: &str = "everyone";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    hold_seconds: u64,
    #[serde(default = "agents")]
    holds: String,
}

fn agents() -> String {
    AGENTS.to_owned()
}

impl Set {
    fn shield(&self) -> Result<Shield> {
        let everyone = match self.holds.as_str() {
            AGENTS => false,
            EVERYONE => true,
            other => return Err(Error::invalid(format!("{other:?} is not {AGENTS} or {EVERYONE}"))),
        };
        Ok(Shield {
            hold_seconds: self.hold_seconds,
            everyone,
        })
    }
}

fn shown(shield: Option<Shield>) -> Value {
    shield.map_or_else(
        || json!({ "shield": null }),
        |shield| {
            let holds = if shield.everyone { EVERYONE } else { AGENTS };
            json!({ "shield": { "hold_seconds": shield.hold_seconds, "holds": holds } })
        },
    )
}

fn bucket(call: &Call<'_>) -> Result<ResourcePath> {
    Ok(ResourcePath::Bucket(BucketName::new(call.part(0)?)?))
}

pub(super) async fn get(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let ask = Ask::new("GetBucketShield", "craton:GetBucketShield", bucket(call)?);
    let permit = call.gate.read(call.session, ask).await?;
    Ok(shown(permit.bucket_access()?.shield()))
}

pub(super) async fn set(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let shield = call.json::<Set>()?.shield()?;
    change(call, "SetBucketShield", ConfigurationChange::shield(shield)).await?;
    Ok(shown(Some(shield)))
}

pub(super) async fn remove(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    change(
        call,
        "RemoveBucketShield",
        ConfigurationChange::remove(Subresource::Shield),
    )
    .await?;
    Ok(shown(None))
}

async fn change(call: &Call<'_>, operation: &'static str, change: ConfigurationChange) -> Result<()> {
    let ask = Ask::new(operation, "craton:SetBucketShield", bucket(call)?);
    let permit = call.gate.write(call.session, ask).await?;
    let done = permit.configure(&[change]).await;
    done.inspect_err(|e| permit.failed(e.kind(), e.reason()))
}

fn thing(of: &PendingThing) -> Value {
    let mut out = json!({ "sort": of.sort, "name": of.name, "version": of.version });
    if !of.becomes.is_empty()
        && let Some(out) = out.as_object_mut()
    {
        out.insert("becomes".to_owned(), json!(of.becomes));
    }
    out
}

fn pending(of: &PendingInfo) -> Value {
    json!({
        "id": of.id,
        "state": of.state.as_str(),
        "bucket": of.bucket,
        "operation": of.operation,
        "door": of.door,
        "principal": of.principal,
        "chain": of.chain,
        "session": of.session,
        "run": of.run,
        "purpose": of.purpose,
        "destroys": of.things.iter().map(thing).collect::<Vec<_>>(),
        "destroys_more": of.things_more,
        "asked_micros": of.asked.micros(),
        "until_micros": of.until.micros(),
        "answered_by": of.answered_by,
        "answered_micros": of.answered.micros(),
    })
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    let mut query = std::mem::replace(&mut call.query, Query::parse(None)?);
    let bucket = query.text("bucket");
    query.end()?;
    let bucket = bucket.map(|name| BucketName::new(&name)).transpose()?;
    let all = call.gate.list_pending(call.session, bucket.as_ref()).await?;
    Ok(json!({ "pending": all.iter().map(pending).collect::<Vec<_>>() }))
}

pub(super) async fn show(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let found = call.gate.pending(call.session, call.part(0)?).await?;
    Ok(pending(&found))
}

pub(super) async fn answer(call: &mut Call<'_>, approves: bool) -> Result<Value> {
    call.no_query()?;
    let answered = call
        .gate
        .answer_pending(call.session, call.part(0)?, approves)
        .await?;
    Ok(pending(&answered))
}
