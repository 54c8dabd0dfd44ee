//! The snapshots of a graph: its commits, until what they are made of is merged or collected.
//!
//! Deliberately absent: reading one, which every read does that names it.

use craton_base::{Result, Sequence};
use craton_graph::{Shape, snapshot::Moment};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    Call,
    ops::{blocking, open, wrong},
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
    let (opened, _memory) = open(&call, path, None).await?;
    let listed = blocking(move || opened.history(before, LISTED_MAX)).await?;
    let more = listed.len() == LISTED_MAX;
    let snapshots: Vec<Value> = listed.iter().map(shown).collect();
    Ok(respond(
        StatusCode::OK,
        &json!({ "snapshots": snapshots, "more": more }),
    ))
}

fn shown(moment: &Moment) -> Value {
    let levels = moment.manifest.levels.iter().filter(|l| l.order.is_natural());
    let facts = levels.filter(|l| l.relation.table.shape != Shape::Expression);
    // Of levels that remove, each row may take one of the others away.
    let (mut most, mut bytes) = (0u64, 0u64);
    for level in facts {
        if !level.removes {
            most = most.saturating_add(level.run.rows());
        }
        bytes = bytes.saturating_add(level.run.bytes());
    }
    json!({ "snapshot": moment.sequence.0, "facts_max": most, "bytes": bytes })
}
