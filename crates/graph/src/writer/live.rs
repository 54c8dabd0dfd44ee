//! Commits to graphs with live programs: what they derive is held, and what follows is committed with what is changed.
//!
//! Deliberately absent: what follows ([`crate::stored::live`]).

use craton_base::{Error, Kind as ErrorKind, Result};
use craton_gate::Committed;

use super::{Delta, GraphWriter, TRIES, apply};
use crate::{
    manifest::{FactsManifest, Level, Live},
    snapshot::{Snapshot, read_facts},
    stored::live::{Following, derived, follow, part_of},
};

impl GraphWriter {
    /// All of the graph as it is now, for the engine itself. Blocks.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub(crate) fn whole(&self) -> Result<Snapshot> {
        Snapshot::whole(self.pinned(), self.graphs.caches())
    }

    /// Holds with `hold`, and with that alone what live programs derive; again if others were added meanwhile. Blocks.
    pub(super) fn hold_and_derived(&self, hold: impl Fn() -> Result<()>) -> Result<()> {
        let programs = || Ok::<_, Error>(read_facts(&self.pinned())?.0.live);
        let mut known: Vec<Live> = programs()?;
        for _ in 0..TRIES {
            let following = derived(&known, |prefix| part_of(self.permit.resource(), prefix))?;
            self.permit.brings_about(following)?;
            hold()?;
            let now = programs()?;
            if now == known {
                return Ok(());
            }
            self.permit.give_back();
            known = now;
        }
        let message = "the graph's live programs change too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// What follows from changes, if the graph has live programs.
    pub(super) fn following(&self, deltas: &[Delta], memory: u64) -> Result<Following> {
        match read_facts(&self.pinned())?.0.live.is_empty() {
            true => Ok(Following::default()),
            false => follow(self, deltas, memory),
        }
    }

    /// Puts other live programs in the place of those that there are, with the facts that this changes, which are held. Blocks.
    ///
    /// # Errors
    /// As [`GraphWriter::commit`].
    pub(crate) fn commit_live(&self, delta: &Delta, live: &[Live]) -> Result<Committed> {
        self.flush(delta.adds.iter().chain(&delta.removes).map(|(_, run)| run))?;
        let committed = self.amend(|old, _| {
            Ok(FactsManifest {
                live: live.to_vec(),
                ..apply(old, delta)
            })
        });
        self.permit.give_back();
        committed
    }
}

/// Puts a level in another order in the place of the one that a manifest has.
pub(crate) fn put_order(manifest: &mut FactsManifest, level: Level) {
    let is_its =
        |l: &Level| !l.order.is_natural() && (l.relation, &l.order) == (level.relation, &level.order);
    if manifest
        .levels
        .iter()
        .any(|l| is_its(l) && l.generation > level.generation)
    {
        return;
    }
    manifest.levels.retain(|l| !is_its(l));
    manifest.levels.push(level);
}
