//! Other orders of a snapshot's relations, as levels that a manifest can keep.
//!
//! Deliberately absent: who needs which.

use craton_base::Result;

use super::{Snapshot, inputs::inputs};
use crate::{
    Bounds, Order, Relation,
    manifest::Level,
    merge::union,
    run::{Run, Writer},
};

/// A kept order is written again once so many tuples are newer than it …
const LAG_MIN: u64 = 50_000;
/// … and are at least this part of it.
const LAG_PART: u64 = 50;

impl Snapshot {
    /// A relation in an order as one level, if the manifest does not keep it, or so much has changed since that it is to be written again.
    ///
    /// # Errors
    /// The storage's own.
    pub(crate) fn missing_order(&self, relation: &Relation, order: &Order) -> Result<Option<Level>> {
        let kept = self
            .kept(relation, order)
            .map(|level| (level.generation, level.run.rows()));
        let kept = kept.max_by_key(|(generation, _)| *generation);
        let newer = |covered: u64| {
            let newer = self.levels(relation.table).filter(|l| l.generation > covered);
            newer.map(|l| l.run.rows()).fold(0, u64::saturating_add)
        };
        if let Some((covered, rows)) = kept
            && newer(covered) <= LAG_MIN.max(rows / LAG_PART)
        {
            return Ok(None);
        }
        let Some(generation) = self.levels(relation.table).map(|l| l.generation).max() else {
            return Ok(None);
        };
        let levels = self.levels_in(relation, order)?;
        let mut merged = union(
            relation.width(),
            inputs(levels.iter(), &Bounds::all(), &|run: &Run, bounds: &Bounds| {
                run.scan(bounds)
            }),
        );
        let mut writer = Writer::new(&self.blobs, relation.width());
        writer.push_all(&mut *merged)?;
        Ok(Some(Level {
            relation: *relation,
            order: order.clone(),
            generation,
            removes: false,
            run: writer.finish()?,
        }))
    }

    /// Lets it have a level in another order, in place of the one that it has.
    pub(crate) fn take_order(&mut self, level: Level) {
        crate::writer::put_order(&mut self.facts, level);
        self.sorted.lock().clear();
    }
}
