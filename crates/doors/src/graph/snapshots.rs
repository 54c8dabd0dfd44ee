//! The snapshots of a graph: its commits, until what they are made of is merged or collected, and those that are pinned.
//!
//! Deliberately absent: reading one, which every read does that names it.

use craton_base::{Result, Sequence};
use craton_graph::{
    Shape,
    manifest::Level,
    snapshot::{Asked, Moment},
};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{blocking, change, named, open, wrong},
    respond,
};
use crate::http::Body;

/// The most snapshots of a listing.
const LISTED_MAX: usize = 100;

pub(super) async fn list(mut call: Call<'_>) -> Result<Response<Body>> {
    let path = call.facts()?;
    let before = match call.query.text("before") {
        None => None,
        Some(text) => Some(Sequence(text.parse().map_err(|_| wrong("before", &text))?)),
    };
    call.end_query()?;
    let (opened, _memory) = open(&call, path, Asked::Newest).await?;
    let pins: Vec<Value> = opened
        .manifest()
        .pins
        .iter()
        .map(|pin| {
            let (most, bytes) = size(&pin.levels);
            json!({ "pin": pin.name, "snapshot": pin.sequence.0, "facts_max": most, "bytes": bytes })
        })
        .collect();
    let listed = blocking(move || opened.history(before, LISTED_MAX)).await?;
    let more = listed.len() == LISTED_MAX;
    let snapshots: Vec<Value> = listed.iter().map(shown).collect();
    Ok(respond(
        StatusCode::OK,
        &json!({ "snapshots": snapshots, "more": more, "pins": pins }),
    ))
}

fn shown(moment: &Moment) -> Value {
    let (most, bytes) = size(&moment.manifest.levels);
    json!({ "snapshot": moment.sequence.0, "facts_max": most, "bytes": bytes })
}

/// How many facts there are at most, and the bytes of their runs.
fn size(levels: &[Level]) -> (u64, u64) {
    let natural = levels.iter().filter(|l| l.order.is_natural());
    let facts = natural.filter(|l| l.relation.table.shape != Shape::Expression);
    // Of levels that remove, each row may take one of the others away.
    let (mut most, mut bytes) = (0u64, 0u64);
    for level in facts {
        if !level.removes {
            most = most.saturating_add(level.run.rows());
        }
        bytes = bytes.saturating_add(level.run.bytes());
    }
    (most, bytes)
}

/// Keeps a snapshot: the newest, or the one that is named.
pub(super) async fn pin(mut call: Call<'_>) -> Result<Response<Body>> {
    let name = named(&mut call, "pin")?;
    let of = match call.moment()? {
        Asked::Newest => None,
        Asked::Commit(sequence) => Some(sequence),
        Asked::Pinned(other) => return Err(wrong("snapshot", &other)),
    };
    let kept = move |committed: craton_gate::Committed| json!({ "commit": committed.sequence.0 });
    change(&mut call, move |writer| writer.pin(&name, of).map(kept)).await
}

/// Keeps a snapshot no longer.
pub(super) async fn unpin(mut call: Call<'_>) -> Result<Response<Body>> {
    let name = named(&mut call, "pin")?;
    let kept = move |committed: craton_gate::Committed| json!({ "commit": committed.sequence.0 });
    change(&mut call, move |writer| writer.unpin(&name).map(kept)).await
}
