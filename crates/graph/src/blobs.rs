//! Runs as sealed blobs behind a permit: the [`Storage`] of the product.
//!
//! Invariants: a blob's entry is named by the graph and a random id; what no commit names is gone when its last holder
//! lets go; a reader opens its blob for each read, so that open files stay few however many runs there are.
//!
//! Deliberately absent: what is in a run, commits.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use craton_base::{Error, GraphName, Kind as ErrorKind, Random, Result, random};
use craton_gate::{BlobWriter, Extent, Handle, Kind};
use parking_lot::Mutex;

use crate::{
    Control,
    storage::{BlobRead, BlobWrite, Reference, Storage},
};

/// A run's id.
pub type RunId = [u8; 16];

/// The blobs of one graph, through one permit.
#[derive(Clone)]
pub struct GraphBlobs {
    shared: Arc<Shared>,
}

struct Shared {
    handle: Handle,
    graph: GraphName,
    random: Arc<dyn Random>,
    control: Control,
    /// Bytes of blobs that were written and are still held.
    scratch: Arc<AtomicU64>,
}

struct Write {
    shared: Arc<Shared>,
    writer: BlobWriter,
    id: RunId,
    held: Held,
}

/// Scratch bytes, given back when dropped.
struct Held {
    scratch: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.scratch.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A run's blob.
struct Read {
    shared: Arc<Shared>,
    id: RunId,
    len: u64,
    /// `None` until a blob of the manifest is first read.
    extent: Mutex<Option<Extent>>,
    /// Only of a blob that no commit named yet.
    held: Option<Held>,
}

impl GraphBlobs {
    /// Through `handle`, for work under `control`.
    #[must_use]
    pub fn new(handle: Handle, graph: GraphName, random: Arc<dyn Random>, control: Control) -> Self {
        Self {
            shared: Arc::new(Shared {
                handle,
                graph,
                random,
                control,
                scratch: Arc::default(),
            }),
        }
    }

    /// The permit.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.shared.handle
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &GraphName {
        &self.shared.graph
    }

    /// The work that it is part of.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.shared.control
    }

    /// Bytes of scratch blobs now.
    #[must_use]
    pub fn scratch_bytes(&self) -> u64 {
        self.shared.scratch.load(Ordering::Relaxed)
    }

    /// A run that a manifest names.
    #[must_use]
    pub fn open(&self, id: RunId, len: u64) -> Arc<dyn BlobRead> {
        Arc::new(Read {
            shared: Arc::clone(&self.shared),
            id,
            len,
            extent: Mutex::new(None),
            held: None,
        })
    }
}

/// The name of a run's entry.
#[must_use]
pub fn run_name(graph: &GraphName, id: &RunId) -> Vec<u8> {
    [graph.as_str().as_bytes(), b"\0", id].concat()
}

impl Storage for GraphBlobs {
    fn create(&self) -> Result<Box<dyn BlobWrite>> {
        self.shared.control.check()?;
        let id = random::bytes(&*self.shared.random)?;
        let name = run_name(&self.shared.graph, &id);
        Ok(Box::new(Write {
            writer: self.shared.handle.create(Kind::GraphRun, &name)?,
            shared: Arc::clone(&self.shared),
            id,
            held: Held {
                scratch: Arc::clone(&self.shared.scratch),
                bytes: 0,
            },
        }))
    }
}

impl BlobWrite for Write {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let added = bytes.len() as u64;
        self.held.bytes = self.held.bytes.saturating_add(added);
        let now = self
            .shared
            .scratch
            .fetch_add(added, Ordering::Relaxed)
            .saturating_add(added);
        let most = self.shared.control.limits().scratch_bytes;
        if now > most {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "ScratchLimit",
                format!("stopped at its limit: it needs more than {most} bytes of scratch space"),
            ));
        }
        self.shared.control.check()?;
        self.writer.write(bytes)
    }

    fn finish(self: Box<Self>) -> Result<Arc<dyn BlobRead>> {
        let extent = self.writer.finish()?;
        Ok(Arc::new(Read {
            shared: self.shared,
            id: self.id,
            len: extent.len,
            extent: Mutex::new(Some(extent)),
            held: Some(self.held),
        }))
    }
}

impl Read {
    fn extent(&self) -> Result<Extent> {
        if let Some(extent) = &*self.extent.lock() {
            return Ok(extent.clone());
        }
        let name = run_name(&self.shared.graph, &self.id);
        let stored = self.shared.handle.entry(Kind::GraphRun, &name)?;
        let extent = stored.and_then(|s| s.value.content.into_iter().next());
        let extent = extent.ok_or_else(|| {
            let id: String = self.id.iter().map(|b| format!("{b:02x}")).collect();
            Error::corrupt(format!("the graph {} lacks its run {id}", self.shared.graph))
        })?;
        Ok(self.extent.lock().insert(extent).clone())
    }
}

impl BlobRead for Read {
    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let len = range.end.saturating_sub(range.start);
        self.shared.control.read_bytes(len)?;
        let extent = self.extent()?;
        let name = run_name(&self.shared.graph, &self.id);
        self.shared
            .handle
            .open(Kind::GraphRun, &name, &extent)?
            .read(range)
    }

    fn reference(&self) -> Option<Reference> {
        let extent = self.extent.lock().clone();
        Some(Reference {
            id: self.id,
            extent: extent.filter(|_| self.held.is_some()),
        })
    }
}
