//! Sessions: which there are, and ending them.

use craton_base::Result;
use craton_gate::{HolderKind, SessionInfo};
use serde_json::{Value, json};

use super::Call;

/// The most sessions in one answer.
const SESSIONS_MAX: usize = 1000;

fn shown(session: &SessionInfo) -> Value {
    json!({
        "id": session.id,
        "principal": session.principal,
        "session_name": session.session_name,
        "chain": session.chain,
        "issued_micros": session.issued.micros(),
        "expires_micros": session.expires.micros(),
        "source_identity": session.source_identity,
        "purpose": session.purpose,
        "run": session.run,
        "revoked": session.revoked,
    })
}

pub(super) async fn list(call: &mut Call<'_>) -> Result<Value> {
    let query = std::mem::replace(&mut call.query, super::Query::parse(None)?);
    let (after, limit) = query.page(SESSIONS_MAX)?;
    let (all, more) = call
        .gate
        .list_sessions(call.session, after.as_deref(), limit)
        .await?;
    let next = all.last().filter(|_| more).map(|s| s.id.as_str());
    Ok(json!({ "sessions": all.iter().map(shown).collect::<Vec<_>>(), "next": next }))
}

pub(super) async fn revoke(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    call.gate.revoke_session(call.session, call.part(0)?).await?;
    Ok(json!({}))
}

pub(super) async fn revoke_of(call: &mut Call<'_>, kind: HolderKind) -> Result<Value> {
    call.no_query()?;
    call.gate
        .revoke_sessions_of(call.session, kind, call.part(0)?)
        .await?;
    Ok(json!({}))
}

pub(super) async fn rotate(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let id = call.gate.rotate_signing_key(call.session).await?;
    Ok(json!({ "key": id }))
}
