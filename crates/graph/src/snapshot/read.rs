//! Reading the manifests of a graph through a permit; a snapshot that goes on with changes that are not committed.
//!
//! Deliberately absent: what is in them.

use bytes::Bytes;
use craton_base::{Error, FactPath, ResourcePath, Result, Sequence};
use craton_gate::{Handle, Kind};

use super::Snapshot;
use crate::{
    blobs::GraphBlobs,
    manifest::{FactsManifest, NamesManifest},
    writer::{Delta, GraphWriter, apply},
};

/// The graph path that a permit is for.
pub(super) fn fact_path(handle: &Handle) -> Result<FactPath> {
    match handle.resource() {
        ResourcePath::Facts(_, path) => Ok(path.clone()),
        other => Err(Error::internal(format!(
            "a permit for {other} is none for a graph"
        ))),
    }
}

/// The manifest of facts as a permit sees it.
///
/// # Errors
/// `Corrupt`; the store's own.
pub fn read_facts(blobs: &GraphBlobs) -> Result<(FactsManifest, Option<Sequence>)> {
    match read(blobs, Kind::Graph)? {
        Some((bytes, sequence)) => Ok((FactsManifest::decode(&bytes, blobs)?, Some(sequence))),
        None => Ok(Default::default()),
    }
}

/// The manifest of names as a permit sees it.
///
/// # Errors
/// `Corrupt`; the store's own.
pub fn read_names(blobs: &GraphBlobs) -> Result<(NamesManifest, Option<Sequence>)> {
    match read(blobs, Kind::GraphNames)? {
        Some((bytes, sequence)) => Ok((NamesManifest::decode(&bytes, blobs)?, Some(sequence))),
        None => Ok(Default::default()),
    }
}

fn read(blobs: &GraphBlobs, kind: Kind) -> Result<Option<(Bytes, Sequence)>> {
    let handle = blobs.handle();
    let Some(stored) = handle.entry(kind, blobs.graph().as_str().as_bytes())? else {
        return Ok(None);
    };
    Ok(Some((handle.whole(&stored)?, stored.sequence)))
}

impl Snapshot {
    /// Lets it show changes that are written and not committed, and the names that they use.
    ///
    /// # Errors
    /// The store's own.
    pub fn advance(&mut self, delta: &Delta, writer: &GraphWriter) -> Result<()> {
        let start = self.facts.clone();
        self.rebase(&start, std::slice::from_ref(delta), writer)
    }

    /// Lets it show such changes, one after the other, over facts that it showed before, in place of what it shows now.
    ///
    /// # Errors
    /// As [`Snapshot::advance`].
    pub(crate) fn rebase(
        &mut self,
        start: &FactsManifest,
        deltas: &[Delta],
        writer: &GraphWriter,
    ) -> Result<()> {
        self.refresh(writer)?;
        self.facts = deltas
            .iter()
            .fold(start.clone(), |facts, delta| apply(&facts, delta));
        self.sorted.lock().clear();
        Ok(())
    }
}
