//! What a statement knows: who asks, and how it reaches what it names.

use std::sync::Arc;

use craton_gate::{Gate, Session};
use craton_tables::Tables;
use datafusion::execution::memory_pool::MemoryPool;

use crate::files::Files;

/// Shared by all parts of one statement.
pub(crate) struct Context {
    pub(crate) gate: Gate,
    pub(crate) tables: Tables,
    pub(crate) session: Session,
    pub(crate) files: Files,
    pub(crate) pool: Arc<dyn MemoryPool>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}
