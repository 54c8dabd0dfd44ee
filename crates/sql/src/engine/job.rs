//! Work of the system's own, done as a statement is.

use std::sync::Arc;

use craton_base::{Error, Result};
use craton_gate::Session;
use craton_tables::Tables;
use datafusion::execution::SessionState;
use tokio_util::task::AbortOnDropHandle;

use super::{Engine, Statement};
use crate::{context::Context, error::broken};

impl Engine {
    /// Does work of the system's own as a statement is done: on the threads of SQL, with memory and files of its own.
    ///
    /// # Errors
    /// What the work fails with.
    pub(crate) async fn job<F>(
        &self,
        session: &Session,
        work: impl FnOnce(SessionState, Arc<Context>) -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let (state, context) = self.state(session, &Statement::default())?;
        let runtime = self.inner.runtime.as_ref();
        let runtime = runtime.ok_or_else(|| Error::internal("SQL has ended"))?;
        let done = AbortOnDropHandle::new(runtime.spawn(work(state, context))).await;
        done.unwrap_or_else(|e| Err(broken(&e)))
    }

    /// The tables that it knows.
    pub(crate) fn tables(&self) -> &Tables {
        &self.inner.tables
    }
}
