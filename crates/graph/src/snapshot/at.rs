//! A graph as it was: each commit's manifest stays until the store collects what was superseded (24 hours by default), and can be
//! read until its runs are merged into others; one that is pinned has a name, and can be read until that is taken from it.
//!
//! Deliberately absent: pinning ([`crate::writer`]).

use craton_base::{Error, Kind as ErrorKind, Result, Sequence};
use craton_gate::{Kind, Standing};

use super::Snapshot;
use crate::{Block, Bounds, Tuples as _, manifest::FactsManifest};

/// A commit of a graph.
#[derive(Clone)]
pub struct Moment {
    /// The commit.
    pub sequence: Sequence,
    /// What the graph was after it.
    pub manifest: FactsManifest,
}

/// Which snapshot is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Asked {
    /// The newest.
    #[default]
    Newest,
    /// The one of a commit.
    Commit(Sequence),
    /// A pinned one.
    Pinned(String),
}

impl Snapshot {
    /// The snapshot that is asked for. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchSnapshot`; `Corrupt`; the store's own.
    pub fn asked(self, asked: &Asked) -> Result<Self> {
        match asked {
            Asked::Newest => Ok(self),
            Asked::Commit(sequence) => self.at(*sequence),
            Asked::Pinned(name) => self.pinned(name),
        }
    }

    fn pinned(mut self, name: &str) -> Result<Self> {
        let Some(pin) = self.facts.pins.iter().find(|pin| pin.name == name).cloned() else {
            let message = format!("the graph {} has no snapshot {name:?}", self.graph());
            return Err(Error::new(ErrorKind::NotFound, "NoSuchSnapshot", message));
        };
        self.facts.levels = pin.levels;
        self.versions.facts = Some(pin.sequence);
        self.sorted.lock().clear();
        Ok(self)
    }

    /// The graph as it was after the commit `sequence`. Blocks.
    ///
    /// # Errors
    /// `NotFound`, `NoSuchSnapshot` if that commit did not change the graph or is not kept any more; `Corrupt`; the store's own.
    pub fn at(mut self, sequence: Sequence) -> Result<Self> {
        let name = self.graph().as_str().as_bytes();
        let found = self.blobs.handle().version(Kind::Graph, name, sequence)?;
        let gone = || {
            let message = format!(
                "the graph {} has no snapshot {} any more",
                self.graph(),
                sequence.0
            );
            Error::new(ErrorKind::NotFound, "NoSuchSnapshot", message)
        };
        let found = found
            .filter(|v| v.standing == Standing::Exists)
            .ok_or_else(gone)?;
        let bytes = self.blobs.handle().whole(&found.stored)?;
        let facts = FactsManifest::decode(&bytes, &self.blobs)?;
        if !is_there(&facts) {
            return Err(gone());
        }
        self.facts = facts;
        self.versions.facts = Some(sequence);
        self.sorted.lock().clear();
        Ok(self)
    }

    /// Commits of the graph before `before`, or the newest, newest first; at most `limit`. Blocks.
    ///
    /// # Errors
    /// `Corrupt`; the store's own.
    pub fn history(&self, before: Option<Sequence>, limit: usize) -> Result<Vec<Moment>> {
        let name = self.graph().as_str().as_bytes();
        let handle = self.blobs.handle();
        let mut next = match before {
            None => handle.newest(Kind::Graph, name)?,
            Some(sequence) => handle.before(Kind::Graph, name, sequence)?,
        };
        let mut out = Vec::new();
        while let Some(version) = next {
            let sequence = version.stored.sequence;
            if version.standing == Standing::Exists {
                let bytes = handle.whole(&version.stored)?;
                let manifest = FactsManifest::decode(&bytes, &self.blobs)?;
                if !is_there(&manifest) {
                    // What is older was made of older runs.
                    break;
                }
                out.push(Moment { sequence, manifest });
            }
            if out.len() >= limit {
                break;
            }
            next = handle.before(Kind::Graph, name, sequence)?;
        }
        Ok(out)
    }
}

/// Whether the runs of a manifest were not merged away: the beginning of each can be read.
fn is_there(manifest: &FactsManifest) -> bool {
    manifest.levels.iter().all(|level| {
        let mut block = Block::new(level.run.width());
        level.run.scan(&Bounds::all()).next(&mut block).is_ok()
    })
}
