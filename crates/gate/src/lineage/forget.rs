//! Forgetting: rows that are older than they are to be kept, and the name of a principal who is forgotten.
//!
//! A principal who is forgotten has another name from then on, which says nothing, and so have their runs: what others did with what they made stays
//! connected. Sessions, purposes and what was declared are gone.
//!
//! Invariants
//! - an edge's two rows go, or get their new names, in one commit;
//! - what came last is written before, and nothing is added between looking at a row and changing it;
//! - each commit is of a bounded number of rows; ended in the middle, the same again goes on.
//!
//! Deliberately absent: who may, when (the gate); records (the ledger).

use bytes::Bytes;
use craton_base::{Random, Result, Sequence, Timestamp, random};
use craton_store::namespace::{Change, Key};

use super::{
    follow::{Lineage, batch},
    rows::{self, EdgeKey, EdgeRow, Id, RunRow},
};

/// Rows that are looked at at once.
const AT_ONCE: usize = 1000;

/// What the names of forgotten principals begin with; no principal has a colon.
const FORGOTTEN: &str = "erased:";

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swept {
    /// Runs.
    pub(crate) runs: u64,
    /// Edges.
    pub(crate) edges: u64,
}

/// A run, and what stands for it in names.
struct Called {
    principal: String,
    run: String,
    id: Id,
}

impl Called {
    fn new(principal: String, run: String) -> Self {
        let id = rows::run_id(&principal, &run);
        Self { principal, run, id }
    }
}

impl Lineage {
    /// Removes edges that were not touched since, and runs that did nothing since.
    ///
    /// # Errors
    /// The engine's own; what was removed by then stays removed.
    pub(crate) fn sweep(&self, before: Timestamp) -> Result<Swept> {
        self.settle()?;
        let mut swept = Swept::default();
        let mut after: Option<Bytes> = None;
        loop {
            let runs = self.page(&rows::span(&[b"R"], after.as_deref()), AT_ONCE)?;
            for (key, entry) in &runs.entries {
                let row: RunRow = rows::decode(&entry.value)?;
                if Timestamp(row.begun_micros) < before {
                    self.sweep_run(key, before, &mut swept)?;
                }
            }
            match runs.entries.last().filter(|_| runs.more) {
                Some((key, _)) => after = Some(key.name.clone()),
                None => return Ok(swept),
            }
        }
    }

    fn sweep_run(&self, key: &Key, before: Timestamp, swept: &mut Swept) -> Result<()> {
        let (principal, run) = rows::run_name(&key.name)?;
        let id = rows::run_id(&principal, &run);
        let mut after: Option<Bytes> = None;
        loop {
            let _still = self.still()?;
            let page = self.page(&rows::span(&[b"E", &id], after.as_deref()), AT_ONCE)?;
            let mut changes = Vec::new();
            for (name, entry) in &page.entries {
                let row: EdgeRow = rows::decode(&entry.value)?;
                if Timestamp(row.last_micros) < before {
                    let edge = EdgeKey::read(&name.name)?;
                    changes.extend([edge.by_run(), edge.by_version()].map(Change::Delete));
                    changes.extend(self.forget_columns(&edge)?);
                    swept.edges = swept.edges.saturating_add(1);
                }
            }
            self.commit(changes)?;
            match page.entries.last().filter(|_| page.more) {
                Some((name, _)) => after = Some(name.name.clone()),
                None => break,
            }
        }
        let _still = self.still()?;
        let found = self.namespace.get(key, Sequence::MAX)?;
        let last = found
            .map(|entry| rows::decode::<RunRow>(&entry.value))
            .transpose()?;
        if last.is_some_and(|row| Timestamp(row.last_micros) < before) {
            self.forget_declared(&id)?;
            self.commit(vec![Change::Delete(key.clone())])?;
            swept.runs = swept.runs.saturating_add(1);
        }
        Ok(())
    }

