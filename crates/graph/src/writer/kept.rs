//! Pins, and loads that can be interrupted: changes of a manifest that change no fact.
//!
//! Invariants
//! - GW-5: a pin is of a commit whose runs all are in the manifest that it is put into: what it names is there;
//! - GW-6: of several requests that load under one name only the last goes on; the others fail at their next step.
//!
//! Deliberately absent: what a load reads.

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::Committed;

use super::{
    GraphWriter, TRIES,
    replace::{references, references_of_facts},
};
use crate::{
    blobs::RunId,
    manifest::{FactsManifest, Level, Pin, Unfinished, check_name},
    snapshot::read_facts,
};

/// The most pins of a graph.
const PINS_MAX: usize = 100;
/// The most loads of a graph that are not at their end.
const UNFINISHED_MAX: usize = 16;

impl GraphWriter {
    /// Commits what `change` makes of the manifest; again over a newer one if another commit comes first. Blocks.
    pub(super) fn amend(
        &self,
        change: impl Fn(&FactsManifest, Option<Sequence>) -> Result<FactsManifest>,
    ) -> Result<Committed> {
        for _ in 0..TRIES {
            self.blobs.control().check()?;
            let (old, version) = read_facts(&self.blobs)?;
            let new = change(&old, version)?;
            match self.replace_kept(&old, version, &new, gives_up(&old, &new)) {
                Err(e) if e.kind() == ErrorKind::Precondition => {}
                other => return other,
            }
        }
        let message = "other commits to the graph came first too often; try again";
        Err(Error::new(ErrorKind::Busy, "GraphBusy", message))
    }

    /// Only who may change all of a graph changes what is kept of it.
    fn check_whole(&self) -> Result<()> {
        if self.path.prefix().is_empty() {
            return Ok(());
        }
        Err(Error::invalid("snapshots are of a whole graph, not of a prefix"))
    }

    /// Keeps a snapshot under a name, in place of what had it: the newest, or the one of a commit that was not merged since. Blocks.
    ///
    /// # Errors
    /// `Invalid`; `NotFound`, `NoSuchGraph`, `NoSuchSnapshot`; `TooLarge`, `TooManyPins`; `Busy`; the store's own.
    pub fn pin(&self, name: &str, of: Option<Sequence>) -> Result<Committed> {
        check_name(name)?;
        self.check_whole()?;
        self.amend(|old, version| {
            let (sequence, levels) = self.to_pin(old, version, of)?;
            let mut new = old.clone();
            new.pins.retain(|pin| pin.name != name);
            if new.pins.len() >= PINS_MAX {
                let message = format!("a graph has at most {PINS_MAX} pinned snapshots");
                return Err(Error::new(ErrorKind::TooLarge, "TooManyPins", message));
            }
            let name = name.to_owned();
            new.pins.push(Pin {
                name,
                sequence,
                levels,
            });
            Ok(new)
        })
    }

    /// What a pin keeps.
    fn to_pin(
        &self,
        old: &FactsManifest,
        version: Option<Sequence>,
        of: Option<Sequence>,
    ) -> Result<(Sequence, Vec<Level>)> {
        let newest = version.ok_or_else(|| {
            let message = format!("there is no graph {}", self.path.graph());
            Error::new(ErrorKind::NotFound, "NoSuchGraph", message)
        })?;
        if of.is_none_or(|of| of == newest) {
            return Ok((newest, old.levels.clone()));
        }
        let of = of.unwrap_or(newest);
        let found = self.snapshot()?.at(of)?;
        let there: Vec<RunId> = references_of_facts(old)?.iter().map(|r| r.id).collect();
        let levels = &found.manifest().levels;
        let wanted = references(levels.iter().map(|level| &level.run), std::iter::empty())?;
        if wanted.iter().all(|run| there.contains(&run.id)) {
            return Ok((of, levels.clone()));
        }
        let message = format!("what the snapshot {} was made of is merged by now", of.0);
        Err(Error::new(ErrorKind::NotFound, "NoSuchSnapshot", message))
    }

    /// Keeps a snapshot no longer. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchSnapshot`; as [`GraphWriter::pin`].
    pub fn unpin(&self, name: &str) -> Result<Committed> {
        self.check_whole()?;
        self.amend(|old, _| {
            let mut new = old.clone();
            new.pins.retain(|pin| pin.name != name);
            if new.pins.len() == old.pins.len() {
                let message = format!("the graph {} has no snapshot {name:?}", self.path.graph());
                return Err(Error::new(ErrorKind::NotFound, "NoSuchSnapshot", message));
            }
            Ok(new)
        })
    }

