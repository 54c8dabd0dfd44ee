//! Sessions: which there are, and ending them.

use craton_base::Result;
use craton_gate::{BudgetState, HolderKind, Measure, SessionBudget, SessionInfo};
use serde::Deserialize;
use serde_json::{Map, Value, json};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    bytes: Option<u64>,
    rows: Option<u64>,
    objects: Option<u64>,
    deletes: Option<u64>,
    requests: Option<u64>,
    seconds: Option<u64>,
}

fn numbers(of: &SessionBudget) -> Value {
    let each = Measure::ALL
        .into_iter()
        .filter_map(|m| Some((m.as_str().to_owned(), of.of(m)?.into())));
    Value::Object(each.collect::<Map<String, Value>>())
}

/// How a budget stands.
pub(super) fn budget_shown(state: &BudgetState) -> Value {
    json!({ "limits": numbers(&state.limits), "used": numbers(&state.used), "left": numbers(&state.left) })
}

pub(super) async fn budget(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let state = call.gate.session_budget(call.session, call.part(0)?).await?;
    Ok(budget_shown(&state))
}

pub(super) async fn set_budget(call: &mut Call<'_>) -> Result<Value> {
    call.no_query()?;
    let Budget {
        bytes,
        rows,
        objects,
        deletes,
        requests,
        seconds,
    } = call.json()?;
    let budget = SessionBudget {
        bytes,
        rows,
        objects,
        deletes,
        requests,
        seconds,
    };
    let id = call.part(0)?;
    call.gate.set_session_budget(call.session, id, budget).await?;
    Ok(json!({}))
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
