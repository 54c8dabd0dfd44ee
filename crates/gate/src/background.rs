//! What the gate does while nobody asks: the ledger's threads, and collecting what is no longer needed.
//! It ends with [`Gate::close`].
//!
//! Deliberately absent: lifecycle rules and other work that a user defines.

use std::{sync::Arc, time::Duration};

use craton_base::{Kind as ErrorKind, Result};
use craton_store::Collected;

use crate::{
    gate::{Gate, Inner},
    guards, shield,
};

/// How often superseded versions, garbage and orphans are collected.
const COLLECT_EVERY: Duration = Duration::from_mins(10);

/// How often the last uses of access keys are written down.
const WRITE_USES_EVERY: Duration = Duration::from_mins(5);

impl Gate {
    /// Starts the work. Call once, within a tokio runtime.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(&self) -> Result<()> {
        *self.inner.workers.lock() = Some(self.inner.ledger.start_workers()?);
        let collect = every(self.inner.clone(), COLLECT_EVERY, |inner| {
            inner.collect().map(drop)
        });
        let write_moved = every(
            self.inner.clone(),
            guards::WRITE_EVERY,
            Inner::write_moved_if_asked,
        );
        let write_uses = every(self.inner.clone(), WRITE_USES_EVERY, Inner::write_uses);
        let expire = every(self.inner.clone(), shield::EXPIRE_EVERY, Inner::expire_pending);
        let tiers = tokio::spawn(collect_tiers(self.inner.clone()));
        self.inner
            .background
            .lock()
            .extend([collect, write_uses, write_moved, expire, tiers]);
        Ok(())
    }

    /// Ends the tasks, integrates what is left and marks the ledger as cleanly closed.
    ///
    /// # Errors
    /// The ledger's own.
    pub async fn close(&self) -> Result<()> {
        let tasks = std::mem::take(&mut *self.inner.background.lock());
        for task in tasks {
            task.abort();
            // An aborted task is what we asked for.
            drop(task.await);
        }
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || {
            drop(inner.workers.lock().take());
            if let Err(error) = inner.write_uses() {
                tracing::warn!(%error, "the last uses of access keys could not be written down");
            }
            if let Err(error) = inner.write_moved() {
                tracing::warn!(%error, "what sessions have moved could not be written down");
            }
            inner.ledger.close()?;
            inner.store.parts().journal.close()?;
            inner.store.parts().committer.close();
            Ok(())
        })
        .await
        .map_err(|e| craton_base::Error::internal("the closing did not end").with_source(e))?
    }

    /// Collects now what is no longer needed: superseded versions past the undo window, garbage, orphans.
    ///
    /// # Errors
    /// The store's own.
    pub async fn collect(&self) -> Result<Collected> {
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.collect())
            .await
            .map_err(|e| craton_base::Error::internal("a collection did not end").with_source(e))?
    }
}

impl Inner {
    fn collect(&self) -> Result<Collected> {
        let collected = self.store.collect(self.windows()?)?;
        if collected != Collected::default() {
            tracing::info!(?collected, "collected");
        }
        self.collect_sessions()?;
        self.collect_done()?;
        self.collect_leases()?;
        self.expire_pending()?;
        self.collect_moved()?;
        self.collect_lineage()?;
        Ok(collected)
    }

    /// Removes what is older of lineage than it is to be kept.
    fn collect_lineage(&self) -> Result<()> {
        let Some(kept) = self.settings.lineage_retention else {
            return Ok(());
        };
        let swept = self.lineage.sweep(self.clock.now().minus(kept))?;
        if swept.edges > 0 || swept.runs > 0 {
            tracing::info!(?swept, "removed old lineage");
        }
        Ok(())
    }
}

/// Deletes at the tiers what nobody names there any more: soon after it was let go, and again what failed.
async fn collect_tiers(inner: Arc<Inner>) {
    loop {
        let told = inner.store.tiers().garbage();
        // Either way: what failed is tried again.
        drop(tokio::time::timeout(COLLECT_EVERY, told).await);
        match inner.store.collect_tiers().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "deleted blobs at tiers"),
            Err(error) => tracing::error!(%error, "blobs at tiers can not be deleted now"),
        }
    }
}

/// Runs `work` on a blocking thread, again and again. What fails is logged once until it works again.
fn every(
    inner: Arc<Inner>,
    period: Duration,
    work: impl Fn(&Inner) -> Result<()> + Send + Sync + 'static,
) -> tokio::task::JoinHandle<()> {
    let work = Arc::new(work);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            ticks.tick().await;
            let (inner, work) = (inner.clone(), work.clone());
            let done = tokio::task::spawn_blocking(move || work(&inner)).await;
            let error = match done {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error),
                Err(error) => {
                    Some(craton_base::Error::internal("a background task ended").with_source(error))
                }
            };
            if let Some(error) = &error
                && !failing
            {
                let unavailable = error.kind() == ErrorKind::Unavailable;
                tracing::error!(%error, unavailable, "background work fails; it is tried again");
            }
            failing = error.is_some();
        }
    })
}
