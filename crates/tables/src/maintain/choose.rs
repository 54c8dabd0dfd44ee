//! Which snapshots expire.
//!
//! ```text
//! a branch   its newest `keep` snapshots stay, and of the earlier ones those that are young enough
//! a tag      its snapshot stays
//! the rest   stays while it is young enough
//! ```
//! A branch or a tag whose snapshot is older than it may become goes before that; `main` never does.
//!
//! Source: Apache Iceberg, table specification, "Snapshot Retention Policy"; `RemoveSnapshots` of its Java library for snapshots that no
//! branch and no tag leads to.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::read::{Snapshot, State};
use crate::metadata::number;

/// How old a snapshot becomes unless it is said otherwise, in milliseconds: five days.
const AGE_MS: i64 = 5 * 24 * 60 * 60 * 1000;

/// What stays, where it is not as the table's properties say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// Snapshots that are younger, in milliseconds; else `history.expire.max-snapshot-age-ms`, else five days.
    pub age_ms: Option<i64>,
    /// So many of each branch; else `history.expire.min-snapshots-to-keep`, else one.
    pub count: Option<usize>,
}

/// What goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expired {
    pub(super) snapshots: Vec<i64>,
    pub(super) refs: Vec<String>,
}

impl Expired {
    pub(super) fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.refs.is_empty()
    }
}

/// What a property says, if it is a number.
fn said(state: &State, name: &str) -> Option<i64> {
    state.properties.get(name)?.as_str()?.parse().ok()
}

/// What of a table expires at a time.
pub(super) fn expired(state: &State, keep: &Keep, now_ms: i64) -> Expired {
    let age_ms = keep
        .age_ms
        .or_else(|| said(state, "history.expire.max-snapshot-age-ms"));
    let age_ms = age_ms.unwrap_or(AGE_MS).max(0);
    let said_count =
        || said(state, "history.expire.min-snapshots-to-keep").and_then(|n| usize::try_from(n).ok());
    let count = keep.count.or_else(said_count).unwrap_or(1).max(1);
    let ref_age_ms = said(state, "history.expire.max-ref-age-ms").unwrap_or(i64::MAX);
    let by_id: HashMap<i64, &Snapshot> = state.snapshots.iter().map(|s| (s.id, s)).collect();
    let mut out = Expired::default();
    let (mut kept, mut reached) = (HashSet::new(), HashSet::new());
    for (name, of) in &state.refs {
        let Some(head) = number(of, "snapshot-id").and_then(|id| by_id.get(&id)) else {
            continue;
        };
        let most = number(of, "max-ref-age-ms").unwrap_or(ref_age_ms);
        if name != "main" && now_ms.saturating_sub(head.made_ms) > most {
            out.refs.push(name.clone());
            continue;
        }
        kept.insert(head.id);
        reached.insert(head.id);
        if of.get("type").and_then(Value::as_str) == Some("tag") {
            continue;
        }
        // What was said for this run counts before what the branch says.
        let own_age = keep
            .age_ms
            .or_else(|| number(of, "max-snapshot-age-ms"))
            .unwrap_or(age_ms);
        let own_count = number(of, "min-snapshots-to-keep").and_then(|n| usize::try_from(n).ok());
        let own_count = keep.count.or(own_count).unwrap_or(count).max(1);
        let (mut at, mut seen, mut is_kept) = (Some(*head), HashSet::new(), true);
        while let Some(snapshot) = at.filter(|s| seen.insert(s.id)) {
            is_kept =
                is_kept && (seen.len() <= own_count || snapshot.made_ms >= now_ms.saturating_sub(own_age));
            if is_kept {
                kept.insert(snapshot.id);
            }
            reached.insert(snapshot.id);
            at = snapshot.parent.and_then(|id| by_id.get(&id)).copied();
        }
    }
    let is_young = |s: &Snapshot| !reached.contains(&s.id) && s.made_ms >= now_ms.saturating_sub(age_ms);
    let goes = state
        .snapshots
        .iter()
        .filter(|s| !kept.contains(&s.id) && !is_young(s));
    out.snapshots = goes.map(|s| s.id).collect();
    out
}

#[cfg(test)]
mod tests;
