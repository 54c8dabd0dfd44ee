//! What a statement knows: who asks, and how it reaches what it names.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use craton_gate::{Gate, ReadPermit, Session};
use craton_tables::Tables;
use datafusion::execution::{memory_pool::MemoryPool, runtime_env::RuntimeEnv};
use parking_lot::Mutex;

use crate::{STORE, files::Files, iceberg::positions::Scanned};

/// Shared by all parts of one statement.
pub(crate) struct Context {
    pub(crate) gate: Gate,
    pub(crate) tables: Tables,
    pub(crate) session: Session,
    /// The bucket of names that have none.
    pub(crate) bucket: Option<String>,
    pub(crate) files: Files,
    pub(crate) pool: Arc<dyn MemoryPool>,
    /// Where its files are found.
    pub(crate) environment: Arc<RuntimeEnv>,
    /// How many parts of a plan run beside each other.
    pub(crate) partitions: usize,
    /// What was decided about each scan, for `EXPLAIN`.
    pub(crate) decided: Mutex<Vec<String>>,
    /// How many scans have files of their own.
    pub(crate) scans: AtomicUsize,
    /// What the statement found of the table whose rows it changes.
    pub(crate) changed: Mutex<Option<Arc<Scanned>>>,
}

impl Context {
    /// Notes what was decided about a scan.
    pub(crate) fn note(&self, permit: &ReadPermit, what: &str) {
        let mut text = format!("{what}: allowed by {}", permit.statements().join(", "));
        let restrictions = permit.restrictions();
        let rows = restrictions
            .rows
            .iter()
            .map(|(policy, _)| format!("rows by {policy}"));
        let masks = restrictions.masks.iter();
        let masks = masks.map(|(policy, column, mask)| format!("{column} as {mask} by {policy}"));
        for restriction in rows.chain(masks) {
            text.push_str("; ");
            text.push_str(&restriction);
        }
        self.decided.lock().push(text);
    }

    /// The address of a scan's own files.
    pub(crate) fn next_address(&self) -> String {
        let scan = self.scans.fetch_add(1, Ordering::Relaxed);
        format!("{STORE}-{scan}")
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}