    /// Takes a load over: what it has, which is nothing if there is none of this name. Blocks.
    ///
    /// # Errors
    /// `Invalid`, `LoadDiffers` if it is of another prefix or mode; `TooLarge`, `TooManyLoads`; the store's own.
    pub(crate) fn take_load(&self, mine: &Unfinished) -> Result<Unfinished> {
        check_name(&mine.name)?;
        self.amend(|old, _| {
            let mut taken = mine.clone();
            if let Some(known) = old.unfinished.iter().find(|load| load.name == mine.name) {
                if known.prefix != mine.prefix || known.mode != mine.mode {
                    let message = format!("the load {} is of another prefix or mode", mine.name);
                    return Err(Error::new(ErrorKind::Invalid, "LoadDiffers", message));
                }
                taken.facts = known.facts;
                taken.mark = known.mark;
                taken.facts_at_mark = known.facts_at_mark;
                taken.state.clone_from(&known.state);
                taken.levels.clone_from(&known.levels);
            } else if old.unfinished.len() >= UNFINISHED_MAX {
                let message = format!("a graph has at most {UNFINISHED_MAX} loads that are not at their end");
                return Err(Error::new(ErrorKind::TooLarge, "TooManyLoads", message));
            }
            Ok(with_load(old, taken))
        })?;
        self.load_held(mine)
    }

    /// Keeps what a load has by now; as it is read from there on. Blocks.
    ///
    /// # Errors
    /// `Busy`, `LoadTaken` if it is another's or was given up; the store's own.
    pub(crate) fn keep_load(&self, load: &Unfinished) -> Result<Unfinished> {
        self.amend(|old, _| {
            held(old, load)?;
            Ok(with_load(old, load.clone()))
        })?;
        self.load_held(load)
    }

    fn load_held(&self, load: &Unfinished) -> Result<Unfinished> {
        let (manifest, _) = read_facts(&self.blobs)?;
        held(&manifest, load).cloned()
    }

    /// Forgets a load and what it has. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchLoad`; the store's own.
    pub fn drop_load(&self, name: &str) -> Result<Committed> {
        self.amend(|old, _| {
            let mut new = old.clone();
            new.unfinished
                .retain(|load| load.name != name || !load.prefix.starts_with(self.path.prefix()));
            if new.unfinished.len() == old.unfinished.len() {
                let message = format!("the graph {} has no load {name:?}", self.path.graph());
                return Err(Error::new(ErrorKind::NotFound, "NoSuchLoad", message));
            }
            Ok(new)
        })
    }
}

/// Takes a load that is at its end out of the manifest.
pub(super) fn end_load(manifest: &mut FactsManifest, load: &Unfinished) -> Result<()> {
    held(manifest, load)?;
    manifest.unfinished.retain(|other| other.name != load.name);
    Ok(())
}

/// Whether a snapshot's name, or a load, is not kept any longer.
fn gives_up(old: &FactsManifest, new: &FactsManifest) -> bool {
    let is_kept = |pin: &Pin| {
        let same = |kept: &Pin| kept.name == pin.name && kept.sequence == pin.sequence;
        new.pins.iter().any(same)
    };
    let goes_on = |load: &Unfinished| new.unfinished.iter().any(|kept| kept.name == load.name);
    !old.pins.iter().all(is_kept) || !old.unfinished.iter().all(goes_on)
}

fn with_load(old: &FactsManifest, load: Unfinished) -> FactsManifest {
    let mut new = old.clone();
    new.unfinished.retain(|other| other.name != load.name);
    new.unfinished.push(load);
    new
}

/// The load in the manifest, if it is still this one's.
fn held<'a>(manifest: &'a FactsManifest, load: &Unfinished) -> Result<&'a Unfinished> {
    let found = manifest.unfinished.iter().find(|other| other.name == load.name);
    found.filter(|found| found.holder == load.holder).ok_or_else(|| {
        let message = format!(
            "another request goes on with the load {}, or it was given up",
            load.name
        );
        Error::new(ErrorKind::Busy, "LoadTaken", message)
    })
}