    /// Gives the runs of a principal names that say nothing: how many.
    ///
    /// # Errors
    /// The engine's own; what was done by then stays done, and the same again goes on.
    pub(crate) fn erase(&self, principal: &str, random: &dyn Random) -> Result<u64> {
        self.settle()?;
        let pseudonym = format!("{FORGOTTEN}{}", hex::encode(random::bytes::<8>(random)?));
        let mut runs = 0_u64;
        loop {
            let prefix: [&[u8]; 3] = [b"R", principal.as_bytes(), &[0]];
            let page = self.page(&rows::span(&prefix, None), 1)?;
            let Some((key, _)) = page.entries.first() else {
                break;
            };
            let (_, run) = rows::run_name(&key.name)?;
            let from = Called::new(principal.to_owned(), run);
            let to = Called::new(pseudonym.clone(), format!("run-{runs}"));
            self.rename(&from, &to)?;
            runs = runs.saturating_add(1);
        }
        self.erase_from_chains(principal, &pseudonym)?;
        Ok(runs)
    }

    fn rename(&self, from: &Called, to: &Called) -> Result<()> {
        loop {
            let _still = self.still()?;
            let page = self.page(&rows::span(&[b"E", &from.id], None), AT_ONCE)?;
            let mut changes = Vec::new();
            for (name, entry) in &page.entries {
                let old = EdgeKey::read(&name.name)?;
                let new = EdgeKey { run: to.id, ..old };
                let mut row: EdgeRow = rows::decode(&entry.value)?;
                to.principal.clone_into(&mut row.principal);
                to.run.clone_into(&mut row.run);
                changes.extend([old.by_run(), old.by_version()].map(Change::Delete));
                changes.push(Change::Put(new.by_run(), rows::encode(&row)));
                changes.push(Change::Put(new.by_version(), Bytes::new()));
            }
            self.commit(changes)?;
            if page.more {
                continue;
            }
            self.forget_declared(&from.id)?;
            let key = rows::run_key(&from.principal, &from.run);
            let mut changes = vec![Change::Delete(key.clone())];
            if let Some(found) = self.namespace.get(&key, Sequence::MAX)? {
                let row = RunRow {
                    session: String::new(),
                    purpose: String::new(),
                    chain: Vec::new(),
                    ..rows::decode(&found.value)?
                };
                let key = rows::run_key(&to.principal, &to.run);
                changes.push(Change::Put(key, rows::encode(&row)));
            }
            return self.commit(changes);
        }
    }

    /// Whoever acted for the principal acted for somebody without a name.
    fn erase_from_chains(&self, principal: &str, pseudonym: &str) -> Result<()> {
        let mut after: Option<Bytes> = None;
        loop {
            let _still = self.still()?;
            let page = self.page(&rows::span(&[b"R"], after.as_deref()), AT_ONCE)?;
            let mut changes = Vec::new();
            for (key, entry) in &page.entries {
                let mut row: RunRow = rows::decode(&entry.value)?;
                let mut is_named = false;
                for name in row.chain.iter_mut().filter(|name| *name == principal) {
                    pseudonym.clone_into(name);
                    is_named = true;
                }
                if is_named {
                    changes.push(Change::Put(key.clone(), rows::encode(&row)));
                }
            }
            self.commit(changes)?;
            match page.entries.last().filter(|_| page.more) {
                Some((key, _)) => after = Some(key.name.clone()),
                None => return Ok(()),
            }
        }
    }

    /// Removes what was declared of a run, and that somebody is to be told of it.
    fn forget_declared(&self, id: &Id) -> Result<()> {
        loop {
            let page = self.page(&rows::span(&[b"D", id], None), AT_ONCE)?;
            let mut changes: Vec<Change> = page
                .entries
                .into_iter()
                .map(|(key, _)| Change::Delete(key))
                .collect();
            if !page.more {
                changes.extend([b"O", b"S", b"T"].map(|form| Change::Delete(rows::key(&[form, id]))));
            }
            self.commit(changes)?;
            if !page.more {
                return Ok(());
            }
        }
    }

    fn commit(&self, changes: Vec<Change>) -> Result<()> {
        match changes.is_empty() {
            true => Ok(()),
            false => self.committer.commit_blocking(batch(changes)).map(drop),
        }
    }
}

#[cfg(test)]
mod tests;
