//! Snapshots, and the branches and tags that name them.
//!
//! Invariant: `current-snapshot-id` is what the branch `main` names.

use craton_base::Result;
use serde_json::{Value, json};

use super::{Change, integer, integers, part, text};
use crate::{
    error::{bad, commit_failed},
    metadata::number,
};

/// The branch that a table is read at.
const MAIN: &str = "main";

impl Change {
    pub(super) fn add_snapshot(&mut self, update: &Value) -> Result<()> {
        let snapshot = part(update, "snapshot")?;
        let id = integer(snapshot, "snapshot-id")?;
        if self.metadata.item("snapshots", "snapshot-id", id).is_some() {
            return Err(bad(format!("there is a snapshot {id} already")));
        }
        let made_ms = integer(snapshot, "timestamp-ms")?;
        if self.metadata.version() >= 2 {
            text(snapshot, "manifest-list")?;
            let sequence = integer(snapshot, "sequence-number")?;
            let last = self.metadata.number("last-sequence-number").unwrap_or(0);
            if sequence <= last && number(snapshot, "parent-snapshot-id").is_some() {
                // Another branch was committed to since: the client is to begin from there.
                return Err(commit_failed(format!(
                    "Cannot add snapshot with sequence number {sequence} older than last sequence number {last}"
                )));
            }
            self.metadata.set("last-sequence-number", last.max(sequence));
        }
        if self.metadata.version() >= 3 {
            self.add_rows(snapshot)?;
        }
        let updated = self.metadata.number("last-updated-ms").unwrap_or(0);
        self.metadata.set("last-updated-ms", updated.max(made_ms));
        self.metadata.push("snapshots", snapshot.clone());
        self.added.push(id);
        Ok(())
    }

    /// Version 3: rows are numbered over all snapshots.
    fn add_rows(&mut self, snapshot: &Value) -> Result<()> {
        let first = integer(snapshot, "first-row-id")?;
        let rows = integer(snapshot, "added-rows")?;
        let next = self.metadata.number("next-row-id").unwrap_or(0);
        if first < next {
            return Err(commit_failed(format!(
                "Cannot add a snapshot with first-row-id {first} behind next-row-id {next}"
            )));
        }
        if rows < 0 {
            return Err(bad("added-rows is negative"));
        }
        self.metadata.set("next-row-id", next.saturating_add(rows));
        Ok(())
    }

    pub(super) fn set_ref(&mut self, update: &Value) -> Result<()> {
        let name = text(update, "ref-name")?;
        let id = integer(update, "snapshot-id")?;
        let kind = text(update, "type")?;
        if !matches!(kind, "branch" | "tag") || (name == MAIN && kind != "branch") {
            return Err(bad("a reference is a branch or a tag, and main is a branch"));
        }
        let snapshot = self.metadata.item("snapshots", "snapshot-id", id);
        let snapshot = snapshot.ok_or_else(|| bad(format!("there is no snapshot {id}")))?;
        let made_ms = number(snapshot, "timestamp-ms").filter(|_| self.added.contains(&id));
        let mut reference = update.clone();
        if let Value::Object(map) = &mut reference {
            map.shift_remove("action");
            map.shift_remove("ref-name");
            map.retain(|_, value| !value.is_null());
        }
        let name = name.to_owned();
        let is_main = name == MAIN;
        self.metadata
            .change_map("refs", |refs| drop(refs.insert(name, reference)));
        if is_main && self.metadata.number("current-snapshot-id") != Some(id) {
            self.metadata.set("current-snapshot-id", id);
            let at = made_ms.unwrap_or(self.now_ms);
            self.metadata
                .push("snapshot-log", json!({ "timestamp-ms": at, "snapshot-id": id }));
        }
        Ok(())
    }

    pub(super) fn remove_ref(&mut self, update: &Value) -> Result<()> {
        let name = text(update, "ref-name")?;
        self.metadata
            .change_map("refs", |refs| drop(refs.shift_remove(name)));
        if name == MAIN {
            self.no_current();
        }
        Ok(())
    }

    /// Nothing is current: what was before says nothing any more.
    fn no_current(&mut self) {
        self.metadata.unset("current-snapshot-id");
        self.metadata.set("snapshot-log", json!([]));
    }

    pub(super) fn remove_snapshots(&mut self, update: &Value) -> Result<()> {
        let ids = integers(update, "snapshot-ids")?;
        let goes = |item: &Value| number(item, "snapshot-id").is_some_and(|id| ids.contains(&id));
        for list in ["snapshots", "statistics", "partition-statistics"] {
            if !self.metadata.list(list).is_empty() {
                self.metadata
                    .change_list(list, |items| items.retain(|item| !goes(item)));
            }
        }
        self.metadata.change_list("snapshot-log", |log| {
            // What is before a gap is no history.
            let after = log.iter().rposition(goes).map_or(0, |at| at.saturating_add(1));
            log.drain(..after);
        });
        let had_main = self
            .metadata
            .get("refs")
            .is_some_and(|refs| refs.get(MAIN).is_some());
        self.metadata
            .change_map("refs", |refs| refs.retain(|_, reference| !goes(reference)));
        let has_main = self
            .metadata
            .get("refs")
            .is_some_and(|refs| refs.get(MAIN).is_some());
        if had_main && !has_main {
            self.no_current();
        }
        Ok(())
    }
}
