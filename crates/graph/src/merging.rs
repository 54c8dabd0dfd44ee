//! Merging levels of a graph's facts: which, into what, and putting the result in the place of what it was made of.
//!
//! Merging takes long and changes no fact, so it is done beside other commits: what is merged is read as of one moment, and the result
//! is put into whatever the manifest is by then, if what it was made of is still there.
//!
//! Invariants
//! - MG-1: only levels that follow each other are merged, and the result stands where they stood, so that what was removed later
//!   stays removed;
//! - MG-2: removals are dropped only where no older level is left that they could concern, and with them orders that they could concern.
//!
//! Deliberately absent: commits, threads.

use std::collections::HashSet;

use craton_base::Result;

use crate::{
    Bounds, Order, Relation, Table,
    blobs::{GraphBlobs, RunId},
    levels,
    manifest::{FactsManifest, Level},
    merge::{Input, union},
    run::{Run, Writer},
};

/// What each input of a merge reads at once, in bytes.
const READ_AHEAD: u64 = 128 << 10;
/// Memory that an input of a merge takes: its read-ahead, sealed and open, and a block.
pub(crate) const INPUT_BYTES: u64 = 512 << 10;
/// Up to so many levels of a table merging waits while loads or programs run: it would take from them what it saves readers.
pub(crate) const LEVELS_CALM: usize = 24;
/// With more levels of a table than this a commit merges before it returns.
pub(crate) const LEVELS_MAX: usize = 48;

/// Levels of a table that are to be merged.
pub(crate) struct Plan {
    table: Table,
    levels: Vec<Level>,
    /// Whether there is no older one.
    is_oldest: bool,
}

/// What is due: the newest levels of some table, at most `inputs` of them.
pub(crate) fn due(manifest: &FactsManifest, inputs: usize) -> Option<Plan> {
    tables(manifest).into_iter().find_map(|table| {
        let rows: Vec<u64> = natural(manifest, table).map(|l| l.run.rows()).collect();
        let start = levels::tail(&rows, levels::TAIL_OF_FACTS)?;
        let start = start.max(rows.len().saturating_sub(inputs.max(2)));
        Plan::new(manifest, table, start)
    })
}

/// The most levels that a table has.
pub(crate) fn deepest(manifest: &FactsManifest) -> usize {
    let all = tables(manifest).into_iter();
    all.map(|table| natural(manifest, table).count())
        .max()
        .unwrap_or_default()
}

/// Everything of a table into one level, if it is not that already.
pub(crate) fn whole(manifest: &FactsManifest, table: Table) -> Option<Plan> {
    Plan::new(manifest, table, 0)
}

/// The tables of a manifest.
pub(crate) fn tables(manifest: &FactsManifest) -> Vec<Table> {
    let mut out: Vec<Table> = manifest.levels.iter().map(|l| l.relation.table).collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// The levels of a table in its natural order, the oldest first.
fn natural(manifest: &FactsManifest, table: Table) -> impl Iterator<Item = &Level> {
    let whole = Relation::whole(table);
    manifest
        .levels
        .iter()
        .filter(move |l| l.relation == whole && l.order.is_natural())
}

/// What tells a level from every other: the blobs of its run.
fn identity(level: &Level) -> Vec<Option<RunId>> {
    let segments = level.run.segments().iter();
    segments.map(|s| s.blob().reference().map(|r| r.id)).collect()
}

impl Plan {
    fn new(manifest: &FactsManifest, table: Table, start: usize) -> Option<Self> {
        let levels: Vec<Level> = natural(manifest, table).skip(start).cloned().collect();
        let is_oldest = start == 0;
        let useful = levels.len() > 1 || (is_oldest && levels.first().is_some_and(|l| l.removes));
        useful.then_some(Self {
            table,
            levels,
            is_oldest,
        })
    }

    /// Merges them: at most one level of removals and one of additions. Blocks, for long.
    pub(crate) fn merge(&self, storage: &GraphBlobs) -> Result<Vec<Level>> {
        let newest = self.levels.last().map_or(0, |l| l.generation);
        let mut merged = Vec::new();
        for removes in [true, false].into_iter().skip(usize::from(self.is_oldest)) {
            let run = self.side(removes, storage)?;
            if run.rows() > 0 {
                merged.push(Level {
                    relation: Relation::whole(self.table),
                    order: Order::natural(self.table.width()),
                    // The additions are in no older generation than the removals.
                    generation: if removes { newest.saturating_sub(1) } else { newest },
                    removes,
                    run,
                });
            }
        }
        Ok(merged)
    }

    /// The tuples whose newest mention adds them, or removes them.
    fn side(&self, removed: bool, storage: &GraphBlobs) -> Result<Run> {
        let inputs = self.levels.iter().rev().map(|l| Input {
            tuples: Box::new(l.run.scan(&Bounds::all()).with_read_ahead(READ_AHEAD)),
            removes: l.removes != removed,
        });
        let width = self.table.width();
        let mut merged = union(width, inputs.collect());
        let mut writer = Writer::new(storage, width);
        writer.push_all(&mut *merged)?;
        writer.finish()
    }

    /// The manifest with `merged` in the place of what it was made of; `None` if that is not there any more.
    pub(crate) fn put(&self, manifest: &FactsManifest, merged: &[Level]) -> Option<FactsManifest> {
        let now: Vec<_> = natural(manifest, self.table).map(identity).collect();
        let mine: Vec<_> = self.levels.iter().map(identity).collect();
        let at = now
            .windows(mine.len().max(1))
            .position(|w| w == mine.as_slice())?;
        if self.is_oldest && at > 0 {
            return None;
        }
        let (from, to) = (self.levels.first()?.generation, self.levels.last()?.generation);
        let gone: HashSet<Vec<Option<RunId>>> = mine.into_iter().collect();
        let mut levels = Vec::with_capacity(manifest.levels.len());
        let mut is_put = false;
        for level in &manifest.levels {
            let its = level.relation.table == self.table;
            if its
                && level.order.is_natural()
                && level.relation.head.is_none()
                && gone.contains(&identity(level))
            {
                if !std::mem::replace(&mut is_put, true) {
                    levels.extend_from_slice(merged);
                }
                continue;
            }
            // What the levels came to is right over an order that was made between two of them, as long as it says what was removed.
            let is_stale = its
                && self.is_oldest
                && !level.order.is_natural()
                && level.generation >= from
                && level.generation < to;
            if !is_stale {
                levels.push(level.clone());
            }
        }
        Some(FactsManifest {
            levels,
            ..manifest.clone()
        })
    }
}
