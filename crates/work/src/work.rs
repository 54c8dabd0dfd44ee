//! The work of a server: started with it, ended before the gate closes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use craton_base::{Clock, Random, Result};
use craton_gate::{Wanted, Worker, Workers};
use craton_objects::lifecycle::Calendar;
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    access_log::Logs,
    deliver::{Delivering, Post},
    inventory::Listing,
    lifecycle::Expiring,
    openlineage::{OpenLineage, Telling},
    replication::Replicating,
    target::Settings,
};

/// What the work needs.
pub struct Parts {
    /// The right to act.
    pub workers: Arc<Workers>,
    /// Whoever keeps tables in order: this crate does not know tables.
    pub maintenance: mpsc::Sender<Wanted>,
    /// The targets.
    pub settings: Settings,
    /// Where runs of clients are told of.
    pub openlineage: Option<OpenLineage>,
    /// How long a day of a lifecycle rule is.
    pub calendar: Calendar,
    /// How often access logs are written.
    pub access_log_every: Duration,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// The work as it goes on.
pub struct Work {
    tasks: JoinSet<()>,
}

impl Work {
    /// Starts. To be called on the runtime.
    ///
    /// # Errors
    /// `Internal` if there is no HTTP client.
    pub fn start(parts: Parts) -> Result<Self> {
        let workers = parts.workers;
        let mut tasks = JoinSet::new();
        let delivering = Arc::new(Delivering::new(workers.clone(), &parts.settings, &parts.random));
        tasks.spawn(delivering.clone().spread_all());
        for post in delivering.posts() {
            tasks.spawn(delivering.clone().drain_all(post));
        }
        if let Some(openlineage) = &parts.openlineage {
            let post = Post::new(&openlineage.target(), &parts.random);
            let telling = Telling {
                workers: workers.clone(),
                post: post.clone(),
                idle: openlineage.idle,
            };
            tasks.spawn(delivering.clone().drain_all(post));
            tasks.spawn(telling.tell_all());
        }
        let expiring = Expiring {
            workers: workers.clone(),
            calendar: parts.calendar,
            clock: parts.clock.clone(),
            has_tiers: workers.gate().has_tiers(),
        };
        let (start, wanted) = mpsc::channel(64);
        tasks.spawn(expiring.run_all(wanted));
        let (resync, wanted) = mpsc::channel(64);
        let replicating = Replicating::new(workers.clone(), &parts.settings, parts.clock.clone())?;
        tasks.spawn(Arc::new(replicating).run_all(wanted));
        let listing = Listing {
            workers: workers.clone(),
            calendar: parts.calendar,
            clock: parts.clock.clone(),
            random: parts.random.clone(),
        };
        let (list, wanted) = mpsc::channel(64);
        tasks.spawn(listing.run_all(wanted));
        let ways = BTreeMap::from([
            (Worker::Lifecycle, start),
            (Worker::Replication, resync),
            (Worker::Inventory, list),
        ]);
        let logs = Logs {
            workers: workers.clone(),
            clock: parts.clock.clone(),
            random: parts.random.clone(),
            every: parts.access_log_every,
        };
        tasks.spawn(logs.write_all());
        tasks.spawn(hand_out(workers.wanted(), (ways, parts.maintenance)));
        Ok(Self { tasks })
    }

    /// Ends: what was under way is done again at the next start.
    pub async fn end(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Hands runs that someone asked for to those who do them.
async fn hand_out(
    mut wanted: mpsc::Receiver<Wanted>,
    (ways, maintenance): (BTreeMap<Worker, mpsc::Sender<String>>, mpsc::Sender<Wanted>),
) {
    while let Some(one) = wanted.recv().await {
        if one.worker == Worker::Maintenance {
            drop(maintenance.send(one).await);
            continue;
        }
        let Some(way) = ways.get(&one.worker) else {
            tracing::warn!(worker = one.worker.name(), "this work can not be asked for");
            continue;
        };
        // Its receiver ends only with the process.
        drop(way.send(one.subject).await);
    }
}
