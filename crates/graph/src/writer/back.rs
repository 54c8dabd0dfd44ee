//! Having facts back: a manifest that names runs of before again.
//!
//! A run that no manifest named any more was deleted, and what it was is still there for the undo window. It is had back by taking the
//! deletion away: the run's own row stands again, with its blob, so that nothing is copied, and whoever reads an older snapshot finds it too.
//!
//! Invariant: GW-7: while runs are had back no history is collected, and the commit expects each of their rows: what it names is there.

use craton_base::{Error, Kind as ErrorKind, Result};
use craton_gate::{Changes, Committed, Kind, Standing};

use super::{GraphWriter, TRIES, replace::references_of_facts};
use crate::{blobs::run_name, manifest::FactsManifest, past::Step, snapshot::read_facts};

impl GraphWriter {
    /// Has the facts of a step back, if those that it was found over are still the newest. Blocks.
    ///
    /// # Errors
    /// `Precondition` if others changed facts meanwhile; `NotFound`, `NoSuchSnapshot` if what was is not there any more; `Busy`; the store's
    /// own.
    pub fn bring_back(&self, step: &Step) -> Result<Committed> {
        let all = [self.permit.resource().clone()];
        self.wait(self.permit.hold_to_write(&all, self.patience()))?;
        let done = self.bring_back_held(step);
        self.permit.give_back();
        done
    }

    fn bring_back_held(&self, step: &Step) -> Result<Committed> {
        for _ in 0..TRIES {
            self.blobs.control().check()?;
            let turn = self.turns.facts.lock();
            let (old, version) = read_facts(&self.blobs)?;
            if old.next_generation != step.newest {
                let text = "the graph's facts were changed meanwhile";
                return Err(Error::new(ErrorKind::Precondition, "Changed", text));
            }
            let held = self.permit.hold_past()?;
            let new = self.as_before(&old, step)?;
            let changes = self.revived(&old, &new, self.change(&old, version, &new)?)?;
            let committed = self.commit_changes(changes);
            drop(held);
            drop(turn);
            match committed {
                // A merge came first.
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                done => return done,
            }
        }
        let message = "other commits to the graph came first too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// The manifest with the facts of before and the live programs that they follow, and what is kept beside them as it is.
    fn as_before(&self, old: &FactsManifest, step: &Step) -> Result<FactsManifest> {
        let next_generation = old.next_generation;
        let mut new = FactsManifest {
            next_generation: next_generation.saturating_add(1),
            levels: Vec::new(),
            live: Vec::new(),
            brought_back: 0,
            ..old.clone()
        };
        let Some(back) = step.back else {
            return Ok(new);
        };
        let handle = self.blobs.handle();
        let found = handle.version(Kind::Graph, self.path.graph().as_str().as_bytes(), back)?;
        let found = found.filter(|version| version.standing == Standing::Exists);
        let found = found.ok_or_else(|| self.no_such(back.0))?;
        let then = FactsManifest::decode(&handle.whole(&found.stored)?, &self.blobs)?;
        new.next_generation = next_generation.max(then.next_generation).saturating_add(1);
        new.levels = then.levels;
        new.live = then.live;
        new.brought_back = back.0;
        Ok(new)
    }

    /// The changes, and the runs among those of the new manifest that no manifest named any more.
    fn revived(&self, old: &FactsManifest, new: &FactsManifest, mut changes: Changes) -> Result<Changes> {
        let (handle, graph) = (self.blobs.handle(), self.path.graph());
        let known = references_of_facts(old)?.into_iter().map(|r| r.id);
        let known: std::collections::BTreeSet<_> = known.collect();
        let wanted = references_of_facts(new)?.into_iter().map(|r| r.id);
        let wanted: std::collections::BTreeSet<_> = wanted.filter(|id| !known.contains(id)).collect();
        for id in wanted {
            let name = run_name(graph, &id);
            let deletion = handle.newest(Kind::GraphRun, &name)?;
            let deletion = deletion.ok_or_else(|| self.no_such(new.brought_back))?;
            if deletion.standing == Standing::Exists {
                changes = changes.expect_unamended(&deletion.stored);
                continue;
            }
            let before = handle.before(Kind::GraphRun, &name, deletion.stored.sequence)?;
            let before = before.filter(|version| version.standing == Standing::Exists);
            let before = before.ok_or_else(|| self.no_such(new.brought_back))?;
            changes = changes.expect_unamended(&before.stored).remove(deletion.stored);
        }
        Ok(changes)
    }

    fn no_such(&self, sequence: u64) -> Error {
        let text = format!(
            "the graph {} has no snapshot {sequence} any more",
            self.path.graph()
        );
        Error::new(ErrorKind::NotFound, "UndoWindowPassed", text)
    }
}
